//! Every certificate that was seen, once.

use super::text;
use crate::lint::known_ca;
use crate::report::{Certificate, KeyKind};
use crate::sighting::Sighting;
use elsinore_dane::verify::inspect;
use openssl::pkey::Id;
use openssl::x509::X509;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Certificates of one chain that are looked at.
pub(super) const CHAIN: usize = 20;

/// The key of a certificate in the report: SHA-256 of the entry as sent.
pub(super) fn key(entry: &[u8]) -> String {
    text::hex(&openssl::sha::sha256(entry))
}

/// All certificates of all sessions, in the order of their keys.
pub(super) fn certificates(sighting: &Sighting) -> BTreeMap<String, Certificate> {
    let addresses = sighting.hosts.iter().flat_map(|host| &host.addresses);
    let sessions = addresses.flat_map(|address| &address.sessions);
    let mut seen = BTreeMap::new();
    for entry in sessions.flat_map(|session| session.chain.iter().take(CHAIN)) {
        seen.entry(key(entry)).or_insert_with(|| certificate(entry));
    }
    seen
}

/// What can be read of one certificate. An entry that is none has its PEM and nothing else.
pub(super) fn certificate(entry: &[u8]) -> Certificate {
    let facts = key_facts(entry);
    let summary = inspect(entry).ok();
    let names = |of: fn(&elsinore_dane::verify::CertificateSummary) -> &Vec<String>| {
        let names = summary.as_ref().map(of).map(|names| names.join(", "));
        text::line(&names.unwrap_or_default())
    };
    Certificate {
        spki_sha256: summary
            .as_ref()
            .map(|summary| text::hex(&summary.public_key_sha256))
            .unwrap_or_default(),
        subject: names(|summary| &summary.subject_common_names),
        issuer: names(|summary| &summary.issuer_common_names),
        names: summary
            .iter()
            .flat_map(|summary| &summary.subject_alt_names)
            .map(|name| text::line(name))
            .collect(),
        not_before_at: summary
            .as_ref()
            .and_then(|summary| summary.not_before)
            .map(|at| at.0),
        not_after_at: summary
            .as_ref()
            .and_then(|summary| summary.not_after)
            .map(|at| at.0),
        key: facts.key,
        key_bits: facts.bits,
        signature_algorithm: facts.signature_algorithm,
        self_issued: summary.as_ref().is_some_and(|summary| summary.self_issued),
        known_ca: known_ca::of_certificate(entry).map(|known| known.name.to_owned()),
        pem: pem(entry),
    }
}

struct KeyFacts {
    key: KeyKind,
    bits: u32,
    signature_algorithm: String,
}

/// What OpenSSL says of the key; `other` where it cannot read the certificate.
fn key_facts(entry: &[u8]) -> KeyFacts {
    let certificate = X509::from_der(entry).ok();
    let public = certificate.as_ref().and_then(|one| one.public_key().ok());
    let key = match public.as_ref().map(|key| key.id()) {
        Some(Id::RSA | Id::RSA_PSS) => KeyKind::Rsa,
        Some(Id::EC) => KeyKind::Ecdsa,
        Some(Id::ED25519 | Id::ED448) => KeyKind::Eddsa,
        _ => KeyKind::Other,
    };
    let algorithm = certificate.as_ref().and_then(|one| {
        let object = one.signature_algorithm().object();
        object.nid().long_name().ok().map(ToOwned::to_owned)
    });
    KeyFacts {
        key,
        bits: public.as_ref().map_or(0, |key| key.bits()),
        signature_algorithm: algorithm.unwrap_or_else(|| "unknown".to_owned()),
    }
}

/// The entry as PEM (RFC 7468 §5.1).
fn pem(entry: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut digits = openssl::base64::encode_block(entry);
    while !digits.is_empty() {
        // Base 64 is ASCII.
        let rest = digits.split_off(digits.len().min(64));
        let _ = writeln!(text, "{digits}");
        digits = rest;
    }
    text + "-----END CERTIFICATE-----\n"
}
