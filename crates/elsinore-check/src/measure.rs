//! From a world to a sighting: which questions are put, and which sessions are held.
//!
//! Everything that is known is asked at once. Each address is a lane of its own, which begins as
//! soon as its host's plan is made and waits for no other; what is seen is put in order at the end,
//! so the order of answers shows nowhere. Nothing is decided here: plans come from the engine of
//! `send`, verdicts from its judge and its ladder.

mod lane;
mod policies;
mod progress;
mod questions;
mod result;
mod session;
mod zones;

pub use progress::{Progress, Watch};
pub(crate) use session::lacks_certificate;

use crate::report::SenderKind;
use crate::sighting::Sighting;
use crate::world::World;
use elsinore_dane::answer::{Question, RecordType};
use elsinore_dane::destination::{Level, Mode};
use elsinore_dane::discovery::{DaneUse, DiscoveryPolicy, LookAhead, StsUse};
use elsinore_dane::name::DomainName;
use elsinore_dane::next_hop::NextHop;
use elsinore_dane::obligation::Obligation;
use elsinore_dane::plan::HostPlan;
use elsinore_net::clock::FixedClock;
use elsinore_net::deliver::{PlanSighting, Prober, SenderConfig};
use elsinore_net::dialer::MappedDialer;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lane::{Budget, Ground, Lane, Others};
use policies::Policies;
use questions::Questions;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use zones::Zones;

/// Other server names that are tried at one address.
const OTHER_NAMES: usize = 2;

/// What a check is told once.
#[derive(Debug, Clone)]
pub struct MeasureSettings {
    /// The sender that the check stands for: names, trust, bounds, overrides.
    pub sender: SenderConfig,
    /// Sessions held at one address in one check; what is beyond is left out and said so.
    pub most_sessions_per_address: usize,
    /// Sessions held in one check, about: whoever names fifty hosts with thirty addresses each does
    /// not make it knock everywhere in somebody's network. What is beyond is left out likewise.
    pub most_sessions: usize,
}

impl MeasureSettings {
    /// At most eight sessions at one address, and 512 in all.
    #[must_use]
    pub const fn new(sender: SenderConfig) -> Self {
        Self {
            sender,
            most_sessions_per_address: 8,
            most_sessions: 512,
        }
    }
}

/// What a plan set off.
enum Begun {
    /// A host of the DANE sender's plan.
    Host(HostPlan),
    /// An address that only another sender contacts.
    Elsewhere(HostPlan, std::net::IpAddr),
}

/// Measures one domain.
pub async fn measure(
    world: &Arc<dyn World>,
    settings: &MeasureSettings,
    domain: &DomainName,
    watch: &Watch,
) -> Sighting {
    let started = Instant::now();
    let began = world.now();
    watch(Progress::Began {
        domain: domain.clone(),
    });
    let questions = Arc::new(Questions::new(Arc::clone(world)));
    let policies = Arc::new(Policies::new(Arc::clone(world), domain.clone()));
    let prober_of = |sender: SenderConfig| {
        let names = Arc::clone(&questions);
        let clock = Arc::new(FixedClock(began));
        // Plans alone are made here; every session is held by the world.
        let nowhere = Arc::new(MappedDialer::default());
        Prober::new(sender, names, nowhere, clock).with_policies(Arc::clone(&policies) as Arc<_>)
    };
    let [own, sts_only, opportunistic] = [
        settings.sender.clone(),
        stranger(&settings.sender, StsUse::Honour),
        stranger(&settings.sender, StsUse::Ignore),
    ]
    .map(prober_of);
    let (next_hop, mut policy, overridden) = own.destination(domain);
    policy.look_ahead = LookAhead::AllHosts;
    let budget = Budget::new(settings.most_sessions_per_address, settings.most_sessions);
    let ground = Ground {
        world: world.as_ref(),
        assessor: own.assessor(),
        budget: &budget,
        began,
        watch,
    };
    let (begin, begun) = mpsc::unbounded_channel();
    let (tell, others) = watch::channel::<Option<Others>>(None);
    let plans = async {
        let told = begin.clone();
        let dane = own.plans_as_decided(next_hop, policy, move |_, plan| {
            // Whoever listens ends after this sender does.
            let _ = told.send(Begun::Host(plan.clone()));
        });
        let [mut dane, sts_only, opportunistic] = {
            let (a, b, c) = tokio::join!(
                dane,
                plain_plans(&sts_only, domain),
                plain_plans(&opportunistic, domain)
            );
            [a, b, c]
        };
        dane.findings.splice(0..0, overridden);
        for (plan, address) in elsewhere(&dane, [&sts_only, &opportunistic]) {
            let _ = begin.send(Begun::Elsewhere(plan, address));
        }
        let known: Others = Arc::new([
            (SenderKind::StsOnly, sts_only.hosts.clone()),
            (SenderKind::Opportunistic, opportunistic.hosts.clone()),
        ]);
        tell.send_replace(Some(known));
        drop(begin);
        [dane, sts_only, opportunistic]
    };
    let zones = Zones::default();
    let mx = [Question::new(domain.clone(), RecordType::Mx)];
    let (plans, lanes, (), ()) = tokio::join!(
        plans,
        drive(&ground, (&questions, &zones), domain, begun, others),
        first_questions(&questions, domain),
        zones.look(world.resolver(), domain, &mx),
    );
    let seen = result::Seen {
        domain,
        settings,
        plans: &plans,
        lanes,
        questions: &questions,
        zones: &zones,
        fetch: policies.fetched(),
        sessions: budget.total(),
    };
    let sighting = seen.sighting(&ground, started).await;
    watch(Progress::Ended);
    sighting
}

