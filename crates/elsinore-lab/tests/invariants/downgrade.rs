//! Every exchange of every domain, attacked in every way; then every question of a type at once,
//! and two things at once.

use crate::attacker::{Attack, Network, Place, Victim, apex_of};
use crate::judge::{Effect, Judge};
use crate::mutation::Mutation;
use crate::runs::{Honest, Run, Setting};
use crate::worlds::authority;
use elsinore_dane::answer::{Question, RecordType};
use elsinore_net::resolver::Mode;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// The classes of types that are attacked as one.
const CLASSES: [&[RecordType]; 9] = [
    &[RecordType::Mx],
    &[RecordType::A],
    &[RecordType::Aaaa],
    &[RecordType::A, RecordType::Aaaa],
    &[RecordType::Tlsa],
    &[RecordType::Ds],
    &[RecordType::Dnskey],
    &[RecordType::Cname],
    &[RecordType::Txt],
];

/// How much of the space is walked through.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// In how many of the runs that need an exchange each mutation of it is tried. Many need the
    /// keys of the root.
    sharers: usize,
    /// Of the attacks on a class of questions each domain gets every that many-th.
    stride: usize,
    /// Attacks on two things at once for each domain, of some 100,000.
    pairs: usize,
}

impl Effort {
    /// Usually what takes a minute on a busy machine; with `ELSINORE_INVARIANTS=all` each
    /// exchange of each domain.
    fn wanted() -> Self {
        match std::env::var("ELSINORE_INVARIANTS").as_deref() {
            Ok("all") => Self {
                sharers: usize::MAX,
                stride: 1,
                pairs: 300,
            },
            _ => Self {
                sharers: 1,
                stride: 3,
                pairs: 20,
            },
        }
    }
}

/// Deals the mutations of an exchange out among the runs that need it. Referrals to the same zone
/// count as the same, whatever was asked.
#[derive(Debug)]
struct Deal(BTreeMap<Exchange, Vec<(&'static str, Exchange)>>);

impl Deal {
    fn among(runs: &[Run]) -> Self {
        let mut deal: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for run in runs {
            for exchange in &run.exchanges {
                let hand = deal.entry(Self::kind(exchange)).or_default();
                hand.push((run.domain, exchange.clone()));
            }
        }
        Self(deal)
    }

    fn kind(exchange: &Exchange) -> Exchange {
        let (place, server, asked) = exchange;
        let world = authority();
        let apex = apex_of(asked);
        let knows = world.addresses().any(|address| address == *server);
        if !knows || world.serves(*server, &apex) {
            return exchange.clone();
        }
        (*place, *server, Question::new(apex, RecordType::Ns))
    }

    /// Whether the exchange of the domain is one of the `most` that get this mutation: every next
    /// mutation goes to the next ones.
    fn gives(&self, most: usize, run: &Run, exchange: &Exchange, mutation: Mutation) -> bool {
        let Some(hand) = self.0.get(&Self::kind(exchange)) else {
            return true;
        };
        let all = Mutation::all();
        let turn = all.iter().position(|one| *one == mutation).unwrap_or(0);
        let most = most.min(hand.len());
        (0..most).any(|offset| {
            let (domain, given) = &hand[(turn * most + offset) % hand.len()];
            *domain == run.domain && given == exchange
        })
    }
}

type Exchange = (Place, IpAddr, Question);

/// The place where the attacker can forge: behind a resolver whose AD bit is believed, else in
/// front of whomever is asked.
const fn forgers_place(mode: Mode) -> Place {
    match mode {
        Mode::Ad => Place::Behind,
        Mode::Recursive | Mode::Forward => Place::Front,
    }
}

/// One mutation of one exchange.
pub(crate) fn singles(
    network: &Arc<Network>,
    mode: Mode,
    run: &Run,
    gives: impl Fn(&Exchange, Mutation) -> bool,
) -> Vec<Attack> {
    let all = Mutation::all();
    let mut attacks = Vec::new();
    for exchange in &run.exchanges {
        let (place, server, question) = exchange;
        // The way to a resolver whose AD bit is believed is not the attacker's; that resolver
        // may fail all the same.
        let is_trusted = *place != forgers_place(mode);
        let wanted = if is_trusted {
            &Mutation::FAILURES[..]
        } else {
            &all
        };
        for mutation in network.mutations(*place, *server, question, wanted) {
            if !gives(exchange, mutation) {
                continue;
            }
            let victim = Victim::Exchange(*place, *server, question.clone());
            attacks.push(Attack::one(victim, mutation));
        }
    }
    attacks
}

/// The same mutation of every question of some types, whoever is asked.
fn classes(mode: Mode, run: &Run) -> Vec<Attack> {
    let place = forgers_place(mode);
    let occurs = |types: &&&'static [RecordType]| {
        let mut exchanges = run.exchanges.iter();
        exchanges.any(|(_, _, asked)| types.contains(&asked.record_type))
    };
    CLASSES
        .iter()
        .filter(occurs)
        .flat_map(|types| {
            Mutation::TYPICAL.map(|how| Attack::one(Victim::Types(place, types), how))
        })
        .collect()
}

/// Every `stride`-th, another part for each domain.
fn every(stride: usize, domain: usize, attacks: Vec<Attack>) -> Vec<Attack> {
    let wanted = |turn: usize| (turn + domain).is_multiple_of(stride);
    attacks
        .into_iter()
        .enumerate()
        .filter_map(|(turn, attack)| wanted(turn).then_some(attack))
        .collect()
}

/// A sample of attacks on two questions, or on two classes of types, each in its own way.
fn pairs(mode: Mode, run: &Run, count: usize) -> Vec<Attack> {
    let place = forgers_place(mode);
    let mut victims: Vec<Victim> = CLASSES.map(|types| Victim::Types(place, types)).to_vec();
    let exchanges = run.exchanges.iter().filter(|(at, ..)| *at == place);
    victims.extend(exchanges.map(|(_, _, asked)| Victim::Question(place, asked.clone())));
    victims.dedup();
    let all = Mutation::all();
    // A linear congruential generator with fixed start: the same sample in every run.
    let mut state = 7_u64;
    let mut below = |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % bound
    };
    (0..count)
        .map(|_| {
            let mut one = || {
                let victim = victims[below(victims.len())].clone();
                (victim, all[below(all.len())])
            };
            Attack(vec![one(), one()])
        })
        .collect()
}

