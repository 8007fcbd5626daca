//! Whole rollovers, told as tables: what the root publishes on which day, and what comes of it.

use super::RootKeys;
use super::state::{KeyState, RootAnchors};
use crate::resolver::anchors::TrustAnchors;
use crate::resolver::validate::{Cryptography, OpenSsl, key_tag};
use crate::resolver::wire::{Name, Record, rtype};
use elsinore_dane::time::UnixTime;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use std::sync::Arc;

mod kept;

const DAY: i64 = 86_400;
const START: i64 = 1_800_000_000;
const TTL: u32 = 172_800;

fn day(count: i64) -> UnixTime {
    UnixTime(START + count * DAY)
}

fn cryptography() -> Arc<dyn Cryptography> {
    Arc::new(OpenSsl::default())
}

/// The keys of a world, by letter; lower case signs zone data only (no SEP).
struct Keys(Vec<(char, PKey<Private>)>);

impl Keys {
    fn new() -> Self {
        let key = |letter| (letter, PKey::generate_ed25519().unwrap());
        Self("ABCz".chars().map(key).collect())
    }

    fn key(&self, letter: char) -> &PKey<Private> {
        &self.0.iter().find(|(name, _)| *name == letter).unwrap().1
    }

    /// RDATA of `A`, or of `A!`, the key with the bit REVOKE.
    fn rdata(&self, word: &str) -> Vec<u8> {
        let letter = word.chars().next().unwrap();
        let low =
            u8::from(letter.is_ascii_uppercase()) | if word.ends_with('!') { 0x80 } else { 0 };
        let mut rdata = vec![1, low, 3, 15];
        rdata.extend(self.key(letter).raw_public_key().unwrap());
        rdata
    }

    /// A DNSKEY set of `published` with signatures of `signers` that are good for ten days around.
    fn set(&self, published: &str, signers: &str, now: UnixTime) -> RootKeys {
        self.set_for(published, signers, now, TTL, 10)
    }

    /// The same with a TTL, in seconds, and signatures that are good for `days`.
    fn set_for(
        &self,
        published: &str,
        signers: &str,
        now: UnixTime,
        ttl: u32,
        days: i64,
    ) -> RootKeys {
        let mut rdata: Vec<Vec<u8>> = published.split(' ').map(|word| self.rdata(word)).collect();
        let mut records: Vec<Record> = rdata
            .iter()
            .map(|rdata| record(rtype::DNSKEY, rdata))
            .collect();
        rdata.sort();
        for word in signers.split(' ').filter(|word| !word.is_empty()) {
            let mut rrsig = rtype::DNSKEY.to_be_bytes().to_vec();
            rrsig.extend([15, 0]);
            rrsig.extend(ttl.to_be_bytes());
            let time = |days: i64| u32::try_from(now.0 + days * DAY).unwrap().to_be_bytes();
            rrsig.extend(time(days));
            rrsig.extend(time(-10));
            rrsig.extend(key_tag(&self.rdata(word)).to_be_bytes());
            rrsig.push(0);
            let mut signed = rrsig.clone();
            for rdata in &rdata {
                signed.extend([0, 0, 48, 0, 1]);
                signed.extend(ttl.to_be_bytes());
                signed.extend(u16::try_from(rdata.len()).unwrap().to_be_bytes());
                signed.extend(rdata);
            }
            let key = self.key(word.chars().next().unwrap());
            let mut signer = Signer::new_without_digest(key).unwrap();
            rrsig.extend(signer.sign_oneshot_to_vec(&signed).unwrap());
            records.push(record(rtype::RRSIG, &rrsig));
        }
        RootKeys { records }
    }

    /// Key A as the shipped anchor, in DS form.
    fn shipped(&self) -> TrustAnchors {
        let rdata = self.rdata("A");
        let digest = openssl::sha::sha256(&[&[0], rdata.as_slice()].concat());
        let digest = crate::resolver::anchors::hex_text(&digest);
        TrustAnchors::parse(&format!(". DS {} 15 2 {digest}", key_tag(&rdata))).unwrap()
    }

