//! The tests must be able to fail: resolvers and engines that are broken on purpose, one rule
//! each, are caught.

use crate::attacker::{Attack, Network};
use crate::drive::{config, resolver, search};
use crate::judge::Judge;
use crate::net::MemoryNet;
use crate::runs::{Honest, Run, Setting};
use crate::{downgrade, robust};
use elsinore_dane::answer::{Answer, Denial, DenialKind, Failure, Last, Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::{Authority, Security, Status};
use elsinore_net::resolver::{Freshness, Mode, Resolver, SecureResolver};
use futures_util::future::BoxFuture;

/// One rule of resolution, broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// A failed lookup counts as an absence.
    FailureIsAbsence,
    /// The same, for TLSA only.
    TlsaFailureIsAbsence,
    /// What ought to validate and does not counts as unsigned.
    BogusIsInsecure,
    /// What ought to validate and does not counts as validated.
    BogusIsSecure,
    /// A denial needs no proof.
    UnprovenDenial,
    /// An alias needs no signature, if what stands at its end has one.
    UnsignedAlias,
    /// Only the last link of a chain is looked at.
    LastLinkDecides,
    /// A first link that could not be judged counts as insecure.
    UnknownLinkIsInsecure,
    /// An alias is asked for by itself, and its failure is one of the whole lookup: the way of
    /// senders that do not know whether the zone is signed.
    AliasMustAnswer,
}

/// A resolver with a flaw.
#[derive(Debug)]
struct Flawed {
    flaw: Flaw,
    sound: Resolver,
    /// The same without validation.
    blind: Resolver,
}

impl Flawed {
    fn new(flaw: Flaw, mode: Mode, net: MemoryNet) -> Self {
        let mut unvalidated = config(mode);
        unvalidated.negative_anchors = vec![DomainName::root()];
        Self {
            flaw,
            sound: resolver(config(mode), net.clone()),
            blind: resolver(unvalidated, net),
        }
    }

    async fn answer(&self, question: &Question, freshness: Freshness) -> Answer {
        let mut answer = self.sound.lookup(question, freshness).await;
        let failure = match &answer.last {
            Last::Failed(failure) => Some(failure.status.security()),
            Last::Data(_) | Last::Denied(_) => None,
        };
        let is_bogus = failure == Some(Security::Bogus);
        let is_tlsa = question.record_type == RecordType::Tlsa;
        match self.flaw {
            Flaw::FailureIsAbsence if failure.is_some() => answer.last = absence(),
            Flaw::TlsaFailureIsAbsence if failure.is_some() && is_tlsa => answer.last = absence(),
            Flaw::BogusIsInsecure if is_bogus => {
                return self.blind.lookup(question, freshness).await;
            }
            Flaw::BogusIsSecure if is_bogus => {
                let blind = self.blind.lookup(question, freshness).await;
                return with_status(blind, &Status::assertion(Authority::Fixture, "believed"));
            }
            Flaw::UnprovenDenial if is_bogus => {
                let blind = self.blind.lookup(question, freshness).await;
                if matches!(blind.last, Last::Denied(_)) {
                    return blind;
                }
            }
            Flaw::UnsignedAlias if is_bogus => {
                let blind = self.blind.lookup(question, freshness).await;
                if !blind.chain.is_empty() {
                    let end = Question::new(blind.final_name().clone(), question.record_type);
                    let last = self.sound.lookup(&end, freshness).await.last;
                    return Answer { last, ..blind };
                }
            }
            Flaw::LastLinkDecides => {
                let status = answer.last.status().clone();
                for link in &mut answer.chain {
                    link.status = status.clone();
                }
            }
            Flaw::UnknownLinkIsInsecure => {
                if let Some(link) = answer.chain.first_mut()
                    && link.status.security() > Security::Insecure
                {
                    link.status = Status::insecure("taken for unsigned");
                }
            }
            Flaw::AliasMustAnswer if failure.is_none() && !is_tlsa => {
                let alias = Question::new(question.name.clone(), RecordType::Cname);
                let alias = self.sound.lookup(&alias, freshness).await;
                if matches!(alias.last, Last::Failed(_)) {
                    answer.last = Last::Failed(Failure {
                        status: Status::indeterminate("the alias could not be looked up"),
                        ede: None,
                    });
                }
            }
            _ => {}
        }
        answer
    }
}

