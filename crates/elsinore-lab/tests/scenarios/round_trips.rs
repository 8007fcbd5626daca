//! A cold delivery takes no more sequential round trips than these, counted by the simulated
//! network on a paused clock: nothing here depends on the speed of the machine.

use elsinore_lab::scenario::{ResolverMode, files};
use elsinore_lab::simulated::{Phase, measure};
use elsinore_lab::world::World;
use elsinore_net::clock::{Clock, SystemClock};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_cold_delivery_waits_no_more_than_it_must() {
    for (id, mode, most) in [
        (
            "dane-ee",
            ResolverMode::Recursive,
            [5.0, 1.0, 3.0, 1.0, 3.0],
        ),
        ("dane-ee", ResolverMode::Forward, [3.0, 1.0, 3.0, 1.0, 3.0]),
        ("dane-ee", ResolverMode::Ad, [3.0, 1.0, 3.0, 1.0, 3.0]),
        (
            "sts-enforce",
            ResolverMode::Recursive,
            [7.0, 1.0, 3.0, 1.0, 3.0],
        ),
    ] {
        let mut scenarios = files::embedded().unwrap();
        scenarios.retain(|scenario| scenario.id == id);
        let world = Arc::new(World::build(scenarios, SystemClock.now()).unwrap());
        let scenario = &world.scenarios()[0];
        let round_trip = Duration::from_millis(50);
        let measured = measure(&world, scenario, &scenario.cases[0], mode, round_trip)
            .await
            .unwrap();
        assert_eq!(measured.outcome, "delivered", "{id}");
        for ((phase, counted), most) in Phase::ALL.iter().zip(measured.round_trips).zip(most) {
            assert!(counted > 0.0, "{id}: {} was not seen", phase.word());
            // Timers tick in milliseconds.
            assert!(
                counted < most + 0.5,
                "{id}: {} took {counted}",
                phase.word()
            );
        }
    }
}
