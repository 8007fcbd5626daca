//! The chain of trust as a rail: from the root of DNS down to the certificate that a TLSA record
//! matches, one [`Node`] after the other.
//!
//! ```text
//! root ─ TLD ─ domain ─ MX set ┬─ lane of a host: aliases, TLSA base with its records,
//!                              │    └─ addresses ─ sessions ─ certificates ◀─ records
//!                              └─ lane of the next host …
//! ```
//!
//! [`Rail::of`] makes it from a [`Report`] alone and decides nothing: it puts what the report says
//! into the order in which trust is handed on, and folds what looks the same. A terminal, a picture
//! and a page are drawn from the same rail. A trouble stands on the connector above the node at
//! which trust ends. Texts are as in the report: each view escapes for its medium.

mod fold;
mod lane;
mod outline;
mod remedy;
mod stem;
mod svg;
mod wording;

pub use outline::Item;
pub use svg::{STYLE, SvgForm, svg};
pub(crate) use wording::{date, moment, shortened, span};

use crate::report::{Report, Security, State};

/// The whole picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rail {
    /// The domain, A-labels.
    pub domain: String,
    /// The verdict.
    pub state: State,
    /// The verdict in one sentence.
    pub sentence: String,
    /// Zones from the root down, aliases of the domain, and the MX set last.
    pub stem: Vec<Node>,
    /// MX hosts by preference, alike ones folded.
    pub lanes: Vec<Lane>,
}

/// One station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Identifier, unique in the rail and the same for the same report: `[a-z0-9-]+`.
    pub id: String,
    /// Where the evidence for it stands in a page made from the report: `zone-0`, `lookup-3`,
    /// `host-1`, `tlsa-1-0`, `address-1-0`, `session-1-0-2`, or `certificate-` with the first 16
    /// hexadecimal digits of its SHA-256. The numbers are places in the report's lists.
    pub anchor: Option<String>,
    /// What it is.
    pub kind: NodeKind,
    /// Its state as a sign.
    pub mark: Mark,
    /// Its state in a word or two.
    pub word: String,
    /// Its name.
    pub title: String,
    /// What else is worth reading, one line each.
    pub notes: Vec<String>,
    /// What breaks trust on the way to it.
    pub trouble: Option<Trouble>,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// A zone of DNS.
    Zone,
    /// One link of an alias chain.
    Alias,
    /// The MX set of the domain.
    MxSet,
    /// An MX host.
    Host,
    /// A TLSA base domain that was considered.
    Base,
    /// A TLSA record.
    Record,
    /// One or more addresses that behave the same.
    Addresses,
    /// One or more sessions that went the same way.
    Session,
    /// A certificate.
    Certificate,
}

impl NodeKind {
    /// The word for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Zone => "zone",
            Self::Alias => "alias",
            Self::MxSet => "MX set",
            Self::Host => "MX host",
            Self::Base => "TLSA base",
            Self::Record => "TLSA record",
            Self::Addresses => "address",
            Self::Session => "TLS session",
            Self::Certificate => "certificate",
        }
    }
}

/// The sign of a state: each view gives it a shape of its own, never colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// Neither good nor bad: not needed, not asked, to come.
    Plain,
    /// Trust is handed on.
    Good,
    /// It works without, or with less, protection.
    Weak,
    /// Nobody can say.
    Unknown,
    /// Trust ends here.
    Bad,
}

impl Mark {
    /// The word used in class names.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Weak => "weak",
            Self::Unknown => "unknown",
            Self::Bad => "bad",
        }
    }

    const fn of_security(security: Security) -> Self {
        match security {
            Security::Secure => Self::Good,
            Security::Insecure => Self::Weak,
            Security::Indeterminate => Self::Unknown,
            Security::Bogus => Self::Bad,
        }
    }
}

/// What breaks trust between two nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What is wrong, in one line.
    pub reason: String,
    /// What mends it, in one line, where a finding says so.
    pub fix: Option<String>,
    /// Place of that finding in `Report::findings`.
    pub finding: Option<usize>,
}

/// The way to one MX host, or to several that look the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// The host, with the place in the report's list of hosts.
    pub host: Node,
    /// The same for each host that looks like it and is not drawn: its lane would be this one with
    /// other names.
    pub twins: Vec<Node>,
    /// Zones that hold the host's name and are not on the stem, joined.
    pub zones: Vec<Node>,
    /// Alias links from the host's name.
    pub aliases: Vec<Node>,
    /// TLSA base domains considered, in order.
    pub bases: Vec<Base>,
    /// Addresses, those that behave the same together.
    pub branches: Vec<Branch>,
}

/// A TLSA base domain; the one in force has records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The base.
    pub node: Node,
    /// The records found there, when it is in force.
    pub chips: Vec<Chip>,
}

/// A TLSA record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chip {
    /// A letter, unique in its lane, by which certificates refer to it.
    pub letter: String,
    /// The record.
    pub node: Node,
}

/// Addresses that behave the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// The addresses; the anchor is that of the first.
    pub node: Node,
    /// What was met there.
    pub sessions: Vec<SessionLane>,
}

/// Sessions that went the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLane {
    /// The session.
    pub node: Node,
    /// The chain as sent, leaf first; empty when the same chain is drawn above.
    pub certificates: Vec<Card>,
}

/// A certificate with the records that match it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The certificate.
    pub node: Node,
    /// Wires to records.
    pub wires: Vec<ChipWire>,
}

/// One wire from a record to a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipWire {
    /// The record's letter.
    pub letter: String,
    /// Whether the verifier accepted the chain by it; else its data match and the rest does not
    /// hold.
    pub accepted: bool,
}

impl Rail {
    /// The rail of a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let stem_zones = stem::zones(report);
        let lanes = (0..report.hosts.len())
            .filter_map(|at| lane::lane(report, at, &stem_zones))
            .collect();
        Self {
            domain: report.domain.clone(),
            state: report.state,
            sentence: report.sentence.clone(),
            stem: stem::stem(report, &stem_zones),
            lanes: fold::folded(lanes),
        }
    }
}