    fn letter(&self, tag: u16) -> char {
        let mut letters = self.0.iter().map(|(letter, _)| *letter);
        letters
            .find(|letter| key_tag(&self.rdata(&letter.to_string())) == tag)
            .unwrap()
    }

    /// `A valid, B add-pending`
    fn summary(&self, anchors: &RootAnchors) -> String {
        let mut words: Vec<String> = anchors
            .keys()
            .iter()
            .map(|key| format!("{} {}", self.letter(key.tag()), key.state()))
            .collect();
        words.sort();
        words.join(", ")
    }
}

fn record(rtype: u16, rdata: &[u8]) -> Record {
    Record {
        owner: Name::root(),
        rtype,
        ttl: TTL,
        rdata: rdata.to_vec(),
    }
}

/// Each line: a day, what is published, who signs, the states after it; a `-` before the states
/// says that the set is not believed.
fn check(story: &str, lines: &[(i64, &str, &str, &str)]) {
    let keys = Keys::new();
    let mut anchors = RootAnchors::new(&keys.shipped());
    for (count, published, signers, expected) in lines {
        let now = day(*count);
        let seen = keys.set(published, signers, now);
        let (_, fault) = anchors.observe(&seen, now, &cryptography());
        let mark = if fault.is_some() { "- " } else { "" };
        let got = format!("{mark}{}", keys.summary(&anchors));
        assert_eq!(got, *expected, "{story}, day {count}: {fault:?}");
    }
}

