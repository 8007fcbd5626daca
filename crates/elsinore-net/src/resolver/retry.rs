//! Bogus data from one server need not be bogus everywhere: one that is stale, broken, or reached
//! through somebody who forges, is no reason to call a whole zone bogus. Other servers of the zone
//! are asked before that, a few.

use super::core::{Core, Found, Work};
use super::wire::Question;
use std::net::SocketAddr;

/// The servers whose replies to one question were bogus.
#[derive(Debug, Default)]
pub(super) struct Bogus {
    from: Vec<SocketAddr>,
}

impl Bogus {
    /// Another server's reply to `question`, `found` being bogus; `None` when there is nobody else
    /// to ask, or enough have been. The bogus reply is not kept.
    pub(super) async fn other_than(
        &mut self,
        found: &Found,
        question: &Question,
        core: &Core,
        work: &Work,
    ) -> Option<Found> {
        core.cache.forget::<Found>(question);
        self.from.push(found.server);
        let is_enough = self.from.len() > work.budget.limits.bogus_retries;
        if is_enough || work.budget.is_overdrawn() {
            return None;
        }
        core.fetch_avoiding(question, &self.from, work).await.ok()
    }
}
