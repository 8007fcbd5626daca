//! Single questions put as any program would put them, for the doctor: the flags are chosen by
//! what is to be found out, and of the reply everything is kept that tells something of the
//! server. Nothing here is believed; judging is `doctor`'s.

use super::anchors::{Anchor, TrustAnchors};
use super::wire::{Message, Name, Rrsig, rtype};
use super::{Checking, Resolver, TranscriptQuery};
use elsinore_dane::answer::{ExtendedError, Question, RecordType};
use elsinore_dane::name::DomainName;
use openssl::hash::{MessageDigest, hash};

/// How a question is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Manner {
    /// RD alone, no EDNS: as in 1987.
    Plain,
    /// RD and AD, no EDNS: asks for the verdict without the signatures (RFC 6840 §5.7).
    Verdict,
    /// RD and DO: with signatures (RFC 4035 §3.2.1).
    Signed,
    /// RD, DO and CD: with signatures, and unchecked (RFC 4035 §3.2.2).
    Unchecked,
    /// RD, DO and CD with room for 512 octets only, so that a large answer does not fit.
    Cramped,
    /// DO alone: to an authoritative server.
    Iterative,
}

impl Manner {
    const fn flags(self) -> u16 {
        match self {
            Self::Plain | Self::Signed => 0x0100,
            Self::Verdict => 0x0120,
            Self::Unchecked | Self::Cramped => 0x0110,
            Self::Iterative => 0,
        }
    }

    /// The UDP payload size offered by EDNS, in octets; `None` without EDNS.
    const fn room(self) -> Option<u16> {
        match self {
            Self::Plain | Self::Verdict => None,
            Self::Cramped => Some(512),
            Self::Signed | Self::Unchecked | Self::Iterative => Some(1232),
        }
    }
}

/// A question ready to be sent, and the means to know its reply.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    name: Name,
    rtype: u16,
    wire: Vec<u8>,
    /// Length of header and question section, in octets.
    asked: usize,
}

impl Probe {
    /// A question of class IN with identifier `id`.
    pub(crate) fn new(name: &DomainName, record_type: RecordType, manner: Manner, id: u16) -> Self {
        let name = Name::from_domain(name);
        let rtype = record_type.code();
        let room = manner.room();
        let mut wire = Vec::with_capacity(64);
        for field in [id, manner.flags(), 1, 0, 0, u16::from(room.is_some())] {
            wire.extend(field.to_be_bytes());
        }
        wire.extend_from_slice(name.wire());
        wire.extend(rtype.to_be_bytes());
        wire.extend(1_u16.to_be_bytes());
        let asked = wire.len();
        if let Some(room) = room {
            wire.push(0);
            wire.extend(rtype::OPT.to_be_bytes());
            wire.extend(room.to_be_bytes());
            wire.extend(0x0000_8000_u32.to_be_bytes());
            wire.extend(0_u16.to_be_bytes());
        }
        Self {
            name,
            rtype,
            wire,
            asked,
        }
    }

    /// The octets to send.
    pub(crate) fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// What `octets` are to this question.
    pub(crate) fn read(&self, octets: &[u8]) -> Heard {
        let is_reply = octets.len() >= 12
            && octets.get(..2) == self.wire.get(..2)
            && octets.get(2).is_some_and(|flags| flags & 0xf8 == 0x80);
        if !is_reply {
            return Heard::Stranger;
        }
        // An error may come without the question (RFC 1035 §4.1.1 leaves it open).
        let question = self.wire.get(12..self.asked).unwrap_or_default();
        let echoed = octets.get(12..12 + question.len());
        let bare = octets.get(4..6) == Some(&[0, 0]);
        if !bare && !echoed.is_some_and(|echo| echo.eq_ignore_ascii_case(question)) {
            return Heard::Stranger;
        }
        match Message::parse(octets) {
            Some(message) => Heard::Reply(Box::new(self.told(&message, octets.len()))),
            None => Heard::Malformed,
        }
    }

