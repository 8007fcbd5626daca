//! The time line: what breaks next, and when.

use crate::report::{Forecast, Report};
use crate::sighting::Sighting;

/// What is foreseeable from what was seen.
#[must_use]
pub fn forecast(sighting: &Sighting, report: &Report) -> Forecast {
    let _ = (sighting, report);
    Forecast::default()
}
