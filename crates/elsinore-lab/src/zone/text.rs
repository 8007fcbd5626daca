//! Zone-file text to records (RFC 1035 §5.1), read with the `domain` crate.

use super::tree::{Fqdn, Rdata, Rr};
use super::{ZoneError, ZoneSource};
use bytes::Bytes;
use domain::base::iana::{Class, Rtype};
use domain::base::name::FlattenInto;
use domain::base::rdata::{ComposeRecordData, UnknownRecordData};
use domain::base::{Name, ToName};
use domain::zonefile::inplace::{Entry, Zonefile};
use elsinore_dane::name::DomainName;

/// The wire form of a name, in lower case.
pub(crate) fn fqdn(name: &DomainName) -> Fqdn {
    let mut wire = Vec::new();
    for label in name.labels() {
        // A label of a DomainName has at most 63 octets.
        wire.push(u8::try_from(label.len()).unwrap_or(63));
        wire.extend_from_slice(&label);
    }
    wire.push(0);
    Name::from_octets(Bytes::from(wire)).unwrap_or_else(|_| Name::root_bytes())
}

/// The canonical project form of a wire name.
pub(crate) fn key_name(name: &impl ToName) -> DomainName {
    let labels: Vec<Vec<u8>> = name
        .iter_labels()
        .filter(|label| !label.is_root())
        .map(|label| label.as_slice().to_vec())
        .collect();
    // Only the root has no label; every other name already respects the limits.
    DomainName::from_labels(labels.iter().map(Vec::as_slice)).unwrap_or_else(|_| DomainName::root())
}

/// Reads the records of a source, relative to its apex, refusing what does not belong.
pub(crate) fn read_records(source: &ZoneSource) -> Result<Vec<Rr>, ZoneError> {
    let mut text = source.text.clone();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let records = scan(&source.apex, &text)?;
    let apex = fqdn(&source.apex);
    let refuse = |reason: String| ZoneError::Text {
        zone: source.apex.to_string(),
        reason,
    };
    let soas = records
        .iter()
        .filter(|record| record.rtype() == Rtype::SOA)
        .collect::<Vec<_>>();
    if soas.len() != 1 || soas.iter().any(|soa| *soa.owner() != apex) {
        return Err(refuse("exactly one SOA is needed, at the apex".to_owned()));
    }
    for record in &records {
        if !record.owner().ends_with(&apex) {
            return Err(refuse(format!("{} is not in the zone", record.owner())));
        }
        if matches!(
            record.rtype(),
            Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::NSEC3PARAM | Rtype::DNSKEY
        ) {
            return Err(refuse(format!("{} records are made here", record.rtype())));
        }
    }
    Ok(records)
}

/// Reads any zone-file text with `origin` for relative names.
pub(crate) fn scan(origin: &DomainName, text: &str) -> Result<Vec<Rr>, ZoneError> {
    let refuse = |reason: String| ZoneError::Text {
        zone: origin.to_string(),
        reason,
    };
    let mut reader = Zonefile::from(text);
    reader.set_origin(fqdn(origin));
    reader.set_default_class(Class::IN);
    let mut records = Vec::new();
    loop {
        match reader.next_entry() {
            Ok(None) => break,
            Ok(Some(Entry::Record(record))) => {
                let record: Rr = record.flatten_into();
                let (owner, class, ttl) = (record.owner().clone(), record.class(), record.ttl());
                let data = uniform(record.into_data()).map_err(&refuse)?;
                records.push(Rr::new(owner, class, ttl, data));
            }
            Ok(Some(Entry::Include { .. })) => {
                return Err(refuse("$INCLUDE is not supported".to_owned()));
            }
            Err(error) => return Err(refuse(error.to_string())),
        }
    }
    Ok(records)
}

/// Brings types that may also be written as `\# LENGTH HEX` to one representation, so that a
/// malformed record sorts among its well-formed neighbours (RFC 4034 §6.3).
fn uniform(data: Rdata) -> Result<Rdata, String> {
    match &data {
        Rdata::A(_) | Rdata::Aaaa(_) | Rdata::Txt(_) | Rdata::Tlsa(_) => {
            let mut wire = Vec::new();
            // Appending to a Vec cannot fail.
            let Ok(()) = data.compose_rdata(&mut wire);
            UnknownRecordData::from_octets(rtype_of(&data), Bytes::from(wire))
                .map(Rdata::Unknown)
                .map_err(|error| error.to_string())
        }
        _ => Ok(data),
    }
}

fn rtype_of(data: &Rdata) -> Rtype {
    domain::base::RecordData::rtype(data)
}
