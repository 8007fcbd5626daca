//! `cargo xtask bench policyd`: cached answers per second and core, beside postfix-mta-sts-resolver
//! of PyPI in the same run. Both have everything in their cache before the clock runs; the figure
//! is by the processor time of the server's process, so that the client does not count.

use crate::step::{messages, step, text_of};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The load, an example of elsinore-policyd.
const EXAMPLE: &str = "policyd_bench";
/// The scenarios whose domains are asked about: DANE, MTA-STS, neither.
const SCENARIOS: [&str; 3] = ["dane-ee", "sts-enforce", "unsigned-host"];
const DOMAINS: [&str; 3] = [
    "dane-ee.example",
    "sts-enforce.example",
    "unsigned-host.example",
];
/// The peer and the release that is measured.
const PEER: &str = "postfix-mta-sts-resolver==1.5.1";
/// Connections, and requests on the way on each.
const LOADS: [(usize, usize); 3] = [(1, 1), (8, 1), (8, 32)];
/// Seconds per load.
const SECONDS: &str = "5";
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Builds, starts both, and prints a table to stdout.
///
/// # Errors
/// When ours cannot be built or run; a peer that cannot be had is named and left out.
pub(crate) fn run() -> Result<()> {
    let mut built = Vec::new();
    step("build", || {
        built = build()?;
        Ok(())
    })?;
    let executable = |name: &str| {
        let found = built.iter().find(|path| path.ends_with(name));
        found.with_context(|| format!("{name} was not built"))
    };
    let (program, load) = (executable("elsinore")?, executable(EXAMPLE)?);
    let folder = crate::root().join("target/bench-policyd");
    std::fs::create_dir_all(&folder)?;
    println!(
        "server\tconnections\tpipelined\tanswers/s\tanswers/s and core\tserver cores\tclient cores"
    );
    // On its real addresses, in a network namespace, because the peer knows no address map; both
    // resolve within it.
    let mut lab = Command::new(program);
    lab.args(["lab", "up", "--real"]).args(SCENARIOS);
    let (_lab, [config, inside]) = start(
        &mut lab,
        ["export ELSINORE_CONFIG=", "ip netns exec "],
        Output::Stdout,
    )?;
    let namespace = inside.split(' ').next().unwrap_or_default().to_owned();
    let place = Place { load, namespace };
    {
        let mut policyd = place.command(program);
        policyd
            .args(["--config", &config, "--state-dir"])
            .arg(folder.join("state"))
            .args([
                "policyd",
                "--listen",
                "127.0.0.1:0",
                "--http",
                "127.0.0.1:0",
            ]);
        let (policyd, [at]) = start(&mut policyd, ["listening on inet:"], Output::Stderr)?;
        place.measure("elsinore policyd", &policyd, &at)?;
    }
    match peer(&place, &folder) {
        Ok((peer, at)) => place.measure(PEER, &peer, &at),
        Err(error) => {
            println!("{PEER}\tleft out: {error:#}");
            Ok(())
        }
    }
}

fn build() -> Result<Vec<PathBuf>> {
    let arguments = [
        "build",
        "--release",
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

    fn measure(&self, name: &str, server: &Server, at: &str) -> Result<()> {
        for (connections, pipelined) in LOADS {
            let output = self
                .command(self.load)
                .args([at, &server.0.id().to_string(), SECONDS])
                .args([connections.to_string(), pipelined.to_string()])
                .args(DOMAINS)
                .output()?;
            if !output.status.success() {
                bail!("{name}: {}", String::from_utf8_lossy(&output.stderr));
            }
            let figures = String::from_utf8_lossy(&output.stdout);
            print!("{name}\t{connections}\t{pipelined}\t{figures}");
        }
        Ok(())
    }

    /// Whether somebody listens at an address inside.
    fn listens(&self, at: &str) -> bool {
        let output = self.command(Path::new("ss")).args(["-Hltn"]).output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(at))
    }
}

/// The peer in a virtual environment of its own. It knows MTA-STS alone and does not trust the lab's
/// authority, so it answers from its cache that there is no policy; nothing it says is compared.
fn peer(place: &Place<'_>, folder: &Path) -> Result<(Server, String)> {
    let venv = folder.join("venv");
    let program = venv.join("bin/mta-sts-daemon");
    if !program.exists() {
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let pip = venv.join("bin/pip");
        succeed(Command::new(pip).args(["install", "--quiet", PEER]))?;
    }
    // The namespace is ours alone.
    let port = 8461;
    let config = folder.join("mta-sts-daemon.yml");
    std::fs::write(
        &config,
        format!(
            "host: 127.0.0.1\nport: {port}\nreuse_port: false\nshutdown_timeout: 5\n\
             cache:\n  type: internal\n  options:\n    cache_size: 10000\n\
             proactive_policy_fetching:\n  enabled: false\n\
             default_zone:\n  strict_testing: false\n  timeout: 2\n"
        ),
    )?;
    let child = place
        .command(&program)
        .arg("--config")
        .arg(&config)
        .args(["--verbosity", "ERROR"])
        .stdin(Stdio::null())
        .spawn()?;
    let server = Server(child);
    let at = format!("127.0.0.1:{port}");
    let begun = Instant::now();
    while !place.listens(&at) {
        if begun.elapsed() > PATIENCE {
            bail!("it does not listen");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok((server, at))
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{}", error.lines().last().unwrap_or("it fails"));
    }
    Ok(())
}
