//! The time line: what breaks next, and when.
//!
//! Two questions are kept apart. *What breaks unless somebody does something they do by hand or
//! have neglected*: a certificate whose dates count, a signature that its signer should have renewed
//! by now. And *what would end first if all signing stopped*: the earliest of all signatures, which
//! in a healthy zone is renewed long before and breaks nothing. Whether a chain is still accepted
//! after a certificate has expired is asked of the verifier, at that later moment.

use crate::lint::known_ca;
use crate::lint::view::{Met, View, list, title};
use crate::lint::zone::{is_late, is_theirs, longest_signatures};
use crate::publish::moment::{day, length, second};
use crate::report::{
    AddressState, Event, EventKind, Forecast, Host, Offer, Report, SenderKind, SenderOutcome,
    SessionState, Severity, Signature,
};
use crate::sighting::Sighting;
use elsinore_dane::time::UnixTime;
use elsinore_dane::verify::{DaneVerdict, VerifyOptions, verify_dane};
use std::collections::{BTreeMap, BTreeSet};

/// Events that are kept.
const MOST: usize = 100;

/// What is foreseeable from what was seen.
#[must_use]
pub fn forecast(sighting: &Sighting, report: &Report) -> Forecast {
    let view = View { sighting, report };
    let mut events = Vec::new();
    let first_signature = signatures(&view, &mut events);
    caches(&view, &mut events);
    certificates(&view, &mut events);
    retired(&view, &mut events);
    policy(&view, &mut events);
    events.sort_by(|a, b| (a.at, a.kind, &a.subject).cmp(&(b.at, b.kind, &b.subject)));
    // What breaks is never cut off.
    let mut room = MOST;
    events.retain(|event| {
        let keep = event.breaks || room > 0;
        room = room.saturating_sub(1);
        keep
    });
    let breaks = events
        .iter()
        .position(|event| event.breaks && event.at >= report.began_at);
    let sentence = sentence(&view, breaks.and_then(|at| events.get(at)), first_signature);
    Forecast {
        breaks,
        sentence,
        events,
    }
}

fn sentence(view: &View<'_>, breaks: Option<&Event>, first: Option<&Signature>) -> String {
    let stopped = first.map(|first| {
        format!(
            "If all signing stopped now, the first signature to expire would be that over {} {}, \
             on {}.",
            first.owner,
            first.covers,
            day(UnixTime(first.expiration_at))
        )
    });
    let main = match breaks {
        Some(event) => format!(
            "Unless something is done, this breaks on {}: {}: {}.",
            second(UnixTime(event.at)),
            event.subject,
            event.effect
        ),
        None if delivers(view, SenderKind::Dane) && will_fail(view) => {
            "Nothing breaks by itself on a day that can be foreseen; what will fail among the \
             findings can do so at any time."
                .to_owned()
        }
        None if delivers(view, SenderKind::Dane) => {
            "Nothing that can be foreseen breaks by itself.".to_owned()
        }
        None => "Nothing further can be foreseen.".to_owned(),
    };
    match stopped {
        Some(stopped) => format!("{main} {stopped}"),
        None => main,
    }
}

/// Whether a finding says that something will fail, and nobody knows when.
fn will_fail(view: &View<'_>) -> bool {
    (view.report.findings.iter())
        .any(|one| one.severity == Severity::WillFail && one.fails_at.is_none())
}

/// Whether a kind of sender delivers today.
fn delivers(view: &View<'_>, kind: SenderKind) -> bool {
    view.sender(kind)
        .is_some_and(|sender| sender.outcome == SenderOutcome::Delivered)
}

