//! Whether the parts of a relay work: what `/readyz` says.

use elsinore_queue::store::QueueStore;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is known of each part. The store is asked each time; others are told of.
#[derive(Debug)]
pub struct Health {
    store: Arc<dyn QueueStore>,
    parts: Mutex<BTreeMap<&'static str, Result<(), String>>>,
}

impl Health {
    /// Of `parts` nothing is known yet, so they are not ready.
    #[must_use]
    pub fn new(store: Arc<dyn QueueStore>, parts: &[&'static str]) -> Self {
        let unknown = |part: &&'static str| (*part, Err("not known yet".to_owned()));
        Self {
            store,
            parts: Mutex::new(parts.iter().map(unknown).collect()),
        }
    }

    /// `part` works, or why it does not.
    pub fn set(&self, part: &'static str, state: Result<(), String>) {
        self.parts().insert(part, state);
    }

    /// Each part, in order of their names, with why it does not work.
    #[must_use]
    pub fn parts_now(&self) -> Vec<(&'static str, Result<(), String>)> {
        let mut all: Vec<_> = (self.parts().iter())
            .map(|(part, state)| (*part, state.clone()))
            .collect();
        let store = self.store.health().map_err(|error| error.to_string());
        all.push(("store", store));
        all.sort_by_key(|(part, _)| *part);
        all
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<&'static str, Result<(), String>>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
