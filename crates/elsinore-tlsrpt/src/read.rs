//! Reports of other people: JSON, compressed or not, alone or attached to a message (RFC 8460 §5).
//!
//! Everything in them is a stranger's. Sizes and numbers are bounded, and whatever is not as RFC 8460
//! §4.4 wants it is a [`Fault`] beside what could be read: reports as they are sent leave members out,
//! put a string where an array belongs, or name results that nobody has registered.

mod mime;
mod parse;

pub use parse::{Fault, SeenDetail, SeenPolicy, SeenReport};

use flate2::read::MultiGzDecoder;
use std::io::Read;

/// Octets of a file that are looked at.
pub const MAX_INPUT: usize = 32 * 1024 * 1024;
/// Octets of a report after decompression.
const MAX_JSON: u64 = 16 * 1024 * 1024;
/// Reports that one message may carry.
const ATTACHED: usize = 20;

/// Why an input holds no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Longer than [`MAX_INPUT`], or more than 16 megabytes when decompressed.
    #[error("it is too long for a report")]
    TooLong,
    /// gzip that cannot be decompressed.
    #[error("its compression is damaged: {0}")]
    Gzip(String),
    /// Not JSON.
    #[error("it is not JSON: {0}")]
    Json(String),
    /// JSON of something else.
    #[error("it is JSON, but no object with \"policies\"")]
    NotAReport,
    /// A message without a report.
    #[error("it is neither JSON nor gzip nor a message with a report attached")]
    NoAttachment,
}

/// Reads an input of any of the forms: JSON, gzip of JSON, or a message that carries either.
///
/// # Errors
/// [`ReadError`]; of a message with several reports, the first that cannot be read.
pub fn read(input: &[u8]) -> Result<Vec<SeenReport>, ReadError> {
    if input.len() > MAX_INPUT {
        return Err(ReadError::TooLong);
    }
    match kind(input) {
        Kind::Empty => Err(ReadError::Empty),
        Kind::Gzip | Kind::Json => Ok(vec![one(input)?]),
        Kind::Other => {
            let attached = mime::attachments(input, ATTACHED);
            if attached.is_empty() {
                return Err(ReadError::NoAttachment);
            }
            attached.iter().map(|octets| one(octets)).collect()
        }
    }
}

enum Kind {
    Empty,
    Gzip,
    Json,
    Other,
}

fn kind(input: &[u8]) -> Kind {
    let text = unmarked(input).trim_ascii_start();
    match text {
        [] => Kind::Empty,
        [0x1F, 0x8B, ..] => Kind::Gzip,
        [b'{' | b'[', ..] => Kind::Json,
        _ => Kind::Other,
    }
}

/// Without the byte order mark that some put in front of JSON (RFC 8259 §8.1 lets readers ignore it).
fn unmarked(input: &[u8]) -> &[u8] {
    input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input)
}

fn one(octets: &[u8]) -> Result<SeenReport, ReadError> {
    let decompressed;
    let json = match kind(octets) {
        Kind::Empty => return Err(ReadError::Empty),
        Kind::Gzip => {
            let mut whole = Vec::new();
            MultiGzDecoder::new(unmarked(octets).trim_ascii_start())
                .take(MAX_JSON + 1)
                .read_to_end(&mut whole)
                .map_err(|error| ReadError::Gzip(error.to_string()))?;
            decompressed = whole;
            decompressed.as_slice()
        }
        Kind::Json | Kind::Other => octets,
    };
    if u64::try_from(json.len()).is_ok_and(|length| length > MAX_JSON) {
        return Err(ReadError::TooLong);
    }
    let value = serde_json::from_slice(unmarked(json))
        .map_err(|error| ReadError::Json(error.to_string()))?;
    parse::parse(&value).ok_or(ReadError::NotAReport)
}
