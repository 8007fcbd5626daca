//! From one look and what is remembered to the next step.

use super::refusals::{
    against_deploying, against_having_verified, against_publishing, against_retiring, live,
};
use super::wanted::{Wanted, answering, published};
use super::{Dnssec, EndpointView, Goal, Memory, Observation, Step, Unsafe, accepts};
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;

/// Where a rollover stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Records are missing.
    Publish,
    /// All are there; caches may hold the time before until then.
    Wait(UnixTime),
    /// The next keys may be used now.
    Deploy,
    /// Some addresses present them, some do not.
    Deploying,
    /// All present them; records of the keys before are left.
    Retire,
    /// Nothing is left to do.
    Done,
}

impl Stage {
    /// The word for JSON.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Wait(_) => "wait",
            Self::Deploy => "deploy",
            Self::Deploying => "deploying",
            Self::Retire => "retire",
            Self::Done => "done",
        }
    }
}

/// What may be done.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// Where the rollover stands.
    pub stage: Stage,
    /// Records to be added that some server lacks.
    pub add: Vec<TlsaRecord>,
    /// Records to be removed in the end: they match no key that is in use then.
    pub remove: Vec<TlsaRecord>,
    /// The longest TTL seen, in seconds; `None` when nothing is published.
    pub ttl: Option<u32>,
    /// Since when every server has been seen with every record.
    pub complete_since: Option<UnixTime>,
    /// When the wait ends or ended, if it has begun.
    pub wait_until: Option<UnixTime>,
    refusals: [Vec<Unsafe>; 4],
    /// What should be known besides.
    pub notes: Vec<String>,
}

impl Assessment {
    /// What makes `step` unsafe now; nothing when it may be taken.
    #[must_use]
    pub fn against(&self, step: Step) -> &[Unsafe] {
        let [publish, deploy, verify, retire] = &self.refusals;
        match step {
            Step::Publish => publish,
            Step::Deploy => deploy,
            Step::Verify => verify,
            Step::Retire => retire,
        }
    }
}

/// Says where the rollover stands and what may be done. `memory` has to know of this look already
/// ([`super::remember`]).
#[must_use]
pub fn assess(goal: &Goal, look: &Observation, memory: &Memory) -> Assessment {
    let wanted = Wanted::new(goal, look);
    let add: Vec<TlsaRecord> = wanted
        .records
        .iter()
        .filter(|record| answering(look).any(|records| !records.contains(record)))
        .cloned()
        .collect();
    let remove = to_remove(goal, look, memory, &wanted);
    let publish = against_publishing(look, &wanted);
    let deploy = against_deploying(goal, look, memory, &wanted);
    let verify = against_having_verified(goal, look);
    let retire = {
        let mut refusals = verify.clone();
        // Before that, keys that are still to be replaced would be named once more.
        if refusals.is_empty() {
            refusals.extend(against_retiring(goal, look, &remove));
        }
        refusals
    };
    let is_published = add.is_empty()
        && wanted.fault.is_none()
        && answering(look).next().is_some()
        && answering(look).all(|records| !records.is_empty());
    let in_use = look
        .endpoints
        .iter()
        .filter_map(EndpointView::chain)
        .any(|chain| goal.is_next(look, chain));
    let wait = memory.wait_until().filter(|until| look.began < *until);
    let stage = match (is_published, verify.is_empty(), wait) {
        (true, true, _) if remove.is_empty() => Stage::Done,
        (true, true, _) => Stage::Retire,
        (false, _, _) => Stage::Publish,
        (true, false, _) if in_use => Stage::Deploying,
        (true, false, Some(until)) => Stage::Wait(until),
        (true, false, None) => Stage::Deploy,
    };
    let mut notes = notes(goal, look, &wanted, &remove);
    let is_waited_for = matches!(stage, Stage::Wait(_) | Stage::Deploy);
    if is_waited_for && memory.complete_since.is_some() && !memory.saw_before {
        notes.push(
            "the records from before were not seen, so the wait takes the TTL of today; if it was \
             lowered when the new record was added, wait twice the old one"
                .to_owned(),
        );
    }
    Assessment {
        stage,
        add,
        remove,
        ttl: (memory.longest_ttl > 0).then_some(memory.longest_ttl),
        complete_since: memory.complete_since,
        wait_until: memory.wait_until(),
        refusals: [publish, deploy, verify, retire],
        notes,
    }
}

/// Records that nothing needs once the rollover is done: those of replaced keys, seen now or before.
/// Records that never matched anything are left: they may be those of a key in reserve.
fn to_remove(
    goal: &Goal,
    look: &Observation,
    memory: &Memory,
    wanted: &Wanted<'_>,
) -> Vec<TlsaRecord> {
    let needed = |record: &TlsaRecord| {
        let alone = std::slice::from_ref(record);
        let live = look.endpoints.iter().filter_map(EndpointView::chain);
        let live =
            live.filter(|chain| !wanted.replaced.iter().any(|old| old.leaf() == chain.leaf()));
        live.chain(goal.next.iter())
            .any(|key| accepts(&goal.host, alone, key.chain(), look.ended))
    };
    published(look)
        .into_iter()
        .filter(|record| memory.replaced.contains(record) && !needed(record))
        .collect()
}

fn notes(
    goal: &Goal,
    look: &Observation,
    wanted: &Wanted<'_>,
    remove: &[TlsaRecord],
) -> Vec<String> {
    let mut notes = Vec::new();
    if let Dnssec::Insecure(reason) = &look.dnssec {
        notes.push(format!(
            "no sender uses these records, because DNSSEC does not protect them: {reason}"
        ));
    }
    for (endpoint, chain) in live(look) {
        let silent = |records: &[TlsaRecord]| {
            records.is_empty() || accepts(&goal.host, records, chain.chain(), look.ended)
        };
        for server in look
            .servers
            .iter()
            .filter(|server| !silent(server.records()))
        {
            notes.push(format!(
                "mail is refused now: {} presents a {} that no record of {} matches",
                endpoint.address,
                chain.key(),
                server.server
            ));
        }
    }
    let known = |record: &TlsaRecord| {
        let alone = std::slice::from_ref(record);
        let live = live(look).map(|(_, chain)| chain);
        wanted.records.contains(record)
            || remove.contains(record)
            || live
                .chain(goal.next.iter())
                .any(|key| accepts(&goal.host, alone, key.chain(), look.ended))
    };
    for record in published(look).iter().filter(|record| !known(record)) {
        match record.usability() {
            Ok(_) => notes.push(format!(
                "{record} matches no key that is presented: one in reserve, or one that was \
                 forgotten; it is left as it is (--current FILE says that it can go)"
            )),
            Err(reason) => notes.push(format!("{record} is ignored by senders: {reason}")),
        }
    }
    for next in &goal.next {
        let weak = next.key().is_weak();
        if weak {
            notes.push(format!(
                "the {} from {} is too short for today",
                next.key(),
                next.origin()
            ));
        }
    }
    notes
}
