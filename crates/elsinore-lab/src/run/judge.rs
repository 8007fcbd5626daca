//! Expectation and result, compared: what the sender reports, what the mail servers saw, what the
//! name servers were asked.

use super::CaseResult;
use crate::receiver::ReceivedMessage;
use crate::running::LoggedQuery;
use crate::scenario::{Case, Scenario};
use crate::world::World;
use elsinore_net::deliver::{Attempt, RecipientReport, SendReport};
use std::collections::BTreeSet;

/// Outcome and security as a case expects them.
pub(super) fn expected_words(case: &Case) -> String {
    match &case.expect.security {
        Some(security) => format!("{} {security}", case.expect.outcome),
        None => case.expect.outcome.clone(),
    }
}

/// Fills in what was got and every difference.
pub(super) fn judge(
    world: &World,
    scenario: &Scenario,
    case: &Case,
    report: &SendReport,
    queries: &[LoggedQuery],
    result: &mut CaseResult,
) {
    let mut judge = Judge {
        case,
        differences: Vec::new(),
    };
    let messages: Vec<ReceivedMessage> = (world.receivers_of(&scenario.id))
        .flat_map(|(_, placed)| placed.host.mailbox().messages())
        .collect();
    judge.outcomes(report);
    if let Some(first) = report.recipients.first() {
        result.got = got_words(first);
        result.reason = reason(first);
        judge.session(first);
        judge.attempts(&first.attempts);
        judge.findings(first);
    }
    judge.messages(report, &messages);
    judge.questions(queries);
    for name in &case.expect.not_contacted {
        let contacted = (world.receiver(&scenario.id, name))
            .is_some_and(|placed| !placed.host.mailbox().connections().is_empty());
        if contacted {
            judge.differences.push(format!("{name} was contacted"));
        }
    }
    result.differences = judge.differences;
}

fn got_words(first: &RecipientReport) -> String {
    let security = (first.session.as_ref())
        .and_then(|session| session.security)
        .filter(|_| first.outcome.word() == "delivered");
    match security {
        Some(security) => format!("{} {}", first.outcome.word(), security.word()),
        None => first.outcome.word().to_owned(),
    }
}

/// How it was delivered, or what stood in the way at the last host.
fn reason(first: &RecipientReport) -> String {
    let said = || {
        let reply = first.reply.as_ref();
        reply.map(ToString::to_string).unwrap_or_default()
    };
    if first.outcome.word() == "delivered" {
        return (first.attempts.last()).map_or_else(said, success);
    }
    let trouble = first.attempts.iter().rev().find_map(|attempt| {
        let reason = attempt.reason.as_deref()?;
        Some(format!("{}: {reason}", attempt.mx_host))
    });
    trouble.unwrap_or_else(said)
}

/// The obligation met and the TLS it was met with.
fn success(attempt: &Attempt) -> String {
    let mut text = format!("obligation {}: ", attempt.obligation.word());
    let session = attempt.session.as_deref();
    match session.and_then(|session| session.tls.as_ref()) {
        Some(tls) => text.push_str(&format!("{} ({})", tls.version, tls.backend)),
        None => text.push_str("no TLS"),
    }
    if let Some(one) = session.and_then(|session| session.matched) {
        text.push_str(&format!(
            ", {} {} {} matched at depth {}",
            one.usage, one.selector, one.matching_type, one.depth
        ));
    }
    format!("{text}, {}", attempt.mx_host)
}

struct Judge<'a> {
    case: &'a Case,
    differences: Vec<String>,
}

