//! `elsinore tlsa plan`: the steps of a key rollover, and whether one may be taken now.

mod memory;
mod shape;

use super::input::{self, Holds};
use super::live::{Live, live};
use super::verify::moment;
use crate::cli::Format;
use crate::config::Settings;
use crate::exit::Refusal;
use crate::network;
use crate::output::{self, JsonLayout, printable};
use anyhow::Result;
use clap::{Args, ValueEnum};
use elsinore_check::publish::form::Target;
use elsinore_check::publish::look::{RecordsLook, look_at_host, look_at_records};
use elsinore_check::publish::material::Material;
use elsinore_check::publish::proposal::{DEFAULT_TTL, owner_name};
use elsinore_check::publish::rollover::{
    Assessment, Goal, Observation, Replaces, Stage, Step, assess, remember,
};
use elsinore_check::publish::steps::{PlannedStep, steps};
use elsinore_check::world::World as _;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use jiff::Timestamp;
use memory::Store;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit code of a step that must not be taken now.
const NOT_NOW: u8 = 1;

/// How the command stands in a hook.
pub(super) const HOOK: &str = "\
In a hook:
  An ACME client that makes a new key at every renewal must not install it at
  once. Let it keep the new key aside, publish the record that the plan shows,
  and run this every hour, which installs the key as soon as that is safe:

    elsinore tlsa plan --name mx.example.net --next new-key.pem --step deploy &&
      mv new-key.pem key.pem && mv new-cert.pem cert.pem && postfix reload

  and this, which removes the old records once every address has the new key:

    elsinore tlsa plan --name mx.example.net --next key.pem --step retire &&
      elsinore tlsa plan --name mx.example.net --next key.pem --format json |
      jq -r '.steps[] | select(.step == \"retire\").nsupdate // empty' |
      nsupdate -k KEYFILE

  Simpler: keep the key (certbot: reuse_key = True). Then 3 1 1 stays right, and
  a rollover is something you do when you want to.";