#[test]
fn rollovers() {
    check(
        "from A to B, A revoked and removed",
        &[
            (0, "A z", "A", "A valid"),
            (1, "A B z", "A", "A valid, B add-pending"),
            (30, "A B z", "A", "A valid, B add-pending"),
            (31, "A B z", "A", "A valid, B valid"),
            // From now on B alone is enough.
            (40, "A B z", "B", "A valid, B valid"),
            (50, "A! B z", "A! B", "A revoked, B valid"),
            (79, "A! B z", "A! B", "A revoked, B valid"),
            (80, "B z", "B", "A revoked, B valid"),
            (108, "B z", "B", "A revoked, B valid"),
            (110, "B z", "B", "A removed, B valid"),
            // A removed key does not come back, with or without its bit.
            (200, "A B z", "A B", "A removed, B valid"),
            (201, "A z", "A", "- A removed, B valid"),
        ],
    );
    check(
        "a new key has to stay for the whole time",
        &[
            (0, "A", "A", "A valid"),
            (1, "A B", "A", "A valid, B add-pending"),
            (29, "A", "A", "A valid"),
            (30, "A B", "A", "A valid, B add-pending"),
            (59, "A B", "A", "A valid, B add-pending"),
            (61, "A B", "A", "A valid, B valid"),
        ],
    );
    check(
        "nobody looks for 90 days",
        &[
            (0, "A B", "A", "A valid, B add-pending"),
            (90, "A B", "A", "A valid, B valid"),
        ],
    );
    check(
        "who signs must be trusted already",
        &[
            (0, "A B", "B", "- A valid"),
            (1, "A B", "", "- A valid"),
            (2, "A B", "z", "- A valid"),
            (3, "A B", "A", "A valid, B add-pending"),
            (50, "A B C", "B", "- A valid, B add-pending"),
        ],
    );
    check(
        "a missing key stays an anchor",
        &[
            (0, "A B", "A", "A valid, B add-pending"),
            (40, "A B", "A", "A valid, B valid"),
            (41, "B z", "B", "A missing, B valid"),
            (400, "A B", "A", "A valid, B valid"),
            (401, "B z", "B", "A missing, B valid"),
            (402, "A! B", "A! B", "A revoked, B valid"),
        ],
    );
    check(
        "the bit REVOKE counts only under the key's own signature",
        &[
            (0, "A B", "A", "A valid, B add-pending"),
            (40, "A B", "A", "A valid, B valid"),
            (41, "A! B", "B", "A missing, B valid"),
            (42, "A! B", "A! B", "A revoked, B valid"),
        ],
    );
    check(
        "a revocation needs no other signature",
        &[
            (0, "A B", "A", "A valid, B add-pending"),
            (40, "A B", "A", "A valid, B valid"),
            (41, "A! B", "A!", "- A revoked, B valid"),
            (42, "A B", "A", "- A revoked, B valid"),
        ],
    );
    check(
        "a key that is revoked before it was trusted",
        &[
            (0, "A B", "A", "A valid, B add-pending"),
            (10, "A B!", "A B!", "A valid, B revoked"),
            (50, "A B", "A", "A valid, B revoked"),
            (100, "A B", "A B", "A valid, B revoked"),
            (101, "A", "A", "A valid, B revoked"),
            (130, "A", "A", "A valid, B removed"),
        ],
    );
    check(
        "a revoked key is there as long as it is published, signing or not",
        &[
            (0, "A B", "A", "A valid, B add-pending"),
            (31, "A B", "A", "A valid, B valid"),
            (40, "A! B", "A! B", "A revoked, B valid"),
            (75, "A! B", "B", "A revoked, B valid"),
            (76, "B", "B", "A revoked, B valid"),
            (104, "B", "B", "A revoked, B valid"),
            (105, "B", "B", "A removed, B valid"),
        ],
    );
    check(
        "who vouched for a new key is revoked before the key is trusted",
        &[
            (0, "A B", "A", "A valid, B add-pending"),
            (31, "A B", "A", "A valid, B valid"),
            // A is stolen and adds C; the owner revokes A.
            (40, "A B C", "A", "A valid, B valid, C add-pending"),
            (41, "A! B", "A!", "- A revoked, B valid"),
            // Under the signature of B the wait for C begins anew.
            (42, "B C", "B", "A revoked, B valid, C add-pending"),
            (71, "B C", "B", "A removed, B valid, C add-pending"),
            (72, "B C", "B", "A removed, B valid, C valid"),
        ],
    );
    check(
        "the same set revokes the voucher and still holds the key",
        &[
            (0, "A B", "A", "A valid, B add-pending"),
            (31, "A B", "A", "A valid, B valid"),
            (40, "A B C", "A", "A valid, B valid, C add-pending"),
            (60, "A! B C", "A! B", "A revoked, B valid, C add-pending"),
            (71, "A! B C", "A! B", "A revoked, B valid, C add-pending"),
            (90, "A! B C", "A! B", "A revoked, B valid, C valid"),
        ],
    );
    check(
        "one voucher of two is revoked",
        &[
            (0, "A B", "A", "A valid, B add-pending"),
            (31, "A B", "A", "A valid, B valid"),
            (40, "A B C", "A B", "A valid, B valid, C add-pending"),
            (60, "A! B C", "A! B", "A revoked, B valid, C add-pending"),
            (70, "A! B C", "A! B", "A revoked, B valid, C valid"),
        ],
    );
    check(
        "a key without SEP never becomes an anchor",
        &[(0, "A z", "A", "A valid"), (90, "A z", "A", "A valid")],
    );
    check(
        "the clock goes back",
        &[
            (0, "A", "A", "A valid"),
            (20, "A B", "A", "A valid, B add-pending"),
            (5, "A B", "A", "A valid, B add-pending"),
            (35, "A B", "A", "A valid, B add-pending"),
            (50, "A B", "A", "A valid, B valid"),
        ],
    );
}

/// The tag of a key changes with its bit REVOKE (RFC 5011 §2.1): what is recorded is the key.
#[test]
fn the_tag_changes_on_revocation() {
    let keys = Keys::new();
    let (plain, revoked) = (key_tag(&keys.rdata("A")), key_tag(&keys.rdata("A!")));
    assert_ne!(plain, revoked);
    let mut anchors = RootAnchors::new(&keys.shipped());
    let (changes, _) = anchors.observe(&keys.set("A!", "A!", day(0)), day(0), &cryptography());
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (changes[0].tag, changes[0].to),
        (plain, Some(KeyState::Revoked))
    );
    assert!(anchors.trust_anchors().is_empty());
}