fn enumerate(mode: Mode) {
    let start = Instant::now();
    let setting = Setting::sound(mode);
    let honest = Honest::new(&setting);
    let effort = Effort::wanted();
    let deal = Deal::among(&honest.runs);
    let mut exchanges = 0;
    let (mut counts, mut effects) = ([0; 3], [0; 3]);
    let mut wrong = Vec::new();
    for (index, run) in honest.runs.iter().enumerate() {
        exchanges += run.exchanges.len();
        let judge = Judge::new(run, &honest.truth);
        let kinds = [
            singles(&setting.network, mode, run, |exchange, mutation| {
                deal.gives(effort.sharers, run, exchange, mutation)
            }),
            every(effort.stride, index, classes(mode, run)),
            pairs(mode, run, effort.pairs),
        ];
        for (kind, attacks) in kinds.into_iter().enumerate() {
            for attack in attacks {
                counts[kind] += 1;
                let found = setting.run(run.domain, attack.clone());
                effects[judge.effect(&found.outcome) as usize] += 1;
                wrong.extend(judge.faults(&attack, &found.outcome));
            }
        }
    }
    println!(
        "{mode:?}: {} domains, {exchanges} exchanges ({} different), {} mutations: {} runs with one exchange \
         attacked, {} with a class of questions, {} with two attacks; \
         {} without effect, {} with a failure, {} with other unprotected data; {:.1} s",
        honest.runs.len(),
        deal.0.len(),
        Mutation::all().len(),
        counts[0],
        counts[1],
        counts[2],
        effects[Effect::None as usize],
        effects[Effect::Failure as usize],
        effects[Effect::Other as usize],
        start.elapsed().as_secs_f64()
    );
    // Each kind of effect occurs, or the attacks do not bite.
    assert!(effects.iter().all(|count| *count > 20), "{effects:?}");
    let shown: Vec<String> = wrong.iter().take(20).cloned().collect();
    assert!(
        wrong.is_empty(),
        "{mode:?}: {}\n{}",
        wrong.len(),
        shown.join("\n")
    );
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
