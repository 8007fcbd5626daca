//! A world that remembers what it shows.

use super::{Bundle, Claim, Setting, VisitKey, Visited};
use crate::world::{Manners, Visit, World};
use elsinore_dane::mta_sts::StsFetch;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_net::deliver::Sounding;
use elsinore_net::doctor::triage::Blame;
use elsinore_net::resolver::Resolver;
use elsinore_net::resolver::tape::Recorder;
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Another world, whose sessions and policy fetches are kept, and whose resolver has a tape.
///
/// The resolver must be made for this one check, with an empty cache and with
/// [`Tape::Record`](elsinore_net::resolver::Tape): what an old cache answers is not on the tape.
/// For the same reason the sender must have no stored policies (`SenderConfig::state`).
#[derive(Debug)]
pub struct RecordingWorld {
    world: Arc<dyn World>,
    recorder: Arc<Recorder>,
    began: UnixTime,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    visits: Vec<Visited>,
    policies: Vec<(DomainName, StsFetch)>,
    blame: Option<Blame>,
}

impl RecordingWorld {
    /// Records what `world` shows; `recorder` is on the tape of its resolver.
    #[must_use]
    pub fn new(world: Arc<dyn World>, recorder: Arc<Recorder>) -> Self {
        Self {
            began: world.now(),
            world,
            recorder,
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere leaves a record that is at worst incomplete.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that was shown so far, as a bundle about `domain`.
    #[must_use]
    pub fn bundle(&self, domain: &DomainName, setting: Setting, claimed: Option<Claim>) -> Bundle {
        let kept = self.kept();
        Bundle {
            program: concat!("elsinore ", env!("CARGO_PKG_VERSION")).to_owned(),
            domain: domain.clone(),
            began: self.began,
            claimed,
            setting,
            dns: self.recorder.entries(),
            dns_left_out: self.recorder.left_out(),
            visits: kept.visits.clone(),
            policies: kept.policies.clone(),
            manners: self.world.manners(),
            blame: kept.blame.clone(),
        }
    }
}

impl World for RecordingWorld {
    /// The moment the recording began, throughout: a replay has one moment only.
    fn now(&self) -> UnixTime {
        self.began
    }

    fn resolver(&self) -> &Arc<Resolver> {
        self.world.resolver()
    }

    fn visit<'a>(&'a self, visit: &'a Visit<'a>) -> BoxFuture<'a, Vec<Sounding>> {
        Box::pin(async move {
            let soundings = self.world.visit(visit).await;
            self.kept().visits.push(Visited {
                key: VisitKey::of(visit),
                soundings: soundings.clone(),
            });
            soundings
        })
    }

    fn fetch_policy<'a>(&'a self, domain: &'a DomainName) -> BoxFuture<'a, StsFetch> {
        Box::pin(async move {
            let fetch = self.world.fetch_policy(domain).await;
            self.kept().policies.push((domain.clone(), fetch.clone()));
            fetch
        })
    }

    fn manners(&self) -> Manners {
        self.world.manners()
    }

    fn blame(&self) -> BoxFuture<'_, Blame> {
        Box::pin(async {
            let blame = self.world.blame().await;
            self.kept().blame = Some(blame.clone());
            blame
        })
    }
}
