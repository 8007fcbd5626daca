//! What was seen, put in order: the sighting.

use super::MeasureSettings;
use super::lane::{Ground, Held, Lane};
use super::questions::Questions;
use super::same;
use super::session::{milliseconds, sighting};
use super::zones::Zones;
use crate::report::{Measured, SenderKind};
use crate::sighting::{
    AddressSighting, AddressVerdict, HostSighting, LookupSighting, RouteSighting, SenderEnd,
    SenderSighting, SessionSighting, Sighting, StsSighting, TlsaLookup,
};
use elsinore_dane::answer::{Last, Question, RecordType};
use elsinore_dane::destination;
use elsinore_dane::mta_sts::StsFetch;
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::Obligation;
use elsinore_dane::plan::HostPlan;
use elsinore_net::deliver::{self, Approach, Ended, PlanSighting};
use elsinore_net::doctor::triage::Blame;
use std::collections::HashMap;
use std::net::IpAddr;
use tokio::time::Instant;

/// Everything that was seen.
pub(super) struct Seen<'a> {
    pub(super) domain: &'a DomainName,
    pub(super) settings: &'a MeasureSettings,
    /// In the order of [`KINDS`].
    pub(super) plans: &'a [PlanSighting; 3],
    pub(super) lanes: Vec<Lane>,
    pub(super) questions: &'a Questions,
    pub(super) zones: &'a Zones,
    pub(super) fetch: Option<&'a StsFetch>,
    pub(super) sessions: usize,
}

const KINDS: [SenderKind; 3] = [
    SenderKind::Dane,
    SenderKind::StsOnly,
    SenderKind::Opportunistic,
];

