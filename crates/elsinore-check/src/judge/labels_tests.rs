//! Which record is labelled how, with certificates made for the purpose.

use super::*;
use crate::judge::certificates::{certificate, key};
use crate::report::{Offer, SCHEMA_VERSION};
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::DaneRequirement;
use elsinore_dane::verify::VerifyOptions;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sha::{sha256, sha512};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name, X509NameBuilder};
use std::net::IpAddr;

const NOW: i64 = 1_800_000_000;
const HOST: &str = "mx.example.org";

fn name(common_name: &str) -> X509Name {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", common_name).unwrap();
    name.build()
}

struct Issuer {
    name: X509Name,
    key: PKey<Private>,
}

fn issue(subject: &str, key: &PKey<Private>, by: Option<&Issuer>, days: i64) -> X509 {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    let subject_name = name(subject);
    builder.set_subject_name(&subject_name).unwrap();
    builder
        .set_issuer_name(by.map_or(&subject_name, |by| &by.name))
        .unwrap();
    builder
        .set_not_before(&Asn1Time::from_unix(NOW - 86_400 * 100).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::from_unix(NOW + 86_400 * days).unwrap())
        .unwrap();
    builder.set_pubkey(key).unwrap();
    if by.is_none() {
        builder
            .append_extension(BasicConstraints::new().critical().ca().build().unwrap())
            .unwrap();
    } else {
        let mut names = SubjectAlternativeName::new();
        let names = names
            .dns(subject)
            .build(&builder.x509v3_context(None, None))
            .unwrap();
        builder.append_extension(names).unwrap();
    }
    builder
        .sign(by.map_or(key, |by| &by.key), MessageDigest::sha256())
        .unwrap();
    builder.build()
}

fn ec() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// Two chains of one host under one CA, and an expired one.
struct Made {
    ca: Vec<u8>,
    ecdsa: Vec<u8>,
    rsa: Vec<u8>,
    expired: Vec<u8>,
}

impl Made {
    fn new() -> Self {
        let issuer = Issuer {
            name: name("Test CA"),
            key: ec(),
        };
        let der = |certificate: X509| certificate.to_der().unwrap();
        let rsa = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        Self {
            ca: der(issue("Test CA", &issuer.key, None, 100)),
            ecdsa: der(issue(HOST, &ec(), Some(&issuer), 50)),
            rsa: der(issue(HOST, &rsa, Some(&issuer), 50)),
            expired: der(issue(HOST, &ec(), Some(&issuer), -1)),
        }
    }

    fn spki(entry: &[u8]) -> Vec<u8> {
        X509::from_der(entry)
            .unwrap()
            .public_key()
            .unwrap()
            .public_key_to_der()
            .unwrap()
    }

    /// `3 1 1 ecdsa`: the record of that certificate; `3 1 1 other`: of nothing that is presented.
    fn record(&self, text: &str) -> TlsaRecord {
        let words: Vec<&str> = text.split(' ').collect();
        let [usage, selector, matching] =
            [0, 1, 2].map(|index| words[index].parse::<u8>().unwrap());
        let entry = match words[3] {
            "ca" => self.ca.clone(),
            "ecdsa" => self.ecdsa.clone(),
            "rsa" => self.rsa.clone(),
            "expired" => self.expired.clone(),
            hex if hex.len() == 64 => return text.parse().unwrap(),
            _ => return TlsaRecord::new(usage, selector, matching, &[7; 32]),
        };
        let selected = if selector == 0 {
            entry
        } else {
            Self::spki(&entry)
        };
        let association = match matching {
            0 => selected,
            1 => sha256(&selected).to_vec(),
            _ => sha512(&selected).to_vec(),
        };
        TlsaRecord::new(usage, selector, matching, &association)
    }

    fn chain(&self, name: &str) -> Vec<Vec<u8>> {
        let leaf = match name.trim_end_matches("+ca") {
            "ecdsa" => &self.ecdsa,
            "rsa" => &self.rsa,
            _ => &self.expired,
        };
        let mut chain = vec![leaf.clone()];
        if name.ends_with("+ca") {
            chain.push(self.ca.clone());
        }
        chain
    }
}

fn requirement(records: &[TlsaRecord]) -> DaneRequirement {
    let host: DomainName = HOST.parse().unwrap();
    DaneRequirement {
        base_domain: host.clone(),
        records: records.to_vec(),
        reference_identifiers: vec![host],
        mx_secure: true,
    }
}

