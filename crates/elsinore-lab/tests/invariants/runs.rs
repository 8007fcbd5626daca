//! Runs: a domain, a mode, an attack, and what comes of it.

use crate::attacker::{Attack, Exchanges, Network};
use crate::drive::{Outcome, config, describe, drive, resolver, search};
use crate::judge::Truth;
use crate::net::MemoryNet;
use crate::worlds::CASES;
use elsinore_dane::discovery::Discovery;
use elsinore_net::resolver::{Mode, SecureResolver};
use std::sync::Arc;

/// The resolver and the engine that are put to the test.
pub(crate) struct Setting {
    pub(crate) network: Arc<Network>,
    pub(crate) resolver: Box<dyn Fn(MemoryNet) -> Box<dyn SecureResolver>>,
    pub(crate) search: Box<dyn Fn(&str) -> Discovery>,
}

/// One run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) domain: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) exchanges: Exchanges,
}

impl Setting {
    /// Those of the project, as they are.
    pub(crate) fn sound(mode: Mode) -> Self {
        Self {
            network: Network::new(mode),
            resolver: Box::new(move |net| Box::new(resolver(config(mode), net))),
            search: Box::new(search),
        }
    }

    /// One run, in a runtime of its own whose clock jumps over every wait.
    pub(crate) fn run(&self, domain: &'static str, attack: Attack) -> Run {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let (net, seen) = self.network.under(attack);
            let resolver = (self.resolver)(net);
            let outcome = drive((self.search)(domain), &*resolver).await;
            let exchanges = seen.lock().expect("no test panics while noting").clone();
            Run {
                domain,
                outcome,
                exchanges,
            }
        })
    }
}

/// The undisturbed runs of all domains, each checked against what is expected of it.
#[derive(Debug)]
pub(crate) struct Honest {
    pub(crate) truth: Truth,
    pub(crate) runs: Vec<Run>,
}

impl Honest {
    pub(crate) fn new(setting: &Setting) -> Self {
        let mut truth = Truth::default();
        let mut runs = Vec::new();
        let mut wrong = Vec::new();
        for case in CASES {
            let run = setting.run(case.domain, Attack::default());
            let found = describe(&run.outcome);
            if found == case.expected {
                truth.learn(&run.outcome);
            } else {
                wrong.push(format!("{}: {found}, not {}", case.domain, case.expected));
            }
            runs.push(run);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        Self { truth, runs }
    }
}
