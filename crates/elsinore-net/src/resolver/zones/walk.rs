//! The walk itself: four questions per zone, answered as any other, and their records read.

use super::{DenialView, DsSource, DsStanding, DsView, KeyView, Vouched, ZoneView};
use crate::resolver::Resolver;
use crate::resolver::anchors::{Anchor, Start};
use crate::resolver::chain::{Followed, Manner};
use crate::resolver::core::Core;
use crate::resolver::evidence::{Evidence, Records};
use crate::resolver::limits::Budget;
use crate::resolver::signature::signatures_over;
use crate::resolver::transcript::{Checking, Recursion};
use crate::resolver::validate::{Signed, ZoneKeys, is_usable, key_tag};
use crate::resolver::wire::{Ds, Name, Nsec3, Record, rtype};
use crate::resolver::{Freshness, Signature};
use elsinore_dane::answer::{Last, Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::{Security, Status};
use futures_util::future::join_all;

/// Zones looked at on the way to one name: real names have five at most.
const MOST_ZONES: usize = 12;
/// Labels of a name, from the top, at which a zone is looked for.
const MOST_LABELS: usize = 24;
/// Records of one set that are shown.
const MOST_SHOWN: usize = 64;
/// NSEC3PARAM (RFC 5155 §4).
const NSEC3PARAM: u16 = 51;

/// A name on the way down that turned out to be the apex of a zone.
struct Apex {
    name: Name,
    soa: Followed,
}

/// What one zone says of itself, and its parent of it.
struct Asked {
    apex: Name,
    soa: Followed,
    keys: Followed,
    ds: Option<Followed>,
    parameters: Option<Followed>,
}

impl Resolver {
    /// Every zone from the root down to the one that holds `name`, the root first.
    ///
    /// Asks for SOA at every label of the name, and for DNSKEY, DS and NSEC3PARAM at every apex;
    /// what the cache holds is not asked for again. A zone of which nothing could be had is in the
    /// list where its parent delegates it.
    pub async fn zones(&self, name: &DomainName) -> Vec<ZoneView> {
        let core = &self.core;
        let name = Name::from_domain(name);
        let lowest = name.label_count().min(MOST_LABELS);
        let candidates = (0..=lowest).map(|count| core.apex(name.suffix(count)));
        let apexes = join_all(candidates).await.into_iter().flatten();
        let asked = join_all(apexes.take(MOST_ZONES).map(|apex| core.ask_of(apex))).await;
        let opted_out: Vec<Name> = asked
            .iter()
            .filter_map(|zone| evidence(zone.ds.as_ref()?))
            .flat_map(|evidence| &evidence.message().authority)
            .filter(|record| record.rtype == rtype::NSEC3)
            .filter(|record| Nsec3::parse(&record.rdata).is_some_and(|nsec3| nsec3.opt_out))
            .filter_map(|record| record.owner.parent())
            .collect();
        let mut parent = None;
        let mut views = Vec::new();
        for zone in &asked {
            let mut view = core.view(zone, parent.take());
            if let Some(DenialView::Nsec3 { opt_out, .. }) = &mut view.denial {
                *opt_out |= opted_out.contains(&zone.apex);
            }
            parent = Some(view.apex.clone());
            views.push(view);
        }
        views
    }
}

impl Core {
    async fn look(&self, name: &Name, rtype: u16) -> Followed {
        let manner = Manner {
            freshness: Freshness::Cached,
            recursion: Recursion::Desired,
            checking: Checking::Enabled,
            records: Records::Kept,
        };
        let record_type = RecordType::from_code(rtype);
        let question = Question::new(name.to_domain(), record_type);
        self.answer_in(&question, manner).await
    }

    /// Whether a zone begins at `name`.
    async fn apex(&self, name: Name) -> Option<Apex> {
        let soa = self.look(&name, rtype::SOA).await;
        let has_soa = soa.answer.chain.is_empty() && matches!(soa.answer.last, Last::Data(_));
        // A zone that is broken or out of reach has no SOA to show, but its parent delegates it.
        let is_apex = has_soa || name.is_root() || self.known_delegation(&name).is_some();
        is_apex.then_some(Apex { name, soa })
    }

    async fn ask_of(&self, apex: Apex) -> Asked {
        let keys = self.look(&apex.name, rtype::DNSKEY);
        let ds = async {
            match apex.name.is_root() {
                true => None,
                false => Some(self.look(&apex.name, rtype::DS).await),
            }
        };
        let (keys, ds) = futures_util::future::join(keys, ds).await;
        let is_signed = keys.answer.overall().security() == Security::Secure
            && matches!(keys.answer.last, Last::Data(_));
        let parameters = if is_signed {
            Some(self.look(&apex.name, NSEC3PARAM).await)
        } else {
            None
        };
        Asked {
            apex: apex.name,
            soa: apex.soa,
            keys,
            ds,
            parameters,
        }
    }

    fn view(&self, zone: &Asked, parent: Option<DomainName>) -> ZoneView {
        let apex = &zone.apex;
        let keys = section(&zone.keys, apex, rtype::DNSKEY);
        let anchors = match self.starts().of(apex) {
            Start::Keys(start, anchors) if start == *apex => anchors.to_vec(),
            Start::Keys(..) | Start::Never(_) => Vec::new(),
        };
        let parents: Vec<&Record> = zone
            .ds
            .as_ref()
            .map(|ds| section(ds, apex, rtype::DS))
            .unwrap_or_default();
        let mut ds: Vec<DsView> = anchors
            .iter()
            .map(|anchor| self.anchor_view(apex, anchor, &keys))
            .collect();
        let at_parent = parents.iter().filter_map(|record| Ds::parse(&record.rdata));
        ds.extend(at_parent.map(|ds| self.ds_view(apex, &ds, DsSource::Parent, &keys)));
        let signatures = |followed: Option<&Followed>, rtype| -> Vec<Signature> {
            let Some(evidence) = followed.and_then(evidence) else {
                return Vec::new();
            };
            let mut found = signatures_over(&evidence.message().answer, apex, rtype, self.now());
            found.truncate(MOST_SHOWN);
            found
        };
        ZoneView {
            apex: apex.to_domain(),
            parent,
            status: status(zone),
            ds_ttl: zone.ds.as_ref().and_then(ttl),
            ds_signatures: signatures(zone.ds.as_ref(), rtype::DS),
            keys: keys
                .iter()
                .filter_map(|record| self.key_view(zone, &anchors, &parents, record))
                .collect(),
            keys_ttl: match zone.keys.answer.last {
                Last::Data(_) => ttl(&zone.keys),
                Last::Denied(_) | Last::Failed(_) => None,
            },
            key_signatures: signatures(Some(&zone.keys), rtype::DNSKEY),
            denial: denial(zone),
            serial: serial(zone),
            ds,
        }
    }

    fn anchor_view(&self, apex: &Name, anchor: &Anchor, keys: &[&Record]) -> DsView {
        let (standing, ds) = match anchor {
            Anchor::Ds(rdata) => match Ds::parse(rdata) {
                Some(ds) => return self.ds_view(apex, &ds, DsSource::Anchor, keys),
                None => (DsStanding::Unknown, None::<Ds>),
            },
            Anchor::Dnskey(rdata) => {
                let is_published = keys.iter().any(|key| key.rdata == *rdata);
                (standing(keys, is_published), None)
            }
        };
        DsView {
            key_tag: anchor.tag(),
            algorithm: anchor.algorithm(),
            digest_type: None,
            digest: ds.map(|ds| ds.digest).unwrap_or_default(),
            source: DsSource::Anchor,
            standing,
        }
    }

    fn ds_view(&self, apex: &Name, ds: &Ds, source: DsSource, keys: &[&Record]) -> DsView {
        let matches = |key: &&Record| ZoneKeys::is_digest_of(ds, apex, &key.rdata);
        DsView {
            key_tag: ds.key_tag,
            algorithm: ds.algorithm,
            digest_type: Some(ds.digest_type),
            digest: ds.digest.clone(),
            source,
            standing: if is_usable(ds, &*self.config.cryptography) {
                standing(keys, keys.iter().any(matches))
            } else {
                DsStanding::Unknown
            },
        }
    }

    fn key_view(
        &self,
        zone: &Asked,
        anchors: &[Anchor],
        parents: &[&Record],
        key: &Record,
    ) -> Option<KeyView> {
        let apex = &zone.apex;
        let [high, low, _, algorithm, public @ ..] = key.rdata.as_slice() else {
            return None;
        };
        let fits = |ds: &[u8]| {
            let ds = Ds::parse(ds).filter(|ds| is_usable(ds, &*self.config.cryptography));
            ds.is_some_and(|ds| ZoneKeys::is_digest_of(&ds, apex, &key.rdata))
        };
        let by_anchor = anchors.iter().any(|anchor| match anchor {
            Anchor::Dnskey(rdata) => *rdata == key.rdata,
            Anchor::Ds(rdata) => fits(rdata),
        });
        let by_ds = parents.iter().any(|ds| fits(&ds.rdata));
        let set = evidence(&zone.keys)
            .and_then(|evidence| Signed::find(&evidence.message().answer, apex, rtype::DNSKEY));
        let budget = Budget::new(self.config.limits);
        let cryptography = &self.config.cryptography;
        Some(KeyView {
            key_tag: key_tag(&key.rdata),
            algorithm: *algorithm,
            flags: u16::from_be_bytes([*high, *low]),
            bits: bits(*algorithm, public),
            vouched: match (by_anchor, by_ds) {
                (true, _) => Vouched::ByAnchor,
                (false, true) => Vouched::ByDs,
                (false, false) => Vouched::No,
            },
            signs_keys: set.is_some_and(|set| {
                ZoneKeys::is_signed_by(&set, &key.rdata, cryptography, self.now(), &budget)
            }),
        })
    }
}

const fn standing(keys: &[&Record], matches: bool) -> DsStanding {
    match (keys.is_empty(), matches) {
        (true, _) => DsStanding::Uncompared,
        (false, true) => DsStanding::Matches,
        (false, false) => DsStanding::MatchesNone,
    }
}

/// What the zone is worth: the word of the validator on its keys, and where it has none, on its
/// SOA record, which every zone has.
fn status(zone: &Asked) -> Status {
    let of_keys = zone.keys.answer.overall();
    match (&zone.keys.answer.last, of_keys.security()) {
        (Last::Data(_), _) | (_, Security::Bogus) => of_keys.clone(),
        _ => zone.soa.answer.overall().clone(),
    }
}

/// The reply behind the end of an answer that no alias led to.
fn evidence(followed: &Followed) -> Option<&Evidence> {
    let end = followed.end.as_deref();
    end.filter(|_| followed.answer.chain.is_empty())
}

fn section<'a>(followed: &'a Followed, owner: &Name, rtype: u16) -> Vec<&'a Record> {
    let mut records = evidence(followed)
        .map(|evidence| evidence.answer(owner, rtype))
        .unwrap_or_default();
    records.retain(|record| record.rtype == rtype);
    records.truncate(MOST_SHOWN);
    records
}