impl SecureResolver for Flawed {
    fn lookup<'a>(&'a self, question: &'a Question, freshness: Freshness) -> BoxFuture<'a, Answer> {
        Box::pin(self.answer(question, freshness))
    }
}

fn absence() -> Last {
    Last::Denied(Denial {
        kind: DenialKind::NoData,
        status: Status::insecure("taken for absent"),
        ttl: 5,
    })
}

fn with_status(mut answer: Answer, status: &Status) -> Answer {
    for link in &mut answer.chain {
        link.status = status.clone();
    }
    match &mut answer.last {
        Last::Data(set) => set.status = status.clone(),
        Last::Denied(denial) => denial.status = status.clone(),
        Last::Failed(_) => {}
    }
    answer
}

/// The sound project, what is owed in its world, and the attacks on it.
struct Court {
    mode: Mode,
    honest: Honest,
    attacks: Vec<Vec<Attack>>,
}

/// Which of the two properties.
#[derive(Debug, Clone, Copy)]
enum Property {
    DowngradeProof,
    Robust,
}

impl Court {
    fn new(mode: Mode, property: Property) -> Self {
        let sound = Setting::sound(mode);
        let honest = Honest::new(&sound);
        let attacks = |run: &Run| match property {
            Property::DowngradeProof => downgrade::singles(&sound.network, mode, run, |_, _| true),
            Property::Robust => robust::attacks(mode),
        };
        Self {
            mode,
            attacks: honest.runs.iter().map(attacks).collect(),
            honest,
        }
    }

    /// The first fault that is found in `flawed`, and after how many runs: first undisturbed, then
    /// one attack on each domain after the other.
    fn fault(&self, flawed: &Setting, property: Property) -> Option<(usize, String)> {
        let mut runs = 0;
        let longest = self.attacks.iter().map(Vec::len).max().unwrap_or(0);
        for round in 0..longest {
            for (run, attacks) in self.honest.runs.iter().zip(&self.attacks) {
                let Some(attack) = attacks.get(round) else {
                    continue;
                };
                runs += 1;
                let judge = Judge::new(run, &self.honest.truth);
                let outcome = flawed.run(run.domain, attack.clone()).outcome;
                let faults = match property {
                    Property::DowngradeProof => judge.faults(attack, &outcome),
                    Property::Robust => judge.robustness_faults(attack, &outcome),
                };
                if let Some(fault) = faults.into_iter().next() {
                    return Some((runs, fault));
                }
            }
        }
        None
    }

    fn catches(&self, flaw: Flaw, property: Property) {
        let mode = self.mode;
        let flawed = Setting {
            network: Network::new(mode),
            resolver: Box::new(move |net| Box::new(Flawed::new(flaw, mode, net))),
            search: Box::new(search),
        };
        match self.fault(&flawed, property) {
            Some((runs, fault)) => println!("{mode:?} {flaw:?}: caught in run {runs}: {fault}"),
            None => panic!("{mode:?} {flaw:?} goes unnoticed"),
        }
    }
}

#[test]
fn resolvers_that_downgrade() {
    let property = Property::DowngradeProof;
    for (mode, flaws) in [
        (
            Mode::Forward,
            &[
                Flaw::FailureIsAbsence,
                Flaw::TlsaFailureIsAbsence,
                Flaw::BogusIsInsecure,
                Flaw::BogusIsSecure,
                Flaw::UnprovenDenial,
                Flaw::UnsignedAlias,
                Flaw::LastLinkDecides,
            ][..],
        ),
        (
            Mode::Recursive,
            &[
                Flaw::FailureIsAbsence,
                Flaw::BogusIsInsecure,
                Flaw::BogusIsSecure,
                Flaw::UnprovenDenial,
            ][..],
        ),
        (
            Mode::Ad,
            &[
                Flaw::FailureIsAbsence,
                Flaw::TlsaFailureIsAbsence,
                Flaw::LastLinkDecides,
                Flaw::UnknownLinkIsInsecure,
            ][..],
        ),
    ] {
        let court = Court::new(mode, property);
        for flaw in flaws {
            court.catches(*flaw, property);
        }
    }
}

