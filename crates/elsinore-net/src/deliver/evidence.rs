//! What a session showed: its findings, the words for it, and what the ladder makes of a failure.

use super::domain::ours;
use super::mismatch;
use super::report::{MatchedTlsa, ObligationWord, ReplyText, SaidBy, SessionFacts};
use crate::session::{SessionResult, TlsRecord};
use crate::tls::judge::Refusal;
use crate::tls::{Backend, HandshakeTrouble, KeyProof, TlsFacts, TlsFailure, TlsFailureCause};
use elsinore_dane::achieved::{
    Achieved, Channel, LogWord, ObligationVerdict, WebPkiVerdict, achieved,
};
use elsinore_dane::finding::Finding;
use elsinore_dane::ladder::{ConnectionFailure, HandshakeProgress, ReplyClass};
use elsinore_dane::obligation::{Obligation, WebPkiReason};
use elsinore_dane::plan::HostPlan;
use elsinore_dane::rule::Rule;
use elsinore_smtp::client::{
    Cause, Event, Failure, Outlook, Phase, RecipientResult, SessionOutcome,
};
use elsinore_smtp::reply::Reply;
use elsinore_smtp::status::StatusClass;
use std::net::{IpAddr, SocketAddr};

/// Findings of one kind that are kept per session: a server cannot fill a report.
const OF_A_KIND: usize = 10;

/// The word for an obligation, as `send` reports it.
#[must_use]
pub fn obligation_word(obligation: &Obligation) -> ObligationWord {
    let requirements = match obligation {
        Obligation::Skip(_) => return ObligationWord::Skip,
        Obligation::Cleartext => return ObligationWord::None,
        Obligation::Opportunistic => return ObligationWord::May,
        Obligation::Encrypt => return ObligationWord::Encrypt,
        Obligation::Authenticate(requirements) => requirements,
    };
    let because = requirements.webpki.as_ref().map(|webpki| webpki.because);
    match (&requirements.dane, &requirements.pins, because) {
        (Some(_), _, Some(WebPkiReason::Sts)) => ObligationWord::DaneAndSts,
        (Some(_), _, _) => ObligationWord::Dane,
        (None, Some(_), _) => ObligationWord::Fingerprint,
        (None, None, Some(WebPkiReason::Sts)) => ObligationWord::Sts,
        (None, None, Some(WebPkiReason::RequireTls)) => ObligationWord::RequireTls,
        (None, None, Some(WebPkiReason::Administrator) | None) => ObligationWord::Secure,
    }
}

/// Whether a server that refuses our SNI may be asked again without it: not where a standard
/// says that the name must be sent, DANE (RFC 7672 §8.1) and MTA-STS (RFC 8461 §7.1).
pub(super) fn may_withhold_sni(obligation: &Obligation) -> bool {
    match obligation {
        Obligation::Skip(_) | Obligation::Cleartext => false,
        Obligation::Opportunistic | Obligation::Encrypt => true,
        Obligation::Authenticate(requirements) => {
            requirements.dane.is_none() && !owes_sts(obligation)
        }
    }
}

/// Whether the server made it fatal that it does not know the name we sent.
pub(super) fn refuses_sni(result: &SessionResult) -> bool {
    result.tls_failure.as_ref().is_some_and(|failure| {
        matches!(
            failure.cause,
            TlsFailureCause::Handshake {
                trouble: HandshakeTrouble::UnrecognisedName,
                ..
            }
        )
    })
}

/// Whether an enforced MTA-STS policy is part of the obligation.
pub(super) fn owes_sts(obligation: &Obligation) -> bool {
    matches!(
        obligation_word(obligation),
        ObligationWord::Sts | ObligationWord::DaneAndSts
    )
}

