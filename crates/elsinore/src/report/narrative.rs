//! A delivery told to people: which host was tried, what it was obliged to, what happened, why.

use crate::output::{printable, wrapped};
use elsinore_dane::finding::Finding;
use elsinore_net::deliver::{
    Attempt, ObligationWord, Outcome, RecipientReport, SaidBy, SendReport, SessionSecurity,
};
use std::fmt::Write as _;
use std::sync::Arc;

/// The whole story, in lines of at most `width` columns where words allow it, or in whole lines.
/// Recipients that went the same way are told together. What is left to do stands last.
pub(crate) fn tell(report: &SendReport, width: Option<usize>) -> String {
    let text = whole_lines(report);
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for line in text.lines() {
        out.push_str(&wrapped(line, width));
        out.push('\n');
    }
    out
}

fn whole_lines(report: &SendReport) -> String {
    let mut text = String::new();
    let mut told: Vec<&Arc<Vec<Attempt>>> = Vec::new();
    for recipient in &report.recipients {
        if told
            .iter()
            .any(|attempts| Arc::ptr_eq(attempts, &recipient.attempts))
        {
            continue;
        }
        told.push(&recipient.attempts);
        for other in &report.recipients {
            if Arc::ptr_eq(&other.attempts, &recipient.attempts) {
                line(&mut text, 0, &headline(other));
            }
        }
        for finding in recipient.findings.iter() {
            line(&mut text, 2, &because(finding));
        }
        for attempt in recipient.attempts.iter() {
            tell_attempt(&mut text, attempt);
        }
    }
    if let Some(advice) = what_to_do(report) {
        line(&mut text, 0, &advice);
    }
    text
}

/// What is left to the reader when something was not delivered: whether to try again, and where
/// the findings are explained.
fn what_to_do(report: &SendReport) -> Option<String> {
    let ended = |outcome| report.recipients.iter().any(|one| one.outcome == outcome);
    let advice = match (ended(Outcome::Deferred), ended(Outcome::Bounced)) {
        (true, false) => "Deferred: send again later to the deferred recipients only.",
        (true, true) => "Deferred: send again later to these recipients only. Bounced: do not.",
        (false, true) => "Bounced: sending again will not help before the reason is gone.",
        (false, false) => return None,
    };
    let deferred_or_bounced = report
        .recipients
        .iter()
        .find(|one| one.outcome != Outcome::Delivered);
    let explained = deferred_or_bounced.and_then(|recipient| {
        let last = recipient.attempts.last();
        last.and_then(|attempt| attempt.findings.last())
            .or_else(|| recipient.findings.last())
    });
    Some(match explained {
        Some(finding) => format!("{advice} More: elsinore explain {}", finding.rule.id()),
        None => advice.to_owned(),
    })
}

/// One line: the recipient, the outcome, through whom, how secure.
fn headline(recipient: &RecipientReport) -> String {
    let mut text = format!("{}: {}", recipient.recipient, recipient.outcome);
    if let Some(session) = &recipient.session {
        let preposition = match recipient.outcome {
            Outcome::Delivered => "to",
            Outcome::Deferred | Outcome::Bounced => "by",
        };
        let _ = write!(
            text,
            " {preposition} {}[{}]:{}",
            session.mx_host, session.mx_address, session.port
        );
        if let Some(security) = session.security {
            let _ = write!(text, ", {}", in_words(security));
        }
    }
    if let Some(reply) = &recipient.reply {
        match reply.said_by {
            SaidBy::Server => {
                let _ = write!(text, " ({reply})");
            }
            SaidBy::Elsinore => {
                let _ = write!(text, ": {reply}");
            }
        }
    }
    text
}

fn tell_attempt(text: &mut String, attempt: &Attempt) {
    let mut heading = attempt.mx_host.clone();
    if let Some(address) = attempt.mx_address {
        let _ = write!(heading, "[{address}]");
    }
    let _ = write!(heading, ": {}", obliged(attempt.obligation));
    line(text, 2, &heading);
    for finding in &attempt.findings {
        line(text, 4, &because(finding));
    }
    if let Some(log_line) = &attempt.log_line {
        line(text, 4, log_line);
    }
    match &attempt.reason {
        Some(reason) => line(text, 4, &format!("{}: {reason}", attempt.outcome)),
        None => line(text, 4, attempt.outcome.word()),
    }
}

/// A rule with its citation, what it is about and the evidence.
fn because(finding: &Finding) -> String {
    let citation = finding.rule.citation();
    format!(
        "{} (RFC {} §{}) {}: {}",
        finding.rule.id(),
        citation.rfc,
        citation.section,
        finding.subject,
        finding.evidence
    )
}

const fn obliged(obligation: ObligationWord) -> &'static str {
    match obligation {
        ObligationWord::Skip => "not contacted",
        ObligationWord::None => "no TLS, as the administrator wants it",
        ObligationWord::May => "TLS if offered, nothing obliges to more",
        ObligationWord::Encrypt => "obliged to TLS, without authentication",
        ObligationWord::Dane => "obliged to TLS, authenticated by DANE",
        ObligationWord::DaneAndSts => "obliged to TLS, authenticated by DANE and as MTA-STS asks",
        ObligationWord::Sts => "obliged to TLS, authenticated as MTA-STS asks",
        ObligationWord::Secure => "obliged to TLS with a public certificate, by the administrator",
        ObligationWord::RequireTls => "obliged to TLS with a public certificate, by REQUIRETLS",
        ObligationWord::Fingerprint => "obliged to TLS with a pinned key, by the administrator",
    }
}

const fn in_words(security: SessionSecurity) -> &'static str {
    match security {
        SessionSecurity::Dane => "authenticated by DANE",
        SessionSecurity::DaneInsecureMx => {
            "authenticated by DANE as the host that insecure MX records name"
        }
        SessionSecurity::Sts => "authenticated as MTA-STS asks",
        SessionSecurity::Pinned => "authenticated by a pinned key",
        SessionSecurity::WebPki => "with a public certificate for the host",
        SessionSecurity::Encrypted => "encrypted, not authenticated",
        SessionSecurity::Plaintext => "in plaintext",
    }
}

fn line(text: &mut String, indent: usize, content: &str) {
    let _ = writeln!(text, "{:indent$}{}", "", printable(content));
}
