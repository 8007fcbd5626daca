//! Small things that must survive a restart beside the messages: policies learnt, counts for reports,
//! what was achieved at a destination before.

/// A family of records; each has one owner in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// MTA-STS policies (RFC 8461): the key is the policy domain after the set of trust.
    StsPolicy,
    /// Counts for reports about TLS (RFC 8460).
    TlsCount,
    /// Reports about TLS that are being sent.
    TlsReport,
    /// The best security achieved at a destination.
    Achieved,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::StsPolicy,
        Self::TlsCount,
        Self::TlsReport,
        Self::Achieved,
    ];

    /// The word it is stored under.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::StsPolicy => "sts-policy",
            Self::TlsCount => "tls-count",
            Self::TlsReport => "tls-report",
            Self::Achieved => "achieved",
        }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key within the kind.
    pub key: String,
    /// Its octets.
    pub value: Vec<u8>,
}

/// One count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Its key within the kind.
    pub key: String,
    /// The sum of what was added.
    pub count: i64,
}

/// One change to the records. A list of them is made in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Writes a record, in place of an older one.
    Put(Kind, Record),
    /// Removes a record; nothing happens when there is none.
    Remove(Kind, String),
    /// Adds to a count, which begins at nothing.
    Add(Kind, Tally),
    /// Removes all counts whose keys begin so.
    Forget(Kind, String),
}
