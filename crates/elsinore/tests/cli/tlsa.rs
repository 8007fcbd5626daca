//! `elsinore tlsa verify`: exit codes, the JSON, and what bad input gets.

use crate::command::Workplace;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name};

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// Valid from 2025 to 2035; a certification authority when it has no DNS name.
fn certificate(
    subject: &str,
    dns_name: Option<&str>,
    key: &PKey<Private>,
    issuer: &str,
    signer: &PKey<Private>,
) -> X509 {
    let name = |text: &str| {
        let mut builder = X509Name::builder().unwrap();
        builder.append_entry_by_text("CN", text).unwrap();
        builder.build()
    };
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&name(subject)).unwrap();
    builder.set_issuer_name(&name(issuer)).unwrap();
    let time = |text| Asn1Time::from_str(text).unwrap();
    builder.set_not_before(&time("20250101000000Z")).unwrap();
    builder.set_not_after(&time("20350101000000Z")).unwrap();
    builder.set_pubkey(key).unwrap();
    let extension = match dns_name {
        Some(dns_name) => SubjectAlternativeName::new()
            .dns(dns_name)
            .build(&builder.x509v3_context(None, None))
            .unwrap(),
        None => BasicConstraints::new().critical().ca().build().unwrap(),
    };
    builder.append_extension(extension).unwrap();
    builder.sign(signer, MessageDigest::sha256()).unwrap();
    builder.build()
}

struct Chain {
    place: Workplace,
    ee: String,
    anchor: String,
}

const NAME: &str = "mx.example.org";
const WRONG: &str = "3 1 1 0000000000000000000000000000000000000000000000000000000000000000";

fn chain() -> Chain {
    let (leaf_key, root_key) = (key(), key());
    let root = certificate("Root", None, &root_key, "Root", &root_key);
    let leaf = certificate("server", Some(NAME), &leaf_key, "Root", &root_key);
    let hex = |octets: &[u8]| -> String { octets.iter().map(|o| format!("{o:02x}")).collect() };
    let spki = leaf_key.public_key_to_der().unwrap();
    let pem = [leaf.to_pem().unwrap(), root.to_pem().unwrap()].concat();
    Chain {
        place: Workplace::new().with("chain.pem", pem),
        ee: format!("3 1 1 {}", hex(&openssl::sha::sha256(&spki))),
        anchor: format!(
            "2 0 1 {}",
            hex(&openssl::sha::sha256(&root.to_der().unwrap()))
        ),
    }
}

const VERIFY: [&str; 4] = ["tlsa", "verify", "--chain", "chain.pem"];

#[test]
fn exit_codes_and_json() {
    let chain = chain();
    let (now, late) = ("2026-09-21T00:00:00Z", "2036-01-01T00:00:00Z");
    for (tlsa, name, at, code, outcome) in [
        (vec![chain.ee.as_str()], NAME, now, 0, "matched"),
        (vec![&chain.ee], "other.test", late, 0, "matched"),
        (vec![&chain.anchor], NAME, now, 0, "matched"),
        (vec![&chain.anchor], "other.test", now, 1, "not-matched"),
        (vec![&chain.anchor], NAME, late, 1, "not-matched"),
        (vec![WRONG], NAME, now, 1, "not-matched"),
        (vec![WRONG, &chain.ee], NAME, now, 0, "matched"),
        (vec!["1 1 1 00"], NAME, now, 4, "no-usable-record"),
        (vec!["3 1 1"], NAME, now, 4, "no-usable-record"),
        (
            vec!["\\# 0", "\\# 1 03", "\\# 2 0301"],
            NAME,
            now,
            4,
            "no-usable-record",
        ),
    ] {
        let mut arguments = VERIFY.to_vec();
        for record in &tlsa {
            arguments.extend(["--tlsa", record]);
        }
        arguments.extend(["--name", name, "--at", at]);
        let human = chain.place.run(&arguments);
        assert_eq!(human.code, code, "{human:?}");
        assert!(
            human.stdout.starts_with(&outcome.replace('-', " ")),
            "{human:?}"
        );
        arguments.extend(["--format", "json"]);
        let run = chain.place.run(&arguments);
        assert_eq!(run.code, code, "{run:?}");
        let json = run.json();
        assert_eq!(json["schema_version"], 1);
        assert_eq!(json["outcome"], outcome, "{json}");
        assert_eq!(json["records"].as_array().unwrap().len(), tlsa.len());
        assert_eq!(json["chain"].as_array().unwrap().len(), 2);
        assert_eq!(json["matched"].is_object(), code == 0, "{json}");
    }
}

