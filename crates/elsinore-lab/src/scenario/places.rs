//! Places in scenario text: what stands between braces is filled in when the world is built,
//! because addresses are given out and keys are made only then.
//!
//! | place | becomes |
//! |---|---|
//! | `{mx}` | the IPv4 address of receiver (or policy host) `mx` |
//! | `{mx:6}` | its IPv6 address |
//! | `{tlsa 3 1 1 mx}` | `3 1 1` and the data of its leaf certificate |
//! | `{tlsa 2 0 1 mx/root}` | the same of its `intermediate` or `root` |
//! | `{tlsa 3 1 1 mx/rsa}` | the same of the certificate `rsa` that it has besides |
//! | `{tlsa 2 0 1 mx/rsa/root}` | the same of that one's `intermediate` or `root` |
//! | `{slip 3 1 1 mx}` | `3 1 1` and the data of its leaf certificate, its last two octets exchanged |
//! | `{wrong 3 1 1}` | `3 1 1` and data of the right length that matches nothing |
//! | `{pin mx}`, `{pin mx/key}` | `sha256:HEX` of its certificate or of its public key |

use super::ChainPart;

/// One place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The IPv4 address of a host.
    Ipv4(String),
    /// The IPv6 address of a host.
    Ipv6(String),
    /// TLSA rdata of a receiver's certificate.
    Tlsa {
        /// Certificate usage.
        usage: u8,
        /// Selector.
        selector: u8,
        /// Matching type.
        matching_type: u8,
        /// The receiver.
        host: String,
        /// Which of the certificates it has besides; its first when `None`.
        also: Option<String>,
        /// Which certificate of the chain.
        part: ChainPart,
    },
    /// TLSA rdata of a receiver's leaf with a slip in it.
    Slip {
        /// Certificate usage.
        usage: u8,
        /// Selector.
        selector: u8,
        /// Matching type.
        matching_type: u8,
        /// The receiver.
        host: String,
    },
    /// TLSA rdata that matches nothing.
    WrongTlsa {
        /// Certificate usage.
        usage: u8,
        /// Selector.
        selector: u8,
        /// Matching type.
        matching_type: u8,
    },
    /// A pin of a receiver's leaf.
    Pin {
        /// The receiver.
        host: String,
        /// Of the public key instead of the certificate.
        of_key: bool,
    },
}

impl Place {
    /// The host it needs, if any.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Ipv4(host) | Self::Ipv6(host) => Some(host),
            Self::Tlsa { host, .. } | Self::Slip { host, .. } | Self::Pin { host, .. } => {
                Some(host)
            }
            Self::WrongTlsa { .. } => None,
        }
    }

    /// Whether it becomes an address.
    #[must_use]
    pub const fn is_address(&self) -> bool {
        matches!(self, Self::Ipv4(_) | Self::Ipv6(_))
    }

    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let triple = |usage: &str, selector: &str, matching: &str| {
            Some((
                usage.parse().ok()?,
                selector.parse().ok()?,
                matching.parse().ok()?,
            ))
        };
        match words.as_slice() {
            ["tlsa", usage, selector, matching, host] => {
                let (usage, selector, matching_type) = triple(usage, selector, matching)?;
                let mut steps = host.split('/');
                let host = steps.next()?.to_owned();
                let (also, part) = match (steps.next(), steps.next(), steps.next()) {
                    (None, ..) => (None, ChainPart::Leaf),
                    (Some(word), None, _) => match chain_part(word) {
                        Some(part) => (None, part),
                        None => (Some(word.to_owned()), ChainPart::Leaf),
                    },
                    (Some(also), Some(part), None) => (Some(also.to_owned()), chain_part(part)?),
                    (Some(_), Some(_), Some(_)) => return None,
                };
                Some(Self::Tlsa {
                    usage,
                    selector,
                    matching_type,
                    host,
                    also,
                    part,
                })
            }
            ["slip", usage, selector, matching, host] => {
                let (usage, selector, matching_type) = triple(usage, selector, matching)?;
                Some(Self::Slip {
                    usage,
                    selector,
                    matching_type,
                    host: (*host).to_owned(),
                })
            }
            ["wrong", usage, selector, matching] => {
                let (usage, selector, matching_type) = triple(usage, selector, matching)?;
                Some(Self::WrongTlsa {
                    usage,
                    selector,
                    matching_type,
                })
            }
            ["pin", host] => Some(match host.split_once('/') {
                None => Self::Pin {
                    host: (*host).to_owned(),
                    of_key: false,
                },
                Some((host, "key")) => Self::Pin {
                    host: host.to_owned(),
                    of_key: true,
                },
                Some(_) => return None,
            }),
            [host] => match host.split_once(':') {
                None => Some(Self::Ipv4((*host).to_owned())),
                Some((host, "6")) => Some(Self::Ipv6(host.to_owned())),
                Some(_) => None,
            },
            _ => None,
        }
    }
}

fn chain_part(word: &str) -> Option<ChainPart> {
    match word {
        "leaf" => Some(ChainPart::Leaf),
        "intermediate" => Some(ChainPart::Intermediate),
        "root" => Some(ChainPart::Root),
        _ => None,
    }
}

enum Piece<'a> {
    Text(&'a str),
    Place(Place),
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, from_brace) = rest.split_at(open);
        let Some(close) = from_brace.find('}') else {
            return Err("a brace is not closed".to_owned());
        };
        let inside = &from_brace[1..close];
        let place = Place::parse(inside)
            .ok_or_else(|| format!("{{{inside}}} is not a place that can be filled in"))?;
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Place(place));
        rest = &from_brace[close + 1..];
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

/// The places of a text.
///
/// # Errors
/// One line when a brace is not closed or its content is none of the forms above.
pub fn find(text: &str) -> Result<Vec<Place>, String> {
    Ok(pieces(text)?
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Place(place) => Some(place),
        })
        .collect())
}

/// Replaces each place by what `fill` says.
///
/// # Errors
/// As [`find`], or what `fill` complains of.
pub fn fill(
    text: &str,
    mut fill: impl FnMut(&Place) -> Result<String, String>,
) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text)? {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Place(place) => filled.push_str(&fill(&place)?),
        }
    }
    Ok(filled)
}
