//! Values of a bundle as text, and back, each within bounds.

use super::{BundleError, MOST_TEXT};
use crate::world::Manners;
use elsinore_dane::name::DomainName;
use elsinore_dane::security::Cause;
use elsinore_dane::time::UnixTime;
use elsinore_net::doctor::triage::{Blame, OwnTrouble};
use openssl::base64;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::time::Duration;

/// The latest moment that a bundle may be about: the year 9999.
const LATEST: i64 = 253_402_300_799;

/// The beginning of a text, without control characters: it came from a stranger and will be shown.
pub(super) fn bounded(text: &str) -> String {
    let printable = text.chars().filter(|character| !character.is_control());
    let mut bounded = String::new();
    for character in printable {
        if bounded.len() + character.len_utf8() > MOST_TEXT {
            break;
        }
        bounded.push(character);
    }
    bounded
}

pub(super) fn name(place: &str, text: &str) -> Result<DomainName, BundleError> {
    text.parse()
        .map_err(|_| BundleError::value(place, format!("{:?} is no domain name", bounded(text))))
}

pub(super) fn moment(place: &str, seconds: i64) -> Result<UnixTime, BundleError> {
    if (0..=LATEST).contains(&seconds) {
        Ok(UnixTime(seconds))
    } else {
        Err(BundleError::value(place, "no time between 1970 and 9999"))
    }
}

/// Microseconds, for files.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn encode(octets: &[u8]) -> String {
    base64::encode_block(octets)
}

/// Reads base64 of at most `most` octets.
pub(super) fn decode(place: &str, text: &str, most: usize) -> Result<Vec<u8>, BundleError> {
    if text.len() > most.div_ceil(3) * 4 {
        let text = format!("more than {most} octets");
        return Err(BundleError::value(place, text));
    }
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let octets = base64::decode_block(text).ok();
    // OpenSSL skips blanks at the ends, and JSON has other places for these.
    let octets = octets.filter(|octets| encode(octets) == text);
    octets.ok_or_else(|| BundleError::value(place, "not base64"))
}

/// Finds the value of a word in a table.
pub(super) fn of_word<T: Copy>(
    place: &str,
    word: &str,
    table: &[(T, &'static str)],
) -> Result<T, BundleError> {
    let found = table.iter().find(|(_, known)| *known == word);
    found
        .map(|(value, _)| *value)
        .ok_or_else(|| BundleError::value(place, format!("unknown word {:?}", bounded(word))))
}

/// Finds the word of a value in a table; `other` for what is not in it.
pub(super) fn to_word<T: PartialEq>(
    value: &T,
    table: &[(T, &'static str)],
    other: &'static str,
) -> String {
    let found = table.iter().find(|(known, _)| known == value);
    found.map_or(other, |(_, word)| *word).to_owned()
}

/// Why a question may have had no reply.
pub(super) const CAUSES: &[(Cause, &str)] = &[
    (Cause::Unreachable, "unreachable"),
    (Cause::ServerFailed, "server-failed"),
    (Cause::Garbled, "garbled"),
    (Cause::Limit, "limit"),
    (Cause::Deadline, "deadline"),
];

/// Why there may have been no connection, or an end of one.
pub(super) const KINDS: &[(ErrorKind, &str)] = &[
    (ErrorKind::ConnectionRefused, "connection-refused"),
    (ErrorKind::ConnectionReset, "connection-reset"),
    (ErrorKind::ConnectionAborted, "connection-aborted"),
    (ErrorKind::HostUnreachable, "host-unreachable"),
    (ErrorKind::NetworkUnreachable, "network-unreachable"),
    (ErrorKind::NetworkDown, "network-down"),
    (ErrorKind::AddrNotAvailable, "address-not-available"),
    (ErrorKind::PermissionDenied, "permission-denied"),
    (ErrorKind::NotConnected, "not-connected"),
    (ErrorKind::BrokenPipe, "broken-pipe"),
    (ErrorKind::TimedOut, "timed-out"),
    (ErrorKind::UnexpectedEof, "unexpected-end"),
    (ErrorKind::InvalidData, "invalid"),
    (ErrorKind::Other, "other"),
];

/// How sessions were held.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manner {
    pause_us: u64,
    most_at_once: u32,
    #[serde(default)]
    most_open: u32,
    helo: String,
}

impl Manner {
    pub(super) fn of(manners: &Manners) -> Self {
        Self {
            pause_us: micros(manners.pause),
            most_at_once: manners.most_at_once,
            most_open: manners.most_open,
            helo: bounded(&manners.helo),
        }
    }

    pub(super) fn read(self) -> Manners {
        Manners {
            pause: Duration::from_micros(self.pause_us),
            most_at_once: self.most_at_once,
            most_open: self.most_open,
            helo: bounded(&self.helo),
        }
    }
}

/// Whose fault failing lookups were.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Fault {
    Theirs(String),
    NoAnswers,
    Clock(String),
    Anchors,
    RejectsGood(String),
    FindsNothing(String),
    NothingSecure(String),
    Unknown,
}

impl Fault {
    pub(super) fn of(blame: &Blame) -> Self {
        match blame {
            Blame::Theirs(name) => Self::Theirs(name.as_str().to_owned()),
            Blame::Ours(OwnTrouble::NoAnswers) => Self::NoAnswers,
            Blame::Ours(OwnTrouble::Clock(text)) => Self::Clock(bounded(text)),
            Blame::Ours(OwnTrouble::Anchors) => Self::Anchors,
            Blame::Ours(OwnTrouble::RejectsGood(text)) => Self::RejectsGood(bounded(text)),
            Blame::Ours(OwnTrouble::FindsNothing(text)) => Self::FindsNothing(bounded(text)),
            Blame::Ours(OwnTrouble::NothingSecure(text)) => Self::NothingSecure(bounded(text)),
            Blame::Unknown => Self::Unknown,
        }
    }

    pub(super) fn read(self) -> Result<Blame, BundleError> {
        Ok(match self {
            Self::Theirs(text) => Blame::Theirs(name("blame", &text)?),
            Self::NoAnswers => Blame::Ours(OwnTrouble::NoAnswers),
            Self::Clock(text) => Blame::Ours(OwnTrouble::Clock(bounded(&text))),
            Self::Anchors => Blame::Ours(OwnTrouble::Anchors),
            Self::RejectsGood(text) => Blame::Ours(OwnTrouble::RejectsGood(bounded(&text))),
            Self::FindsNothing(text) => Blame::Ours(OwnTrouble::FindsNothing(bounded(&text))),
            Self::NothingSecure(text) => Blame::Ours(OwnTrouble::NothingSecure(bounded(&text))),
            Self::Unknown => Blame::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_both_ways() {
        for octets in [&[][..], &[0], &[0, 0], &[1, 2, 3], &[255; 100]] {
            assert_eq!(decode("x", &encode(octets), 100).unwrap(), octets);
        }
        for (text, why) in [
            ("AA", "not base64"),
            (" AAAA", "not base64"),
            ("AAAA\n", "not base64"),
            ("A-_A", "not base64"),
            ("AAA=AAAA", "not base64"),
            (&"AAAA".repeat(40), "more than 100"),
        ] {
            let error = decode("x", text, 100).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn texts_are_cut_and_cleaned() {
        assert_eq!(bounded("a\u{1b}[31mb\n"), "a[31mb");
        assert_eq!(bounded(&"\u{e9}".repeat(10_000)).len(), MOST_TEXT);
    }
}