fn ttl(followed: &Followed) -> Option<u32> {
    match &followed.answer.last {
        Last::Data(set) => Some(set.ttl),
        Last::Denied(denial) => Some(denial.ttl),
        Last::Failed(_) => None,
    }
}

fn serial(zone: &Asked) -> Option<u32> {
    let soa = section(&zone.soa, &zone.apex, rtype::SOA);
    let rdata = &soa.first()?.rdata;
    let start = rdata.len().checked_sub(20)?;
    let octets = rdata.get(start..start + 4)?;
    Some(u32::from_be_bytes(octets.try_into().ok()?))
}

/// How the zone denies: by the parameters it publishes, or by the proof that it has none.
fn denial(zone: &Asked) -> Option<DenialView> {
    let followed = zone.parameters.as_ref()?;
    if let Some(parameters) = section(followed, &zone.apex, NSEC3PARAM).first() {
        let [_, _, high, low, length, salt @ ..] = parameters.rdata.as_slice() else {
            return None;
        };
        return Some(DenialView::Nsec3 {
            iterations: u16::from_be_bytes([*high, *low]),
            salt: salt.get(..usize::from(*length))?.to_vec(),
            opt_out: false,
        });
    }
    let authority = &evidence(followed)?.message().authority;
    let mut nsec3 = authority
        .iter()
        .filter(|record| record.rtype == rtype::NSEC3)
        .filter_map(|record| Nsec3::parse(&record.rdata));
    match nsec3.next() {
        Some(first) => Some(DenialView::Nsec3 {
            iterations: first.iterations,
            opt_out: first.opt_out || nsec3.any(|other| other.opt_out),
            salt: first.salt,
        }),
        None => authority
            .iter()
            .any(|record| record.rtype == rtype::NSEC)
            .then_some(DenialView::Nsec),
    }
}

