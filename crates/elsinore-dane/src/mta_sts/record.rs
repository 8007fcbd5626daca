//! The `_mta-sts` TXT record and the choice of the one that counts (RFC 8461 §3.1).

use crate::answer::{Answer, Last, RecordData};
use crate::security::Security;
use std::fmt;

/// The one well-formed `_mta-sts` TXT record of a domain (RFC 8461 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsRecord {
    /// The policy's identifier: 1 to 32 letters and digits.
    pub id: String,
}

/// Why a domain's TXT records announce no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// No record begins with `v=STSv1;`.
    #[error("no record of version STSv1")]
    Absent,
    /// More than one does.
    #[error("{0} records of version STSv1 where one is allowed")]
    Several(usize),
    /// The only one is malformed.
    #[error("the record of version STSv1 is malformed: {0}")]
    Malformed(RecordFault),
}

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFault {
    /// A field that is not `name=value` in the allowed characters.
    Field,
    /// No `id`.
    NoId,
    /// An `id` that is empty, longer than 32, or not letters and digits.
    BadId,
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Field => "a field is not name=value",
            Self::NoId => "there is no id",
            Self::BadId => "the id is not 1 to 32 letters and digits",
        })
    }
}

/// Selects the record among all TXT records at `_mta-sts.<domain>`, each with its
/// character-strings joined. Others are discarded; exactly one well-formed must remain.
///
/// # Errors
/// [`RecordError`]; none of them removes a policy that was cached before (RFC 8461 §3.1).
pub fn select<'a>(records: impl IntoIterator<Item = &'a [u8]>) -> Result<StsRecord, RecordError> {
    let mut candidates = 0;
    let mut only = None;
    for record in records {
        if let Some(rest) = after_version(record) {
            candidates += 1;
            only = Some(rest);
        }
    }
    match (candidates, only) {
        (1, Some(rest)) => parse(rest).map_err(RecordError::Malformed),
        (0, _) | (_, None) => Err(RecordError::Absent),
        (several, Some(_)) => Err(RecordError::Several(several)),
    }
}

/// The same among the records of an answer.
///
/// # Errors
/// [`RecordError`].
pub fn select_in(records: &[RecordData]) -> Result<StsRecord, RecordError> {
    select(records.iter().filter_map(|record| match record {
        RecordData::Txt(text) => Some(text.as_slice()),
        RecordData::A(_)
        | RecordData::Aaaa(_)
        | RecordData::Mx { .. }
        | RecordData::Tlsa(_)
        | RecordData::Name(_)
        | RecordData::Other(_) => None,
    }))
}

/// The `id` that an answer announces; `None` where it announces none, or cannot be believed.
#[must_use]
pub fn announced(answer: &Answer) -> Option<String> {
    let broken = matches!(
        answer.overall().security(),
        Security::Bogus | Security::Indeterminate
    );
    match &answer.last {
        Last::Data(set) if !broken => select_in(&set.records).ok().map(|record| record.id),
        Last::Data(_) | Last::Denied(_) | Last::Failed(_) => None,
    }
}

const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

fn trim(octets: &[u8]) -> &[u8] {
    let mut octets = octets;
    while let [first, rest @ ..] = octets {
        if !is_blank(*first) {
            break;
        }
        octets = rest;
    }
    while let [rest @ .., last] = octets {
        if !is_blank(*last) {
            break;
        }
        octets = rest;
    }
    octets
}

/// What follows `v=STSv1` and its delimiter; blanks are allowed before the semicolon by the
/// grammar. A bare `v=STSv1` announces nothing and is no candidate.
fn after_version(record: &[u8]) -> Option<&[u8]> {
    let mut rest = record.strip_prefix(b"v=STSv1")?;
    while let [first, tail @ ..] = rest {
        match first {
            b';' => return Some(tail),
            blank if is_blank(*blank) => rest = tail,
            _ => return None,
        }
    }
    None
}

fn parse(fields: &[u8]) -> Result<StsRecord, RecordFault> {
    let mut id: Option<&[u8]> = None;
    let mut pieces = fields.split(|octet| *octet == b';').peekable();
    while let Some(piece) = pieces.next() {
        let piece = trim(piece);
        if piece.is_empty() && pieces.peek().is_none() {
            // The trailing delimiter.
            break;
        }
        let position = piece.iter().position(|octet| *octet == b'=');
        let (name, value) = piece.split_at(position.ok_or(RecordFault::Field)?);
        let value = value.get(1..).unwrap_or_default();
        if !is_name(name) {
            return Err(RecordFault::Field);
        }
        // Of a repeated field only the first counts (RFC 8461 §3.2).
        if name == b"id" {
            let good =
                (1..=32).contains(&value.len()) && value.iter().all(u8::is_ascii_alphanumeric);
            if id.is_none() {
                id = Some(good.then_some(value).ok_or(RecordFault::BadId)?);
            }
        } else if value.is_empty() || !value.iter().all(|octet| is_value(*octet)) {
            return Err(RecordFault::Field);
        }
    }
    let id = id.ok_or(RecordFault::NoId)?;
    Ok(StsRecord {
        id: id.iter().copied().map(char::from).collect(),
    })
}

fn is_name(name: &[u8]) -> bool {
    name.len() <= 32
        && name.first().is_some_and(u8::is_ascii_alphanumeric)
        && name
            .iter()
            .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-' | b'.'))
}

const fn is_value(octet: u8) -> bool {
    matches!(octet, 0x21..=0x3a | 0x3c | 0x3e..=0x7e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selection() {
        use RecordError::{Absent, Malformed, Several};
        for (records, expected) in [
            (&["v=STSv1; id=2016;"][..], Ok("2016")),
            (&["v=STSv1;id=2016"], Ok("2016")),
            (&["v=STSv1 ;\tid=a1 ; x.y=z ;"], Ok("a1")),
            (&["v=STSv1; x=1; id=b; id=c;"], Ok("b")),
            (&["v=spf1 -all", "v=STSv1; id=1"], Ok("1")),
            (&["v=STSv2; id=1", "v=STSv1; id=1"], Ok("1")),
            (&["v=stsv1; id=1"], Err(Absent)),
            (&["v=STSv1"], Err(Absent)),
            (&["v=STSv1x; id=1"], Err(Absent)),
            (&[" v=STSv1; id=1"], Err(Absent)),
            (&[], Err(Absent)),
            (&["v=STSv1; id=1", "v=STSv1; id=2"], Err(Several(2))),
            (&["v=STSv1; id=1", "v=STSv1; bad"], Err(Several(2))),
            (&["v=STSv1;"], Err(Malformed(RecordFault::NoId))),
            (&["v=STSv1; ;id=1"], Err(Malformed(RecordFault::Field))),
            (&["v=STSv1; id="], Err(Malformed(RecordFault::BadId))),
            (&["v=STSv1; id=a-b"], Err(Malformed(RecordFault::BadId))),
            (
                &["v=STSv1; id=123456789012345678901234567890123"],
                Err(Malformed(RecordFault::BadId)),
            ),
            (
                &["v=STSv1; id=1; a=b=c"],
                Err(Malformed(RecordFault::Field)),
            ),
            (&["v=STSv1; id=1; _a=b"], Err(Malformed(RecordFault::Field))),
        ] {
            let found = select(records.iter().map(|r| r.as_bytes()));
            assert_eq!(
                found.as_ref().map(|r| r.id.as_str()),
                expected.as_ref().map(|id| *id),
                "{records:?}"
            );
        }
    }
}