/// What `elsinore tlsa plan` takes.
#[derive(Debug, Args)]
pub(super) struct PlanArguments {
    /// The MX host.
    #[arg(long, value_name = "NAME", value_parser = input::host)]
    name: DomainName,
    /// The key after this one: a key, a certificate or a request; repeatable. It replaces the key
    /// of the same algorithm.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    next: Vec<PathBuf>,
    /// A key that is or was in use, besides those that the servers present; repeatable. Its
    /// records are retired in the end.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    current: Vec<PathBuf>,
    /// The next keys replace all others, of whatever algorithm.
    #[arg(long)]
    replace_all: bool,
    /// The server's port.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), default_value_t = 25)]
    port: u16,
    /// Ask whether this step may be taken now: exit code 0 says yes, 1 no.
    #[arg(long, value_name = "STEP")]
    step: Option<StepChoice>,
    /// Since when every server has had the records, by your own word; such as
    /// 2027-01-31T12:00:00Z. By default since this command has first seen it.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// The zone, for the nsupdate script; that of the records if absent.
    #[arg(long, value_name = "NAME")]
    zone: Option<DomainName>,
    /// The server that takes updates, for the nsupdate script; found by nsupdate if absent.
    #[arg(long, value_name = "HOST", value_parser = input::update_server)]
    server: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StepChoice {
    /// Add the records of the next keys
    Publish,
    /// Give the servers the next keys
    Deploy,
    /// Be sure that every address presents them
    Verify,
    /// Remove the records of the keys before
    Retire,
}

impl StepChoice {
    const fn step(self) -> Step {
        match self {
            Self::Publish => Step::Publish,
            Self::Deploy => Step::Deploy,
            Self::Verify => Step::Verify,
            Self::Retire => Step::Retire,
        }
    }
}

/// Everything that is told.
struct Plan {
    host: DomainName,
    port: u16,
    goal: Goal,
    records: RecordsLook,
    look: Observation,
    assessment: Assessment,
    steps: Vec<PlannedStep>,
    notes: Vec<String>,
    asked: Option<Step>,
}

/// Runs the command.
///
/// # Errors
/// A usage error, an error of reading, input that cannot be used, or a configuration error.
pub(super) fn run(arguments: &PlanArguments, settings: &Settings) -> Result<ExitCode> {
    let read = |paths: &[PathBuf]| -> Result<Vec<Material>> {
        let materials = paths.iter();
        materials
            .map(|path| input::material(path, Holds::Anything))
            .collect()
    };
    let goal = Goal {
        host: arguments.name.clone(),
        next: read(&arguments.next)?,
        current: read(&arguments.current)?,
        replaces: if arguments.replace_all {
            Replaces::All
        } else {
            Replaces::SameAlgorithm
        },
    };
    let live = live(settings)?;
    let store =
        network::state(settings)?.map(|state| Store::new(&state, &arguments.name, arguments.port));
    let plan = network::block_on(async {
        let work = plan(&live, goal, arguments, store.as_ref());
        network::beside_rollover(settings, &live.resolver, work).await
    })?;
    match settings.format {
        Format::Human => output::print(&shape::told(&plan, output::width()))?,
        Format::Json => output::print_json(&shape::shape(&plan), JsonLayout::Indented)?,
        Format::Jsonl => output::print_json(&shape::shape(&plan), JsonLayout::OneLine)?,
    }
    Ok(match plan.asked {
        Some(step) if !plan.assessment.against(step).is_empty() => ExitCode::from(NOT_NOW),
        Some(_) | None => ExitCode::SUCCESS,
    })
}

async fn plan(
    live: &Live,
    goal: Goal,
    arguments: &PlanArguments,
    store: Option<&Store>,
) -> Result<Plan> {
    let (host, port) = (&arguments.name, arguments.port);
    let owner = owner_name(host, port).map_err(|error| Refusal::usage(error.to_string()))?;
    let began = live.world.now();
    let records = look_at_records(&live.world, &owner);
    let presented = look_at_host(&live.world, &live.sender, host, port);
    let (records, presented) = tokio::join!(records, presented);
    let look = Observation {
        began,
        ended: live.world.now(),
        dnssec: records.dnssec.clone(),
        servers: records.servers.clone(),
        endpoints: presented.endpoints,
    };
    let mut notes = records.notes.clone();
    notes.extend(
        presented
            .problem
            .map(|problem| format!("{host}: {problem}")),
    );
    let before = match store.map(Store::load) {
        Some(Ok(memory)) => memory,
        Some(Err(error)) => {
            notes.push(format!("what was remembered is lost: {error}"));
            None
        }
        None => {
            notes.push("nothing is remembered, because there is no state folder".to_owned());
            None
        }
    };
    let mut memory = remember(before, &goal, &look);
    if let Some(Err(error)) = store.map(|store| store.save(&memory)) {
        notes.push(format!("this look is not remembered: {error}"));
    }
    if let Some(since) = arguments.since {
        let since = UnixTime(since.as_second());
        if since > began {
            return Err(Refusal::usage("tlsa plan: --since lies ahead"));
        }
        // Only what is there now can have been there since.
        memory.complete_since = memory.complete_since.map(|_| since);
    }
    let assessment = assess(&goal, &look, &memory);
    let target = Target {
        server: arguments.server.clone(),
        zone: Some(
            arguments
                .zone
                .clone()
                .unwrap_or_else(|| records.zone.clone()),
        ),
    };
    let steps = steps(
        &assessment,
        &records.owner,
        DEFAULT_TTL,
        &target,
        look.began,
    );
    notes.extend(assessment.notes.iter().cloned());
    Ok(Plan {
        host: host.clone(),
        port,
        goal,
        records,
        look,
        assessment,
        steps,
        notes: notes.iter().map(|note| printable(note)).collect(),
        asked: arguments.step.map(StepChoice::step),
    })
}

/// Where the rollover stands, in a few words.
fn standing(stage: &Stage) -> String {
    match stage {
        Stage::Publish => "records have to be added".to_owned(),
        Stage::Wait(until) => format!(
            "wait until {}",
            elsinore_check::publish::moment::second(*until)
        ),
        Stage::Deploy => "the next key may be deployed".to_owned(),
        Stage::Deploying => "the next key is on some addresses and not on others".to_owned(),
        Stage::Retire => "old records may be removed".to_owned(),
        Stage::Done => "nothing is left to do".to_owned(),
    }
}
