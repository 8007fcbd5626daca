//! What logs, reports and pins want to know of a certificate. Nothing here decides anything.

use super::certificate::Certificate;
use super::names::{DNS_NAME, IP_ADDRESS, general_names};
use super::{crypto, distinguished_name};
use crate::time::UnixTime;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Names shown of one certificate; the rest is counted.
const NAMES: usize = 100;
/// Characters shown of one name.
const NAME_LENGTH: usize = 255;

/// A certificate, for people to read. Text of the certificate has its control characters escaped
/// and is bounded in length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSummary {
    /// SHA-256 of the entry as sent.
    pub sha256: [u8; 32],
    /// SHA-256 of the SubjectPublicKeyInfo as sent.
    pub public_key_sha256: [u8; 32],
    /// Common names of the subject.
    pub subject_common_names: Vec<String>,
    /// Common names of the issuer.
    pub issuer_common_names: Vec<String>,
    /// DNS names and addresses of the SubjectAltName, at most 100.
    pub subject_alt_names: Vec<String>,
    /// DNS names and addresses beyond those 100.
    pub further_names: usize,
    /// First second of validity; `None` when it does not decode.
    pub not_before: Option<UnixTime>,
    /// Last second of validity; `None` when it does not decode.
    pub not_after: Option<UnixTime>,
    /// Whether subject and issuer are the same name.
    pub self_issued: bool,
}

/// The entry holds no certificate: no public key could be found in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an X.509 certificate")]
pub struct Undecodable;

/// Reads what can be read of a certificate.
///
/// # Errors
/// [`Undecodable`] when not even the public key can be found.
pub fn inspect(entry: &[u8]) -> Result<CertificateSummary, Undecodable> {
    let certificate = Certificate::parse(entry).map_err(|_| Undecodable)?;
    let validity = certificate.validity().ok();
    let mut names = alternative_names(&certificate);
    let further_names = names.len().saturating_sub(NAMES);
    names.truncate(NAMES);
    let common_names = |name| {
        let mut found = distinguished_name::common_names_for_display(name);
        found.truncate(NAMES);
        found.iter().map(|text| printable(text)).collect()
    };
    Ok(CertificateSummary {
        sha256: crypto::sha256(certificate.entry()),
        public_key_sha256: crypto::sha256(certificate.public_key_info()),
        subject_common_names: common_names(certificate.subject()),
        issuer_common_names: common_names(certificate.issuer()),
        subject_alt_names: names,
        further_names,
        not_before: validity.map(|(first, _)| UnixTime(first)),
        not_after: validity.map(|(_, last)| UnixTime(last)),
        self_issued: distinguished_name::same(certificate.subject(), certificate.issuer()),
    })
}

fn alternative_names(certificate: &Certificate<'_>) -> Vec<String> {
    let extensions = certificate.extensions();
    let Ok(Some(list)) = extensions.map(|extensions| extensions.subject_alt_name) else {
        return Vec::new();
    };
    let names = general_names(list).unwrap_or_default();
    names
        .iter()
        .filter_map(|name| match name.tag {
            DNS_NAME => Some(printable(&String::from_utf8_lossy(name.contents))),
            IP_ADDRESS => match <[u8; 4]>::try_from(name.contents) {
                Ok(four) => Some(Ipv4Addr::from(four).to_string()),
                Err(_) => <[u8; 16]>::try_from(name.contents)
                    .ok()
                    .map(|sixteen| Ipv6Addr::from(sixteen).to_string()),
            },
            _ => None,
        })
        .collect()
}

fn printable(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(NAME_LENGTH) {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
