//! The JSON of one lookup: what is told, why, and what it rests on.

use crate::mapping::{Answer, Mapped};
use elsinore_dane::finding::Finding;
use elsinore_dane::mta_sts::CachedPolicy;
use elsinore_dane::next_hop::NextHop;
use elsinore_dane::obligation::{NamePattern, Obligation};
use elsinore_dane::plan::{HostPlan, HostSource, StsStance};
use elsinore_net::deliver::{PlanSighting, RouteSighting};
use serde::Serialize;

/// The version of the shape. A new field keeps it, anything else raises it.
const SCHEMA_VERSION: u32 = 1;
/// Findings shown; the engine bounds their number per host, and hosts are at most fifty.
const MOST_FINDINGS: usize = 100;

#[derive(Serialize)]
struct Document {
    schema_version: u32,
    next_hop: String,
    decision: Decision,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'static str>,
    hosts: Vec<Host>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sts: Option<Sts>,
    findings: Vec<FindingRecord>,
}

#[derive(Serialize)]
struct Decision {
    /// `policy`, `notfound` or `temp`.
    kind: &'static str,
    row: &'static str,
    why: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postfix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Host {
    mx_host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    preference: Option<u16>,
    source: &'static str,
    port: u16,
    addresses: Vec<String>,
    obligation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tlsa: Option<Tlsa>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    webpki_names: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<String>,
    sts: &'static str,
    findings: Vec<FindingRecord>,
}

#[derive(Serialize)]
struct Tlsa {
    base_domain: String,
    records: Vec<String>,
    reference_identifiers: Vec<String>,
    mx_secure: bool,
}

#[derive(Serialize)]
struct Sts {
    domain: String,
    id: String,
    mode: &'static str,
    mx: Vec<String>,
    max_age: u32,
    expires_at: i64,
}

#[derive(Serialize)]
struct FindingRecord {
    rule: &'static str,
    rfc: u16,
    section: &'static str,
    subject: String,
    evidence: String,
}

/// The document of an answer that needed no lookup.
pub(crate) fn without_plan(next_hop: &NextHop, mapped: &Mapped, findings: &[Finding]) -> Vec<u8> {
    octets(&Document {
        schema_version: SCHEMA_VERSION,
        next_hop: next_hop.to_string(),
        decision: decision(mapped),
        route: None,
        hosts: Vec::new(),
        sts: None,
        findings: records(findings),
    })
}

/// The document of an answer that rests on a plan.
pub(crate) fn with_plan(next_hop: &NextHop, mapped: &Mapped, plan: &PlanSighting) -> Vec<u8> {
    octets(&Document {
        schema_version: SCHEMA_VERSION,
        next_hop: next_hop.to_string(),
        decision: decision(mapped),
        route: Some(match plan.route {
            RouteSighting::Hosts => "hosts",
            RouteSighting::Bounce(_) => "bounce",
            RouteSighting::Defer(_) => "defer",
            RouteSighting::TimedOut => "timed-out",
        }),
        hosts: plan.hosts.iter().map(host).collect(),
        sts: plan.sts.as_ref().map(sts),
        findings: records(&plan.findings),
    })
}

fn octets(document: &Document) -> Vec<u8> {
    // Strings, numbers and lists of them always have a JSON form.
    serde_json::to_vec(document).unwrap_or_default()
}

fn decision(mapped: &Mapped) -> Decision {
    let (kind, level, postfix, reason) = match &mapped.answer {
        Answer::Policy { word, .. } => ("policy", Some(word.level()), Some(word.text()), None),
        Answer::NotFound => ("notfound", None, None, None),
        Answer::Temporary(reason) => ("temp", None, None, Some(reason.clone())),
    };
    Decision {
        kind,
        row: mapped.row.word(),
        why: mapped.row.why(),
        level,
        postfix,
        reason,
    }
}

fn host(plan: &HostPlan) -> Host {
    let (mut tlsa, mut webpki_names, mut skipped) = (None, Vec::new(), None);
    match &plan.obligation {
        Obligation::Skip(reason) => skipped = Some(reason.word()),
        Obligation::Authenticate(requirements) => {
            tlsa = requirements.dane.as_ref().map(|dane| Tlsa {
                base_domain: dane.base_domain.to_string(),
                records: dane.records.iter().map(ToString::to_string).collect(),
                reference_identifiers: dane
                    .reference_identifiers
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                mx_secure: dane.mx_secure,
            });
            let names = requirements.webpki.iter().flat_map(|webpki| &webpki.names);
            webpki_names = names
                .map(|name| match name {
                    NamePattern::Exact(name) => name.to_string(),
                    NamePattern::Below(parent) => format!(".{parent}"),
                })
                .collect();
        }
        Obligation::Cleartext | Obligation::Opportunistic | Obligation::Encrypt => {}
    }
    Host {
        mx_host: plan.mx_host.clone(),
        preference: plan.preference,
        source: match plan.source {
            HostSource::SecureMx => "secure-mx",
            HostSource::InsecureMx => "insecure-mx",
            HostSource::SecureImplicit => "secure-implicit",
            HostSource::InsecureImplicit => "insecure-implicit",
            HostSource::Configured => "configured",
        },
        port: plan.port,
        addresses: plan.addresses.iter().map(ToString::to_string).collect(),
        obligation: plan.obligation.word(),
        skipped,
        tlsa,
        webpki_names,
        sni: plan.sni.as_ref().map(ToString::to_string),
        sts: match plan.sts {
            StsStance::None => "none",
            StsStance::Enforced => "enforced",
            StsStance::Refused => "refused",
            StsStance::TestingListed => "testing-listed",
            StsStance::TestingUnlisted => "testing-unlisted",
        },
        findings: records(&plan.findings),
    }
}

fn sts(cached: &CachedPolicy) -> Sts {
    Sts {
        domain: cached.domain.to_string(),
        id: cached.id.clone(),
        mode: cached.policy.mode.word(),
        mx: cached.policy.mx.iter().map(ToString::to_string).collect(),
        max_age: cached.policy.max_age,
        expires_at: cached.expires_at().0,
    }
}

fn records(findings: &[Finding]) -> Vec<FindingRecord> {
    findings
        .iter()
        .take(MOST_FINDINGS)
        .map(|finding| {
            let citation = finding.rule.citation();
            FindingRecord {
                rule: finding.rule.id(),
                rfc: citation.rfc,
                section: citation.section,
                subject: finding.subject.clone(),
                evidence: finding.evidence.clone(),
            }
        })
        .collect()
}
