//! Sighting to report: which of the five states, what each sender would do, what each TLSA record
//! matches, who differs. Pure: no clock, no network.
//!
//! Nothing is decided a second time. What a session is obliged to, whether it met that and what a
//! delivery would come to stand in the sighting, from the sender's own engine, verifier and ladder;
//! whether a single record accepts a chain is asked of the verifier. What is made here is what a
//! sender never needs: the view over all hosts, addresses and certificates at once (`state`), and
//! words for people.

mod barrier;
mod certificates;
mod hosts;
mod labels;
mod lookups;
mod policies;
mod presented;
mod senders;
mod servers;
mod standing;
mod state;
#[cfg(test)]
mod state_tests;
mod text;
#[cfg(test)]
mod whole_tests;

use crate::report::{AddressState, Host, Measured, Report, SCHEMA_VERSION, State, Zone};
use crate::sighting::{RouteSighting, SenderKind, Sighting};
use elsinore_dane::answer::RecordType;
use elsinore_dane::verify::VerifyOptions;
use elsinore_net::doctor::triage::Blame;

/// What judging needs beside the sighting.
#[derive(Debug, Clone, Copy)]
pub struct JudgeOptions<'a> {
    /// Program and version, for [`Report::program`].
    pub program: &'a str,
    /// How the sender verifies: the comparison of single records follows it.
    pub verify: VerifyOptions,
    /// An earlier report of the same domain, if there is one: a record that matched then and does
    /// not now is [`stale`](crate::report::TlsaLabel::Stale).
    pub earlier: Option<&'a Report>,
}

impl<'a> JudgeOptions<'a> {
    /// The options of an SMTP sender, without an earlier report.
    #[must_use]
    pub const fn new(program: &'a str) -> Self {
        Self {
            program,
            verify: VerifyOptions::smtp(),
            earlier: None,
        }
    }
}

/// Judges what was seen. Text of strangers is bounded and made printable on the way.
#[must_use]
pub fn judge(sighting: &Sighting, options: &JudgeOptions<'_>) -> Report {
    let certificates = certificates::certificates(sighting);
    let context = labels::Context {
        certificates: &certificates,
        earlier: options
            .earlier
            .filter(|earlier| earlier.domain == sighting.domain.as_str()),
        now: sighting.began,
    };
    let hosts: Vec<Host> = (sighting.hosts.iter())
        .map(|seen| hosts::host(sighting, seen, options, context))
        .collect();
    let (state, mut sentence) = state::state(&standing::standing(sighting, &hosts));
    // No verdict over all of it where a bound of ours kept the check from looking.
    if !sighting.measured.left_out.is_empty() {
        sentence = format!(
            "{}; not everything was looked at, see what was left out.",
            sentence.trim_end_matches('.')
        );
    }
    let mut report = Report {
        schema_version: SCHEMA_VERSION,
        program: options.program.to_owned(),
        domain: text::line(sighting.domain.as_str()),
        domain_unicode: unicode(sighting.domain.as_str()),
        began_at: sighting.began.0,
        elapsed_ms: sighting.elapsed_ms,
        state,
        sentence,
        senders: senders::senders(sighting, state),
        zones: sighting.zones.iter().map(zone).collect(),
        mx_lookup: mx_lookup(sighting),
        inconclusive: inconclusive(sighting, &hosts, state),
        hosts,
        sts: policies::sts(sighting),
        tls_rpt: policies::tls_rpt(sighting),
        findings: Vec::new(),
        notes: notes(sighting),
        forecast: crate::report::Forecast::default(),
        servers: servers::servers(&sighting.servers),
        certificates,
        lookups: (sighting.lookups.iter())
            .map(|seen| lookups::lookup(seen, sighting.began))
            .collect(),
        overrides: sighting
            .overrides
            .iter()
            .map(|one| text::line(one))
            .collect(),
        unproven: unproven(sighting),
        measured: measured(&sighting.measured),
    };
    report.findings = crate::lint::run(sighting, &report);
    report.forecast = crate::forecast::forecast(sighting, &report);
    report
}

fn unicode(domain: &str) -> Option<String> {
    let (unicode, outcome) = idna::domain_to_unicode(domain);
    (outcome.is_ok() && unicode != domain).then(|| text::line(&unicode))
}

fn zone(seen: &Zone) -> Zone {
    Zone {
        apex: match seen.apex.as_str() {
            "." => ".".to_owned(),
            apex => text::line(apex),
        },
        reason: seen.reason.as_deref().map(text::line),
        ..seen.clone()
    }
}

fn mx_lookup(sighting: &Sighting) -> Option<usize> {
    sighting.lookups.iter().position(|lookup| {
        lookup.question.record_type == RecordType::Mx && lookup.question.name == sighting.domain
    })
}

fn notes(sighting: &Sighting) -> Vec<crate::report::RuleFinding> {
    let dane = sighting
        .senders
        .iter()
        .find(|sender| sender.kind == SenderKind::Dane);
    dane.map(|sender| text::findings(&sender.findings))
        .unwrap_or_default()
}

/// Everything that could not be told and lies with us, one line each.
fn inconclusive(sighting: &Sighting, hosts: &[Host], state: State) -> Vec<String> {
    let mut lines = Vec::new();
    if let Blame::Ours(trouble) = &sighting.blame {
        lines.push(text::line(&format!("our own DNS: {trouble}")));
    } else if sighting.blame == Blame::Unknown && state == State::CouldNotTell && hosts.is_empty() {
        lines.push("whether our own DNS works could not be found out".to_owned());
    }
    for sender in &sighting.senders {
        if sender.route == RouteSighting::TimedOut && sender.kind == SenderKind::Dane {
            lines.push("the time for the questions to DNS was over".to_owned());
        }
    }
    for host in hosts {
        let untested = host
            .addresses
            .iter()
            .filter(|address| address.state == AddressState::Inconclusive);
        for address in untested {
            let why = address.reason.as_deref().unwrap_or("no reason is known");
            lines.push(format!("{}[{}]: {why}", host.mx_host, address.address));
        }
    }
    lines.truncate(text::MANY);
    lines
}

/// What no signature covers, when somebody else measured.
fn unproven(sighting: &Sighting) -> Vec<String> {
    if !sighting.replayed {
        return Vec::new();
    }
    let mut lines = vec![
        "what the servers said over SMTP, and that they said it at these addresses: no signature covers a dialogue"
            .to_owned(),
        "when it was measured, and how long it took".to_owned(),
    ];
    let unsigned = sighting.lookups.iter().filter(|lookup| {
        lookups::security(lookup.explained.answer.overall()) != crate::report::Security::Secure
    });
    for lookup in unsigned.take(text::MANY) {
        lines.push(text::line(&format!(
            "the answer to {}: it is not signed",
            lookup.question
        )));
    }
    if sighting.sts.fetch.is_some() {
        lines.push(
            "the MTA-STS policy: HTTPS leaves nothing behind that shows who sent it".to_owned(),
        );
    }
    lines
}

fn measured(seen: &Measured) -> Measured {
    Measured {
        helo: text::line(&seen.helo),
        left_out: seen
            .left_out
            .iter()
            .take(text::MANY)
            .map(|one| text::line(one))
            .collect(),
        ..seen.clone()
    }
}
