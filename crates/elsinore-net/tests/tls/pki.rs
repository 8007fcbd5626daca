//! Certificates of every oddity, made with OpenSSL when a test starts.

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
};
use openssl::x509::{X509, X509Builder, X509Extension, X509Name};

/// A moment inside every ordinary certificate's validity: 2030-01-01.
pub(crate) const NOW: i64 = 1_893_456_000;

pub(crate) fn ec_key(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

pub(crate) fn p256() -> PKey<Private> {
    ec_key(Nid::X9_62_PRIME256V1)
}

pub(crate) fn rsa(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

/// What a certificate looks like.
pub(crate) struct Wanted {
    pub(crate) version: i32,
    pub(crate) common_name: Option<&'static str>,
    pub(crate) dns: Vec<String>,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    pub(crate) digest: Option<MessageDigest>,
    pub(crate) extensions: Vec<X509Extension>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            version: 2,
            common_name: Some("mx.example"),
            dns: vec!["mx.example".to_owned()],
            not_before: NOW - 86_400,
            not_after: NOW + 86_400,
            digest: Some(MessageDigest::sha256()),
            extensions: Vec::new(),
        }
    }
}

impl Wanted {
    pub(crate) fn named(name: &str) -> Self {
        Self {
            dns: vec![name.to_owned()],
            ..Self::default()
        }
    }

    pub(crate) fn ca() -> Self {
        Self {
            common_name: Some("Test Authority"),
            dns: Vec::new(),
            extensions: vec![
                BasicConstraints::new().critical().ca().build().unwrap(),
                KeyUsage::new().critical().key_cert_sign().build().unwrap(),
            ],
            ..Self::default()
        }
    }

    /// A certificate for `key`, issued by `issuer` or by itself.
    pub(crate) fn issue(
        &self,
        key: &PKey<Private>,
        issuer: Option<(&X509, &PKey<Private>)>,
    ) -> X509 {
        let mut name = X509Name::builder().unwrap();
        if let Some(text) = self.common_name {
            name.append_entry_by_nid(Nid::COMMONNAME, text).unwrap();
        }
        let name = name.build();
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(self.version).unwrap();
        let mut serial = BigNum::new().unwrap();
        serial.rand(64, MsbOption::MAYBE_ZERO, false).unwrap();
        let serial: Asn1Integer = serial.to_asn1_integer().unwrap();
        builder.set_serial_number(&serial).unwrap();
        builder.set_subject_name(&name).unwrap();
        match issuer {
            Some((issuer, _)) => builder.set_issuer_name(issuer.subject_name()).unwrap(),
            None => builder.set_issuer_name(&name).unwrap(),
        }
        let time = |at| Asn1Time::from_unix(at).unwrap();
        builder.set_not_before(&time(self.not_before)).unwrap();
        builder.set_not_after(&time(self.not_after)).unwrap();
        builder.set_pubkey(key).unwrap();
        if !self.dns.is_empty() {
            let mut names = SubjectAlternativeName::new();
            for name in &self.dns {
                names.dns(name);
            }
            let context = builder.x509v3_context(issuer.map(|(c, _)| c.as_ref()), None);
            let extension = names.build(&context).unwrap();
            builder.append_extension(extension).unwrap();
        }
        for extension in &self.extensions {
            builder.append_extension2(extension).unwrap();
        }
        let signer = issuer.map_or(key, |(_, key)| key);
        let digest = match signer.id() {
            Id::ED25519 | Id::ED448 => MessageDigest::null(),
            _ => self.digest.unwrap_or_else(MessageDigest::sha256),
        };
        builder.sign(signer, digest).unwrap();
        builder.build()
    }
}

/// An extension with any contents.
pub(crate) fn raw_extension(oid: &str, critical: bool, contents: &[u8]) -> X509Extension {
    let oid = Asn1Object::from_str(oid).unwrap();
    let contents = Asn1OctetString::new_from_bytes(contents).unwrap();
    X509Extension::new_from_der(&oid, critical, &contents).unwrap()
}

pub(crate) fn client_auth_only() -> X509Extension {
    ExtendedKeyUsage::new().client_auth().build().unwrap()
}

/// The odd certificates of the fact sheet: name, key, self-signed certificate.
pub(crate) fn odd_certificates() -> Vec<(&'static str, PKey<Private>, X509)> {
    let self_signed = |name, key: PKey<Private>, wanted: Wanted| {
        let certificate = wanted.issue(&key, None);
        (name, key, certificate)
    };
    let v1 = || Wanted {
        version: 0,
        dns: Vec::new(),
        ..Wanted::default()
    };
    let with = |extension| Wanted {
        extensions: vec![extension],
        ..Wanted::default()
    };
    let many = |count: usize| Wanted {
        dns: (0..count)
            .map(|n| format!("mx{n}.example-{n}.example"))
            .collect(),
        ..Wanted::default()
    };
    vec![
        self_signed("version 1, P-256", p256(), v1()),
        self_signed("version 1, RSA-2048", rsa(2048), v1()),
        self_signed("RSA-1024", rsa(1024), Wanted::default()),
        self_signed("RSA-1536", rsa(1536), Wanted::default()),
        self_signed("RSA-2047", rsa(2047), Wanted::default()),
        self_signed(
            "SHA-1 self-signature",
            rsa(2048),
            Wanted {
                digest: Some(MessageDigest::sha1()),
                ..Wanted::default()
            },
        ),
        self_signed(
            "expired",
            p256(),
            Wanted {
                not_after: NOW - 10,
                ..Wanted::default()
            },
        ),
        self_signed(
            "not yet valid",
            p256(),
            Wanted {
                not_before: NOW + 10,
                ..Wanted::default()
            },
        ),
        self_signed(
            "ends before it begins",
            p256(),
            Wanted {
                not_before: NOW + 10,
                not_after: NOW - 10,
                ..Wanted::default()
            },
        ),
        self_signed("wrong name", p256(), Wanted::named("other.example")),
        self_signed(
            "no name at all",
            p256(),
            Wanted {
                common_name: None,
                dns: Vec::new(),
                ..Wanted::default()
            },
        ),
        self_signed(
            "unknown critical extension",
            p256(),
            with(raw_extension("1.3.6.1.4.1.99999.1", true, b"\x05\x00")),
        ),
        self_signed(
            "garbage SAN",
            p256(),
            Wanted {
                dns: Vec::new(),
                extensions: vec![raw_extension("2.5.29.17", false, b"\xff\xff\xff")],
                ..Wanted::default()
            },
        ),
        self_signed(
            "client authentication only",
            p256(),
            with(client_auth_only()),
        ),
        self_signed("CA:TRUE", p256(), Wanted::ca()),
        self_signed("P-384", ec_key(Nid::SECP384R1), Wanted::default()),
        self_signed(
            "Ed25519",
            PKey::generate_ed25519().unwrap(),
            Wanted::default(),
        ),
        self_signed("1500 names", p256(), many(1500)),
    ]
}
