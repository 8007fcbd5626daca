//! What became of a message: one report per recipient, one attempt per address that was tried.
//!
//! The words are those of the JSON output, the logs and the metrics.

use super::account::{DomainAccount, TlsAccount};
use crate::tls::{Backend, TlsFacts};
pub use elsinore_dane::achieved::SecurityWord as SessionSecurity;
use elsinore_dane::finding::Finding;
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::SkipReason;
use elsinore_dane::time::UnixTime;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// What became of a recipient, or of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The server took responsibility: a 2xx reply after the final dot (RFC 5321 §4.2.5).
    Delivered,
    /// Not now: try again later.
    Deferred,
    /// Not at all: the sender must be told.
    Bounced,
}

impl Outcome {
    /// The word used in JSON, logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Deferred => "deferred",
            Self::Bounced => "bounced",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Everything [`Sender::send`](super::Sender::send) found out.
#[derive(Debug, Clone)]
pub struct SendReport {
    /// One entry per recipient, in the order of the envelope.
    pub recipients: Vec<RecipientReport>,
    /// When the last session ended.
    pub finished: UnixTime,
}

impl SendReport {
    /// The worst outcome of all recipients: deferred before bounced before delivered, which is
    /// the order of the exit codes.
    #[must_use]
    pub fn overall(&self) -> Outcome {
        let any = |outcome| self.recipients.iter().any(|r| r.outcome == outcome);
        if any(Outcome::Deferred) {
            Outcome::Deferred
        } else if any(Outcome::Bounced) {
            Outcome::Bounced
        } else {
            Outcome::Delivered
        }
    }
}

/// What became of one recipient.
#[derive(Debug, Clone)]
pub struct RecipientReport {
    /// The address as the envelope has it.
    pub recipient: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The session that decided: the one that delivered, or the last that said something about
    /// this recipient. `None` when no session was opened.
    pub session: Option<Arc<SessionFacts>>,
    /// The reply or the refusal that decided.
    pub reply: Option<ReplyText>,
    /// Whether somebody answered about this recipient, or nothing was left to try.
    pub decided: Decided,
    /// Every address tried for this recipient's domain, in order; a host that could not be
    /// contacted at all has one entry without an address.
    pub attempts: Arc<Vec<Attempt>>,
    /// What was noticed about the domain as a whole.
    pub findings: Arc<Vec<Finding>>,
    /// What reports about TLS say of the domain as a whole (RFC 8460).
    pub account: Arc<DomainAccount>,
}

/// What decided about a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decided {
    /// An answer about the message or this recipient.
    Answer,
    /// No host was left to try: it says something about the domain or our network, and nothing about
    /// this recipient.
    NothingLeft,
}

/// One reply, or a local refusal in the form of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyText {
    /// The reply code (RFC 5321 §4.2); for a local refusal 450 or 550.
    pub code: u16,
    /// The enhanced status (RFC 3463), if the server gave one or we did.
    pub enhanced: Option<String>,
    /// The text, its lines joined by spaces; a stranger's text, bounded and printable.
    pub text: String,
    /// Who said it.
    pub said_by: SaidBy,
}

/// Who said a [`ReplyText`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SaidBy {
    /// The remote server.
    Server,
    /// This program.
    Elsinore,
}

impl fmt::Display for ReplyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = &self.enhanced {
            write!(f, " {enhanced}")?;
        }
        write!(f, " {}", self.text)
    }
}

/// One address of one host, or a host that could not be tried.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The name in the MX record, never an alias target.
    pub mx_host: String,
    /// The address dialled; `None` when the host was not contacted.
    pub mx_address: Option<IpAddr>,
    /// What the session was obliged to.
    pub obligation: ObligationWord,
    /// How it ended, for the recipients that were tried here.
    pub outcome: Outcome,
    /// What stood in the way, in one line for people; `None` when it delivered.
    pub reason: Option<String>,
    /// Why the host was not contacted, where that is what stood in the way.
    pub skipped: Option<SkipReason>,
    /// What was noticed, host and session.
    pub findings: Vec<Finding>,
    /// The session, if a connection was made.
    pub session: Option<Arc<SessionFacts>>,
    /// The line Postfix would log about the TLS session.
    pub log_line: Option<String>,
    /// What reports about TLS say of this attempt (RFC 8460).
    pub account: TlsAccount,
}

/// The word for an obligation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObligationWord {
    /// The host's security could not be found out.
    Skip,
    /// TLS is not attempted.
    None,
    /// TLS if offered.
    May,
    /// TLS always, unauthenticated.
    Encrypt,
    /// DANE authenticates.
    Dane,
    /// DANE and MTA-STS both bind.
    DaneAndSts,
    /// An enforced MTA-STS policy.
    Sts,
    /// The administrator wants a WebPKI certificate.
    Secure,
    /// The message itself wants an authenticated server (REQUIRETLS, RFC 8689 §4.2.1).
    RequireTls,
    /// The administrator pinned digests.
    Fingerprint,
}

impl ObligationWord {
    /// The word used in JSON and logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::None => "none",
            Self::May => "may",
            Self::Encrypt => "encrypt",
            Self::Dane => "dane",
            Self::DaneAndSts => "dane+sts",
            Self::Sts => "sts",
            Self::Secure => "secure",
            Self::RequireTls => "requiretls",
            Self::Fingerprint => "fingerprint",
        }
    }
}

impl fmt::Display for ObligationWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The facts of one session.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    /// The name in the MX record.
    pub mx_host: String,
    /// The address dialled.
    pub mx_address: IpAddr,
    /// The TCP port.
    pub port: u16,
    /// What was achieved by obligation; `None` when the session did not get that far.
    pub security: Option<SessionSecurity>,
    /// The TLSA base domain, when DANE was obliged.
    pub tlsa_base_domain: Option<DomainName>,
    /// The server name sent, if one was.
    pub sni: Option<DomainName>,
    /// The TLS session, if there was one.
    pub tls: Option<TlsFacts>,
    /// The TLSA record that matched.
    pub matched: Option<MatchedTlsa>,
    /// Whether the server offered DSN last: it then tells the sender of the delivery itself where that
    /// was asked for (RFC 3461 §5.2.1).
    pub offers_dsn: bool,
    /// Which message of its connection this was: from 2 on the connection was made for an earlier
    /// one, under the same demand.
    pub transaction: u32,
}

/// The TLSA record that authenticated a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MatchedTlsa {
    /// Certificate usage (RFC 6698 §2.1.1).
    pub usage: u8,
    /// Selector (RFC 6698 §2.1.2).
    pub selector: u8,
    /// Matching type (RFC 6698 §2.1.3).
    pub matching_type: u8,
    /// Depth in the verified path at which it matched; 0 is the server's certificate.
    pub depth: usize,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
