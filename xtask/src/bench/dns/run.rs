//! The run itself, inside the namespace.

use super::contender::{Contender, Cost};
use super::load::OUTCOMES;
use super::servers::{self, LATENESS, Servers};
use super::table::{self, Row};
use super::{Options, Places};
use crate::step::{command, step};
use anyhow::{Result, bail};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Lookups that are to be under way at one time when servers are slow.
const MANY: usize = 20_000;
/// What else is measured of this project's resolver: MB of cache and threads. 128 MB is the default.
const VARIANTS: [(&str, &str, usize); 6] = [
    ("unbounded", "unbounded", 1),
    ("128 MB", "128", 1),
    ("32 MB", "32", 1),
    ("8 MB", "8", 1),
    ("1 MB", "1", 1),
    ("128 MB 2 threads", "128", 2),
];

/// The contenders, in the order of the table.
const CONTENDERS: [&str; 3] = ["elsinore", "unbound", "libunbound"];

/// Measures and prints.
///
/// # Errors
/// When something does not start, or a contender answers wrongly.
pub(super) fn run(options: &Options, places: &Places) -> Result<()> {
    // What NSD writes to /run is gone with the namespace.
    command(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run"]))?;
    servers::add_addresses()?;
    let mut servers = None;
    step("name servers", || {
        servers = Some(Servers::start(&places.world)?);
        Ok(())
    })?;
    let run = Run { options, places };
    for part in Part::ALL {
        if options.only.is_some_and(|only| only != part) {
            continue;
        }
        match part {
            Part::Compare => {
                run.settings()?;
                run.compare()?;
            }
            Part::Cache => run.bounded()?,
            Part::Dead => run.dead()?,
            Part::Many => run.many()?,
        }
    }
    drop(servers);
    Ok(())
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All three, cold and warm.
    Compare,
    /// This project's resolver with a bounded cache, and in two threads.
    Cache,
    /// One dead server.
    Dead,
    /// Many lookups under way.
    Many,
}

impl Part {
    const ALL: [Self; 4] = [Self::Compare, Self::Cache, Self::Dead, Self::Many];

    /// The part of that name.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.word() == word)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Compare => "compare",
            Self::Cache => "cache",
            Self::Dead => "dead",
            Self::Many => "many",
        }
    }
}

struct Run<'a> {
    options: &'a Options,
    places: &'a Places,
}