/// What the session is worth; only sessions that met their obligation come here.
pub(super) fn worth(obligation: &Obligation, tls: Option<&TlsRecord>) -> Achieved {
    let channel = match tls {
        None => Channel::Cleartext,
        Some(tls) if tls.handshake.chain.is_empty() => Channel::Anonymous,
        Some(tls) => Channel::Certificate {
            obligation: ObligationVerdict::Met,
            webpki: match (&tls.proofs.webpki, &tls.proofs.webpki_chain) {
                (Some(_), _) => WebPkiVerdict::NameAndChain,
                (None, Some(_)) => WebPkiVerdict::ChainOnly,
                (None, None) => WebPkiVerdict::Invalid,
            },
        },
    };
    achieved(obligation, channel)
}

/// The facts of a session. `security` stays open unless the session came to its transaction.
pub(super) fn facts(
    plan: &HostPlan,
    address: IpAddr,
    result: Option<&SessionResult>,
) -> SessionFacts {
    let dane = match &plan.obligation {
        Obligation::Authenticate(requirements) => requirements.dane.as_ref(),
        Obligation::Skip(_)
        | Obligation::Cleartext
        | Obligation::Opportunistic
        | Obligation::Encrypt => None,
    };
    let tls = result.and_then(|result| result.tls.as_ref());
    let security = result
        .filter(|result| met(result))
        .map(|_| worth(&plan.obligation, tls).security);
    SessionFacts {
        mx_host: plan.mx_host.clone(),
        mx_address: address,
        port: plan.port,
        security,
        tlsa_base_domain: dane.map(|dane| dane.base_domain.clone()),
        sni: plan.sni.clone(),
        tls: tls.map(|tls| tls.handshake.facts.clone()),
        matched: tls
            .and_then(|tls| tls.proofs.dane.as_ref())
            .map(|matched| MatchedTlsa {
                usage: matched.usage().code(),
                selector: matched.selector().code(),
                matching_type: matched.matching_type().code(),
                depth: matched.depth(),
            }),
        offers_dsn: result
            .and_then(|result| result.outcome.capabilities.as_ref())
            .is_some_and(|capabilities| capabilities.dsn),
        transaction: result.map_or(1, |result| result.transaction),
    }
}

/// Whether the session met its obligation and went on to MAIL, or to QUIT where MAIL would come.
pub(super) fn met(result: &SessionResult) -> bool {
    result.tls_failure.is_none() && came_to_transaction(&result.outcome)
}

fn came_to_transaction(outcome: &SessionOutcome) -> bool {
    match &outcome.failure {
        None => true,
        Some(failure) => failure.phase >= Phase::Mail,
    }
}

/// Whether a final dot was sent and never answered.
fn is_uncertain(outcome: &SessionOutcome) -> bool {
    let unanswered = |failure: &Failure| failure.outlook == Outlook::Uncertain;
    outcome.failure.as_ref().is_some_and(unanswered)
        || outcome.recipients.iter().any(|entry| match &entry.result {
            RecipientResult::Delivered(_) => false,
            RecipientResult::Failed(failure) => unanswered(failure),
        })
}

/// The line Postfix logs about a TLS session (its words, because operators search their logs for
/// them).
pub(super) fn log_line(
    plan: &HostPlan,
    address: IpAddr,
    (tls, transaction): (&TlsRecord, u32),
) -> Option<String> {
    let done = if transaction > 1 {
        "reused"
    } else {
        "established"
    };
    let word = worth(&plan.obligation, Some(tls)).log_word?;
    let facts = &tls.handshake.facts;
    Some(connection_line((word, done), plan, address, facts))
}

/// The line about a session whose server was refused when the handshake was complete: untrusted,
/// and why. A handshake that was never completed has none.
pub(super) fn refused_line(
    plan: &HostPlan,
    address: IpAddr,
    failure: &TlsFailure,
) -> Option<String> {
    let facts = &failure.established.as_ref()?.facts;
    let line = connection_line((LogWord::Untrusted, "established"), plan, address, facts);
    Some(format!("{line}: not used: {failure}"))
}

