//! What stands in one segment file, without its index: for whoever looks into a quarantine, and for
//! tests.

use super::scan::{Found, Scan};
use crate::id::MessageId;
use std::fs::File;
use std::io;

/// A stretch of a segment. Together they cover the file from the end of its header to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentStretch {
    /// Its first octet.
    pub start: u64,
    /// Its octets.
    pub octets: u64,
    /// The message whose whole record this is; nothing when it is damaged.
    pub message: Option<MessageId>,
}

/// Goes through the shared segment `number` in `file`.
///
/// # Errors
/// What the file system says; [`io::ErrorKind::InvalidData`] when both copies of the file's header are
/// damaged, and so nothing in it can be told apart.
pub fn survey_segment(file: &File, number: u64) -> io::Result<Vec<SegmentStretch>> {
    let mut scan = Scan::new(file, number, 0, None)?;
    let mut stretches = Vec::new();
    while let Some(found) = scan.next()? {
        stretches.push(match found {
            Found::Record { header, place, .. } => SegmentStretch {
                start: place.start,
                octets: place.length,
                message: Some(header.id),
            },
            Found::Damage { start, octets } => SegmentStretch {
                start,
                octets,
                message: None,
            },
        });
    }
    Ok(stretches)
}
