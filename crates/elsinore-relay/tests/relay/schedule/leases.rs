//! Leases: renewed while the work goes on, and nothing is written when they are lost.

use super::fixture::{Act, World, new_message};
use super::shelf::Shelf;
use elsinore_queue::error::StoreError;
use elsinore_queue::store::QueueStore;
use elsinore_relay::clock::WallClock;
use elsinore_relay::event::Event;
use elsinore_relay::schedule::ScheduleSettings;
use std::time::Duration;

fn lost(world: &World) -> usize {
    let lost = world
        .diary
        .pick(|_, event| matches!(event, Event::LeaseLost { .. }).then_some(()));
    lost.len()
}

#[tokio::test(start_paused = true)]
async fn a_long_delivery_keeps_its_lease() {
    let world = World::start(&Shelf::new(), ScheduleSettings::default());
    world
        .courier
        .act("slow.example", Act::Takes(Duration::from_secs(3000)));
    world.enqueue("", &["bob@slow.example"]).await;
    world.done_within(Duration::from_secs(3100)).await;
    assert_eq!(world.courier.tried("slow.example").len(), 1);
    assert_eq!(lost(&world), 0);
    world.stop().await;
}

/// Two relays on one store: the first sleeps past its leases while it works.
#[tokio::test(start_paused = true)]
async fn who_slept_past_its_lease_writes_nothing() {
    let store = Shelf::new();
    let first = World::start(&store, ScheduleSettings::default());
    first
        .courier
        .act("slow.example", Act::Refuses(Duration::from_secs(20)));
    first
        .enqueue("anna@sender.example", &["bob@slow.example"])
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = World::start(&store, ScheduleSettings::default());
    second
        .courier
        .act("slow.example", Act::Takes(Duration::from_secs(60)));
    store.lapse();
    second.done_within(Duration::from_secs(300)).await;
    assert_eq!(second.courier.tried("slow.example").len(), 1);
    assert_eq!(
        lost(&first),
        1,
        "the first is told, and its bounce is not sent"
    );
    assert_eq!(lost(&second), 0);
    let bounces = first
        .diary
        .pick(|_, event| matches!(event, Event::Notified { .. }).then_some(()));
    assert_eq!(bounces.len(), 0);
    first.stop().await;
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_for_a_while_is_asked_again() {
    let world = World::start(&Shelf::new(), ScheduleSettings::default());
    world
        .courier
        .act("no.example", Act::Refuses(Duration::from_millis(50)));
    let refusals = (0..5).map(|count| match count {
        0..3 => StoreError::Unavailable("cut off".to_owned()),
        _ => StoreError::Full("no room".to_owned()),
    });
    world.store.refuse(refusals.collect());
    world
        .enqueue("anna@sender.example", &["bob@no.example"])
        .await;
    world.done_within(Duration::from_secs(300)).await;
    assert_eq!(world.courier.tried("no.example").len(), 1, "not sent again");
    assert_eq!(world.courier.tried("sender.example").len(), 1, "told once");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_settlement_whose_answer_is_lost_is_no_lost_lease() {
    for (name, act, left) in [
        ("done", Act::Refuses(Duration::from_millis(50)), 0),
        (
            "to be tried again",
            Act::Waits(Duration::from_millis(50)),
            1,
        ),
    ] {
        let world = World::start(&Shelf::new(), ScheduleSettings::default());
        world.courier.act("no.example", act);
        world.store.leave_unanswered(1);
        world
            .enqueue("anna@sender.example", &["bob@no.example"])
            .await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(lost(&world), 0, "{name}");
        assert_eq!(world.store.jobs(), left, "{name}");
        let told = world.courier.tried("sender.example").len();
        assert_eq!(told, 1 - left, "{name}: told once");
        let noticed = world
            .diary
            .pick(|_, event| matches!(event, Event::Notified { .. }).then_some(()));
        assert_eq!(noticed.len(), 1 - left, "{name}");
        world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_settlement_that_is_refused_holds_up_no_other() {
    let world = World::start(&Shelf::new(), ScheduleSettings::default());
    // The group is refused, then the first of its members by itself.
    world.store.refuse(vec![
        StoreError::Refused("this one"),
        StoreError::Refused("the group"),
    ]);
    let recipients: Vec<String> = (0..5)
        .map(|number| format!("b@d{number}.example"))
        .collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let message = new_message(world.clock.now(), "", &recipients, None);
    world.store.enqueue(message).await.expect("kept");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.store.jobs(), 1, "the others are done");
    // Its lease runs out, and it is tried again.
    world.done_within(Duration::from_secs(700)).await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_store_ends_the_relay() {
    let store = Shelf::new();
    let world = World::start(&store, ScheduleSettings::default());
    store.refuse(vec![StoreError::Failed("fsync".to_owned())]);
    world.enqueue("", &["bob@a.example"]).await;
    let ended = world.ended().await;
    assert!(matches!(ended, Err(StoreError::Failed(_))), "{ended:?}");
}
