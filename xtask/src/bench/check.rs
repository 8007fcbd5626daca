//! `cargo xtask bench check`: how many sequential round trips a cold check takes, and how many domains
//! one command can check in how much memory, with how many sessions open at once.

use super::lab::{Lab, peak};
use crate::step::{command, messages, step, text_of};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How the task is called.
const USAGE: &str = "bench check [--domains N] [--sessions N] [--profile NAME]";
/// The example that counts round trips.
const EXAMPLE: &str = "check_round_trips";
/// The program.
const PROGRAM: &str = "elsinore";
/// Mail servers that the domains share.
const RECEIVERS: usize = 100;
/// How often the kernel is asked for the memory.
const INTERVAL: Duration = Duration::from_millis(2);

/// What to do.
struct Options {
    domains: usize,
    sessions: usize,
    profile: String,
}

impl Options {
    fn parse(arguments: &[&str]) -> Result<Self> {
        let mut options = Self {
            domains: 1_000,
            sessions: 32,
            profile: "release".to_owned(),
        };
        let mut arguments = arguments.iter();
        while let Some(flag) = arguments.next() {
            let value = arguments.next().context(USAGE)?;
            match *flag {
                "--domains" => options.domains = value.parse().context(USAGE)?,
                "--sessions" => options.sessions = value.parse().context(USAGE)?,
                "--profile" => options.profile = (*value).to_owned(),
                _ => bail!(USAGE),
            }
        }
        Ok(options)
    }
}

/// Runs both parts; results go to stdout.
///
/// # Errors
/// When something cannot be built or run, or a bound is not kept.
pub(super) fn run(arguments: &[&str]) -> Result<()> {
    let options = Options::parse(arguments)?;
    let mut built = BTreeMap::new();
    step("build", || {
        built = build(&options.profile)?;
        Ok(())
    })?;
    let executable = |name: &str| built.get(name).with_context(|| format!("no {name} built"));
    command(&mut Command::new(executable(EXAMPLE)?))?;
    println!();
    many(executable(PROGRAM)?, &options)
}

fn build(profile: &str) -> Result<BTreeMap<String, PathBuf>> {
    let arguments = [
        "build",
        "--profile",
        profile,
        "--bin",
        PROGRAM,
        "--example",
        EXAMPLE,
        "--package",
        "elsinore",
        "--package",
        "elsinore-lab",
    ];
    let built = messages(&arguments)?;
    let executables = built.lines().filter_map(|line| {
        let executable = text_of(line, "executable")?;
        let name = executable.rsplit('/').next()?;
        Some((name.to_owned(), PathBuf::from(executable)))
    });
    Ok(executables.collect())
}

/// One command for many domains of one lab.
fn many(program: &Path, options: &Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("elsinore-bench-check-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = many_in(&folder, program, options);
    std::fs::remove_dir_all(&folder).with_context(|| format!("{} stays", folder.display()))?;
    outcome
}

fn many_in(folder: &Path, program: &Path, options: &Options) -> Result<()> {
    std::fs::write(folder.join("many.toml"), scenario(options.domains))?;
    let list = folder.join("domains.txt");
    let names: String = (0..options.domains)
        .map(|n| format!("d{n}.example\n"))
        .collect();
    std::fs::write(&list, names)?;
    let lab = Lab::up(program, &["--dir", &folder.display().to_string()])?;
    let begun = Instant::now();
    let mut check = Command::new(program)
        .arg("--config")
        .arg(&lab.configuration)
        .args(["--format", "jsonl", "check", "--pause", "0"])
        .args(["--sessions", &options.sessions.to_string(), "--from"])
        .arg(&list)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let output = BufReader::new(check.stdout.take().context("no stdout")?);
    let status = PathBuf::from(format!("/proc/{}/status", check.id()));
    let over = AtomicBool::new(false);
    let (most_memory, told) = thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut most = 0;
            while !over.load(Ordering::SeqCst) {
                most = most.max(peak(&status));
                thread::sleep(INTERVAL);
            }
            most
        });
        let told = Told::read(output);
        over.store(true, Ordering::SeqCst);
        (watching.join().unwrap_or(0), told)
    });
    let told = told?;
    check.wait()?;
    println!(
        "{} domains in one command, at most {} sessions",
        options.domains, options.sessions
    );
    for (state, count) in &told.states {
        println!("  {count} {state}");
    }
    println!("  {:.1} s in all", begun.elapsed().as_secs_f64());
    println!(
        "  {} sessions, at most {} open at once",
        told.sessions, told.most_sessions
    );
    println!(
        "  {:.1} MB resident at most",
        most_memory as f64 * 1024.0 / 1e6
    );
    let reports: usize = told.states.values().sum();
    if reports != options.domains {
        bail!("{reports} reports for {} domains", options.domains);
    }
    if told.most_sessions > options.sessions {
        bail!("more sessions were open than allowed");
    }
    Ok(())
}

/// What the reports say.
#[derive(Default)]
struct Told {
    states: BTreeMap<String, usize>,
    sessions: usize,
    most_sessions: usize,
}

impl Told {
    fn read(output: impl BufRead) -> Result<Self> {
        let mut told = Self::default();
        for line in output.lines() {
            let line = line?;
            let Some(state) = text_of(&line, "state") else {
                continue;
            };
            *told.states.entry(state.to_owned()).or_default() += 1;
            told.sessions += number_of(&line, "sessions").unwrap_or(0);
            let most = number_of(&line, "most_sessions").unwrap_or(0);
            told.most_sessions = told.most_sessions.max(most);
        }
        Ok(told)
    }
}

/// The number of the last field of that name: what was measured stands at the end of a report.
fn number_of(line: &str, field: &str) -> Option<usize> {
    let key = format!("\"{field}\":");
    let (_, rest) = line.rsplit_once(key.as_str())?;
    let rest = rest.trim_start();
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Domains `d0.example` and so on, each a signed zone of its own with one MX host.
fn scenario(domains: usize) -> String {
    let mut text = String::from("[[scenario]]\nid = \"many\"\ntitle = \"Many domains\"\n");
    text.push_str("shows = [\"RFC 7672 §2.2\"]\n");
    for number in 0..domains {
        let host = number % RECEIVERS;
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[[scenario.zone]]\nname = \"d{number}.example\"\nrecords = \"\"\"\n\
             @           MX   10 mx\n\
             mx          A    {{mx{host}}}\n\
             _25._tcp.mx TLSA {{tlsa 3 1 1 mx{host}}}\n\"\"\"\n"
        );
    }
    for host in 0..RECEIVERS.min(domains) {
        let _ = write!(text, "[[scenario.receiver]]\nname = \"mx{host}\"\n");
    }
    text.push_str("[[scenario.case]]\nmodes = [\"recursive\"]\n");
    text.push_str("expect = { outcome = \"delivered\", security = \"dane\" }\n");
    text
}
