//! No failing lookup of what could not have protected anything stops mail.

use crate::attacker::{Attack, Place, Victim};
use crate::drive::describe;
use crate::judge::Judge;
use crate::mutation::Mutation;
use crate::runs::{Honest, Setting};
use elsinore_dane::answer::RecordType;
use elsinore_net::resolver::Mode;

const IDLE: [&[RecordType]; 4] = [
    &[RecordType::Cname],
    &[RecordType::Tlsa],
    &[RecordType::Txt],
    &[RecordType::Cname, RecordType::Tlsa, RecordType::Txt],
];

/// Every failure and every lie about the idle types, at every place.
pub(crate) fn attacks(mode: Mode) -> Vec<Attack> {
    let mut attacks = Vec::new();
    for types in IDLE {
        let front = match mode {
            Mode::Ad => Mutation::FAILURES.to_vec(),
            Mode::Recursive | Mode::Forward => Mutation::all(),
        };
        let front = front
            .into_iter()
            .map(|how| Attack::one(Victim::Types(Place::Front, types), how));
        attacks.extend(front);
        if mode == Mode::Ad {
            let behind = Mutation::all().into_iter();
            attacks.extend(behind.map(|how| Attack::one(Victim::Types(Place::Behind, types), how)));
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
