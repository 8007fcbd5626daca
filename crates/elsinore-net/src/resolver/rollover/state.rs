//! The state machine of RFC 5011 §4, without I/O: what is known of the root's keys, and what a
//! DNSKEY RRset makes of it.

use super::RootKeys;
use crate::resolver::anchors::{Anchor, TrustAnchors};
use crate::resolver::config::AlgorithmDowngrade;
use crate::resolver::limits::{Budget, Limits};
use crate::resolver::validate::{Cryptography, KeyOutcome, Policy, Signed, ZoneKeys};
use crate::resolver::wire::{Ds, Name, rtype};
use elsinore_dane::time::UnixTime;
use std::fmt;
use std::sync::Arc;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// How long a new key must have been seen before it is trusted (§2.4.1), at least.
const ADD_HOLD_DOWN: i64 = 30 * DAY;
/// How long a revoked key must have been gone before it is dropped (§2.4.2, §4.1).
const REMOVE_HOLD_DOWN: i64 = 30 * DAY;
/// Keys that are kept track of, at most; §2.4.3 asks for five.
const MOST_KEYS: usize = 32;
/// Flags of a DNSKEY (RFC 4034 §2.1.1, RFC 5011 §3), in its second octet.
const SECURE_ENTRY_POINT: u8 = 0x01;
const REVOKED: u8 = 0x80;

/// The states of a key (§4.2). A key in the state Start is not kept track of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Seen, signed by trusted keys, not yet for long enough.
    AddPending,
    /// An anchor.
    Valid,
    /// An anchor that the root does not publish at present.
    Missing,
    /// No anchor, ever again: the root published it with the bit REVOKE, signed by itself.
    Revoked,
    /// Revoked, and gone for long enough.
    Removed,
}

impl KeyState {
    pub(super) const ALL: [Self; 5] = [
        Self::AddPending,
        Self::Valid,
        Self::Missing,
        Self::Revoked,
        Self::Removed,
    ];

    /// One word, as it stands in the state file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::AddPending => "add-pending",
            Self::Valid => "valid",
            Self::Missing => "missing",
            Self::Revoked => "revoked",
            Self::Removed => "removed",
        }
    }

    /// Whether a key in this state is a trust anchor.
    #[must_use]
    pub const fn is_anchor(self) -> bool {
        matches!(self, Self::Valid | Self::Missing)
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One key of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedKey {
    /// Without the bit REVOKE.
    pub(super) anchor: Anchor,
    pub(super) state: KeyState,
    pub(super) since: UnixTime,
    pub(super) hold_down: i64,
    /// Of a pending key: key tags and algorithms of the anchors that had signed the set in which
    /// it was first seen (§2.2).
    pub(super) vouchers: Vec<(u16, u8)>,
}

impl TrackedKey {
    /// The key tag, of the key without the bit REVOKE (RFC 4034 appendix B).
    #[must_use]
    pub fn tag(&self) -> u16 {
        self.anchor.tag()
    }

    /// The algorithm number.
    #[must_use]
    pub fn algorithm(&self) -> u8 {
        self.anchor.algorithm()
    }

    /// Its state.
    #[must_use]
    pub const fn state(&self) -> KeyState {
        self.state
    }

    /// Since when it has been in this state; for [`KeyState::Revoked`] when it was last seen.
    #[must_use]
    pub const fn since(&self) -> UnixTime {
        self.since
    }

    /// When the hold-down ends, for keys that wait for it.
    #[must_use]
    pub const fn hold_down_ends(&self) -> Option<UnixTime> {
        match self.state {
            KeyState::AddPending | KeyState::Revoked => {
                Some(self.since.plus_seconds(self.hold_down))
            }
            KeyState::Valid | KeyState::Missing | KeyState::Removed => None,
        }
    }

    /// Back to the state Start.
    fn forgotten(&self) -> Change {
        Change {
            tag: self.tag(),
            algorithm: self.algorithm(),
            from: Some(self.state),
            to: None,
        }
    }

    fn enter(&mut self, state: KeyState, now: UnixTime) -> Change {
        let from = Some(std::mem::replace(&mut self.state, state));
        self.since = now;
        self.vouchers.clear();
        self.hold_down = match state {
            KeyState::Revoked => REMOVE_HOLD_DOWN,
            _ => 0,
        };
        Change {
            tag: self.tag(),
            algorithm: self.algorithm(),
            from,
            to: Some(state),
        }
    }
}

/// A key that went from one state to another; `None` is the state Start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The key tag, of the key without the bit REVOKE.
    pub tag: u16,
    /// The algorithm number.
    pub algorithm: u8,
    /// Where it was.
    pub from: Option<KeyState>,
    /// Where it is.
    pub to: Option<KeyState>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |state: Option<KeyState>| state.map_or("unknown", KeyState::word);
        let (tag, algorithm) = (self.tag, self.algorithm);
        write!(
            f,
            "root key {tag} (algorithm {algorithm}): {} -> {}",
            word(self.from),
            word(self.to)
        )
    }
}

