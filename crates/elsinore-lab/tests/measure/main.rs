//! A check on a simulated network: what it asks, how long that takes, and how polite it is.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world has failed"
)]

use elsinore_check::measure::{MeasureSettings, Progress, measure};
use elsinore_check::report::{Offer, SenderKind};
use elsinore_check::sighting::Sighting;
use elsinore_check::world::{LiveSettings, LiveWorld};
use elsinore_dane::name::DomainName;
use elsinore_lab::scenario::{ResolverMode, files};
use elsinore_lab::simulated::{Seen, Setup};
use elsinore_lab::world::World;
use elsinore_net::clock::{Clock, SystemClock};
use elsinore_net::deliver::{Outcome, SessionSecurity};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ROUND_TRIP: Duration = Duration::from_millis(50);

const FOUR: &str = include_str!("four.toml");

struct Run {
    sighting: Sighting,
    setup: Setup,
    round_trips: f64,
    progress: Vec<Progress>,
}

async fn run(adjust: impl FnOnce(&mut LiveSettings, &mut MeasureSettings)) -> Run {
    let scenarios = files::read_all([("four", FOUR)]).unwrap();
    let world = Arc::new(World::build(scenarios, SystemClock.now()).unwrap());
    let scenario = &world.scenarios()[0];
    let (case, mode) = (&scenario.cases[0], ResolverMode::Recursive);
    let setup = Setup::cold(&world, scenario, case, mode, ROUND_TRIP).unwrap();
    let mut live = LiveSettings::new(setup.sender.clone());
    live.pause = Duration::ZERO;
    let mut settings = MeasureSettings::new(setup.sender.clone());
    adjust(&mut live, &mut settings);
    let (resolver, dialer) = (setup.resolver.clone(), setup.dialer.clone());
    let live: Arc<dyn elsinore_check::world::World> =
        Arc::new(LiveWorld::new(live, resolver, dialer, setup.clock.clone()));
    let domain = DomainName::parse("four.example").unwrap();
    let progress = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&progress);
    let begun = tokio::time::Instant::now();
    let sighting = measure(&live, &settings, &domain, &move |step| {
        heard.lock().unwrap().push(step);
    })
    .await;
    let round_trips = begun.elapsed().as_secs_f64() / ROUND_TRIP.as_secs_f64();
    assert_eq!(live.manners().most_at_once, 1);
    let progress = progress.lock().unwrap().clone();
    Run {
        sighting,
        setup,
        round_trips,
        progress,
    }
}

/// Sessions open at once, in all and per address, by what the network saw: a connection is open
/// from its attempt until the last octets to that peer before the next attempt.
fn connects(setup: &Setup) -> HashMap<std::net::SocketAddr, usize> {
    let mut seen = HashMap::new();
    for sighting in setup.network.sightings() {
        if sighting.what == Seen::Connect && sighting.peer.port() == 25 {
            *seen.entry(sighting.peer).or_default() += 1;
        }
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_cold_check_takes_as_long_as_its_slowest_lane() {
    let run = run(|_, _| {}).await;
    let sighting = &run.sighting;
    // Discovery; then, one after the other at one address, a session to its end (TCP, greeting,
    // EHLO, STARTTLS, TLS, EHLO, QUIT), one that ends with the handshake for want of a certificate,
    // one without a server name. The alias has one more: the name that others would send.
    let least = 31.0;
    assert_eq!(least, 5.0 + 7.0 + 5.0 + 7.0 + 7.0);
    assert!(run.round_trips >= least - 0.5, "{}", run.round_trips);
    assert!(run.round_trips < least + 0.5, "{}", run.round_trips);
    let names: Vec<&str> = (sighting.hosts.iter())
        .map(|host| host.mx_host.as_str())
        .collect();
    let expected = ["mx1", "mx2", "mx3", "mx4"].map(|host| format!("{host}.four.example"));
    assert_eq!(names, expected);
    assert_eq!(sighting.hosts[0].addresses.len(), 2);
    let dane = &sighting.senders[0];
    assert_eq!(dane.kind, SenderKind::Dane);
    assert_eq!(dane.end.outcome, Outcome::Delivered);
    assert_eq!(dane.end.security, Some(SessionSecurity::Dane));
    assert_eq!(dane.end.mx_host.as_deref(), Some("mx1.four.example"));
    for other in &sighting.senders[1..] {
        assert_eq!(other.end.outcome, Outcome::Delivered, "{:?}", other.kind);
    }
    // The host with the wrong record: refused by one sender, good enough for the others.
    let wrong = &sighting.hosts[1].addresses[0];
    let security: Vec<bool> = (wrong.verdicts.iter())
        .map(|it| it.security.is_some())
        .collect();
    assert_eq!(security, [false, true, true]);
    let refused = &wrong.sessions[0];
    assert!(refused.tls.is_some() && refused.tls_failure.is_some());
    assert!(!refused.chain.is_empty());
    let last = refused
        .transcript
        .iter()
        .rev()
        .find(|line| line.starts_with("C:"));
    assert_eq!(last.map(String::as_str), Some("C: QUIT"));
    assert!(
        refused
            .transcript
            .iter()
            .all(|line| !line.starts_with("C: MAIL"))
    );
    let offers: Vec<Offer> = wrong.sessions.iter().map(|it| it.offer).collect();
    assert_eq!(offers.len(), 3, "{offers:?}");
    let other = &wrong.sessions[1];
    assert!(
        other.no_such_certificate && other.tls.is_none(),
        "{other:?}"
    );
    // TLSA was asked for at both ends of the alias; the sender asked at one of them.
    let alias = &sighting.hosts[2];
    let asked: Vec<(String, bool)> = (alias.tlsa_lookups.iter())
        .map(|it| (it.base.to_string(), it.asked_by_sender))
        .collect();
    let end = ("real.four.example".to_owned(), true);
    assert_eq!(asked, [end, ("mx3.four.example".to_owned(), false)]);
    // Every session that the network saw is counted.
    let seen: usize = connects(&run.setup).values().sum();
    assert_eq!(usize::try_from(sighting.measured.sessions).unwrap(), seen);
    assert_eq!(sighting.measured.most_sessions_per_address, 1);
    let zones: Vec<&str> = sighting
        .zones
        .iter()
        .map(|zone| zone.apex.as_str())
        .collect();
    assert_eq!(zones, [".", "example", "four.example"]);
    assert!(sighting.servers.iter().all(|zone| !zone.servers.is_empty()));
    let lanes = |step: &&Progress| matches!(step, Progress::LaneDone { .. });
    assert_eq!(run.progress.iter().filter(lanes).count(), 5);
}

#[tokio::test(start_paused = true)]
async fn pauses_and_bounds_are_kept() {
    let patient = run(|live, _| live.pause = Duration::from_secs(1)).await;
    // Three pauses at the address with four sessions.
    let least = 31.0 + 3.0 * 20.0;
    assert!(
        patient.round_trips >= least - 0.5,
        "{}",
        patient.round_trips
    );
    assert!(patient.round_trips < least + 0.5, "{}", patient.round_trips);
    let few = run(|_, settings| settings.most_sessions_per_address = 2).await;
    assert!(connects(&few.setup).values().all(|count| *count <= 2));
    assert_eq!(few.sighting.measured.left_out.len(), 5);
    // One place in the whole process: the lanes take turns, and the result is the same.
    let alone = run(|live, _| live.most_sessions = 1).await;
    let ends = |run: &Run| {
        let senders = run.sighting.senders.iter();
        senders.map(|it| it.end.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ends(&alone), ends(&patient));
    assert!(alone.round_trips > 100.0, "{}", alone.round_trips);
}
