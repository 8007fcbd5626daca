//! Bodies that have just arrived, in memory until they are read once: the first attempt usually follows
//! within milliseconds.

use crate::id::MessageId;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Octets of all that are held.
const ALL: usize = 8 << 20;
/// Octets of the largest that is held.
pub(super) const LARGEST: usize = 64 << 10;

/// The bodies, oldest first.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    bodies: HashMap<MessageId, Arc<[u8]>>,
    /// Names in order of arrival, also of some that were taken.
    order: VecDeque<MessageId>,
    octets: usize,
}

impl Fresh {
    /// Holds a body; older ones make room.
    pub(super) fn put(&mut self, message: MessageId, body: Arc<[u8]>) {
        self.octets += body.len();
        self.bodies.insert(message, body);
        self.order.push_back(message);
        while self.octets > ALL
            && let Some(oldest) = self.order.pop_front()
        {
            self.take(oldest);
        }
        if self.order.len() > 2 * self.bodies.len() + 1024 {
            self.order.retain(|name| self.bodies.contains_key(name));
        }
    }

    /// Gives a body away.
    pub(super) fn take(&mut self, message: MessageId) -> Option<Arc<[u8]>> {
        let body = self.bodies.remove(&message)?;
        self.octets -= body.len();
        Some(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Moment;

    #[test]
    fn a_body_is_given_once_and_the_oldest_make_room() {
        let mut fresh = Fresh::default();
        let names: Vec<MessageId> = (0..10_000)
            .map(|nth| MessageId::draw(Moment(nth)))
            .collect();
        for name in &names {
            fresh.put(*name, vec![0; LARGEST].into());
            assert!(fresh.octets <= ALL);
        }
        assert_eq!(fresh.bodies.len(), ALL / LARGEST);
        assert!(fresh.take(names[0]).is_none());
        assert!(fresh.take(names[9_999]).is_some());
        assert!(fresh.take(names[9_999]).is_none());
        for name in &names {
            fresh.put(*name, Arc::from([1_u8].as_slice()));
            fresh.take(*name);
            assert!(fresh.order.len() <= 2 * (fresh.bodies.len() + 1) + 1024);
        }
    }
}
