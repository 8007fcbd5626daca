//! Certificates for the tests: a DER writer that can also write what no certification authority
//! would, and keys that are made once per process.

use elsinore_dane::tlsa::TlsaRecord;
use openssl::dsa::Dsa;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer};
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

/// The moment at which the tests take place: 2026-09-21.
pub(crate) const NOW: i64 = 1_790_000_000;

/// The key of that name. The name begins with its kind: `rsa1024-…`, `p521-…`, `ed25519-…`,
/// `ed448-…`, `brainpool256-…`, `dsa-…`; anything else is P-256.
pub(crate) fn key(name: &str) -> PKey<Private> {
    static KEYS: OnceLock<Mutex<HashMap<String, PKey<Private>>>> = OnceLock::new();
    let mut keys = KEYS.get_or_init(Mutex::default).lock().unwrap();
    keys.entry(name.to_owned())
        .or_insert_with(|| {
            let curve = |nid| {
                let group = EcGroup::from_curve_name(nid).unwrap();
                PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
            };
            if let Some(rest) = name.strip_prefix("rsa") {
                let bits = rest.split('-').next().unwrap().parse().unwrap();
                return PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
            }
            match name.split('-').next().unwrap() {
                "brainpool256" => curve(Nid::BRAINPOOL_P256R1),
                "brainpool384" => curve(Nid::BRAINPOOL_P384R1),
                "brainpool512" => curve(Nid::BRAINPOOL_P512R1),
                "dsa" => PKey::from_dsa(Dsa::generate(1024).unwrap()).unwrap(),
                "p521" => curve(Nid::SECP521R1),
                "ed25519" => PKey::generate_ed25519().unwrap(),
                "ed448" => PKey::generate_ed448().unwrap(),
                _ => curve(Nid::X9_62_PRIME256V1),
            }
        })
        .clone()
}

/// The SubjectPublicKeyInfo of a key.
pub(crate) fn spki(name: &str) -> Vec<u8> {
    key(name).public_key_to_der().unwrap()
}

/// One DER element.
pub(crate) fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = contents.len();
    if length < 0x80 {
        out.push(u8::try_from(length).unwrap());
    } else {
        let octets = length.to_be_bytes();
        let first = octets.iter().position(|octet| *octet != 0).unwrap();
        out.push(0x80 | u8::try_from(octets.len() - first).unwrap());
        out.extend_from_slice(&octets[first..]);
    }
    out.extend_from_slice(contents);
    out
}

/// A SEQUENCE of whole elements.
pub(crate) fn seq(elements: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &elements.concat())
}

/// A Name with one common name as UTF8String; empty text makes an empty Name.
pub(crate) fn name(common_name: &str) -> Vec<u8> {
    name_as(0x0c, common_name.as_bytes())
}

/// A Name with one common name of any string type.
pub(crate) fn name_as(string_tag: u8, common_name: &[u8]) -> Vec<u8> {
    if common_name.is_empty() {
        return tlv(0x30, &[]);
    }
    let attribute = seq(&[
        &tlv(0x06, &[0x55, 0x04, 0x03]),
        &tlv(string_tag, common_name),
    ]);
    seq(&[&tlv(0x31, &attribute)])
}

/// How a certificate is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alg {
    /// SHA-256 or none, as the key demands.
    Usual,
    Sha1,
    Md5,
    /// RSASSA-PSS with SHA-256 and this salt.
    Pss(i32),
}

const RSA_OIDS: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];

