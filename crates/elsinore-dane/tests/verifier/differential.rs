//! Every case of the table put to OpenSSL as well. A difference is documented here, with its
//! reason, or the test fails; so is a documented difference that no longer exists.

use crate::cases::{Case, Expect, all};
use crate::make::NOW;
use crate::oracle::{Answer, Settings, answer};
use elsinore_dane::name::DomainName;
use elsinore_dane::verify::{EeNameChecks, Sha1Policy};

/// Identifiers begin so; OpenSSL answers this; for this reason ours differs.
const DIFFERENCES: &[(&str, Says, &str)] = &[
    (
        "7-00-first",
        Says::NoUsable,
        "OpenSSL decodes usage 3 Full data; ours compares the octets, which cannot go wrong",
    ),
    ("7-10-first", Says::NoUsable, "as 7-00-first"),
    (
        "7-10-last",
        Says::NoUsable,
        "as 7-00-first: not a point of the curve",
    ),
    (
        "21-rsa-768",
        Says::Reject,
        "OpenSSL's security level 1 applies to the leaf's key; RFC 7672 3.1.1 asks for the match only",
    ),
    (
        "30-non-minimal-serial-300",
        Says::NoUsable,
        "OpenSSL's parser refuses the record's certificate",
    ),
    (
        "30-non-minimal-serial-3",
        Says::Unparsable,
        "OpenSSL's parser ends the handshake; ours ignores the serial number of a leaf",
    ),
    (
        "30-empty-serial-300",
        Says::NoUsable,
        "as 30-non-minimal-serial-300",
    ),
    (
        "30-empty-serial-3",
        Says::Unparsable,
        "as 30-non-minimal-serial-3",
    ),
    (
        "32-invalid-utf8-300",
        Says::NoUsable,
        "as 30-non-minimal-serial-300",
    ),
    (
        "32-invalid-utf8-3",
        Says::Unparsable,
        "OpenSSL's parser refuses the name; ours does not read the names of a leaf",
    ),
    (
        "39-trailing-octets-300",
        Says::NoUsable,
        "as 30-non-minimal-serial-300",
    ),
    (
        "39-trailing-octets-3",
        Says::Unparsable,
        "OpenSSL ends the handshake; for ours the octets belong to the entry",
    ),
    (
        "40-",
        Says::Unparsable,
        "OpenSSL parses the whole message first; a matched leaf needs no other certificate",
    ),
    (
        "51-wrong-210",
        Says::NoUsable,
        "OpenSSL decodes the point, ours the outer DER: a key that no chain can use is a record \
         that does not match, not a reason to skip authentication",
    ),
    ("55-garbage", Says::Unparsable, "as 40-"),
    (
        "55-trailing-issuer",
        Says::Unparsable,
        "as 40-; ours passes over that certificate",
    ),
    (
        "56-both",
        Says::Reject,
        "OpenSSL follows the cross certificate and does not come back to the root that was sent",
    ),
    (
        "61-anchor-not-self-signed",
        Says::Match,
        "OpenSSL checks the dates of a self-signed trust anchor only; ours those of every one",
    ),
    (
        "64-underscore",
        Says::Reject,
        "RFC 7672 3.2.3: a wildcard matches the first label; OpenSSL wants letters and digits there",
    ),
    (
        "68-dot-of-certificate",
        Says::Reject,
        "the same DNS name; OpenSSL compares text",
    ),
    (
        "69-anchor-without-constraints",
        Says::Reject,
        "the TLSA record says that it is a trust anchor (RFC 7671 5.2)",
    ),
    (
        "70-any",
        Says::Reject,
        "OpenSSL wants serverAuth by name; RFC 5280 4.2.1.12 does not",
    ),
    (
        "70-authority-cert-sign",
        Says::Reject,
        "OpenSSL applies keyUsage to the leaf's part in the handshake; of a leaf ours asks for \
         extended key usage only",
    ),
    (
        "70-trailing",
        Says::Unparsable,
        "as 39; ours rejects it as well, for a chain",
    ),
    (
        "72-md5",
        Says::Match,
        "at security level 0 OpenSSL takes MD5 with SHA-1",
    ),
    (
        "73-",
        Says::Reject,
        "OpenSSL takes the first issuer of that name; ours tries the others too",
    ),
    (
        "75-version-1-with-extensions",
        Says::Match,
        "RFC 5280 4.1.2.9 knows extensions in version 3 only",
    ),
];

/// OpenSSL's answer where it differs from ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// The certificate message does not parse.
    Unparsable,
    Reject,
    Match,
    NoUsable,
}

pub(crate) fn names_of(case: &Case) -> Vec<DomainName> {
    let parse = |name: &&str| DomainName::parse(name).unwrap();
    case.names.iter().map(parse).collect()
}

pub(crate) fn settings<'a>(case: &'a Case, names: &'a [DomainName]) -> Settings<'a> {
    Settings {
        records: &case.records,
        names,
        ee_name_checks: case.options.ee_name_checks == EeNameChecks::Check,
        security_level: match case.options.sha1 {
            Sha1Policy::Refuse => 1,
            Sha1Policy::Accept => 0,
        },
        // OpenSSL counts neither the leaf nor the trust anchor.
        depth: i32::try_from(case.options.limits.depth - 1).unwrap(),
        now: NOW,
    }
}

pub(crate) fn openssl(case: &Case) -> Answer {
    answer(&case.chain, &settings(case, &names_of(case)))
}

fn agree(ours: Expect, theirs: Answer) -> bool {
    match (ours, theirs) {
        (
            Expect::Match { usage, depth },
            Answer::Match {
                usage: their_usage,
                depth: their_depth,
            },
        ) => usage == their_usage && depth == their_depth,
        (Expect::Reject(_), Answer::Reject(_)) | (Expect::NoUsable, Answer::NoUsable) => true,
        _ => false,
    }
}

#[test]
fn openssl_agrees_but_where_documented() {
    let mut failures = Vec::new();
    let mut met = vec![false; DIFFERENCES.len()];
    for case in all() {
        let theirs = openssl(&case);
        let documented = DIFFERENCES.iter().position(|(prefix, _, reason)| {
            assert!(!reason.is_empty());
            case.id.starts_with(prefix)
        });
        let says = match theirs {
            Answer::Unparsable => Says::Unparsable,
            Answer::Reject(_) => Says::Reject,
            Answer::Match { .. } => Says::Match,
            Answer::NoUsable => Says::NoUsable,
        };
        match documented {
            None if agree(case.expected, theirs) => {}
            None => failures.push(format!(
                "{}: ours {:?}, OpenSSL {theirs:?}, not documented",
                case.id, case.expected
            )),
            Some(index) => {
                met[index] = true;
                if DIFFERENCES[index].1 != says || agree(case.expected, theirs) {
                    failures.push(format!(
                        "{}: documented as {:?}, OpenSSL {theirs:?}",
                        case.id, DIFFERENCES[index].1
                    ));
                }
            }
        }
    }
    for (index, met) in met.iter().enumerate() {
        if !met {
            failures.push(format!("no case begins with {}", DIFFERENCES[index].0));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
