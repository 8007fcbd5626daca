//! The format of body segments: what stands in them, octet by octet. No files here.
//!
//! A *shared segment* (`.seg`) begins with a header of 64 octets and goes on with records, one per
//! message. Each record begins with the segment's tag: eight octets drawn at random when the segment is
//! made. After damage the next record is found by the tag; whoever wrote a message cannot have known
//! it, and so cannot plant a record in a body. A *single* (`.msg`) holds one large message: its body, its
//! head and at the very end the record header, so that the file a message arrived in is taken over as
//! it is.
//!
//! Numbers are written with the most significant octet first.
//!
//! ```text
//! segment header   0 magic(8) 8 number(8) 16 tag(8) 24 CRC32C of 0..24 (4) 28 zero(4); twice
//! record header    0 tag(8) 8 message id(10) 18 zero(2) 20 head octets(4) 24 body octets(8)
//!                  32 CRC32C of the body(4) 36 CRC32C of the head(4) 40 CRC32C of 0..40 (4)
//! record           record header, head (JSON, see `Head`), body
//! single           body, head, record header with the tag `ELSSINGL`
//! ```

use crate::id::MessageId;
use crate::job::{Rest, Standing};
use crate::message::{Envelope, Recipient};
use crate::moment::Moment;
use serde::{Deserialize, Serialize};

/// Octets of a segment's header.
pub(super) const SEGMENT_HEADER: usize = 64;
/// Octets of a record's header.
pub(super) const RECORD_HEADER: usize = 44;
/// The most octets a head may have: 10,000 recipients with all their parameters have a third of it.
pub(super) const MAX_HEAD: usize = 16 << 20;
/// The version of segments, which is the seventh octet of their header. Later ones keep the magic but
/// for that octet, and the place of the checksum.
pub(super) const SEGMENT_VERSION: u8 = 1;
const MAGIC: [u8; 8] = *b"ELSSEG\x01\n";
/// The tag of singles. They are read from their end, never searched.
pub(super) const SINGLE_TAG: Tag = *b"ELSSINGL";

/// What every record of a segment begins with.
pub(super) type Tag = [u8; 8];

/// What stands in a record beside the octets of the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// When it arrived.
    pub(super) arrived: Moment,
    /// Its envelope.
    pub(super) envelope: Envelope,
    /// The jobs it had when the record was written.
    pub(super) jobs: Vec<KeptJob>,
    /// The settlement that this message is a notice of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) settles: Option<Settles>,
    /// Whether this is a copy that compaction made of an older record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) copy: bool,
}

/// One job in a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptJob {
    /// Which job of the message.
    pub(super) nth: u32,
    /// Where to.
    pub(super) destination: String,
    /// For whom.
    pub(super) recipients: Vec<Recipient>,
    /// When it was due.
    pub(super) due: Moment,
    /// Why it was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<String>,
    /// What had been tried.
    #[serde(default, skip_serializing_if = "is_new")]
    pub(super) standing: Standing,
}

/// Whether nothing has been tried.
pub(super) fn is_new(standing: &Standing) -> bool {
    *standing == Standing::default()
}

/// A settlement and the notices it made, which stand one after another in one segment: all of them
/// count, or none does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settles {
    /// The message whose job was settled.
    pub(super) message: MessageId,
    /// Which of its jobs.
    pub(super) nth: u32,
    /// What was left of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rest: Option<Rest>,
    /// Which of the notices this is, from nothing on.
    pub(super) part: u32,
    /// How many notices there are.
    pub(super) of: u32,
}

/// A record's header, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHeader {
    /// The message.
    pub(super) id: MessageId,
    /// Octets of the head.
    pub(super) head_octets: u32,
    /// Octets of the body.
    pub(super) body_octets: u64,
    /// CRC32C of the body.
    pub(super) body_crc: u32,
    /// CRC32C of the head.
    pub(super) head_crc: u32,
}

impl RecordHeader {
    /// The header for a message with this head, its body described by length and checksum.
    pub(super) fn new(id: MessageId, head: &[u8], body_octets: u64, body_crc: u32) -> Self {
        Self {
            id,
            head_octets: u32::try_from(head.len()).unwrap_or(u32::MAX),
            body_octets,
            body_crc,
            head_crc: crc32c::crc32c(head),
        }
    }

    /// Its octets under `tag`.
    pub(super) fn write(&self, tag: Tag) -> [u8; RECORD_HEADER] {
        let mut octets = [0; RECORD_HEADER];
        octets[..8].copy_from_slice(&tag);
        octets[8..18].copy_from_slice(&self.id.octets());
        octets[20..24].copy_from_slice(&self.head_octets.to_be_bytes());
        octets[24..32].copy_from_slice(&self.body_octets.to_be_bytes());
        octets[32..36].copy_from_slice(&self.body_crc.to_be_bytes());
        octets[36..40].copy_from_slice(&self.head_crc.to_be_bytes());
        let crc = crc32c::crc32c(&octets[..40]);
        octets[40..].copy_from_slice(&crc.to_be_bytes());
        octets
    }