/// One event per zone: its first signature to expire. Returns the first of all that can be
/// renewed by somebody whose mail is checked.
fn signatures<'a>(view: &View<'a>, events: &mut Vec<Event>) -> Option<&'a Signature> {
    let report = view.report;
    let of_zones = report.zones.iter().flat_map(|zone| &zone.signatures);
    // Policies and reports do not stop mail when their signatures end.
    let of_lookups = (report.lookups.iter())
        .filter(|lookup| lookup.record_type != "TXT")
        .flat_map(|lookup| &lookup.signatures);
    let mut zones: BTreeMap<&str, Vec<&Signature>> = BTreeMap::new();
    for signature in longest_signatures(of_zones.chain(of_lookups)) {
        // What has expired already is part of the verdict of today.
        if signature.expiration_at >= report.began_at {
            zones.entry(&signature.signer).or_default().push(signature);
        }
    }
    let mut first_of_all: Option<&Signature> = None;
    for (zone, mut sets) in zones {
        sets.sort_by_key(|one| (one.expiration_at, &one.owner, &one.covers));
        let Some(first) = sets.first().copied() else {
            continue;
        };
        let theirs = is_theirs(zone);
        if theirs && first_of_all.is_none_or(|one| first.expiration_at < one.expiration_at) {
            first_of_all = Some(first);
        }
        let breaks = theirs && is_late(first, report.began_at);
        let effect = match breaks {
            true => "the signature was not renewed in time; when it has expired validating \
                     resolvers answer SERVFAIL, and mail of DANE senders waits"
                .to_owned(),
            false => match sets.len() {
                1 => {
                    "the only signature of the zone that was seen; its signer renews it before it \
                      expires"
                        .to_owned()
                }
                several => format!(
                    "first of {several} signatures of the zone to expire; its signer renews it \
                     before that"
                ),
            },
        };
        events.push(Event {
            at: first.expiration_at.saturating_add(1),
            kind: EventKind::SignatureExpires,
            subject: format!("{} {}", first.owner, first.covers),
            effect,
            breaks,
        });
    }
    first_of_all
}

fn caches(view: &View<'_>, events: &mut Vec<Event>) {
    let mut lookups: Vec<usize> = view.report.mx_lookup.into_iter().collect();
    for host in &view.report.hosts {
        let in_force = host.candidates.iter().find(|one| one.in_force);
        lookups.extend(in_force.and_then(|candidate| candidate.lookup));
    }
    lookups.sort_unstable();
    lookups.dedup();
    for lookup in lookups
        .into_iter()
        .filter_map(|index| view.lookup(Some(index)))
    {
        let Some(ttl) = lookup.ttl_s else {
            continue;
        };
        events.push(Event {
            at: view.report.began_at.saturating_add(i64::from(ttl)),
            kind: EventKind::CacheExpires,
            subject: format!("{} {}", lookup.name, lookup.record_type),
            effect: format!(
                "what this check was told is gone from its cache ({}); a change made now is seen \
                 by then",
                length(i64::from(ttl))
            ),
            breaks: false,
        });
    }
}

/// One address that a sender is served at today.
struct Served<'a> {
    host: &'a Host,
    met: Met<'a>,
}

/// The sessions of the sender itself by which it is served.
fn served<'a>(view: &View<'a>) -> Vec<Served<'a>> {
    let mut served = Vec::new();
    for host in &view.report.hosts {
        for met in view.met(host) {
            let good = matches!(
                met.address.state,
                AddressState::Met | AddressState::MetInPart
            );
            if good && met.session.offer == Offer::Sender && met.session.state == SessionState::Met
            {
                served.push(Served { host, met });
            }
        }
    }
    served
}

/// Whether the chain of a session meets the host's TLSA records at `moment`.
fn accepted_at(view: &View<'_>, host: &Host, chain: &[String], moment: i64) -> bool {
    let Some(requirement) = view.requirement(host) else {
        // Nothing is demanded of the certificate by DANE.
        return true;
    };
    let chain: Vec<Vec<u8>> = chain.iter().filter_map(|key| view.der(key)).collect();
    let options = VerifyOptions::smtp();
    match verify_dane(&chain, requirement, UnixTime(moment), &options) {
        DaneVerdict::Authenticated(_) | DaneVerdict::NoUsable => true,
        DaneVerdict::Rejected(_) => false,
    }
}

/// Whether a host serves senders under an enforced MTA-STS policy.
fn under_sts(view: &View<'_>, kind: SenderKind, host: &Host) -> bool {
    view.sender(kind).is_some_and(|sender| {
        (sender.hosts.iter())
            .any(|one| one.mx_host == host.mx_host && one.obligation.contains("sts") && one.met > 0)
    })
}

/// Whether a public CA's certificate still stands at `moment`: its dates are decisive (RFC 5280
/// §6.1.3).
const fn is_dated(end: Option<i64>, moment: i64) -> bool {
    match end {
        Some(end) => moment <= end,
        None => false,
    }
}

