//! One RRset and its signatures (RFC 4035 §5.3).

use super::fault::Fault;
use super::keys::ZoneKeys;
use crate::resolver::limits::Budget;
use crate::resolver::wire::{Name, Record, Rrsig, rtype};
use elsinore_dane::security::Cause;
use elsinore_dane::time::UnixTime;

/// An RRset with the signatures that cover it, as found in one section of one message.
#[derive(Debug, Clone)]
pub(in crate::resolver) struct Signed<'a> {
    pub(in crate::resolver) owner: Name,
    pub(in crate::resolver) rtype: u16,
    pub(in crate::resolver) records: Vec<&'a Record>,
    pub(in crate::resolver) signatures: Vec<Rrsig>,
    /// The smallest TTL of the records that hold the signatures.
    pub(in crate::resolver) signature_ttl: u32,
}

impl<'a> Signed<'a> {
    /// Collects the RRset of `owner` and `rtype`; `None` when there is no such record.
    pub(in crate::resolver) fn find(
        section: &'a [Record],
        owner: &Name,
        rtype: u16,
    ) -> Option<Self> {
        let records = crate::resolver::wire::Message::rrset(section, owner, rtype);
        if records.is_empty() {
            return None;
        }
        let mut signature_ttl = u32::MAX;
        let signatures = section
            .iter()
            .filter(|record| record.rtype == rtype::RRSIG && record.owner == *owner)
            .filter_map(|record| Some((record.ttl, Rrsig::parse(&record.rdata)?)))
            .filter(|(_, rrsig)| rrsig.covered == rtype)
            .map(|(ttl, rrsig)| {
                signature_ttl = signature_ttl.min(ttl);
                rrsig
            })
            .collect();
        Some(Self {
            owner: owner.clone(),
            rtype,
            records,
            signatures,
            signature_ttl,
        })
    }

    /// The zones that claim to have signed it, each once, the deepest first, at most three.
    pub(in crate::resolver) fn signers(&self) -> Vec<Name> {
        let mut signers: Vec<Name> = Vec::new();
        for rrsig in &self.signatures {
            let plausible = self.owner.is_at_or_below(&rrsig.signer)
                // A DS stands in the parent zone (RFC 4035 §5.2); the root has none.
                && (self.rtype != rtype::DS || self.owner != rrsig.signer);
            if plausible && !signers.contains(&rrsig.signer) {
                signers.push(rrsig.signer.clone());
            }
        }
        signers.sort_by_key(|signer| std::cmp::Reverse(signer.label_count()));
        signers.truncate(3);
        signers
    }

    /// The smallest TTL of the records.
    pub(in crate::resolver) fn ttl(&self) -> u32 {
        self.records
            .iter()
            .map(|record| record.ttl)
            .min()
            .unwrap_or(0)
    }

    fn label(&self) -> String {
        let rtype = elsinore_dane::answer::RecordType::from_code(self.rtype);
        match self.rtype {
            rtype::NSEC => format!("{} NSEC", self.owner),
            rtype::NSEC3 => format!("{} NSEC3", self.owner),
            _ => format!("{} {rtype}", self.owner),
        }
    }
}

/// What a valid signature says beyond its being valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resolver) struct Verified {
    /// The closest encloser whose wildcard was expanded, when one was (RFC 4035 §5.3.4).
    pub(in crate::resolver) expanded_from: Option<Name>,
    /// Seconds of reuse: the smallest of the TTLs of records and signatures, the original TTL and
    /// what the signature has left (RFC 4035 §5.3.3).
    pub(in crate::resolver) ttl: u32,
    /// The key that verified.
    pub(in crate::resolver) key_tag: u16,
    /// Its algorithm.
    pub(in crate::resolver) algorithm: u8,
}