fn connection_line(
    (word, done): (LogWord, &str),
    plan: &HostPlan,
    address: IpAddr,
    facts: &TlsFacts,
) -> String {
    let mut line = format!(
        "{} TLS connection {done} to {}[{address}]:{}: {} with cipher {} ({bits}/{bits} bits)",
        word.word(),
        plan.mx_host,
        plan.port,
        facts.version,
        facts.cipher,
        bits = facts.cipher_bits,
    );
    if let Some(group) = &facts.group {
        line.push_str(" key-exchange ");
        line.push_str(group);
    }
    line
}

/// What the ladder is told; `None` when the server spoke to us and the recipients have their
/// answers.
pub(super) fn connection_failure(result: &SessionResult) -> Option<ConnectionFailure> {
    if let Some(failure) = &result.tls_failure {
        return Some(match &failure.cause {
            TlsFailureCause::Refused(_) | TlsFailureCause::TooOld(_) => {
                ConnectionFailure::VerificationRejected
            }
            TlsFailureCause::Handshake {
                trouble:
                    HandshakeTrouble::Connection(_)
                    | HandshakeTrouble::Alert
                    | HandshakeTrouble::UnrecognisedName,
                ..
            }
            | TlsFailureCause::Local(_) => {
                ConnectionFailure::HandshakeFailed(HandshakeProgress::BeforeServerHello)
            }
            TlsFailureCause::Handshake {
                trouble: HandshakeTrouble::NoCertificate | HandshakeTrouble::Protocol,
                ..
            } => ConnectionFailure::HandshakeFailed(HandshakeProgress::AfterServerHello),
        });
    }
    let failure = result.outcome.failure.as_ref()?;
    // The end of the message was sent: whatever happened, its recipients have their answers.
    if is_uncertain(&result.outcome) {
        return None;
    }
    let inside = result.outcome.inside_tls;
    Some(match &failure.cause {
        Cause::TlsNotOffered => ConnectionFailure::StarttlsNotOffered,
        Cause::TlsRefused => ConnectionFailure::StarttlsRefused(class(failure)),
        Cause::RequireTlsNotOffered | Cause::RequireTlsWithoutTls => {
            ConnectionFailure::RequireTlsNotOffered
        }
        Cause::Refused => ConnectionFailure::Refused(class(failure)),
        _ if inside => ConnectionFailure::LostInsideTls,
        Cause::MalformedReply(_) | Cause::OutOfStep | Cause::UnexpectedReply => {
            ConnectionFailure::NotSmtp
        }
        _ => ConnectionFailure::LostBeforeTls,
    })
}

fn class(failure: &Failure) -> ReplyClass {
    match failure.outlook {
        Outlook::Permanent => ReplyClass::Permanent,
        Outlook::Temporary | Outlook::Uncertain => ReplyClass::Transient,
    }
}

/// Why the session did not come to its transaction, in one line.
pub(super) fn reason(result: &SessionResult) -> String {
    match (&result.tls_failure, &result.outcome.failure) {
        (Some(failure), _) => failure.to_string(),
        (None, Some(failure)) => failure.to_string(),
        (None, None) => String::new(),
    }
}

/// The same as a reply: the server's own words, or ours.
pub(super) fn refusal_text(result: &SessionResult) -> ReplyText {
    match (&result.tls_failure, &result.outcome.failure) {
        (None, Some(failure)) => failure_text(failure),
        (Some(_), _) | (None, None) => ours(450, "4.7.5", &reason(result)),
    }
}

