//! The reply that a validating recursive server would send: code, AD bit, records, proofs and
//! extended error (RFC 4035 §3.2, RFC 6840 §5.7 to §5.9, RFC 8914). This is how the resolver is
//! compared with other validators, and how it shows what a judgement rests on.

mod written;

use super::chain::Manner;
use super::evidence::{Records, ResourceRecord};
use super::{Freshness, Resolver};
use elsinore_dane::answer::{Answer, ExtendedError, Last, Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::{Cause, Status};

/// Whether servers may be asked: the RD bit (RFC 1035 §4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recursion {
    /// RD=1.
    #[default]
    Desired,
    /// RD=0: what is not in the cache is not found out; no packet is sent.
    CacheOnly,
}

/// Whether data is validated: the CD bit (RFC 4035 §3.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checking {
    /// CD=0.
    #[default]
    Enabled,
    /// CD=1: data is given out as it came. What is known to be secure all the same says so.
    Disabled,
}

/// Whether DNSSEC records are wanted: the DO bit (RFC 3225, RFC 4035 §3.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DnssecRecords {
    /// DO=0: RRSIG, NSEC and NSEC3 records are left out unless they were asked for.
    #[default]
    Omitted,
    /// DO=1.
    Included,
}

/// Whether the AD bit is wanted where DO is not set (RFC 6840 §5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthenticBit {
    /// AD=0 in the query.
    #[default]
    Omitted,
    /// AD=1 in the query.
    Wanted,
}

/// Which sections a positive answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sections {
    /// No authority section unless it proves a wildcard expansion.
    #[default]
    Minimal,
    /// The authority section as well.
    Full,
}

/// A query as a client would send it to a recursive server, class IN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscriptQuery {
    /// The name.
    pub name: DomainName,
    /// The type; ANY (255) is one.
    pub record_type: RecordType,
    /// RD.
    pub recursion: Recursion,
    /// CD.
    pub checking: Checking,
    /// DO.
    pub dnssec: DnssecRecords,
    /// AD.
    pub authentic: AuthenticBit,
    /// How complete the reply is to be.
    pub sections: Sections,
}

impl TranscriptQuery {
    /// RD=1, CD=0, DO=1, minimal sections.
    #[must_use]
    pub const fn new(name: DomainName, record_type: RecordType) -> Self {
        Self {
            name,
            record_type,
            recursion: Recursion::Desired,
            checking: Checking::Enabled,
            dnssec: DnssecRecords::Included,
            authentic: AuthenticBit::Omitted,
            sections: Sections::Minimal,
        }
    }
}

/// The reply of a recursive server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// RCODE (RFC 6895 §2.3): 0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN, 6 YXDOMAIN.
    pub rcode: u16,
    /// AD.
    pub authentic: bool,
    /// The worst security of all links and the end, with its reason.
    pub status: Status,
    /// The alias chain and the records at its end, each RRset before its signatures.
    pub answer: Vec<ResourceRecord>,
    /// SOA, NSEC, NSEC3 and NS records, with their signatures.
    pub authority: Vec<ResourceRecord>,
    /// Our own extended error, or that of the upstream resolver which rejected the data.
    pub ede: Option<ExtendedError>,
}

impl Resolver {
    /// The reply that a validating recursive server would give to `query`.
    pub async fn transcript(&self, query: &TranscriptQuery) -> Transcript {
        let core = &self.core;
        let question = Question::new(query.name.clone(), query.record_type);
        let manner = Manner {
            freshness: Freshness::Cached,
            recursion: query.recursion,
            checking: query.checking,
            records: Records::Kept,
        };
        // Data is validated whether the client wants it checked or not, as far as it goes
        // (RFC 6840 §5.9); only what does not validate is given out unchecked.
        let checked = Manner {
            checking: Checking::Enabled,
            ..manner
        };
        let mut followed = core.answer_in(&question, checked).await;
        let is_failed = matches!(followed.answer.last, Last::Failed(_));
        if query.checking == Checking::Disabled && is_failed {
            followed = core.answer_in(&question, manner).await;
        }
        for evidence in followed.links.iter().chain([&followed.end]).flatten() {
            core.remember_servers(evidence);
        }
        let transcript = core.write_down(query, &followed).await;
        let is_unknown = transcript.status.cause() == Cause::NotCached;
        if query.recursion == Recursion::CacheOnly && is_unknown && followed.links.is_empty() {
            core.refer(query).await.unwrap_or(transcript)
        } else {
            transcript
        }
    }

    /// Answers `question` as [`SecureResolver::lookup`](super::SecureResolver::lookup) does, and
    /// shows what each link and the end rest on.
    pub async fn explain(&self, question: &Question, freshness: Freshness) -> Explained {
        let manner = Manner {
            freshness,
            recursion: Recursion::Desired,
            checking: Checking::Enabled,
            records: Records::Kept,
        };
        let followed = self.core.answer_in(question, manner).await;
        let (links, end) = self.core.show(&followed).await;
        Explained {
            answer: followed.answer,
            links,
            end: Some(end),
        }
    }
}

/// An answer with its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The answer.
    pub answer: Answer,
    /// What each alias link rests on, in the order of [`Answer::chain`]; empty when it was not
    /// looked for.
    pub links: Vec<RestsOn>,
    /// What the end rests on; of a reply that was rejected all that could be at fault.
    pub end: Option<RestsOn>,
}

impl From<Answer> for Explained {
    /// An answer without its records.
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            links: Vec::new(),
            end: None,
        }
    }
}

/// The records of one reply that a judgement rests on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestsOn {
    /// The records of the link or the end, with their signatures.
    pub records: Vec<ResourceRecord>,
    /// What proves an absence or a wildcard expansion: SOA, NSEC and NSEC3, with signatures.
    pub proofs: Vec<ResourceRecord>,
}
