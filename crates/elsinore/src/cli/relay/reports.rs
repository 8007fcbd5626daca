//! Counting sessions for reports about TLS, and sending these, beside everything else.

use super::running::{Network, until};
use crate::config::Settings;
use crate::exit::Refusal;
use crate::network;
use anyhow::Result;
use elsinore_net::deliver::SenderConfig;
use elsinore_relay::event::{Event, Journal, Severity};
use elsinore_tlsrpt::dispatch::{News, Reporter, World};
use elsinore_tlsrpt::ledger::Ledger;
use openssl::sha::sha256;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Counts sessions for reports about TLS, while there is a ledger.
#[derive(Debug)]
pub(super) struct Counted(pub(super) watch::Receiver<Option<Arc<Ledger>>>);

impl Journal for Counted {
    fn note(&self, event: &Event) {
        if let Event::Tried {
            message, report, ..
        } = event
            && message.envelope.origin != elsinore_tlsrpt::ORIGIN
            && let Some(ledger) = &*self.0.borrow()
        {
            ledger.note(report);
        }
    }
}

/// Everything that reports depend on in the configuration: while it is the same they go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Basis(String, Option<[u8; 32]>);

impl Basis {
    /// What `settings` say, the key's file included.
    pub(super) fn of(settings: &Settings) -> Self {
        let reports = &settings.relay.tlsrpt;
        // A file that cannot be read is told of by whoever reads it for its content.
        let key = (reports.dkim.as_ref()).and_then(|dkim| std::fs::read(&dkim.key_file).ok());
        Self(
            format!(
                "{reports:?} {:?} {:?}",
                settings.tls.ca_file, settings.smtp.networks
            ),
            key.map(|key| sha256(&key)),
        )
    }
}

/// What counts and what sends, at work.
#[derive(Debug)]
pub(super) struct Reports {
    stop_sending: watch::Sender<bool>,
    stop_counting: watch::Sender<bool>,
    sending: JoinHandle<()>,
    counting: JoinHandle<()>,
}

impl Reports {
    /// Begins to count and to send.
    pub(super) fn start(
        reporter: Reporter,
        ledger: Arc<Ledger>,
        journal: &Arc<dyn Journal>,
    ) -> Self {
        let (stop_sending, sending_stopped) = watch::channel(false);
        let (stop_counting, counting_stopped) = watch::channel(false);
        Self {
            sending: tokio::spawn(report(reporter, Arc::clone(journal), sending_stopped)),
            counting: tokio::spawn(count(ledger, Arc::clone(journal), counting_stopped)),
            stop_sending,
            stop_counting,
        }
    }

    /// Sends no more.
    pub(super) fn stop_sending(&self) {
        self.stop_sending.send_replace(true);
    }

    /// Writes what was counted, and ends; each of the two within `bound`.
    pub(super) async fn end(self, bound: Duration) {
        self.stop_sending();
        self.stop_counting.send_replace(true);
        let _ = tokio::time::timeout(bound, self.counting).await;
        let _ = tokio::time::timeout(bound, self.sending).await;
    }
}

async fn count(ledger: Arc<Ledger>, journal: Arc<dyn Journal>, stop: watch::Receiver<bool>) {
    let tell = |text: String| journal.note(&notice(Severity::Warning, text));
    ledger.run(until(stop), tell).await;
}

/// What sends reports, where they are wanted.
///
/// # Errors
/// A configuration error of one line.
pub(super) fn reporter(
    settings: &Settings,
    sender: &SenderConfig,
    world: &Network,
) -> Result<Option<Reporter>> {
    if !settings.relay.tlsrpt.enabled {
        return Ok(None);
    }
    let store = Arc::clone(&world.store);
    let world = World {
        resolver: Arc::clone(&world.resolver),
        dialer: Arc::clone(&world.dialer),
        clock: network::clock(),
        roots: sender.roots.clone(),
        networks: sender.policy.networks.clone(),
    };
    Reporter::new(settings.relay.tlsrpt.clone(), store, world)
        .map(Some)
        .map_err(|error| Refusal::configuration(format!("[relay.tlsrpt] {error}")))
}

async fn report(reporter: Reporter, journal: Arc<dyn Journal>, stop: watch::Receiver<bool>) {
    let tell = |news: News| {
        let severity = if news.is_warning() {
            Severity::Warning
        } else {
            Severity::Info
        };
        journal.note(&notice(severity, news.to_string()));
    };
    reporter.run(until(stop), &tell).await;
}

const fn notice(severity: Severity, text: String) -> Event {
    Event::Notice {
        severity,
        part: "tlsrpt",
        text,
    }
}
