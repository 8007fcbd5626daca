//! What has to be remembered from one look to the next: since when every server has had the records,
//! and how long a TTL was seen.

use super::wanted::Wanted;
use super::{Goal, Observation, ServerAnswer};
use crate::publish::material::Material;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;

/// Seconds without a look after which everything begins anew: nobody knows what was published in
/// between.
const FORGOTTEN_AFTER: i64 = 30 * 86_400;

/// What earlier looks at the same rollover saw. A goal with other keys begins anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// SHA-256 of the next certificates, or keys where there are none yet, sorted: which rollover
    /// this is.
    pub next: Vec<[u8; 32]>,
    /// The end of the first look since which every look found every record on every server.
    pub complete_since: Option<UnixTime>,
    /// Whether a look found records missing, and so saw the TTL from before.
    pub saw_before: bool,
    /// The longest TTL of the records in any look, in seconds.
    pub longest_ttl: u32,
    /// The servers that took part in `complete_since`, sorted.
    pub servers: Vec<String>,
    /// Records that matched keys to be replaced, in any look, sorted.
    pub replaced: Vec<TlsaRecord>,
    /// The end of the last look.
    pub looked: UnixTime,
}

impl Memory {
    /// The moment at which no cache can hold anything older than `complete_since`.
    #[must_use]
    pub const fn wait_until(&self) -> Option<UnixTime> {
        match self.complete_since {
            Some(since) => Some(since.plus_seconds(super::TTLS * self.longest_ttl as i64)),
            None => None,
        }
    }
}

/// Adds a look to what is remembered.
///
/// A server that lacks a record, or one that was not there before, begins the wait anew; one that gives
/// no answer leaves it, since that says nothing. A clock that went backwards begins it anew too.
#[must_use]
pub fn remember(before: Option<Memory>, goal: &Goal, look: &Observation) -> Memory {
    let wanted = Wanted::new(goal, look);
    let mut next: Vec<[u8; 32]> = goal.next.iter().map(identity).collect();
    next.sort_unstable();
    next.dedup();
    let mut memory = before
        .filter(|memory| memory.next == next)
        .filter(|memory| look.ended.0.saturating_sub(memory.looked.0) <= FORGOTTEN_AFTER)
        .unwrap_or_else(|| Memory {
            next,
            complete_since: None,
            saw_before: false,
            longest_ttl: 0,
            servers: Vec::new(),
            replaced: Vec::new(),
            looked: look.ended,
        });
    for server in &look.servers {
        if let ServerAnswer::Records { ttl, .. } = server.answer {
            memory.longest_ttl = memory.longest_ttl.max(ttl);
        }
    }
    memory.replaced.extend(wanted.replaced_records(look));
    memory.replaced.sort();
    memory.replaced.dedup();
    let went_backwards = look.ended < memory.looked;
    memory.looked = look.ended;
    let lacking = look.servers.iter().any(|server| match &server.answer {
        ServerAnswer::Records { records, .. } => wanted
            .records
            .iter()
            .any(|record| !records.contains(record)),
        ServerAnswer::Absent => true,
        ServerAnswer::Nothing(_) => false,
    });
    let silent = look
        .servers
        .iter()
        .any(|server| matches!(server.answer, ServerAnswer::Nothing(_)));
    let is_new = look
        .servers
        .iter()
        .any(|server| !memory.servers.contains(&server.server));
    memory.saw_before |= lacking;
    if lacking || look.servers.is_empty() || wanted.fault.is_some() {
        memory.complete_since = None;
    } else if !silent && (memory.complete_since.is_none() || is_new || went_backwards) {
        memory.complete_since = Some(look.ended);
        memory.servers = look
            .servers
            .iter()
            .map(|server| server.server.clone())
            .collect();
        memory.servers.sort();
        memory.servers.dedup();
    } else if silent && (is_new || went_backwards) {
        memory.complete_since = None;
    }
    memory
}

fn identity(key: &Material) -> [u8; 32] {
    *key.certificate_digest().unwrap_or(key.key_digest())
}
