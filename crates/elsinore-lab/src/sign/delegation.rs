//! DS records: at the parent of a zone, and as the trust anchor of the root.

use super::ZoneKeys;
use super::key::{KeyOrigin, SECURE_ENTRY_POINT, ZONE_KEY, ZoneKey};
use crate::zone::{Algorithm, DsKind, DsPlan, Fqdn, Rdata, Rr};
use domain::base::Ttl;
use domain::base::iana::Class;
use openssl::error::ErrorStack;

/// The DS records that the parent of `apex` holds.
pub(super) fn ds_records(
    apex: &Fqdn,
    keys: &ZoneKeys,
    plan: &DsPlan,
) -> Result<Vec<Rr>, ErrorStack> {
    let kinds: &[DsKind] = match plan {
        DsPlan::Matching => &[DsKind::Digest(2)],
        DsPlan::Omitted => &[],
        DsPlan::Only(kinds) => kinds,
    };
    let key = &keys.entry;
    let number = keys.plan.algorithm.number();
    let mut records = Vec::new();
    for kind in kinds {
        let right = key.digest(apex, 2)?;
        let ds = match kind {
            DsKind::Digest(digest_type) => {
                key.ds(number, *digest_type, key.digest(apex, *digest_type)?)
            }
            DsKind::WrongDigest => {
                let wrong = right.iter().map(|octet| octet ^ 0x55).collect();
                key.ds(number, 2, wrong)
            }
            DsKind::MissingKey => {
                let origin = KeyOrigin {
                    seed: 0,
                    apex,
                    role: "missing",
                    number: 0,
                };
                let flags = ZONE_KEY | SECURE_ENTRY_POINT;
                let missing = ZoneKey::make(&origin, Algorithm::EcdsaP256, flags)?;
                let digest = missing.digest(apex, 2)?;
                missing.ds(number, 2, digest)
            }
            DsKind::Algorithm(other) => key.ds(*other, 2, right),
            DsKind::UnknownDigest(other) => key.ds(number, *other, right),
        };
        if let Some(ds) = ds {
            records.push(Rr::new(
                apex.clone(),
                Class::IN,
                Ttl::from_secs(3600),
                Rdata::Ds(ds),
            ));
        }
    }
    Ok(records)
}

/// The root's trust anchor, as a DS line and as a DNSKEY line.
pub(super) fn anchor_lines(
    keys: &ZoneKeys,
    root: &Fqdn,
) -> Result<Vec<(String, String)>, ErrorStack> {
    let key = keys.entry.record();
    let records = ds_records(root, keys, &DsPlan::Matching)?;
    Ok(records
        .iter()
        .map(|record| {
            (
                format!(". 3600 IN DS {}\n", record.data()),
                format!(". 3600 IN DNSKEY {key}\n"),
            )
        })
        .collect())
}
