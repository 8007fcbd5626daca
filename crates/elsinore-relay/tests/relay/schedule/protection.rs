//! A destination that was authenticated and no longer is.

use super::fixture::{Act, World};
use super::shelf::Shelf;
use elsinore_net::deliver::SessionSecurity;
use elsinore_relay::event::Event;
use elsinore_relay::schedule::ScheduleSettings;
use std::time::Duration;

async fn send(world: &World, security: SessionSecurity) {
    world.courier.act("there.example", Act::Secured(security));
    world.enqueue("", &["bob@there.example"]).await;
    world.done_within(Duration::from_secs(60)).await;
    // What was achieved is compared after the end of the job was written.
    tokio::time::sleep(Duration::from_secs(1)).await;
}

fn lost(world: &World) -> Vec<(SessionSecurity, SessionSecurity)> {
    world.diary.pick(|_, event| match event {
        Event::ProtectionLost { was, is, .. } => Some((*was, *is)),
        _ => None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_told_once_and_remembered_over_restarts() {
    let store = Shelf::new();
    let world = World::start(&store, ScheduleSettings::default());
    for _ in 0..20 {
        send(&world, SessionSecurity::Dane).await;
    }
    assert_eq!(store.calls("record"), 1, "written once for all");
    assert_eq!(store.calls("records"), 1, "asked for once");
    assert_eq!(lost(&world), []);
    world.stop().await;
    let world = World::start(&store, ScheduleSettings::default());
    let loss = (SessionSecurity::Dane, SessionSecurity::Encrypted);
    send(&world, SessionSecurity::Encrypted).await;
    send(&world, SessionSecurity::Encrypted).await;
    assert_eq!(lost(&world), [loss]);
    world.stop().await;
    let world = World::start(&store, ScheduleSettings::default());
    send(&world, SessionSecurity::Encrypted).await;
    assert_eq!(lost(&world), [], "told before");
    world.stop().await;
}
