//! Names of messages and jobs.

use crate::moment::Moment;
use std::fmt;
use std::str::FromStr;

/// The 32 letters of a message's name in ascending order: no I, L, O or U, which are read as other
/// letters too easily.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of a name.
const LENGTH: usize = 16;
/// Low bits of a name that are drawn at random.
const RANDOM_BITS: u32 = 36;
/// Bits of a name.
const BITS: u32 = 80;

/// The name of a message: 16 letters and digits, 44 bits of arrival time in milliseconds and 36 drawn
/// at random, so that names sort by arrival and no two relays ever draw the same. It stands in the
/// Received field, in the reply to the client, in the log and in the listing of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(u128);

/// A text that is not the name of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a queue id: 16 letters and digits")]
pub struct NotAMessageId;

impl MessageId {
    /// A name for a message that arrives at `now`.
    #[must_use]
    pub fn draw(now: Moment) -> Self {
        let millis = u128::try_from(now.0).unwrap_or(0);
        let random = u128::from(rand::random::<u64>() >> (64 - RANDOM_BITS));
        Self(((millis << RANDOM_BITS) | random) & ((1 << BITS) - 1))
    }

    /// The ten octets of the name, most significant first: their order is that of the names.
    #[must_use]
    pub fn octets(self) -> [u8; 10] {
        let mut octets = [0; 10];
        octets.copy_from_slice(&self.0.to_be_bytes()[6..]);
        octets
    }

    /// The name with these octets.
    #[must_use]
    pub fn from_octets(octets: [u8; 10]) -> Self {
        Self(
            octets
                .iter()
                .fold(0, |name, octet| (name << 8) | u128::from(*octet)),
        )
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; LENGTH];
        for (place, letter) in text.iter_mut().rev().enumerate() {
            let index = (self.0 >> (5 * place)) & 31;
            *letter = LETTERS[usize::try_from(index).unwrap_or(0)];
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl FromStr for MessageId {
    type Err = NotAMessageId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != LENGTH {
            return Err(NotAMessageId);
        }
        text.bytes()
            .try_fold(0, |name: u128, octet| {
                let index = LETTERS
                    .iter()
                    .position(|letter| *letter == octet.to_ascii_uppercase())?;
                Some((name << 5) | u128::try_from(index).ok()?)
            })
            .map(Self)
            .ok_or(NotAMessageId)
    }
}

impl serde::Serialize for MessageId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for MessageId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The number of a job within its store: one message for one destination.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct JobId(pub i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_text_and_octets() {
        let id = MessageId::draw(Moment(1_795_000_000_123));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_lowercase().parse(), Ok(id));
        assert_eq!(MessageId::from_octets(id.octets()), id);
    }

    #[test]
    fn names_sort_by_arrival_as_text_too() {
        let earlier = MessageId::draw(Moment(1_795_000_000_123));
        let later = MessageId::draw(Moment(1_795_000_000_124));
        assert!(earlier < later);
        assert!(earlier.to_string() < later.to_string());
        assert!(earlier.octets() < later.octets());
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "0",
            "0123456789ABCDEFG",
            "0123456789ABCDEI",
            "0123456789ABCDÉ",
        ] {
            assert_eq!(text.parse::<MessageId>(), Err(NotAMessageId), "{text}");
        }
    }
}
