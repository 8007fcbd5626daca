//! The trust anchors against the keys that the root publishes. Pure.

use super::check::{Area, Check, Verdict};
use crate::resolver::probe::RootKey;

/// Whether new keys of the root are taken up by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rollover {
    /// As RFC 5011 has it, with state on the disk.
    Followed,
    /// The anchors are those that were given.
    Fixed,
}

/// The line about the anchors. `keys` is what was fetched, `None` when nothing could be; `tags` are
/// the key tags of the anchors in force.
pub(crate) fn judge(keys: Option<&[RootKey]>, tags: &[u16], rollover: Rollover) -> Check {
    let new = |verdict, finding, text: String| {
        let mut tags = tags.to_vec();
        tags.sort_unstable();
        tags.dedup();
        Check::new(verdict, Area::Anchors, finding, text).detail("trusted", listed(&tags))
    };
    let Some(keys) = keys.filter(|keys| !keys.is_empty()) else {
        return new(
            Verdict::Unknown,
            "unknown",
            "the root's keys could not be had".to_owned(),
        )
        .advise("Neither a root server nor a resolver gave them.");
    };
    let of = |wanted: &dyn Fn(&RootKey) -> bool| {
        let mut tags: Vec<u16> = (keys.iter().filter(|key| wanted(key)))
            .map(|key| key.tag)
            .collect();
        tags.sort_unstable();
        tags.dedup();
        tags
    };
    let good = of(&|key| key.anchored && !key.revoked);
    let revoked = of(&|key| key.anchored && key.revoked);
    let fresh = of(&|key| key.entry_point && !key.anchored && !key.revoked);
    let published = of(&|key| key.entry_point && !key.revoked);
    if good.is_empty() && revoked.is_empty() {
        return new(
            Verdict::Fail,
            "stale",
            format!(
                "none fits: the root is signed by key {}",
                listed(&published)
            ),
        )
        .advise(
            "With these anchors nothing validates. They are out of date, or of another root: look \
             at [dns] trust_anchor, or take a newer Elsinore, which brings the anchors along.",
        );
    }
    if good.is_empty() {
        return new(
            Verdict::Fail,
            "revoked",
            format!("key {} was revoked, and no other fits", listed(&revoked)),
        )
        .advise(
            "The root's operators have withdrawn the key. Look at [dns] trust_anchor, or take a \
             newer Elsinore, which brings the anchors along.",
        );
    }
    if !fresh.is_empty() {
        let text = format!(
            "key {} fits; the root publishes a new one, {}",
            listed(&good),
            listed(&fresh)
        );
        return match rollover {
            Rollover::Followed => new(Verdict::Note, "new-key-pending", text).advise(
                "It is trusted by itself once it has been published for 30 days (RFC 5011).",
            ),
            Rollover::Fixed => new(Verdict::Warn, "new-key-unknown", text).advise(
                "When the root is signed by it alone, nothing validates any more. These anchors do \
                 not follow (RFC 5011 is off when they are given by hand): add the key in time.",
            ),
        };
    }
    let mut text = format!("the root publishes key {}, which is trusted", listed(&good));
    if !revoked.is_empty() {
        text = format!("{text}; {} was revoked", listed(&revoked));
    }
    new(Verdict::Ok, "current", text)
}

fn listed(tags: &[u16]) -> String {
    let words: Vec<String> = tags.iter().map(ToString::to_string).collect();
    match words.as_slice() {
        [] => "none".to_owned(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        use Rollover::{Fixed, Followed};
        use Verdict::{Fail, Note, Ok, Unknown, Warn};
        // Tag and letters: a anchored, e entry point, r revoked.
        for (keys, rollover, verdict, part) in [
            (&[][..], Followed, Unknown, "could not be had"),
            (&[(20326, "ae"), (1, "")], Followed, Ok, "key 20326, which"),
            (
                &[(20326, "ae"), (38696, "ae"), (1, "")],
                Fixed,
                Ok,
                "key 20326 and 38696, which",
            ),
            (
                &[(20326, "aer"), (38696, "ae")],
                Fixed,
                Ok,
                "20326 was revoked",
            ),
            (&[(38696, "ae"), (5, "e")], Followed, Note, "a new one, 5"),
            (&[(38696, "ae"), (5, "e")], Fixed, Warn, "a new one, 5"),
            (&[(5, "e"), (1, "")], Followed, Fail, "signed by key 5"),
            (&[(20326, "aer")], Followed, Fail, "was revoked"),
            // A root whose keys carry no SEP flag, as a small private one may.
            (&[(7, "a")], Fixed, Ok, "key 7, which"),
        ] {
            let keys: Vec<RootKey> = (keys.iter())
                .map(|(tag, letters)| RootKey {
                    tag: *tag,
                    anchored: letters.contains('a'),
                    entry_point: letters.contains('e'),
                    revoked: letters.contains('r'),
                })
                .collect();
            let check = judge(Some(&keys), &[20326, 38696], rollover);
            assert_eq!(check.verdict, verdict, "{keys:?}");
            assert!(check.text.contains(part), "{check:?}");
        }
        assert_eq!(judge(None, &[], Fixed).verdict, Unknown);
    }
}