/// Checks that one signature of `set` verifies under the keys of a zone.
///
/// # Errors
/// What is wrong with the first signature that came into question.
pub(in crate::resolver) fn verify(
    set: &Signed<'_>,
    keys: &ZoneKeys,
    now: UnixTime,
    budget: &Budget,
) -> Result<Verified, Fault> {
    let label = set.label();
    // A zone has no say in names outside itself (RFC 4035 §5.3.1).
    if !set.owner.is_at_or_below(&keys.zone) {
        let text = format!("{label}: not of {}", keys.zone);
        return Err(Fault::new(Cause::BadSignature, text));
    }
    let mut fault: Option<Fault> = None;
    let mut blame = |cause: Cause, text: String| {
        fault.get_or_insert(Fault::new(cause, text));
    };
    let mut tried = 0;
    let mut missing = keys.demanded().to_vec();
    let mut verified: Option<Verified> = None;
    'signatures: for rrsig in &set.signatures {
        if rrsig.signer != keys.zone || !keys.cryptography().supports(rrsig.algorithm) {
            continue;
        }
        let labels = usize::from(rrsig.labels);
        let own_labels = set.owner.label_count() - usize::from(set.owner.is_wildcard());
        if labels > own_labels {
            blame(
                Cause::BadSignature,
                format!("{label}: the signature counts more labels than the name has"),
            );
            continue;
        }
        if labels < keys.zone.label_count() {
            blame(
                Cause::BadSignature,
                format!(
                    "{label}: the signature counts fewer labels than {} has",
                    keys.zone
                ),
            );
            continue;
        }
        let left = match lifetime(rrsig, now) {
            Ok(left) => left,
            Err(Fault { cause, text }) => {
                blame(cause, format!("{label}: {text}"));
                continue;
            }
        };
        let candidates: Vec<_> = keys.matching(rrsig.key_tag, rrsig.algorithm).collect();
        if candidates.is_empty() {
            let (tag, zone) = (rrsig.key_tag, &keys.zone);
            blame(
                Cause::BadSignature,
                format!("{label}: signed by key {tag}, which {zone} does not publish"),
            );
            continue;
        }
        if tried == budget.limits.signatures_per_rrset {
            let text = format!("{label}: more than {tried} signatures, none of the first valid");
            return Err(Fault::new(Cause::Limit, text));
        }
        tried += 1;
        if candidates.len() > budget.limits.keys_per_tag {
            let (limit, tag) = (budget.limits.keys_per_tag, rrsig.key_tag);
            blame(
                Cause::Limit,
                format!("{label}: more than {limit} keys of tag {tag}"),
            );
            continue;
        }
        let signed = signed_octets(set, rrsig);
        let mut why = String::new();
        for key in candidates {
            budget
                .signature()
                .map_err(|text| Fault::new(Cause::Limit, format!("{label}: {text}")))?;
            let checked =
                keys.cryptography()
                    .verify(key.algorithm, &key.public, &signed, &rrsig.signature);
            if let Err(text) = checked {
                why = text;
                continue;
            }
            let valid = verified.get_or_insert(Verified {
                expanded_from: (labels < own_labels).then(|| set.owner.suffix(labels)),
                ttl: set
                    .ttl()
                    .min(set.signature_ttl)
                    .min(rrsig.original_ttl)
                    .min(left),
                key_tag: key.tag,
                algorithm: key.algorithm,
            });
            missing.retain(|algorithm| *algorithm != key.algorithm);
            if missing.is_empty() {
                return Ok(valid.clone());
            }
            continue 'signatures;
        }
        blame(
            Cause::BadSignature,
            format!("{label}, key {}: {why}", rrsig.key_tag),
        );
    }
    if let (Some(_), Some(algorithm)) = (&verified, missing.first()) {
        let text = format!(
            "{label}: no valid signature of algorithm {algorithm}, with which {} is to be signed",
            keys.zone
        );
        return Err(Fault::new(Cause::BadSignature, text));
    }
    Err(fault.unwrap_or_else(|| {
        let text = if set.signatures.is_empty() {
            format!("{label}: no signature, though {} is signed", keys.zone)
        } else {
            format!(
                "{label}: no signature by {} of a known algorithm",
                keys.zone
            )
        };
        Fault::new(Cause::SignatureMissing, text)
    }))
}

/// Seconds the signature stays valid. Times are serial numbers around `now` (RFC 4034 §3.1.5).
fn lifetime(rrsig: &Rrsig, now: UnixTime) -> Result<u32, Fault> {
    let clock = now.0.rem_euclid(1 << 32) as u32;
    let distance = |time: u32| i64::from(time.wrapping_sub(clock).cast_signed());
    let (since, left) = (-distance(rrsig.inception), distance(rrsig.expiration));
    if left < 0 {
        let text = format!("the signature expired {} ago", span(-left));
        return Err(Fault::new(Cause::SignatureExpired, text));
    }
    if since < 0 {
        let text = format!("the signature is not valid for another {}", span(-since));
        return Err(Fault::new(Cause::SignatureNotYetValid, text));
    }
    Ok(u32::try_from(left).unwrap_or(0))
}

fn span(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// What was signed (RFC 4034 §3.1.8.1): the head of the RRSIG, then every record in canonical
/// form and order, under the wildcard's name where the labels field says so.
fn signed_octets(set: &Signed<'_>, rrsig: &Rrsig) -> Vec<u8> {
    let labels = usize::from(rrsig.labels);
    let own_labels = set.owner.label_count() - usize::from(set.owner.is_wildcard());
    let owner = if labels < own_labels {
        // The wildcard is no longer than the name it stands for.
        set.owner
            .suffix(labels)
            .wildcard()
            .unwrap_or_else(|| set.owner.clone())
    } else {
        set.owner.clone()
    };
    let mut rdata: Vec<&[u8]> = set.records.iter().map(|r| r.rdata.as_slice()).collect();
    rdata.sort_unstable();
    let mut octets = rrsig.head.clone();
    for rdata in rdata {
        octets.extend_from_slice(owner.wire());
        octets.extend(set.rtype.to_be_bytes());
        octets.extend(1_u16.to_be_bytes());
        octets.extend(rrsig.original_ttl.to_be_bytes());
        // RDATA came out of a message, so its length fits.
        octets.extend(u16::try_from(rdata.len()).unwrap_or(u16::MAX).to_be_bytes());
        octets.extend_from_slice(rdata);
    }
    octets
}
