//! `elsinore lab`: a small signed Internet on loopback, its scenarios and their verdicts.

use crate::cli::Format;
use crate::exit::Refusal;
use crate::network::block_on;
use crate::output;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use elsinore_dane::time::UnixTime;
use elsinore_lab::run::{self, CaseResult};
use elsinore_lab::running::{Placement, Running};
use elsinore_lab::scenario::{Scenario, files};
use elsinore_lab::up::{self, LabFolder, Namespace};
use elsinore_lab::world::{VALIDATING_RESOLVER, World};
use elsinore_net::clock::{Clock, SystemClock};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What `elsinore lab` takes.
#[derive(Debug, Args)]
pub(crate) struct LabArguments {
    #[command(subcommand)]
    command: LabCommand,
}

#[derive(Debug, Subcommand)]
enum LabCommand {
    /// List the scenarios: what each is and which rule it shows.
    List(Selection),
    /// Run scenarios as `send` would, and compare with what is expected.
    Run(Selection),
    /// Keep the lab running for other commands and programs.
    Up(UpArguments),
}

/// Which scenarios.
#[derive(Debug, Args)]
struct Selection {
    /// Scenario files of this folder instead of the built-in ones.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Scenarios by id; all when absent.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

#[derive(Debug, Args)]
struct UpArguments {
    /// Use the addresses and ports as they are, in a network namespace of its own (needs root and
    /// iproute2), for software that knows no address map.
    #[arg(long)]
    real: bool,
    /// Internal: already in the namespace, write into this folder.
    #[arg(long, hide = true, value_name = "FOLDER", requires = "namespace")]
    inside: Option<PathBuf>,
    /// Internal: the name of the namespace.
    #[arg(long, hide = true, value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    selection: Selection,
}

/// Runs the command.
pub(crate) fn run(arguments: LabArguments, format: Format) -> Result<ExitCode> {
    match arguments.command {
        LabCommand::List(selection) => list(&selection, format),
        LabCommand::Run(selection) => run_scenarios(&selection, format),
        LabCommand::Up(arguments) => up(arguments),
    }
}

impl Selection {
    fn scenarios(&self) -> Result<Vec<Scenario>> {
        let mut all = match &self.dir {
            Some(folder) => files::folder(folder),
            None => files::embedded(),
        }
        .map_err(|error| Refusal::unusable_input(error.to_string()))?;
        for id in &self.ids {
            if !all.iter().any(|scenario| &scenario.id == id) {
                return Err(Refusal::usage(format!(
                    "lab: there is no scenario \"{id}\"; see elsinore lab list"
                )));
            }
        }
        if !self.ids.is_empty() {
            all.retain(|scenario| self.ids.contains(&scenario.id));
        }
        if all.is_empty() {
            return Err(Refusal::unusable_input("lab: the folder has no scenario"));
        }
        Ok(all)
    }