/// The length of a key (RFC 3110 §2, RFC 6605 §4, RFC 8080 §3).
fn bits(algorithm: u8, public: &[u8]) -> Option<u32> {
    match algorithm {
        5 | 7 | 8 | 10 => {
            let (length, rest) = match public {
                [0, high, low, rest @ ..] => (u16::from_be_bytes([*high, *low]), rest),
                [length, rest @ ..] => (u16::from(*length), rest),
                [] => return None,
            };
            let modulus = rest.get(usize::from(length)..)?;
            let start = modulus.iter().position(|octet| *octet != 0)?;
            let octets = u32::try_from(modulus.len() - start).ok()?;
            Some(octets * 8 - modulus.get(start)?.leading_zeros())
        }
        13 | 15 => Some(256),
        14 => Some(384),
        16 => Some(456),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::bits;

    #[test]
    fn lengths_of_keys() {
        let rsa = |octets: usize, first: u8| {
            let mut key = vec![3, 1, 0, 1, first];
            key.resize(4 + octets, 0x55);
            key
        };
        let mut long_exponent = vec![0, 0, 3, 1, 0, 1];
        long_exponent.extend([0xff; 128]);
        for (algorithm, key, expected) in [
            (8, rsa(256, 0xc0), Some(2_048)),
            (8, rsa(128, 0x40), Some(1_023)),
            (10, long_exponent, Some(1_024)),
            (8, vec![], None),
            (8, vec![200, 1, 0, 1], None),
            (13, vec![0; 64], Some(256)),
            (16, vec![0; 57], Some(456)),
            (250, vec![0; 64], None),
        ] {
            assert_eq!(bits(algorithm, &key), expected, "{algorithm} {}", key.len());
        }
    }
}
