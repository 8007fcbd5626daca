//! The upstream resolvers of mode *forward*. Data is validated here, so each of them has to pass
//! signatures on. One that strips them is left out for the others, and when there is no other the
//! lookup fails: nothing that it says could be shown to be insecure.

use super::core::{Core, Found, Trouble, Work};
use super::fetch::without;
use super::wire::{Message, Name, QueryBits, Question, rtype};
use elsinore_dane::security::Cause;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::{Duration, Instant};

/// Whether a resolver passes signatures on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fitness {
    Passes,
    Strips,
}

impl Fitness {
    /// For how long what was found out counts.
    const fn lasts(self) -> Duration {
        match self {
            Self::Passes => Duration::from_secs(3_600),
            Self::Strips => Duration::from_secs(300),
        }
    }
}

/// What is known of the upstream resolvers; as many as the configuration names.
#[derive(Debug, Default)]
pub(super) struct Upstreams(Mutex<HashMap<SocketAddr, (Fitness, Instant)>>);

impl Upstreams {
    fn known(&self) -> MutexGuard<'_, HashMap<SocketAddr, (Fitness, Instant)>> {
        // An insertion is the only change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fitness(&self, server: SocketAddr) -> Option<Fitness> {
        let (fitness, until) = *self.known().get(&server)?;
        (until > Instant::now()).then_some(fitness)
    }

    fn note(&self, server: SocketAddr, fitness: Fitness) {
        let until = Instant::now() + fitness.lasts();
        self.known().insert(server, (fitness, until));
    }
}

fn has_signature(message: &Message) -> bool {
    let mut records = message.answer.iter().chain(&message.authority);
    records.any(|record| record.rtype == rtype::RRSIG)
}

impl Core {
    /// Asks the configured upstream resolvers.
    pub(super) async fn ask_upstream(
        &self,
        question: &Question,
        bits: QueryBits,
        avoid: &[SocketAddr],
        work: &Work,
    ) -> Result<Found, Trouble> {
        let root = Name::root();
        let mut usable = without(&self.config.upstreams, avoid);
        if bits != QueryBits::Unchecked {
            return self
                .ask_resolvers(&root, &usable, question, bits, work)
                .await;
        }
        let strips = |server: &SocketAddr| self.upstreams.fitness(*server) == Some(Fitness::Strips);
        loop {
            let left_out = usable.iter().copied().find(&strips);
            usable.retain(|server| !strips(server));
            if let (true, Some(server)) = (usable.is_empty(), left_out) {
                let text = format!(
                    "{question}: the resolver {} strips the signatures (RRSIG) from its answers",
                    server.ip()
                );
                return Err(Trouble::new(text).because(Cause::ServerFailed));
            }
            let found = self
                .ask_resolvers(&root, &usable, question, bits, work)
                .await?;
            let server = found.server;
            if self.upstreams.fitness(server).is_none() {
                if has_signature(&found.message) {
                    self.upstreams.note(server, Fitness::Passes);
                } else {
                    self.probe(server, work).await;
                }
            }
            // Where nothing could be found out, validation has the last word.
            if !strips(&server) {
                return Ok(found);
            }
        }
    }

    /// Asks one resolver for keys that are certainly signed: those that the anchors are for.
    async fn probe(&self, server: SocketAddr, work: &Work) {
        let Some(zone) = self.config.anchors.uppermost().cloned() else {
            return;
        };
        let question = Question {
            name: zone.clone(),
            rtype: rtype::DNSKEY,
        };
        let root = Name::root();
        let probed = self
            .ask_resolvers(&root, &[server], &question, QueryBits::Unchecked, work)
            .await;
        let Ok(found) = probed else { return };
        let keys = Message::rrset(&found.message.answer, &zone, rtype::DNSKEY);
        if has_signature(&found.message) {
            self.upstreams.note(server, Fitness::Passes);
        } else if !keys.is_empty() {
            self.upstreams.note(server, Fitness::Strips);
        }
    }
}
