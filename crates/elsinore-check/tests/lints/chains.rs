//! Usage 2: real chains, judged by the verifier.

use crate::scene::{Scene, quiet};
use elsinore_check::lint::known_ca::by_name;
use elsinore_check::report::{
    Address, AddressState, Certificate, KeyKind, MatchedAt, Offer, SenderKind, Session,
    SessionState, Tlsa, TlsaLabel, Wire,
};
use elsinore_check::sighting::{RouteSighting, SenderEnd, SenderSighting};
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::{DaneRequirement, Obligation, Requirements};
use elsinore_dane::plan::{HostPlan, HostSource, StsStance, TlsVersion};
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_dane::verify::{DaneVerdict, VerifyOptions, data_matches, inspect, verify_dane};
use elsinore_net::deliver::Outcome;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

/// The lints that this file tests.
pub(crate) const TESTED: [&str; 8] = [
    "CA-NAME-MISMATCH",
    "CA-CHAIN-EXPIRED",
    "CA-CHAIN-BROKEN",
    "TLSA-CA-RETIRED",
    "TLSA-CA-SIBLINGS",
    "TLSA-CA-NOT-SENT",
    "TLSA-CA-CERTIFICATE",
    "CERTIFICATE-ENDS-SOON",
];

/// The host of every chain here.
pub(crate) const HOST: &str = "mx1.example.org";
/// The moment of the sample report.
pub(crate) const NOW: i64 = 1_792_000_000;
pub(crate) const DAY: i64 = 86_400;

/// A certificate with its key.
pub(crate) struct Identity {
    certificate: X509,
    key: PKey<Private>,
}

/// What a certificate says.
pub(crate) struct Spec<'a> {
    pub(crate) common_name: &'a str,
    pub(crate) organisation: &'a str,
    pub(crate) is_ca: bool,
    /// First and last second, from [`NOW`].
    pub(crate) from: i64,
    pub(crate) to: i64,
}

pub(crate) fn issue(spec: &Spec<'_>, issuer: Option<&Identity>) -> Identity {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("O", spec.organisation).unwrap();
    name.append_entry_by_text("CN", spec.common_name).unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&name).unwrap();
    let (issuer_name, signer) = match issuer {
        Some(issuer) => (issuer.certificate.subject_name(), &issuer.key),
        None => (&*name, &key),
    };
    builder.set_issuer_name(issuer_name).unwrap();
    builder.set_pubkey(&key).unwrap();
    let first = Asn1Time::from_unix(NOW + spec.from).unwrap();
    builder.set_not_before(&first).unwrap();
    let last = Asn1Time::from_unix(NOW + spec.to).unwrap();
    builder.set_not_after(&last).unwrap();
    if spec.is_ca {
        let constraints = BasicConstraints::new().critical().ca().build().unwrap();
        builder.append_extension(constraints).unwrap();
    } else {
        let context = builder.x509v3_context(None, None);
        let mut names = SubjectAlternativeName::new();
        names.dns(spec.common_name);
        let names = names.build(&context).unwrap();
        builder.append_extension(names).unwrap();
    }
    builder.sign(signer, MessageDigest::sha256()).unwrap();
    Identity {
        certificate: builder.build(),
        key,
    }
}

impl Identity {
    fn der(&self) -> Vec<u8> {
        self.certificate.to_der().unwrap()
    }

