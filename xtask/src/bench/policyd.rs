//! `cargo xtask bench policyd`: cached answers per second and core, beside postfix-mta-sts-resolver
//! of PyPI in the same run. Both have what they are asked for in their cache before the clock runs, and
//! every answer is held against the one that it must be. The figure is by the processor time of the
//! server's process, so that the client does not count.
//!
//! The peer knows MTA-STS alone and does not keep that a domain has none, so the two are compared by a
//! domain with an *enforce* policy; ours is also asked about one with DANE and one with neither.

use crate::step::{messages, step, text_of};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The load, an example of elsinore-policyd.
const EXAMPLE: &str = "policyd_bench";
/// The scenarios that the lab serves.
const SCENARIOS: [&str; 3] = ["dane-ee", "sts-enforce", "unsigned-host"];
/// What both can answer, and how the answer begins.
const STS: &[&str] = &["sts-enforce.example=OK secure match=mx.sts-enforce.example"];
/// What ours answers: DANE, MTA-STS, neither.
const ALL: &[&str] = &[
    "dane-ee.example=OK dane-only",
    "sts-enforce.example=OK secure match=mx.sts-enforce.example",
    "unsigned-host.example=OK may",
];
/// The peer and the release that is measured, with the event loop that it takes when it finds it.
const PEER: &str = "postfix-mta-sts-resolver==1.5.1";
const EVENT_LOOP: &str = "uvloop";
/// Connections, and requests on the way on each. Postfix never has more than one on the way.
const LOADS: [(usize, usize); 3] = [(1, 1), (8, 1), (8, 32)];
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is asked of the benchmark.
struct Wish {
    profile: String,
    /// Per load.
    seconds: u32,
}

impl Wish {
    fn parse(arguments: &[&str]) -> Result<Self> {
        let mut wish = Self {
            profile: "release".to_owned(),
            seconds: 5,
        };
        for pair in arguments.chunks(2) {
            match *pair {
                ["--profile", profile] => profile.clone_into(&mut wish.profile),
                ["--seconds", seconds] => {
                    wish.seconds = seconds
                        .parse()
                        .ok()
                        .filter(|seconds| (1..=3600).contains(seconds))
                        .context("--seconds: not between 1 and 3600")?;
                }
                _ => bail!("bench policyd [--profile NAME] [--seconds N], not {pair:?}"),
            }
        }
        Ok(wish)
    }
}

/// Builds, starts both, and prints a table to stdout.
///
/// # Errors
/// When ours cannot be built or run, or either answers wrongly; a peer that cannot be had is named and
/// left out.
pub(super) fn run(arguments: &[&str]) -> Result<()> {
    let wish = Wish::parse(arguments)?;
    crate::packages::install(&[("iproute2", "the network namespace of lab up --real")])?;
    let mut built = Vec::new();
    step("build", || {
        built = build(&wish.profile)?;
        Ok(())
    })?;
    let executable = |name: &str| {
        let found = built.iter().find(|path| path.ends_with(name));
        found.with_context(|| format!("{name} was not built"))
    };
    let (program, load) = (executable("elsinore")?, executable(EXAMPLE)?);
    let folder = crate::root().join("target/bench-policyd");
    std::fs::create_dir_all(&folder)?;
    // On its real addresses, in a network namespace, because the peer knows no address map; both
    // resolve within it.
    let mut lab = Command::new(program);
    lab.args(["lab", "up", "--real"]).args(SCENARIOS);
    let (_lab, [config, inside]) = start(
        &mut lab,
        ["export ELSINORE_CONFIG=", "ip netns exec "],
        Output::Stdout,
    )?;
    let place = Place {
        load,
        namespace: inside.split(' ').next().unwrap_or_default().to_owned(),
        seconds: wish.seconds.to_string(),
    };
    println!("profile {}, {} s per load", wish.profile, wish.seconds);
    println!(
        "server\tasked about\tconnections\tpipelined\tanswers/s\tµs of processor per answer\t\
         answers/s and core\tserver cores\tclient cores"
    );
    let ours = {
        let mut policyd = place.command(program);
        // A state folder of its own: nothing is known before.
        let state = emptied(&folder.join("state"))?;
        policyd
            .args(["--config", &config, "--state-dir"])
            .arg(&state)
            .args([
                "policyd",
                "--listen",
                "127.0.0.1:0",
                "--http",
                "127.0.0.1:0",
            ]);
        let (policyd, [at]) = start(&mut policyd, ["listening on inet:"], Output::Stderr)?;
        place.measure("elsinore policyd", "all", &policyd, &at, ALL)?;
        place.measure("elsinore policyd", "sts", &policyd, &at, STS)?
    };
    let authority = Path::new(&config).with_file_name("ca.pem");
    let (peer, at) = match peer(&place, &folder, &authority) {
        Ok(started) => started,
        Err(error) => {
            println!("{PEER}\tleft out: {error:#}");
            return Ok(());
        }
    };
    let theirs = place.measure(PEER, "sts", &peer, &at, STS)?;
    println!("processor time per answer, ours / {PEER}, asked about sts");
    for ((load, ours), theirs) in LOADS.iter().zip(&ours).zip(&theirs) {
        println!("{}\t{}\t{:.4}", load.0, load.1, ours / theirs);
    }
    Ok(())
}

/// A folder with nothing in it.
fn emptied(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    Ok(folder.to_owned())
}

