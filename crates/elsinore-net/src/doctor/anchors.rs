//! The trust anchors against the keys that the root publishes. Pure.

use super::check::{Area, Check, Verdict};
use super::clock::{moment, timestamp};
use crate::resolver::probe::RootKey;
use crate::resolver::rollover::{KeyState, RootAnchors, TrackedKey};

/// Whether new keys of the root are taken up by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollover {
    /// As RFC 5011 has it.
    Followed {
        /// What is known of the root's keys.
        anchors: RootAnchors,
        /// Why the file with what was learnt could not be used, in one line.
        problem: Option<String>,
    },
    /// The anchors are those that were given.
    Fixed,
}

/// When a key that is on trial becomes an anchor.
fn trusted_from(rollover: &Rollover, tag: u16) -> Option<String> {
    let Rollover::Followed { anchors, .. } = rollover else {
        return None;
    };
    let pending = |key: &&TrackedKey| key.tag() == tag && key.state() == KeyState::AddPending;
    let key = anchors.keys().iter().find(pending)?;
    key.hold_down_ends().map(moment)
}

/// The lines about the anchors: the keys, and the file with what was learnt when it is of no use.
pub(crate) fn judge(keys: Option<&[RootKey]>, tags: &[u16], rollover: &Rollover) -> Vec<Check> {
    let mut check = judge_keys(keys, tags, rollover);
    let Rollover::Followed { anchors, problem } = rollover else {
        return vec![check.detail("rfc5011", "off")];
    };
    check = check.detail("rfc5011", "on");
    if let Some(checked) = anchors.checked() {
        check = check.detail("last_believed", timestamp(checked));
    }
    let states: Vec<String> = (anchors.keys().iter())
        .map(|key| format!("{} {}", key.tag(), key.state().word()))
        .collect();
    check = check.detail("states", states.join(", "));
    let unusable = problem.iter().map(|problem| {
        Check::new(
            Verdict::Warn,
            Area::Anchors,
            "state-unusable",
            format!("what was learnt of the root's keys cannot be used: {problem}"),
        )
        .advise(
            "The anchors that come with the program are used instead. Remove the file, and it is \
             made anew.",
        )
    });
    std::iter::once(check).chain(unusable).collect()
}

/// `keys` is what was fetched, `None` when nothing could be; `tags` are
/// the key tags of the anchors in force.
fn judge_keys(keys: Option<&[RootKey]>, tags: &[u16], rollover: &Rollover) -> Check {
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
            Rollover::Followed { .. } => {
                let from = fresh.iter().find_map(|tag| trusted_from(rollover, *tag));
                new(Verdict::Note, "new-key-pending", text).advise(match from {
                    Some(from) => format!(
                        "It becomes an anchor by itself on {from}, if it is still published then \
                         (RFC 5011)."
                    ),
                    None => "It becomes an anchor by itself once it has been seen for 30 days \
                             (RFC 5011)."
                        .to_owned(),
                })
            }
            Rollover::Fixed => new(Verdict::Warn, "new-key-unknown", text).advise(
                "When the root is signed by it alone, nothing validates any more. These anchors do \
                 not follow (RFC 5011 is off when they are given by hand): add the key in time.",
            ),
        };
    }
    let mut text = format!("trusted and published by the root: key {}", listed(&good));
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
    use crate::resolver::TrustAnchors;

    #[test]
    fn lines() {
        let followed = || Rollover::Followed {
            anchors: RootAnchors::new(&TrustAnchors::shipped()),
            problem: None,
        };
        let fixed = || Rollover::Fixed;
        use Verdict::{Fail, Note, Ok, Unknown, Warn};
        // Tag and letters: a anchored, e entry point, r revoked.
        for (keys, rollover, verdict, part) in [
            (&[][..], followed(), Unknown, "could not be had"),
            (
                &[(20326, "ae"), (1, "")],
                followed(),
                Ok,
                "by the root: key 20326",
            ),
            (
                &[(20326, "ae"), (38696, "ae"), (1, "")],
                fixed(),
                Ok,
                "by the root: key 20326 and 38696",
            ),
            (
                &[(20326, "aer"), (38696, "ae")],
                fixed(),
                Ok,
                "20326 was revoked",
            ),
            (&[(38696, "ae"), (5, "e")], followed(), Note, "a new one, 5"),
            (&[(38696, "ae"), (5, "e")], fixed(), Warn, "a new one, 5"),
            (&[(5, "e"), (1, "")], followed(), Fail, "signed by key 5"),
            (&[(20326, "aer")], followed(), Fail, "was revoked"),
            // A root whose keys carry no SEP flag, as a small private one may.
            (&[(7, "a")], fixed(), Ok, "by the root: key 7"),
        ] {
            let keys: Vec<RootKey> = (keys.iter())
                .map(|(tag, letters)| RootKey {
                    tag: *tag,
                    anchored: letters.contains('a'),
                    entry_point: letters.contains('e'),
                    revoked: letters.contains('r'),
                })
                .collect();
            let checks = judge(Some(&keys), &[20326, 38696], &rollover);
            let [check] = checks.as_slice() else {
                panic!("one line: {checks:?}");
            };
            assert_eq!(check.verdict, verdict, "{keys:?}");
            assert!(check.text.contains(part), "{check:?}");
        }
        assert_eq!(judge(None, &[], &Rollover::Fixed)[0].verdict, Unknown);
        let unusable = Rollover::Followed {
            anchors: RootAnchors::new(&TrustAnchors::shipped()),
            problem: Some("line 3 is no key".to_owned()),
        };
        let checks = judge(None, &[], &unusable);
        assert_eq!(checks[1].finding, "state-unusable");
        assert!(checks[1].text.contains("line 3"), "{checks:?}");
    }
}