fn label(
    made: &Made,
    records: &[TlsaRecord],
    chains: &[(&str, Offer, Vec<Vec<u8>>)],
    earlier: Option<&Report>,
) -> Vec<Tlsa> {
    let presented: Vec<Presented<'_>> = chains
        .iter()
        .map(|(address, offer, chain)| Presented {
            address: address.parse::<IpAddr>().unwrap(),
            offer: *offer,
            chain,
            keys: chain.iter().map(|entry| key(entry)).collect(),
        })
        .collect();
    let entries = [&made.ca, &made.ecdsa, &made.rsa, &made.expired];
    let certificates = entries
        .into_iter()
        .map(|entry| (key(entry), certificate(entry)))
        .collect();
    let context = Context {
        certificates: &certificates,
        earlier,
        now: UnixTime(NOW),
    };
    let requirement = requirement(records);
    let base = &requirement.base_domain;
    let options = VerifyOptions::smtp();
    let mut matcher = Matcher::new(records, base, Some(&requirement), context.now, options);
    tlsa(records, &mut matcher, &presented, &context)
}

const NEXT: &str = "matches nothing that is presented now, and other records do: for a key to come, or left behind";
const NOTHING: &str = "matches nothing that is presented, and no other record does";

#[test]
fn every_record_has_its_label() {
    use TlsaLabel::{Current, Next, RetiredCa, Unknown, Unmatched, Unusable};
    let made = Made::new();
    type Row<'a> = (&'a str, &'a [(&'a str, TlsaLabel, &'a str, usize)]);
    // Chains, as `ADDRESS OFFER CHAIN`; per record its label, the words, and accepted wires.
    let rows: [(&str, Row<'_>); 15] = [
        (
            "1 s ecdsa",
            (
                "one key",
                &[(
                    "3 1 1 ecdsa",
                    Current,
                    "matches the server's own ECDSA key",
                    1,
                )],
            ),
        ),
        (
            "1 s ecdsa",
            (
                "one certificate",
                &[(
                    "3 0 1 ecdsa",
                    Current,
                    "matches the server's own ECDSA certificate",
                    1,
                )],
            ),
        ),
        (
            "1 s ecdsa, 1 r rsa",
            (
                "both algorithms",
                &[
                    (
                        "3 1 1 ecdsa",
                        Current,
                        "matches the server's own ECDSA key",
                        1,
                    ),
                    ("3 1 1 rsa", Current, "matches the server's own RSA key", 1),
                ],
            ),
        ),
        (
            "1 s ecdsa, 1 e ecdsa, 2 s ecdsa",
            (
                "rollover",
                &[
                    ("3 1 1 other", Next, NEXT, 0),
                    (
                        "3 1 1 ecdsa",
                        Current,
                        "matches the server's own ECDSA key",
                        3,
                    ),
                ],
            ),
        ),
        (
            "1 s ecdsa, 2 s rsa",
            (
                "one address of two",
                &[(
                    "3 1 1 ecdsa",
                    Current,
                    "matches the server's own ECDSA key, at 1 of 2 addresses",
                    1,
                )],
            ),
        ),
        (
            "1 s rsa",
            ("mismatch", &[("3 1 1 ecdsa", Unmatched, NOTHING, 0)]),
        ),
        (
            "",
            (
                "nobody reached",
                &[(
                    "3 1 1 ecdsa",
                    Unknown,
                    "nothing was presented that it could be compared with",
                    0,
                )],
            ),
        ),
        (
            "1 s ecdsa+ca",
            (
                "trust anchor",
                &[(
                    "2 1 1 ca",
                    Current,
                    "matches the key of the CA Test CA at depth 1",
                    1,
                )],
            ),
        ),
        (
            "1 s ecdsa",
            (
                "trust anchor not sent, digest",
                &[("2 0 1 ca", Unmatched, NOTHING, 0)],
            ),
        ),
        (
            "1 s ecdsa",
            (
                "trust anchor not sent, whole",
                &[
                    (
                        "2 0 0 ca",
                        Current,
                        "carries the certificate of a CA, which the server needs not send",
                        1,
                    ),
                    (
                        "2 1 0 ca",
                        Current,
                        "carries the key of a CA, which the server needs not send",
                        1,
                    ),
                ],
            ),
        ),
        (
            "1 s expired+ca",
            (
                "expired under usage 2",
                &[
                    (
                        "2 1 1 ca",
                        Current,
                        "matches the key of the CA Test CA at depth 1, but the chain does not hold: the certificate at depth 0 has expired",
                        0,
                    ),
                    (
                        "3 1 1 expired",
                        Current,
                        "matches the server's own ECDSA key",
                        1,
                    ),
                ],
            ),
        ),
        (
            "1 s ecdsa+ca",
            (
                "wrong usage",
                &[
                    (
                        "2 1 1 ecdsa",
                        Unmatched,
                        "matches the server's own certificate, where usage 2 looks only above it: usage 3 is meant",
                        0,
                    ),
                    (
                        "3 1 1 ca",
                        Unmatched,
                        "matches a certificate above the server's own, where usage 3 does not look: usage 2 is meant",
                        0,
                    ),
                ],
            ),
        ),
        (
            "1 s ecdsa",
            (
                "digest agility",
                &[
                    (
                        "3 1 1 ecdsa",
                        Current,
                        "matches the server's own ECDSA key, but does not count beside the stronger digests of the set",
                        0,
                    ),
                    ("3 1 2 rsa", Next, NEXT, 0),
                ],
            ),
        ),
        (
            "1 s ecdsa",
            (
                "unusable",
                &[
                    (
                        "1 1 1 ecdsa",
                        Unusable,
                        "unusable: usage 1 (PKIX) is not used with SMTP",
                        0,
                    ),
                    (
                        "3 1 2 other",
                        Unusable,
                        "unusable: digest is 32 octets long instead of 64",
                        0,
                    ),
                ],
            ),
        ),
        (
            "1 s ecdsa",
            (
                "a retired CA",
                &[(
                    concat!(
                        "2 1 1 ",
                        "8d02536c887482bc34ff54e41d2ba659bf85b341a0a20afadb5813dcfbcf286d"
                    ),
                    RetiredCa,
                    "the key of Let's Encrypt R3, out of use since",
                    0,
                )],
            ),
        ),
    ];
    for (chains, (what, expected)) in rows {
        let chains: Vec<(&str, Offer, Vec<Vec<u8>>)> = chains
            .split(", ")
            .filter(|one| !one.is_empty())
            .map(|one| {
                let words: Vec<&str> = one.split(' ').collect();
                let address = if words[0] == "1" {
                    "192.0.2.1"
                } else {
                    "2001:db8::2"
                };
                let offer = match words[1] {
                    "s" => Offer::Sender,
                    "r" => Offer::Rsa,
                    _ => Offer::Ecdsa,
                };
                (address, offer, made.chain(words[2]))
            })
            .collect();
        let records: Vec<TlsaRecord> = expected
            .iter()
            .map(|(record, ..)| made.record(record))
            .collect();
        let found = label(&made, &records, &chains, None);
        for ((record, label, words, accepted), found) in expected.iter().zip(&found) {
            assert_eq!(
                found.label, *label,
                "{what}: {record}: {}",
                found.label_text
            );
            assert!(
                found.label_text.starts_with(words),
                "{what}: {record}: {}",
                found.label_text
            );
            assert!(
                label == &RetiredCa || found.label_text == *words,
                "{what}: {record}: {}",
                found.label_text
            );
            let wires = found.wires.iter().filter(|wire| wire.accepted).count();
            assert_eq!(wires, *accepted, "{what}: {record}");
        }
    }
}

/// A record that an earlier report saw in use is left behind, not to come.
#[test]
fn what_matched_before_is_stale() {
    let made = Made::new();
    let records = [made.record("3 1 1 ecdsa"), made.record("3 1 1 rsa")];
    let before = label(
        &made,
        &records,
        &[("192.0.2.1", Offer::Sender, made.chain("ecdsa"))],
        None,
    );
    let mut earlier: Report =
        serde_json::from_str(include_str!("../../tests/samples/not-protected.json")).unwrap();
    assert_eq!(earlier.schema_version, SCHEMA_VERSION);
    earlier.began_at = NOW - 86_400;
    earlier.hosts[0].tlsa = before;
    let now = label(
        &made,
        &records,
        &[("192.0.2.1", Offer::Sender, made.chain("rsa"))],
        Some(&earlier),
    );
    assert_eq!(now[0].label, TlsaLabel::Stale);
    assert_eq!(
        now[0].label_text,
        "matches nothing any more; on 2027-01-14 it did"
    );
    assert_eq!(now[1].label, TlsaLabel::Current);
}

/// Hundreds of whole keys cost a bounded number of searches.
#[test]
fn a_huge_set_is_bounded() {
    let made = Made::new();
    let mut records = Vec::new();
    for _ in 0..70 {
        let key = ec().public_key_to_der().unwrap();
        records.push(TlsaRecord::new(2, 1, 0, &key));
    }
    records.push(made.record("2 1 0 ca"));
    let found = label(
        &made,
        &records,
        &[("192.0.2.1", Offer::Sender, made.chain("ecdsa"))],
        None,
    );
    // The one that would match comes too late to be compared.
    assert!(
        found
            .iter()
            .all(|record| record.label == TlsaLabel::Unmatched)
    );
}

#[test]
fn long_data_is_cut() {
    let record = TlsaRecord::new(3, 0, 0, &[0xab; 100]);
    assert_eq!(shown(&record), format!("3 0 0 {}…", "ab".repeat(64)));
    assert_eq!(shown(&TlsaRecord::new(3, 1, 1, &[1, 2])), "3 1 1 0102");
    assert_eq!(shown(&TlsaRecord::from_rdata(vec![3])), "\\# 1 03");
}