    fn world(&self, now: UnixTime) -> Result<Arc<World>> {
        let world = World::build(self.scenarios()?, now)
            .map_err(|error| Refusal::unusable_input(error.to_string()))?;
        Ok(Arc::new(world))
    }
}

fn list(selection: &Selection, format: Format) -> Result<ExitCode> {
    let scenarios = selection.scenarios()?;
    let mut out = std::io::stdout().lock();
    if format == Format::Human {
        for scenario in &scenarios {
            writeln!(out, "{}", scenario.id)?;
            writeln!(out, "    {}", scenario.title)?;
            writeln!(out, "    {}", scenario.shows.join(", "))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let listed: Vec<serde_json::Value> = (scenarios.iter())
        .map(|scenario| {
            let zones: Vec<&str> = scenario
                .zones
                .iter()
                .map(|zone| zone.name.as_str())
                .collect();
            let cases: Vec<&str> = scenario.cases.iter().map(|case| case.id.as_str()).collect();
            serde_json::json!({
                "id": scenario.id,
                "title": scenario.title,
                "shows": scenario.shows,
                "zones": zones,
                "cases": cases,
            })
        })
        .collect();
    if format == Format::Jsonl {
        for scenario in &listed {
            writeln!(out, "{scenario}")?;
        }
    } else {
        let object = serde_json::json!({ "schema_version": 1, "scenarios": listed });
        writeln!(out, "{object:#}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn run_scenarios(selection: &Selection, format: Format) -> Result<ExitCode> {
    let scenarios = selection.scenarios()?;
    let progress = |result: &CaseResult| {
        if !result.is_as_expected() {
            output::diagnose(&format!("{}: not as expected", result.name()));
        }
    };
    let results = block_on(async move { Ok(run::run(scenarios, progress).await?) })?;
    let mut out = std::io::stdout().lock();
    match format {
        Format::Human => write!(out, "{}", run::table(&results, output::width()))?,
        Format::Json => {
            let cases: Vec<_> = results.iter().map(CaseResult::to_json).collect();
            let passed = results.iter().filter(|one| one.is_as_expected()).count();
            let object = serde_json::json!({
                "schema_version": 1,
                "passed": passed,
                "failed": results.len() - passed,
                "cases": cases,
            });
            writeln!(out, "{object:#}")?;
        }
        Format::Jsonl => {
            for result in &results {
                writeln!(out, "{}", result.to_json())?;
            }
        }
    }
    Ok(if results.iter().all(CaseResult::is_as_expected) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn up(arguments: UpArguments) -> Result<ExitCode> {
    match (arguments.inside, arguments.namespace, arguments.real) {
        (Some(folder), Some(namespace), _) => {
            let world = arguments.selection.world(SystemClock.now())?;
            let mut addresses = world.addresses();
            addresses.sort();
            addresses.dedup();
            up::add_addresses(&addresses)?;
            block_on(serve(world, &folder, Placement::Real, Some(&namespace)))?;
        }
        (_, _, true) => return up_real(&arguments.selection),
        (_, _, false) => {
            let world = arguments.selection.world(SystemClock.now())?;
            let folder = LabFolder::create()?;
            block_on(serve(world, folder.path(), Placement::Loopback, None))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(
    world: Arc<World>,
    folder: &Path,
    placement: Placement,
    namespace: Option<&str>,
) -> Result<()> {
    // Before anybody can know that the lab is there.
    let mut stop = StopSignals::listen()?;
    let running = Running::start(Arc::clone(&world), placement)
        .await
        .context("lab: cannot listen")?;
    let configuration = up::write_folder(folder, &running, placement)?;
    let text = up::instructions(&configuration, &world, namespace);
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    drop(out);
    stop.wait().await;
    Ok(())
}

/// Ctrl-C, SIGTERM, and the end of the terminal. From when this is made none of them ends the
/// process before it has cleaned up.
struct StopSignals([Signal; 3]);

impl StopSignals {
    fn listen() -> Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    /// Waits for one of them.
    async fn wait(&mut self) {
        let [interrupt, terminate, hang_up] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
}

/// Makes the namespace and runs this program again inside it; both go when either ends.
fn up_real(selection: &Selection) -> Result<ExitCode> {
    selection.scenarios()?;
    let namespace = Namespace::create(VALIDATING_RESOLVER)
        .context("lab up --real needs root and the program ip (Debian: iproute2)")?;
    let folder = LabFolder::create()?;
    let program = std::env::current_exe()?;
    let mut command = namespace.command(program);
    command.args(["lab", "up", "--namespace", namespace.name()]);
    command.arg("--inside").arg(folder.path());
    if let Some(dir) = &selection.dir {
        command.arg("--dir").arg(std::path::absolute(dir)?);
    }
    command.args(&selection.ids);
    block_on(async {
        let mut stop = StopSignals::listen()?;
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()?;
        tokio::select! {
            status = child.wait() => {
                let status = status?;
                if !status.success() {
                    anyhow::bail!("lab: the lab in the namespace ended with {status}");
                }
            }
            () = stop.wait() => {
                child.kill().await?;
            }
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