#[test]
fn what_matched_is_told() {
    let chain = chain();
    let mut arguments = VERIFY.to_vec();
    arguments.extend(["--name", "a.test", "--name", NAME, "--tlsa", &chain.anchor]);
    arguments.extend(["--format", "json", "--at", "2026-09-21T00:00:00Z"]);
    let json = chain.place.run(&arguments).json();
    assert_eq!(json["matched"]["usage"], 2);
    assert_eq!(json["matched"]["depth"], 1);
    assert_eq!(json["matched"]["name"], NAME);
    assert_eq!(json["matched"]["record"], chain.anchor.as_str());
    assert_eq!(json["chain"][0]["names"][0], NAME);
    assert_eq!(json["chain"][1]["not_after"], "2035-01-01T00:00:00Z");
}

#[test]
fn bad_input() {
    let place = Workplace::new()
        .with("empty.pem", "")
        .with("large.pem", vec![b'x'; 100_000])
        .with(
            "key.pem",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        )
        .with("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let refused = |chain: &str, tlsa: &str, part: &str| {
        place
            .run(&["tlsa", "verify", "--chain", chain, "--tlsa", tlsa])
            .assert_refused(64, part);
    };
    refused("empty.pem", WRONG, "the file is empty");
    refused("large.pem", WRONG, "no line -----BEGIN CERTIFICATE-----");
    refused("key.pem", WRONG, "no line -----BEGIN CERTIFICATE-----");
    refused("cut.pem", WRONG, "certificate 1 has no END line");
    refused("cut.pem", &WRONG.replace('3', "2"), "needs --name");
    for tlsa in [
        "",
        "3",
        "3 1",
        "3 1 1 0",
        "3 1 1 zz",
        "300 1 1 00",
        "x y z 00",
    ] {
        refused("cut.pem", tlsa, "--tlsa");
    }
    let missing = place.run(&["tlsa", "verify", "--chain", "absent.pem", "--tlsa", WRONG]);
    missing.assert_refused(74, "absent.pem");
}

/// Certificates of 0 octets and of 100 KB that are none: judged, not an error.
#[test]
fn no_certificate_inside_the_armour() {
    for body in [String::new(), "AAAA".repeat(25_000)] {
        let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        let place = Workplace::new().with("chain.pem", pem);
        let mut arguments = VERIFY.to_vec();
        arguments.extend(["--tlsa", WRONG, "--format", "json"]);
        let run = place.run(&arguments);
        assert_eq!(run.code, 1, "{run:?}");
        let json = run.json();
        assert_eq!(json["reason"], "the server's certificate cannot be decoded");
        assert_eq!(json["chain"][0]["error"], "not an X.509 certificate");
    }
}

#[test]
fn the_chain_from_stdin() {
    let chain = chain();
    let pem = std::fs::read(chain.place.path().join("chain.pem")).unwrap();
    let arguments = ["tlsa", "verify", "--chain", "-", "--tlsa", &chain.ee];
    assert_eq!(chain.place.run_with_input(&arguments, &pem).code, 0);
}

#[test]
fn the_moment_to_judge_by() {
    let record = format!("3 1 1 {}", "00".repeat(32));
    let place = Workplace::new().with(
        "chain.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    for (at, shown) in [
        ("2027-01-31T12:00:00Z", Some("2027-01-31T12:00:00Z")),
        ("2027-01-31T12:00:00+02:00", Some("2027-01-31T10:00:00Z")),
        ("2027-01-31", Some("2027-01-31T00:00:00Z")),
        ("2027-02-30", None),
        ("nonsense", None),
        ("", None),
        ("99999-01-01T00:00:00Z", None),
    ] {
        let run = place.run(&[
            "tlsa",
            "verify",
            "--chain",
            "chain.pem",
            "--tlsa",
            &record,
            "--format",
            "json",
            "--at",
            at,
        ]);
        match shown {
            Some(shown) => assert_eq!(run.json()["at"], shown, "{run:?}"),
            None => run.assert_refused(64, "not a time such as"),
        }
    }
}
