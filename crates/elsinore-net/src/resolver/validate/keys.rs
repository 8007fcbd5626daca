//! The keys of a zone, and how a DS RRset vouches for them (RFC 4035 §5.2, RFC 4509, RFC 6840).

use super::crypto::{Cryptography, OpenSsl};
use super::fault::Fault;
use super::rrset::{Signed, verify};
use crate::resolver::anchors::Anchor;
use crate::resolver::cache::{Weigh, block, shared_block};
use crate::resolver::config::AlgorithmDowngrade;
use crate::resolver::limits::Budget;
use crate::resolver::wire::{Ds, Name, rtype};
use elsinore_dane::security::Cause;
use elsinore_dane::time::UnixTime;
use std::mem::size_of;
use std::sync::Arc;

/// Keys of one DNSKEY RRset, and usable DS records of one set, that are looked at.
const MOST_KEYS: usize = 64;
const MOST_DS: usize = 24;

/// One zone key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resolver) struct ZoneKey {
    pub(in crate::resolver) tag: u16,
    pub(in crate::resolver) algorithm: u8,
    pub(super) public: Vec<u8>,
}

/// The keys of a zone that was reached over a chain of trust.
#[derive(Debug, Clone)]
pub(in crate::resolver) struct ZoneKeys {
    pub(in crate::resolver) zone: Name,
    /// Seconds for which they may be reused.
    pub(in crate::resolver) ttl: u32,
    keys: Vec<ZoneKey>,
    /// Algorithms of which every RRset needs a valid signature; when empty one of any will do.
    demanded: Vec<u8>,
    cryptography: Arc<dyn Cryptography>,
}

/// How the keys of a zone are to be judged.
#[derive(Debug, Clone, Copy)]
pub(in crate::resolver) struct Policy<'a> {
    pub(in crate::resolver) cryptography: &'a Arc<dyn Cryptography>,
    pub(in crate::resolver) downgrade: AlgorithmDowngrade,
}

impl Policy<'_> {
    /// What signatures are needed in a zone whose DS records or anchors are of `algorithms`.
    fn demanded(&self, algorithms: impl Iterator<Item = u8>) -> Vec<u8> {
        match self.downgrade {
            AlgorithmDowngrade::Accepted => Vec::new(),
            AlgorithmDowngrade::Refused => {
                let mut demanded: Vec<u8> = algorithms.collect();
                demanded.sort_unstable();
                demanded.dedup();
                demanded
            }
        }
    }
}

impl Weigh for ZoneKeys {
    fn heap(&self) -> usize {
        let keys: usize = self
            .keys
            .iter()
            .map(|key| block(key.public.capacity()))
            .sum();
        let list = block(self.keys.capacity() * size_of::<ZoneKey>());
        let demanded = block(self.demanded.capacity());
        shared_block(size_of::<Self>()) + self.zone.heap() + list + keys + demanded
    }
}

/// What a DS set and a DNSKEY set make of a zone.
#[derive(Debug, Clone)]
pub(in crate::resolver) enum KeyOutcome {
    Secure(ZoneKeys),
    /// All DS records are of an unknown algorithm or digest (RFC 4035 §5.2).
    Insecure(Fault),
    Bogus(Fault),
}

impl ZoneKeys {
    /// A zone without a key: nothing of it verifies.
    #[cfg(test)]
    pub(in crate::resolver) fn without_any(zone: &Name) -> Self {
        Self {
            zone: zone.clone(),
            ttl: 0,
            keys: Vec::new(),
            demanded: Vec::new(),
            cryptography: Arc::new(OpenSsl::default()),
        }
    }

    pub(super) fn cryptography(&self) -> &dyn Cryptography {
        &*self.cryptography
    }

    /// Algorithms of which every RRset needs a valid signature.
    pub(super) fn demanded(&self) -> &[u8] {
        &self.demanded
    }

    pub(super) fn matching(&self, tag: u16, algorithm: u8) -> impl Iterator<Item = &ZoneKey> {
        self.keys
            .iter()
            .filter(move |key| key.tag == tag && key.algorithm == algorithm)
    }

