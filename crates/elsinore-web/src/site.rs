//! What every request needs: settings, reports, the desk where checks are asked for, the clock.

use crate::assets::Assets;
use crate::checker::Checker;
use crate::desk::Desk;
use crate::log;
use crate::settings::Settings;
use crate::store::Store;
use elsinore_dane::time::UnixTime;
use elsinore_net::clock::Clock;
use std::sync::Arc;

/// The page with all that stands behind it. Clones share everything.
#[derive(Debug, Clone)]
pub struct Site(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    store: Store,
    desk: Desk,
    clock: Arc<dyn Clock>,
    assets: Assets,
}

impl Site {
    /// A page that measures with `checker` and keeps its reports in `store`.
    #[must_use]
    pub fn new(
        settings: Settings,
        checker: Arc<dyn Checker>,
        store: Store,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let desk = Desk::new(checker, store.clone(), Arc::clone(&clock), settings.checks);
        Self(Arc::new(Inner {
            settings,
            store,
            desk,
            clock,
            assets: Assets::new(),
        }))
    }

    /// What the administrator set.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.0.desk
    }

    pub(crate) fn assets(&self) -> &Assets {
        &self.0.assets
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.0.clock.now()
    }

    /// Lets go of reports that have become too old.
    pub(crate) async fn prune(&self) {
        if let Err(error) = self.0.store.prune(self.now()).await {
            log::problem(&format!("reports: {error}"));
        }
    }
}
