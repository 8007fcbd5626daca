//! One file with everything that a check saw, for somebody else to judge again.
//!
//! `check --save FILE` writes it, `check --offline FILE` reads it, measures again in a
//! [replayed world](replay) and judges with the same code. The reader uses trust anchors,
//! certificate authorities and rules of his own; nothing that the file says of these is believed.
//!
//! # The format
//! UTF-8 JSON, version [`VERSION`], octets in base64 (RFC 4648 §4), times in seconds of the Unix
//! epoch (`_at`) or microseconds (`_us`). One object:
//!
//! | field | holds |
//! |---|---|
//! | `format`, `version` | `elsinore-bundle`, and the version of this shape |
//! | `program`, `domain`, `began_at` | who wrote it, about what, and the moment everything is judged at |
//! | `claimed` | the state and the sentence of the report that was made when it was written |
//! | `setting` | the settings that matter for a verdict, for comparison with the reader's |
//! | `dns` | every question to servers and the whole reply, or how it failed |
//! | `dns_left_out` | questions that did not fit the recorder |
//! | `sessions` | every visit to an address: what the server said, and the certificates it sent |
//! | `policies` | every fetch of an MTA-STS policy |
//! | `manners` | how polite the check was |
//! | `blame` | whose fault failing lookups were, where some failed |
//!
//! What is written is a function of what was seen: reading a bundle and writing it again gives the
//! same octets. There are no checksums, for they would protect nothing: whoever changes a bundle
//! can make them anew. What protects are the signatures in the DNS replies and on the certificates.
//!
//! # What it proves
//! With the reader's own anchors: that the records which count as secure were signed by the owners
//! of their zones, and were valid at `began_at`; that the certificates match those records. What
//! only the word of its writer stands for is listed by [`unproven`].
//!
//! # Bounds
//! A file has [`MOST_OCTETS`] at most, and every list a bound of its own; more, unknown fields,
//! a field twice, or nesting deeper than the format is refused with the place.

mod dns;
mod policy;
mod recompute;
mod record;
mod replay;
mod session;
mod setting;
mod words;

pub use recompute::recompute;
pub use record::RecordingWorld;
pub use replay::{ReplayTrust, ReplayedWorld};
pub use session::{VisitKey, Visited};
pub use setting::{AddressFamilies, DnsMode, Setting};

use crate::report::State;
use crate::world::Manners;
use dns::Entry;
use elsinore_dane::mta_sts::StsFetch;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_net::doctor::triage::Blame;
use elsinore_net::resolver::tape::{Asked, TapeEntry};
use policy::Fetch;
use serde::{Deserialize, Serialize};
use session::Visit;

/// Version of the format that is written, and the only one that is read.
pub const VERSION: u32 = 1;
/// Octets of a file that is read, at most.
pub const MOST_OCTETS: usize = 64 << 20;
/// Entries of one list.
const MOST_ENTRIES: usize = 20_000;
/// Octets of one text.
const MOST_TEXT: usize = 4_096;

const FORMAT: &str = "elsinore-bundle";

/// Everything that one check saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// Program and version that wrote it.
    pub program: String,
    /// The domain.
    pub domain: DomainName,
    /// When the check began: signatures and certificates are judged at this moment.
    pub began: UnixTime,
    /// What the writer's own report said.
    pub claimed: Option<Claim>,
    /// The settings it was made under.
    pub setting: Setting,
    /// Questions to servers, in the order in which they ended.
    pub dns: Vec<TapeEntry>,
    /// Questions that the recorder had no room for.
    pub dns_left_out: usize,
    /// Visits to addresses, in the order in which they began.
    pub visits: Vec<Visited>,
    /// Fetches of MTA-STS policies.
    pub policies: Vec<(DomainName, StsFetch)>,
    /// How the sessions were held.
    pub manners: Manners,
    /// Whose fault failing lookups were, where that was asked.
    pub blame: Option<Blame>,
}

/// What the report said when a bundle was written. It decides nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The state.
    pub state: State,
    /// The sentence.
    pub sentence: String,
}

/// Why a file is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It is longer than any bundle.
    #[error("the bundle has more than {} megabytes", MOST_OCTETS >> 20)]
    TooLarge,
    /// It is not JSON, or not of this shape; the text says where and why.
    #[error("not a bundle: {0}")]
    Shape(String),
    /// It is JSON, and something else.
    #[error("not a bundle: the field \"format\" does not say {FORMAT:?}")]
    Format,
    /// A version that this program does not read.
    #[error("a bundle of version {0}; this program reads version {VERSION}")]
    Version(u32),
    /// A value that cannot be; the text names the entry.
    #[error("the bundle is damaged: {0}")]
    Value(String),
}

impl BundleError {
    fn value(place: &str, what: impl std::fmt::Display) -> Self {
        Self::Value(format!("{place}: {what}"))
    }
}

/// The first look at a file.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    format: String,
    #[serde(default)]
    version: u32,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    version: u32,
    program: String,
    domain: String,
    began_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claimed: Option<Claim>,
    setting: Setting,
    dns: Vec<Entry>,
    dns_left_out: usize,
    sessions: Vec<Visit>,
    policies: Vec<Fetch>,
    manners: words::Manner,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blame: Option<words::Fault>,
}

