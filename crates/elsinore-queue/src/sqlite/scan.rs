//! Reading a segment file from one place to its end: whole records, and the stretches between them
//! that are none.

use super::segment::{
    Head, RECORD_HEADER, RecordHeader, SEGMENT_HEADER, SINGLE_TAG, Tag, read_segment_header,
};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Octets read at once while a checksum is computed or a tag is searched.
const BLOCK: usize = 256 << 10;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of its segment.
    pub(super) segment: u64,
    /// The first octet of the record.
    pub(super) start: u64,
    /// Octets of the record.
    pub(super) length: u64,
    /// The first octet of the body.
    pub(super) body: u64,
    /// Octets of the body.
    pub(super) octets: u64,
    /// CRC32C of the body.
    pub(super) crc: u32,
}

/// Something found in a segment.
#[derive(Debug)]
pub(super) enum Found {
    /// A whole record.
    Record {
        /// Its header.
        header: RecordHeader,
        /// Its head.
        head: Box<Head>,
        /// Where it stands.
        place: Place,
    },
    /// Octets that are no record.
    Damage {
        /// The first of them.
        start: u64,
        /// Their number.
        octets: u64,
    },
}

/// A walk through a shared segment.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    file: &'a File,
    segment: u64,
    tag: Tag,
    at: u64,
    end: u64,
}

impl<'a> Scan<'a> {
    /// A walk from octet `from` on, or from the first record when that is nothing. `tag` is used when
    /// the file's header is damaged.
    ///
    /// # Errors
    /// What the file system says; `InvalidData` when the header is damaged and no tag is given.
    pub(super) fn new(
        file: &'a File,
        segment: u64,
        from: u64,
        tag: Option<Tag>,
    ) -> io::Result<Self> {
        let end = file.metadata()?.len();
        let mut header = [0; SEGMENT_HEADER];
        let most = usize::try_from(end).map_or(SEGMENT_HEADER, |end| end.min(SEGMENT_HEADER));
        file.read_exact_at(&mut header[..most], 0)?;
        let tag = read_segment_header(&header)
            .filter(|(number, _)| *number == segment)
            .map(|(_, tag)| tag)
            .or(tag)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no segment header"))?;
        let first = u64::try_from(SEGMENT_HEADER).unwrap_or(u64::MAX);
        Ok(Self {
            file,
            segment,
            tag,
            at: from.max(first),
            end,
        })
    }

    /// Where the walk has come to.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// The next thing in the file; nothing at its end.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn next(&mut self) -> io::Result<Option<Found>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let start = self.at;
        let header = self.header_at(start)?;
        if let Some(header) = header
            && let Some(length) = header
                .record_octets()
                .filter(|l| start.saturating_add(*l) <= self.end)
        {
            let head_at = start + RECORD_HEADER as u64;
            let place = Place {
                segment: self.segment,
                start,
                length,
                body: head_at + u64::from(header.head_octets),
                octets: header.body_octets,
                crc: header.body_crc,
            };
            if let Some(head) = read_head(self.file, head_at, &header)?
                && crc_of(self.file, place.body, place.octets)? == header.body_crc
            {
                self.at = start + length;
                return Ok(Some(Found::Record {
                    header,
                    head: Box::new(head),
                    place,
                }));
            }
        }
        // Not by the length that the damaged header gives: what follows is found by its tag.
        self.at = self.search(start + 1)?;
        Ok(Some(Found::Damage {
            start,
            octets: self.at - start,
        }))
    }

    fn header_at(&self, at: u64) -> io::Result<Option<RecordHeader>> {
        let mut octets = [0; RECORD_HEADER];
        if at.saturating_add(RECORD_HEADER as u64) > self.end {
            return Ok(None);
        }
        self.file.read_exact_at(&mut octets, at)?;
        Ok(RecordHeader::read(&octets, self.tag))
    }

    /// Where the next whole record header stands, from `from` on; the end when there is none.
    fn search(&self, from: u64) -> io::Result<u64> {
        let mut block = vec![0; BLOCK + self.tag.len() - 1];
        let mut at = from;
        while at < self.end {
            let left = usize::try_from(self.end - at).unwrap_or(usize::MAX);
            let most = left.min(block.len());
            let Some(block) = block.get_mut(..most) else {
                break;
            };
            self.file.read_exact_at(block, at)?;
            for (index, window) in block.windows(self.tag.len()).enumerate() {
                if window == self.tag {
                    let place = at + index as u64;
                    if self.header_at(place)?.is_some() {
                        return Ok(place);
                    }
                }
            }
            at += BLOCK as u64;
        }
        Ok(self.end)
    }
}

fn read_head(file: &File, at: u64, header: &RecordHeader) -> io::Result<Option<Head>> {
    let Ok(octets) = usize::try_from(header.head_octets) else {
        return Ok(None);
    };
    let mut head = vec![0; octets];
    file.read_exact_at(&mut head, at)?;
    if crc32c::crc32c(&head) != header.head_crc {
        return Ok(None);
    }
    Ok(serde_json::from_slice(&head).ok())
}

/// CRC32C of a stretch of a file.
///
/// # Errors
/// What the file system says.
pub(super) fn crc_of(file: &File, start: u64, octets: u64) -> io::Result<u32> {
    let most = usize::try_from(octets).map_or(BLOCK, |octets| octets.min(BLOCK));
    let mut block = vec![0; most];
    let mut crc = 0;
    let mut at = start;
    let mut left = octets;
    while left > 0 {
        let most = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        let Some(block) = block.get_mut(..most) else {
            break;
        };
        file.read_exact_at(block, at)?;
        crc = crc32c::crc32c_append(crc, block);
        at += most as u64;
        left -= most as u64;
    }
    Ok(crc)
}

/// Reads the one record of a single; nothing when it is damaged.
///
/// # Errors
/// What the file system says.
pub(super) fn read_single(
    file: &File,
    number: u64,
) -> io::Result<Option<(RecordHeader, Head, Place)>> {
    let end = file.metadata()?.len();
    let Some(header_at) = end.checked_sub(RECORD_HEADER as u64) else {
        return Ok(None);
    };
    let mut octets = [0; RECORD_HEADER];
    file.read_exact_at(&mut octets, header_at)?;
    let Some(header) = RecordHeader::read(&octets, SINGLE_TAG) else {
        return Ok(None);
    };
    if header.record_octets() != Some(end) {
        return Ok(None);
    }
    let Some(head) = read_head(file, header.body_octets, &header)? else {
        return Ok(None);
    };
    if crc_of(file, 0, header.body_octets)? != header.body_crc {
        return Ok(None);
    }
    let place = Place {
        segment: number,
        start: 0,
        length: end,
        body: 0,
        octets: header.body_octets,
        crc: header.body_crc,
    };
    Ok(Some((header, head, place)))
}