fn certificates(view: &View<'_>, events: &mut Vec<Event>) {
    let served = served(view);
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for one in &served {
        // Under usage 3 only the server's own certificate is worth a word.
        let by_ca = one.met.session.matched.as_ref().filter(|matched| {
            (one.host.tlsa.get(matched.record)).is_some_and(|record| record.usage == Some(2))
        });
        let depth = by_ca.map_or(0, |matched| {
            usize::try_from(matched.depth).unwrap_or(usize::MAX)
        });
        for key in one.met.session.chain.iter().take(depth.saturating_add(1)) {
            let Some(certificate) = view.report.certificates.get(key) else {
                continue;
            };
            let Some(end) = certificate.not_after_at else {
                continue;
            };
            if end >= view.report.began_at && told.insert(key) {
                events.push(expiry(view, &served, key, title(certificate), end));
            }
        }
    }
}

/// What follows when one certificate expires.
fn expiry(view: &View<'_>, served: &[Served<'_>], key: &str, subject: &str, end: i64) -> Event {
    let after = end.saturating_add(1);
    let holds = |one: &Served<'_>, kind: SenderKind| {
        let dane =
            kind != SenderKind::Dane || accepted_at(view, one.host, &one.met.session.chain, after);
        let sts = !under_sts(view, kind, one.host) || is_dated(one.met.leaf.not_after_at, after);
        dane && sts
    };
    let users: Vec<&Served<'_>> = (served.iter())
        .filter(|one| one.met.session.chain.iter().any(|entry| entry == key))
        .collect();
    let mut lost: Vec<&str> = Vec::new();
    let mut breaks = false;
    let mut hosts: BTreeSet<&str> = BTreeSet::new();
    for (kind, words) in [
        (SenderKind::Dane, "DANE senders"),
        (SenderKind::StsOnly, "MTA-STS senders"),
    ] {
        // For the sender that knows no DANE only hosts under a policy are a promise.
        let counts =
            |one: &&Served<'_>| kind == SenderKind::Dane || under_sts(view, kind, one.host);
        let failing: Vec<&&Served<'_>> = (users.iter())
            .filter(|one| counts(one) && !holds(one, kind))
            .collect();
        if failing.is_empty() || !delivers(view, kind) {
            continue;
        }
        lost.push(words);
        hosts.extend(failing.iter().map(|one| one.host.mx_host.as_str()));
        breaks |= !served.iter().any(|one| counts(&one) && holds(one, kind));
    }
    let names: BTreeSet<&str> = users.iter().map(|one| one.host.mx_host.as_str()).collect();
    let effect = match (lost.is_empty(), breaks) {
        (true, _) if users.iter().any(|one| view.requirement(one.host).is_some()) => {
            "harmless: under usage 3 the dates of a certificate do not count".to_owned()
        }
        (true, _) => "no sender here depends on its dates".to_owned(),
        (false, true) => format!("{} can no longer deliver", lost.join(" and ")),
        (false, false) => format!(
            "{} can no longer use {}; others remain",
            lost.join(" and "),
            list(hosts)
        ),
    };
    Event {
        at: after,
        kind: EventKind::CertificateExpires,
        subject: format!("certificate {subject} of {}", list(names)),
        effect,
        breaks,
    }
}

/// Keys of public CAs that records name and that have a day of retirement.
fn retired(view: &View<'_>, events: &mut Vec<Event>) {
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for host in &view.report.hosts {
        for record in host.tlsa.iter().filter(|record| record.usage == Some(2)) {
            let by_digest = known_ca::by_spki_hex(&record.association);
            let known = by_digest.or_else(|| {
                let wire = record.wires.iter().find(|wire| wire.depth > 0)?;
                known_ca::of_certificate(&view.der(wire.certificate.as_ref()?)?)
            });
            let Some((ca, at)) = known.and_then(|ca| Some((ca, ca.retired_at?))) else {
                continue;
            };
            if told.insert(ca.name) {
                events.push(Event {
                    at,
                    kind: EventKind::CaRetires,
                    subject: format!("{}, in a TLSA record of {}", ca.name, host.mx_host),
                    effect: "nothing is issued with this key from then on; the next renewal comes \
                             from another"
                        .to_owned(),
                    breaks: false,
                });
            }
        }
    }
}

fn policy(view: &View<'_>, events: &mut Vec<Event>) {
    let Some(policy) = &view.sighting.sts.policy else {
        return;
    };
    events.push(Event {
        at: policy.expires_at().0,
        kind: EventKind::PolicyExpires,
        subject: format!("MTA-STS policy of {}", policy.domain),
        effect:
            "senders that have the policy of today forget it, unless they fetch it again before"
                .to_owned(),
        breaks: false,
    });
}