/// What is known of the root's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootAnchors {
    pub(super) keys: Vec<TrackedKey>,
    /// When the root's keys were last seen and believed.
    pub(super) checked: Option<UnixTime>,
    /// When they were last asked for.
    pub(super) attempted: Option<UnixTime>,
    pub(super) next_query: UnixTime,
    /// Seconds between attempts as long as they fail.
    pub(super) retry: i64,
}

impl RootAnchors {
    /// The start: the root's keys among `shipped` are anchors, and a query is due.
    #[must_use]
    pub fn new(shipped: &TrustAnchors) -> Self {
        let mut anchors = Self {
            keys: Vec::new(),
            checked: None,
            attempted: None,
            next_query: UnixTime(0),
            retry: HOUR,
        };
        anchors.add_shipped(shipped);
        anchors
    }

    /// Adds what a newer version of the program ships. A key that was revoked stays so.
    pub(super) fn add_shipped(&mut self, shipped: &TrustAnchors) {
        for anchor in shipped.root() {
            if !self.keys.iter().any(|key| same(&key.anchor, anchor)) {
                self.keys.push(TrackedKey {
                    anchor: anchor.clone(),
                    state: KeyState::Valid,
                    since: UnixTime(0),
                    hold_down: 0,
                    vouchers: Vec::new(),
                });
            } else if let Some(pending) = self
                .keys
                .iter_mut()
                .find(|key| key.state == KeyState::AddPending && same(&key.anchor, anchor))
            {
                pending.state = KeyState::Valid;
                pending.hold_down = 0;
                pending.vouchers.clear();
            }
        }
    }

    /// Every key that is kept track of.
    #[must_use]
    pub fn keys(&self) -> &[TrackedKey] {
        &self.keys
    }

    /// When the root's keys were last seen and believed; `None` before the first time.
    #[must_use]
    pub const fn checked(&self) -> Option<UnixTime> {
        self.checked
    }

    /// When the root's keys were last asked for, with or without success.
    #[must_use]
    pub const fn attempted(&self) -> Option<UnixTime> {
        self.attempted
    }

    /// When they are to be asked for again.
    #[must_use]
    pub const fn next_query(&self) -> UnixTime {
        self.next_query
    }

    /// Whether it is time to ask; also when the clock has been set back behind the last attempt.
    #[must_use]
    pub fn is_due(&self, now: UnixTime) -> bool {
        now >= self.next_query || self.attempted.is_some_and(|attempted| now < attempted)
    }

    /// The keys that are anchors, for a resolver. Empty when all were revoked: a new resolver
    /// refuses that, a running one calls everything bogus. RFC 5011 §5 would have everything
    /// insecure then, which is what an attacker of mail would wish for.
    #[must_use]
    pub fn trust_anchors(&self) -> TrustAnchors {
        TrustAnchors::of_root(self.anchors())
    }

    fn anchors(&self) -> Vec<Anchor> {
        let anchors = self.keys.iter().filter(|key| key.state.is_anchor());
        anchors.map(|key| key.anchor.clone()).collect()
    }

    /// Takes in that nobody answered, or nothing believable.
    pub(super) fn fail(&mut self, now: UnixTime) {
        self.attempted = Some(now);
        self.next_query = now.plus_seconds(self.retry);
    }

