//! What answers: the sender's engine under one configuration, with what watches over its DNS.

use crate::config::Settings;
use crate::network;
use crate::output::{self, printable};
use anyhow::{Context, Result};
use elsinore_dane::next_hop::NextHop;
use elsinore_net::doctor::watch::{self, Health, WatchSettings, Watched};
use elsinore_net::resolver::Resolver;
use elsinore_net::resolver::rollover::{self, AnchorStore, RefreshError, Refreshed};
use elsinore_policyd::advice::{Advice, Adviser, LiveAdviser, Renewal};
use futures_util::future::BoxFuture;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long it holds what was found out about our own DNS.
const BLAME_HOLDS: Duration = Duration::from_secs(30);

/// An engine that runs. What watches over it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Engine {
    /// Answers.
    pub(super) adviser: SharedAdviser,
    known: Arc<Mutex<Health>>,
    tasks: Vec<JoinHandle<()>>,
}

/// The adviser, shared with the desk.
#[derive(Debug, Clone)]
pub(super) struct SharedAdviser(Arc<LiveAdviser>);

impl Adviser for SharedAdviser {
    fn advise<'a>(&'a self, next_hop: &'a NextHop, renewal: Renewal) -> BoxFuture<'a, Advice> {
        self.0.advise(next_hop, renewal)
    }
}

impl Engine {
    /// Starts the engine of `settings`, within the runtime.
    ///
    /// # Errors
    /// A configuration error.
    pub(super) fn start(settings: &Settings) -> Result<Self> {
        let resolver = network::resolver(settings)?;
        let sender = network::sender_config(settings, &network::helo(settings)?)?;
        let triage = network::triage_that_keeps(settings, &resolver, BLAME_HOLDS)?;
        let shared: Arc<Resolver> = Arc::clone(&resolver);
        let (watched, ends) = Watched::new(shared);
        let dialer = network::dialer(settings)?;
        let adviser = LiveAdviser::new(sender, Arc::new(watched), &dialer, network::clock());
        let known = Arc::new(Mutex::new(Health::Unknown));
        let heard = Arc::clone(&known);
        let watch = tokio::spawn(async move {
            let settings = WatchSettings::default();
            watch::run(settings, &triage, ends, |health, announcement| {
                if let Some(announcement) = announcement {
                    output::diagnose(&printable(&format!("policyd: {announcement}")));
                }
                *heard.lock().unwrap_or_else(PoisonError::into_inner) = health.clone();
            })
            .await;
        });
        let mut tasks = vec![watch];
        if let Some(store) = network::anchor_store(settings) {
            tasks.push(tokio::spawn(follow_rollovers(resolver, store)));
        }
        Ok(Self {
            adviser: SharedAdviser(Arc::new(adviser)),
            known,
            tasks,
        })
    }

    /// Whether our own DNS works, or how it does not.
    pub(super) fn health(&self) -> Result<(), String> {
        match &*self.known.lock().unwrap_or_else(PoisonError::into_inner) {
            Health::Well => Ok(()),
            Health::Unknown => Err("our own DNS has not been looked at yet".to_owned()),
            Health::Ill(trouble) => Err(format!("our own DNS is broken: {trouble}")),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Follows rollovers of the root's keys (RFC 5011) for as long as the service runs.
async fn follow_rollovers(resolver: Arc<Resolver>, store: Arc<AnchorStore>) {
    rollover::keep_current(&resolver, &store, |outcome| match outcome {
        Ok(Refreshed::Done(changes)) => {
            for change in changes {
                output::diagnose(&format!("policyd: {change}"));
            }
        }
        // That DNS is out of order is what the watch tells.
        Ok(Refreshed::NotDue | Refreshed::Busy) | Err(RefreshError::Lookup(_)) => {}
        Err(error) => output::diagnose(&printable(&format!("policyd: root anchors: {error}"))),
    })
    .await;
}

/// The file that keeps answers across restarts, one for each set of trust; none without a folder.
///
/// # Errors
/// A configuration error, or when the folder cannot be made.
pub(super) fn answers_file(settings: &Settings) -> Result<Option<PathBuf>> {
    let Some(state) = network::state(settings)? else {
        return Ok(None);
    };
    std::fs::create_dir_all(&state.path)
        .with_context(|| format!("state_dir {}", state.path.display()))?;
    let trust = hexadecimal(&state.trust[..8]);
    Ok(Some(state.path.join(format!("policyd-{trust}.sqlite"))))
}

/// Everything beside DNS that an answer depends on, digested: answers kept under other settings, or
/// by another version of this program, are not given.
///
/// # Errors
/// A configuration error.
pub(super) fn mark(settings: &Settings) -> Result<String> {
    let sender = network::sender_config(settings, &network::helo(settings)?)?;
    let trust = network::state(settings)?.map(|state| state.trust);
    let text = format!(
        "{} {trust:?} {:?} {:?} {:?} {:?}",
        env!("CARGO_PKG_VERSION"),
        settings.dns,
        sender.policy,
        sender.destinations,
        sender.roots.fingerprint(),
    );
    Ok(hexadecimal(&openssl::sha::sha256(text.as_bytes())))
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
