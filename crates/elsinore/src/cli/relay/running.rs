//! A relay from its start to its end: sockets, parts, signals.

use super::form;
use super::prepared::{Prepared, prepare};
use super::reports::{Basis, Counted, Reports, reporter};
use super::sockets::{Places, Sockets, VERSION, summary};
use crate::cli::GlobalArguments;
use crate::config::Settings;
use crate::config::start::waiting;
use crate::exit::Refusal;
use crate::output::printable;
use crate::{network, store};
use anyhow::{Context, Result};
use elsinore_net::deliver::{Sender, SenderConfig, StateFolder};
use elsinore_net::dialer::Dialer;
use elsinore_net::doctor::triage::Triage;
use elsinore_net::doctor::watch::{WatchSettings, Watched};
use elsinore_net::own_addresses::reachable_at;
use elsinore_net::resolver::SecureResolver;
use elsinore_queue::store::QueueStore;
use elsinore_relay::accept::{self, AcceptSettings};
use elsinore_relay::admin::Admin;
use elsinore_relay::admin::guard::Guard;
use elsinore_relay::admin::health::Health;
use elsinore_relay::clock::SystemClock;
use elsinore_relay::event::{Event, Journal, Journals, Severity};
use elsinore_relay::log::Log;
use elsinore_relay::metrics::Metrics;
use elsinore_relay::notice::NoticeSettings;
use elsinore_relay::policies::RecordedPolicies;
use elsinore_relay::relay::{OwnDns, Relay, RelayParts, RelayStatus, Rollover, Validates};
use elsinore_relay::schedule::{Courier, ScheduleSettings};
use elsinore_relay::service::{self, Inherited, Pulse, Signals, Stage, Wish};
use elsinore_tlsrpt::dispatch::Reporter;
use elsinore_tlsrpt::ledger::Ledger;
use elsinore_tlsrpt::score::Score;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long it holds what was found out about our own DNS.
const BLAME_HOLDS: Duration = Duration::from_secs(60);
/// How often it is looked whether the schedule makes progress.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A schedule that made no turn for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);
/// How long the parts may take to end beyond what they were told.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Runs a relay until a signal ends it.
///
/// # Errors
/// What kept it from starting, or made it end.
pub(super) async fn run(
    global: &GlobalArguments,
    settings: Settings,
    log: &Arc<Log>,
) -> Result<()> {
    // Before anybody can know that it runs: from here on a signal ends it in order.
    let mut signals = Signals::new().context("signals")?;
    let prepared = prepare(&settings).await?;
    let relay = Running::start(&settings, prepared, log).await?;
    let mut summary = relay.summary(&settings);
    log.say(Severity::Info, "relay", summary.clone());
    service::tell(Stage::Ready, &summary);
    let mut current = settings;
    let mut relay = relay;
    let failed = loop {
        tokio::select! {
            wish = signals.next() => match wish {
                Wish::Stop => break None,
                Wish::Reload => {
                    service::tell(Stage::Reloading, "reading the configuration");
                    // systemctl reload says nothing of a refusal.
                    match relay.reload(global, log).await {
                        Some(settings) => {
                            summary = relay.summary(&settings);
                            current = settings;
                            service::tell(Stage::Ready, &summary);
                        }
                        None => service::tell(
                            Stage::Ready,
                            &format!("{summary}; the new configuration was refused, see the log"),
                        ),
                    }
                }
            },
            ended = &mut relay.delivering => break Some(ended),
            ended = &mut relay.accepting => {
                break Some(ended.map(|()| Ok(())));
            }
        }
    };
    service::tell(Stage::Stopping, "finishing what was begun");
    log.say(Severity::Info, "relay", "stopping");
    let bound = current.relay.stop + LAST_WORDS;
    let stopped = relay.stop(bound, failed.is_some()).await;
    match failed {
        Some(Ok(Ok(()))) => Err(Refusal::unavailable("relay: a part of it ended by itself")),
        Some(Ok(Err(error))) => Err(store::by_kind(
            &error,
            printable(&format!("relay: store: {error}")),
        )),
        Some(Err(error)) => Err(anyhow::anyhow!("relay: a part of it broke off: {error}")),
        None => stopped,
    }
}

type Delivering = JoinHandle<Result<(), elsinore_queue::error::StoreError>>;

