//! One way to check a domain, for every command that does: the network of the configuration, the
//! sender that it describes, and the judge.

use crate::config::Settings;
use crate::exit::Refusal;
use crate::network;
use anyhow::Result;
use elsinore_check::bundle::{Bundle, Claim, RecordingWorld, ReplayTrust, Setting, recompute};
use elsinore_check::judge::{JudgeOptions, judge};
use elsinore_check::measure::{MeasureSettings, Watch, measure};
use elsinore_check::report::Report;
use elsinore_check::world::World;
use elsinore_dane::name::DomainName;
use elsinore_net::resolver::Resolver;
use elsinore_net::resolver::tape::Recorder;
use std::sync::Arc;

/// Program and version, as reports name it.
pub(crate) const PROGRAM: &str = concat!("elsinore ", env!("CARGO_PKG_VERSION"));

/// Checks domains. Sessions of all checks that it makes keep to one set of bounds.
#[derive(Debug)]
pub(crate) struct Checker {
    world: Arc<dyn World>,
    resolver: Arc<Resolver>,
    settings: MeasureSettings,
}

impl Checker {
    /// A checker on the network that `settings` describe.
    ///
    /// # Errors
    /// A configuration error.
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let resolver = network::resolver(settings)?;
        let helo = network::helo(settings)?;
        let sender = network::sender_config(settings, &helo)?;
        let world = network::live_world(settings, &sender, &resolver)?;
        Ok(Self {
            world: Arc::new(world),
            resolver,
            settings: MeasureSettings::new(sender),
        })
    }

    /// A checker that keeps all that it sees, for one check: it knows nothing that it was not told
    /// by somebody who is on the record.
    ///
    /// # Errors
    /// A configuration error.
    pub(crate) fn recording(settings: &Settings) -> Result<(Self, Record)> {
        let recorder = Arc::new(Recorder::default());
        let (resolver, trust) = network::recording_resolver(settings, &recorder)?;
        let mut sender = network::sender_config(settings, &network::helo(settings)?)?;
        sender.state = None;
        let live: Arc<dyn World> = Arc::new(network::live_world(settings, &sender, &resolver)?);
        let world = Arc::new(RecordingWorld::new(live, recorder));
        let record = Record {
            world: Arc::clone(&world),
            setting: Setting::of(&sender, &trust),
        };
        let checker = Self {
            world,
            resolver,
            settings: MeasureSettings::new(sender),
        };
        Ok((checker, record))
    }

    /// The resolver in use.
    pub(crate) const fn resolver(&self) -> &Arc<Resolver> {
        &self.resolver
    }

    /// Measures and judges one domain; `earlier` helps to tell a stale record from one to come.
    pub(crate) async fn check(
        &self,
        domain: &DomainName,
        earlier: Option<&Report>,
        watch: &Watch,
    ) -> Report {
        let sighting = measure(&self.world, &self.settings, domain, watch).await;
        let options = JudgeOptions {
            earlier,
            ..JudgeOptions::new(PROGRAM)
        };
        judge(&sighting, &options)
    }
}

/// What a recording checker saw.
#[derive(Debug)]
pub(crate) struct Record {
    world: Arc<RecordingWorld>,
    setting: Setting,
}

impl Record {
    /// The bundle about a domain, as octets of a file; `report` is what came of it here.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub(crate) fn bundle(&self, domain: &DomainName, report: &Report) -> Result<Vec<u8>> {
        let claim = Claim {
            state: report.state,
            sentence: report.sentence.clone(),
        };
        let bundle = self.world.bundle(domain, self.setting.clone(), Some(claim));
        Ok(bundle.write()?)
    }
}

/// The report that follows from a bundle, by the rules and the trust of `settings`. Nobody is asked.
///
/// # Errors
/// A configuration error.
pub(crate) async fn recomputed(settings: &Settings, bundle: &Bundle) -> Result<Report> {
    let sender = network::sender_config(settings, &network::helo(settings)?)?;
    let trust = ReplayTrust(network::trust(settings)?);
    let options = JudgeOptions::new(PROGRAM);
    recompute(bundle, &MeasureSettings::new(sender), &trust, &options)
        .await
        .map_err(|error| Refusal::configuration(error.to_string()))
}
