//! `elsinore policyd`: the decisions of the sender for Postfix and others. The service itself is
//! `elsinore-policyd`; here its parts are put together from the configuration.

mod engine;
mod sockets;

use crate::cli::{Format, GlobalArguments};
use crate::config::Settings;
use crate::exit::Refusal;
use crate::network::{self, block_on};
use crate::output::{self, printable};
use anyhow::Result;
use clap::Args;
use elsinore_dane::name::DomainName;
use elsinore_policyd::advice::{Adviser as _, Renewal};
use elsinore_policyd::desk::Desk;
use elsinore_policyd::lookup_key::LookupKey;
use elsinore_policyd::mapping::Answer;
use elsinore_policyd::settings::Settings as Service;
use elsinore_policyd::{http, server};
use elsinore_relay::service::{self, Pulse, Signals, Stage, Wish};
use engine::Engine;
use sockets::Sockets;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How often the main loop shows that it turns.
const BEAT: Duration = Duration::from_secs(2);
/// After how long without that the watchdog is no longer fed.
const LONGEST_STILLNESS: Duration = Duration::from_secs(20);

/// What `elsinore policyd` takes.
#[derive(Debug, Args)]
pub(crate) struct PolicydArguments {
    /// Where to answer Postfix, repeatable: [policyd] listen. 127.0.0.1:8672
    /// unless given; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
    /// Unix socket where to answer Postfix: [policyd] socket.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Where to answer by HTTP: [policyd] http. 127.0.0.1:8673 unless given.
    #[arg(long, value_name = "ADDRESS:PORT")]
    http: Option<SocketAddr>,
    /// Listen on addresses that are not loopback: [policyd] public. Whoever comes
    /// can then make this machine look up domains.
    #[arg(long)]
    public: bool,
    /// Say what Postfix would be told about one destination, and why; serve nobody.
    #[arg(long, value_name = "DESTINATION", conflicts_with_all = ["listen", "socket", "http"])]
    query: Option<String>,
}

impl PolicydArguments {
    /// The settings of the service, flags applied.
    fn apply(&self, settings: &Settings) -> Result<Service> {
        let mut service = settings.policyd.service.clone();
        if !self.listen.is_empty() {
            service.listen.clone_from(&self.listen);
        }
        service.socket = self.socket.clone().or(service.socket);
        service.http = self.http.or(service.http);
        let addresses = service.listen.iter().chain(service.http.as_ref());
        let outside = addresses
            .into_iter()
            .find(|at| !at.ip().to_canonical().is_loopback());
        if let Some(at) = outside.filter(|_| !self.public && !settings.policyd.public) {
            return Err(Refusal::usage(format!(
                "policyd: {at} is not on loopback; say --public (or [policyd] public) if others shall ask"
            )));
        }
        Ok(service)
    }
}

/// Runs the command until it is told to stop.
pub(crate) fn run(arguments: &PolicydArguments, global: &GlobalArguments) -> Result<ExitCode> {
    let settings = Settings::resolve(global)?;
    match &arguments.query {
        Some(destination) => query(destination, &settings),
        None => block_on(serve(arguments, global, &settings)),
    }
}

/// Answers one question.
fn query(destination: &str, settings: &Settings) -> Result<ExitCode> {
    let LookupKey::Destination(next_hop) = LookupKey::parse(destination.as_bytes()) else {
        return Err(Refusal::usage(format!(
            "policyd: {:?} is not a destination",
            printable(destination)
        )));
    };
    let advice = block_on(async {
        let engine = Engine::start(settings)?;
        Ok(engine.adviser.advise(&next_hop, Renewal::Cached).await)
    })?;
    match settings.format {
        Format::Human => {
            let answer = &advice.mapped.answer;
            let mut text = format!("{}\n", printable(&answer.with_tlsrpt()));
            let (row, seconds) = (advice.mapped.row, advice.holds.as_secs());
            text.push_str(&format!("  row {}: {}\n", row.word(), row.when()));
            text.push_str(&format!("  {}\n  holds for {seconds} s\n", row.why()));
            output::print(&text)?;
        }
        Format::Json | Format::Jsonl => {
            let text = String::from_utf8_lossy(&advice.document);
            output::print(&format!("{text}\n"))?;
        }
    }
    Ok(match advice.mapped.answer {
        Answer::Policy { .. } | Answer::NotFound => ExitCode::SUCCESS,
        Answer::Temporary(_) => ExitCode::from(crate::exit::TEMPORARY),
    })
}