impl Bundle {
    /// Reads a file.
    ///
    /// # Errors
    /// [`BundleError`] when it is anything but a whole bundle of version [`VERSION`]. Whether what
    /// it says is true is not asked here.
    pub fn read(octets: &[u8]) -> Result<Self, BundleError> {
        if octets.len() > MOST_OCTETS {
            return Err(BundleError::TooLarge);
        }
        let shape =
            |error: serde_json::Error| BundleError::Shape(words::bounded(&error.to_string()));
        let head: Head = serde_json::from_slice(octets).map_err(shape)?;
        if head.format != FORMAT {
            return Err(BundleError::Format);
        }
        if head.version != VERSION {
            return Err(BundleError::Version(head.version));
        }
        let document: Document = serde_json::from_slice(octets).map_err(shape)?;
        for (list, length) in [
            ("dns", document.dns.len()),
            ("sessions", document.sessions.len()),
            ("policies", document.policies.len()),
        ] {
            if length > MOST_ENTRIES {
                let text = format!("more than {MOST_ENTRIES} entries");
                return Err(BundleError::value(list, text));
            }
        }
        let claimed = document.claimed.map(|claim| Claim {
            state: claim.state,
            sentence: words::bounded(&claim.sentence),
        });
        Ok(Self {
            program: words::bounded(&document.program),
            domain: words::name("domain", &document.domain)?,
            began: words::moment("began_at", document.began_at)?,
            claimed,
            setting: document.setting.checked()?,
            dns: numbered("dns", document.dns, Entry::read)?,
            dns_left_out: document.dns_left_out,
            visits: numbered("sessions", document.sessions, Visit::read)?,
            policies: numbered("policies", document.policies, Fetch::read)?,
            manners: document.manners.read(),
            blame: document.blame.map(words::Fault::read).transpose()?,
        })
    }

    /// The file, ending with a line end.
    ///
    /// # Errors
    /// [`serde_json::Error`] never happens: every part is of a kind that JSON has.
    pub fn write(&self) -> Result<Vec<u8>, serde_json::Error> {
        let document = Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: self.program.clone(),
            domain: self.domain.as_str().to_owned(),
            began_at: self.began.0,
            claimed: self.claimed.clone(),
            setting: self.setting.clone(),
            dns: self.dns.iter().map(Entry::of).collect(),
            dns_left_out: self.dns_left_out,
            sessions: self.visits.iter().map(Visit::of).collect(),
            policies: (self.policies.iter())
                .map(|(domain, fetch)| Fetch::of(domain, fetch))
                .collect(),
            manners: words::Manner::of(&self.manners),
            blame: self.blame.as_ref().map(words::Fault::of),
        };
        let mut octets = serde_json::to_vec_pretty(&document)?;
        octets.push(b'\n');
        Ok(octets)
    }
}

/// Reads every entry of a list; what is wrong with one names its place.
fn numbered<T, U>(
    list: &str,
    entries: Vec<T>,
    read: impl Fn(T, &str) -> Result<U, BundleError>,
) -> Result<Vec<U>, BundleError> {
    let entries = entries.into_iter().enumerate();
    let read = entries.map(|(at, entry)| read(entry, &format!("{list}[{at}]")));
    read.collect()
}

/// What nothing but the word of whoever wrote `bundle` stands for, beside what the judge says of
/// every replay: one line each. `reader` is the setting of whoever recomputes.
#[must_use]
pub fn unproven(bundle: &Bundle, reader: &Setting) -> Vec<String> {
    let mut lines = Vec::new();
    if !bundle.visits.is_empty() {
        lines.push(
            "that each server held the private key of the certificate it is said to have sent"
                .to_owned(),
        );
        lines.push(
            "what a certificate says beside what a TLSA record matches: under usage 3 that is the \
             key or the certificate, and nobody's signature counts"
                .to_owned(),
        );
    }
    lines.push(
        "that nothing was left out: an address, a certificate, a name server, a later answer"
            .to_owned(),
    );
    let of_one = |asked: &Asked| matches!(asked, Asked::ServerByUdp(_) | Asked::ServerByTcp(_));
    if bundle.dns.iter().any(|entry| of_one(&entry.asked)) {
        lines.push("which name server gave which answer".to_owned());
    }
    if bundle.blame.is_some() {
        lines.push("whose fault it was that lookups failed".to_owned());
    }
    if bundle.dns_left_out > 0 {
        lines.push(format!(
            "{} questions to DNS that the bundle had no room for",
            bundle.dns_left_out
        ));
    }
    match bundle.setting.families {
        AddressFamilies::Both => {}
        AddressFamilies::Ipv4 => lines.push("IPv6 addresses were not looked at".to_owned()),
        AddressFamilies::Ipv6 => lines.push("IPv4 addresses were not looked at".to_owned()),
    }
    if bundle.setting.dns == DnsMode::Ad {
        lines.push(
            "all of DNS: the resolver was believed on its word, and left no signatures to check"
                .to_owned(),
        );
    }
    lines.extend(bundle.setting.differences(reader));
    lines
}