/// The parts of a relay that runs.
struct Running {
    /// The configuration it began with.
    began: Settings,
    store: Arc<dyn QueueStore>,
    sender: Arc<Sender>,
    places: Places,
    world: Network,
    delivering: Delivering,
    accepting: JoinHandle<()>,
    serving: JoinHandle<()>,
    journal: Arc<dyn Journal>,
    score: Arc<Score>,
    ledger: watch::Sender<Option<Arc<Ledger>>>,
    reports: Option<Reports>,
    basis: Basis,
    watching: JoinHandle<()>,
    stop_mail: watch::Sender<bool>,
    stop_admin: watch::Sender<bool>,
    accept: watch::Sender<Arc<AcceptSettings>>,
    schedule: watch::Sender<Arc<ScheduleSettings>>,
    notice: watch::Sender<Arc<NoticeSettings>>,
    courier: watch::Sender<Arc<dyn Courier>>,
    guard: watch::Sender<Guard>,
    owner_socket: Option<PathBuf>,
    /// Where it is administered by TCP.
    admin_places: Vec<SocketAddr>,
}

/// What a sender is made of beside its settings.
pub(super) struct Network {
    pub(super) resolver: Arc<dyn SecureResolver>,
    pub(super) dialer: Arc<dyn Dialer>,
    triage: Arc<Triage>,
    pub(super) store: Arc<dyn QueueStore>,
    /// Where is kept what was learnt under the resolver's trust, which stays as long as the resolver.
    state: Option<StateFolder>,
}

impl Network {
    /// A sender whose MTA-STS policies are kept with the mail, for all relays that share the store.
    fn sender(&self, mut config: SenderConfig, places: &Places) -> Arc<Sender> {
        config.state.clone_from(&self.state);
        let own = &mut config.policy.own_addresses;
        own.extend(reachable_at(&places.addresses()));
        let policies = RecordedPolicies::new(Arc::clone(&self.store), &config);
        let mut sender = Sender::new(
            config,
            Arc::clone(&self.resolver),
            Arc::clone(&self.dialer),
            network::clock(),
        );
        if let Some(policies) = policies {
            sender = sender.with_policy_store(Arc::new(policies));
        }
        Arc::new(sender.with_triage(Arc::clone(&self.triage)))
    }
}

