//! How many at once, and whose turn it is.

use super::fixture::{Act, World};
use super::shelf::Shelf;
use elsinore_relay::schedule::{DestinationLimits, ScheduleSettings};
use std::sync::Arc;
use std::time::Duration;

fn limits(first: usize, most: usize, per_minute: Option<u32>) -> DestinationLimits {
    DestinationLimits {
        first,
        most,
        per_minute,
    }
}

async fn fill(world: &World, destination: &str, count: usize) {
    for number in 0..count {
        let recipient = format!("r{number}@{destination}");
        world.enqueue("", &[&recipient]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_limit_is_passed_and_every_limit_is_used() {
    // Sessions in all, and how many of them each of five destinations has.
    for (sessions, each) in [(30, 6), (60, 8)] {
        let settings = ScheduleSettings {
            sessions,
            leased: 100,
            limits: limits(2, 8, None),
            overrides: vec![(
                ".slim.example".parse().expect("a pattern"),
                limits(5, 1, None),
            )],
            ..ScheduleSettings::default()
        };
        let world = World::start(&Shelf::new(), settings);
        let destinations = [
            "a.example",
            "b.example",
            "c.example",
            "d.example",
            "e.example",
        ];
        for destination in destinations {
            fill(&world, destination, 200).await;
        }
        world.done_within(Duration::from_secs(60)).await;
        for destination in destinations {
            assert_eq!(world.courier.most_busy(destination), each, "{destination}");
        }
        assert_eq!(world.courier.most_busy(""), each * destinations.len());
        fill(&world, "x.slim.example", 20).await;
        world.done_within(Duration::from_secs(60)).await;
        assert_eq!(world.courier.most_busy("x.slim.example"), 1);
        world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_begins_small_and_grows() {
    let settings = ScheduleSettings {
        limits: limits(2, 20, None),
        ..ScheduleSettings::default()
    };
    let world = World::start(&Shelf::new(), settings);
    world
        .courier
        .act("a.example", Act::Takes(Duration::from_secs(1)));
    fill(&world, "a.example", 100).await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(world.courier.most_busy("a.example"), 2);
    tokio::time::sleep(Duration::from_millis(1000)).await;
    assert_eq!(world.courier.most_busy("a.example"), 4);
    world.done_within(Duration::from_secs(60)).await;
    assert_eq!(world.courier.most_busy("a.example"), 20);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_slow_and_one_dead_destination_hold_up_nobody() {
    let settings = ScheduleSettings {
        sessions: 50,
        leased: 200,
        ..ScheduleSettings::default()
    };
    let world = World::start(&Shelf::new(), settings);
    world
        .courier
        .act("aaa-slow.example", Act::Takes(Duration::from_secs(600)));
    world
        .courier
        .act("aab-dead.example", Act::Dead(Duration::from_secs(120)));
    fill(&world, "aaa-slow.example", 2000).await;
    fill(&world, "aab-dead.example", 2000).await;
    for number in 0..1000 {
        let recipient = format!("bob@d{number}.example");
        world.enqueue("", &[&recipient]).await;
    }
    // A thousand jobs of 50 ms over what is left of 50 sessions.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let attempts = world.courier.attempts.lock().expect("no panic").clone();
    let others = attempts
        .iter()
        .filter(|one| one.destination.starts_with('d'));
    assert_eq!(others.count(), 1000);
    assert_eq!(world.store.jobs(), 4000);
    assert!(world.courier.most_busy("aaa-slow.example") <= 20);
    assert!(world.status.leased() <= 200);
    // Slow is not dead: it goes on at its own pace.
    tokio::time::sleep(Duration::from_secs(6000)).await;
    assert!(world.courier.tried("aaa-slow.example").len() > 100);
    drop(world);
}

#[tokio::test(start_paused = true)]
async fn a_small_bound_on_leases_starves_nobody() {
    let settings = ScheduleSettings {
        sessions: 4,
        leased: 6,
        ..ScheduleSettings::default()
    };
    let world = World::start(&Shelf::new(), settings);
    for number in 0..40 {
        fill(&world, &format!("d{number}.example"), 30).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let served: Vec<usize> = (0..40)
        .map(|number| world.courier.tried(&format!("d{number}.example")).len())
        .collect();
    let (least, most) = (served.iter().min(), served.iter().max());
    assert!(least >= Some(&3), "{served:?}");
    assert!(most <= Some(&20), "{served:?}");
    world.done_within(Duration::from_secs(60)).await;
    assert_eq!(world.courier.most_busy(""), 4);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pace_is_kept_and_the_others_do_not_wait_for_it() {
    let settings = ScheduleSettings {
        overrides: vec![(
            "slow.example".parse().expect("a pattern"),
            limits(5, 5, Some(60)),
        )],
        ..ScheduleSettings::default()
    };
    let world = World::start(&Shelf::new(), settings);
    fill(&world, "slow.example", 300).await;
    fill(&world, "other.example", 300).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let tried = world.courier.tried("slow.example").len();
    assert!((60..=70).contains(&tried), "{tried}");
    assert_eq!(world.courier.tried("other.example").len(), 300);
    world.done_within(Duration::from_secs(300)).await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn ends_are_written_in_groups_and_questions_are_few() {
    let settings = ScheduleSettings {
        limits: limits(20, 20, None),
        ..ScheduleSettings::default()
    };
    let world = World::start(&Shelf::new(), settings);
    for number in 0..10 {
        fill(&world, &format!("d{number}.example"), 200).await;
    }
    world.done_within(Duration::from_secs(60)).await;
    assert_eq!(world.store.settled(), 2000);
    assert!(world.store.largest_group() >= 20);
    for call in ["settle", "claim", "waiting"] {
        let calls = world.store.calls(call);
        assert!(calls <= 400, "{call}: {calls} for 2000 messages");
    }
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_while_nothing_is_due() {
    let world = World::start(&Shelf::new(), ScheduleSettings::default());
    fill(&world, "a.example", 10).await;
    world.done_within(Duration::from_secs(60)).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let before = world.store.calls("waiting");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let asked = world.store.calls("waiting") - before;
    assert!(asked <= 121, "{asked} in an hour");
    world.stop().await;
}

/// A message to many destinations is looked through once for all that are tried at the same time; one
/// that is tried later is looked through again, with the same outcome.
#[tokio::test(start_paused = true)]
async fn a_message_is_surveyed_once() {
    let world = World::start(&Shelf::new(), ScheduleSettings::default());
    let to: Vec<String> = (0..8).map(|one| format!("r@d{one}.example")).collect();
    let mut to: Vec<&str> = to.iter().map(String::as_str).collect();
    to.push("later@slow.example");
    world
        .courier
        .act("slow.example", Act::Waits(Duration::from_millis(50)));
    world.enqueue("a@sender.example", &to).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    world
        .courier
        .act("slow.example", Act::Takes(Duration::from_millis(50)));
    world.done_within(Duration::from_secs(86_400)).await;
    let attempts = world.courier.attempts.lock().expect("no panic").clone();
    assert!(attempts.len() > 9, "one was tried again");
    let first = &attempts[0].survey;
    for attempt in &attempts[..9] {
        assert!(Arc::ptr_eq(first, &attempt.survey), "{attempt:?}");
    }
    let last = &attempts[attempts.len() - 1].survey;
    assert!(!Arc::ptr_eq(first, last) && first == last);
    world.stop().await;
}
