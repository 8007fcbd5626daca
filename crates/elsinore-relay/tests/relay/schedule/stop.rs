//! Told to stop: nothing new is begun, what was begun may end, every lease is settled or handed back.

use super::fixture::{Act, BEGIN, World};
use super::shelf::Shelf;
use elsinore_relay::event::Event;
use elsinore_relay::schedule::ScheduleSettings;
use std::time::Duration;

const DRAIN: Duration = Duration::from_secs(20);

fn settings() -> ScheduleSettings {
    ScheduleSettings {
        drain: DRAIN,
        ..ScheduleSettings::default()
    }
}

async fn fill(world: &World, destination: &str, count: usize) {
    for number in 0..count {
        let recipient = format!("r{number}@{destination}");
        world.enqueue("", &[&recipient]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_begun_ends_and_the_rest_is_handed_back() {
    let store = Shelf::new();
    let world = World::start(&store, settings());
    world
        .courier
        .act("slow.example", Act::Takes(Duration::from_secs(5)));
    fill(&world, "slow.example", 100).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = world.courier.tried("slow.example").len();
    assert_eq!(begun, 5);
    let took = world.stop().await;
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_eq!(store.jobs(), 100 - begun, "each that was begun is done");
    assert_eq!(store.leased(), 0);
    // The next one goes on at once.
    let world = World::start(&store, settings());
    world.done_within(Duration::from_secs(60)).await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_has_sent_nothing_is_cut_and_its_job_handed_back() {
    let store = Shelf::new();
    let world = World::start(&store, settings());
    world.courier.act("hangs.example", Act::Hangs);
    fill(&world, "hangs.example", 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let took = world.stop().await;
    assert!(took <= DRAIN, "{took:?}");
    assert_eq!(store.leased(), 0);
    let standings = store.standings();
    assert_eq!(standings[0].2.attempts, 0);
    assert_eq!(standings[0].2.last, None, "as if it had not been tried");
    assert!(
        standings[0].1 <= BEGIN.plus(Duration::from_secs(1)),
        "due as before"
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_waits_for_the_last_reply_has_longer_and_then_the_job_waits() {
    let store = Shelf::new();
    let world = World::start(&store, settings());
    world.courier.act("hangs.example", Act::HangsAfterDot);
    fill(&world, "hangs.example", 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let took = world.stop().await;
    assert!(
        took >= DRAIN && took < DRAIN + Duration::from_secs(1),
        "{took:?}"
    );
    assert_eq!(store.leased(), 0);
    let standings = store.standings();
    let last = standings[0].2.last.as_ref().expect("it was tried");
    assert!(
        last.reply.contains("may have been delivered"),
        "{}",
        last.reply
    );
    assert!(
        standings[0].1 >= BEGIN.plus(Duration::from_secs(60)),
        "not at once again"
    );
}

#[tokio::test(start_paused = true)]
async fn who_has_an_answer_when_the_relay_stops_is_settled() {
    // Without any time, too: every moment has passed when the deliveries are looked at.
    for drain in [DRAIN, Duration::ZERO] {
        stopped_in_between(drain).await;
    }
}

async fn stopped_in_between(drain: Duration) {
    let store = Shelf::new();
    let settings = || ScheduleSettings {
        drain,
        ..ScheduleSettings::default()
    };
    let world = World::start(&store, settings());
    world.courier.act("one.example", Act::TakesOne);
    let recipients = ["a@one.example", "b@one.example", "c@one.example"];
    world.enqueue("", &recipients).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let told = world.diary.clone();
    let took = world.stop().await;
    assert!(took <= DRAIN, "{took:?}");
    assert_eq!(store.leased(), 0);
    let standings = store.standings();
    assert_eq!(
        standings[0].2.attempts, 0,
        "it is no fault of the destination"
    );
    let said = told.pick(|_, event| match event {
        Event::Recipient {
            recipient, reply, ..
        } => Some((recipient.clone(), reply.clone().unwrap_or_default())),
        _ => None,
    });
    let words = ["", "may have been delivered", "had its turn"];
    for ((recipient, reply), words) in said.iter().zip(words) {
        assert!(reply.contains(words), "{recipient}: {reply}");
    }
    assert_eq!(said.len(), 3);
    // The next one serves those who are left, and nobody twice that it need not.
    let world = World::start(&store, settings());
    world.done_within(Duration::from_secs(300)).await;
    let attempts = world.courier.attempts.lock().expect("no panic").clone();
    let served: Vec<_> = attempts.into_iter().map(|one| one.recipients).collect();
    assert_eq!(served, [["b@one.example", "c@one.example"]]);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_relay_without_work_stops_at_once() {
    let world = World::start(&Shelf::new(), settings());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.stop().await < Duration::from_secs(1));
}