impl Seen<'_> {
    /// The sighting.
    pub(super) async fn sighting(self, ground: &Ground<'_>, started: Instant) -> Sighting {
        let lookups = self.questions.sightings(self.domain);
        let failed = (lookups.iter()).any(|it| matches!(it.explained.answer.last, Last::Failed(_)));
        let blame = if failed {
            ground.world.blame().await
        } else {
            Blame::Unknown
        };
        let hosts = self.hosts(ground, &lookups);
        let sts = &self.plans[0];
        let txt = |labels| {
            Some(Question::new(
                self.domain.prefixed(labels).ok()?,
                RecordType::Txt,
            ))
        };
        Sighting {
            domain: self.domain.clone(),
            began: ground.began,
            elapsed_ms: milliseconds(started.elapsed()),
            senders: self.senders(ground),
            hosts,
            zones: self.zones.zones(self.domain),
            servers: self.zones.servers_seen(),
            sts: StsSighting {
                lookup: txt("_mta-sts").and_then(|question| index_of(&lookups, &question)),
                policy: sts.sts.clone().or_else(|| self.plans[1].sts.clone()),
                fetch: self.fetch.cloned(),
                tls_rpt_lookup: txt("_smtp._tls").and_then(|it| index_of(&lookups, &it)),
            },
            overrides: self.overrides(ground),
            blame,
            replayed: false,
            measured: self.measured(ground),
            lookups,
        }
    }

    fn measured(&self, ground: &Ground<'_>) -> Measured {
        let manners = ground.world.manners();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut left_out: Vec<String> = (self.lanes.iter())
            .filter(|lane| lane.left_out > 0)
            .map(|lane| {
                format!(
                    "{}[{}]: {} looks left out, at most {} sessions are held at one address, and {} \
                     in all",
                    lane.mx_host,
                    lane.address,
                    lane.left_out,
                    self.settings.most_sessions_per_address,
                    self.settings.most_sessions
                )
            })
            .collect();
        left_out.sort();
        match self.zones.left_out() {
            0 => {}
            number => left_out.push(format!(
                "{number} questions to single name servers left out"
            )),
        }
        Measured {
            questions: self.questions.count(),
            sessions: count(self.sessions),
            most_sessions_per_address: manners.most_at_once,
            most_sessions: manners.most_open,
            pause_ms: milliseconds(manners.pause),
            helo: manners.helo,
            left_out,
        }
    }

    /// What the sender of `kind` comes to at one address.
    fn approach(&self, ground: &Ground<'_>, plan: &HostPlan, address: IpAddr) -> Option<Approach> {
        let lane = self.lane(plan, address)?;
        let seen = lane.of_senders();
        ground.assessor.follow(&seen, plan, address, ground.began)
    }

    fn lane(&self, plan: &HostPlan, address: IpAddr) -> Option<&Lane> {
        self.lanes.iter().find(|lane| {
            lane.mx_host == plan.mx_host
                && lane.preference == plan.preference
                && lane.address == address
        })
    }

    fn senders(&self, ground: &Ground<'_>) -> Vec<SenderSighting> {
        let kinds = KINDS.into_iter().zip(self.plans);
        kinds
            .map(|(kind, plans)| SenderSighting {
                kind,
                route: route(plans),
                findings: plans.findings.clone(),
                end: self.end(ground, plans),
            })
            .collect()
    }

    fn end(&self, ground: &Ground<'_>, plans: &PlanSighting) -> SenderEnd {
        let mut ends: HashMap<(usize, IpAddr), Ended> = HashMap::new();
        for (index, plan) in plans.hosts.iter().enumerate() {
            for address in &plan.addresses {
                if let Some(approach) = self.approach(ground, plan, *address) {
                    ends.insert((index, *address), approach.ended);
                }
            }
        }
        let foreseen = (ground.assessor).foresee(plans, |host, address| ends.get(&(host, address)));
        let passage = foreseen.passage.as_ref();
        let host = passage.and_then(|passage| plans.hosts.get(passage.host));
        SenderEnd {
            outcome: foreseen.outcome,
            security: passage.map(|passage| passage.security),
            mx_host: host.map(|host| host.mx_host.clone()),
            mx_address: passage.map(|passage| passage.address),
            reply: foreseen.reply.map(|reply| reply.to_string()),
        }
    }

    /// Every host, by preference, then by name; hosts of a refusal too.
    fn hosts(&self, ground: &Ground<'_>, lookups: &[LookupSighting]) -> Vec<HostSighting> {
        let mut plans: Vec<&HostPlan> = Vec::new();
        for plan in self.plans.iter().flat_map(|plans| &plans.hosts) {
            if !plans.iter().any(|known| same(known, plan)) {
                plans.push(plan);
            }
        }
        plans.sort_by(|a, b| (a.preference, &a.mx_host).cmp(&(b.preference, &b.mx_host)));
        let hosts = plans.into_iter();
        hosts.map(|plan| self.host(ground, plan, lookups)).collect()
    }

    fn host(
        &self,
        ground: &Ground<'_>,
        plan: &HostPlan,
        lookups: &[LookupSighting],
    ) -> HostSighting {
        let is_literal = plan.mx_host.parse::<IpAddr>().is_ok();
        let name = DomainName::parse(&plan.mx_host).ok();
        let name = name.filter(|_| !is_literal);
        let of = |record_type| {
            let question = Question::new(name.clone()?, record_type);
            index_of(lookups, &question)
        };
        let mut addresses: Vec<IpAddr> = (self.lanes.iter())
            .filter(|lane| lane.mx_host == plan.mx_host && lane.preference == plan.preference)
            .map(|lane| lane.address)
            .collect();
        addresses.sort_unstable_by_key(|address| (address.is_ipv4(), *address));
        let addresses = addresses.into_iter();
        HostSighting {
            mx_host: plan.mx_host.clone(),
            zone: name.as_ref().and_then(|name| self.zones.zone_of(name)),
            address_lookups: [RecordType::A, RecordType::Aaaa]
                .into_iter()
                .filter_map(of)
                .collect(),
            tlsa_lookups: self.tlsa_lookups(plan, lookups),
            addresses: addresses
                .map(|address| self.address(ground, plan, address))
                .collect(),
            name,
        }
    }

    fn tlsa_lookups(&self, plan: &HostPlan, lookups: &[LookupSighting]) -> Vec<TlsaLookup> {
        let prefix = format!("_{}._tcp", plan.port);
        // The fully expanded name first, as the engine tries them (RFC 7672 §2.2.2).
        let bases = super::bases(self.questions, plan).into_iter().rev();
        bases
            .filter_map(|base| {
                let question = Question::new(base.prefixed(&prefix).ok()?, RecordType::Tlsa);
                Some(TlsaLookup {
                    lookup: index_of(lookups, &question)?,
                    asked_by_sender: self.questions.is_by_engine(&question),
                    base,
                })
            })
            .collect()
    }

    fn address(&self, ground: &Ground<'_>, plan: &HostPlan, address: IpAddr) -> AddressSighting {
        let mut verdicts = Vec::new();
        for (kind, plans) in KINDS.into_iter().zip(self.plans) {
            let own = plans.hosts.iter().find(|it| same(it, plan));
            let Some(own) = own.filter(|own| own.addresses.contains(&address)) else {
                continue;
            };
            match self.approach(ground, own, address) {
                Some(approach) => verdicts.push(verdict(kind, &approach)),
                // Nobody contacts a host that is to be skipped.
                None if matches!(own.obligation, Obligation::Skip(_)) => {}
                None => verdicts.push(unseen(kind)),
            }
        }
        AddressSighting {
            address,
            sessions: self.sessions(ground, plan, address),
            verdicts,
        }
    }

    /// The sessions at one address: the DANE sender's climb, then the looks. Those that only
    /// another sender needed are shown where the DANE sender held none.
    fn sessions(
        &self,
        ground: &Ground<'_>,
        plan: &HostPlan,
        address: IpAddr,
    ) -> Vec<SessionSighting> {
        let Some(lane) = self.lane(plan, address) else {
            return Vec::new();
        };
        let has_own = lane.held.iter().any(|held| held.sender == SenderKind::Dane);
        let shown = (lane.held.iter()).filter(|held| !has_own || held.sender == SenderKind::Dane);
        shown
            .filter_map(|held| {
                let plan = self.plan_of(held, plan)?;
                let sounding = &held.sounding;
                let assessor = ground.assessor;
                let assessed = assessor.assess(sounding, plan, address, ground.began)?;
                Some(sighting(held.offer, sounding, &assessed))
            })
            .collect()
    }

    /// The plan under which a session was held.
    fn plan_of(&self, held: &Held, plan: &HostPlan) -> Option<&HostPlan> {
        let kinds = KINDS.into_iter().zip(self.plans);
        let (_, plans) = kinds.into_iter().find(|(kind, _)| *kind == held.sender)?;
        plans.hosts.iter().find(|it| same(it, plan))
    }

    /// Overrides of the administrator that bear on the domain.
    fn overrides(&self, ground: &Ground<'_>) -> Vec<String> {
        let all = &self.settings.sender.destinations;
        let found = destination::find(all, self.domain, ground.began);
        let Some(current) = found.current else {
            return Vec::new();
        };
        let mut line = format!("[[destination]] {}", current.domain);
        if let Some(level) = current.level {
            line.push_str(&format!(": level {level} ({})", current.mode));
        }
        if let Some(relay) = &current.relay {
            line.push_str(&format!(", by way of {relay}"));
        }
        if let Some(reason) = &current.reason {
            line.push_str(&format!(" ({reason})"));
        }
        vec![line]
    }
}

