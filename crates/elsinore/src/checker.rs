//! One way to check a domain, for every command that does: the network of the configuration, the
//! sender that it describes, and the judge.

use crate::config::Settings;
use crate::network;
use anyhow::Result;
use elsinore_check::judge::{JudgeOptions, judge};
use elsinore_check::measure::{MeasureSettings, Watch, measure};
use elsinore_check::report::Report;
use elsinore_check::world::World;
use elsinore_dane::name::DomainName;
use elsinore_net::resolver::Resolver;
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
