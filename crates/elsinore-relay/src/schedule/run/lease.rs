//! Leases are renewed while their jobs are not done with.

use super::{Schedule, Stage};
use crate::event::Event;
use elsinore_queue::error::StoreError;
use elsinore_queue::job::{Lease, Settled};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Leases in one question to the store.
const AT_ONCE: usize = 500;
/// After an error of the store.
const AFTER_ERROR: Duration = Duration::from_secs(5);

/// What became of a renewal: the leases, what the store said of each, and until when those that are
/// held are ours; or why some could not be asked about.
pub(super) struct Renewed {
    answers: Vec<(Lease, Settled)>,
    expires: Instant,
    error: Option<StoreError>,
}

impl Schedule {
    /// Renews what is on lease, three times in the time of a lease.
    pub(super) fn renew(&mut self, now: Instant) {
        if now < self.renew_at || self.renewing.is_some() {
            return;
        }
        let lease_for = self.settings.lease;
        self.renew_at = now + lease_for / 3;
        let held = self.held.values().filter(|held| !held.is_lost);
        let leases: Vec<Lease> = held.map(|held| held.job.lease).collect();
        if leases.is_empty() {
            return;
        }
        let store = Arc::clone(&self.parts.store);
        self.renewing = Some(Box::pin(async move {
            let mut answers = Vec::with_capacity(leases.len());
            let mut error = None;
            for leases in leases.chunks(AT_ONCE) {
                match store.renew(leases.to_vec(), lease_for).await {
                    Ok(settled) => answers.extend(leases.iter().copied().zip(settled)),
                    Err(refused) => {
                        error = Some(refused);
                        break;
                    }
                }
            }
            Renewed {
                answers,
                expires: now + lease_for,
                error,
            }
        }));
    }

    pub(super) fn renewed(&mut self, renewed: Renewed, now: Instant) {
        for (lease, settled) in renewed.answers {
            let Some(held) = self.held.get_mut(&lease) else {
                continue;
            };
            match (settled, &held.stage) {
                (Settled::Done, _) => held.expires = renewed.expires,
                // It may have been settled just now; the settlement says whether it counted.
                (Settled::Lost, Stage::Ended) => {}
                (Settled::Lost, Stage::Waiting | Stage::Working(..)) => {
                    held.is_lost = true;
                    self.parts.journal.note(&Event::LeaseLost {
                        message: held.job.message.id,
                        destination: held.job.destination.clone(),
                    });
                }
            }
        }
        if let Some(error) = renewed.error {
            self.complain(&error);
            self.renew_at = now + AFTER_ERROR.min(self.settings.lease / 6);
        }
    }
}