    fn told(&self, message: &Message, octets: usize) -> Told {
        let records = message.answer.iter();
        let data = records.clone().filter(|one| one.rtype == self.rtype);
        let signatures: Vec<Signature> = (message.answer.iter().chain(&message.authority))
            .filter(|record| record.rtype == rtype::RRSIG)
            .filter_map(|record| Signature::read(&record.rdata))
            .collect();
        Told {
            rcode: message.rcode.0,
            authoritative: message.authoritative,
            truncated: message.truncated,
            authentic: message.authentic,
            recursion_available: message.recursion_available,
            ede: message.ede.clone(),
            data: data.clone().count(),
            keys: match self.rtype {
                rtype::DNSKEY => data
                    .filter(|record| record.owner == self.name)
                    .map(|record| record.rdata.clone())
                    .collect(),
                _ => Vec::new(),
            },
            denials: (message.authority.iter())
                .filter(|record| matches!(record.rtype, rtype::NSEC | rtype::NSEC3))
                .count(),
            signatures,
            octets,
        }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A reply to this question.
    Reply(Box<Told>),
    /// Something else.
    Stranger,
    /// A reply to this question that does not parse.
    Malformed,
}

/// A reply, as far as it tells something of who sent it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Told {
    /// The response code, extended by EDNS.
    pub(crate) rcode: u16,
    /// AA.
    pub(crate) authoritative: bool,
    /// TC.
    pub(crate) truncated: bool,
    /// AD.
    pub(crate) authentic: bool,
    /// RA.
    pub(crate) recursion_available: bool,
    /// The extended error (RFC 8914).
    pub(crate) ede: Option<ExtendedError>,
    /// Answer records of the type asked for.
    pub(crate) data: usize,
    /// NSEC and NSEC3 records in the authority section.
    pub(crate) denials: usize,
    /// Every signature in answer and authority section.
    pub(crate) signatures: Vec<Signature>,
    /// RDATA of the DNSKEY records, where these were asked for.
    pub(crate) keys: Vec<Vec<u8>>,
    /// Length of the reply, in octets.
    pub(crate) octets: usize,
}

/// The times of one signature, in seconds since 1970. The wire has 32 bits of them, which are
/// unambiguous until 2106 (RFC 4034 §3.1.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    /// The zone that signed.
    pub(crate) zone: DomainName,
    /// Not valid before.
    pub(crate) inception: i64,
    /// Not valid after.
    pub(crate) expiration: i64,
}

impl Signature {
    /// Of RRSIG RDATA.
    fn read(rdata: &[u8]) -> Option<Self> {
        let rrsig = Rrsig::parse(rdata)?;
        Some(Self {
            zone: rrsig.signer.to_domain(),
            inception: i64::from(rrsig.inception),
            expiration: i64::from(rrsig.expiration),
        })
    }
}

/// The signatures on what our own resolver finds for `question`, whatever it thinks of them.
pub(crate) async fn signatures_on(resolver: &Resolver, question: &Question) -> Vec<Signature> {
    let query = TranscriptQuery {
        checking: Checking::Disabled,
        ..TranscriptQuery::new(question.name.clone(), question.record_type)
    };
    let transcript = resolver.transcript(&query).await;
    (transcript.answer.iter().chain(&transcript.authority))
        .filter(|record| record.record_type.code() == rtype::RRSIG)
        .filter_map(|record| Signature::read(&record.rdata))
        .collect()
}

/// One key of the root as the doctor sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RootKey {
    /// RFC 4034 appendix B; of a revoked key, the tag it had before.
    pub(crate) tag: u16,
    /// Whether it says of itself that it is an entry point (the SEP flag, RFC 4034 §2.1.1).
    pub(crate) entry_point: bool,
    /// Whether it says of itself that it is revoked (RFC 5011 §2.1).
    pub(crate) revoked: bool,
    /// Whether a trust anchor names it.
    pub(crate) anchored: bool,
}

/// Reads the root's DNSKEY RDATA and compares it with the anchors.
pub(crate) fn root_keys(keys: &[Vec<u8>], anchors: &TrustAnchors) -> Vec<RootKey> {
    let known = |rdata: &[u8]| anchors.root().iter().any(|anchor| names(anchor, rdata));
    (keys.iter())
        .filter_map(|rdata| {
            let flags = u16::from_be_bytes(*rdata.first_chunk::<2>()?);
            let revoked = flags & 0x0080 != 0;
            // The anchor names the key as it was before its revocation changed it.
            let mut before = rdata.clone();
            if let (true, Some(low)) = (revoked, before.get_mut(1)) {
                *low &= 0x7f;
            }
            Some(RootKey {
                tag: key_tag(&before),
                entry_point: flags & 0x0001 != 0,
                revoked,
                anchored: known(&before),
            })
        })
        .collect()
}

/// The key tags that the anchors name.
pub(crate) fn anchor_tags(anchors: &TrustAnchors) -> Vec<u16> {
    (anchors.root().iter())
        .filter_map(|anchor| match anchor {
            Anchor::Ds(rdata) => rdata.first_chunk::<2>().map(|tag| u16::from_be_bytes(*tag)),
            Anchor::Dnskey(rdata) => Some(key_tag(rdata.as_slice())),
        })
        .collect()
}

