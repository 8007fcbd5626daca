//! Counting sessions for reports about TLS, and sending these, beside everything else.

use super::running::{Network, until};
use crate::config::Settings;
use crate::exit::Refusal;
use crate::network;
use anyhow::Result;
use elsinore_net::deliver::SenderConfig;
use elsinore_queue::store::QueueStore;
use elsinore_relay::event::{Event, Journal, Severity};
use elsinore_relay::log::Log;
use elsinore_tlsrpt::dispatch::{News, Reporter, World};
use elsinore_tlsrpt::ledger::Ledger;
use std::sync::Arc;
use tokio::sync::watch;

/// Counts sessions for reports about TLS.
#[derive(Debug)]
pub(super) struct Counted(pub(super) Arc<Ledger>);

impl Journal for Counted {
    fn note(&self, event: &Event) {
        if let Event::Tried {
            message, report, ..
        } = event
            && message.envelope.origin != elsinore_tlsrpt::ORIGIN
        {
            self.0.note(report);
        }
    }
}

pub(super) async fn count(ledger: Arc<Ledger>, log: Arc<Log>, stop: watch::Receiver<bool>) {
    let tell = |text: String| log.say(Severity::Warning, "tlsrpt", text);
    ledger.run(until(stop), tell).await;
}

pub(super) fn reporter(
    settings: &Settings,
    sender: &SenderConfig,
    store: &Arc<dyn QueueStore>,
    world: &Network,
) -> Result<Option<Reporter>> {
    if !settings.relay.tlsrpt.enabled {
        return Ok(None);
    }
    let world = World {
        resolver: Arc::clone(&world.resolver),
        dialer: Arc::clone(&world.dialer),
        clock: network::clock(),
        roots: sender.roots.clone(),
        networks: sender.policy.networks.clone(),
    };
    Reporter::new(settings.relay.tlsrpt.clone(), Arc::clone(store), world)
        .map(Some)
        .map_err(|error| Refusal::configuration(format!("[relay.tlsrpt] {error}")))
}

pub(super) async fn report(reporter: Reporter, log: Arc<Log>, stop: watch::Receiver<bool>) {
    let tell = |news: News| {
        let severity = if news.is_warning() {
            Severity::Warning
        } else {
            Severity::Info
        };
        log.say(severity, "tlsrpt", news.to_string());
    };
    reporter.run(until(stop), &tell).await;
}
