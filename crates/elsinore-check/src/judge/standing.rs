//! What decides the state of a domain, taken out of the sighting: small enough to write tables with.

use super::barrier::owes_sts;
use super::hosts::plan_of;
use super::lookups;
use crate::report::{AddressState, Host, Security, SenderKind};
use crate::sighting::{RouteSighting, SenderSighting, Sighting};
use elsinore_dane::answer::{Answer, Last, RecordType};
use elsinore_dane::obligation::{Obligation, SkipReason};
use elsinore_dane::plan::{EnhancedCode, HostSource};
use elsinore_dane::security::Cause;
use elsinore_net::deliver::{Outcome, SessionSecurity};
use elsinore_net::doctor::triage::Blame;

/// What is known of a domain, as far as it decides its state.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Standing {
    /// The domain.
    pub(super) domain: String,
    /// What is wrong with our own DNS, or that nobody knows whether something is.
    pub(super) our_dns: Option<String>,
    /// What the DANE sender's engine came to.
    pub(super) route: Route,
    /// Whether the MX records, or their absence, can be believed; why not.
    pub(super) mx: Trust,
    /// The hosts by preference.
    pub(super) hosts: Vec<HostStanding>,
    /// Whether the DANE sender would deliver, within its bounds.
    pub(super) delivers: bool,
    /// What a sender that knows MTA-STS alone comes to.
    pub(super) sts_only: StsOnly,
    /// Whether overrides of this sender's administrator bear on the domain.
    pub(super) overridden: bool,
}

/// What the DANE sender's engine came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// There are hosts to try, or each of them was decided to be skipped.
    Hosts,
    /// Mail is returned or waits, whatever the hosts.
    Refused {
        /// Returned at once.
        bounce: bool,
        /// Which kind of refusal.
        code: EnhancedCode,
        /// Why.
        reason: String,
    },
    /// It came to no end in the time there was.
    TimedOut,
}

/// Whether a step from the domain to its hosts can be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trust {
    /// Whether it is secure.
    pub(super) secure: bool,
    /// Whether there are no MX records and the domain is its own host.
    pub(super) implicit: bool,
    /// Why it is not secure.
    pub(super) reason: Option<String>,
}

/// What a sender that knows MTA-STS alone comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StsOnly {
    /// Whether it would deliver.
    pub(super) delivers: bool,
    /// Whether an enforced policy made it check a certificate where it would deliver.
    pub(super) authenticates: bool,
    /// Whether it does not deliver for reasons of theirs.
    pub(super) refused: Option<String>,
}

/// One host.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HostStanding {
    /// The name in the MX record.
    pub(super) name: String,
    /// Why it is not contacted.
    pub(super) skip: Option<SkipReason>,
    /// The lookup that failed, where that is why; or the policy.
    pub(super) detail: Option<String>,
    /// Whether DANE obliges the sender to authenticate it.
    pub(super) dane: bool,
    /// Whether an enforced MTA-STS policy obliges the sender to check its certificate.
    pub(super) sts: bool,
    /// Whether the DANE sender has to authenticate it by whatever means.
    pub(super) authenticate: bool,
    /// Whether TLS is demanded, and no proof.
    pub(super) encrypt: bool,
    /// Whether it has TLSA records that count, and none of them can be used.
    pub(super) unusable: bool,
    /// Security of its addresses, and why they are not secure.
    pub(super) addresses_secure: Security,
    /// Why they are not.
    pub(super) addresses_reason: Option<String>,
    /// Why one family's addresses are not to be had, where their answer does not validate or is
    /// missing from a bundle; the other family may do.
    pub(super) lost_family: Option<String>,
    /// Its addresses.
    pub(super) addresses: Vec<AddressStanding>,
}

/// One address of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AddressStanding {
    /// The address.
    pub(super) address: String,
    /// What a DANE sender comes to.
    pub(super) state: AddressState,
    /// Why it does not meet the obligation.
    pub(super) reason: Option<String>,
    /// What the session is worth.
    pub(super) security: Option<SessionSecurity>,
}