impl Judge<'_> {
    fn compare(&mut self, what: &str, expected: Option<&str>, got: Option<&str>) {
        let Some(expected) = expected else { return };
        let got = got.unwrap_or_default();
        if expected != got {
            self.differences
                .push(format!("{what}: expected \"{expected}\", got \"{got}\""));
        }
    }

    fn outcomes(&mut self, report: &SendReport) {
        let expect = &self.case.expect;
        for one in &report.recipients {
            let expected = (expect.recipients.get(&one.recipient)).unwrap_or(&expect.outcome);
            let what = format!("outcome of {}", one.recipient);
            self.compare(&what, Some(expected), Some(one.outcome.word()));
        }
        for named in expect.recipients.keys() {
            if !report.recipients.iter().any(|one| &one.recipient == named) {
                self.differences
                    .push(format!("{named} is not in the report"));
            }
        }
    }

    fn session(&mut self, first: &RecipientReport) {
        let expect = &self.case.expect;
        let session = first.session.as_deref();
        let security = session
            .and_then(|session| session.security)
            .map(|word| word.word());
        self.compare("security", expect.security.as_deref(), security);
        let mx_host = session.map(|session| session.mx_host.as_str());
        self.compare("mx_host", expect.mx_host.as_deref(), mx_host);
        let base = session.and_then(|session| session.tlsa_base_domain.as_ref());
        self.compare(
            "tlsa_base_domain",
            expect.tlsa_base_domain.as_deref(),
            base.map(|name| name.as_str()),
        );
        let matched = session.and_then(|session| session.matched);
        let triple =
            matched.map(|one| format!("{} {} {}", one.usage, one.selector, one.matching_type));
        self.compare("matched", expect.matched.as_deref(), triple.as_deref());
        let expected_depth = expect.depth.map(|depth| depth.to_string());
        let depth = matched.map(|one| one.depth.to_string());
        self.compare("depth", expected_depth.as_deref(), depth.as_deref());
        let backend = session
            .and_then(|session| session.tls.as_ref())
            .map(|tls| tls.backend.word());
        self.compare("backend", expect.backend.as_deref(), backend);
        if let Some(expected) = &expect.reply {
            let said = first
                .reply
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            if !said.split_whitespace().any(|word| word == expected) {
                self.differences
                    .push(format!("reply: expected \"{expected}\", got \"{said}\""));
            }
        }
    }

    fn attempts(&mut self, attempts: &[Attempt]) {
        let Some(expected) = &self.case.expect.attempts else {
            return;
        };
        let got: Vec<[&str; 3]> = (attempts.iter())
            .map(|one| {
                [
                    one.mx_host.as_str(),
                    one.obligation.word(),
                    one.outcome.word(),
                ]
            })
            .collect();
        let fits = |pattern: &String, got: &[&str; 3]| {
            (pattern.split_whitespace())
                .zip(got)
                .all(|(word, got)| word == "*" || word == *got)
        };
        let all_fit = expected.len() == got.len()
            && expected
                .iter()
                .zip(&got)
                .all(|(pattern, got)| fits(pattern, got));
        if !all_fit {
            let got: Vec<String> = got.iter().map(|words| words.join(" ")).collect();
            self.differences
                .push(format!("attempts: expected {expected:?}, got {got:?}"));
        }
    }

    fn findings(&mut self, first: &RecipientReport) {
        let ids: BTreeSet<&str> = (first.findings.iter())
            .chain(first.attempts.iter().flat_map(|attempt| &attempt.findings))
            .map(|finding| finding.rule.id())
            .collect();
        for expected in &self.case.expect.findings {
            if !ids.contains(expected.as_str()) {
                self.differences
                    .push(format!("no finding {expected} among {ids:?}"));
            }
        }
    }

    fn messages(&mut self, report: &SendReport, messages: &[ReceivedMessage]) {
        let expect = &self.case.expect;
        let expected = expect
            .messages
            .unwrap_or(usize::from(expect.outcome == "delivered"));
        if messages.len() != expected {
            self.differences.push(format!(
                "expected {expected} stored messages, found {}",
                messages.len()
            ));
        }
        for one in &report.recipients {
            let path = format!("<{}>", one.recipient);
            let copies = (messages.iter())
                .filter(|message| message.recipients.iter().any(|rcpt| rcpt.contains(&path)))
                .count();
            if one.outcome.word() == "delivered" && copies != 1 {
                self.differences
                    .push(format!("{} has {copies} copies", one.recipient));
            }
        }
        if let (Some(expected), Some(message)) = (&expect.sni, messages.first()) {
            let sni = message.tls.as_ref().and_then(|tls| tls.sni.as_deref());
            self.compare("sni", Some(expected), sni);
        }
        for text in &expect.received {
            let there = (messages.iter())
                .any(|message| String::from_utf8_lossy(&message.octets).contains(text));
            if !there {
                self.differences
                    .push(format!("no stored message holds \"{text}\""));
            }
        }
        for parameter in &expect.received_parameters {
            let there = (messages.iter()).any(|message| {
                message
                    .sender
                    .split_whitespace()
                    .any(|word| word == parameter)
            });
            if !there {
                self.differences
                    .push(format!("no MAIL command had {parameter}"));
            }
        }
    }

    fn questions(&mut self, queries: &[LoggedQuery]) {
        let was_asked = |text: &str| {
            queries.iter().any(|query| {
                let question = &query.question;
                text.split_once(' ').is_some_and(|(name, record_type)| {
                    question.name.as_str() == name
                        && (record_type == "*" || question.record_type.to_string() == record_type)
                })
            })
        };
        for text in &self.case.expect.not_asked {
            if was_asked(text) {
                self.differences.push(format!("{text} was asked"));
            }
        }
        for text in &self.case.expect.asked {
            if !was_asked(text) {
                self.differences.push(format!("{text} was not asked"));
            }
        }
    }
}
