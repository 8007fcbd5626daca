//! Lints about usage 2: CA keys in records, and chains that lead to them.

use super::catalogue::{certificate as chains, record as known};
use super::draft::Draft;
use super::known_ca::{self, KnownCa};
use super::record_content::owner;
use super::view::{Met, View, accepted, list, recommended_all, short, tlsa_line, usable};
use crate::publish::moment::day;
use crate::report::{Host, SessionState, Severity, Tlsa};
use elsinore_dane::time::UnixTime;
use elsinore_dane::verify::{DaneVerdict, Rejection, VerifyOptions, verify_dane};
use std::collections::BTreeMap;

pub(super) fn lints(view: &View<'_>, found: &mut Vec<Draft>) {
    for host in &view.report.hosts {
        for record in usable(host).filter(|record| record.usage == Some(2)) {
            if let Some(ca) = ca_of(view, record) {
                named(view, host, record, ca, found);
            }
        }
        not_sent(view, host, found);
        refused(view, host, found);
    }
}

/// The CA whose key or certificate a record names: by digest, or by what it matches.
fn ca_of(view: &View<'_>, record: &Tlsa) -> Option<&'static KnownCa> {
    if record.selector == Some(1)
        && record.matching_type == Some(1)
        && let Some(ca) = known_ca::by_spki_hex(&record.association)
    {
        return Some(ca);
    }
    let wire = record.wires.iter().find(|wire| wire.depth > 0)?;
    known_ca::of_certificate(&view.der(wire.certificate.as_ref()?)?)
}

/// When the first certificate that a record vouches for ends: at the renewal before that another
/// key may sign.
fn renewal(view: &View<'_>, host: &Host, record: &Tlsa) -> Option<i64> {
    let places = record.wires.iter().filter(|wire| wire.accepted);
    let mut ends: Vec<i64> = Vec::new();
    for wire in places {
        for met in view.met(host) {
            if met.address.address == wire.address && met.session.offer == wire.offer {
                ends.extend(met.leaf.not_after_at);
            }
        }
    }
    ends.into_iter().min()
}

fn named(
    view: &View<'_>,
    host: &Host,
    record: &Tlsa,
    ca: &'static KnownCa,
    found: &mut Vec<Draft>,
) {
    let lines = recommended_all(view, host);
    let own_key = usable(host).any(|other| other.usage == Some(3) && accepted(other));
    let text = short(record);
    if ca.is_retired(view.now()) {
        let when = ca.retired_at.unwrap_or_default();
        let evidence = format!("{text} is {}, retired {}", ca.name, day(UnixTime(when)));
        let draft = Draft::new(&known::TLSA_CA_RETIRED, &owner(host), evidence).paste(lines);
        found.push(match (accepted(record), own_key) {
            (true, false) => draft.fails_at(renewal(view, host, record)),
            (true, true) | (false, _) => draft.severity(Severity::Weak),
        });
        return;
    }
    if !accepted(record) {
        return;
    }
    if record.selector == Some(0) && ca.cross_signed && !own_key {
        let evidence = format!("{text} is one of several certificates of {}", ca.name);
        let same_key = record.wires.iter().find_map(|wire| {
            let certificate = view.report.certificates.get(wire.certificate.as_ref()?)?;
            Some(tlsa_line(
                super::view::base(host),
                &format!("2 1 1 {}", certificate.spki_sha256),
            ))
        });
        let draft = Draft::new(&known::TLSA_CA_CERTIFICATE, &owner(host), evidence);
        found.push(draft.fails_at(renewal(view, host, record)).paste(same_key));
    }
    siblings(view, host, record, ca, own_key, found);
}

fn siblings(
    view: &View<'_>,
    host: &Host,
    record: &Tlsa,
    ca: &'static KnownCa,
    own_key: bool,
    found: &mut Vec<Draft>,
) {
    let published: Vec<&'static KnownCa> =
        usable(host).filter_map(|one| ca_of(view, one)).collect();
    // A root above the batch that is sent along covers every sibling.
    let root = usable(host).any(|other| {
        accepted(other)
            && other.usage == Some(2)
            && ca_of(view, other).is_some_and(|known| known.is_root)
    });
    let missing: Vec<&'static KnownCa> = ca
        .siblings()
        .filter(|one| !published.contains(one))
        .collect();
    // Of siblings whose digests are not known, records that match nothing may be those.
    let unknown = missing
        .iter()
        .filter(|one| one.spki_sha256.is_none())
        .count();
    let spare = usable(host)
        .filter(|other| {
            other.usage == Some(2) && other.wires.is_empty() && ca_of(view, other).is_none()
        })
        .count();
    let covered = unknown == missing.len() && spare >= missing.len();
    if missing.is_empty() || root || own_key || covered {
        return;
    }
    let names = list(missing.iter().map(|one| one.name));
    let evidence = format!("{} is {}; not published: {names}", short(record), ca.name);
    let digests = missing.iter().filter_map(|one| one.spki_sha256);
    let lines: Vec<String> = recommended_all(view, host)
        .into_iter()
        .chain(digests.map(|digest| tlsa_line(super::view::base(host), &format!("2 1 1 {digest}"))))
        .collect();
    found.push(
        Draft::new(&known::TLSA_CA_SIBLINGS, &owner(host), evidence)
            .fails_at(renewal(view, host, record))
            .paste(lines),
    );
}

/// Records of usage 2 whose CA is not among what is sent.
fn not_sent(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let idle: Vec<&Tlsa> = usable(host)
        .filter(|record| record.usage == Some(2) && record.wires.is_empty())
        .collect();
    if idle.is_empty() {
        return;
    }
    let mut seen: Vec<String> = Vec::new();
    for met in view.met(host) {
        let Some(last) = met
            .session
            .chain
            .last()
            .and_then(|key| view.report.certificates.get(key))
        else {
            continue;
        };
        let refused = met.session.state == SessionState::Refused;
        if last.self_issued || !refused {
            continue;
        }
        let line = format!(
            "[{}] the chain ends with {} certificates at one issued by {}, which is not sent",
            met.address.address,
            met.session.chain.len(),
            last.issuer
        );
        if !seen.contains(&line) {
            seen.push(line);
        }
    }
    if seen.is_empty() {
        return;
    }
    let texts: Vec<String> = (idle.iter())
        .map(|record| match ca_of(view, record) {
            Some(ca) => format!("{} ({})", short(record), ca.name),
            None => short(record),
        })
        .collect();
    let evidence = format!(
        "{}; {}",
        list(texts.iter().map(String::as_str)),
        list(seen.iter().map(String::as_str))
    );
    found.push(
        Draft::new(&known::TLSA_CA_NOT_SENT, &owner(host), evidence)
            .paste(recommended_all(view, host)),
    );
}

/// Why the verifier refuses the chain of a session, asked again.
fn rejection(view: &View<'_>, host: &Host, met: &Met<'_>) -> Option<Rejection> {
    let requirement = view.requirement(host)?;
    let chain: Vec<Vec<u8>> = (met.session.chain.iter())
        .filter_map(|key| view.der(key))
        .collect();
    let now = UnixTime(view.now());
    match verify_dane(&chain, requirement, now, &VerifyOptions::smtp()) {
        DaneVerdict::Rejected(rejection) => Some(rejection),
        DaneVerdict::Authenticated(_) | DaneVerdict::NoUsable => None,
    }
}

/// Chains that contain what a usage 2 record names and are refused all the same.
fn refused(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let mut reasons: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for met in view.met(host) {
        let touches = usable(host).any(|record| {
            record.usage == Some(2)
                && record.wires.iter().any(|wire| {
                    wire.depth > 0
                        && wire.address == met.address.address
                        && wire.offer == met.session.offer
                })
        });
        if !touches || met.session.state != SessionState::Refused {
            continue;
        }
        let Some(rejection) = rejection(view, host, &met) else {
            continue;
        };
        let (lint, evidence) = explained(view, host, &met, rejection);
        let addresses = reasons.entry((lint.id, evidence)).or_default();
        if !addresses.contains(&met.address.address.as_str()) {
            addresses.push(&met.address.address);
        }
    }
    for ((id, evidence), addresses) in reasons {
        let Some(lint) = super::Lint::from_id(id) else {
            continue;
        };
        let evidence_of_leaf = evidence.contains("depth 0");
        let evidence = format!("{evidence}, at {}", list(addresses));
        let draft = Draft::new(lint, &host.mx_host, evidence);
        // A new certificate of the server mends neither the chain nor a CA that has ended.
        let of_others = lint.id == chains::CA_CHAIN_EXPIRED.id && !evidence_of_leaf;
        let draft = match lint.id == chains::CA_CHAIN_BROKEN.id || of_others {
            true => draft,
            false => draft.paste([format!(
                "certbot certonly --reuse-key -d {}",
                super::view::base(host)
            )]),
        };
        found.push(draft.paste(recommended_all(view, host)));
    }
}

fn explained(
    view: &View<'_>,
    host: &Host,
    met: &Met<'_>,
    rejection: Rejection,
) -> (&'static super::Lint, String) {
    match rejection {
        Rejection::NameMismatch => {
            let expected: Vec<&str> = view
                .requirement(host)
                .map(|one| {
                    one.reference_identifiers
                        .iter()
                        .map(|name| name.as_str())
                        .collect()
                })
                .unwrap_or_default();
            let carried = match met.leaf.names.is_empty() {
                true => met.leaf.subject.clone(),
                false => list(met.leaf.names.iter().map(String::as_str)),
            };
            let evidence = format!("expected {}; the certificate has {carried}", list(expected));
            (&chains::CA_NAME_MISMATCH, evidence)
        }
        Rejection::Expired { depth } | Rejection::NotYetValid { depth } => {
            let certificate = met
                .session
                .chain
                .get(depth)
                .and_then(|key| view.report.certificates.get(key));
            let moment = |at: Option<i64>| {
                at.map(|at| day(UnixTime(at)))
                    .unwrap_or_else(|| "an unknown day".to_owned())
            };
            let dates = certificate.map_or_else(String::new, |one| {
                format!(
                    " (valid from {} to {})",
                    moment(one.not_before_at),
                    moment(one.not_after_at)
                )
            });
            (&chains::CA_CHAIN_EXPIRED, format!("{rejection}{dates}"))
        }
        Rejection::NoCertificate
        | Rejection::LeafUndecodable
        | Rejection::NoMatch
        | Rejection::NoTrustedPath
        | Rejection::NoPinMatches
        | Rejection::Malformed { .. }
        | Rejection::UnknownCriticalExtension { .. }
        | Rejection::NotAnAuthority { .. }
        | Rejection::PathTooLong { .. }
        | Rejection::NameConstraints { .. }
        | Rejection::WrongPurpose { .. }
        | Rejection::ObsoleteDigest { .. }
        | Rejection::ShortIssuerKey { .. }
        | Rejection::SearchBound => (&chains::CA_CHAIN_BROKEN, rejection.to_string()),
    }
}
