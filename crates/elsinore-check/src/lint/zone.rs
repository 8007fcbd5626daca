//! Lints about zones: keys, delegations, signatures, proofs.

use super::catalogue::zone as known;
use super::draft::Draft;
use super::view::{View, counted, has_dane, list, tlsa_line};
use crate::publish::moment::{length, second};
use crate::report::{AnswerKind, Security, Severity, Signature, Zone};
use elsinore_dane::time::UnixTime;
use std::collections::BTreeMap;

/// A signature with less than this part of its life left ought to have been renewed. Signers renew
/// when a quarter or more is left; half of that leaves room for a slow one.
const LATE: i64 = 8;
/// A signature that is valid for longer is a danger of its own.
const LONG: i64 = 366 * 86_400;
/// Iterations above which validators in use treat a zone as unsigned or give no answer.
const MANY_ITERATIONS: u16 = 50;
/// TTL of TLSA records that is worth a note.
const LONG_TTL: u32 = 3_600;
/// TTL of TLSA records that makes changes of keys slow.
const VERY_LONG_TTL: u32 = 86_400;

pub(super) fn lints(view: &View<'_>, found: &mut Vec<Draft>) {
    for zone in view
        .report
        .zones
        .iter()
        .filter(|zone| is_theirs(&zone.apex))
    {
        keys(view, zone, found);
        proofs(zone, found);
    }
    signatures(view, found);
    time_to_live(view, found);
    mx(view, found);
    hosts(view, found);
}

/// Whether somebody whose mail is checked can do something about a zone: not the root, not a TLD.
pub(crate) fn is_theirs(apex: &str) -> bool {
    apex.contains('.') && apex != "."
}

fn keys(view: &View<'_>, zone: &Zone, found: &mut Vec<Draft>) {
    let above = zone
        .parent
        .as_ref()
        .and_then(|parent| view.report.zones.iter().find(|one| one.apex == *parent));
    let above_is_secure = above.is_none_or(|above| above.security == Security::Secure);
    let reason = zone.reason.as_deref().unwrap_or("its keys do not validate");
    match zone.security {
        Security::Bogus if above_is_secure && !view.dns_is_ours() => {
            let draft = Draft::new(&known::ZONE_BOGUS, &zone.apex, reason);
            found.push(draft.paste([
                format!("dig +dnssec DS {}.", zone.apex),
                format!("dig +dnssec +cd DNSKEY {}.", zone.apex),
            ]));
        }
        Security::Insecure
            if above_is_secure && zone.delegation.is_empty() && !zone.keys.is_empty() =>
        {
            let tags: Vec<String> = zone.keys.iter().map(|key| key.tag.to_string()).collect();
            let evidence = format!(
                "the zone has keys ({}) and the parent has no DS record",
                list(tags.iter().map(String::as_str))
            );
            found.push(
                Draft::new(&known::DS_MISSING, &zone.apex, evidence).paste([format!(
                    "dig {0}. DNSKEY | dnssec-dsfromkey -2 -f - {0}",
                    zone.apex
                )]),
            );
        }
        Security::Secure => secure_keys(zone, found),
        Security::Bogus | Security::Insecure | Security::Indeterminate => {}
    }
}

fn secure_keys(zone: &Zone, found: &mut Vec<Draft>) {
    let fits = || zone.delegation.iter().filter(|ds| ds.has_key);
    let idle: Vec<String> = (zone.delegation.iter())
        .filter(|ds| !ds.has_key)
        .map(|ds| ds.tag.to_string())
        .collect();
    if fits().next().is_some() && !idle.is_empty() {
        let tags = list(idle.iter().map(String::as_str));
        let evidence = format!("no published key fits the DS record of key {tags}");
        found.push(Draft::new(&known::DS_WITHOUT_KEY, &zone.apex, evidence));
    }
    if fits().next().is_some() && fits().all(|ds| ds.digest_type == Some(1)) {
        found.push(
            Draft::new(
                &known::DS_SHA1,
                &zone.apex,
                "every DS record that fits has digest type 1",
            )
            .paste([format!(
                "dig {0}. DNSKEY | dnssec-dsfromkey -2 -f - {0}",
                zone.apex
            )]),
        );
    }
    let mut old: Vec<&str> = Vec::new();
    for key in &zone.keys {
        if let Some(name) = old_algorithm(key.algorithm)
            && !old.contains(&name)
        {
            old.push(name);
        }
    }
    if !old.is_empty() {
        let evidence = format!("keys of algorithm {}", old.join(", "));
        found.push(Draft::new(&known::ALGORITHM_OLD, &zone.apex, evidence));
    }
}