impl Run<'_> {
    fn world(&self, name: &str) -> PathBuf {
        self.places.world.join(name)
    }

    /// Writes Unbound's settings and prints them: its defaults, but for a cache that holds
    /// everything and room for all that is under way.
    fn settings(&self) -> Result<()> {
        let room = self.options.in_flight * 2;
        let common = format!(
            "server:\n  root-hints: \"{}\"\n  trust-anchor-file: \"{}\"\n  \
             msg-cache-size: 512m\n  rrset-cache-size: 1024m\n  key-cache-size: 256m\n  \
             neg-cache-size: 256m\n  infra-cache-numhosts: 100000\n  \
             outgoing-range: {}\n  num-queries-per-thread: {room}\n",
            self.world("root-hints").display(),
            self.world("trust-anchor").display(),
            room * 2,
        );
        let daemon = format!(
            "{common}  interface: 127.0.0.1\n  num-threads: 1\n  username: \"\"\n  \
             chroot: \"\"\n  directory: \"/run\"\n  pidfile: \"/run/unbound.pid\"\n  \
             use-syslog: no\n  do-daemonize: no\n  do-not-query-localhost: no\n  verbosity: 1\n  \
             so-rcvbuf: 4m\nremote-control:\n  control-enable: no\n"
        );
        println!("Settings of libunbound (all else is its default):\n{common}");
        println!(
            "Settings of the daemon, beside these:\n{}",
            &daemon[common.len()..]
        );
        fs::write(self.world("libunbound.conf"), common)?;
        fs::write(self.world("unbound.conf"), daemon)?;
        Ok(())
    }

    fn elsinore(&self, questions: &str, in_flight: usize, cache: &str) -> Result<Contender> {
        self.elsinore_in(questions, in_flight, cache, 1)
    }

    fn elsinore_in(
        &self,
        questions: &str,
        in_flight: usize,
        cache: &str,
        threads: usize,
    ) -> Result<Contender> {
        Contender::piped(
            Command::new(&self.places.example)
                .arg("ask")
                .arg(&self.places.world)
                .arg(self.world(questions))
                .arg(in_flight.to_string())
                .arg(cache)
                .arg(threads.to_string()),
        )
    }

    fn start(&self, name: &str) -> Result<Contender> {
        let in_flight = self.options.in_flight;
        let questions = self.world("questions");
        match name {
            "unbound" => Contender::daemon(&self.world("unbound.conf"), &questions, in_flight),
            "libunbound" => Contender::piped(
                Command::new(&self.places.library)
                    .arg(self.world("libunbound.conf"))
                    .arg(&questions)
                    .arg(in_flight.to_string()),
            ),
            _ => self.elsinore("questions", in_flight, "unbounded"),
        }
    }

    /// Everyone with an empty cache, then with a full one.
    fn compare(&self) -> Result<()> {
        let mut cold = vec![Vec::new(); CONTENDERS.len()];
        let mut warm = cold.clone();
        for round in 1..=self.options.rounds {
            for (number, name) in CONTENDERS.iter().enumerate() {
                step(&format!("round {round}, {name}"), || {
                    let mut contender = self.start(name)?;
                    cold[number].push(right(name, contender.pass()?)?);
                    warm[number].push(right(name, contender.repeated_pass()?)?);
                    Ok(())
                })?;
            }
        }
        let questions = self.options.domains * 4;
        let outcomes = cold.first().and_then(|costs: &Vec<Cost>| costs.first());
        let counts: Vec<String> = outcomes
            .map(|cost| cost.tally.outcomes.as_slice())
            .unwrap_or_default()
            .iter()
            .zip(OUTCOMES)
            .map(|(count, outcome)| format!("{count} {outcome}"))
            .collect();
        println!(
            "{questions} questions about {} domains, {} under way. All three gave, and should:\n\
             {}\n(S secure, I insecure; D data, N no such data, X no such name; F failure)\n",
            self.options.domains,
            self.options.in_flight,
            counts.join(", ")
        );
        for (title, costs) in [("cold", &cold), ("warm", &warm)] {
            let rows: Vec<Row> = CONTENDERS
                .iter()
                .zip(costs)
                .map(|(name, costs)| Row::new(name, questions, costs))
                .collect();
            table::print(title, &rows);
        }
        Ok(())
    }

    /// What a bounded cache costs, and what a second thread brings.
    fn bounded(&self) -> Result<()> {
        let questions = self.options.domains * 4;
        let mut rows = Vec::new();
        for (name, cache, threads) in VARIANTS {
            step(name, || {
                let mut costs = Vec::new();
                for _ in 0..self.options.rounds {
                    let in_flight = self.options.in_flight;
                    let mut contender = self.elsinore_in("questions", in_flight, cache, threads)?;
                    costs.push(right("elsinore", contender.pass()?)?);
                }
                rows.push(Row::new(name, questions, &costs));
                Ok(())
            })?;
        }
        println!("elsinore, cold, by the megabytes that its cache may take");
        table::print("", &rows);
        Ok(())
    }

    /// One name server of many is dead; a twentieth of all questions need it.
    fn dead(&self) -> Result<()> {
        for questions in ["questions", "questions-dead"] {
            step(questions, || {
                let mut contender =
                    self.elsinore(questions, self.options.in_flight, "unbounded")?;
                let cost = contender.pass()?;
                let failures = cost.tally.outcomes.last().copied().unwrap_or(0);
                let [half, most, all, failure] = cost.latency[..] else {
                    bail!("no latencies");
                };
                let asked: u64 = cost.tally.outcomes.iter().sum();
                println!(
                    "{}: {} questions, {failures} failed ({} should), after {:.1} s at most\n  \
                     the others: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms; all: CPU {:.2} s, \
                     wall {:.1} s",
                    if questions == "questions" {
                        "elsinore cold, all servers alive"
                    } else {
                        "elsinore cold, one server dead"
                    },
                    asked,
                    failures - cost.tally.wrong.min(failures),
                    failure as f64 / 1e6,
                    half as f64 / 1e3,
                    most as f64 / 1e3,
                    all as f64 / 1e3,
                    cost.cpu,
                    cost.wall,
                );
                Ok(())
            })?;
        }
        Ok(())
    }

    /// As many lookups as asked for under way at one time.
    fn many(&self) -> Result<()> {
        step("many lookups", || {
            let mut contender = self.elsinore("questions-slow", MANY, "unbounded")?;
            let cost = contender.pass()?;
            println!(
                "\nelsinore, {MANY} lookups at servers that take {} s, all under way at once:\n  \
                 {} failed, wall {:.1} s, CPU {:.2} s, {} packets, {:.0} MB at most",
                LATENESS.as_secs(),
                cost.tally.wrong,
                cost.wall,
                cost.cpu,
                cost.packets,
                cost.peak as f64 / 1e6,
            );
            Ok(())
        })
    }
}

/// The cost, if every answer was right: a benchmark of wrong answers is void.
fn right(name: &str, cost: Cost) -> Result<Cost> {
    if cost.tally.wrong > 0 {
        bail!("{name}: {} answers are wrong", cost.tally.wrong);
    }
    Ok(cost)
}