fn names(anchor: &Anchor, key: &[u8]) -> bool {
    match anchor {
        Anchor::Dnskey(rdata) => rdata == key,
        Anchor::Ds(rdata) => {
            let [_, _, _, digest_type, digest @ ..] = rdata.as_slice() else {
                return false;
            };
            let method = match digest_type {
                1 => MessageDigest::sha1(),
                2 => MessageDigest::sha256(),
                4 => MessageDigest::sha384(),
                _ => return false,
            };
            // The root's name is one octet of zero (RFC 4034 §5.1.4).
            hash(method, &[&[0], key].concat()).is_ok_and(|found| *found == *digest)
        }
    }
}

fn key_tag(rdata: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in rdata.chunks(2) {
        let high = pair.first().copied().unwrap_or(0);
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([high, low]));
    }
    ((sum + (sum >> 16)) & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(manner: Manner) -> Probe {
        let name = DomainName::parse("mx.example").unwrap();
        Probe::new(&name, RecordType::A, manner, 0x1234)
    }

    #[test]
    fn questions() {
        for (manner, flags, length) in [
            (Manner::Plain, 0x0100, 28),
            (Manner::Verdict, 0x0120, 28),
            (Manner::Signed, 0x0100, 39),
            (Manner::Unchecked, 0x0110, 39),
            (Manner::Cramped, 0x0110, 39),
            (Manner::Iterative, 0, 39),
        ] {
            let probe = probe(manner);
            let wire = probe.wire();
            assert_eq!(wire.len(), length, "{manner:?}");
            assert_eq!(wire[2..4], u16::to_be_bytes(flags), "{manner:?}");
            // A question is no reply to itself.
            assert_eq!(probe.read(wire), Heard::Stranger, "{manner:?}");
        }
    }

    #[test]
    fn replies() {
        let probe = probe(Manner::Signed);
        let mut reply = probe.wire().to_vec();
        reply[2] |= 0x80;
        reply[3] = 0xa2;
        let Heard::Reply(told) = probe.read(&reply) else {
            panic!("not a reply");
        };
        assert_eq!((told.rcode, told.authentic), (2, true));
        let mut other = reply.clone();
        other[13] = b'x';
        let mut bare = reply[..12].to_vec();
        bare[4..].fill(0);
        let shouting = reply.iter().map(u8::to_ascii_uppercase).collect();
        let cut = reply[..reply.len() - 1].to_vec();
        for (octets, expected) in [
            (other, "Stranger"),
            (bare, "Reply"),
            (shouting, "Reply"),
            (cut, "Malformed"),
            (reply[..11].to_vec(), "Stranger"),
            (Vec::new(), "Stranger"),
        ] {
            let heard = format!("{:?}", probe.read(&octets));
            assert!(heard.starts_with(expected), "{octets:?}: {heard}");
        }
    }

    /// Every reply with one octet changed, or cut anywhere, is read or refused, and never a panic.
    #[test]
    fn damaged_replies() {
        let probe = probe(Manner::Signed);
        let mut reply = probe.wire()[..28].to_vec();
        reply[2..12].copy_from_slice(&[0x81, 0xa0, 0, 1, 0, 1, 0, 0, 0, 0]);
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
        let Heard::Reply(told) = probe.read(&reply) else {
            panic!("not a reply");
        };
        assert_eq!(told.data, 1);
        for length in 0..reply.len() {
            assert!(
                !matches!(probe.read(&reply[..length]), Heard::Reply(_)),
                "{length}"
            );
        }
        for at in 0..reply.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut damaged = reply.clone();
                damaged[at] ^= change;
                // Whatever it is taken for.
                let _ = probe.read(&damaged);
            }
        }
    }

    #[test]
    fn keys_and_anchors() {
        // One key that the anchor names, one revoked key that it does not, and one octet.
        let key = [&[1, 1, 3, 13][..], &[7; 64]].concat();
        let digest = hash(MessageDigest::sha256(), &[&[0], key.as_slice()].concat()).unwrap();
        let hex: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        let tag = key_tag(&key);
        let anchors = TrustAnchors::parse(&format!(". DS {tag} 13 2 {hex}")).unwrap();
        let other = [&[1, 0x81, 3, 13][..], &[8; 64]].concat();
        let keys = root_keys(&[key, other, vec![1]], &anchors);
        let seen: Vec<_> = keys
            .iter()
            .map(|key| (key.anchored, key.entry_point, key.revoked))
            .collect();
        assert_eq!(seen, [(true, true, false), (false, true, true)]);
        assert_eq!(anchor_tags(&anchors), [tag]);
    }
}