/// Takes out what decides. `hosts` are those of the report, made from the same sighting.
pub(super) fn standing(sighting: &Sighting, hosts: &[Host]) -> Standing {
    let sender = |kind| sighting.senders.iter().find(|sender| sender.kind == kind);
    let dane = sender(SenderKind::Dane);
    let route = dane.map_or(Route::TimedOut, route);
    Standing {
        domain: super::text::line(sighting.domain.as_str()),
        our_dns: our_dns(sighting, &route, hosts),
        mx: mx(sighting, dane),
        hosts: sighting
            .hosts
            .iter()
            .zip(hosts)
            .map(|(seen, host)| of_host(sighting, &seen.mx_host, host))
            .collect(),
        delivers: dane.is_some_and(|dane| dane.end.outcome == Outcome::Delivered),
        sts_only: sts_only(sighting, sender(SenderKind::StsOnly)),
        overridden: !sighting.overrides.is_empty(),
        route,
    }
}

fn route(sender: &SenderSighting) -> Route {
    let refused = |bounce, refusal: &elsinore_dane::plan::Refusal| Route::Refused {
        bounce,
        code: refusal.code,
        reason: super::text::line(&refusal.reason),
    };
    match &sender.route {
        RouteSighting::Hosts(_) => Route::Hosts,
        // All are skipped, and each for its own reason.
        RouteSighting::Bounce(_, plans) | RouteSighting::Defer(_, plans) if !plans.is_empty() => {
            Route::Hosts
        }
        RouteSighting::Bounce(refusal, _) => refused(true, refusal),
        RouteSighting::Defer(refusal, _) => refused(false, refusal),
        RouteSighting::TimedOut => Route::TimedOut,
    }
}

/// What is wrong with our own DNS. Where nobody could find out whose fault a failure is, it is
/// taken for theirs only when something in this very check was found secure: then our anchors, our
/// clock and our line work.
fn our_dns(sighting: &Sighting, route: &Route, hosts: &[Host]) -> Option<String> {
    match &sighting.blame {
        Blame::Ours(trouble) => Some(trouble.to_string()),
        Blame::Theirs(_) => None,
        Blame::Unknown => {
            let failed = sighting
                .lookups
                .iter()
                .any(|lookup| matches!(lookup.explained.answer.last, Last::Failed(_)));
            let decides =
                !matches!(route, Route::Hosts) || hosts.iter().any(|host| host.skipped.is_some());
            let works = sighting
                .zones
                .iter()
                .any(|zone| zone.security == Security::Secure)
                || sighting.lookups.iter().any(|lookup| {
                    lookups::security(lookup.explained.answer.overall()) == Security::Secure
                });
            (failed && decides && !works)
                .then(|| "nothing was found secure, so the fault may be ours".to_owned())
        }
    }
}

fn mx(sighting: &Sighting, dane: Option<&SenderSighting>) -> Trust {
    let source = dane
        .and_then(|sender| sender.route.plans().first())
        .map(|plan| plan.source);
    let mut answers = sighting
        .lookups
        .iter()
        .map(|lookup| &lookup.explained.answer);
    let mx = answers.find(|answer| {
        answer.question.record_type == RecordType::Mx && answer.question.name == sighting.domain
    });
    let reason = mx.map(Answer::overall).and_then(lookups::reason);
    match source {
        Some(source) => Trust {
            secure: source.is_trusted(),
            implicit: matches!(
                source,
                HostSource::SecureImplicit | HostSource::InsecureImplicit
            ),
            reason,
        },
        None => Trust {
            secure: reason.is_none() && mx.is_some(),
            implicit: false,
            reason,
        },
    }
}

/// The reason of the first address lookup of a host whose answer does not validate, or was taken out
/// of a bundle or changed so that its proofs are missing. Silence may be ours; these are not.
fn lost_family(sighting: &Sighting, host: &Host) -> Option<String> {
    let seen = |index: &usize| sighting.lookups.get(*index);
    let answers = (host.address_lookups.iter().filter_map(seen)).map(|one| &one.explained.answer);
    answers
        .filter(|answer| matches!(answer.last, Last::Failed(_)))
        .find(|answer| {
            let status = answer.overall();
            status.security() == elsinore_dane::security::Security::Bogus
                || status.cause() == Cause::NotCached
        })
        .map(|answer| {
            let wanted = answer.question.record_type;
            format!("{wanted}: {}", super::text::line(answer.overall().reason()))
        })
}

