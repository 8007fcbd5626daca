//! A plan for people and as JSON.

use super::{Plan, standing};
use crate::output::{hanging, printable};
use crate::report::SCHEMA_VERSION;
use elsinore_check::publish::material::Material;
use elsinore_check::publish::moment::{length, second};
use elsinore_check::publish::rollover::{Dnssec, EndpointView, Presented, ServerAnswer, Unsafe};
use elsinore_check::publish::steps::{PlannedStep, Progress};
use serde::Serialize;
use std::fmt::Write as _;

/// The result as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Shape {
    schema_version: u32,
    host: String,
    port: u16,
    owner: String,
    zone: String,
    looked_at: String,
    stage: &'static str,
    /// `secure`, `insecure` or `failed`, with the reason.
    dnssec: Reasoned,
    servers: Vec<ServerShape>,
    addresses: Vec<AddressShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    complete_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_until: Option<String>,
    add: Vec<String>,
    remove: Vec<String>,
    steps: Vec<StepShape>,
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<Asked>,
}

#[derive(Debug, Serialize)]
struct Reasoned {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct ServerShape {
    server: String,
    /// `records`, `absent` or `no-answer`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    records: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct AddressShape {
    address: String,
    algorithm: String,
    /// `next`, `other`, `no-such-key` or `not-seen`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spki_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct StepShape {
    step: &'static str,
    progress: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
    text: String,
    lines: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nsupdate: Option<String>,
    refusals: Vec<RefusalShape>,
}

#[derive(Debug, Serialize)]
struct RefusalShape {
    id: &'static str,
    text: String,
}

#[derive(Debug, Serialize)]
struct Asked {
    step: &'static str,
    allowed: bool,
    refusals: Vec<RefusalShape>,
}

fn refusals(refusals: &[Unsafe]) -> Vec<RefusalShape> {
    let shape = |refusal: &Unsafe| RefusalShape {
        id: refusal.id(),
        text: printable(&refusal.to_string()),
    };
    refusals.iter().map(shape).collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

pub(super) fn shape(plan: &Plan) -> Shape {
    let assessment = &plan.assessment;
    let texts = |records: &[elsinore_dane::tlsa::TlsaRecord]| {
        records.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let servers = plan.look.servers.iter().map(|server| {
        let (state, ttl, reason) = match &server.answer {
            ServerAnswer::Records { ttl, .. } => ("records", Some(*ttl), None),
            ServerAnswer::Absent => ("absent", None, None),
            ServerAnswer::Nothing(reason) => ("no-answer", None, Some(printable(reason))),
        };
        ServerShape {
            server: server.server.clone(),
            state,
            ttl,
            records: texts(server.records()),
            reason,
        }
    });
    let step = |step: &PlannedStep| StepShape {
        step: step.word,
        progress: step.progress.word(),
        not_before: step.not_before.map(second),
        text: step.text.clone(),
        lines: step.lines.clone(),
        nsupdate: step.nsupdate.clone(),
        refusals: refusals(&step.refusals),
    };
    Shape {
        schema_version: SCHEMA_VERSION,
        host: plan.host.to_string(),
        port: plan.port,
        owner: plan.records.owner.to_string(),
        zone: plan.records.zone.to_string(),
        looked_at: second(plan.look.ended),
        stage: assessment.stage.word(),
        dnssec: dnssec(&plan.look.dnssec),
        servers: servers.collect(),
        addresses: (plan.look.endpoints.iter())
            .map(|endpoint| address(plan, endpoint))
            .collect(),
        ttl: assessment.ttl,
        complete_since: assessment.complete_since.map(second),
        wait_until: assessment.wait_until.map(second),
        add: texts(&assessment.add),
        remove: texts(&assessment.remove),
        steps: plan.steps.iter().map(step).collect(),
        notes: plan.notes.clone(),
        asked: plan.asked.map(|step| Asked {
            step: step.word(),
            allowed: assessment.against(step).is_empty(),
            refusals: refusals(assessment.against(step)),
        }),
    }
}

fn dnssec(dnssec: &Dnssec) -> Reasoned {
    let (state, reason) = match dnssec {
        Dnssec::Secure => ("secure", None),
        Dnssec::Insecure(reason) => ("insecure", Some(reason)),
        Dnssec::Failed(reason) => ("failed", Some(reason)),
    };
    Reasoned {
        state,
        reason: reason.map(|reason| printable(reason)),
    }
}

fn is_next(plan: &Plan, chain: &Material) -> bool {
    let mut next = plan.goal.next.iter();
    next.any(|key| key.key_digest() == chain.key_digest())
}

fn address(plan: &Plan, endpoint: &EndpointView) -> AddressShape {
    let (state, chain, reason) = match &endpoint.presented {
        Presented::Chain(chain) if is_next(plan, chain) => ("next", Some(chain), None),
        Presented::Chain(chain) => ("other", Some(chain), None),
        Presented::NoSuchKey => ("no-such-key", None, None),
        Presented::Nothing(reason) => ("not-seen", None, Some(printable(reason))),
    };
    AddressShape {
        address: endpoint.address.clone(),
        algorithm: endpoint.algorithm.to_string(),
        state,
        key: chain.map(|chain| chain.key().to_string()),
        spki_sha256: chain.map(|chain| hex(chain.key_digest())),
        reason,
    }
}

/// The plan for people.
pub(super) fn told(plan: &Plan, width: Option<usize>) -> String {
    let mut out = String::new();
    let mut line = |text: &str, indent: usize| {
        out.push_str(&hanging(text, width, indent));
        out.push('\n');
    };
    if let Some(step) = plan.asked {
        let against = plan.assessment.against(step);
        if against.is_empty() {
            line(&format!("{step}: yes"), 4);
        }
        for refusal in against {
            let text = printable(&refusal.to_string());
            line(&format!("{step}: no: {}: {text}", refusal.id()), 4);
        }
        return out;
    }
    let (host, port) = (&plan.host, plan.port);
    let standing = standing(&plan.assessment.stage);
    line(&format!("{host}, port {port}: {standing}"), 4);
    line("", 0);
    line(&format!("Seen at {}", second(plan.look.ended)), 2);
    match &plan.look.dnssec {
        Dnssec::Secure => {}
        Dnssec::Insecure(reason) => line(&format!("  DNSSEC: insecure: {}", printable(reason)), 4),
        Dnssec::Failed(reason) => line(&format!("  DNSSEC: failed: {}", printable(reason)), 4),
    }
    for server in &plan.look.servers {
        let text = match &server.answer {
            ServerAnswer::Records { records, ttl } => {
                let records: Vec<String> =
                    records.iter().map(|one| short(&one.to_string())).collect();
                let ttl = length(i64::from(*ttl));
                format!("{}, TTL {ttl}", records.join(", "))
            }
            ServerAnswer::Absent => "no TLSA record".to_owned(),
            ServerAnswer::Nothing(reason) => format!("no answer: {}", printable(reason)),
        };
        line(&format!("  {}: {text}", server.server), 4);
    }
    for endpoint in &plan.look.endpoints {
        let seen = address(plan, endpoint);
        let text = match (&seen.key, &seen.spki_sha256, &seen.reason) {
            (Some(key), Some(digest), _) => {
                let role = if seen.state == "next" {
                    "the next "
                } else {
                    ""
                };
                format!("{role}{key}, {}", short(&format!("3 1 1 {digest}")))
            }
            (_, _, Some(reason)) => format!("not seen: {reason}"),
            (_, _, None) => format!("no {} key", seen.algorithm),
        };
        line(&format!("  {}: {text}", seen.address), 4);
    }
    line("", 0);
    line("Steps", 0);
    for (number, step) in plan.steps.iter().enumerate() {
        let when = match (step.progress, step.not_before) {
            (Progress::Later | Progress::Blocked, Some(moment)) => {
                format!(", not before {}", second(moment))
            }
            (Progress::Done | Progress::Now | Progress::Later | Progress::Blocked, _) => {
                String::new()
            }
        };
        let word = step.progress.word();
        let heading = format!("  {} {:<8} {word}{when}", number + 1, step.word);
        line(&heading, 4);
        if step.progress == Progress::Done {
            continue;
        }
        line(&format!("    {}", step.text), 4);
        if step.progress == Progress::Blocked {
            for refusal in &step.refusals {
                let text = printable(&refusal.to_string());
                line(&format!("    {}: {text}", refusal.id()), 6);
            }
        }
        for record in &step.lines {
            // To be copied, so never broken.
            let sign = if step.word == "retire" { "-" } else { "+" };
            line(&format!("    {sign} {record}"), 4);
        }
        if let Some(script) = step
            .nsupdate
            .as_ref()
            .filter(|_| step.progress == Progress::Now)
        {
            line("    with nsupdate:", 4);
            for command in script.lines() {
                line(&format!("      {command}"), 6);
            }
        }
    }
    if !plan.notes.is_empty() {
        line("", 0);
        line("Notes", 0);
    }
    for note in &plan.notes {
        line(&format!("  {note}"), 4);
    }
    out
}

/// A record with the beginning of its digest.
fn short(record: &str) -> String {
    // Records are ASCII: any cut is between characters.
    match record.get(..22) {
        Some(beginning) if record.len() > 24 => format!("{beginning}…"),
        Some(_) | None => record.to_owned(),
    }
}