impl Running {
    async fn start(settings: &Settings, prepared: Prepared, log: &Arc<Log>) -> Result<Self> {
        let inherited = Inherited::take()
            .map_err(|error| Refusal::configuration(format!("sockets handed in: {error}")))?;
        let store =
            store::open(settings, |found| log.say(Severity::Warning, "store", found)).await?;
        let mut sockets = Sockets::open(settings, inherited)?;
        let places = sockets.places(settings);

        let resolver = network::resolver(settings)?;
        let triage = network::triage_that_keeps(settings, &resolver, BLAME_HOLDS)?;
        let triage = Arc::new(triage);
        let secure: Arc<dyn SecureResolver> =
            Arc::<elsinore_net::resolver::Resolver>::clone(&resolver);
        let (watched, ends) = Watched::new(secure);
        let world = Network {
            resolver: Arc::new(watched),
            dialer: network::dialer(settings)?,
            triage: Arc::clone(&triage),
            store: Arc::clone(&store),
            state: prepared.sender.state.clone(),
        };
        let reporter = reporter(settings, &prepared.sender, &world)?;
        let sender = world.sender(prepared.sender, &places);

        let metrics = Arc::new(Metrics::new(VERSION));
        let own_log: Arc<dyn Journal> = Arc::<Log>::clone(log);
        let own_metrics: Arc<dyn Journal> = Arc::<Metrics>::clone(&metrics);
        let mut journals = vec![own_log, own_metrics];
        let (stop_mail, stopped) = watch::channel(false);
        let (stop_admin, admin_stopped) = watch::channel(false);
        let (ledger, ledgers) = watch::channel(None);
        journals.push(Arc::new(Counted(ledgers)));
        let journal: Arc<dyn Journal> = Arc::new(Journals(journals));

        let (accept, accept_settings) = watch::channel(prepared.accept);
        let (schedule, schedule_settings) = watch::channel(prepared.schedule);
        let (notice, notice_settings) = watch::channel(prepared.notice);
        let first: Arc<dyn Courier> = Arc::<Sender>::clone(&sender);
        let (courier, couriers) = watch::channel(first);
        let (guard, guards) = watch::channel(prepared.guard);

        let delivering = Relay::new(RelayParts {
            store: Arc::clone(&store),
            courier: couriers,
            clock: Arc::new(SystemClock),
            journal: Arc::clone(&journal),
            schedule: schedule_settings,
            notices: notice_settings,
            own_dns: Some(OwnDns {
                settings: WatchSettings::default(),
                triage,
                ends,
            }),
            rollover: network::anchor_store(settings).map(|anchors| Rollover { resolver, anchors }),
        });
        let status = delivering.status();
        let health = Arc::new(Health::new(
            Arc::clone(&store),
            &["listener", "resolver", "schedule"],
        ));
        let score = Arc::new(Score::default());
        let admin = Admin {
            store: Arc::clone(&store),
            health: Arc::clone(&health),
            metrics,
            log: Arc::clone(log),
            status: Arc::clone(&status),
            courier: courier.subscribe(),
            score: Arc::clone(&score),
            orders: delivering.orders(),
            guard: guards,
            counted: Arc::default(),
        };
        let admin_places = sockets.admin.tcp.iter();
        let admin_places = admin_places
            .filter_map(|door| door.local_addr().ok())
            .collect();
        let serving = tokio::spawn(sockets.admin.serve(admin.router(), admin_stopped));
        let delivering = tokio::spawn(delivering.run(stopped.clone()));
        let accepting = {
            let serve = accept::serve(
                accept_settings,
                sockets.mail,
                Arc::clone(&store),
                Arc::clone(&journal),
                until(stopped),
            );
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                if let Err(error) = serve.await {
                    journal.note(&Event::Notice {
                        severity: Severity::Error,
                        part: "listener",
                        text: error.to_string(),
                    });
                }
            })
        };
        health.set("listener", Ok(()));
        let watching = tokio::spawn(watch_over(status, health, Arc::clone(&store)));
        let mut relay = Self {
            began: settings.clone(),
            places,
            basis: Basis::of(settings),
            journal,
            score,
            ledger,
            reports: None,
            store,
            sender,
            world,
            delivering,
            accepting,
            serving,
            watching,
            stop_mail,
            stop_admin,
            accept,
            schedule,
            notice,
            courier,
            guard,
            owner_socket: settings.relay.admin.socket.clone(),
            admin_places,
        };
        relay.start_reports(settings, reporter);
        Ok(relay)
    }

    /// Counts and sends from now on with `reporter`, or not at all.
    fn start_reports(&mut self, settings: &Settings, reporter: Option<Reporter>) {
        let hosts = settings.relay.tlsrpt.host_reports;
        let started = reporter.map(|reporter| {
            let ledger = Ledger::new(Arc::clone(&self.store), hosts);
            let ledger = Arc::new(ledger.scoring(Arc::clone(&self.score)));
            let reporter = reporter.scoring(Arc::clone(&self.score));
            let reports = Reports::start(reporter, Arc::clone(&ledger), &self.journal);
            (ledger, reports)
        });
        let (ledger, reports) = started.unzip();
        self.ledger.send_replace(ledger);
        if let Some(before) = std::mem::replace(&mut self.reports, reports) {
            tokio::spawn(before.end(LAST_WORDS));
        }
    }

    /// What it is and where it listens, under `settings`.
    fn summary(&self, settings: &Settings) -> String {
        summary(&self.places.addresses(), settings, &self.admin_places)
    }

    /// Takes the new configuration, if all of it is good; `None` when the old one holds.
    async fn reload(&mut self, global: &GlobalArguments, log: &Arc<Log>) -> Option<Settings> {
        match self.take(global, log).await {
            Ok((settings, changed)) => {
                log.say(Severity::Info, "configuration", changed);
                Some(settings)
            }
            Err(error) => {
                let text = format!("not taken, the old one goes on: {error:#}");
                log.say(Severity::Error, "configuration", text);
                None
            }
        }
    }

    /// Reads the configuration and takes it; what is to be said of it.
    async fn take(
        &mut self,
        global: &GlobalArguments,
        log: &Arc<Log>,
    ) -> Result<(Settings, String)> {
        let settings = Settings::resolve(global)?;
        let prepared = prepare(&settings).await?;
        let basis = Basis::of(&settings);
        let reporter = match basis == self.basis {
            true => None,
            false => Some(reporter(&settings, &prepared.sender, &self.world)?),
        };
        // The last that can fail.
        let change = self.places.change(&settings)?;
        if let Some(reporter) = reporter {
            self.start_reports(&settings, reporter);
            self.basis = basis;
        }
        self.places.take(change).await;
        log.set_form(form(settings.relay.log));
        let sender = self.world.sender(prepared.sender, &self.places);
        let old = std::mem::replace(&mut self.sender, sender);
        let courier: Arc<dyn Courier> = Arc::<Sender>::clone(&self.sender);
        self.courier.send_replace(courier);
        tokio::spawn(async move { old.leave_connections().await });
        self.accept.send_replace(prepared.accept);
        self.schedule.send_replace(prepared.schedule);
        self.notice.send_replace(prepared.notice);
        self.guard.send_replace(prepared.guard);
        let waiting = waiting(&self.began, &settings);
        let mut said = "taken".to_owned();
        if !waiting.is_empty() {
            said.push_str(&format!("; from the next start on: {}", waiting.join(", ")));
        }
        let listen = |settings: &Settings| settings.relay.accept.listen.clone();
        if self.places.are_handed_in() && listen(&settings) != listen(&self.began) {
            said.push_str("; relay.listen says nothing here: systemd has bound the sockets");
        }
        Ok((settings, said))
    }

    /// Lets everything come to its end, within `bound`.
    async fn stop(self, bound: Duration, is_broken: bool) -> Result<()> {
        self.stop_mail.send_replace(true);
        if let Some(reports) = &self.reports {
            reports.stop_sending();
        }
        let mail = async {
            if !is_broken {
                let _ = self.accepting.await;
                let _ = self.delivering.await;
            }
        };
        let in_time = tokio::time::timeout(bound, mail).await.is_ok();
        let _ = tokio::time::timeout(LAST_WORDS, self.sender.leave_connections()).await;
        self.watching.abort();
        self.stop_admin.send_replace(true);
        if let Some(reports) = self.reports {
            reports.end(LAST_WORDS).await;
        }
        let _ = tokio::time::timeout(LAST_WORDS, self.serving).await;
        if let Some(socket) = &self.owner_socket {
            // Left behind it is in nobody's way: the next start finds out that it is stale.
            let _ = std::fs::remove_file(socket);
        }
        let closed = tokio::time::timeout(LAST_WORDS, self.store.close()).await;
        match closed {
            Ok(Ok(())) if in_time => Ok(()),
            Ok(Ok(())) => Err(Refusal::temporary(
                "relay: stopped before everything had ended; what was under way is tried again",
            )),
            Ok(Err(error)) => Err(store::by_kind(
                &error,
                printable(&format!("relay: store: {error}")),
            )),
            Err(_) => Err(Refusal::storage("relay: the store did not close in time")),
        }
    }
}

/// Resolves when `stop` says so, or nobody can say it any more.
pub(super) async fn until(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Looks whether the schedule makes progress and our own DNS works, and feeds the watchdog while both
/// store and schedule are alive.
async fn watch_over(status: Arc<RelayStatus>, health: Arc<Health>, store: Arc<dyn QueueStore>) {
    let pulse = Pulse::default();
    let look = async {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        let mut seen = status.beats();
        loop {
            let beats = status.beats();
            if beats != seen {
                seen = beats;
                pulse.beat();
            }
            health.set(
                "schedule",
                match pulse.age() {
                    age if age < STUCK_AFTER => Ok(()),
                    age => Err(format!("no turn for {} seconds", age.as_secs())),
                },
            );
            health.set(
                "resolver",
                match status.resolver_validates() {
                    Validates::Yes => Ok(()),
                    Validates::Unknown => Err("not known yet".to_owned()),
                    Validates::No(trouble) => Err(trouble.to_string()),
                },
            );
            ticks.tick().await;
        }
    };
    let lives = || store.health().is_ok() && pulse.age() < STUCK_AFTER;
    tokio::join!(look, service::feed_watchdog(lives));
}
