//! `elsinore dns NAME TYPE`: the chain and the answer, each with security and reason.

use crate::cli::Format;
use crate::config::Settings;
use crate::exit::{Refusal, TEMPORARY};
use crate::network;
use crate::output::{self, JsonLayout, printable};
use anyhow::Result;
use clap::Args;
use elsinore_dane::answer::{
    AliasKind, AliasLink, Answer, DenialKind, Last, Oddity, Question, RecordData, RecordType,
};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::{Cause, Status};
use elsinore_net::doctor::triage::Blame;
use elsinore_net::resolver::{Explained, Freshness, ResourceRecord, RestsOn, SecureResolver};
use serde::Serialize;
use std::fmt::Write as _;
use std::process::ExitCode;

/// What `elsinore dns` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 there is an answer, be it data or an absence that was shown; 75
there is none: the lookup failed, or what came is bogus.")]
pub(crate) struct DnsArguments {
    /// The name to look up.
    name: DomainName,
    /// The record type, such as MX, TLSA or TYPE65280.
    #[arg(value_name = "TYPE")]
    record_type: String,
    /// Show the records themselves as well, with their signatures and the proofs they rest on.
    #[arg(long)]
    records: bool,
}

/// Looks the name up and prints the answer: exit code 0 when it is data or a shown absence.
///
/// # Errors
/// A usage error for a type that cannot be asked for, a configuration error of `[dns]`.
pub(crate) fn run(arguments: DnsArguments, settings: &Settings) -> Result<ExitCode> {
    let record_type = record_type(&arguments.record_type).ok_or_else(|| {
        let text = printable(&arguments.record_type);
        Refusal::usage(format!(
            "dns: {text:?} is not a record type that can be asked for"
        ))
    })?;
    let resolver = network::searching_resolver(settings)?;
    let question = Question::new(arguments.name, record_type);
    let triage = network::triage(settings, &resolver)?;
    let (explained, blame) = network::block_on(async {
        let work = async {
            if arguments.records {
                resolver.explain(&question, Freshness::Cached).await
            } else {
                Explained::from(resolver.lookup(&question, Freshness::Cached).await)
            }
        };
        let work = async {
            let explained = work.await;
            let blame = match explained.answer.last {
                Last::Failed(_) => triage.blame().await,
                Last::Data(_) | Last::Denied(_) => Blame::Unknown,
            };
            (explained, blame)
        };
        Ok(network::beside_rollover(settings, &resolver, work).await)
    })?;
    let answer = &explained.answer;
    let shown = Shown {
        fault: ShownFault::new(&blame),
        ..Shown::new(&explained)
    };
    match settings.format {
        Format::Human => output::print(&shown.narrative())?,
        Format::Json => output::print_json(&shown, JsonLayout::Indented)?,
        Format::Jsonl => output::print_json(&shown, JsonLayout::OneLine)?,
    }
    Ok(match answer.last {
        Last::Data(_) | Last::Denied(_) => ExitCode::SUCCESS,
        Last::Failed(_) => ExitCode::from(TEMPORARY),
    })
}

/// Mnemonics beside those that [`RecordType`] prints itself.
const FURTHER_TYPES: &[(&str, u16)] = &[
    ("PTR", 12),
    ("SRV", 33),
    ("NAPTR", 35),
    ("DNAME", 39),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("NSEC3PARAM", 51),
    ("CDS", 59),
    ("CDNSKEY", 60),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("CAA", 257),
];

/// The type of that name (RFC 3597 §5 for `TYPEn`); `None` for meta types (RFC 6895 §3.1) and
/// for words that are none.
fn record_type(text: &str) -> Option<RecordType> {
    let text = text.to_ascii_uppercase();
    let code = match FURTHER_TYPES.iter().find(|(word, _)| *word == text) {
        Some((_, code)) => *code,
        None => match text.strip_prefix("TYPE") {
            Some(digits) => digits.parse().ok()?,
            None => (1..=64)
                .map(RecordType::from_code)
                .find(|known| known.to_string() == text)?
                .code(),
        },
    };
    let meta = matches!(code, 0 | 41 | 128..=255);
    (!meta).then(|| RecordType::from_code(code))
}

fn type_name(record_type: RecordType) -> String {
    FURTHER_TYPES
        .iter()
        .find(|(_, code)| *code == record_type.code())
        .map_or_else(|| record_type.to_string(), |(word, _)| (*word).to_owned())
}