fn verdict(kind: SenderKind, approach: &Approach) -> AddressVerdict {
    let last = approach.rungs.last();
    let (security, failure) = match &approach.ended {
        Ended::Met { security } => (Some(*security), None),
        Ended::Failed { reply, .. } => {
            let reason = last.and_then(|last| last.reason.clone());
            (None, Some(reason.unwrap_or_else(|| reply.to_string())))
        }
    };
    AddressVerdict {
        kind,
        inconclusive: last
            .filter(|_| security.is_none())
            .and_then(|last| last.inconclusive.as_ref())
            .map(ToString::to_string),
        security,
        failure,
    }
}

/// What is said of an address that the sender would contact, and where the check did not hold the
/// sessions to tell: a bound of ours, or a bundle without them. It is no fault of theirs.
fn unseen(kind: SenderKind) -> AddressVerdict {
    AddressVerdict {
        kind,
        security: None,
        failure: None,
        inconclusive: Some("the check did not hold the session that would tell".to_owned()),
    }
}

fn route(plans: &PlanSighting) -> RouteSighting {
    let hosts = plans.hosts.clone();
    match &plans.route {
        deliver::RouteSighting::Hosts => RouteSighting::Hosts(hosts),
        deliver::RouteSighting::Bounce(refusal) => RouteSighting::Bounce(refusal.clone(), hosts),
        deliver::RouteSighting::Defer(refusal) => RouteSighting::Defer(refusal.clone(), hosts),
        deliver::RouteSighting::TimedOut => RouteSighting::TimedOut,
    }
}

fn index_of(lookups: &[LookupSighting], question: &Question) -> Option<usize> {
    lookups.iter().position(|it| it.question == *question)
}