impl Alg {
    fn identifier(self, signer: &str) -> Vec<u8> {
        let rsa = |last: u8| {
            let oid = [&RSA_OIDS[..], &[last]].concat();
            seq(&[&tlv(0x06, &oid), &tlv(0x05, &[])])
        };
        let bare = |oid: &[u8]| seq(&[&tlv(0x06, oid)]);
        match (self, signer) {
            (Self::Pss(salt), _) => {
                let sha256 = seq(&[
                    &tlv(
                        0x06,
                        &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
                    ),
                    &tlv(0x05, &[]),
                ]);
                let mgf = seq(&[&tlv(0x06, &[&RSA_OIDS[..], &[8]].concat()), &sha256]);
                let mut salt = salt.to_be_bytes().to_vec();
                while salt.len() > 1 && salt[0] == 0 && salt[1] < 0x80 {
                    salt.remove(0);
                }
                let parameters = seq(&[
                    &tlv(0xa0, &sha256),
                    &tlv(0xa1, &mgf),
                    &tlv(0xa2, &tlv(0x02, &salt)),
                ]);
                seq(&[&tlv(0x06, &[&RSA_OIDS[..], &[10]].concat()), &parameters])
            }
            (Self::Usual, s) if s.starts_with("rsa") => rsa(11),
            (Self::Sha1, s) if s.starts_with("rsa") => rsa(5),
            (Self::Md5, _) => rsa(4),
            (Self::Usual, s) if s.starts_with("dsa") => {
                bare(&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x02])
            }
            (Self::Usual, s) if s.starts_with("ed25519") => bare(&[0x2b, 0x65, 0x70]),
            (Self::Usual, s) if s.starts_with("ed448") => bare(&[0x2b, 0x65, 0x71]),
            (Self::Usual, _) => bare(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]),
            (Self::Sha1, _) => bare(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01]),
        }
    }

    fn sign(self, signer: &str, signed: &[u8]) -> Vec<u8> {
        let key = key(signer);
        let mut signing = match self {
            Self::Usual if signer.starts_with("ed") => Signer::new_without_digest(&key),
            Self::Usual | Self::Pss(_) => Signer::new(MessageDigest::sha256(), &key),
            Self::Sha1 => Signer::new(MessageDigest::sha1(), &key),
            Self::Md5 => Signer::new(MessageDigest::md5(), &key),
        }
        .unwrap();
        if let Self::Pss(salt) = self {
            signing.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
            signing
                .set_rsa_pss_saltlen(RsaPssSaltlen::custom(salt))
                .unwrap();
            signing.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
        }
        signing.sign_oneshot_to_vec(signed).unwrap()
    }
}

/// A certificate to be made. Every field may be nonsense.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    /// Number encoded; `None` leaves the field out, which means version 1.
    pub(crate) version: Option<u8>,
    /// Contents of the serial number.
    pub(crate) serial: Vec<u8>,
    /// Whole Name elements.
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    /// Whole time elements.
    pub(crate) not_before: Vec<u8>,
    pub(crate) not_after: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    /// Whole Extension elements; no extensions field when empty.
    pub(crate) extensions: Vec<Vec<u8>>,
    /// Name of the key that signs.
    pub(crate) signer: String,
    pub(crate) alg: Alg,
    /// Octets behind the certificate.
    pub(crate) trailing: Vec<u8>,
    /// Replaces the AlgorithmIdentifier inside the signed part.
    pub(crate) inner_algorithm: Option<Vec<u8>>,
}

/// A certificate that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) der: Vec<u8>,
    pub(crate) spki: Vec<u8>,
}

impl Spec {
    /// Version 3, valid in the present, no extensions.
    pub(crate) fn plain(subject: &str, key: &str, issuer: &str, signer: &str) -> Self {
        Self {
            version: Some(2),
            serial: vec![0x11],
            issuer: name(issuer),
            subject: name(subject),
            not_before: utc("250101000000Z"),
            not_after: utc("350101000000Z"),
            spki: spki(key),
            extensions: Vec::new(),
            signer: signer.to_owned(),
            alg: Alg::Usual,
            trailing: Vec::new(),
            inner_algorithm: None,
        }
    }

    /// A server certificate with DNS names.
    pub(crate) fn server(dns_names: &[&str], key: &str, issuer: &str, signer: &str) -> Self {
        let mut spec = Self::plain("server", key, issuer, signer);
        spec.extensions = vec![san(dns_names), eku(&[SERVER_AUTH])];
        spec
    }

