//! What each TLSA record is: current, to come, left behind, of no use.

use super::presented::{Matcher, Presented, Refused};
use super::text;
use crate::lint::known_ca;
use crate::report::{Certificate, KeyKind, Report, Tlsa, TlsaLabel, Wire};
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::{Selector, TlsaRecord, UsableTlsa, Usage};
use std::collections::{BTreeMap, BTreeSet};

/// Octets of association data that a record's text shows.
const SHOWN: usize = 64;

/// What labelling needs beside the records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// The certificates of the report.
    pub(super) certificates: &'a BTreeMap<String, Certificate>,
    /// An earlier report of the domain: what matched then and does not now is left behind.
    pub(super) earlier: Option<&'a Report>,
    /// The moment of the check.
    pub(super) now: UnixTime,
}

/// The records of the base in force, each with its wires and its label.
pub(super) fn tlsa(
    records: &[TlsaRecord],
    matcher: &mut Matcher<'_>,
    presented: &[Presented<'_>],
    context: &Context<'_>,
) -> Vec<Tlsa> {
    let wires: Vec<Vec<Wire>> = (0..records.len())
        .map(|index| matcher.wires(index, presented))
        .collect();
    let any_matches = (0..records.len()).any(|index| is_current(matcher, index, presented));
    let mut labelled = Vec::new();
    for (index, (record, wires)) in records.iter().zip(wires).enumerate() {
        let usability = record.usability();
        let (label, label_text) = match &usability {
            Err(why) => (TlsaLabel::Unusable, format!("unusable: {why}")),
            Ok(_) if presented.is_empty() => (
                TlsaLabel::Unknown,
                "nothing was presented that it could be compared with".to_owned(),
            ),
            Ok(usable) if is_current(matcher, index, presented) => (
                TlsaLabel::Current,
                current(usable, index, matcher, presented, &wires, context),
            ),
            Ok(usable) => unmatched(usable, index, matcher, presented, any_matches, context),
        };
        labelled.push(Tlsa {
            text: shown(record),
            usage: record.usage(),
            selector: record.selector(),
            matching_type: record.matching_type(),
            association: text::hex(record.association()),
            unusable: usability.err().map(|why| why.to_string()),
            label,
            label_text: text::line(&label_text),
            wires,
        });
    }
    labelled
}

/// Presentation form, the data cut.
pub(super) fn shown(record: &TlsaRecord) -> String {
    let whole = record.to_string();
    let excess = record.association().len().saturating_sub(SHOWN) * 2;
    match whole.len().checked_sub(excess) {
        Some(end) if excess > 0 => format!("{}…", whole.get(..end).unwrap_or_default()),
        _ => whole,
    }
}

/// Whether the record matches where its usage looks.
fn is_current(matcher: &mut Matcher<'_>, index: usize, presented: &[Presented<'_>]) -> bool {
    presented.iter().any(|one| {
        (matcher.matches(index, one).iter()).any(|found| found.refused != Some(Refused::Place))
    })
}

fn key_word(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Rsa => "RSA ",
        KeyKind::Ecdsa => "ECDSA ",
        KeyKind::Eddsa => "EdDSA ",
        KeyKind::Other => "",
    }
}

