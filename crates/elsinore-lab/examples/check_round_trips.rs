//! Counts the sequential round trips of a cold check of a domain with four MX hosts and prints them
//! beside the fewest that its slowest lane forces:
//!
//! `cargo run --release -p elsinore-lab --example check_round_trips`

use elsinore_check::measure::{MeasureSettings, measure};
use elsinore_check::world::{LiveSettings, LiveWorld, World as CheckWorld};
use elsinore_dane::name::DomainName;
use elsinore_lab::scenario::{ResolverMode, files};
use elsinore_lab::simulated::Setup;
use elsinore_lab::world::World;
use elsinore_net::clock::{Clock, SystemClock};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The latency of the simulated network.
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// Root, top-level domain and the domain's own server for MX, then addresses, then TLSA.
const DISCOVERY: f64 = 5.0;
/// TCP; greeting, EHLO, STARTTLS; TLS; EHLO; QUIT.
const SESSION: f64 = 7.0;
/// The same to the refusal of the handshake, where the server has no certificate of that kind.
const REFUSED: f64 = 5.0;

/// Pause between two sessions to one address; then the sessions of the slowest lane, the alias: what
/// the sender does, the other algorithm, no server name, the name that others send.
const PAUSES: [Duration; 2] = [Duration::ZERO, Duration::from_secs(1)];

fn main() -> Result<(), Box<dyn Error>> {
    println!("Sequential round trips of a cold check of four MX hosts (50 ms each)\n");
    println!("{:34} {:>9} {:>9}", "", "counted", "minimum");
    for pause in PAUSES {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()?;
        let (counted, sessions, questions) = runtime.block_on(check(pause))?;
        let waits = 3.0 * pause.as_secs_f64() / ROUND_TRIP.as_secs_f64();
        let minimum = DISCOVERY + 3.0 * SESSION + REFUSED + waits;
        let title = format!("pause of {} s", pause.as_secs());
        println!("{title:34} {counted:>9.1} {minimum:>9.1}");
        println!("  {sessions} sessions, {questions} questions to DNS");
    }
    Ok(())
}

async fn check(pause: Duration) -> Result<(f64, u32, u32), Box<dyn Error>> {
    let text = include_str!("../tests/measure/four.toml");
    let scenarios = files::read_all([("four.toml", text)])?;
    let world = Arc::new(World::build(scenarios, SystemClock.now())?);
    let scenario = world.scenarios().first().ok_or("no scenario")?;
    let case = scenario.cases.first().ok_or("no case")?;
    let mode = ResolverMode::Recursive;
    let setup = Setup::cold(&world, scenario, case, mode, ROUND_TRIP)?;
    let live = LiveSettings {
        pause,
        ..LiveSettings::new(setup.sender.clone())
    };
    let live = LiveWorld::new(
        live,
        Arc::clone(&setup.resolver),
        Arc::clone(&setup.dialer),
        Arc::clone(&setup.clock),
    );
    let live: Arc<dyn CheckWorld> = Arc::new(live);
    let settings = MeasureSettings::new(setup.sender.clone());
    let domain = DomainName::parse("four.example")?;
    let begun = Instant::now();
    let sighting = measure(&live, &settings, &domain, &|_| {}).await;
    let trips = begun.elapsed().as_secs_f64() / ROUND_TRIP.as_secs_f64();
    let measured = sighting.measured;
    Ok((trips, measured.sessions, measured.questions))
}