fn of_host(sighting: &Sighting, mx_host: &str, host: &Host) -> HostStanding {
    let plan = plan_of(sighting, SenderKind::Dane, mx_host);
    let obligation = plan.map(|plan| &plan.obligation);
    let skip = match obligation {
        Some(Obligation::Skip(reason)) => Some(*reason),
        _ => None,
    };
    let requirements = match obligation {
        Some(Obligation::Authenticate(requirements)) => Some(requirements),
        _ => None,
    };
    let words = [
        SessionSecurity::Dane,
        SessionSecurity::DaneInsecureMx,
        SessionSecurity::Sts,
        SessionSecurity::Pinned,
        SessionSecurity::WebPki,
        SessionSecurity::Encrypted,
        SessionSecurity::Plaintext,
    ];
    HostStanding {
        name: host.mx_host.clone(),
        skip,
        detail: skip.and_then(|reason| detail(sighting, host, reason)),
        dane: requirements.is_some_and(|requirements| requirements.dane.is_some()),
        sts: requirements.is_some_and(owes_sts),
        authenticate: requirements.is_some(),
        encrypt: matches!(obligation, Some(Obligation::Encrypt)),
        unusable: !host.tlsa.is_empty() && host.tlsa.iter().all(|record| record.unusable.is_some()),
        addresses_secure: host.address_security,
        addresses_reason: host.address_reason.clone(),
        lost_family: lost_family(sighting, host),
        addresses: (host.addresses.iter())
            .map(|address| AddressStanding {
                address: address.address.clone(),
                state: address.state,
                reason: address.reason.clone(),
                security: words
                    .into_iter()
                    .find(|word| Some(word.word()) == address.security.as_deref()),
            })
            .collect(),
    }
}

/// Why the lookup failed on which a skip rests.
fn detail(sighting: &Sighting, host: &Host, reason: SkipReason) -> Option<String> {
    let failure = |index: usize| {
        let answer = &sighting.lookups.get(index)?.explained.answer;
        match &answer.last {
            Last::Failed(failure) => Some(super::text::line(failure.status.reason())),
            Last::Data(_) | Last::Denied(_) => None,
        }
    };
    match reason {
        SkipReason::AddressLookupFailed => host
            .address_lookups
            .iter()
            .find_map(|index| failure(*index)),
        SkipReason::TlsaLookupFailed => {
            let asked = host
                .candidates
                .iter()
                .filter(|candidate| candidate.asked_by_sender);
            asked
                .filter_map(|candidate| candidate.lookup)
                .find_map(failure)
        }
        SkipReason::NoAddress
        | SkipReason::AddressesRefused
        | SkipReason::ZoneStatusUnknown
        | SkipReason::Loop
        | SkipReason::StsMismatch
        | SkipReason::DaneOnlyInsecureMx
        | SkipReason::DaneOnlyNoUsableTlsa
        | SkipReason::Unverifiable
        | SkipReason::RequireTlsUnmet => None,
    }
}

fn sts_only(sighting: &Sighting, sender: Option<&SenderSighting>) -> StsOnly {
    let Some(sender) = sender else {
        return StsOnly {
            delivers: false,
            authenticates: false,
            refused: None,
        };
    };
    let delivers = sender.end.outcome == Outcome::Delivered;
    let verdicts = sighting
        .hosts
        .iter()
        .flat_map(|host| &host.addresses)
        .flat_map(|address| &address.verdicts);
    let unknown = verdicts
        .filter(|verdict| verdict.kind == SenderKind::StsOnly)
        .any(|verdict| verdict.inconclusive.is_some());
    let reason = sender
        .end
        .reply
        .as_deref()
        .map(super::text::line)
        .unwrap_or_default();
    StsOnly {
        delivers,
        authenticates: sender.end.security == Some(SessionSecurity::Sts),
        refused: (!delivers && !unknown && !matches!(sender.route, RouteSighting::TimedOut))
            .then_some(reason),
    }
}