fn build(profile: &str) -> Result<Vec<PathBuf>> {
    let arguments = [
        "build",
        "--profile",
        profile,
        "--package",
        "elsinore",
        "--bin",
        "elsinore",
        "--package",
        "elsinore-policyd",
        "--example",
        EXAMPLE,
    ];
    Ok(messages(&arguments)?
        .lines()
        .filter_map(|line| text_of(line, "executable"))
        .map(PathBuf::from)
        .collect())
}

/// A server, until it is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        let pid = self.0.id().to_string();
        // The lab removes its folder when it is told to end.
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.0.wait();
    }
}

#[derive(Clone, Copy)]
enum Output {
    Stdout,
    Stderr,
}

/// Starts a program of ours and gives what stands behind each of `marks` in its output.
fn start<const N: usize>(
    command: &mut Command,
    marks: [&str; N],
    output: Output,
) -> Result<(Server, [String; N])> {
    command.stdin(Stdio::null()).env_remove("ELSINORE_CONFIG");
    match output {
        Output::Stdout => command.stdout(Stdio::piped()),
        Output::Stderr => command.stderr(Stdio::piped()),
    };
    let mut server = Server(command.spawn()?);
    let reader: Box<dyn std::io::Read + Send> = match output {
        Output::Stdout => Box::new(server.0.stdout.take().context("no pipe")?),
        Output::Stderr => Box::new(server.0.stderr.take().context("no pipe")?),
    };
    let mut lines = BufReader::new(reader).lines();
    let mut found = [const { String::new() }; N];
    for line in lines.by_ref() {
        let line = line?;
        for (mark, found) in marks.iter().zip(&mut found) {
            if let Some((_, rest)) = line.split_once(mark) {
                rest.trim().clone_into(found);
            }
        }
        if found.iter().all(|found| !found.is_empty()) {
            // The pipe must not fill.
            std::thread::spawn(move || lines.for_each(drop));
            return Ok((server, found));
        }
    }
    bail!("{command:?} ended early");
}

/// Where everything runs.
struct Place<'a> {
    load: &'a Path,
    namespace: String,
    seconds: String,
}

impl Place<'_> {
    /// A command inside the lab.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace])
            .arg(program);
        command
    }

    /// Prints a line per load, and gives the processor time per answer of each.
    fn measure(
        &self,
        name: &str,
        about: &str,
        server: &Server,
        at: &str,
        domains: &[&str],
    ) -> Result<Vec<f64>> {
        let mut times = Vec::new();
        for (connections, pipelined) in LOADS {
            let output = self
                .command(self.load)
                .args([at, &server.0.id().to_string(), &self.seconds])
                .args([connections.to_string(), pipelined.to_string()])
                .args(domains)
                .output()?;
            if !output.status.success() {
                bail!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
            }
            let figures = String::from_utf8_lossy(&output.stdout);
            print!("{name}\t{about}\t{connections}\t{pipelined}\t{figures}");
            let time = figures.split('\t').nth(1);
            let time = time.and_then(|time| time.parse().ok());
            times.push(time.with_context(|| format!("{EXAMPLE} said {figures:?}"))?);
        }
        Ok(times)
    }

    /// Whether somebody listens at an address inside.
    fn listens(&self, at: &str) -> bool {
        let output = self.command(Path::new("ss")).args(["-Hltn"]).output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(at))
    }
}

/// The peer in a virtual environment of its own, trusting the lab's authority.
fn peer(place: &Place<'_>, folder: &Path, authority: &Path) -> Result<(Server, String)> {
    let venv = folder.join("venv");
    let (program, event_loop) = (venv.join("bin/mta-sts-daemon"), venv.join("with-uvloop"));
    if !(program.exists() && event_loop.exists()) {
        crate::packages::install(&[("python3-venv", "the peer's environment")])?;
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let pip = venv.join("bin/pip");
        succeed(Command::new(pip).args(["install", "--quiet", PEER, EVENT_LOOP]))?;
        std::fs::write(event_loop, "")?;
    }
    // The namespace is ours alone.
    let port = 8461;
    let config = folder.join("mta-sts-daemon.yml");
    std::fs::write(
        &config,
        // The cache counts for longer than all loads take.
        format!(
            "host: 127.0.0.1\nport: {port}\nshutdown_timeout: 5\n\
             cache_grace: 86400\ncache:\n  type: internal\n  options:\n    cache_size: 10000\n\
             proactive_policy_fetching:\n  enabled: false\n\
             default_zone:\n  strict_testing: false\n  timeout: 4\n"
        ),
    )?;
    let child = place
        .command(&program)
        .arg("--config")
        .arg(&config)
        .args(["--verbosity", "error"])
        .env("SSL_CERT_FILE", authority)
        .stdin(Stdio::null())
        .spawn()?;
    let mut server = Server(child);
    let at = format!("127.0.0.1:{port}");
    let begun = Instant::now();
    while !place.listens(&at) {
        if let Some(status) = server.0.try_wait()? {
            bail!("it ended at once: {status}");
        }
        if begun.elapsed() > PATIENCE {
            bail!("it does not listen");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok((server, at))
}

/// Runs a command that is quiet when all is well.
fn succeed(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        let said = [output.stderr, output.stdout].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
        bail!("{command:?}: {}", last.unwrap_or("it fails"));
    }
    Ok(())
}