/// Algorithms that RFC 8624 §3.1 says must not, or should not, be used for signing any more.
const fn old_algorithm(number: u8) -> Option<&'static str> {
    match number {
        1 => Some("1 (RSAMD5)"),
        3 => Some("3 (DSA)"),
        5 => Some("5 (RSASHA1)"),
        6 => Some("6 (DSA-NSEC3-SHA1)"),
        7 => Some("7 (RSASHA1-NSEC3-SHA1)"),
        12 => Some("12 (ECC-GOST)"),
        _ => None,
    }
}

fn proofs(zone: &Zone, found: &mut Vec<Draft>) {
    let Some(proofs) = zone.proofs.as_ref().filter(|proofs| proofs.nsec3) else {
        return;
    };
    let iterations = proofs.iterations.unwrap_or(0);
    let best = format!("{}. 0 IN NSEC3PARAM 1 0 0 -", zone.apex);
    if iterations > 0 {
        let severity = match iterations > MANY_ITERATIONS {
            true => Severity::WillFail,
            false => Severity::Weak,
        };
        let evidence = format!("{iterations} additional iterations");
        found.push(
            Draft::new(&known::NSEC3_ITERATIONS, &zone.apex, evidence)
                .severity(severity)
                .paste([best]),
        );
    } else if let Some(octets @ 1..) = proofs.salt_octets {
        let evidence = format!("a salt of {octets} octets");
        found.push(Draft::new(&known::NSEC3_SALT, &zone.apex, evidence));
    }
    if proofs.opt_out {
        let evidence = "a span with the opt-out flag was seen";
        found.push(Draft::new(&known::NSEC3_OPT_OUT, &zone.apex, evidence));
    }
}

/// Of each signed set the signature that lives longest: of several, one that holds is enough.
pub(crate) fn longest_signatures<'a>(
    seen: impl Iterator<Item = &'a Signature>,
) -> Vec<&'a Signature> {
    let mut longest: BTreeMap<(&str, &str, &str), &Signature> = BTreeMap::new();
    for signature in seen {
        let set = (
            signature.signer.as_str(),
            signature.owner.as_str(),
            signature.covers.as_str(),
        );
        let kept = longest.entry(set).or_insert(signature);
        if signature.expiration_at > kept.expiration_at {
            *kept = signature;
        }
    }
    longest.into_values().collect()
}

/// Whether a signature ought to have been renewed by `now`, and still holds.
pub(crate) const fn is_late(signature: &Signature, now: i64) -> bool {
    let life = signature
        .expiration_at
        .saturating_sub(signature.inception_at);
    let left = signature.expiration_at.saturating_sub(now);
    left >= 0 && left < life / LATE
}

fn signatures(view: &View<'_>, found: &mut Vec<Draft>) {
    let now = view.now();
    let theirs = all_signatures(view).filter(|one| is_theirs(&one.signer));
    let mut late: BTreeMap<&str, Vec<&Signature>> = BTreeMap::new();
    let mut long: BTreeMap<&str, Vec<&Signature>> = BTreeMap::new();
    for signature in longest_signatures(theirs) {
        if is_late(signature, now) {
            late.entry(&signature.signer).or_default().push(signature);
        }
        if signature
            .expiration_at
            .saturating_sub(signature.inception_at)
            > LONG
        {
            long.entry(&signature.signer).or_default().push(signature);
        }
    }
    for (signer, mut sets) in late {
        sets.sort_by_key(|one| one.expiration_at);
        let Some(first) = sets.first() else {
            continue;
        };
        let evidence = format!(
            "{} {}: expires {}, {} of {} left{}",
            first.owner,
            first.covers,
            second(UnixTime(first.expiration_at)),
            length(first.expiration_at - now),
            length(first.expiration_at - first.inception_at),
            and_more(sets.len()),
        );
        found.push(
            Draft::new(&known::SIGNATURE_ENDS_SOON, signer, evidence)
                .fails_at(Some(first.expiration_at.saturating_add(1)))
                .paste([format!("rndc sign {signer}")])
                .advice(
                    "Sign the zone anew (with BIND as below), and find out why the signer did not \
                     do it by itself.",
                ),
        );
    }
    for (signer, sets) in long {
        let Some(first) = sets.first() else {
            continue;
        };
        let evidence = format!(
            "{} {}: valid from {} to {}{}",
            first.owner,
            first.covers,
            second(UnixTime(first.inception_at)),
            second(UnixTime(first.expiration_at)),
            and_more(sets.len()),
        );
        found.push(Draft::new(&known::SIGNATURE_LIVES_LONG, signer, evidence));
    }
}

