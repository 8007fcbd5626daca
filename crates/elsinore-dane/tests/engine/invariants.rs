//! The two invariants, over every small world and every attack on it.
//!
//! *Downgrade-proof*: no attack weakens what a host owes by what is really, securely published.
//! *Robust*: once the MX list and an address are known and the host's zone is unsigned, nothing
//! that fails stops the mail, unless a cached enforced policy applies.

use crate::drive::{NOW, describe, drive, name, summary};
use crate::world::{Attack, Attacked, Families, Sts, Tlsa, World, ZONES, Zone};
use elsinore_dane::answer::RecordType;
use elsinore_dane::discovery::{Discovery, DiscoveryPolicy, Route};
use elsinore_dane::mta_sts::CachedPolicy;
use elsinore_dane::name::DomainName;
use elsinore_dane::next_hop::NextHop;
use elsinore_dane::obligation::{Obligation, WebPkiReason};
use elsinore_dane::plan::HostPlan;
use elsinore_dane::tlsa::TlsaRecord;

/// Makes the engine to be judged.
pub(crate) type Engine<'a> =
    dyn Fn(NextHop, DiscoveryPolicy, Option<CachedPolicy>) -> Discovery + 'a;

pub(crate) fn sound(
    next_hop: NextHop,
    policy: DiscoveryPolicy,
    cached: Option<CachedPolicy>,
) -> Discovery {
    Discovery::new(next_hop, policy, cached, 1, NOW)
}

/// What `mx.h` owes by what is securely published, found without the engine.
enum Owed {
    Dane(DomainName, Vec<TlsaRecord>),
    Encrypt,
    Nothing,
}

//= spec-test: 7672-2.2.2-4
//= spec-test: 7672-2.2.2-5
//= spec-test: 7672-2.2.2-6
//= spec-test: 7672-2.2.3-2
//= spec-test: 7672-2.2.3-5
//= spec-test: 7672-2.2.3-6
fn owed(world: &World) -> Owed {
    let original = name("mx.h");
    let mut candidates = Vec::new();
    if world.is_whole_secure() {
        candidates.push(world.expanded());
    }
    if world.h == Zone::Signed {
        candidates.push(original);
    }
    for base in candidates {
        match world.truth(&base) {
            Some(records) if records.is_empty() => return Owed::Encrypt,
            Some(records) => return Owed::Dane(base, records),
            None => {}
        }
    }
    Owed::Nothing
}

/// The fault of a run, if it has one.
//= spec-test: 7672-2.1.1-4
//= spec-test: 7672-2.1.2-4
//= spec-test: 7672-2.1.3-1
//= spec-test: 7672-2.1.3-2
//= spec-test: 7672-2.1.3-3
//= spec-test: 7672-2.2-6
//= spec-test: 7672-2.2.1-6
//= spec-test: 7672-2.2.1-8
fn fault(world: &World, attacked: &Attacked<'_>, discovery: &Discovery) -> Option<String> {
    let mx_secure = world.mx_is_secure();
    match discovery.route() {
        Route::Bounce(refusal) if attacked.is_failure() => {
            return Some(format!("failures alone led to a bounce: {}", refusal.code));
        }
        Route::Hosts { .. } | Route::Bounce(_) | Route::Defer(_) | Route::Undecided => {}
    }
    for host in discovery.plans() {
        let is_real = host.mx_host == "mx.h";
        if !is_real && mx_secure {
            return Some("a host that the signed MX records do not name".to_owned());
        }
        if host.mx_secure() && !mx_secure {
            return Some("an insecure MX is called secure".to_owned());
        }
        if is_real && let Some(fault) = host_fault(world, host) {
            return Some(fault);
        }
    }
    robustness_fault(world, attacked, discovery)
}