    pub(crate) fn record(&self, usage: u8, selector: u8) -> TlsaRecord {
        let octets = match selector {
            1 => self
                .certificate
                .public_key()
                .unwrap()
                .public_key_to_der()
                .unwrap(),
            _ => self.der(),
        };
        TlsaRecord::new(usage, selector, 1, &openssl::sha::sha256(&octets))
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The first host alone, at one address, with these records and this chain; what the sender makes
/// of it is the verifier's word.
pub(crate) fn presenting(chain: &[&Identity], records: &[TlsaRecord]) -> Scene {
    let mut scene = quiet();
    assert_eq!(scene.report.began_at, NOW);
    scene.alone();
    scene.report.sts = None;
    for outlook in &mut scene.report.senders[1].hosts {
        outlook.obligation = "may".to_owned();
    }
    let der: Vec<Vec<u8>> = chain.iter().map(|one| one.der()).collect();
    let mut keys = Vec::new();
    for identity in chain {
        let key = hexadecimal(&openssl::sha::sha256(&identity.der()));
        scene
            .report
            .certificates
            .insert(key.clone(), certificate(identity));
        keys.push(key);
    }
    let requirement = DaneRequirement {
        base_domain: DomainName::parse(HOST).unwrap(),
        records: records.to_vec(),
        reference_identifiers: vec![
            DomainName::parse(HOST).unwrap(),
            DomainName::parse("example.org").unwrap(),
        ],
        mx_secure: true,
    };
    let options = VerifyOptions::smtp();
    let verdict = verify_dane(&der, &requirement, UnixTime(NOW), &options);
    let matched = match &verdict {
        DaneVerdict::Authenticated(found) => Some(MatchedAt {
            record: records
                .iter()
                .position(|one| one == found.record())
                .unwrap(),
            depth: u32::try_from(found.depth()).unwrap(),
            name: None,
        }),
        DaneVerdict::Rejected(_) | DaneVerdict::NoUsable => None,
    };
    let good = matched.is_some();
    let host = scene.host(0);
    host.tlsa = records
        .iter()
        .map(|record| tlsa(record, &der, &keys, &requirement))
        .collect();
    host.addresses = vec![Address {
        address: "192.0.2.1".to_owned(),
        state: if good {
            AddressState::Met
        } else {
            AddressState::Failed
        },
        reason: None,
        security: None,
        sessions: vec![Session {
            offer: Offer::Sender,
            sni: Some(HOST.to_owned()),
            state: if good {
                SessionState::Met
            } else {
                SessionState::Refused
            },
            reason: None,
            inconclusive: None,
            tls: None,
            chain: keys,
            matched,
            notes: Vec::new(),
            transcript: Vec::new(),
            connect_ms: None,
            elapsed_ms: 1,
        }],
    }];
    scene.sighting.senders = vec![sender(requirement)];
    scene
}

fn certificate(identity: &Identity) -> Certificate {
    let summary = inspect(&identity.der()).unwrap();
    let pem = identity.certificate.to_pem().unwrap();
    Certificate {
        spki_sha256: hexadecimal(&summary.public_key_sha256),
        subject: summary.subject_common_names.join(", "),
        issuer: summary.issuer_common_names.join(", "),
        names: summary.subject_alt_names,
        not_before_at: summary.not_before.map(|moment| moment.0),
        not_after_at: summary.not_after.map(|moment| moment.0),
        key: KeyKind::Ecdsa,
        key_bits: 256,
        signature_algorithm: "ecdsa-with-SHA256".to_owned(),
        self_issued: summary.self_issued,
        known_ca: None,
        pem: String::from_utf8(pem).unwrap(),
    }
}

fn tlsa(
    record: &TlsaRecord,
    chain: &[Vec<u8>],
    keys: &[String],
    requirement: &DaneRequirement,
) -> Tlsa {
    let alone = DaneRequirement {
        records: vec![record.clone()],
        ..requirement.clone()
    };
    let verdict = verify_dane(chain, &alone, UnixTime(NOW), &VerifyOptions::smtp());
    let usable = record.usability().unwrap();
    let wires = chain
        .iter()
        .enumerate()
        .filter(|(_, entry)| data_matches(&usable, entry));
    Tlsa {
        text: record.to_string(),
        usage: record.usage(),
        selector: record.selector(),
        matching_type: record.matching_type(),
        association: hexadecimal(record.association()),
        unusable: None,
        label: TlsaLabel::Unknown,
        label_text: "a record".to_owned(),
        wires: wires
            .map(|(depth, _)| Wire {
                address: "192.0.2.1".to_owned(),
                offer: Offer::Sender,
                certificate: Some(keys[depth].clone()),
                depth: u32::try_from(depth).unwrap(),
                accepted: matches!(verdict, DaneVerdict::Authenticated(_)),
            })
            .collect(),
    }
}

fn sender(requirement: DaneRequirement) -> SenderSighting {
    let plan = HostPlan {
        mx_host: HOST.to_owned(),
        preference: Some(10),
        source: HostSource::SecureMx,
        secure_expansion: None,
        addresses: vec!["192.0.2.1".parse().unwrap()],
        port: 25,
        obligation: Obligation::Authenticate(Requirements {
            dane: Some(requirement),
            webpki: None,
            pins: None,
        }),
        min_tls: TlsVersion::Tls12,
        sni: None,
        sts: StsStance::None,
        findings: Vec::new(),
    };
    SenderSighting {
        kind: SenderKind::Dane,
        route: RouteSighting::Hosts(vec![plan]),
        findings: Vec::new(),
        end: SenderEnd {
            outcome: Outcome::Delivered,
            security: None,
            mx_host: None,
            mx_address: None,
            reply: None,
        },
    }
}

pub(crate) fn authority(
    common_name: &str,
    organisation: &str,
    issuer: Option<&Identity>,
) -> Identity {
    let spec = Spec {
        common_name,
        organisation,
        is_ca: true,
        from: -100 * DAY,
        to: 1_000 * DAY,
    };
    issue(&spec, issuer)
}

/// A certificate for the host with `days` to live, of ninety.
pub(crate) fn server(common_name: &str, days: i64, issuer: &Identity) -> Identity {
    let spec = Spec {
        common_name,
        organisation: "Example",
        is_ca: false,
        from: (days - 90) * DAY,
        to: days * DAY,
    };
    issue(&spec, Some(issuer))
}

/// The identifiers that are tested here and were found.
fn found(scene: &Scene) -> Vec<String> {
    let findings = scene.findings();
    let ids = findings.into_iter().map(|one| one.id);
    ids.filter(|id| TESTED.contains(&id.as_str())).collect()
}

#[test]
fn chains_that_are_refused() {
    let ca = authority("Example CA", "Example", None);
    let other = authority("Other CA", "Example", None);
    let good = server(HOST, 60, &ca);
    let elsewhere = server("www.example.org", 60, &ca);
    let dead = server(HOST, -1, &ca);
    let foreign = server(HOST, 60, &other);
    let record = [ca.record(2, 1)];
    for (chain, expected) in [
        ([&good, &ca], &[][..]),
        ([&elsewhere, &ca], &["CA-NAME-MISMATCH"][..]),
        ([&dead, &ca], &["CA-CHAIN-EXPIRED"][..]),
        ([&foreign, &ca], &["CA-CHAIN-BROKEN"][..]),
    ] {
        assert_eq!(found(&presenting(&chain, &record)), expected);
    }
    // Under usage 3 none of this matters.
    for leaf in [&elsewhere, &dead, &foreign] {
        let scene = presenting(&[leaf, &ca], &[leaf.record(3, 1)]);
        assert_eq!(found(&scene), &[""; 0]);
    }
}

#[test]
fn an_anchor_that_is_not_sent() {
    let root = authority("Example Root", "Example", None);
    let middle = authority("Example Issuing CA", "Example", Some(&root));
    let leaf = server(HOST, 60, &middle);
    let record = [root.record(2, 1)];
    let scene = presenting(&[&leaf, &middle], &record);
    assert_eq!(found(&scene), ["TLSA-CA-NOT-SENT"]);
    let scene = presenting(&[&leaf, &middle, &root], &record);
    assert_eq!(found(&scene), &[""; 0]);
    // Another record matches: nothing is refused.
    let scene = presenting(&[&leaf, &middle], &[root.record(2, 1), leaf.record(3, 1)]);
    assert_eq!(found(&scene), &[""; 0]);
}

#[test]
fn keys_of_public_authorities() {
    let root = authority("ISRG Root X2", "Internet Security Research Group", None);
    for (common_name, organisation, selector, expected) in [
        ("E7", "Let's Encrypt", 1, &["TLSA-CA-RETIRED"][..]),
        // A private CA may be called the same.
        ("E7", "Example", 1, &[]),
        ("YE1", "Let's Encrypt", 1, &["TLSA-CA-SIBLINGS"]),
        ("YE1", "Let's Encrypt", 0, &["TLSA-CA-SIBLINGS"]),
    ] {
        let middle = authority(common_name, organisation, Some(&root));
        let leaf = server(HOST, 60, &middle);
        let record = middle.record(2, selector);
        let scene = presenting(&[&leaf, &middle], std::slice::from_ref(&record));
        assert_eq!(found(&scene), expected, "{common_name} {organisation}");
        // The server's own key is published too: it does not depend on the CA.
        let scene = presenting(&[&leaf, &middle], &[record, leaf.record(3, 1)]);
        let severe = scene.findings().into_iter().filter(|one| {
            one.severity < elsinore_check::report::Severity::Weak
                && TESTED.contains(&one.id.as_str())
        });
        assert_eq!(severe.count(), 0, "{common_name} {organisation}");
    }
    // Every other key of the batch is published.
    let ours = authority("YE1", "Let's Encrypt", Some(&root));
    let sibling = |name: &str| {
        let digest = by_name(name).unwrap().spki_sha256.unwrap();
        let octets = (0..32).map(|at| u8::from_str_radix(&digest[2 * at..2 * at + 2], 16));
        let octets: Vec<u8> = octets.map(Result::unwrap).collect();
        TlsaRecord::new(2, 1, 1, &octets)
    };
    let leaf = server(HOST, 60, &ours);
    let records = [ours.record(2, 1), sibling("YE2"), sibling("YE3")];
    assert_eq!(found(&presenting(&[&leaf, &ours], &records)), &[""; 0]);
    let scene = presenting(&[&leaf, &ours], &records[..2]);
    let findings = scene.findings();
    let one = findings
        .iter()
        .find(|one| one.id == "TLSA-CA-SIBLINGS")
        .unwrap();
    assert!(one.evidence.contains("Let's Encrypt YE3"), "{one:?}");
    assert!(!one.evidence.contains("Let's Encrypt YE2"), "{one:?}");
    let missing = by_name("YE3").unwrap().spki_sha256.unwrap();
    let paste = &one.advice.as_ref().unwrap().paste;
    assert!(paste.contains(&format!("_25._tcp.{HOST}. 3600 IN TLSA 2 1 1 {missing}")));
}

#[test]
fn one_of_several_certificates_of_a_key() {
    let root = authority("ISRG Root X2", "Internet Security Research Group", None);
    let leaf = server(HOST, 60, &root);
    let scene = presenting(&[&leaf, &root], &[root.record(2, 0)]);
    assert_eq!(found(&scene), ["TLSA-CA-CERTIFICATE"]);
    let scene = presenting(&[&leaf, &root], &[root.record(2, 1)]);
    assert_eq!(found(&scene), &[""; 0]);
}

#[test]
fn certificates_that_end_soon() {
    let ca = authority("Example CA", "Example", None);
    for (days, usage, expected) in [
        (13, 2, &["CERTIFICATE-ENDS-SOON"][..]),
        (16, 2, &[]),
        (13, 3, &[]),
    ] {
        let leaf = server(HOST, days, &ca);
        let record = match usage {
            2 => ca.record(2, 1),
            _ => leaf.record(3, 1),
        };
        let scene = presenting(&[&leaf, &ca], &[record]);
        assert_eq!(found(&scene), expected, "{days} {usage}");
    }
}