    /// Whether a DS set has a record that could be followed at all; if not, the reason for which
    /// the zone counts as unsigned.
    pub(in crate::resolver) fn usable_ds(
        zone: &Name,
        rdata: &[&[u8]],
        cryptography: &dyn Cryptography,
    ) -> Result<Vec<Ds>, Fault> {
        let all: Vec<Ds> = rdata.iter().filter_map(|rdata| Ds::parse(rdata)).collect();
        let known_algorithm = all
            .iter()
            .filter(|ds| cryptography.supports(ds.algorithm))
            .count();
        let mut usable: Vec<Ds> = all
            .iter()
            .filter(|ds| is_usable(ds, cryptography))
            .cloned()
            .collect();
        if usable.is_empty() {
            return Err(if known_algorithm == 0 {
                let first = all.first().map_or(0, |ds| ds.algorithm);
                let text = format!("{zone} is signed with unknown algorithm {first} only");
                Fault::new(Cause::UnknownAlgorithm, text)
            } else {
                let first = all.first().map_or(0, |ds| ds.digest_type);
                let text = format!("the DS records of {zone} use unknown digest type {first} only");
                Fault::new(Cause::UnknownDigest, text)
            });
        }
        // RFC 4509 §3: SHA-1 digests do not count beside stronger ones.
        if usable.iter().any(|ds| ds.digest_type != 1) {
            usable.retain(|ds| ds.digest_type != 1);
        }
        // Cut only here: the order of records is nobody's signature, and what is left out must not
        // decide whether the zone is signed.
        usable.truncate(MOST_DS);
        Ok(usable)
    }

    /// Judges the DNSKEY RRset of a zone by the DS set that its parent signed.
    pub(in crate::resolver) fn from_ds(
        set: &Signed<'_>,
        ds_rdata: &[&[u8]],
        policy: Policy<'_>,
        now: UnixTime,
        budget: &Budget,
    ) -> KeyOutcome {
        let cryptography = policy.cryptography;
        let usable = match Self::usable_ds(&set.owner, ds_rdata, &**cryptography) {
            Ok(usable) => usable,
            Err(fault) => return KeyOutcome::Insecure(fault),
        };
        let demanded = policy.demanded(usable.iter().map(|ds| ds.algorithm));
        let by_whom = if usable.len() < MOST_DS {
            "a DS record".to_owned()
        } else {
            format!("one of the first {MOST_DS} DS records")
        };
        Self::judge(
            set,
            &by_whom,
            (cryptography, demanded),
            now,
            budget,
            |rdata, key| {
                usable
                    .iter()
                    .any(|ds| is_vouched(&set.owner, ds, rdata, key, &**cryptography))
            },
        )
    }

    /// Judges the DNSKEY RRset of a zone by the anchors configured for it.
    pub(in crate::resolver) fn from_anchors(
        set: &Signed<'_>,
        anchors: &[Anchor],
        policy: Policy<'_>,
        now: UnixTime,
        budget: &Budget,
    ) -> KeyOutcome {
        let cryptography = policy.cryptography;
        let usable = anchors
            .iter()
            .filter(|anchor| anchor.is_usable(&**cryptography));
        let demanded = policy.demanded(usable.map(Anchor::algorithm));
        Self::judge(
            set,
            "a trust anchor",
            (cryptography, demanded),
            now,
            budget,
            |rdata, key| {
                anchors.iter().any(|anchor| match anchor {
                    Anchor::Dnskey(known) => known == rdata,
                    Anchor::Ds(known) => Ds::parse(known)
                        .is_some_and(|ds| is_vouched(&set.owner, &ds, rdata, key, &**cryptography)),
                })
            },
        )
    }

    /// Whether the key of `rdata`, revoked or not, has signed its own DNSKEY RRset (RFC 5011 §2.1).
    pub(in crate::resolver) fn is_signed_by(
        set: &Signed<'_>,
        rdata: &[u8],
        cryptography: &Arc<dyn Cryptography>,
        now: UnixTime,
        budget: &Budget,
    ) -> bool {
        let [_, _, 3, algorithm, public @ ..] = rdata else {
            return false;
        };
        let alone = Self {
            zone: set.owner.clone(),
            ttl: 0,
            keys: vec![ZoneKey {
                tag: key_tag(rdata),
                algorithm: *algorithm,
                public: public.to_vec(),
            }],
            demanded: Vec::new(),
            cryptography: Arc::clone(cryptography),
        };
        verify(set, &alone, now, budget).is_ok()
    }

