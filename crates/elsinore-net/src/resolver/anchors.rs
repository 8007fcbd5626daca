//! Where trust starts: the root's keys, as DS or DNSKEY records (RFC 4033 §2, RFC 4035 §4.4).

use super::zone_text::{self, TextRecord};
use openssl::sha::sha256;
use std::fmt::Write as _;

/// The shipped anchors: KSK-2017 and KSK-2024, as IANA publishes them.
const SHIPPED: &str = "\
. DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D
. DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16
";

/// One configured key of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Anchor {
    /// DS RDATA: key tag, algorithm, digest type, digest.
    Ds(Vec<u8>),
    /// DNSKEY RDATA: flags, protocol, algorithm, key.
    Dnskey(Vec<u8>),
}

/// The trust anchors of the root zone; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustAnchors {
    anchors: Vec<Anchor>,
}

/// Why a text is not usable as trust anchors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// Not zone-file text, or a record that is neither DS nor DNSKEY.
    #[error("trust anchor: {0}")]
    Text(String),
    /// No record at all. Validation is never silently turned off.
    #[error("trust anchor: the file holds no DS or DNSKEY record")]
    Empty,
    /// A record of another zone: anchors are those of the root.
    #[error("trust anchor: line {line} is for {owner}, not for the root")]
    OtherZone {
        /// Line of the text, from 1.
        line: usize,
        /// The owner found there.
        owner: String,
    },
}

impl TrustAnchors {
    /// The anchors that come with the program.
    #[must_use]
    pub fn shipped() -> Self {
        // The text is a constant that a test parses; an empty set would make everything
        // bogus, never insecure.
        Self::parse(SHIPPED).unwrap_or(Self {
            anchors: Vec::new(),
        })
    }

    /// Reads zone-file text: DS or DNSKEY records of the root; TTL and class may be left out.
    ///
    /// # Errors
    /// [`AnchorError`] when the text is empty, does not parse, or is for another zone.
    pub fn parse(text: &str) -> Result<Self, AnchorError> {
        let mut anchors = Vec::new();
        for record in zone_text::parse(text).map_err(AnchorError::Text)? {
            let anchor = match record.rtype.as_str() {
                "DS" => ds(&record).map(Anchor::Ds),
                "DNSKEY" => dnskey(&record).map(Anchor::Dnskey),
                other => {
                    return Err(AnchorError::Text(format!(
                        "line {}: {other} is neither DS nor DNSKEY",
                        record.line
                    )));
                }
            };
            let anchor = anchor.ok_or_else(|| {
                AnchorError::Text(format!("line {}: malformed {}", record.line, record.rtype))
            })?;
            if !record.owner.is_root() {
                return Err(AnchorError::OtherZone {
                    line: record.line,
                    owner: record.owner.to_string(),
                });
            }
            anchors.push(anchor);
        }
        if anchors.is_empty() {
            return Err(AnchorError::Empty);
        }
        Ok(Self { anchors })
    }

    pub(super) fn all(&self) -> &[Anchor] {
        &self.anchors
    }

    /// A short name of this set, the same for the same anchors in any order: what was learnt
    /// under one set of anchors is kept apart from what was learnt under another.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut rdata: Vec<&[u8]> = self
            .anchors
            .iter()
            .map(|anchor| match anchor {
                Anchor::Ds(rdata) | Anchor::Dnskey(rdata) => rdata.as_slice(),
            })
            .collect();
        rdata.sort_unstable();
        let digest = sha256(&rdata.concat());
        digest
            .iter()
            .take(8)
            .fold(String::new(), |mut text, octet| {
                // Writing to a String cannot fail.
                let _ = write!(text, "{octet:02x}");
                text
            })
    }
}

fn ds(record: &TextRecord) -> Option<Vec<u8>> {
    let [tag, algorithm, digest_type, digest @ ..] = record.words.as_slice() else {
        return None;
    };
    let digest_type: u8 = digest_type.parse().ok()?;
    let digest = hex(&digest.concat())?;
    let expected = match digest_type {
        1 => Some(20),
        2 => Some(32),
        4 => Some(48),
        _ => None,
    };
    if digest.is_empty() || expected.is_some_and(|length| length != digest.len()) {
        return None;
    }
    let mut rdata = tag.parse::<u16>().ok()?.to_be_bytes().to_vec();
    rdata.push(algorithm.parse().ok()?);
    rdata.push(digest_type);
    rdata.extend(digest);
    Some(rdata)
}

fn dnskey(record: &TextRecord) -> Option<Vec<u8>> {
    let [flags, protocol, algorithm, key @ ..] = record.words.as_slice() else {
        return None;
    };
    let mut rdata = flags.parse::<u16>().ok()?.to_be_bytes().to_vec();
    rdata.push(protocol.parse().ok()?);
    rdata.push(algorithm.parse().ok()?);
    let key = openssl::base64::decode_block(&key.concat()).ok()?;
    if key.is_empty() || rdata[2] != 3 {
        return None;
    }
    rdata.extend(key);
    Some(rdata)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|value| u8::try_from(value).ok())
        })
        .collect();
    let digits = digits?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_anchors_parse() {
        assert_eq!(TrustAnchors::shipped().all().len(), 2);
    }

    #[test]
    fn accepted() {
        for text in [
            ". 172800 IN DS 20326 8 2 ( E06D44B80B8F1D39A95C0B0D7C65D084\n 58E880409BBC683457104237C7F8EC8D )",
            ". IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4= ; ksk",
        ] {
            assert_eq!(TrustAnchors::parse(text).unwrap().all().len(), 1, "{text}");
        }
    }

    #[test]
    fn refused() {
        for (text, part) in [
            ("", "no DS or DNSKEY"),
            ("; nothing\n", "no DS or DNSKEY"),
            (
                "example. DS 1 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
                "not for the root",
            ),
            (". DS 1 8 2 E06D", "malformed DS"),
            (". DS 1 8", "malformed DS"),
            (". DNSKEY 257 4 8 AAAA", "malformed DNSKEY"),
            (". NS a.example.", "neither"),
            ("\u{0}\u{1}garbage", "line 1"),
        ] {
            let error = TrustAnchors::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
