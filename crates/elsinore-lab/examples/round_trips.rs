//! Counts the sequential round trips of a cold delivery in a simulated network and prints them
//! beside the fewest that the protocols force:
//!
//! `cargo run --release -p elsinore-lab --example round_trips`

use elsinore_dane::time::UnixTime;
use elsinore_lab::scenario::{ResolverMode, files};
use elsinore_lab::simulated::{Phase, measure};
use elsinore_lab::world::World;
use elsinore_net::clock::{Clock, SystemClock};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// The latency of the simulated network.
const ROUND_TRIP: Duration = Duration::from_millis(50);

/// What is measured, and the fewest round trips of its discovery.
///
/// Recursive: root, top-level domain and the domain's own server for MX (keys are asked for beside
/// them), then addresses, then TLSA. AD bit: MX, addresses, TLSA. With a policy: TXT is asked for
/// beside MX, then the policy host's address, TCP, TLS and HTTPS one after the other. Forward: as
/// for the AD bit, every DS and key being asked for beside the data it vouches for.
const MEASURED: [(&str, ResolverMode, f64); 4] = [
    ("dane-ee", ResolverMode::Recursive, 5.0),
    ("dane-ee", ResolverMode::Forward, 3.0),
    ("dane-ee", ResolverMode::Ad, 3.0),
    ("sts-enforce", ResolverMode::Recursive, 7.0),
];

/// TCP; greeting, EHLO, STARTTLS; TLS 1.3; EHLO, MAIL with RCPT, the message with QUIT.
///
/// DATA forces the wait between RCPT and the message (RFC 2920 §3.1). BDAT would not, but we wait
/// there too: were the message on its way before a recipient is accepted, a connection lost in
/// between would leave open whether it was delivered, and no other host could be tried.
const SESSION: [f64; 4] = [1.0, 3.0, 1.0, 3.0];

fn main() -> Result<(), Box<dyn Error>> {
    let now: UnixTime = SystemClock.now();
    println!("Sequential round trips of a cold delivery, counted by the network (50 ms each)\n");
    println!("{:34} {:>9} {:>9}", "", "counted", "minimum");
    for (id, mode, discovery) in MEASURED {
        let mut scenarios = files::embedded()?;
        scenarios.retain(|scenario| scenario.id == id);
        let world = Arc::new(World::build(scenarios, now)?);
        let scenario = world.scenarios().first().ok_or("no such scenario")?;
        let case = scenario.cases.first().ok_or("no case")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()?;
        let measured = runtime.block_on(measure(&world, scenario, case, mode, ROUND_TRIP))?;
        println!(
            "{id}, {} ({}, {} DNS queries)",
            mode.word(),
            measured.outcome,
            measured.queries
        );
        let minimum = [[discovery].as_slice(), &SESSION].concat();
        for ((phase, counted), minimum) in Phase::ALL.iter().zip(measured.round_trips).zip(&minimum)
        {
            println!("  {:32} {counted:>9.1} {minimum:>9.1}", phase.word());
        }
        let least: f64 = minimum.iter().sum();
        println!("  {:32} {:>9.1} {least:>9.1}\n", "all", measured.total());
    }
    Ok(())
}
