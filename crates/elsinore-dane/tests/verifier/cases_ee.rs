//! Cases 1 to 44: DANE-EE(3), which looks at nothing but the record and the leaf.

use crate::cases::{Case, EE, Expect};
use crate::make::{
    Alg, CLIENT_AUTH, KEY_CERT_SIGN, Made, Spec, basic_constraints, eku, extension, generalized,
    key_usage, name, name_as, san, san_raw, seq, spki, tlv, utc,
};
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_dane::verify::Rejection;

const NO_MATCH: Expect = Expect::Reject(Rejection::NoMatch);

fn server() -> Spec {
    Spec::server(&["mx.example.org"], "leaf", "Root", "root")
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = combinations();
    cases.extend(unusable());
    cases.extend(odd_leaves());
    cases.extend(rest_of_the_chain());
    cases
}

fn combinations() -> Vec<Case> {
    //= spec-test: 7672-3.2-1
    let leaf = server().make();
    let mut cases = Vec::new();
    for selector in 0..=1 {
        for matching in 0..=2 {
            let number = 1 + 3 * selector + matching;
            let right = leaf.record(3, selector, matching);
            cases.push(Case::new(
                number.to_string(),
                &[&leaf],
                vec![right.clone()],
                EE,
            ));
            let (middle, last) = (right.rdata().len() / 2, right.rdata().len() - 1);
            for (word, position) in [("first", 3), ("middle", middle), ("last", last)] {
                let mut rdata = right.rdata().to_vec();
                rdata[position] ^= 0x10;
                let id = format!("7-{selector}{matching}-{word}");
                let wrong = vec![TlsaRecord::from_rdata(rdata)];
                // What stands in the middle of a certificate varies with the signature's length.
                if (matching, word) != (0, "middle") {
                    cases.push(Case::new(id, &[&leaf], wrong, NO_MATCH));
                }
            }
        }
    }
    cases
}

fn unusable() -> Vec<Case> {
    let leaf = server().make();
    let digest = openssl::sha::sha256(&leaf.spki);
    let long = openssl::sha::sha512(&leaf.spki);
    let mut cases = Vec::new();
    let mut add = |id: &str, record| {
        cases.push(Case::new(id, &[&leaf], vec![record], Expect::NoUsable));
    };
    add("8-short-256", TlsaRecord::new(3, 1, 1, &digest[..31]));
    add(
        "8-long-256",
        TlsaRecord::new(3, 1, 1, &[&digest[..], &[0]].concat()),
    );
    add("8-256-as-512", TlsaRecord::new(3, 1, 2, &digest));
    add("8-512-as-256", TlsaRecord::new(3, 1, 1, &long));
    add("8-one-octet", TlsaRecord::new(2, 0, 2, &[7]));
    for (usage, selector, matching) in [(3, 0, 0), (3, 1, 0), (3, 1, 1), (2, 0, 0), (2, 1, 2)] {
        add(
            &format!("9-{usage}{selector}{matching}"),
            TlsaRecord::new(usage, selector, matching, &[]),
        );
    }
    for length in 0..=3 {
        add(
            &format!("9-rdlength-{length}"),
            TlsaRecord::from_rdata(vec![3; length]),
        );
    }
    add("10-selector-2", TlsaRecord::new(3, 2, 1, &digest));
    add("10-selector-255", TlsaRecord::new(3, 255, 1, &digest));
    add("10-matching-3", TlsaRecord::new(3, 1, 3, &digest));
    add("10-matching-255", TlsaRecord::new(3, 1, 255, &digest));
    add("10-usage-4", TlsaRecord::new(4, 1, 1, &digest));
    add("10-usage-255", TlsaRecord::new(255, 1, 1, &digest));
    //= spec-test: 7672-3.1.3-1
    for usage in 0..=1 {
        for selector in 0..=1 {
            for matching in 0..=2 {
                add(
                    &format!("11-{usage}{selector}{matching}"),
                    leaf.record(usage, selector, matching),
                );
            }
        }
    }
    cases
}

