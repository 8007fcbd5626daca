//! `cargo xtask bench dns`: lookups by this project's resolver, by the unbound daemon and by
//! libunbound, in the same world and the same run. Everything happens in a network namespace of
//! its own, with the name servers at port 53 of addresses on its loopback interface.

mod contender;
mod load;
mod run;
mod servers;
mod table;

use crate::packages;
use crate::step::{command, messages, step, text_of};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

/// Set in the process that is already inside the namespace.
const INSIDE: &str = "ELSINORE_BENCH_INSIDE";
/// The name of the example with this project's part.
const EXAMPLE: &str = "dns_bench";
/// Packages, and what each is for.
const NEEDED: &[(&str, &str)] = &[
    ("nsd", "serves the world"),
    ("unbound", "the daemon to compare with"),
    ("libunbound-dev", "the library to compare with"),
    ("gcc", "builds the program around it"),
    ("libc6-dev", "builds the program around it"),
    ("iproute2", "addresses on loopback"),
];

/// What to do.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// Domains of the world; four questions each.
    domains: usize,
    /// Lookups under way at one time.
    in_flight: usize,
    /// Rounds of the comparison; the table has the median of each figure.
    rounds: usize,
    /// The one part to run, instead of all.
    only: Option<run::Part>,
}

/// How the task is called.
const USAGE: &str =
    "bench dns [--domains N] [--in-flight N] [--rounds N] [--only compare|cache|dead|many]";

impl Options {
    fn parse(arguments: &[&str]) -> Result<Self> {
        let mut options = Self {
            domains: 30_000,
            in_flight: 512,
            rounds: 1,
            only: None,
        };
        let mut arguments = arguments.iter();
        while let Some(flag) = arguments.next() {
            let value = arguments.next().context(USAGE)?;
            let number = value.parse().ok().filter(|number| *number > 0_usize);
            match (*flag, number) {
                ("--domains", Some(number)) => options.domains = number,
                ("--in-flight", Some(number)) => options.in_flight = number,
                ("--rounds", Some(number)) => options.rounds = number,
                ("--only", _) => options.only = Some(run::Part::parse(value).context(USAGE)?),
                _ => bail!(USAGE),
            }
        }
        // A lookup is told from others by a number of 16 bits.
        if options.in_flight > 30_000 {
            bail!("--in-flight is at most 30000");
        }
        Ok(options)
    }
}

/// Where everything of a run lies.
#[derive(Debug)]
struct Places {
    /// Zones, configurations, questions.
    world: PathBuf,
    /// The example.
    example: PathBuf,
    /// The program around libunbound.
    library: PathBuf,
}

/// Runs the benchmark; the table goes to stdout.
///
/// # Errors
/// When this machine lacks what is needed, or a contender answers wrongly.
pub(super) fn run(arguments: &[&str]) -> Result<()> {
    let options = Options::parse(arguments)?;
    let folder = crate::root().join("target/bench-dns");
    let places = Places {
        world: folder.join("world"),
        example: folder.join(EXAMPLE),
        library: folder.join("libunbound"),
    };
    if std::env::var_os(INSIDE).is_some() {
        return run::run(&options, &places);
    }
    if std::fs::metadata("/proc/self")?.uid() != 0 {
        bail!("bench dns needs root: it makes a network namespace, to have port 53 to itself");
    }
    step("packages", || packages::install(NEEDED))?;
    step("build", || build(&places))?;
    step("world", || {
        // What an earlier run of another size left would be served along.
        if places.world.exists() {
            std::fs::remove_dir_all(&places.world)?;
        }
        let domains = options.domains.to_string();
        command(
            Command::new(&places.example)
                .arg("world")
                .arg(&places.world)
                .arg(&domains),
        )
    })?;
    command(
        Command::new("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child"])
            .arg("--mount-proc")
            .arg(std::env::current_exe()?)
            .args(["bench", "dns"])
            .args(arguments)
            .env(INSIDE, "1"),
    )
}

fn build(places: &Places) -> Result<()> {
    let built = messages(&[
        "build",
        "--release",
        "--package",
        "elsinore-lab",
        "--example",
        EXAMPLE,
    ])?;
    let example = built
        .lines()
        .filter_map(|line| text_of(line, "executable"))
        .find(|path| path.ends_with(EXAMPLE))
        .context("the example was not built")?;
    let folder = places.library.parent().context("no folder")?;
    std::fs::create_dir_all(folder)?;
    // A copy: a build by somebody else must not replace it under the run.
    std::fs::copy(example, &places.example)?;
    let source: OsString = crate::root()
        .join("xtask/src/bench/dns/libunbound.c")
        .into();
    command(
        Command::new("cc")
            .args(["-O2", "-Wall", "-o"])
            .arg(&places.library)
            .arg(source)
            .arg("-lunbound"),
    )
}
