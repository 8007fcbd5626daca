//! `elsinore web`: the report of `check` as a page. The page itself is `elsinore-web`; here its
//! parts are put together from the configuration.

use crate::checker::PROGRAM;
use crate::config::Settings;
use crate::exit::Refusal;
use crate::network::{self, block_on};
use crate::output::{self, printable};
use anyhow::{Context, Result};
use clap::Args;
use elsinore_check::measure::MeasureSettings;
use elsinore_check::world::World;
use elsinore_net::resolver::Resolver;
use elsinore_net::resolver::rollover::{self, Refreshed};
use elsinore_web::Site;
use elsinore_web::live::LiveChecker;
use elsinore_web::store::Store;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How often it is looked whether the root's keys are due for a look (RFC 5011 §2.3).
const ROLLOVER_LOOK: Duration = Duration::from_secs(3600);
/// How long it holds what was found out about our own DNS.
const BLAME_HOLDS: Duration = Duration::from_secs(60);

/// What `elsinore web` takes.
#[derive(Debug, Args)]
pub(crate) struct WebArguments {
    /// Where to listen: [web] listen. 127.0.0.1:8025 unless given; port 0 takes a
    /// free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Listen on an address that is not loopback: [web] public. Whoever comes can
    /// then make this machine open sessions with mail servers, within the limits of
    /// [web].
    #[arg(long)]
    public: bool,
}

/// Runs the command until it is told to stop.
pub(crate) fn run(arguments: &WebArguments, settings: &Settings) -> Result<ExitCode> {
    let mut page = settings.web.page.clone();
    page.listen = arguments.listen.unwrap_or(page.listen);
    let at = page.listen;
    if !at.ip().to_canonical().is_loopback() && !arguments.public && !settings.web.public {
        return Err(Refusal::usage(format!(
            "web: {at} is not on loopback; say --public (or [web] public) if others shall use the page"
        )));
    }
    let file = reports(settings)?;
    let store = Store::open(&file, page.store)
        .map_err(|error| Refusal::configuration(format!("reports {}: {error}", file.display())))?;
    block_on(async {
        let resolver = network::resolver(settings)?;
        let mut sender = network::sender_config(settings, &network::helo(settings)?)?;
        // Whoever types a domain here must not fill the folder from which `send` takes policies.
        sender.state = None;
        let triage = network::triage_that_keeps(settings, &resolver, BLAME_HOLDS)?;
        let world = network::live_world(settings, &sender, &resolver)?;
        let world: Arc<dyn World> = Arc::new(world.with_triage(Arc::new(triage)));
        let visits = settings.web.visits_per_address_hour;
        let measure = MeasureSettings::new(sender);
        let checker = Arc::new(LiveChecker::new(world, measure, PROGRAM, visits));
        // Before anybody can know that the page is there.
        let (mut interrupt, mut terminate) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        );
        let listener = TcpListener::bind(at)
            .await
            .with_context(|| format!("web: cannot listen on {at}"))?;
        let address = listener.local_addr()?;
        page.listen = address;
        output::diagnose(&format!("web: listening on http://{address}/"));
        let site = Site::new(page, checker, store, network::clock());
        let follow = tokio::spawn(follow_rollovers(settings.clone(), resolver));
        let stop = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            output::diagnose("web: stopping");
        };
        elsinore_web::serve(site, listener, stop).await?;
        follow.abort();
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The file of reports, in a folder that exists. Reports measured under other trust anchors have a
/// file of their own, so that what a lab shows is never taken for the Internet.
fn reports(settings: &Settings) -> Result<PathBuf> {
    let folder = settings.state_dir.clone().ok_or_else(|| {
        Refusal::configuration("web: no folder for the reports; name one with state_dir")
    })?;
    std::fs::create_dir_all(&folder).with_context(|| format!("state_dir {}", folder.display()))?;
    let usual = settings.dns.trust_anchor.is_none() && settings.dns.upstream.is_empty();
    let trust = network::state(settings)?.filter(|_| !usual);
    let name = trust.map_or_else(
        || "reports.sqlite".to_owned(),
        |state| {
            let digits: String = state
                .trust
                .iter()
                .take(8)
                .map(|octet| format!("{octet:02x}"))
                .collect();
            format!("reports-{digits}.sqlite")
        },
    );
    Ok(folder.join(name))
}

/// Looks at the root's keys when it is time to. Keys that were found are used from the next start on.
async fn follow_rollovers(settings: Settings, resolver: Arc<Resolver>) {
    let Some(store) = network::anchor_store(&settings) else {
        return;
    };
    loop {
        match rollover::refresh(&resolver, &store).await {
            Ok(Refreshed::Done(changes)) => {
                for change in changes {
                    output::diagnose(&format!("{change}; restart elsinore web to use it"));
                }
            }
            // That DNS is out of order shows in the checks themselves.
            Ok(Refreshed::NotDue | Refreshed::Busy) | Err(rollover::RefreshError::Lookup(_)) => {}
            Err(error) => output::diagnose(&printable(&format!("root anchors: {error}"))),
        }
        tokio::time::sleep(ROLLOVER_LOOK).await;
    }
}
