//! Killed again and again under load: what was acknowledged is delivered or bounced.

use crate::load::{Acknowledged, copies, load, tail};
use crate::process::{Relay, free_place};
use crate::world::World;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// How often the relay is killed, unless `ELSINORE_CRASH_ROUNDS` says otherwise.
const ROUNDS: u32 = 12;
/// Clients at a time.
const CLIENTS: usize = 8;
/// Longest wait until everything has arrived after the last kill.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_sigkill() {
    let rounds = match std::env::var("ELSINORE_CRASH_ROUNDS") {
        Ok(text) => text.parse().expect("a number of rounds"),
        Err(_) => ROUNDS,
    };
    let world = World::start().await;
    let place = free_place();
    let configuration = world.configuration(&format!(
        "[relay]\nlisten = [\"{place}\"]\nname = \"relay.example\"\n\
         [relay.limits]\nconnections_per_client = 1000\nconnections_per_minute = 1000000\n\
         [relay.retry]\nfirst = \"1s\"\nlongest = \"2s\"\n"
    ));
    let acknowledged = Acknowledged::default();
    for round in 0..rounds {
        let relay = Relay::start(&configuration, place);
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
                tokio::spawn(load(place, round, number, stop, acknowledged))
            })
            .collect();
        // The load is the point; when exactly it ends is not.
        tokio::time::sleep(Duration::from_millis(rand::random_range(50..900))).await;
        relay.kill();
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.expect("a client");
        }
    }
    let relay = Relay::start(&configuration, place);
    let expected = (acknowledged.lock())
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    assert!(
        expected.len() >= usize::try_from(rounds).expect("few"),
        "only {} messages were acknowledged:\n{}",
        expected.len(),
        relay.log()
    );
    let begun = Instant::now();
    let copies = loop {
        let copies = copies(&world, &expected);
        let missing = expected.keys().filter(|token| !copies.contains_key(*token));
        let missing: Vec<&String> = missing.collect();
        if missing.is_empty() {
            break copies;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{} of {} acknowledged messages are lost, {:?} among them:\n{}",
            missing.len(),
            expected.len(),
            missing.first(),
            tail(&relay.log())
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let twice: Vec<_> = copies.iter().filter(|(_, count)| **count > 1).collect();
    let most = copies.values().copied().max().unwrap_or(0);
    eprintln!(
        "{rounds} kills, {} messages acknowledged, {} came more than once (at most {most} times)",
        expected.len(),
        twice.len()
    );
    // A message is on its way at most once when the relay dies: one copy more for each kill, and only
    // for those that were under way.
    let under_way = usize::try_from(rounds).expect("few") * 200;
    assert!(
        twice.len() <= under_way,
        "{} came more than once",
        twice.len()
    );
    let status = relay.stop();
    assert!(status.success(), "{status}");
}