/// What a record matches, and where.
fn current(
    usable: &UsableTlsa<'_>,
    index: usize,
    matcher: &mut Matcher<'_>,
    presented: &[Presented<'_>],
    wires: &[Wire],
    context: &Context<'_>,
) -> String {
    let part = match usable.selector() {
        Selector::Cert => "certificate",
        Selector::Spki => "key",
    };
    let best = wires
        .iter()
        .find(|wire| wire.accepted)
        .or_else(|| wires.first());
    let certificate = best.and_then(|wire| context.certificates.get(wire.certificate.as_ref()?));
    let mut text = match (usable.usage(), certificate) {
        (Usage::DaneEe, Some(own)) => {
            format!("matches the server's own {}{part}", key_word(own.key))
        }
        (Usage::DaneEe, None) => format!("matches the server's own {part}"),
        (Usage::DaneTa, Some(ca)) => {
            let name = ca.known_ca.as_ref().unwrap_or(&ca.subject);
            let depth = best.map_or(0, |wire| wire.depth);
            format!("matches the {part} of the CA {name} at depth {depth}")
        }
        (Usage::DaneTa, None) => {
            format!("carries the {part} of a CA, which the server needs not send")
        }
    };
    let addresses: BTreeSet<&str> = wires.iter().map(|wire| wire.address.as_str()).collect();
    let all: BTreeSet<String> = presented
        .iter()
        .map(|one| one.address.to_string())
        .collect();
    if addresses.len() < all.len() {
        text += &format!(", at {} of {} addresses", addresses.len(), all.len());
    }
    if !wires.iter().any(|wire| wire.accepted) {
        let refused = presented.iter().flat_map(|one| matcher.matches(index, one));
        let refused = refused
            .filter_map(|found| found.refused)
            .find(|why| *why != Refused::Place);
        text += &match refused {
            Some(Refused::WeakerDigest) => {
                ", but does not count beside the stronger digests of the set".to_owned()
            }
            Some(Refused::Chain(why)) => format!(", but the chain does not hold: {why}"),
            Some(Refused::Place) | None => String::new(),
        };
    }
    text
}

/// What a usable record is that matches nothing where its usage looks.
fn unmatched(
    usable: &UsableTlsa<'_>,
    index: usize,
    matcher: &mut Matcher<'_>,
    presented: &[Presented<'_>],
    any_matches: bool,
    context: &Context<'_>,
) -> (TlsaLabel, String) {
    let misplaced = presented
        .iter()
        .any(|one| !matcher.matches(index, one).is_empty());
    if misplaced {
        let text = match usable.usage() {
            Usage::DaneTa => {
                "matches the server's own certificate, where usage 2 looks only above it: usage 3 is meant"
            }
            Usage::DaneEe => {
                "matches a certificate above the server's own, where usage 3 does not look: usage 2 is meant"
            }
        };
        return (TlsaLabel::Unmatched, text.to_owned());
    }
    let digest = <&[u8; 32]>::try_from(usable.association()).ok();
    let known = digest.and_then(known_ca::by_spki);
    if let Some(known) = known
        && let Some(retired) = known.retired_at
        && known.is_retired(context.now.0)
    {
        let since = text::date(UnixTime(retired));
        let text = format!("the key of {}, out of use since {since}", known.name);
        return (TlsaLabel::RetiredCa, text);
    }
    if let Some(when) = matched_before(usable.record(), context.earlier) {
        let text = format!(
            "matches nothing any more; on {} it did",
            text::date(UnixTime(when))
        );
        return (TlsaLabel::Stale, text);
    }
    let whose = known
        .map(|known| format!("the key of {}; it ", known.name))
        .unwrap_or_default();
    if any_matches {
        let text = format!(
            "{whose}matches nothing that is presented now, and other records do: for a key to come, or left behind"
        );
        (TlsaLabel::Next, text)
    } else {
        let text = format!("{whose}matches nothing that is presented, and no other record does");
        (TlsaLabel::Unmatched, text)
    }
}

/// When the record was seen to match, if an earlier report says so.
fn matched_before(record: &TlsaRecord, earlier: Option<&Report>) -> Option<i64> {
    let report = earlier?;
    let association = text::hex(record.association());
    let fields = (record.usage(), record.selector(), record.matching_type());
    let mut records = report.hosts.iter().flat_map(|host| &host.tlsa);
    let same = |one: &&Tlsa| {
        (one.usage, one.selector, one.matching_type) == fields && one.association == association
    };
    let found = records.find(|one| same(one) && one.label == TlsaLabel::Current);
    found.map(|_| report.began_at)
}

#[cfg(test)]
#[path = "labels_tests.rs"]
mod tests;