    /// Takes in the root's DNSKEY RRset. Gives the changes and, when the set is not signed by an
    /// anchor, what is wrong with it; revocations count even then (§2.1).
    pub(super) fn observe(
        &mut self,
        seen: &RootKeys,
        now: UnixTime,
        cryptography: &Arc<dyn Cryptography>,
    ) -> (Vec<Change>, Option<String>) {
        let root = Name::root();
        let Some(set) = Signed::find(&seen.records, &root, rtype::DNSKEY) else {
            self.fail(now);
            return (Vec::new(), Some("the root publishes no DNSKEY".to_owned()));
        };
        let budget = Budget::new(Limits::default());
        let mut changes = self.revoke(&set, now, cryptography, &budget);
        changes.extend(self.forsake());
        let policy = Policy {
            cryptography,
            downgrade: AlgorithmDowngrade::Accepted,
        };
        match ZoneKeys::from_anchors(&set, &self.anchors(), policy, now, &budget) {
            KeyOutcome::Secure(_) => {}
            KeyOutcome::Insecure(fault) | KeyOutcome::Bogus(fault) => {
                self.fail(now);
                return (changes, Some(fault.to_string()));
            }
        }
        let Timing { original_ttl, left } = Timing::of(&set, now);
        let published: Vec<Anchor> = set
            .records
            .iter()
            .map(|record| record.rdata.as_slice())
            .filter(|rdata| is_entry_point(rdata) && rdata[1] & REVOKED == 0)
            .map(|rdata| Anchor::Dnskey(rdata.to_vec()))
            .filter(|key| cryptography.supports(key.algorithm()))
            .collect();
        let fresh = published
            .iter()
            .any(|key| !self.keys.iter().any(|known| same(&known.anchor, key)));
        let vouchers = if fresh {
            self.signers(&set, now, cryptography)
        } else {
            Vec::new()
        };
        for key in &published {
            changes.extend(self.see(key, now, original_ttl, &vouchers));
        }
        self.see_revoked(&set, now);
        changes.extend(self.miss(&published, now));
        self.checked = Some(now);
        self.attempted = Some(now);
        // §2.3.
        let within = |most: i64, ttl: i64, left: i64| most.min(ttl).min(left).max(HOUR);
        self.next_query = now.plus_seconds(within(15 * DAY, original_ttl / 2, left / 2));
        self.retry = within(DAY, original_ttl / 10, left / 10);
        (changes, None)
    }

    /// §2.1: a key that the set holds with the bit REVOKE, and that signed the set.
    fn revoke(
        &mut self,
        set: &Signed<'_>,
        now: UnixTime,
        cryptography: &Arc<dyn Cryptography>,
        budget: &Budget,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for record in &set.records {
            let rdata = record.rdata.as_slice();
            if rdata.len() < 4 || rdata[1] & REVOKED == 0 {
                continue;
            }
            let mut unrevoked = rdata.to_vec();
            unrevoked[1] &= !REVOKED;
            let unrevoked = Anchor::Dnskey(unrevoked);
            let known: Vec<usize> = (0..self.keys.len())
                .filter(|index| same(&self.keys[*index].anchor, &unrevoked))
                .collect();
            if known.is_empty() || !ZoneKeys::is_signed_by(set, rdata, cryptography, now, budget) {
                continue;
            }
            for index in known {
                let key = &mut self.keys[index];
                match key.state {
                    // Still to be seen: the time until it is dropped has not begun.
                    KeyState::Revoked => key.since = now,
                    KeyState::Removed => {}
                    KeyState::AddPending | KeyState::Valid | KeyState::Missing => {
                        key.anchor = unrevoked.clone();
                        changes.push(key.enter(KeyState::Revoked, now));
                    }
                }
            }
            self.merge(&unrevoked);
        }
        changes
    }

    /// §2.2: a pending key all of whose vouchers have been revoked since is unknown again. Whoever
    /// held them may have added it; what another anchor has signed starts the wait anew.
    fn forsake(&mut self) -> Vec<Change> {
        let anchors = self.keys.iter().filter(|key| key.state.is_anchor());
        let left: Vec<(u16, u8)> = anchors.map(|key| (key.tag(), key.algorithm())).collect();
        let mut changes = Vec::new();
        self.keys.retain(|key| {
            let stays = key.state != KeyState::AddPending
                || key.vouchers.iter().any(|voucher| left.contains(voucher));
            if !stays {
                changes.push(key.forgotten());
            }
            stays
        });
        changes
    }

    /// The anchors that have signed the set, every one of them.
    fn signers(
        &self,
        set: &Signed<'_>,
        now: UnixTime,
        cryptography: &Arc<dyn Cryptography>,
    ) -> Vec<(u16, u8)> {
        // Of its own: one signature was enough to believe the set.
        let budget = Budget::new(Limits::default());
        let signed_by = |anchor: &Anchor| {
            set.records.iter().any(|record| {
                same(anchor, &Anchor::Dnskey(record.rdata.clone()))
                    && ZoneKeys::is_signed_by(set, &record.rdata, cryptography, now, &budget)
            })
        };
        let anchors = self.anchors();
        let signers = anchors.iter().filter(|anchor| signed_by(anchor));
        signers
            .map(|anchor| (anchor.tag(), anchor.algorithm()))
            .collect()
    }

    /// §4.1: a revoked key is not missing while the set holds it, whether or not it signs.
    fn see_revoked(&mut self, set: &Signed<'_>, now: UnixTime) {
        for record in &set.records {
            let mut rdata = record.rdata.clone();
            if let Some(low) = rdata.get_mut(1) {
                *low &= !REVOKED;
            }
            let plain = Anchor::Dnskey(rdata);
            for key in &mut self.keys {
                if key.state == KeyState::Revoked && same(&key.anchor, &plain) {
                    key.since = now;
                }
            }
        }
    }