    /// A certification authority.
    pub(crate) fn authority(subject: &str, key: &str, issuer: &str, signer: &str) -> Self {
        let mut spec = Self::plain(subject, key, issuer, signer);
        spec.extensions = vec![basic_constraints(true, None), key_usage(KEY_CERT_SIGN)];
        spec
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn make(&self) -> Made {
        let algorithm = self.alg.identifier(&self.signer);
        let version = self
            .version
            .map(|number| tlv(0xa0, &tlv(0x02, &[number])))
            .unwrap_or_default();
        let extensions = if self.extensions.is_empty() {
            Vec::new()
        } else {
            tlv(0xa3, &tlv(0x30, &self.extensions.concat()))
        };
        let tbs = seq(&[
            &version,
            &tlv(0x02, &self.serial),
            self.inner_algorithm.as_ref().unwrap_or(&algorithm),
            &self.issuer,
            &seq(&[&self.not_before, &self.not_after]),
            &self.subject,
            &self.spki,
            &extensions,
        ]);
        let signature = self.alg.sign(&self.signer, &tbs);
        let bits = tlv(0x03, &[&[0][..], &signature].concat());
        let mut der = seq(&[&tbs, &algorithm, &bits]);
        der.extend_from_slice(&self.trailing);
        Made {
            der,
            spki: self.spki.clone(),
        }
    }
}

impl Made {
    /// The TLSA record that matches this certificate.
    pub(crate) fn record(&self, usage: u8, selector: u8, matching_type: u8) -> TlsaRecord {
        let selected = if selector == 0 { &self.der } else { &self.spki };
        let association = match matching_type {
            0 => selected.clone(),
            1 => openssl::sha::sha256(selected).to_vec(),
            2 => openssl::sha::sha512(selected).to_vec(),
            other => panic!("no matching type {other}"),
        };
        TlsaRecord::new(usage, selector, matching_type, &association)
    }
}

pub(crate) fn utc(text: &str) -> Vec<u8> {
    tlv(0x17, text.as_bytes())
}

pub(crate) fn generalized(text: &str) -> Vec<u8> {
    tlv(0x18, text.as_bytes())
}

/// An Extension.
pub(crate) fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let flag = if critical {
        tlv(0x01, &[0xff])
    } else {
        Vec::new()
    };
    seq(&[&tlv(0x06, oid), &flag, &tlv(0x04, value)])
}

/// SubjectAltName of DNS names.
pub(crate) fn san(names: &[&str]) -> Vec<u8> {
    let raw: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    san_raw(&raw)
}

pub(crate) fn san_raw(names: &[&[u8]]) -> Vec<u8> {
    let list: Vec<u8> = names.iter().flat_map(|name| tlv(0x82, name)).collect();
    extension(&[0x55, 0x1d, 17], false, &tlv(0x30, &list))
}

/// SubjectAltName with any GeneralName elements.
pub(crate) fn san_elements(elements: &[&[u8]]) -> Vec<u8> {
    extension(&[0x55, 0x1d, 17], false, &seq(elements))
}

pub(crate) const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
pub(crate) const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
pub(crate) const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 0x25, 0];

pub(crate) fn eku(purposes: &[&[u8]]) -> Vec<u8> {
    let list: Vec<u8> = purposes.iter().flat_map(|oid| tlv(0x06, oid)).collect();
    extension(&[0x55, 0x1d, 37], false, &tlv(0x30, &list))
}

pub(crate) const DIGITAL_SIGNATURE: u8 = 0x80;
pub(crate) const KEY_CERT_SIGN: u8 = 0x04;

pub(crate) fn key_usage(bits: u8) -> Vec<u8> {
    let unused = u8::try_from(bits.trailing_zeros()).unwrap();
    extension(&[0x55, 0x1d, 15], true, &tlv(0x03, &[unused, bits]))
}

pub(crate) fn basic_constraints(authority: bool, path_length: Option<u8>) -> Vec<u8> {
    let flag = if authority {
        tlv(0x01, &[0xff])
    } else {
        Vec::new()
    };
    let length = path_length
        .map(|length| tlv(0x02, &[length]))
        .unwrap_or_default();
    extension(&[0x55, 0x1d, 19], true, &seq(&[&flag, &length]))
}

/// NameConstraints from whole GeneralName bases.
pub(crate) fn name_constraints(permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> Vec<u8> {
    let list = |tag: u8, bases: &[Vec<u8>]| {
        if bases.is_empty() {
            return Vec::new();
        }
        let subtrees: Vec<u8> = bases.iter().flat_map(|base| seq(&[base])).collect();
        tlv(tag, &subtrees)
    };
    let value = seq(&[&list(0xa0, permitted), &list(0xa1, excluded)]);
    extension(&[0x55, 0x1d, 30], true, &value)
}

/// A dNSName for name constraints.
pub(crate) fn dns(name: &str) -> Vec<u8> {
    tlv(0x82, name.as_bytes())
}