fn host_fault(world: &World, host: &HostPlan) -> Option<String> {
    let requirements = match &host.obligation {
        Obligation::Skip(_) => return None,
        Obligation::Authenticate(requirements) => Some(requirements),
        Obligation::Cleartext | Obligation::Opportunistic | Obligation::Encrypt => None,
    };
    let dane = requirements.and_then(|requirements| requirements.dane.as_ref());
    let mx_secure = world.mx_is_secure();
    match (owed(world), dane) {
        (Owed::Dane(base, records), Some(dane)) => {
            if dane.base_domain != base || dane.records != records {
                return Some("other TLSA records than those published".to_owned());
            }
            if dane.mx_secure && !mx_secure {
                return Some("an insecure MX is called secure".to_owned());
            }
            let mut allowed = vec![base];
            if mx_secure {
                allowed.extend([name("d"), name("e")]);
            }
            if !dane
                .reference_identifiers
                .iter()
                .all(|id| allowed.contains(id))
            {
                return Some("a reference identifier that nothing vouches for".to_owned());
            }
        }
        (Owed::Dane(..), None) => return Some("DANE is owed and not demanded".to_owned()),
        (Owed::Encrypt | Owed::Nothing, Some(_)) => {
            return Some("DANE is demanded by what nobody securely published".to_owned());
        }
        (Owed::Encrypt, None) if !host.obligation.requires_tls() => {
            return Some("TLS is owed and not demanded".to_owned());
        }
        (Owed::Encrypt | Owed::Nothing, None) => {}
    }
    sts_fault(world, host, dane.is_some_and(|dane| dane.mx_secure))
}

/// A cached enforced policy binds until a newer one was fetched.
fn sts_fault(world: &World, host: &HostPlan, dane_decides: bool) -> Option<String> {
    let may_be_replaced = world.published != world.cached && world.published != Sts::None;
    if dane_decides || may_be_replaced {
        return None;
    }
    match world.cached {
        Sts::None | Sts::Testing => return None,
        Sts::EnforceOther => return Some("a host outside the enforced policy".to_owned()),
        Sts::Enforce => {}
    }
    let by_sts = match &host.obligation {
        Obligation::Authenticate(requirements) => requirements
            .webpki
            .as_ref()
            .is_some_and(|webpki| webpki.because == WebPkiReason::Sts),
        Obligation::Skip(_)
        | Obligation::Cleartext
        | Obligation::Opportunistic
        | Obligation::Encrypt => false,
    };
    (!by_sts).then(|| "a cached enforced policy is not demanded".to_owned())
}

//= spec-test: 7672-2.1.1-2
//= spec-test: 7672-2.1.2-2
//= spec-test: 7672-2.2.2-1
//= spec-test: 7672-2.2.2-2
fn robustness_fault(
    world: &World,
    attacked: &Attacked<'_>,
    discovery: &Discovery,
) -> Option<String> {
    let on = |record_type| attacked.attack_on(record_type);
    let honest = Some(Attack::None);
    let hidden = Some(Attack::HideFirstStatus);
    let has_address = on(RecordType::A) == honest
        || (on(RecordType::Aaaa) == honest && world.families == Families::Both);
    let judged = on(RecordType::A) != hidden && on(RecordType::Aaaa) != hidden;
    let applies = on(RecordType::Mx) == honest
        && has_address
        && judged
        && world.h == Zone::Unsigned
        && matches!(world.cached, Sts::None | Sts::Testing)
        && world.published != Sts::EnforceOther;
    if !applies {
        return None;
    }
    let usable = discovery
        .plans()
        .any(|host| !matches!(host.obligation, Obligation::Skip(_)));
    let has_route = matches!(discovery.route(), Route::Hosts { .. });
    (!usable || !has_route)
        .then(|| "mail is stopped although its host's zone is unsigned".to_owned())
}

/// The first fault in the whole space, or how many runs there were.
pub(crate) fn enumerate(engine: &Engine<'_>) -> Result<u32, String> {
    let mut runs = 0;
    for world in worlds() {
        let mut attacked = Attacked::new(&world);
        loop {
            runs += 1;
            let hop = NextHop::parse("d").unwrap();
            let mut discovery = engine(hop, DiscoveryPolicy::default(), world.cached_policy());
            drive(&mut discovery, &mut attacked);
            if let Some(fault) = fault(&world, &attacked, &discovery) {
                return Err(format!(
                    "{fault}\n{world:#?}\n{}{:?}\n{:?}",
                    attacked.describe(),
                    summary(&discovery),
                    discovery.plans().map(describe).collect::<Vec<_>>()
                ));
            }
            if !attacked.next() {
                break;
            }
        }
    }
    Ok(runs)
}

