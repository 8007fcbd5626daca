//! Reports of deliveries, made by hand.

use elsinore_dane::answer::{Question, RecordType};
use elsinore_dane::finding::Finding;
use elsinore_dane::mta_sts::StsPolicy;
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::SkipReason;
use elsinore_dane::plan::StsStance;
use elsinore_dane::security::Security;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_net::deliver::account::{
    DomainAccount, FailedLookup, StsAccount, TlsAccount, TlsEnd, TlsaAccount,
};
use elsinore_net::deliver::report::Decided;
use elsinore_net::deliver::{Attempt, ObligationWord, Outcome, RecipientReport, SendReport};
use elsinore_tlsrpt::build::{Built, build};
use elsinore_tlsrpt::count::{Verdict, rows};
use elsinore_tlsrpt::day::Day;
use elsinore_tlsrpt::dkim::Signer;
use elsinore_tlsrpt::settings::{DkimSettings, TlsRptSettings};
use elsinore_tlsrpt::tally::{DomainDay, PolicyCounts};
use openssl::pkey::PKey;
use std::io::Write as _;
use std::sync::Arc;
use tempfile::NamedTempFile;

/// 2025-11-22T12:00:00Z.
pub(crate) const NOON: UnixTime = UnixTime(1_763_812_800);

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// An attempt at mx.host.example, 192.0.2.25, that ended so.
pub(crate) fn attempt(end: TlsEnd) -> Attempt {
    Attempt {
        mx_host: "mx.host.example".to_owned(),
        mx_address: Some("192.0.2.25".parse().unwrap()),
        obligation: ObligationWord::May,
        outcome: Outcome::Delivered,
        reason: None,
        skipped: None,
        findings: Vec::new(),
        session: None,
        log_line: None,
        account: TlsAccount {
            sts: StsStance::None,
            tlsa: None,
            end,
            webpki: None,
            sending_address: Some("198.51.100.1".parse().unwrap()),
            receiving_helo: Some("helo.host.example".to_owned()),
        },
    }
}

pub(crate) fn with_tlsa(mut attempt: Attempt, usable: bool) -> Attempt {
    attempt.account.tlsa = Some(TlsaAccount {
        base_domain: name("base.host.example"),
        records: vec![
            TlsaRecord::new(3, 1, 1, &[0xBB; 32]),
            TlsaRecord::new(2, 1, 1, &[0xAA; 32]),
        ],
        usable,
    });
    attempt
}

pub(crate) fn skipped(reason: SkipReason, findings: Vec<Finding>) -> Attempt {
    Attempt {
        mx_address: None,
        skipped: Some(reason),
        findings,
        outcome: Outcome::Deferred,
        ..attempt(TlsEnd::Unknown)
    }
}

pub(crate) fn policy(mode: &str) -> StsAccount {
    let text =
        format!("version: STSv1\r\nmode: {mode}\r\nmx: *.host.example\r\nmax_age: 86400\r\n");
    StsAccount::Policy(StsPolicy::parse(text.as_bytes()).unwrap())
}

pub(crate) fn failed(owner: &str, record_type: RecordType, security: Security) -> FailedLookup {
    FailedLookup {
        question: Question::new(name(owner), record_type),
        security,
        reason: "signature expired".to_owned(),
    }
}

/// A delivery to two recipients of rcpt.example.
pub(crate) fn delivery(
    sts: StsAccount,
    failed_lookups: Vec<FailedLookup>,
    attempts: Vec<Attempt>,
) -> SendReport {
    let account = Arc::new(DomainAccount {
        policy_domain: Some(name("rcpt.example")),
        sts,
        failed_lookups,
    });
    let attempts = Arc::new(attempts);
    let recipient = |local: &str| RecipientReport {
        recipient: format!("{local}@rcpt.example"),
        outcome: Outcome::Delivered,
        session: None,
        reply: None,
        decided: Decided::Answer,
        attempts: Arc::clone(&attempts),
        findings: Arc::default(),
        account: Arc::clone(&account),
    };
    SendReport {
        recipients: vec![recipient("anna"), recipient("berta")],
        finished: NOON,
    }
}

/// Settings of sender.example.
pub(crate) fn settings() -> TlsRptSettings {
    TlsRptSettings {
        enabled: true,
        organisation: "Sender Ltd".to_owned(),
        contact: "tls-reports@sender.example".to_owned(),
        ..TlsRptSettings::default()
    }
}

/// The counts of a delivery, as the store would hand them back.
pub(crate) fn counted(report: &SendReport) -> DomainDay {
    let mut day = DomainDay::default();
    for row in rows(report) {
        let known = day.policies.iter().position(|p| p.policy == *row.policy);
        let at = known.unwrap_or_else(|| {
            day.policies.push(PolicyCounts {
                policy: (*row.policy).clone(),
                successes: 0,
                failures: 0,
                details: Vec::new(),
            });
            day.policies.len() - 1
        });
        let counts = &mut day.policies[at];
        match row.verdict {
            Verdict::Success => counts.successes += 1,
            Verdict::Failure(details) => {
                counts.failures += 1;
                for detail in details {
                    match counts
                        .details
                        .iter_mut()
                        .find(|(known, _)| *known == detail)
                    {
                        Some((_, count)) => *count += 1,
                        None => counts.details.push((detail, 1)),
                    }
                }
            }
        }
    }
    day
}

/// The report to rcpt.example about the day of [`NOON`].
pub(crate) fn built(report: &SendReport) -> Built {
    let settings = settings();
    let submitter = settings.submitter().unwrap();
    let day = (Day::of(NOON.0), "rcpt.example");
    build(day, counted(report), &settings, submitter, "salt")
        .unwrap()
        .unwrap()
}

/// A key of that kind in a file, with its settings.
pub(crate) fn signer_file(kind: &str) -> (NamedTempFile, DkimSettings) {
    let pem = pem(kind);
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&pem).unwrap();
    let settings = DkimSettings {
        domain: name("sender.example"),
        selector: "sel".to_owned(),
        key_file: file.path().to_owned(),
    };
    (file, settings)
}

/// A key of that kind under sel._domainkey.sender.example.
pub(crate) fn signer(kind: &str) -> Signer {
    Signer::new(name("sender.example"), "sel", &pem(kind)).unwrap()
}

fn pem(kind: &str) -> Vec<u8> {
    let key = match kind {
        "rsa" => PKey::from_rsa(openssl::rsa::Rsa::generate(2048).unwrap()).unwrap(),
        "ed25519" => PKey::generate_ed25519().unwrap(),
        other => panic!("{other}"),
    };
    key.private_key_to_pem_pkcs8().unwrap()
}