/// Cases 12 to 39: leaves that other software rejects or complains of. All match.
fn odd_leaves() -> Vec<Case> {
    let unknown_critical = extension(&[0x2a, 0x03, 0x04], true, &[0x05, 0x00]);
    let change = |id: &'static str, change: fn(&mut Spec)| (id, server().with(change));
    let mut specs = vec![
        //= spec-test: 7672-3.1.1-2
        change("12-expired", |s| s.not_after = utc("250102000000Z")),
        change("13-not-yet-valid", |s| s.not_before = utc("340101000000Z")),
        change("14-ends-before-it-begins", |s| {
            s.not_before = utc("340101000000Z");
            s.not_after = utc("240101000000Z");
        }),
        //= spec-test: 7672-3.1.1-1
        //= spec-test: 7672-3.2.1-1
        change("15-wrong-name", |s| {
            s.extensions = vec![san(&["other.test"])]
        }),
        change("16-no-name", |s| s.extensions = vec![]),
        change("17-empty-subject", |s| s.subject = name("")),
        change("18-version-1", |s| {
            s.version = None;
            s.extensions = vec![];
        }),
        change("19-version-4", |s| s.version = Some(3)),
        change("20-version-1-with-extensions", |s| s.version = None),
        change("21-rsa-1024", |s| s.spki = spki("rsa1024-leaf")),
        change("21-rsa-768", |s| s.spki = spki("rsa768-leaf")),
        change("22-rsa-2047", |s| s.spki = spki("rsa2047-leaf")),
        change("23-sha1-self-signed", |s| {
            s.spki = spki("rsa1024-leaf");
            s.issuer = s.subject.clone();
            s.signer = "rsa1024-leaf".to_owned();
            s.alg = Alg::Sha1;
        }),
        change("23-md5-self-signed", |s| {
            s.spki = spki("rsa1024-leaf");
            s.issuer = s.subject.clone();
            s.signer = "rsa1024-leaf".to_owned();
            s.alg = Alg::Md5;
        }),
        change("24-garbage-san", |s| {
            s.extensions = vec![extension(&[0x55, 0x1d, 17], false, b"\xff\xff\xff\xff")];
        }),
        change("26-duplicate-extension", |s| {
            s.extensions = vec![san(&["a.test"]), san(&["b.test"])];
        }),
        change("27-authority", |s| {
            s.extensions.push(basic_constraints(true, None))
        }),
        change("28-client-only", |s| {
            s.extensions = vec![eku(&[CLIENT_AUTH])]
        }),
        change("29-key-cert-sign-only", |s| {
            s.extensions.push(key_usage(KEY_CERT_SIGN))
        }),
        change("30-negative-serial", |s| s.serial = vec![0x91]),
        change("30-zero-serial", |s| s.serial = vec![0]),
        change("30-long-serial", |s| s.serial = vec![0x55; 40]),
        change("30-non-minimal-serial", |s| s.serial = vec![0, 0, 1]),
        change("30-empty-serial", |s| s.serial = vec![]),
        change("31-bad-times", |s| {
            s.not_before = utc("not a time at");
            s.not_after = generalized("99999999999999Z");
        }),
        change("31-year-9999", |s| {
            s.not_after = generalized("99991231235959Z")
        }),
        change("32-invalid-utf8", |s| {
            s.subject = name_as(0x0c, b"\xff\xfe\xfd")
        }),
        change("34-rsa-pss-key", |s| s.spki = pss_spki("rsa1024-leaf")),
        change("35-p521", |s| s.spki = spki("p521-leaf")),
        change("36-ed25519", |s| s.spki = spki("ed25519-leaf")),
        change("36-ed448", |s| s.spki = spki("ed448-leaf")),
        change("38-raw-utf8-san", |s| {
            s.extensions = vec![san_raw(&["b\u{fc}cher.example".as_bytes()])];
        }),
        change("39-trailing-octets", |s| s.trailing = b"trailing".to_vec()),
    ];
    specs.push((
        "25-unknown-critical",
        server().with(|s| s.extensions.push(unknown_critical)),
    ));
    specs.push((
        "33-rsa-without-null",
        server().with(|s| s.spki = without_null("rsa1024-leaf")),
    ));
    let many: Vec<String> = (0..1500)
        .map(|n| format!("host{n:04}.example.org"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    specs.push((
        "37-1500-names",
        server().with(|s| s.extensions = vec![san(&many)]),
    ));
    let mut cases = Vec::new();
    for (id, spec) in specs {
        let leaf = spec.make();
        for (selector, matching) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
            let id = format!("{id}-3{selector}{matching}");
            let record = leaf.record(3, selector, matching);
            cases.push(Case::new(id, &[&leaf], vec![record], EE));
        }
    }
    cases
}

fn rest_of_the_chain() -> Vec<Case> {
    let leaf = Spec::server(&["mx.example.org"], "leaf", "Inter", "inter").make();
    let inter = Spec::authority("Inter", "inter", "Root", "root").make();
    let stranger = Spec::authority("Stranger", "other", "Stranger", "other").make();
    let garbage = Made {
        der: b"no certificate at all".to_vec(),
        spki: Vec::new(),
    };
    let empty = Made {
        der: Vec::new(),
        spki: Vec::new(),
    };
    let right = || vec![leaf.record(3, 1, 1)];
    let many: Vec<&Made> = std::iter::once(&leaf)
        .chain(std::iter::repeat_n(&stranger, 40))
        .collect();
    vec![
        Case::new("40-garbage-second", &[&leaf, &garbage], right(), EE),
        Case::new("40-empty-second", &[&leaf, &empty], right(), EE),
        Case::new("41-forty-more", &many, right(), EE),
        Case::new(
            "43-matches-issuer-only",
            &[&leaf, &inter],
            vec![inter.record(3, 1, 1)],
            NO_MATCH,
        ),
        Case::new("44-broken-chain", &[&leaf, &stranger], right(), EE),
    ]
}

/// The RSA key under the identifier id-RSASSA-PSS without parameters (RFC 4055 §1.2).
pub(crate) fn pss_spki(key: &str) -> Vec<u8> {
    let oid = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
    rsa_spki_with(key, &seq(&[&tlv(0x06, &oid)]))
}

/// rsaEncryption whose parameters lack the NULL that RFC 3279 §2.3.1 demands.
fn without_null(key: &str) -> Vec<u8> {
    let oid = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    rsa_spki_with(key, &seq(&[&tlv(0x06, &oid)]))
}

fn rsa_spki_with(key: &str, algorithm: &[u8]) -> Vec<u8> {
    let public = crate::make::key(key)
        .rsa()
        .unwrap()
        .public_key_to_der_pkcs1()
        .unwrap();
    seq(&[algorithm, &tlv(0x03, &[&[0][..], &public].concat())])
}