#[test]
fn resolvers_that_stop_mail() {
    for mode in [Mode::Recursive, Mode::Forward, Mode::Ad] {
        let property = Property::Robust;
        Court::new(mode, property).catches(Flaw::AliasMustAnswer, property);
    }
}

/// The AD bit of whoever answers, over a path that an attacker is on.
#[test]
fn anybodys_ad_bit() {
    let court = Court::new(Mode::Forward, Property::DowngradeProof);
    let flawed = Setting {
        network: Network::new(Mode::Forward),
        resolver: Box::new(|net| Box::new(resolver(config(Mode::Ad), net))),
        search: Box::new(search),
    };
    let fault = court.fault(&flawed, Property::DowngradeProof);
    assert!(fault.is_some());
}

#[cfg(feature = "flaws")]
mod engines {
    use super::{Court, Property};
    use crate::runs::Setting;
    use crate::worlds::{NOW, name};
    use elsinore_dane::discovery::{Discovery, DiscoveryPolicy, Flaw};
    use elsinore_dane::next_hop::NextHop;
    use elsinore_net::resolver::Mode;

    /// In which mode each is looked for. Not here, but in the tests of the engine itself: flaws
    /// about MTA-STS policies, which nobody publishes in this world, and
    /// [`Flaw::FirstFamilyDecides`], for which servers of a signed zone have to disagree.
    const SEEN: [(Mode, &[Flaw]); 2] = [
        (
            Mode::Forward,
            &[
                Flaw::MxFailureIsAbsence,
                Flaw::MxAliasesUnchecked,
                Flaw::InsecureMxIsVerified,
                Flaw::NextHopNameUnderInsecureMx,
                Flaw::TlsaFailureIsAbsence,
                Flaw::InsecureTlsaUsed,
                Flaw::TlsaAliasesUnchecked,
                Flaw::UnusableIsAbsent,
                Flaw::ExpandedFailureTriesOriginal,
                Flaw::ExpandedOnly,
                Flaw::OriginalOnly,
                Flaw::FirstLinkIgnored,
                Flaw::LastLinkDecides,
                Flaw::TlsaAskedInUnsignedZones,
                Flaw::FamiliesShareTheirFate,
                Flaw::AddressFailureIsAbsence,
                Flaw::StsFailureDefers,
            ],
        ),
        (Mode::Ad, &[Flaw::UnknownZoneIsUnsigned]),
    ];

    #[test]
    fn caught_on_the_wire() {
        let mut unnoticed = Vec::new();
        for (mode, flaws) in SEEN {
            let courts = [Property::Robust, Property::DowngradeProof]
                .map(|property| (property, Court::new(mode, property)));
            for flaw in flaws {
                let flawed = Setting {
                    search: Box::new(move |domain| {
                        let hop = NextHop::domain(name(domain));
                        let policy = DiscoveryPolicy::default();
                        Discovery::broken(*flaw, hop, policy, None, 1, NOW)
                    }),
                    ..Setting::sound(mode)
                };
                let caught = courts
                    .iter()
                    .find_map(|(property, court)| court.fault(&flawed, *property));
                match caught {
                    Some((runs, fault)) => {
                        println!("{mode:?} {flaw:?}: caught in run {runs}: {fault}");
                    }
                    None => unnoticed.push(flaw),
                }
            }
        }
        assert!(unnoticed.is_empty(), "{unnoticed:?}");
    }
}
