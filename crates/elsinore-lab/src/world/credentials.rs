//! Keys and certificates of the lab's servers, made from their recipes at start.

use crate::scenario::certificate::{Purpose, Validity};
use crate::scenario::{CertificateRecipe, ChainPart, Issuer, KeyKind, PolicyFault};
use elsinore_dane::time::UnixTime;
use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
};
use openssl::x509::{X509, X509Name, X509NameBuilder};
use std::fmt::Write as _;

/// A server's key and the certificates around it.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The server's private key.
    pub key: PKey<Private>,
    /// What the server sends, leaf first.
    pub sent: Vec<X509>,
    leaf: X509,
    issuers: Option<(X509, X509)>,
}

/// The CA that everybody in the lab trusts for WebPKI: a root and an intermediate.
#[derive(Debug, Clone)]
pub struct PublicCa {
    authority: Authority,
    pem: String,
}

impl PublicCa {
    /// Makes the CA.
    ///
    /// # Errors
    /// OpenSSL's own.
    pub fn make(now: UnixTime) -> Result<Self, ErrorStack> {
        let authority = Authority::make("Lab Public", Validity::Current, now)?;
        let pem = authority.root.to_pem()?;
        Ok(Self {
            authority,
            // PEM is ASCII.
            pem: String::from_utf8_lossy(&pem).into_owned(),
        })
    }

    /// The root certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

/// A root and the intermediate that signs leaves.
#[derive(Debug, Clone)]
struct Authority {
    root: X509,
    intermediate: X509,
    intermediate_key: PKey<Private>,
}

impl Authority {
    fn make(name: &str, root_validity: Validity, now: UnixTime) -> Result<Self, ErrorStack> {
        let root_key = p256()?;
        let root = Blank {
            common_name: Some(&format!("{name} Root")),
            names: &[],
            purpose: None,
            validity: root_validity,
            key: &root_key,
        }
        .signed(None, now)?;
        let intermediate_key = p256()?;
        let intermediate = Blank {
            common_name: Some(&format!("{name} Intermediate")),
            names: &[],
            purpose: None,
            validity: Validity::Current,
            key: &intermediate_key,
        }
        .signed(Some((&root, &root_key)), now)?;
        Ok(Self {
            root,
            intermediate,
            intermediate_key,
        })
    }
}

impl Credentials {
    /// Makes what a mail server needs; `host_name` is certified unless the recipe has names.
    ///
    /// # Errors
    /// OpenSSL's own.
    pub fn make(
        recipe: &CertificateRecipe,
        host_name: &str,
        ca: &PublicCa,
        now: UnixTime,
    ) -> Result<Self, ErrorStack> {
        let key = match recipe.key {
            KeyKind::P256 => p256()?,
            KeyKind::Rsa2048 => PKey::from_rsa(Rsa::generate(2048)?)?,
            KeyKind::Rsa1024 => PKey::from_rsa(Rsa::generate(1024)?)?,
        };
        let default_names = [host_name.to_owned()];
        let blank = Blank {
            common_name: recipe.common_name.as_deref(),
            names: recipe.names.as_deref().unwrap_or(&default_names),
            purpose: Some(recipe.purpose),
            validity: recipe.validity,
            key: &key,
        };
        let authority = match recipe.issuer {
            Issuer::Itself => None,
            Issuer::Private => Some(Authority::make(host_name, recipe.root_validity, now)?),
            Issuer::Public => Some(ca.authority.clone()),
        };
        let signer = (authority.as_ref())
            .map(|authority| (&authority.intermediate, &authority.intermediate_key));
        let leaf = blank.signed(signer.map(|(x509, key)| (x509, key)), now)?;
        let issuers = authority.map(|authority| (authority.intermediate, authority.root));
        let mut credentials = Self {
            key,
            sent: Vec::new(),
            leaf,
            issuers,
        };
        let sent = (recipe.sends.iter())
            .filter_map(|part| credentials.part(*part))
            .cloned()
            .collect();
        credentials.sent = sent;
        Ok(credentials)
    }

    /// Makes what a policy host needs.
    ///
    /// # Errors
    /// OpenSSL's own.
    pub fn for_policy_host(
        name: &str,
        fault: Option<PolicyFault>,
        ca: &PublicCa,
        now: UnixTime,
    ) -> Result<Self, ErrorStack> {
        let wrong = fault == Some(PolicyFault::WrongName);
        let recipe = CertificateRecipe {
            names: wrong.then(|| vec!["elsewhere.example".to_owned()]),
            issuer: if fault == Some(PolicyFault::SelfSigned) {
                Issuer::Itself
            } else {
                Issuer::Public
            },
            sends: vec![ChainPart::Leaf, ChainPart::Intermediate],
            ..CertificateRecipe::default()
        };
        Self::make(&recipe, name, ca, now)
    }

