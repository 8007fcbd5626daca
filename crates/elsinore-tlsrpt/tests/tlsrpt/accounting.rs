//! Every scenario of the lab, sent by the real sender, is counted as `accounting.tsv` says: what the
//! accounts of `elsinore-net` hold is held against the table, from the wire to the rows.
//!
//! `ELSINORE_BLESS=1` writes the table anew; its lines are then to be read by a person.

use elsinore_dane::name::DomainName;
use elsinore_lab::run;
use elsinore_lab::scenario::files;
use elsinore_net::deliver::{SendReport, Sender};
use elsinore_tlsrpt::count::{Verdict, rows};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tlsrpt/accounting.tsv");

/// The rows of a delivery in one line; failures with their reason codes.
fn line(report: &SendReport) -> String {
    let words = rows(report).into_iter().map(|row| {
        let verdict = match &row.verdict {
            Verdict::Success => "ok".to_owned(),
            Verdict::Failure(details) => {
                let results = details.iter().map(|detail| detail.result.word());
                results.collect::<Vec<_>>().join(",")
            }
        };
        assert!(DomainName::parse(&row.policy.domain).is_ok(), "{row:?}");
        format!("{}={} {verdict}", row.policy.kind, row.policy.domain)
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join("; ")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_is_counted() {
    let found = Mutex::new(BTreeSet::new());
    let way = async |equipment: run::Equipment, letter: run::Letter| {
        let sender = Sender::new(
            equipment.sender,
            equipment.resolver,
            equipment.dialer,
            equipment.clock,
        );
        let mut report = sender.send(&letter.envelope, &letter.message).await;
        for _ in 1..letter.attempts {
            report = sender.send(&letter.envelope, &letter.message).await;
        }
        let recipients = report.recipients.iter();
        let to: Vec<String> = recipients.map(|r| r.recipient.clone()).collect();
        let key = (to.join(","), line(&report));
        found.lock().unwrap().insert(key);
        Ok(report)
    };
    let mut scenarios = files::embedded().unwrap();
    for scenario in &mut scenarios {
        for case in &mut scenario.cases {
            // The other modes are the lab's own test's affair.
            case.modes.truncate(1);
        }
    }
    run::run_by(scenarios, |_| {}, way).await.unwrap();
    let lines: Vec<String> = (found.into_inner().unwrap().into_iter())
        .map(|(to, line)| format!("{to}\t{line}\n"))
        .collect();
    let text = lines.concat();
    if std::env::var_os("ELSINORE_BLESS").is_some() {
        std::fs::write(Path::new(TABLE), &text).unwrap();
    }
    let expected = std::fs::read_to_string(TABLE).unwrap();
    for line in text.lines() {
        assert!(
            expected.lines().any(|known| known == line),
            "not in accounting.tsv: {line}"
        );
    }
    assert_eq!(text.lines().count(), expected.lines().count());
}
