//! The clock against signatures fetched a moment ago. Pure.
//!
//! Every signature is a statement that the time lies between two moments. Where the fresh
//! signatures of several zones agree with each other and not with our clock, it is our clock that
//! is wrong, and not the whole Internet that is bogus. The signatures are not verified for this
//! (with a wrong clock they cannot be); that the time they suggest makes the root validate is
//! checked by the caller.

use super::check::{Area, Check, Verdict};
use crate::resolver::probe::Signature;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;

/// Zones that are looked at, at most.
const MOST_ZONES: usize = 64;

/// What the signatures say of our clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It lies within the signatures of that many zones, and nothing better is known.
    Right {
        /// Zones that agree.
        zones: usize,
    },
    /// It lies within the signatures of some zones, and outside of those of more than one other.
    Doubtful(Off),
    /// It lies outside of all of them.
    Wrong(Off),
    /// No signature was seen, or one zone's alone that does not fit.
    Unknown,
}

/// By how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Off {
    /// Seconds to the nearest moment that the most zones agree on: positive when our clock is
    /// behind. The true difference is this or more.
    pub(crate) by: i64,
    /// That moment.
    pub(crate) nearest: UnixTime,
    /// Zones that agree on it.
    pub(crate) zones: usize,
}

/// Compares `now` with the signatures.
pub(crate) fn read(now: UnixTime, signatures: &[Signature]) -> Reading {
    let windows = windows(signatures);
    let cover = |at: i64| {
        (windows.iter())
            .filter(|(_, from, to)| (*from..=*to).contains(&at))
            .count()
    };
    let here = cover(now.0);
    // The most zones agree somewhere that begins where a window begins and ends where one ends.
    let moments = windows.iter().flat_map(|(_, from, to)| [*from, *to]);
    let best = moments.clone().map(cover).max().unwrap_or(0);
    if here > 0 && here + 1 >= best {
        return Reading::Right { zones: here };
    }
    let nearest = moments
        .filter(|at| cover(*at) == best)
        .min_by_key(|at| at.abs_diff(now.0));
    let Some(nearest) = nearest else {
        return Reading::Unknown;
    };
    let off = Off {
        by: nearest.saturating_sub(now.0),
        nearest: UnixTime(nearest),
        zones: best,
    };
    let of_root = windows.iter().any(|(zone, _, _)| zone.is_root());
    if here > 0 {
        Reading::Doubtful(off)
    } else if best > 1 || of_root {
        // The root's signatures never lapse; a single other zone's may.
        Reading::Wrong(off)
    } else {
        Reading::Unknown
    }
}

/// The window of each zone: what all its signatures allow, or, where they contradict each other,
/// what the newest of them does.
fn windows(signatures: &[Signature]) -> Vec<(&DomainName, i64, i64)> {
    let mut windows: Vec<(&DomainName, i64, i64)> = Vec::new();
    for one in signatures
        .iter()
        .filter(|one| one.inception <= one.expiration)
    {
        let room = windows.len() < MOST_ZONES;
        match windows.iter_mut().find(|(zone, _, _)| *zone == &one.zone) {
            Some((_, from, to)) => {
                let both = ((*from).max(one.inception), (*to).min(one.expiration));
                if both.0 <= both.1 {
                    (*from, *to) = both;
                } else if one.inception > *from {
                    (*from, *to) = (one.inception, one.expiration);
                }
            }
            None if room => {
                windows.push((&one.zone, one.inception, one.expiration));
            }
            None => {}
        }
    }
    windows
}

/// The line about the clock. `confirmed` tells whether the root validated with the clock set to
/// the time that the signatures suggest.
pub(crate) fn judge(now: UnixTime, reading: &Reading, confirmed: bool) -> Check {
    let new = |verdict, finding, text: String| {
        Check::new(verdict, Area::Clock, finding, text).detail("now", timestamp(now))
    };
    match reading {
        Reading::Right { zones } => new(
            Verdict::Ok,
            "right",
            format!(
                "{}, as the signatures of {} say",
                moment(now),
                count(*zones, "zone")
            ),
        ),
        Reading::Unknown => new(
            Verdict::Unknown,
            "unknown",
            format!("{}; no signatures to compare it with", moment(now)),
        )
        .advise("Neither a root server nor a resolver gave signatures."),
        Reading::Doubtful(off) => new(
            Verdict::Warn,
            "doubtful",
            format!("{}, perhaps {}", moment(now), wrong_by(off)),
        )
        .advise(format!(
            "The signatures of {} say {} or {}. Those zones are bogus here if they are right. \
             Let the clock be set from the network (NTP).",
            count(off.zones, "zone"),
            moment(off.nearest),
            if off.by > 0 { "later" } else { "earlier" }
        )),
        Reading::Wrong(off) => new(
            Verdict::Fail,
            "wrong",
            format!("{}: our clock is {}", moment(now), wrong_by(off)),
        )
        .detail("off_by_seconds", off.by.to_string())
        .advise(format!(
            "Signatures fetched a moment ago ({}) say it is {} or {}{}. With this clock every \
             signed name looks bogus. Set the clock (NTP); nothing is wrong with their DNS.",
            count(off.zones, "zone"),
            moment(off.nearest),
            if off.by > 0 { "later" } else { "earlier" },
            if confirmed {
                ", and with the clock set so the root validates"
            } else {
                ""
            }
        )),
    }
}

