//! No failing lookup of what could not have protected anything stops mail.

use crate::attacker::{Attack, Place, Victim};
use crate::drive::{End, describe};
use crate::judge::Judge;
use crate::mutation::Mutation;
use crate::runs::{Honest, Setting};
use crate::worlds::{NOW, name};
use elsinore_dane::answer::RecordType;
use elsinore_dane::discovery::{Discovery, DiscoveryPolicy};
use elsinore_dane::mta_sts::{CachedPolicy, StsPolicy};
use elsinore_dane::next_hop::NextHop;
use elsinore_dane::obligation::{Obligation, WebPkiReason};
use elsinore_net::resolver::Mode;

/// What nothing depends on: an address is known by its A record.
const IDLE: [&[RecordType]; 5] = [
    &[RecordType::Aaaa],
    &[RecordType::Cname],
    &[RecordType::Tlsa],
    &[RecordType::Txt],
    &[RecordType::Cname, RecordType::Tlsa, RecordType::Txt],
];

/// Every failure of each idle type and every lie about all of them, at every place.
pub(crate) fn attacks(mode: Mode) -> Vec<Attack> {
    let mut attacks = Vec::new();
    for types in IDLE {
        let mut at = |place, mutations: &[Mutation]| {
            let one = |how: &Mutation| Attack::one(Victim::Types(place, types), *how);
            attacks.extend(mutations.iter().map(one));
        };
        let lies = if types.len() > 1 {
            Mutation::all()
        } else {
            Mutation::FAILURES.to_vec()
        };
        match mode {
            Mode::Ad => {
                at(Place::Front, &Mutation::FAILURES);
                at(Place::Behind, &lies);
            }
            Mode::Recursive | Mode::Forward => at(Place::Front, &lies),
        }
    }
    attacks
}

fn enumerate(mode: Mode) {
    let setting = Setting::sound(mode);
    let honest = Honest::new(&setting);
    let mut wrong = Vec::new();
    let (mut runs, mut hosts) = (0, 0);
    for run in &honest.runs {
        let judge = Judge::new(run, &honest.truth);
        let unsigned = judge.unsigned_hosts().len();
        if unsigned == 0 {
            continue;
        }
        hosts += unsigned;
        for attack in attacks(mode) {
            let found = setting.run(run.domain, attack.clone());
            runs += 1;
            wrong.extend(judge.robustness_faults(&attack, &found.outcome));
        }
    }
    println!("{mode:?}: {hosts} hosts in unsigned zones, {runs} runs");
    assert!(hosts >= 14 && wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn recursive() {
    enumerate(Mode::Recursive);
}

#[test]
fn forward() {
    enumerate(Mode::Forward);
}

#[test]
fn ad() {
    enumerate(Mode::Ad);
}

/// What is known of a policy binds, whatever becomes of the lookup of its record.
#[test]
fn cached_policy_binds() {
    let text = b"version: STSv1\nmode: enforce\nmx: mx.plain.test\nmax_age: 86400\n";
    let cached = CachedPolicy {
        domain: name("plain.test"),
        id: "1".to_owned(),
        policy: StsPolicy::parse(text).expect("a policy"),
        fetched_at: NOW,
    };
    for mode in [Mode::Recursive, Mode::Forward, Mode::Ad] {
        let cached = cached.clone();
        let setting = Setting {
            search: Box::new(move |domain| {
                let hop = NextHop::domain(name(domain));
                let policy = DiscoveryPolicy::default();
                Discovery::new(hop, policy, Some(cached.clone()), 1, NOW)
            }),
            ..Setting::sound(mode)
        };
        for attack in attacks(mode) {
            let found = setting.run("plain.test", attack.clone()).outcome;
            let binds = found.plans.iter().all(|plan| match &plan.obligation {
                Obligation::Authenticate(requirements) => requirements
                    .webpki
                    .as_ref()
                    .is_some_and(|webpki| webpki.because == WebPkiReason::Sts),
                _ => false,
            });
            assert!(
                binds && found.end == End::Hosts,
                "{mode:?} {attack}: {}",
                describe(&found)
            );
        }
    }
}

/// A domain without a cached policy does not notice that its `_mta-sts` lookup fails.
#[test]
fn policy_lookup_fails() {
    for mode in [Mode::Recursive, Mode::Forward, Mode::Ad] {
        let setting = Setting::sound(mode);
        for run in Honest::new(&setting).runs {
            for how in Mutation::FAILURES {
                let attack = Attack::one(Victim::Types(Place::Front, &[RecordType::Txt]), how);
                let found = setting.run(run.domain, attack);
                assert_eq!(
                    describe(&found.outcome),
                    describe(&run.outcome),
                    "{mode:?} {} {how:?}",
                    run.domain
                );
            }
        }
    }
}