    /// Whether `ds` was made of the DNSKEY of `zone` with this RDATA (RFC 4034 §5.1.4).
    pub(in crate::resolver) fn is_digest_of(ds: &Ds, zone: &Name, rdata: &[u8]) -> bool {
        zone_key(rdata).is_some_and(|key| is_vouched(zone, ds, rdata, &key, &OpenSsl::default()))
    }

    fn judge(
        set: &Signed<'_>,
        by_whom: &str,
        (cryptography, demanded): (&Arc<dyn Cryptography>, Vec<u8>),
        now: UnixTime,
        budget: &Budget,
        vouched: impl Fn(&[u8], &ZoneKey) -> bool,
    ) -> KeyOutcome {
        let zone = set.owner.clone();
        debug_assert_eq!(set.rtype, rtype::DNSKEY);
        if set.records.len() > MOST_KEYS {
            let text = format!("{zone} publishes more than {MOST_KEYS} keys");
            return KeyOutcome::Bogus(Fault::new(Cause::Limit, text));
        }
        let all: Vec<(&[u8], ZoneKey)> = set
            .records
            .iter()
            .filter_map(|record| Some((record.rdata.as_slice(), zone_key(&record.rdata)?)))
            .collect();
        let entry: Vec<ZoneKey> = all
            .iter()
            .filter(|(rdata, key)| vouched(rdata, key))
            .map(|(_, key)| key.clone())
            .collect();
        if entry.is_empty() {
            let text = format!("no key of {zone} matches {by_whom}");
            return KeyOutcome::Bogus(Fault::new(Cause::KeyMissing, text));
        }
        let entry = Self {
            zone: zone.clone(),
            ttl: 0,
            keys: entry,
            demanded,
            cryptography: Arc::clone(cryptography),
        };
        match verify(set, &entry, now, budget) {
            Ok(verified) => KeyOutcome::Secure(Self {
                zone,
                ttl: verified.ttl,
                keys: all.into_iter().map(|(_, key)| key).collect(),
                demanded: entry.demanded,
                cryptography: entry.cryptography,
            }),
            Err(fault) => KeyOutcome::Bogus(fault),
        }
    }
}

/// A DNSKEY that may sign zone data: protocol 3, zone flag, not revoked (RFC 4034 §2.1,
/// RFC 5011 §2.1).
fn zone_key(rdata: &[u8]) -> Option<ZoneKey> {
    let [high, low, 3, algorithm, public @ ..] = rdata else {
        return None;
    };
    let flags = u16::from_be_bytes([*high, *low]);
    (flags & 0x0100 != 0 && flags & 0x0080 == 0).then(|| ZoneKey {
        tag: key_tag(rdata),
        algorithm: *algorithm,
        public: public.to_vec(),
    })
}

/// RFC 4034 appendix B.
pub(in crate::resolver) fn key_tag(rdata: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for (index, octet) in rdata.iter().enumerate() {
        let octet = u32::from(*octet);
        sum += if index % 2 == 0 { octet << 8 } else { octet };
    }
    ((sum + (sum >> 16)) & 0xffff) as u16
}

/// Whether a DS record could be followed.
pub(in crate::resolver) fn is_usable(ds: &Ds, cryptography: &dyn Cryptography) -> bool {
    cryptography.supports(ds.algorithm) && cryptography.supports_digest(ds.digest_type)
}

fn is_vouched(
    zone: &Name,
    ds: &Ds,
    rdata: &[u8],
    key: &ZoneKey,
    cryptography: &dyn Cryptography,
) -> bool {
    ds.key_tag == key.tag && ds.algorithm == key.algorithm && {
        let input = [zone.wire(), rdata].concat();
        cryptography
            .digest(ds.digest_type, &input)
            .is_some_and(|digest| digest == ds.digest)
    }
}

#[cfg(test)]
mod tests;
