//! The checker is the sender: over all scenarios of the lab, what a check says of a domain is what
//! a delivery came to, and every lint appears where it was planted and not beside it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a lab that cannot be built fails the test"
)]

#[path = "../report/consistent.rs"]
mod consistent;
mod expected;
mod look;
mod sent;

use elsinore_dane::time::UnixTime;
use elsinore_lab::run::{Bench, SIDE_BY_SIDE};
use elsinore_lab::running::{Placement, Running};
use elsinore_lab::scenario::{Scenario, files};
use elsinore_lab::world::World;
use elsinore_net::clock::{Clock, FixedClock, SystemClock};
use futures_util::StreamExt;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The scenarios with the ids of the environment variable `SCENARIOS`, by commas; all when absent.
fn scenarios() -> Vec<Scenario> {
    let mut all = files::embedded().expect("our own scenarios");
    if let Ok(wanted) = std::env::var("SCENARIOS") {
        let wanted: Vec<&str> = wanted.split(',').collect();
        all.retain(|scenario| wanted.contains(&scenario.id.as_str()));
    }
    all
}

/// Starts the lab at the moment of `clock`, lets `judge` look at each scenario, several at a time, and fails with all that
/// they complain of.
async fn over<F>(
    scenarios: Vec<Scenario>,
    clock: Arc<dyn Clock>,
    judge: impl Fn(Arc<Bench<'static>>, usize) -> F,
) -> Vec<String>
where
    F: Future<Output = Vec<String>>,
{
    let world = Arc::new(World::build(scenarios, clock.now()).expect("our own scenarios"));
    let count = world.scenarios().len();
    let running = Running::start(world, Placement::Loopback)
        .await
        .expect("loopback sockets");
    // One lab for the whole test, which ends with the process.
    let running: &'static Running = Box::leak(Box::new(running));
    let bench = Arc::new(Bench::new(running, clock).expect("the lab's own CA"));
    futures_util::stream::iter(0..count)
        .map(|index| judge(Arc::clone(&bench), index))
        // Most of the time is spent waiting for servers that do not answer.
        .buffer_unordered(2 * SIDE_BY_SIDE)
        .collect::<Vec<_>>()
        .await
        .concat()
}

fn fail_with(complaints: &[String]) {
    assert!(
        complaints.is_empty(),
        "{} complaints:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_what_a_delivery_comes_to() {
    let complaints = over(
        scenarios(),
        Arc::new(SystemClock),
        |bench, index| async move {
            let scenario = &bench.running().world().scenarios()[index];
            sent::compare(&bench, scenario).await
        },
    )
    .await;
    fail_with(&complaints);
}

#[tokio::test(flavor = "multi_thread")]
async fn lints_appear_where_they_are_planted() {
    let all = scenarios();
    let moments: BTreeSet<Option<i64>> = (all.iter())
        .flat_map(|scenario| &scenario.checks)
        .map(|check| check.at)
        .collect();
    let mut complaints = Vec::new();
    for moment in moments {
        let mut scenarios = all.clone();
        scenarios.retain(|scenario| scenario.checks.iter().any(|check| check.at == moment));
        let clock: Arc<dyn Clock> = match moment {
            None => Arc::new(SystemClock),
            Some(seconds) => Arc::new(FixedClock(UnixTime(seconds))),
        };
        let found = over(scenarios, clock, |bench, index| async move {
            let scenario = &bench.running().world().scenarios()[index];
            expected::compare(&bench, scenario, moment).await
        });
        complaints.extend(found.await);
    }
    fail_with(&complaints);
}

#[test]
fn every_lint_is_planted_and_has_a_neighbour() {
    expected::cover_the_catalogue(&files::embedded().expect("our own scenarios"));
}
