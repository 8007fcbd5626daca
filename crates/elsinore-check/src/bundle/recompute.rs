//! The verdict again, from a bundle alone: the same measuring and the same judging, in the world of
//! the bundle.

use super::{Bundle, ReplayTrust, ReplayedWorld, Setting, unproven};
use crate::judge::{JudgeOptions, judge};
use crate::measure::{MeasureSettings, measure};
use crate::report::Report;
use crate::world::World;
use elsinore_net::resolver::ConfigError;
use std::sync::Arc;

/// Measures and judges in the world of `bundle`, by the rules and the trust of whoever reads it.
/// What the bundle says of its own verdict is not looked at. Nobody is asked and nobody is
/// contacted.
///
/// # Errors
/// [`ConfigError`] when the reader's own trust cannot work: no anchor.
pub async fn recompute(
    bundle: &Bundle,
    settings: &MeasureSettings,
    trust: &ReplayTrust,
    options: &JudgeOptions<'_>,
) -> Result<Report, ConfigError> {
    let world: Arc<dyn World> = Arc::new(ReplayedWorld::new(bundle, trust)?);
    let mut settings = settings.clone();
    let reader = Setting::of(&settings.sender, &trust.0);
    settings.sender.policy.families = bundle.setting.families.families();
    // What the reader has learnt of the domain some other time is not in the bundle.
    settings.sender.state = None;
    // Nobody is visited: whatever the bundle holds is looked at, whichever lane comes first.
    settings.most_sessions_per_address = usize::MAX;
    settings.most_sessions = usize::MAX;
    let mut sighting = measure(&world, &settings, &bundle.domain, &|_| {}).await;
    sighting.replayed = true;
    let mut report = judge(&sighting, options);
    report.unproven.extend(unproven(bundle, &reader));
    Ok(report)
}