/// The answer as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    schema_version: u32,
    question: ShownQuestion,
    chain: Vec<ShownLink>,
    answer: ShownEnd,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    oddities: Vec<ShownOddity>,
    /// Of a lookup that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<ShownFault>,
}

/// Whose fault a failure is, where that was found out.
#[derive(Debug, Serialize)]
struct ShownFault {
    /// `theirs` or `ours`.
    whose: &'static str,
    remark: String,
}

impl ShownFault {
    fn new(blame: &Blame) -> Option<Self> {
        Some(Self {
            whose: blame.word(),
            remark: printable(&blame.remark()?),
        })
    }
}

/// A fault of servers that did not change the answer.
#[derive(Debug, Serialize)]
struct ShownOddity {
    kind: &'static str,
    name: String,
    zone: String,
    #[serde(skip)]
    sentence: String,
}

impl From<&Oddity> for ShownOddity {
    fn from(oddity: &Oddity) -> Self {
        let sentence = printable(&oddity.to_string());
        match oddity {
            Oddity::EmptyNonTerminalDenied { name, zone } => Self {
                kind: "empty-non-terminal-denied",
                name: name.to_string(),
                zone: zone.to_string(),
                sentence,
            },
        }
    }
}

#[derive(Debug, Serialize)]
struct ShownQuestion {
    name: String,
    #[serde(rename = "type")]
    record_type: String,
}

#[derive(Debug, Serialize)]
struct ShownLink {
    owner: String,
    #[serde(rename = "type")]
    kind: &'static str,
    target: String,
    security: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    ttl: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<ShownEvidence>,
}

#[derive(Debug, Serialize)]
struct ShownEnd {
    kind: &'static str,
    owner: String,
    security: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ede: Option<ShownEde>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    records: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<ShownEvidence>,
}

#[derive(Debug, Serialize)]
struct ShownEde {
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    text: String,
}

/// Lines of a zone file.
#[derive(Debug, Serialize)]
struct ShownEvidence {
    records: Vec<String>,
    proofs: Vec<String>,
}

impl ShownEvidence {
    /// Nothing when records were not asked for.
    fn new(rests_on: Option<&RestsOn>) -> Option<Self> {
        let lines = |records: &[ResourceRecord]| records.iter().map(ToString::to_string).collect();
        rests_on.map(|shown| Self {
            records: lines(&shown.records),
            proofs: lines(&shown.proofs),
        })
    }

    fn narrate(&self, text: &mut String) {
        for line in self.records.iter().chain(&self.proofs) {
            let _ = writeln!(text, "      {line}");
        }
    }
}

/// The kind of reason; secure data needs none.
fn cause(status: &Status) -> Option<&'static str> {
    Some(status.cause())
        .filter(|cause| *cause != Cause::Unstated)
        .map(Cause::word)
}

fn security(status: &Status) -> &'static str {
    status.security().word()
}

impl Shown {
    fn new(explained: &Explained) -> Self {
        let answer = &explained.answer;
        // One for each link, or none at all.
        let links = explained
            .links
            .iter()
            .map(Some)
            .chain(std::iter::repeat(None));
        Self {
            schema_version: crate::report::SCHEMA_VERSION,
            question: ShownQuestion {
                name: answer.question.name.to_string(),
                record_type: type_name(answer.question.record_type),
            },
            chain: answer
                .chain
                .iter()
                .zip(links)
                .map(|(link, rests_on)| ShownLink::new(link, rests_on))
                .collect(),
            answer: ShownEnd::new(answer, explained.end.as_ref()),
            oddities: answer.oddities.iter().map(ShownOddity::from).collect(),
            fault: None,
        }
    }

