//! Sessions that say more about us, or about the moment, than about the server: what a checker must
//! not count as a fault of theirs. What a sender does is not touched by it.

use super::contact::NoConnection;
use crate::session::SessionResult;
use crate::tls::{HandshakeTrouble, TlsFailureCause};
use elsinore_smtp::client::{Cause, Failure, Phase};
use elsinore_smtp::reply::Reply;
use std::fmt;
use std::io;

/// Why a session settles nothing about the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inconclusive {
    /// What kind of trouble it was.
    pub reason: InconclusiveReason,
    /// Where the dialogue stood; `None` without a connection.
    pub phase: Option<Phase>,
    /// The reply code (RFC 5321 §4.2), where a reply is the reason.
    pub code: Option<u16>,
}

/// Kinds of trouble that settle nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InconclusiveReason {
    /// The address refuses connections.
    ConnectionRefused,
    /// No way to the address, from here.
    Unreachable,
    /// The connection or a reply did not come in time; a server that lets its clients wait on
    /// purpose is told apart from a slow one by nobody.
    TimedOut,
    /// The connection was closed before the server had said what it offers.
    Closed,
    /// 421: the server is closing (RFC 5321 §3.8).
    ServiceClosing,
    /// The server puts off clients that it does not know.
    Greylisted,
    /// The server does not want to hear us: our address, its name, or its reputation.
    Blocked,
    /// Another refusal for the time being, before anything was asked of the server.
    TemporaryRefusal,
    /// This program could not set the session up.
    OwnTrouble,
}

impl InconclusiveReason {
    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ConnectionRefused => "connection-refused",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed-out",
            Self::Closed => "closed",
            Self::ServiceClosing => "service-closing",
            Self::Greylisted => "greylisted",
            Self::Blocked => "blocked",
            Self::TemporaryRefusal => "temporary-refusal",
            Self::OwnTrouble => "own-trouble",
        }
    }
}

impl fmt::Display for InconclusiveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Inconclusive {
    /// One line for people, without full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            InconclusiveReason::ConnectionRefused => "the connection was refused",
            InconclusiveReason::Unreachable => "the address cannot be reached from here",
            InconclusiveReason::TimedOut => "no answer in time",
            InconclusiveReason::Closed => "the connection was closed before the server had spoken",
            InconclusiveReason::ServiceClosing => "the server is closing for the moment",
            InconclusiveReason::Greylisted => "the server puts off clients that it does not know",
            InconclusiveReason::Blocked => "the server does not want to hear us",
            InconclusiveReason::TemporaryRefusal => "the server refuses for the moment",
            InconclusiveReason::OwnTrouble => "this program could not set the session up",
        })?;
        match (self.phase, self.code) {
            (Some(phase), Some(code)) => write!(f, " ({phase}, {code})"),
            (Some(phase), None) => write!(f, " ({phase})"),
            (None, _) => Ok(()),
        }
    }
}

/// What a connection that was not made settles: nothing.
pub(super) const fn of_no_connection(trouble: &NoConnection) -> Inconclusive {
    Inconclusive {
        reason: match trouble.kind {
            io::ErrorKind::ConnectionRefused => InconclusiveReason::ConnectionRefused,
            io::ErrorKind::TimedOut => InconclusiveReason::TimedOut,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => InconclusiveReason::Closed,
            _ => InconclusiveReason::Unreachable,
        },
        phase: None,
        code: None,
    }
}

/// Why a session settles nothing; `None` when it does.
pub(super) fn of_session(result: &SessionResult) -> Option<Inconclusive> {
    if let Some(failure) = &result.tls_failure {
        let reason = match &failure.cause {
            TlsFailureCause::Local(_) => InconclusiveReason::OwnTrouble,
            TlsFailureCause::Handshake {
                trouble: HandshakeTrouble::Connection(io::ErrorKind::TimedOut),
                ..
            } => InconclusiveReason::TimedOut,
            TlsFailureCause::Refused(_)
            | TlsFailureCause::TooOld(_)
            | TlsFailureCause::Handshake { .. } => return None,
        };
        return Some(Inconclusive {
            reason,
            phase: Some(Phase::Handshake),
            code: None,
        });
    }
    of_failure(result.outcome.failure.as_ref()?)
}

fn of_failure(failure: &Failure) -> Option<Inconclusive> {
    let (reason, code) = match (&failure.cause, &failure.reply) {
        (Cause::TimedOut, _) => (InconclusiveReason::TimedOut, None),
        (Cause::ConnectionLost, _) if failure.phase <= Phase::Hello => {
            (InconclusiveReason::Closed, None)
        }
        (Cause::Refused | Cause::UnexpectedReply, Some(reply)) => {
            (of_reply(reply, failure.phase)?, Some(reply.code()))
        }
        _ => return None,
    };
    Some(Inconclusive {
        reason,
        phase: Some(failure.phase),
        code,
    })
}

/// What a refusal is about. Before MAIL there is neither sender nor message, so a policy (X.7.Z of
/// RFC 3463 §3.8) can only be about the client.
fn of_reply(reply: &Reply, phase: Phase) -> Option<InconclusiveReason> {
    if phase > Phase::StartTls {
        return None;
    }
    let text = reply.to_string().to_ascii_lowercase();
    // A name such as marbles.example in a refusal is no block list.
    let begins = |word: &str| {
        text.match_indices(word).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            before.is_none_or(|before| !before.is_alphanumeric())
        })
    };
    let has = |words: &[&str]| words.iter().any(|word| begins(word));
    let about_policy = reply.status().is_some_and(|status| status.subject == 7);
    let code = reply.code();
    if has(GREYLISTING) {
        return Some(InconclusiveReason::Greylisted);
    }
    if has(REPUTATION) || (phase <= Phase::Hello && about_policy && (400..600).contains(&code)) {
        return Some(InconclusiveReason::Blocked);
    }
    match code {
        421 => Some(InconclusiveReason::ServiceClosing),
        400..=499 => Some(InconclusiveReason::TemporaryRefusal),
        // "No SMTP service here" (RFC 5321 §3.1, RFC 7504) is an answer.
        _ => None,
    }
}

/// How servers call greylisting (RFC 6647).
const GREYLISTING: &[&str] = &[
    "greylist",
    "graylist",
    "grey-list",
    "gray-list",
    "greylisting",
];

/// How servers say that it is our address, its name or its standing that they mind.
const REPUTATION: &[&str] = &[
    "blacklist",
    "blocklist",
    "block list",
    "black list",
    "blocked",
    "dnsbl",
    "rbl",
    "spamhaus",
    "spamcop",
    "barracuda",
    "sorbs",
    "listed",
    "reputation",
    "your ip",
    "your address",
    "your host",
    "client host",
    "client address",
    "reverse dns",
    "rdns",
    "ptr record",
    "dynamic ip",
    "dynamic address",
    "residential",
    "too many connections",
    "connection rate",
    "rate limit",
    "throttl",
    "access denied",
    "banned",
];