/// `behind by 365 days or more`.
pub(crate) fn wrong_by(off: &Off) -> String {
    let side = if off.by > 0 { "behind" } else { "ahead" };
    format!("{side} by {} or more", span(off.by.saturating_abs()))
}

fn span(seconds: i64) -> String {
    match seconds {
        0..120 => count(usize::try_from(seconds).unwrap_or(0), "second"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        172_800..63_072_000 => format!("{} days", seconds / 86_400),
        _ => format!("{} years", seconds / 31_536_000),
    }
}

fn count(number: usize, of: &str) -> String {
    match number {
        1 => format!("1 {of}"),
        number => format!("{number} {of}s"),
    }
}

/// `2026-11-22 09:00 UTC`.
pub(crate) fn moment(at: UnixTime) -> String {
    jiff::Timestamp::from_second(at.0).map_or_else(
        |_| format!("{} s since 1970", at.0),
        |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// The same for programs, `2026-11-22T09:00:00Z` (RFC 3339); seconds since 1970 where there is none.
pub(crate) fn timestamp(at: UnixTime) -> String {
    jiff::Timestamp::from_second(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const NOW: i64 = 1_795_000_000;

    /// `zone from to`, in days from now.
    fn signatures(windows: &[(&str, i64, i64)]) -> Vec<Signature> {
        (windows.iter())
            .map(|(zone, from, to)| Signature {
                zone: DomainName::parse(zone).unwrap(),
                inception: NOW + from * DAY,
                expiration: NOW + to * DAY,
            })
            .collect()
    }

    #[test]
    fn readings() {
        let off = |days: i64, zones| Off {
            by: days * DAY,
            nearest: UnixTime(NOW + days * DAY),
            zones,
        };
        for (windows, expected) in [
            (&[][..], Reading::Unknown),
            (&[(".", -1, 12)], Reading::Right { zones: 1 }),
            (
                &[(".", -1, 12), ("org", -3, 18), ("ietf.org", -300, 60)],
                Reading::Right { zones: 3 },
            ),
            // One zone that let its signatures lapse is that zone's trouble.
            (
                &[(".", -1, 12), ("org", -3, 18), ("late.org", -40, -10)],
                Reading::Right { zones: 2 },
            ),
            // A year behind.
            (
                &[(".", 364, 377), ("org", 360, 380), ("ietf.org", 350, 420)],
                Reading::Wrong(off(364, 3)),
            ),
            // A year ahead.
            (
                &[(".", -366, -353), ("org", -370, -350)],
                Reading::Wrong(off(-353, 2)),
            ),
            // The root alone is enough, another zone alone is not.
            (&[(".", 100, 113)], Reading::Wrong(off(100, 1))),
            (&[("org", 100, 113)], Reading::Unknown),
            // Off by three weeks: a zone with long signatures still agrees.
            (
                &[(".", 20, 33), ("org", 19, 40), ("ietf.org", -10, 60)],
                Reading::Doubtful(off(20, 3)),
            ),
            // Of one zone, stale and fresh: the fresh one counts.
            (
                &[(".", -90, -80), (".", -1, 12)],
                Reading::Right { zones: 1 },
            ),
            // Turned around: no moment at all.
            (&[(".", 12, -1)], Reading::Unknown),
        ] {
            let read = read(UnixTime(NOW), &signatures(windows));
            assert_eq!(read, expected, "{windows:?}");
        }
    }

    #[test]
    fn lines() {
        let off = |by| Off {
            by,
            nearest: UnixTime(NOW + by),
            zones: 3,
        };
        let now = UnixTime(NOW);
        for (reading, verdict, part) in [
            (Reading::Right { zones: 1 }, Verdict::Ok, "of 1 zone say"),
            (Reading::Unknown, Verdict::Unknown, "no signatures"),
            (
                Reading::Wrong(off(364 * DAY)),
                Verdict::Fail,
                "our clock is behind by 364 days or more",
            ),
            (
                Reading::Wrong(off(-3 * 365 * DAY)),
                Verdict::Fail,
                "ahead by 3 years or more",
            ),
            (
                Reading::Doubtful(off(-7_000)),
                Verdict::Warn,
                "perhaps ahead by 116 minutes or more",
            ),
        ] {
            let check = judge(now, &reading, true);
            assert_eq!(check.verdict, verdict, "{reading:?}");
            assert!(check.text.contains(part), "{check:?}");
            assert!(check.text.starts_with("2026-11-18 11:06 UTC"), "{check:?}");
            let told = ("now", "2026-11-18T11:06:40Z".to_owned());
            assert!(check.details.contains(&told), "{check:?}");
        }
        // A clock at the end of time is no panic.
        for now in [i64::MIN, -1, 0, i64::MAX] {
            let reading = read(UnixTime(now), &signatures(&[(".", -1, 12)]));
            assert!(!judge(UnixTime(now), &reading, false).text.is_empty());
        }
    }
}