    fn narrative(&self) -> String {
        let mut text = format!("{} {}\n", self.question.name, self.question.record_type);
        // Records stay whole, to be copied.
        let width = output::width();
        // Writing to a String cannot fail.
        for link in &self.chain {
            let _ = writeln!(
                text,
                "  {} {} {}\n    {}: {}",
                link.owner, link.kind, link.target, link.security, link.reason
            );
            if let Some(evidence) = &link.evidence {
                evidence.narrate(&mut text);
            }
        }
        let end = &self.answer;
        match end.kind {
            "data" => {
                for record in &end.records {
                    let rtype = &self.question.record_type;
                    let _ = writeln!(text, "  {} {rtype} {record}", end.owner);
                }
            }
            "nxdomain" => {
                let _ = writeln!(text, "  {} does not exist", end.owner);
            }
            "nodata" => {
                let _ = writeln!(text, "  {} has no {}", end.owner, self.question.record_type);
            }
            _ => {
                let _ = writeln!(text, "  {}: no answer", end.owner);
            }
        }
        let mut remark = |line: String| {
            let _ = writeln!(text, "{}", output::wrapped(&line, width));
        };
        remark(format!("    {}: {}", end.security, end.reason));
        if let Some(ede) = &end.ede {
            let name = ede.name.unwrap_or("unknown code");
            let mut line = format!("    extended error {} ({name})", ede.code);
            // Our own say nothing that the reason has not said.
            if !ede.text.is_empty() && ede.text != end.reason {
                let _ = write!(line, ": {:?}", ede.text);
            }
            remark(line);
        }
        if let Some(evidence) = &end.evidence {
            evidence.narrate(&mut text);
        }
        for oddity in &self.oddities {
            let note = format!("    note: {}", oddity.sentence);
            let _ = writeln!(text, "{}", output::wrapped(&note, width));
        }
        if let Some(fault) = &self.fault {
            let remark = format!("  {}", fault.remark);
            let _ = writeln!(text, "{}", output::wrapped(&remark, width));
        }
        text
    }
}

impl ShownLink {
    fn new(link: &AliasLink, rests_on: Option<&RestsOn>) -> Self {
        Self {
            owner: link.owner.to_string(),
            kind: match link.kind {
                AliasKind::Cname => "CNAME",
                AliasKind::Dname => "DNAME",
            },
            target: link.target.to_string(),
            security: security(&link.status),
            reason: printable(link.status.reason()),
            cause: cause(&link.status),
            ttl: link.ttl,
            evidence: ShownEvidence::new(rests_on),
        }
    }
}

impl ShownEnd {
    fn new(answer: &Answer, rests_on: Option<&RestsOn>) -> Self {
        let status = answer.last.status();
        let mut end = Self {
            kind: "failed",
            owner: answer.final_name().to_string(),
            security: security(status),
            reason: printable(status.reason()),
            cause: cause(status),
            ttl: None,
            ede: answer.extended_error().map(|ede| ShownEde {
                code: ede.code,
                name: ede.name(),
                text: printable(&ede.text),
            }),
            records: Vec::new(),
            evidence: ShownEvidence::new(rests_on),
        };
        match &answer.last {
            Last::Data(rrset) => {
                end.kind = "data";
                end.ttl = Some(rrset.ttl);
                end.records = rrset.records.iter().map(presentation).collect();
            }
            Last::Denied(denial) => {
                end.kind = match denial.kind {
                    DenialKind::NoData => "nodata",
                    DenialKind::NxDomain => "nxdomain",
                };
                end.ttl = Some(denial.ttl);
            }
            Last::Failed(_) => {}
        }
        end
    }
}

/// Presentation format, names without a trailing dot.
fn presentation(record: &RecordData) -> String {
    match record {
        RecordData::A(address) => address.to_string(),
        RecordData::Aaaa(address) => address.to_string(),
        RecordData::Mx {
            preference,
            exchange,
        } => format!("{preference} {exchange}"),
        RecordData::Tlsa(record) => record.to_string(),
        RecordData::Txt(octets) => {
            let mut text = String::from("\"");
            for octet in octets {
                match octet {
                    b'"' | b'\\' => {
                        text.push('\\');
                        text.push(char::from(*octet));
                    }
                    b' '..=b'~' => text.push(char::from(*octet)),
                    other => {
                        let _ = write!(text, "\\{other:03}");
                    }
                }
            }
            text + "\""
        }
        RecordData::Name(name) => name.to_string(),
        RecordData::Other(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        for (text, expected) in [
            ("mx", Some(15)),
            ("TLSA", Some(52)),
            ("type65280", Some(65_280)),
            ("CAA", Some(257)),
            ("DNSKEY", Some(48)),
            ("ANY", None),
            ("TYPE255", None),
            ("OPT", None),
            ("TYPE41", None),
            ("TYPE70000", None),
            ("", None),
            ("example.org", None),
        ] {
            assert_eq!(record_type(text).map(RecordType::code), expected, "{text}");
        }
        assert_eq!(type_name(RecordType::Other(257)), "CAA");
        assert_eq!(type_name(RecordType::Other(999)), "TYPE999");
    }

    #[test]
    fn records() {
        for (record, expected) in [
            (RecordData::Txt(b"a\"\x00b".to_vec()), "\"a\\\"\\000b\""),
            (
                RecordData::Mx {
                    preference: 0,
                    exchange: DomainName::root(),
                },
                "0 .",
            ),
        ] {
            assert_eq!(presentation(&record), expected);
        }
    }
}
