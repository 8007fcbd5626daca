//! The catalogue of lints: what can be wrong with a domain and be seen from outside.

pub mod catalogue;
pub mod known_ca;

pub use catalogue::{LEFT_OUT, LeftOut, Lint, Source};

use crate::report::{Finding, Report};
use crate::sighting::Sighting;

/// Everything that is wrong or worth knowing, the worst first, identical findings of several
/// places folded into one.
#[must_use]
pub fn run(sighting: &Sighting, report: &Report) -> Vec<Finding> {
    let _ = (sighting, report);
    Vec::new()
}
