//! The end of a schedule: nothing new is begun, what was begun may end within a bound, and every lease
//! is settled or handed back.

use super::{Drain, Held, Schedule, Stage};
use crate::event::Severity;
use elsinore_queue::error::StoreError;
use elsinore_queue::job::Lease;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long a delivery that is called back may take to come.
const COMING_BACK: Duration = Duration::from_secs(2);
/// How long the last writes may take after the last session.
const LAST_WRITES: Duration = Duration::from_secs(5);

impl Held {
    /// Before then a delivery that was called back is not cut.
    pub(super) fn cut_at(&self) -> Option<Instant> {
        self.called_back.map(|called| called + COMING_BACK)
    }
}

impl Schedule {
    /// Nothing new from here on. Jobs that have not begun are handed back at once.
    pub(super) async fn stop(&mut self, now: Instant) {
        let drain = self.settings.drain;
        let sessions = now + drain.mul_f64(0.6);
        self.drain = Some(Drain {
            // Sessions that wait for the reply to a final dot are given more time: what is cut there
            // may be delivered twice.
            sessions,
            answers: (now + drain.saturating_sub(COMING_BACK)).max(sessions),
            cut: now + drain,
            end: now + drain + LAST_WRITES,
        });
        // What was asked for is either not claimed, or handed back when it comes.
        if let Some(supplying) = self.supplying.take()
            && let Ok(Ok(supplied)) = timeout(LAST_WRITES, supplying).await
            && let Err(error) = self.supplied(Ok(supplied), now)
        {
            self.complain(&error);
        }
        self.supplying = None;
        let waiting = self.destinations.give_up_waiting();
        let leases: Vec<Lease> = waiting.iter().map(|job| job.lease).collect();
        for lease in &leases {
            self.held.remove(lease);
        }
        self.unused.extend(leases);
        self.hand_back().await;
        // The store may have taken all the time there was; what is called back now still has its own.
        if let Some(drain) = &mut self.drain {
            drain.end = drain.end.max(Instant::now() + COMING_BACK * 2);
        }
    }

    /// Calls back the deliveries whose time is over, and cuts those that do not come.
    pub(super) fn cut(&mut self, drain: Drain, now: Instant) {
        for held in self.held.values_mut() {
            if let Stage::Working(reins, task) = &held.stage {
                let until = if reins.handed_out.is_set() {
                    drain.answers
                } else {
                    drain.sessions
                };
                match held.called_back {
                    None if now >= until => {
                        reins.recall.call();
                        held.called_back = Some(now);
                    }
                    // Who was called back late has the time to come all the same.
                    Some(called) if now >= drain.cut.max(called + COMING_BACK) => task.abort(),
                    Some(_) | None => {}
                }
            }
        }
    }

    /// Hands unused leases back; if the store does not take them, they run out by themselves.
    async fn hand_back(&mut self) {
        let leases = std::mem::take(&mut self.unused);
        if leases.is_empty() {
            return;
        }
        let handing = self.parts.store.hand_back(leases);
        if let Ok(Err(error)) = timeout(LAST_WRITES, handing).await {
            self.complain(&error);
        }
    }

    /// The last words.
    pub(super) async fn end(&mut self) -> Result<(), StoreError> {
        self.hand_back().await;
        if !self.is_empty() {
            let text = format!(
                "{} jobs could not be settled before the end; their leases run out, and they are \
                 tried again",
                self.finished.len() + self.working.len()
            );
            self.note(Severity::Error, "relay", text);
        }
        Ok(())
    }
}