    /// A key that the set holds; `vouchers` have signed it.
    fn see(
        &mut self,
        published: &Anchor,
        now: UnixTime,
        original_ttl: i64,
        vouchers: &[(u16, u8)],
    ) -> Option<Change> {
        let Some(index) = self
            .keys
            .iter()
            .position(|key| same(&key.anchor, published))
        else {
            if self.keys.len() >= MOST_KEYS {
                return None;
            }
            let key = TrackedKey {
                anchor: published.clone(),
                state: KeyState::AddPending,
                since: now,
                // §2.4.1: no shorter than the TTL, so that the set has to be fetched a second time.
                hold_down: ADD_HOLD_DOWN.max(original_ttl),
                vouchers: vouchers.to_vec(),
            };
            let change = Change {
                tag: key.tag(),
                algorithm: key.algorithm(),
                from: None,
                to: Some(KeyState::AddPending),
            };
            self.keys.push(key);
            return Some(change);
        };
        let key = &mut self.keys[index];
        let change = match key.state {
            KeyState::Valid => {
                if key.since.0 == 0 {
                    key.since = now;
                }
                None
            }
            KeyState::Missing => Some(key.enter(KeyState::Valid, now)),
            KeyState::AddPending if now >= key.since.plus_seconds(key.hold_down) => {
                Some(key.enter(KeyState::Valid, now))
            }
            KeyState::AddPending => None,
            // The bit is gone, the word stands (§2.1).
            KeyState::Revoked | KeyState::Removed => return None,
        };
        key.anchor = published.clone();
        self.merge(published);
        change
    }

    /// Several DS records of one key become one entry.
    fn merge(&mut self, anchor: &Anchor) {
        let mut count = 0;
        self.keys.retain(|key| {
            count += usize::from(same(&key.anchor, anchor));
            count < 2 || !same(&key.anchor, anchor)
        });
    }

    /// The keys that the set does not hold.
    fn miss(&mut self, published: &[Anchor], now: UnixTime) -> Vec<Change> {
        let mut changes = Vec::new();
        self.keys.retain_mut(|key| {
            if published.iter().any(|other| same(&key.anchor, other)) {
                return true;
            }
            match key.state {
                KeyState::Valid => changes.push(key.enter(KeyState::Missing, now)),
                KeyState::AddPending => {
                    changes.push(key.forgotten());
                    return false;
                }
                KeyState::Revoked if now >= key.since.plus_seconds(key.hold_down) => {
                    changes.push(key.enter(KeyState::Removed, now));
                }
                // A removed key is remembered: a shipped DS must not bring it back.
                KeyState::Missing | KeyState::Revoked | KeyState::Removed => {}
            }
            true
        });
        changes
    }
}

/// A zone key with the flag SEP and protocol 3 (§2: only such keys become anchors).
fn is_entry_point(rdata: &[u8]) -> bool {
    matches!(rdata, [zone, low, 3, _, _, ..] if zone & 1 == 1 && low & SECURE_ENTRY_POINT != 0)
}

/// Whether two records are of the same key: the same DNSKEY, or a DS and the key it is made of.
fn same(one: &Anchor, other: &Anchor) -> bool {
    match (one, other) {
        (Anchor::Ds(ds), Anchor::Dnskey(key)) | (Anchor::Dnskey(key), Anchor::Ds(ds)) => {
            Ds::parse(ds).is_some_and(|ds| ZoneKeys::is_digest_of(&ds, &Name::root(), key))
        }
        _ => one == other,
    }
}

/// What the intervals of §2.3 are made of, in seconds.
#[derive(Debug, Clone, Copy)]
struct Timing {
    original_ttl: i64,
    /// Until the first signature expires.
    left: i64,
}

impl Timing {
    fn of(set: &Signed<'_>, now: UnixTime) -> Self {
        let mut timing = Self {
            original_ttl: i64::from(set.ttl()),
            // No bound of its own: those of §2.3 are put on half and on a tenth of it.
            left: i64::MAX,
        };
        for (index, rrsig) in set.signatures.iter().enumerate() {
            let original_ttl = i64::from(rrsig.original_ttl);
            timing.original_ttl = match index {
                0 => original_ttl,
                _ => timing.original_ttl.min(original_ttl),
            };
            // Serial number arithmetic (RFC 4034 §3.1.5).
            let clock = now.0.rem_euclid(1 << 32) as u32;
            let left = i64::from(rrsig.expiration.wrapping_sub(clock).cast_signed());
            timing.left = timing.left.min(left.max(0));
        }
        timing
    }
}
