//! The result of `elsinore tlsa verify`, for people and as JSON.

use crate::report::SCHEMA_VERSION;
use elsinore_dane::obligation::DaneRequirement;
use elsinore_dane::tlsa::{TlsaRecord, effective};
use elsinore_dane::verify::{DaneVerdict, MatchedBy, inspect};
use jiff::Timestamp;
use serde::Serialize;
use std::fmt;

/// The whole result.
#[derive(Debug, Serialize)]
pub(super) struct Judgement {
    schema_version: u32,
    outcome: &'static str,
    /// One line that says why.
    reason: String,
    /// Result type of a TLS report (RFC 8460 §4.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<MatchedRecord>,
    at: String,
    records: Vec<RecordState>,
    chain: Vec<CertificateRecord>,
}

/// The record that matched.
#[derive(Debug, Serialize)]
struct MatchedRecord {
    usage: u8,
    selector: u8,
    matching_type: u8,
    depth: usize,
    by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    record: String,
}

/// What became of one record.
#[derive(Debug, Serialize)]
struct RecordState {
    record: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// One certificate of the chain.
#[derive(Debug, Serialize)]
struct CertificateRecord {
    depth: usize,
    octets: usize,
    #[serde(flatten)]
    content: Content,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Content {
    Decoded {
        subject: Vec<String>,
        issuer: Vec<String>,
        names: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        not_before: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        not_after: Option<String>,
        sha256: String,
        spki_sha256: String,
    },
    Undecodable {
        error: String,
    },
}

impl Judgement {
    pub(super) fn new(
        verdict: &DaneVerdict,
        chain: &[Vec<u8>],
        requirement: &DaneRequirement,
        at: Timestamp,
    ) -> Self {
        let (outcome, reason, matched) = match verdict {
            DaneVerdict::Authenticated(found) => {
                let matched = MatchedRecord {
                    usage: found.usage().code(),
                    selector: found.selector().code(),
                    matching_type: found.matching_type().code(),
                    depth: found.depth(),
                    by: match found.matched_by() {
                        MatchedBy::Certificate => "certificate",
                        MatchedBy::BareKey => "bare-key",
                    },
                    name: found.matched_name().map(ToString::to_string),
                    record: found.record().to_string(),
                };
                ("matched", found.to_string(), Some(matched))
            }
            DaneVerdict::Rejected(rejection) => ("not-matched", rejection.to_string(), None),
            DaneVerdict::NoUsable => {
                let reason =
                    "no TLSA record can be used: TLS is required, but authenticates nobody";
                ("no-usable-record", reason.to_owned(), None)
            }
        };
        let counted = effective(&requirement.records);
        let state = |record: &TlsaRecord| match record.usability() {
            Err(unusable) => RecordState {
                record: record.to_string(),
                state: "unusable",
                reason: Some(unusable.to_string()),
            },
            Ok(_) if counted.iter().any(|usable| usable.record() == record) => RecordState {
                record: record.to_string(),
                state: "usable",
                reason: None,
            },
            Ok(_) => RecordState {
                record: record.to_string(),
                state: "passed-over",
                reason: Some("a stronger digest is published (RFC 7671, section 9)".to_owned()),
            },
        };
        Self {
            schema_version: SCHEMA_VERSION,
            outcome,
            reason,
            result_type: verdict.rfc8460_result_type(),
            matched,
            at: at.to_string(),
            records: requirement.records.iter().map(state).collect(),
            chain: chain.iter().enumerate().map(certificate).collect(),
        }
    }
}

fn certificate((depth, entry): (usize, &Vec<u8>)) -> CertificateRecord {
    let content = match inspect(entry) {
        Err(error) => Content::Undecodable {
            error: error.to_string(),
        },
        Ok(summary) => {
            let time = |moment: Option<elsinore_dane::time::UnixTime>| {
                moment
                    .and_then(|moment| Timestamp::from_second(moment.0).ok())
                    .map(|moment| moment.to_string())
            };
            let mut names = summary.subject_alt_names;
            if summary.further_names > 0 {
                names.push(format!("and {} more", summary.further_names));
            }
            Content::Decoded {
                subject: summary.subject_common_names,
                issuer: summary.issuer_common_names,
                names,
                not_before: time(summary.not_before),
                not_after: time(summary.not_after),
                sha256: hex(&summary.sha256),
                spki_sha256: hex(&summary.public_key_sha256),
            }
        }
    };
    CertificateRecord {
        depth,
        octets: entry.len(),
        content,
    }
}

fn hex(octets: &[u8]) -> String {
    use fmt::Write as _;
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.outcome.replace('-', " "), self.reason)?;
        writeln!(f, "\nRecords")?;
        for record in &self.records {
            writeln!(f, "  {}", shortened(&record.record))?;
            match &record.reason {
                Some(reason) => writeln!(f, "    {}: {reason}", record.state.replace('-', " "))?,
                None => writeln!(f, "    {}", record.state)?,
            }
        }
        writeln!(f, "\nCertificates, judged as of {}", self.at)?;
        for certificate in &self.chain {
            let (depth, octets) = (certificate.depth, certificate.octets);
            match &certificate.content {
                Content::Undecodable { error } => {
                    writeln!(f, "  {depth}  {octets} octets, {error}")?
                }
                Content::Decoded {
                    subject,
                    issuer,
                    names,
                    not_before,
                    not_after,
                    spki_sha256,
                    ..
                } => {
                    let unknown = || "unreadable".to_owned();
                    let joined = |names: &[String]| match names {
                        [] => "(none)".to_owned(),
                        some => some.join(", "),
                    };
                    writeln!(f, "  {depth}  subject  {}", joined(subject))?;
                    writeln!(f, "     issuer   {}", joined(issuer))?;
                    writeln!(f, "     names    {}", joined(names))?;
                    writeln!(
                        f,
                        "     valid    {} to {}",
                        not_before.clone().unwrap_or_else(unknown),
                        not_after.clone().unwrap_or_else(unknown)
                    )?;
                    writeln!(f, "     SPKI     sha256 {spki_sha256}")?;
                }
            }
        }
        Ok(())
    }
}

/// The data of a Full record is longer than anyone wants to read.
fn shortened(record: &str) -> String {
    const SHOWN: usize = 140;
    if record.len() <= SHOWN {
        return record.to_owned();
    }
    // Records are ASCII: any cut is between characters.
    format!("{}… ({} characters)", &record[..SHOWN], record.len())
}