/// RFC 5011 §2.3: half of TTL or lifetime, a tenth for retries, within an hour and 15 days or one.
#[test]
fn intervals() {
    let keys = Keys::new();
    let mut anchors = RootAnchors::new(&keys.shipped());
    assert!(anchors.is_due(day(0)));
    let _ = anchors.observe(&keys.set("A", "A", day(0)), day(0), &cryptography());
    // Half of two days; signatures are good for ten.
    assert_eq!(anchors.next_query(), day(1));
    assert!(!anchors.is_due(UnixTime(day(1).0 - 1)));
    assert!(anchors.is_due(day(1)));
    // The clock was set back: what the schedule says is not to be relied on.
    assert!(anchors.is_due(day(-1)));
    anchors.fail(day(1));
    assert_eq!(
        anchors.next_query(),
        UnixTime(day(1).0 + i64::from(TTL) / 10)
    );
    // Signatures that expire within the hour: no more often than once an hour.
    let late = UnixTime(day(10).0 - 600);
    let mut set = keys.set("A", "A", day(0));
    let (_, fault) = anchors.observe(&set, late, &cryptography());
    assert_eq!(fault, None);
    assert_eq!(anchors.next_query(), late.plus_seconds(3_600));
    set.records.clear();
    assert!(anchors.observe(&set, late, &cryptography()).1.is_some());
}

/// The bounds of RFC 5011 §2.3 are on the halves and tenths, not on what they are taken of; §2.4.1:
/// a TTL of more than 30 days is waited for.
#[test]
fn long_lives() {
    const HOUR: i64 = 3_600;
    let keys = Keys::new();
    for (ttl_days, signature_days, next, retry) in [
        (60, 60, 15 * DAY, DAY),
        (60, 20, 10 * DAY, DAY),
        (60, 5, 60 * HOUR, 12 * HOUR),
        (20, 60, 10 * DAY, DAY),
        (5, 60, 60 * HOUR, 12 * HOUR),
    ] {
        let mut anchors = RootAnchors::new(&keys.shipped());
        let ttl = ttl_days * 86_400;
        let set = keys.set_for("A B", "A", day(0), ttl, signature_days);
        assert_eq!(anchors.observe(&set, day(0), &cryptography()).1, None);
        let case = format!("{ttl_days} {signature_days}");
        assert_eq!(anchors.next_query().0 - day(0).0, next, "{case}");
        assert_eq!(anchors.retry, retry, "{case}");
        let ends = anchors
            .keys()
            .iter()
            .find_map(super::TrackedKey::hold_down_ends);
        assert_eq!(ends, Some(day(i64::from(ttl_days).max(30))), "{case}");
    }
}

/// Strangers' keys do not pile up, whatever an anchor signs.
#[test]
fn bounded() {
    let keys = Keys::new();
    let mut anchors = RootAnchors::new(&keys.shipped());
    let seen = keys.set("A", "A", day(0));
    for count in 0..100_u8 {
        let mut rdata = vec![1, 1, 3, 15];
        rdata.extend([count; 32]);
        anchors.keys.push(super::TrackedKey {
            anchor: super::super::anchors::Anchor::Dnskey(rdata),
            state: KeyState::Removed,
            since: day(0),
            hold_down: 0,
            vouchers: Vec::new(),
        });
    }
    anchors.keys.truncate(32);
    let _ = anchors.observe(&keys.set("A B", "A", day(1)), day(1), &cryptography());
    assert_eq!(anchors.keys().len(), 32);
    let _ = anchors.observe(&seen, day(2), &cryptography());
    assert_eq!(anchors.keys().len(), 32);
}
