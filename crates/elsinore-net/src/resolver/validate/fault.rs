//! Why something does not count: the kind, for statistics and extended errors, and the sentence.

use elsinore_dane::security::{Cause, Status};
use std::fmt;
use std::sync::Arc;

/// One reason: what kind it is, and one line that names the record or the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resolver) struct Fault {
    pub(in crate::resolver) cause: Cause,
    /// Shared by all that is unsigned for the same reason.
    pub(in crate::resolver) text: Arc<str>,
}

impl Fault {
    pub(in crate::resolver) fn new(cause: Cause, text: impl Into<Arc<str>>) -> Self {
        Self {
            cause,
            text: text.into(),
        }
    }

    /// The same kind of reason, told with more words.
    pub(in crate::resolver) fn told(self, tell: impl FnOnce(&str) -> String) -> Self {
        Self {
            cause: self.cause,
            text: tell(&self.text).into(),
        }
    }

    /// That something should validate and does not, for this reason.
    pub(in crate::resolver) fn bogus(self) -> Status {
        Status::bogus(self.text).because(self.cause)
    }

    /// That something is shown not to be protected, for this reason.
    pub(in crate::resolver) fn insecure(self) -> Status {
        Status::insecure(self.text).because(self.cause)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