/// Both kinds of world in turn, so that a flaw of either kind is found early.
fn worlds() -> Vec<World> {
    let mut dane = dane_worlds().into_iter();
    let mut sts = sts_worlds().into_iter();
    let mut worlds = Vec::new();
    loop {
        let pair = (dane.next(), sts.next());
        if let (None, None) = pair {
            return worlds;
        }
        worlds.extend(pair.0.into_iter().chain(pair.1));
    }
}

/// Every way to publish (or not) TLSA behind every chain of signed and unsigned zones.
fn dane_worlds() -> Vec<World> {
    let tlsa = [
        Tlsa::Absent,
        Tlsa::Unusable,
        Tlsa::Usable,
        Tlsa::UsableVia(Zone::Signed),
        Tlsa::UsableVia(Zone::Unsigned),
    ];
    let mut worlds = Vec::new();
    for d in ZONES {
        for h in ZONES {
            for aliases in chains() {
                // Where no TLSA is believed, one kind stands for all.
                let original = if h == Zone::Signed {
                    &tlsa[..]
                } else {
                    &tlsa[2..3]
                };
                let expanded = match (aliases.is_empty(), h) {
                    (true, _) => &tlsa[..1],
                    (false, Zone::Signed) => &tlsa[..],
                    (false, Zone::Unsigned) => &tlsa[2..3],
                };
                for families in [Families::Both, Families::Ipv4Only, Families::Ipv4Insecure] {
                    // An insecure MX changes nothing about address families.
                    let is_told_apart = match families {
                        Families::Both => true,
                        Families::Ipv4Only => d == Zone::Signed,
                        Families::Ipv4Insecure => h == Zone::Signed && aliases.is_empty(),
                    };
                    if !is_told_apart {
                        continue;
                    }
                    for tlsa_original in original {
                        for tlsa_expanded in expanded {
                            worlds.push(World {
                                d,
                                next_hop_alias: None,
                                h,
                                aliases: aliases.clone(),
                                families,
                                tlsa_original: *tlsa_original,
                                tlsa_between: Tlsa::Usable,
                                tlsa_expanded: *tlsa_expanded,
                                published: Sts::None,
                                cached: Sts::None,
                            });
                        }
                    }
                }
            }
        }
    }
    worlds
}

fn chains() -> Vec<Vec<Zone>> {
    let mut chains = vec![Vec::new()];
    for t in ZONES {
        chains.push(vec![t]);
        chains.extend(ZONES.map(|i| vec![i, t]));
    }
    chains
}

/// Every way for the domain, its alias and its MTA-STS, before a few kinds of host.
fn sts_worlds() -> Vec<World> {
    let every_policy = [Sts::None, Sts::Enforce, Sts::EnforceOther, Sts::Testing];
    let every_cached = [Sts::None, Sts::Enforce, Sts::EnforceOther];
    let mut worlds = Vec::new();
    for d in ZONES {
        for next_hop_alias in [None, Some(Zone::Signed), Some(Zone::Unsigned)] {
            for h in ZONES {
                for tlsa_original in [Tlsa::Absent, Tlsa::Unusable, Tlsa::Usable] {
                    for published in every_policy {
                        for cached in every_cached {
                            worlds.push(World {
                                d,
                                next_hop_alias,
                                h,
                                aliases: Vec::new(),
                                families: Families::Both,
                                tlsa_original,
                                tlsa_between: Tlsa::Absent,
                                tlsa_expanded: Tlsa::Absent,
                                published,
                                cached,
                            });
                        }
                    }
                }
            }
        }
    }
    worlds
}

#[test]
fn no_attack_lowers_an_obligation_and_no_failure_stops_unprotected_mail() {
    match enumerate(&sound) {
        Ok(runs) => {
            println!("{runs} runs");
            assert!(runs > 50_000, "only {runs} runs");
        }
        Err(fault) => panic!("{fault}"),
    }
}

#[cfg(feature = "flaws")]
#[test]
fn every_flaw_is_caught() {
    use elsinore_dane::discovery::Flaw;
    let missed: Vec<Flaw> = Flaw::ALL
        .into_iter()
        .filter(|flaw| {
            enumerate(&|hop, policy, cached| Discovery::broken(*flaw, hop, policy, cached, 1, NOW))
                .is_ok()
        })
        .collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