/// What the session showed, as findings about `peer`.
pub(super) fn findings(plan: &HostPlan, peer: SocketAddr, result: &SessionResult) -> Vec<Finding> {
    let subject = format!("{}[{}]:{}", plan.mx_host, peer.ip(), peer.port());
    let mut found: Vec<Finding> = Vec::new();
    for event in &result.outcome.events {
        let Some(rule) = rule_of(event) else { continue };
        if found.iter().filter(|finding| finding.rule == rule).count() < OF_A_KIND {
            found.push(Finding::new(rule, subject.clone(), event.to_string()));
        }
    }
    let mut note =
        |rule, evidence: String| found.push(Finding::new(rule, subject.clone(), evidence));
    if let Some(failure) = &result.tls_failure {
        note(rule_of_tls(failure), mismatch::evidence(plan, failure));
    } else if let Some(failure) = &result.outcome.failure {
        let rule = match &failure.cause {
            _ if is_uncertain(&result.outcome) => Rule::OutcomeUnknown,
            Cause::TlsNotOffered => Rule::StarttlsMissing,
            Cause::TlsRefused => Rule::StarttlsRefused,
            Cause::RequireTlsNotOffered | Cause::RequireTlsWithoutTls => Rule::RequireTlsMissing,
            _ => Rule::ServerUnavailable,
        };
        note(rule, failure.to_string());
    }
    match &result.tls {
        Some(tls) => {
            let facts = &tls.handshake.facts;
            if facts.backend == Backend::OpenSsl {
                note(
                    Rule::LegacyTls,
                    format!("{} with cipher {}", facts.version, facts.cipher),
                );
            }
            if tls.handshake.chain.is_empty() {
                note(Rule::TlsKeyUnproven, "no certificate was sent".to_owned());
            } else if tls.handshake.key_proof == KeyProof::Missing {
                note(
                    Rule::TlsKeyUnproven,
                    "the signature of the handshake does not verify with the key of the \
                     certificate"
                        .to_owned(),
                );
            }
        }
        None if met(result) => note(
            Rule::CleartextSession,
            "the message was offered without TLS".to_owned(),
        ),
        None => {}
    }
    found
}

const fn rule_of(event: &Event) -> Option<Rule> {
    match event {
        Event::TextBehindStartTls { .. } => Some(Rule::TextBehindStarttls),
        Event::StartTlsRefused { .. } => Some(Rule::StarttlsRefused),
        Event::StartTlsOfferedInsideTls => Some(Rule::StarttlsInsideTls),
        Event::OddReply { .. }
        | Event::MalformedSize
        | Event::UnsolicitedReply { .. }
        | Event::DataWithoutRecipients => Some(Rule::OddReply),
        Event::Converted { .. } | Event::LongLinesByChunking { .. } => Some(Rule::MessageConverted),
        // The rest is the ordinary course of a session and stands in its transcript.
        _ => None,
    }
}

const fn rule_of_tls(failure: &TlsFailure) -> Rule {
    match &failure.cause {
        TlsFailureCause::Refused(Refusal::Dane { .. } | Refusal::DaneNoUsable) => {
            Rule::TlsaMismatch
        }
        TlsFailureCause::Refused(Refusal::WebPki(_)) => Rule::WebPkiInvalid,
        TlsFailureCause::Refused(Refusal::Pins(_)) => Rule::PinMismatch,
        TlsFailureCause::Refused(Refusal::Signature) => Rule::TlsKeyUnproven,
        TlsFailureCause::Handshake { .. }
        | TlsFailureCause::TooOld(_)
        | TlsFailureCause::Local(_) => Rule::TlsHandshakeFailed,
    }
}

/// A server's reply in the form of the report.
pub(super) fn reply_text(reply: &Reply) -> ReplyText {
    ReplyText {
        code: reply.code(),
        enhanced: reply.status().map(|status| status.to_string()),
        text: without_status(reply),
        said_by: SaidBy::Server,
    }
}

/// The text of all lines without the enhanced status that each may repeat.
fn without_status(reply: &Reply) -> String {
    let status = reply.status().map(|status| status.to_string());
    let lines: Vec<&str> = reply
        .lines()
        .iter()
        .map(|line| {
            status
                .as_deref()
                .and_then(|status| line.strip_prefix(status))
                .map_or(line.as_str(), str::trim_start)
        })
        .collect();
    lines.join(" ")
}

/// A failure in the form of a reply: the server's own words, or ours.
pub(super) fn failure_text(failure: &Failure) -> ReplyText {
    if let Some(reply) = &failure.reply {
        return reply_text(reply);
    }
    let permanent = failure.status.class == StatusClass::Permanent;
    ReplyText {
        code: if permanent { 550 } else { 450 },
        enhanced: Some(failure.status.to_string()),
        text: failure.to_string(),
        said_by: SaidBy::Elsinore,
    }
}
