//! Test certificates, judged by OpenSSL.

use crate::tree::NOW;
use elsinore_dane::time::UnixTime;
use elsinore_lab::pki::{
    CertificateSpec, Criticality, Identity, KeyIdentifiers, KeyType, NameConstraints, RawExtension,
    Role, SignatureState, Version, chain_pem,
};
use openssl::sha::{sha256, sha512};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyParam;
use openssl::x509::{X509, X509StoreContext};

fn root() -> Identity {
    Identity::self_signed(&CertificateSpec::authority("Lab Root", NOW)).expect("a root")
}

/// What OpenSSL says of a chain at [`NOW`], as its error code (0: fine).
fn verdict(root: &Identity, chain: &[&Identity]) -> i32 {
    let mut store = X509StoreBuilder::new().expect("a store");
    store.add_cert(root.certificate().clone()).expect("added");
    let mut parameters = X509VerifyParam::new().expect("parameters");
    parameters.set_time(NOW.0);
    store.set_param(&parameters).expect("set");
    let store = store.build();
    let mut others = Stack::new().expect("a stack");
    for identity in &chain[1..] {
        others.push(identity.certificate().clone()).expect("pushed");
    }
    let mut context = X509StoreContext::new().expect("a context");
    context
        .init(&store, chain[0].certificate(), &others, |context| {
            context.verify_cert()?;
            Ok(context.error().as_raw())
        })
        .expect("a verdict")
}

#[test]
fn openssl_judges_chains() {
    let root = root();
    let intermediate = root
        .issue(&CertificateSpec::authority("Lab Intermediate", NOW))
        .expect("an intermediate");
    let server = || CertificateSpec::server(&["mx.example.test"], NOW);
    let later = NOW.plus_seconds(86_400);
    let earlier = NOW.plus_seconds(-86_400);
    let constrained = root
        .issue(&CertificateSpec {
            name_constraints: Some(NameConstraints {
                permitted_dns: vec!["other.test".to_owned()],
                excluded_dns: vec!["example.test".to_owned()],
            }),
            ..CertificateSpec::authority("Constrained", NOW)
        })
        .expect("an intermediate");
    let not_authority = root.issue(&server()).expect("a certificate");
    let short = root
        .issue(&CertificateSpec {
            role: Role::Authority(Some(0)),
            ..CertificateSpec::authority("Short", NOW)
        })
        .expect("an intermediate");
    let below_short = short
        .issue(&CertificateSpec::authority("Below", NOW))
        .expect("an intermediate");
    let issue = |issuer: &Identity, spec: &CertificateSpec| issuer.issue(spec).expect("issued");
    let unknown = CertificateSpec {
        raw_extensions: vec![RawExtension {
            oid: "1.3.6.1.4.1.99999.1".to_owned(),
            criticality: Criticality::Critical,
            value: vec![0x05, 0x00],
        }],
        ..server()
    };
    let corrupt = CertificateSpec {
        signature: SignatureState::Corrupt,
        ..server()
    };
    for (what, leaf, others, expected) in [
        ("direct", issue(&root, &server()), vec![], 0),
        (
            "through an intermediate",
            issue(&intermediate, &server()),
            vec![&intermediate],
            0,
        ),
        (
            "intermediate missing",
            issue(&intermediate, &server()),
            vec![],
            20,
        ),
        (
            "expired",
            issue(&root, &server().valid(UnixTime(0), earlier)),
            vec![],
            10,
        ),
        (
            "not yet valid",
            issue(&root, &server().valid(later, later)),
            vec![],
            9,
        ),
        ("wrong signature", issue(&root, &corrupt), vec![], 7),
        (
            "unknown critical extension",
            issue(&root, &unknown),
            vec![],
            34,
        ),
        (
            "name constraint",
            issue(&constrained, &server()),
            vec![&constrained],
            47,
        ),
        (
            "issuer is no authority",
            issue(&not_authority, &server()),
            vec![&not_authority],
            79,
        ),
        (
            "path too long",
            issue(&below_short, &server()),
            vec![&below_short, &short],
            25,
        ),
    ] {
        let mut chain = vec![&leaf];
        chain.extend(others);
        assert_eq!(verdict(&root, &chain), expected, "{what}");
    }
}

#[test]
fn every_kind_of_key_signs_and_is_signed() {
    let root = root();
    for key in [
        KeyType::rsa(1024),
        KeyType::rsa(2048),
        KeyType::P256,
        KeyType::P384,
        KeyType::P521,
        KeyType::Ed25519,
        KeyType::Ed448,
    ] {
        let spec = CertificateSpec::authority("Other", NOW).with_key(key);
        let authority = root.issue(&spec).expect("an authority");
        let leaf = authority
            .issue(&CertificateSpec::server(&["mx.test"], NOW))
            .expect("a leaf");
        let signer = authority.certificate().public_key().expect("a key");
        assert!(
            leaf.certificate().verify(&signer).expect("verified"),
            "{key:?}"
        );
    }
}

#[test]
fn odd_shapes() {
    let root = root();
    let old = CertificateSpec {
        version: Version::V1,
        ..CertificateSpec::server(&["mx.test"], NOW)
    };
    let old = root.issue(&old).expect("a v1 certificate");
    assert_eq!(old.certificate().version(), 0);
    assert!(old.certificate().subject_alt_names().is_none());
    let bare = CertificateSpec {
        common_name: None,
        dns_names: Vec::new(),
        role: Role::Unstated,
        key_usage: None,
        purposes: Vec::new(),
        key_identifiers: KeyIdentifiers::Absent,
        ..CertificateSpec::server(&[], NOW)
    };
    let bare = Identity::self_signed(&bare).expect("a bare certificate");
    assert_eq!(bare.certificate().subject_name().entries().count(), 0);
    let renewed = root
        .issue_for(
            &CertificateSpec::server(&["new.test"], NOW),
            bare.key().clone(),
        )
        .expect("renewed");
    assert_eq!(
        renewed.tlsa(3, 1, 1).expect("a record"),
        bare.tlsa(3, 1, 1).expect("a record")
    );
    let text = chain_pem([&renewed, &root]).expect("PEM");
    let chain = X509::stack_from_pem(text.as_bytes()).expect("certificates");
    assert_eq!(chain.len(), 2);
    assert_eq!(chain[0].to_der().expect("DER"), renewed.der().expect("DER"));
}

#[test]
fn tlsa_records() {
    let identity = root();
    let der = identity.der().expect("DER");
    let key = identity.certificate().public_key().expect("a key");
    let spki = key.public_key_to_der().expect("DER");
    for (selector, matching_type, expected) in [
        (0, 0, der.clone()),
        (0, 1, sha256(&der).to_vec()),
        (0, 2, sha512(&der).to_vec()),
        (1, 0, spki.clone()),
        (1, 1, sha256(&spki).to_vec()),
        (1, 2, sha512(&spki).to_vec()),
    ] {
        let record = identity.tlsa(2, selector, matching_type).expect("a record");
        assert_eq!(
            record.association(),
            expected,
            "2 {selector} {matching_type}"
        );
    }
}