fn and_more(sets: usize) -> String {
    match sets.saturating_sub(1) {
        0 => String::new(),
        further => format!("; {further} more sets of the zone likewise"),
    }
}

/// Every signature that was seen.
fn all_signatures<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Signature> + use<'a> {
    let of_zones = view.report.zones.iter().flat_map(|zone| &zone.signatures);
    let of_lookups = view.report.lookups.iter().flat_map(|one| &one.signatures);
    of_zones.chain(of_lookups)
}

fn time_to_live(view: &View<'_>, found: &mut Vec<Draft>) {
    for host in view.report.hosts.iter().filter(|host| has_dane(host)) {
        let Some(candidate) = host.candidates.iter().find(|one| one.in_force) else {
            continue;
        };
        let Some(lookup) = view.lookup(candidate.lookup) else {
            continue;
        };
        // A cache shows what is left; the signature holds what was published (RFC 4034 §3.1.4).
        let signed = lookup
            .signatures
            .iter()
            .filter(|one| one.covers == "TLSA")
            .map(|one| one.original_ttl_s)
            .max();
        let Some(ttl) = signed.or(lookup.ttl_s).filter(|ttl| *ttl > LONG_TTL) else {
            continue;
        };
        let severity = match ttl > VERY_LONG_TTL {
            true => Severity::Weak,
            false => Severity::Note,
        };
        let draft = Draft::new(
            &known::TLSA_TTL_LONG,
            &format!("{} TLSA", lookup.name),
            format!("the TTL is {ttl} seconds ({})", length(i64::from(ttl))),
        );
        let lines = lookup
            .records
            .iter()
            .map(|rdata| tlsa_line(&candidate.base, rdata));
        found.push(match severity {
            Severity::Note => draft,
            Severity::FailsNow | Severity::WillFail | Severity::Weak => {
                draft.severity(severity).paste(lines)
            }
        });
    }
}

/// Insecure MX records.
fn mx(view: &View<'_>, found: &mut Vec<Draft>) {
    let Some(lookup) = view.lookup(view.report.mx_lookup) else {
        return;
    };
    if lookup.security != Security::Insecure || lookup.kind == AnswerKind::Failed {
        return;
    }
    let reason = lookup.reason.as_deref().unwrap_or("the zone is not signed");
    let with = list(
        (view.report.hosts.iter().filter(|host| has_dane(host))).map(|host| host.mx_host.as_str()),
    );
    found.push(match with.is_empty() {
        true => Draft::new(&known::DOMAIN_UNSIGNED, &view.report.domain, reason),
        false => Draft::new(
            &known::MX_UNSIGNED_BEFORE_DANE,
            &view.report.domain,
            format!("{reason}; hosts with TLSA records: {with}"),
        ),
    });
}

/// Hosts in unsigned zones, and TLSA records there.
fn hosts(view: &View<'_>, found: &mut Vec<Draft>) {
    let domain_zone = view
        .report
        .zones
        .iter()
        .filter(|zone| {
            view.report.domain == zone.apex
                || view.report.domain.ends_with(&format!(".{}", zone.apex))
        })
        .max_by_key(|zone| zone.apex.len())
        .map(|zone| zone.apex.as_str());
    for host in &view.report.hosts {
        for candidate in &host.candidates {
            let Some(lookup) = view.lookup(candidate.lookup) else {
                continue;
            };
            if lookup.kind == AnswerKind::Data
                && lookup.security == Security::Insecure
                && lookup.chain.is_empty()
            {
                let reason = lookup.reason.as_deref().unwrap_or("not signed");
                let evidence = format!("{}, {reason}", counted(lookup.records.len()));
                let subject = format!("{} TLSA", lookup.name);
                found.push(Draft::new(&known::TLSA_WITHOUT_DNSSEC, &subject, evidence));
            }
        }
        // Of the domain's own zone the finding about the MX records says it already.
        let own = host.zone.is_some() && host.zone.as_deref() == domain_zone;
        if host.address_security == Security::Insecure && !host.candidates.is_empty() && !own {
            let zone = host.zone.as_deref().unwrap_or("its zone");
            let reason = host.address_reason.as_deref().unwrap_or("not signed");
            let evidence = format!("{zone}: {reason}");
            found.push(Draft::new(&known::HOST_UNSIGNED, &host.mx_host, evidence));
        }
    }
}