    /// Reads one that begins with `tag`; nothing when it is damaged.
    pub(super) fn read(octets: &[u8; RECORD_HEADER], tag: Tag) -> Option<Self> {
        let (body, crc) = octets.split_at(40);
        if u32_at(crc, 0)? != crc32c::crc32c(body) || body.get(..8)? != tag {
            return None;
        }
        let id = <[u8; 10]>::try_from(body.get(8..18)?).ok()?;
        Some(Self {
            id: MessageId::from_octets(id),
            head_octets: u32_at(body, 20)?,
            body_octets: u64_at(body, 24)?,
            body_crc: u32_at(body, 32)?,
            head_crc: u32_at(body, 36)?,
        })
        .filter(|header| usize::try_from(header.head_octets).is_ok_and(|octets| octets <= MAX_HEAD))
    }

    /// Octets of the whole record; nothing when that is more than a file can have.
    pub(super) fn record_octets(&self) -> Option<u64> {
        let fixed = u64::try_from(RECORD_HEADER).ok()?;
        fixed
            .checked_add(u64::from(self.head_octets))?
            .checked_add(self.body_octets)
            .filter(|octets| i64::try_from(*octets).is_ok())
    }
}

/// The header of a shared segment.
pub(super) fn segment_header(number: u64, tag: Tag) -> [u8; SEGMENT_HEADER] {
    let mut half = [0; SEGMENT_HEADER / 2];
    half[..8].copy_from_slice(&MAGIC);
    half[8..16].copy_from_slice(&number.to_be_bytes());
    half[16..24].copy_from_slice(&tag);
    let crc = crc32c::crc32c(&half[..24]);
    half[24..28].copy_from_slice(&crc.to_be_bytes());
    let mut octets = [0; SEGMENT_HEADER];
    octets[..SEGMENT_HEADER / 2].copy_from_slice(&half);
    octets[SEGMENT_HEADER / 2..].copy_from_slice(&half);
    octets
}

/// The number and tag that a segment's header gives, from whichever copy is whole.
pub(super) fn read_segment_header(octets: &[u8]) -> Option<(u64, Tag)> {
    octets
        .chunks_exact(SEGMENT_HEADER / 2)
        .take(2)
        .find_map(|half| {
            let whole = half.get(..8)? == MAGIC
                && u32_at(half, 24)? == crc32c::crc32c(half.get(..24)?)
                && half.get(28..32)? == [0; 4];
            let tag = half.get(16..24)?.try_into().ok()?;
            whole.then_some((u64_at(half, 8)?, tag))
        })
}

/// The version of a segment when it is a later one than this program knows. A flipped bit does not make
/// one: the checksum must be right.
pub(super) fn newer_version(octets: &[u8]) -> Option<u8> {
    if read_segment_header(octets).is_some() {
        return None;
    }
    octets
        .chunks_exact(SEGMENT_HEADER / 2)
        .take(2)
        .find_map(|half| {
            let mut magic = <[u8; 8]>::try_from(half.get(..8)?).ok()?;
            let version = std::mem::replace(&mut magic[6], SEGMENT_VERSION);
            let whole = magic == MAGIC && u32_at(half, 24)? == crc32c::crc32c(half.get(..24)?);
            (whole && version > SEGMENT_VERSION).then_some(version)
        })
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    let octets = octets.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(octets.try_into().ok()?))
}

fn u64_at(octets: &[u8], at: usize) -> Option<u64> {
    let octets = octets.get(at..at.checked_add(8)?)?;
    Some(u64::from_be_bytes(octets.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_read_as_they_were_written_and_no_flipped_bit_passes() {
        let id = MessageId::draw(Moment(1_795_000_000_123));
        let header = RecordHeader::new(id, b"head", 77, 5);
        let tag = *b"12345678";
        let octets = header.write(tag);
        assert_eq!(RecordHeader::read(&octets, tag), Some(header));
        assert_eq!(RecordHeader::read(&octets, *b"12345679"), None);
        for bit in 0..octets.len() * 8 {
            let mut flipped = octets;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::read(&flipped, tag), None, "bit {bit}");
        }
    }

    #[test]
    fn a_segment_header_survives_damage_to_one_of_its_copies() {
        let octets = segment_header(7, *b"abcdefgh");
        for bit in 0..octets.len() * 8 {
            let mut flipped = octets;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read_segment_header(&flipped), Some((7, *b"abcdefgh")));
        }
        assert_eq!(read_segment_header(&octets[..20]), None);
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let octets = segment_header(7, *b"abcdefgh");
        assert_eq!(newer_version(&octets), None);
        let mut later = octets;
        for half in later.chunks_exact_mut(SEGMENT_HEADER / 2) {
            half[6] = 3;
            assert_eq!(newer_version(half), None, "the checksum is wrong");
            let crc = crc32c::crc32c(&half[..24]);
            half[24..28].copy_from_slice(&crc.to_be_bytes());
        }
        assert_eq!(newer_version(&later), Some(3));
        // What is behind the checksum is the later version's.
        later[28..32].copy_from_slice(b"more");
        later[60..].copy_from_slice(b"more");
        assert_eq!(newer_version(&later), Some(3));
        assert_eq!(newer_version(&later[..20]), None);
        for bit in 0..octets.len() * 8 {
            let mut flipped = octets;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(newer_version(&flipped), None, "bit {bit}");
        }
    }
}
