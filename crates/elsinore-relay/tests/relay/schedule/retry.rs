//! When jobs are tried again, given up, and who is told.

use super::fixture::{Act, BEGIN, World};
use super::shelf::Shelf;
use elsinore_dane::rule::Rule;
use elsinore_net::deliver::Outcome;
use elsinore_relay::event::Event;
use elsinore_relay::schedule::{Order, RetrySettings, ScheduleSettings};
use std::time::Duration;

const SOON: Duration = Duration::from_millis(50);
const HOUR: u64 = 3600;

fn hours(count: u64) -> Duration {
    Duration::from_secs(count * HOUR)
}

fn notified(world: &World) -> Vec<(&'static str, u64)> {
    world.diary.pick(|at, event| match event {
        Event::Notified { kind, .. } => Some((*kind, at.as_secs())),
        _ => None,
    })
}

#[tokio::test(start_paused = true)]
async fn pauses_double_and_the_message_expires_with_a_notification() {
    let world = World::start(&Shelf::new(), ScheduleSettings::default());
    world.courier.act("slow.example", Act::Waits(SOON));
    world
        .enqueue("anna@sender.example", &["bob@slow.example"])
        .await;
    world.done_within(hours(24 * 6)).await;
    let tried = world.courier.tried("slow.example");
    let mut least = 300.0;
    for pair in tried.windows(2).take(tried.len() - 2) {
        let pause = (pair[1] - pair[0]).as_secs_f64();
        assert!(
            pause >= least && pause <= least * 1.2 + 3.0,
            "{pause} after {least}"
        );
        least = f64::min(least * 2.0, 14_400.0);
    }
    // The last attempt is made when the time is over.
    let last = tried.last().expect("tried").as_secs();
    assert!((120 * HOUR..120 * HOUR + 60).contains(&last), "{last}");
    let told = notified(&world);
    assert_eq!(told.len(), 2, "{told:?}");
    let (warned, failed) = (told[0], told[1]);
    assert_eq!(warned.0, "delayed");
    assert!((4 * HOUR..9 * HOUR).contains(&warned.1), "{warned:?}");
    assert_eq!(failed.0, "failed");
    assert_eq!(world.courier.tried("sender.example").len(), 2);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn each_recipient_has_its_own_end_and_only_those_that_wait_are_tried_again() {
    let world = World::start(&Shelf::new(), ScheduleSettings::default());
    world.courier.act("mixed.example", Act::ByName);
    let recipients = [
        "ok@mixed.example",
        "later@mixed.example",
        "no@mixed.example",
    ];
    world.enqueue("anna@sender.example", &recipients).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(world.store.jobs(), 1);
    assert_eq!(notified(&world).len(), 1, "of the one that was refused");
    world.courier.act("mixed.example", Act::Takes(SOON));
    world.done_within(hours(1)).await;
    let attempts = world.courier.attempts.lock().expect("no panic").clone();
    let of_mixed: Vec<_> = attempts
        .iter()
        .filter(|one| one.destination == "mixed.example")
        .map(|one| one.recipients.clone())
        .collect();
    assert_eq!(of_mixed, [recipients.to_vec(), vec!["later@mixed.example"]]);
    let outcomes = world.diary.pick(|_, event| match event {
        Event::Recipient {
            recipient, outcome, ..
        } if recipient.ends_with("mixed.example") => Some((recipient.clone(), *outcome)),
        _ => None,
    });
    let wanted = [
        ("ok", Outcome::Delivered),
        ("later", Outcome::Deferred),
        ("no", Outcome::Bounced),
        ("later", Outcome::Delivered),
    ];
    let wanted = wanted.map(|(local, outcome)| (format!("{local}@mixed.example"), outcome));
    assert_eq!(outcomes, wanted);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_told_follows_notify_and_the_reverse_path() {
    /// What becomes of the message, NOTIFY, the sender; what is told, and whether it was dropped.
    type Case = (
        Act,
        Option<&'static str>,
        &'static str,
        &'static [&'static str],
        bool,
    );
    let cases: [Case; 9] = [
        (
            Act::Refuses(SOON),
            None,
            "anna@sender.example",
            &["failed"],
            false,
        ),
        (
            Act::Refuses(SOON),
            Some("NEVER"),
            "anna@sender.example",
            &[],
            false,
        ),
        (
            Act::Refuses(SOON),
            Some("SUCCESS"),
            "anna@sender.example",
            &[],
            false,
        ),
        (Act::Refuses(SOON), None, "", &[], true),
        (
            Act::Takes(SOON),
            Some("SUCCESS"),
            "anna@sender.example",
            &["relayed"],
            false,
        ),
        (Act::Takes(SOON), None, "anna@sender.example", &[], false),
        (
            Act::Waits(SOON),
            Some("FAILURE"),
            "anna@sender.example",
            &["failed"],
            false,
        ),
        (
            Act::Waits(SOON),
            Some("DELAY"),
            "anna@sender.example",
            &["delayed"],
            false,
        ),
        (Act::Waits(SOON), None, "", &[], true),
    ];
    for (act, notify, sender, told, dropped) in cases {
        let name = format!("{act:?} {notify:?} {sender:?}");
        let world = World::start(&Shelf::new(), ScheduleSettings::default());
        world.courier.act("there.example", act);
        world
            .enqueue_with(sender, &["bob@there.example"], notify)
            .await;
        world.done_within(hours(24 * 6)).await;
        let kinds: Vec<&str> = notified(&world).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, told, "{name}");
        let drops = world
            .diary
            .pick(|_, event| matches!(event, Event::Dropped { .. }).then_some(()));
        assert_eq!(!drops.is_empty(), dropped, "{name}");
        world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_tells_of_a_delivery_itself_is_not_spoken_for() {
    let world = World::start(&Shelf::new(), ScheduleSettings::default());
    world.courier.act("there.example", Act::KnowsDsn);
    let (sender, success) = ("anna@sender.example", Some("SUCCESS"));
    world
        .enqueue_with(sender, &["bob@there.example"], success)
        .await;
    world.done_within(hours(1)).await;
    assert_eq!(notified(&world), []);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn trouble_with_our_dns_is_tried_again_soon_and_counts_for_nothing() {
    for (whose, least, most, counted) in [
        // Every minute or a little more.
        (Rule::OurDnsFails, 40, 60, 0),
        // 1, 2, 4, 8, 16 minutes.
        (Rule::TheirDnsFails, 5, 6, 6),
    ] {
        let world = World::start(&Shelf::new(), ScheduleSettings::default());
        world.courier.act("there.example", Act::NoDns(whose));
        world.enqueue("", &["bob@there.example"]).await;
        tokio::time::sleep(Duration::from_secs(50 * 60)).await;
        let tried = world.courier.tried("there.example").len();
        assert!((least..=most).contains(&tried), "{whose:?}: {tried}");
        let standings = world.store.standings();
        assert!(standings[0].2.attempts <= counted, "{standings:?}");
        world.courier.act("there.example", Act::Takes(SOON));
        world.done_within(hours(2)).await;
        world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_double_bounce_goes_to_the_postmaster_and_no_further() {
    let postmaster = "postmaster@home.example";
    let world = World::start_with(&Shelf::new(), ScheduleSettings::default(), |settings| {
        settings.postmaster = Some(postmaster.parse().expect("an address"));
    });
    world.courier.act("there.example", Act::Refuses(SOON));
    world.courier.act("sender.example", Act::Refuses(SOON));
    world.courier.act("home.example", Act::Refuses(SOON));
    world
        .enqueue("anna@sender.example", &["bob@there.example"])
        .await;
    world.done_within(hours(1)).await;
    let kinds: Vec<&str> = notified(&world).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["failed", "postmaster"]);
    assert_eq!(world.courier.tried("home.example").len(), 1);
    let drops = world
        .diary
        .pick(|_, event| matches!(event, Event::Dropped { .. }).then_some(()));
    assert_eq!(drops.len(), 1, "what fails on the way to the postmaster");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_are_tried_in_the_order_in_which_they_become_due() {
    let settings = ScheduleSettings {
        sessions: 1,
        ..ScheduleSettings::default()
    };
    let world = World::start(&Shelf::new(), settings);
    let mut wanted = Vec::new();
    for count in 0..50 {
        let recipient = format!("r{count}@there.example");
        world.enqueue("anna@sender.example", &[&recipient]).await;
        wanted.push(vec![recipient]);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.done_within(hours(1)).await;
    let attempts = world.courier.attempts.lock().expect("no panic").clone();
    let order: Vec<_> = attempts.into_iter().map(|one| one.recipients).collect();
    assert_eq!(order, wanted);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_strands_nothing() {
    let world = World::start(&Shelf::new(), ScheduleSettings::default());
    world.courier.act("slow.example", Act::Waits(SOON));
    world
        .enqueue("anna@sender.example", &["bob@slow.example"])
        .await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.courier.tried("slow.example").len(), 1);
    // A year: without help the job were due in a year.
    world.clock.set(-365 * 86_400);
    tokio::time::sleep(hours(5)).await;
    assert!(world.courier.tried("slow.example").len() >= 2);
    assert!(
        world.store.calls("bring_forward") >= 2,
        "at the start and at the step"
    );
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_forward_returns_nothing() {
    for (name, set_back) in [("for good", false), ("and back", true)] {
        let world = World::start(&Shelf::new(), ScheduleSettings::default());
        world.courier.act("slow.example", Act::Waits(SOON));
        world
            .enqueue("anna@sender.example", &["bob@slow.example"])
            .await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(world.courier.tried("slow.example").len(), 1, "{name}");
        world.clock.set(10 * 365 * 86_400);
        tokio::time::sleep(hours(2)).await;
        if set_back {
            world.clock.set(-10 * 365 * 86_400);
        }
        tokio::time::sleep(hours(110)).await;
        assert!(world.courier.tried("slow.example").len() >= 20, "{name}");
        let failed = |world: &World| notified(world).iter().any(|(kind, _)| *kind == "failed");
        assert!(!failed(&world), "{name}: five days are not over");
        world.done_within(hours(24)).await;
        assert!(failed(&world), "{name}: now they are");
        world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_days_without_a_relay_mail_is_tried_for_hours_before_it_is_returned() {
    let store = Shelf::new();
    let world = World::start(&store, ScheduleSettings::default());
    world.courier.act("slow.example", Act::Waits(SOON));
    world
        .enqueue("anna@sender.example", &["bob@slow.example"])
        .await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.stop().await;
    let world = World::start_later(&store, ScheduleSettings::default(), 6 * 86_400);
    world.courier.act("slow.example", Act::Waits(SOON));
    world.done_within(hours(24)).await;
    let tried = world.courier.tried("slow.example");
    let time = *tried.last().expect("tried") - tried[0];
    assert!(tried.len() >= 3 && time >= hours(6), "{tried:?}");
    assert!(time < hours(15), "{tried:?}");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn due_times_from_a_wrong_clock_are_mended_at_the_start() {
    let store = Shelf::new();
    let world = World::start_later(&store, ScheduleSettings::default(), 10 * 365 * 86_400);
    world
        .enqueue("anna@sender.example", &["bob@slow.example"])
        .await;
    // Due in ten years by the clock of the world that follows.
    world.stop().await;
    let world = World::start(&store, ScheduleSettings::default());
    world.done_within(hours(5)).await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn settings_change_while_it_runs() {
    let world = World::start(&Shelf::new(), ScheduleSettings::default());
    world.courier.act("slow.example", Act::Waits(SOON));
    let short = ScheduleSettings {
        retry: RetrySettings {
            lifetime: Duration::from_secs(900),
            ..RetrySettings::default()
        },
        ..ScheduleSettings::default()
    };
    world.settings.send_replace(short.into());
    world
        .enqueue("anna@sender.example", &["bob@slow.example"])
        .await;
    world.done_within(hours(1)).await;
    assert_eq!(
        notified(&world).last().map(|(kind, _)| *kind),
        Some("failed")
    );
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_program_costs_one_attempt() {
    let world = World::start(&Shelf::new(), ScheduleSettings::default());
    world.courier.act("odd.example", Act::Panics);
    world
        .enqueue("anna@sender.example", &["bob@odd.example"])
        .await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let standings = world.store.standings();
    let last = standings[0].2.last.as_ref().expect("an attempt");
    assert!(
        last.reply.contains("error of this program"),
        "{}",
        last.reply
    );
    world.courier.act("odd.example", Act::Takes(SOON));
    world.done_within(Duration::from_secs(300)).await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_destination_is_tried_by_one_and_the_rest_expires_untried() {
    let world = World::start(&Shelf::new(), ScheduleSettings::default());
    world
        .courier
        .act("dead.example", Act::Dead(Duration::from_secs(30)));
    for count in 0..300 {
        let recipient = format!("r{count}@dead.example");
        world.enqueue("", &[&recipient]).await;
    }
    tokio::time::sleep(hours(24)).await;
    let tried = world.courier.tried("dead.example");
    // Six or so before it is found out, then one after each pause of up to an hour.
    assert!((20..60).contains(&tried.len()), "{}", tried.len());
    assert_eq!(world.store.jobs(), 300);
    for (_, due, ..) in world.store.standings() {
        assert!(
            due <= BEGIN.plus(hours(24 + 5)),
            "put off for too long: {due:?}"
        );
    }
    world.courier.act("dead.example", Act::Takes(SOON));
    world
        .orders
        .send(Order::EndPause(None))
        .await
        .expect("runs");
    world.done_within(hours(6)).await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_never_tried_expires_all_the_same() {
    let world = World::start(&Shelf::new(), ScheduleSettings::default());
    world
        .courier
        .act("dead.example", Act::Dead(Duration::from_secs(30)));
    for count in 0..100 {
        let recipient = format!("r{count}@dead.example");
        world.enqueue("anna@sender.example", &[&recipient]).await;
    }
    // Some were tried so seldom that they are granted some hours more.
    world.done_within(hours(132)).await;
    let kinds: Vec<&str> = notified(&world).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "delayed").count(), 100);
    assert_eq!(kinds.iter().filter(|kind| **kind == "failed").count(), 100);
    let tried = world.courier.tried("dead.example").len();
    assert!(
        tried < 300,
        "{tried} attempts for 100 messages in five days"
    );
    world.stop().await;
}
