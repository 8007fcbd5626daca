//! Moments and lengths of time as people read them.

use elsinore_dane::time::UnixTime;
use jiff::Timestamp;

/// The day of a moment, UTC: `2026-11-22`.
#[must_use]
pub fn day(moment: UnixTime) -> String {
    // Ten characters of RFC 3339 are the date.
    second(moment).chars().take(10).collect()
}

/// A moment, UTC: `2026-11-22T12:30:00Z`.
#[must_use]
pub fn second(moment: UnixTime) -> String {
    Timestamp::from_second(moment.0).map_or_else(
        |_| "a time without a calendar".to_owned(),
        |moment| moment.to_string(),
    )
}

/// A length of time in its two largest units: `2 h`, `1 d 6 h`, `90 s` as `1 min 30 s`.
#[must_use]
pub fn length(seconds: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds.max(0);
    let mut parts: Vec<String> = Vec::new();
    for (size, name) in UNITS {
        if rest >= size && parts.len() < 2 {
            parts.push(format!("{} {name}", rest / size));
            rest %= size;
        }
    }
    if parts.is_empty() {
        "0 s".to_owned()
    } else {
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_read_them() {
        let moment = UnixTime(1_790_000_000);
        assert_eq!(day(moment), "2026-09-21");
        assert_eq!(second(moment), "2026-09-21T14:13:20Z");
        for (seconds, text) in [
            (0, "0 s"),
            (-5, "0 s"),
            (59, "59 s"),
            (7_200, "2 h"),
            (90, "1 min 30 s"),
            (108_000, "1 d 6 h"),
            (90_061, "1 d 1 h"),
        ] {
            assert_eq!(length(seconds), text);
        }
    }
}
