//! What was found out about a message, shared by all jobs of it that are under way: its content is
//! looked through once, not once for each destination.

use elsinore_queue::id::MessageId;
use elsinore_smtp::message::Survey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OnceCell;

/// Messages remembered, from which on those are forgotten that nobody works on.
const MANY: usize = 1024;

/// The survey of one message, once somebody has made it. Whoever works on the message holds it.
pub(super) type Shared = Arc<OnceCell<Arc<Survey>>>;

/// Those that somebody may hold.
type Known = HashMap<MessageId, Weak<OnceCell<Arc<Survey>>>>;

/// The surveys of all messages under way. None is kept beyond that.
#[derive(Debug, Clone, Default)]
pub(super) struct Surveys(Arc<Mutex<Known>>);

impl Surveys {
    /// That of `message`, still to be made where nobody has.
    pub(super) fn of(&self, message: MessageId) -> Shared {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = known.get(&message).and_then(Weak::upgrade) {
            return shared;
        }
        if known.len() >= MANY {
            known.retain(|_, shared| shared.strong_count() > 0);
        }
        let shared = Shared::default();
        known.insert(message, Arc::downgrade(&shared));
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use elsinore_queue::moment::Moment;

    #[test]
    fn they_are_shared_while_somebody_works_and_then_forgotten() {
        let surveys = Surveys::default();
        let id = MessageId::draw(Moment(0));
        let one = surveys.of(id);
        assert!(Arc::ptr_eq(&one, &surveys.of(id)));
        assert!(!Arc::ptr_eq(&one, &surveys.of(MessageId::draw(Moment(0)))));
        for _ in 0..10 * MANY {
            surveys.of(MessageId::draw(Moment(0)));
        }
        assert!(Arc::ptr_eq(&one, &surveys.of(id)));
        let known = || surveys.0.lock().map(|known| known.len());
        assert!(known().is_ok_and(|known| known <= MANY));
        let before = Arc::downgrade(&one);
        drop(one);
        assert!(before.upgrade().is_none(), "it is held here");
        assert!(surveys.of(id).get().is_none());
    }
}
