//! Calling a delivery back: whoever gave it away can have it end at once, and hear what is known.

use std::sync::Arc;
use tokio::sync::watch;

/// A word to the delivery of one message that it is to end. Nothing new is begun from then on and no
/// answer is waited for; recipients that have an answer keep it, and of one for whom the final dot was
/// sent the report says that nobody knows.
#[derive(Debug, Clone)]
pub struct Recall(Arc<watch::Sender<bool>>);

impl Default for Recall {
    /// Nobody has called yet.
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Recall {
    /// Calls the delivery back.
    pub fn call(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was called back.
    #[must_use]
    pub fn is_called(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when it is called back.
    pub(crate) async fn called(&self) {
        // The sender is held by `self`, so there is no error.
        let _ = self.0.subscribe().wait_for(|called| *called).await;
    }

    /// What `work` comes to; `None` when it is called back first.
    pub(crate) async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.called() => None,
        }
    }
}