/// A sender of somebody else's, with the same bounds: it knows none of our overrides and has stored
/// nothing.
fn stranger(sender: &SenderConfig, sts: StsUse) -> SenderConfig {
    let mut other = sender.clone();
    other.destinations.clear();
    other.state = None;
    other.policy = DiscoveryPolicy {
        level: Level::May,
        mode: Mode::Minimum,
        match_names: Vec::new(),
        pins: Vec::new(),
        dane: DaneUse::Ignore,
        sts,
        look_ahead: LookAhead::AllHosts,
        ..sender.policy.clone()
    };
    other
}

async fn plain_plans(prober: &Prober, domain: &DomainName) -> PlanSighting {
    let (_, policy, _) = prober.destination(domain);
    prober.plans(NextHop::domain(domain.clone()), policy).await
}

/// Addresses that only a sender without DANE contacts, each with the plan of the first that does.
fn elsewhere(dane: &PlanSighting, others: [&PlanSighting; 2]) -> Vec<(HostPlan, std::net::IpAddr)> {
    let mut found: Vec<(HostPlan, std::net::IpAddr)> = Vec::new();
    for plan in others.iter().flat_map(|other| &other.hosts) {
        for address in &plan.addresses {
            let is_known = (dane.hosts.iter())
                .any(|it| same(it, plan) && it.addresses.contains(address))
                || found
                    .iter()
                    .any(|(it, known)| same(it, plan) && known == address);
            if !is_known {
                found.push((plan.clone(), *address));
            }
        }
    }
    found
}

/// Whether two plans are for the same line of the MX RRset.
fn same(one: &HostPlan, other: &HostPlan) -> bool {
    one.mx_host == other.mx_host && one.preference == other.preference
}

/// What is asked whatever the MX records say.
async fn first_questions(questions: &Questions, domain: &DomainName) {
    let wanted = [
        ("_smtp._tls", RecordType::Txt),
        ("_25._tcp", RecordType::Tlsa),
    ];
    let asked = wanted.into_iter().filter_map(|(labels, record_type)| {
        let name = domain.prefixed(labels).ok()?;
        Some(Question::new(name, record_type))
    });
    put(questions, asked.collect()).await;
}

async fn put(questions: &Questions, wanted: Vec<Question>) {
    let mut asked: FuturesUnordered<_> = (wanted.into_iter())
        .map(|question| async move {
            questions.ask(&question).await;
        })
        .collect();
    while asked.next().await.is_some() {}
}