    fn part(&self, part: ChainPart) -> Option<&X509> {
        match part {
            ChainPart::Leaf => Some(&self.leaf),
            ChainPart::Intermediate => self.issuers.as_ref().map(|(inter, _)| inter),
            ChainPart::Root => self.issuers.as_ref().map(|(_, root)| root),
        }
    }

    /// What a TLSA selector selects of a certificate: DER of all of it or of its public key.
    pub(super) fn selected(&self, part: ChainPart, selector: u8) -> Result<Vec<u8>, String> {
        let certificate =
            (self.part(part)).ok_or("a self-signed certificate has no issuer above it")?;
        match selector {
            0 => certificate.to_der(),
            1 => (certificate.public_key()).and_then(|key| key.public_key_to_der()),
            _ => return Err(format!("selector {selector} selects nothing")),
        }
        .map_err(|error| error.to_string())
    }
}

/// What a TLSA matching type makes of the selected octets.
pub(super) fn matched(matching_type: u8, octets: &[u8]) -> Result<Vec<u8>, String> {
    let digest = match matching_type {
        0 => return Ok(octets.to_vec()),
        1 => MessageDigest::sha256(),
        2 => MessageDigest::sha512(),
        _ => return Err(format!("matching type {matching_type} is not known")),
    };
    hash(digest, octets)
        .map(|digest| digest.to_vec())
        .map_err(|error| error.to_string())
}

/// Lower-case hexadecimal.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn p256() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

/// A certificate to be signed.
struct Blank<'a> {
    common_name: Option<&'a str>,
    names: &'a [String],
    /// `None` for a CA.
    purpose: Option<Purpose>,
    validity: Validity,
    key: &'a PKey<Private>,
}

impl Blank<'_> {
    fn subject(&self) -> Result<X509Name, ErrorStack> {
        let mut name = X509NameBuilder::new()?;
        if let Some(common_name) = self.common_name {
            // 64 characters is the limit of commonName (RFC 5280, appendix A).
            let shown: String = common_name.chars().take(64).collect();
            name.append_entry_by_nid(Nid::COMMONNAME, &shown)?;
        }
        Ok(name.build())
    }

    fn signed(
        &self,
        issuer: Option<(&X509, &PKey<Private>)>,
        now: UnixTime,
    ) -> Result<X509, ErrorStack> {
        const DAY: i64 = 86_400;
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        let mut serial = BigNum::new()?;
        serial.rand(120, MsbOption::MAYBE_ZERO, false)?;
        let serial = Asn1Integer::from_bn(&serial)?;
        builder.set_serial_number(&serial)?;
        let (from, to) = match self.validity {
            Validity::Current => (-DAY, 60 * DAY),
            Validity::Expired => (-60 * DAY, -DAY),
            Validity::Future => (10 * DAY, 60 * DAY),
        };
        let from = Asn1Time::from_unix(now.0 + from)?;
        let to = Asn1Time::from_unix(now.0 + to)?;
        builder.set_not_before(&from)?;
        builder.set_not_after(&to)?;
        let subject = self.subject()?;
        builder.set_subject_name(&subject)?;
        builder.set_issuer_name(issuer.map_or(&subject, |(x509, _)| x509.subject_name()))?;
        builder.set_pubkey(self.key)?;
        match self.purpose {
            None => {
                builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
                let usage = KeyUsage::new()
                    .critical()
                    .key_cert_sign()
                    .crl_sign()
                    .build()?;
                builder.append_extension(usage)?;
            }
            Some(purpose) => {
                builder.append_extension(BasicConstraints::new().critical().build()?)?;
                let mut usage = ExtendedKeyUsage::new();
                match purpose {
                    Purpose::Server => usage.server_auth(),
                    Purpose::Client => usage.client_auth(),
                };
                builder.append_extension(usage.build()?)?;
            }
        }
        if !self.names.is_empty() {
            let mut alternatives = SubjectAlternativeName::new();
            for name in self.names {
                alternatives.dns(name);
            }
            let issuer = issuer.map(|(x509, _)| &**x509);
            let context = builder.x509v3_context(issuer, None);
            let extension = alternatives.build(&context)?;
            builder.append_extension(extension)?;
        }
        builder.sign(
            issuer.map_or(self.key, |(_, key)| key),
            MessageDigest::sha256(),
        )?;
        Ok(builder.build())
    }
}
