//! One domain of a scenario, checked.

use crate::consistent::dangling;
use elsinore_check::judge::{JudgeOptions, judge};
use elsinore_check::measure::{MeasureSettings, measure};
use elsinore_check::report::Report;
use elsinore_check::world::{LiveSettings, LiveWorld, World};
use elsinore_dane::name::DomainName;
use elsinore_lab::run::{Bench, Equipment};
use elsinore_lab::scenario::{Case, ResolverMode, Scenario};
use elsinore_net::doctor::triage::{Triage, TriageConfig};
use elsinore_net::resolver::Resolver;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The longest a check may take: those that are made to hurt end by their own bounds before.
const BOUND: Duration = Duration::from_secs(120);

/// Seconds a step may take where the case says nothing.
const PATIENCE: u64 = 10;

/// A name that is signed, and the signatures are good.
const GOOD: &str = "example";

/// Checks `domain` with what the case is sent with.
pub(crate) async fn look(
    bench: &Bench<'_>,
    scenario: &Scenario,
    case: &Case,
    mode: ResolverMode,
    domain: &str,
) -> Result<Report, String> {
    let Equipment {
        resolver,
        sender,
        dialer,
        clock,
        ..
    } = &bench.equipment(scenario, case, mode)?;
    let name = DomainName::parse(domain).map_err(|error| format!("{domain}: {error}"))?;
    let settings = LiveSettings {
        pause: Duration::ZERO,
        patience: Duration::from_secs(case.settings.timeout.unwrap_or(PATIENCE)),
        ..LiveSettings::new(sender.clone())
    };
    let triage = TriageConfig {
        secure: vec![GOOD.parse().map_err(|error| format!("{GOOD}: {error}"))?],
        ..TriageConfig::new(bench.resolver_config(case, mode)?)
    };
    let names = Arc::<Resolver>::clone(resolver);
    let triage = Triage::new(triage, names, Arc::clone(dialer), Arc::clone(clock));
    let world = LiveWorld::new(
        settings,
        Arc::clone(resolver),
        Arc::clone(dialer),
        Arc::clone(clock),
    );
    let world: Arc<dyn World> = Arc::new(world.with_triage(Arc::new(triage)));
    let settings = MeasureSettings::new(sender.clone());
    let sighting = timeout(BOUND, measure(&world, &settings, &name, &|_| {}))
        .await
        .map_err(|_| format!("{domain}: the check did not end in {BOUND:?}"))?;
    let report = judge(&sighting, &JudgeOptions::new("elsinore test"));
    let faults = dangling(&report);
    if faults.is_empty() {
        return Ok(report);
    }
    Err(format!("{domain}: {faults:?}"))
}