/// Begins a lane for each address as soon as it is known, and ends when all lanes have.
async fn drive(
    ground: &Ground<'_>,
    (questions, zones): (&Questions, &Zones),
    domain: &DomainName,
    mut begun: mpsc::UnboundedReceiver<Begun>,
    others: watch::Receiver<Option<Others>>,
) -> Vec<Lane> {
    let mut lanes = FuturesUnordered::new();
    let mut asked = FuturesUnordered::new();
    let mut done = Vec::new();
    let mut is_open = true;
    while is_open || !lanes.is_empty() || !asked.is_empty() {
        tokio::select! {
            next = begun.recv(), if is_open => match next {
                None => is_open = false,
                Some(Begun::Host(plan)) => {
                    (ground.watch)(Progress::Planned {
                        mx_host: plan.mx_host.clone(),
                        addresses: plan.addresses.clone(),
                    });
                    asked.push(about_host(ground.world, questions, zones, plan.clone()));
                    let names = other_names(questions, &plan, domain);
                    for address in &plan.addresses {
                        let lane = Lane::new(&plan, *address);
                        let (plan, names) = (plan.clone(), names.clone());
                        lanes.push(walk(ground, lane, Some(plan), names, others.clone()));
                    }
                }
                Some(Begun::Elsewhere(plan, address)) => {
                    let lane = Lane::new(&plan, address);
                    lanes.push(walk(ground, lane, None, Vec::new(), others.clone()));
                }
            },
            Some(lane) = lanes.next(), if !lanes.is_empty() => done.push(lane),
            Some(()) = asked.next(), if !asked.is_empty() => {}
        }
    }
    done
}

/// One lane from its beginning to its end.
async fn walk(
    ground: &Ground<'_>,
    mut lane: Lane,
    plan: Option<HostPlan>,
    names: Vec<DomainName>,
    mut others: watch::Receiver<Option<Others>>,
) -> Lane {
    if let Some(plan) = &plan {
        lane.approach(ground, SenderKind::Dane, plan).await;
        lane.look_around(ground, plan, &names).await;
    }
    let known = match others.wait_for(Option::is_some).await {
        Ok(known) => known.clone(),
        Err(_) => None,
    };
    for (kind, plans) in known.iter().flat_map(|known| known.iter()) {
        let mine = |it: &&HostPlan| it.mx_host == lane.mx_host && it.preference == lane.preference;
        let Some(plan) = plans.iter().find(mine) else {
            continue;
        };
        if plan.addresses.contains(&lane.address) {
            lane.approach(ground, *kind, plan).await;
        }
    }
    (ground.watch)(Progress::LaneDone {
        mx_host: lane.mx_host.clone(),
        address: lane.address,
    });
    lane
}

/// Questions about a host that no sender's engine need put: TLSA at either end of an alias, whether
/// the name above them exists (RFC 8020, RFC 9156 §2.3), and the same to each server of its zone.
async fn about_host(world: &dyn World, questions: &Questions, zones: &Zones, plan: HostPlan) {
    let looks = bases(questions, &plan).into_iter().map(|base| {
        let mut wanted = Vec::new();
        if let Ok(name) = base.prefixed(&format!("_{}._tcp", plan.port)) {
            wanted.push(Question::new(name, RecordType::Tlsa));
        }
        if let Ok(name) = base.prefixed("_tcp") {
            wanted.push(Question::new(name, RecordType::A));
        }
        async move {
            tokio::join!(
                put(questions, wanted.clone()),
                zones.look(world.resolver(), &base, &wanted),
            );
        }
    });
    futures_util::future::join_all(looks).await;
}

/// The host's name and, where it is an alias, the end of the alias.
fn bases(questions: &Questions, plan: &HostPlan) -> Vec<DomainName> {
    let Ok(name) = DomainName::parse(&plan.mx_host) else {
        return Vec::new();
    };
    if plan.mx_host.parse::<std::net::IpAddr>().is_ok() {
        return Vec::new();
    }
    let mut found = vec![name.clone()];
    for record_type in [RecordType::A, RecordType::Aaaa] {
        let answer = questions.known(&Question::new(name.clone(), record_type));
        let end = answer.and_then(|answer| answer.chain.last().map(|link| link.target.clone()));
        if let Some(end) = end
            && !found.contains(&end)
        {
            found.push(end);
        }
    }
    found
}

/// Server names other than the one that the DANE sender sends, where somebody may send them: the
/// MX host and the ends of its alias, and the next hop where a record names an authority.
fn other_names(questions: &Questions, plan: &HostPlan, domain: &DomainName) -> Vec<DomainName> {
    const DANE_TA: u8 = 2;
    let mut names = bases(questions, plan);
    if let Obligation::Authenticate(requirements) = &plan.obligation
        && let Some(dane) = &requirements.dane
    {
        let by_authority =
            |record: &elsinore_dane::tlsa::TlsaRecord| record.usage() == Some(DANE_TA);
        if dane.records.iter().any(by_authority) && !names.contains(domain) {
            names.push(domain.clone());
        }
    }
    names.retain(|name| Some(name) != plan.sni.as_ref());
    names.truncate(OTHER_NAMES);
    names
}
