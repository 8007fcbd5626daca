//! Root priming (RFC 9609): the hints only lead to the root's servers, which say themselves who
//! they are.

use super::Source;
use super::referral::{Delegation, servers_named};
use crate::resolver::config::Mode;
use crate::resolver::core::{Core, Work};
use crate::resolver::wire::{Message, Name, Question, rtype};
use std::sync::Arc;

impl Core {
    /// The root as the hints tell it.
    pub(super) fn hinted_root(&self) -> Delegation {
        Delegation::root(self.config.hints.addresses())
    }

    /// Asks the servers of the hints for the servers of the root, once for the TTL of what they
    /// say. Without a usable reply the hints go on being used.
    pub(in crate::resolver) async fn prime(&self, work: &Work) {
        let question = Question {
            name: Name::root(),
            rtype: rtype::NS,
        };
        let is_needed = self.config.mode == Mode::Recursive
            && self.routes.covering(&question).is_none()
            && self.known_delegation(&question.name).is_none();
        if !is_needed {
            return;
        }
        let hints = Arc::new(self.hinted_root());
        let Ok(reply) = self.ask_zone(&hints, &question, &[], work, 0).await else {
            return;
        };
        let message: &Message = &reply.message;
        let named = Message::rrset(&message.answer, &question.name, rtype::NS);
        let Some(ttl) = named.iter().map(|record| record.ttl).min() else {
            return;
        };
        let root = Delegation {
            source: Source::Referral,
            servers: servers_named(&named, message, &question.name),
            fixed: Vec::new(),
            ttl,
            ..self.hinted_root()
        };
        // Addresses that did not fit the reply are in the hints, most likely; without any address
        // the hints are better.
        if !self.addresses(&root).is_empty() {
            self.cache.keep(&question.name, Arc::new(root), ttl);
        }
    }
}