async fn serve(
    arguments: &PolicydArguments,
    global: &GlobalArguments,
    settings: &Settings,
) -> Result<ExitCode> {
    let mut service = arguments.apply(settings)?;
    service.cache.file = engine::answers_file(settings)?;
    service.cache.mark = engine::mark(settings)?;
    // An address in use is said before anybody is asked anything.
    let sockets = Sockets::open(&service, settings.policyd.socket_mode).await?;
    let engine = Engine::start(settings)?;
    let desk = Desk::open(
        Arc::new(engine.adviser.clone()),
        network::clock(),
        &service.cache,
        service.work,
    )
    .map_err(|error| Refusal::configuration(format!("policyd: answers {error}")))?;
    // Before anybody can know that the service is there.
    let mut signals = Signals::new()?;
    for place in &sockets.places {
        output::diagnose(&format!("policyd: listening on {place}"));
    }
    let (tell, running) = watch::channel(true);
    // The engine that answers now; SIGHUP puts another in its place.
    let engine = Arc::new(Mutex::new(engine));
    let health = Arc::clone(&engine);
    let readiness: http::Readiness = Arc::new(move || {
        health
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .health()
    });
    let mut tasks = tokio::task::JoinSet::new();
    let (call_by, hosts) = watch::channel(service.hosts.clone());
    if let Some(listener) = sockets.http {
        let office = http::Office {
            desk: desk.clone(),
            readiness,
            hosts,
        };
        let (running, limits) = (running.clone(), service.connections);
        tasks.spawn(http::serve(office, listener, limits, running));
    }
    let socketmap = server::serve(
        desk.clone(),
        sockets.socketmap,
        service.connections,
        running,
    );
    tasks.spawn(socketmap);
    let ahead = desk.clone();
    let ahead = tokio::spawn(async move { ahead.look_ahead().await });
    let pulse = Arc::new(Pulse::default());
    let heard = Arc::clone(&pulse);
    let watchdog = tokio::spawn(service::feed_watchdog(move || {
        heard.age() < LONGEST_STILLNESS
    }));
    let mut beats = tokio::time::interval(BEAT);
    service::tell(Stage::Ready, &sockets.places.join(", "));
    loop {
        tokio::select! {
            _ = beats.tick() => pulse.beat(),
            wish = signals.next() => match wish {
                Wish::Stop => break,
                Wish::Reload => {
                    service::tell(Stage::Reloading, "reading the configuration");
                    let said = match reload(global) {
                        Ok((new, mark, hosts)) => {
                            desk.ask_of(Arc::new(new.adviser.clone()), &mark);
                            call_by.send_replace(hosts);
                            *engine.lock().unwrap_or_else(PoisonError::into_inner) = new;
                            "the new configuration is in force".to_owned()
                        }
                        Err(error) => printable(&format!(
                            "the old configuration stays in force: {error:#}"
                        )),
                    };
                    output::diagnose(&format!("policyd: {said}"));
                    service::tell(Stage::Ready, &said);
                }
            },
        }
    }
    service::tell(Stage::Stopping, "stopping");
    output::diagnose("policyd: stopping");
    let _ = tell.send(false);
    while tasks.join_next().await.is_some() {}
    ahead.abort();
    watchdog.abort();
    Ok(ExitCode::SUCCESS)
}

/// The engine of the configuration as it is now, its mark, and the names of the HTTP server. Sockets
/// and bounds stay what they were.
fn reload(global: &GlobalArguments) -> Result<(Engine, String, Vec<DomainName>)> {
    let settings = Settings::resolve(global)?;
    let (engine, mark) = (Engine::start(&settings)?, engine::mark(&settings)?);
    Ok((engine, mark, settings.policyd.service.hosts))
}
