//! A cold start in a simulated network: empty caches, the settings of a case.

use super::SimulatedNetwork;
use crate::run::setting;
use crate::scenario::{Case, ResolverMode, Scenario};
use crate::world::World;
use elsinore_net::clock::{Clock, SystemClock};
use elsinore_net::deliver::SenderConfig;
use elsinore_net::dialer::Dialer;
use elsinore_net::resolver::Resolver;
use elsinore_net::tls::webpki::WebPkiRoots;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// What a sender or a checker is made of.
#[derive(Debug)]
pub struct Setup {
    /// The network, which counts.
    pub network: SimulatedNetwork,
    /// The way into it.
    pub dialer: Arc<dyn Dialer>,
    /// The machine's clock: signatures are judged by it.
    pub clock: Arc<dyn Clock>,
    /// A resolver that knows nothing yet.
    pub resolver: Arc<Resolver>,
    /// The sender's settings; its state folder lasts as long as this.
    pub sender: SenderConfig,
    pub(super) _state: TempDir,
}

impl Setup {
    /// The setting of `case`, every host `round_trip` away.
    ///
    /// # Errors
    /// One line, when the case cannot be set up.
    pub fn cold(
        world: &Arc<World>,
        scenario: &Scenario,
        case: &Case,
        mode: ResolverMode,
        round_trip: Duration,
    ) -> Result<Self, String> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let network = SimulatedNetwork::new(Arc::clone(world), round_trip);
        let dialer: Arc<dyn Dialer> = Arc::new(network.clone());
        let mut ca = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
        ca.write_all(world.ca_pem().as_bytes())
            .map_err(|error| error.to_string())?;
        let roots = WebPkiRoots::new(Some(ca.path())).map_err(|error| error.to_string())?;
        let state = tempfile::tempdir().map_err(|error| error.to_string())?;
        let resolver = Resolver::new(
            setting::resolver(world, case, mode)?,
            Arc::clone(&dialer),
            Arc::clone(&clock),
        )
        .map_err(|error| error.to_string())?;
        let sender = setting::sender(world, scenario, case, &roots, state.path())?;
        Ok(Self {
            network,
            dialer,
            clock,
            resolver: Arc::new(resolver),
            sender,
            _state: state,
        })
    }
}
