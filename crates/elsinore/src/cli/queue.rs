//! `elsinore queue`: what waits, and what is done about it. A relay that runs is asked over its
//! socket; otherwise, and always where the queue is shared, the store is opened here.

pub(super) mod access;
mod listing;

use crate::cli::Format;
use crate::config::Settings;
use crate::config::relay::StorePlace;
use crate::exit::{self, Refusal};
use crate::network::block_on;
use crate::output::{self, JsonLayout};
use crate::store;
use access::Access;
use anyhow::Result;
use clap::{Args, Subcommand};
use elsinore_queue::admin::Filter;
use elsinore_queue::id::MessageId;
use elsinore_queue::sqlite::{FsckMode, fsck};
use elsinore_relay::admin::shape::{ChangeWish, DeedWish, Job, ListWish, SCHEMA_VERSION};
use serde_json::json;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

/// Jobs that are asked for at a time.
const PAGE: usize = 500;

/// What `elsinore queue` takes.
#[derive(Debug, Args)]
pub(crate) struct QueueArguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Print what waits: message, destination, recipients, what was tried.
    List {
        #[command(flatten)]
        which: Which,
        /// At most so many jobs.
        #[arg(long, value_name = "NUMBER")]
        limit: Option<usize>,
    },
    /// Print everything about one message, its header included.
    Show {
        /// Its name, as in the log.
        message: MessageId,
    },
    /// Try now, held or not.
    Retry {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        all: All,
    },
    /// Keep from being tried until released.
    Hold {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        all: All,
        /// Why: shown in the list.
        #[arg(long, value_name = "TEXT", default_value = "held by the administrator")]
        why: String,
    },
    /// Let what is held be tried again, when it is due.
    Release {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        all: All,
    },
    /// Remove, without a word to the sender.
    Remove {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        all: All,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Print how full the queue is, and for whom.
    Stats,
    /// Check the queue of this machine while no relay runs: index and segments.
    Fsck {
        /// Mend: an index that is damaged is made anew from the segments, and
        /// messages may be sent twice then.
        #[arg(long)]
        rebuild: bool,
    },
}

/// Which jobs are meant: those that match everything that is said.
#[derive(Debug, Clone, Args)]
struct Which {
    /// Messages by name.
    #[arg(value_name = "MESSAGE")]
    messages: Vec<MessageId>,
    /// To this domain; .example.org means all below example.org.
    #[arg(long, short, value_name = "DOMAIN")]
    destination: Option<String>,
    /// From this address, from @DOMAIN, or from <> for notifications.
    #[arg(long, short, value_name = "ADDRESS")]
    sender: Option<String>,
    /// To this address or @DOMAIN.
    #[arg(long, short, value_name = "ADDRESS")]
    recipient: Option<String>,
    /// The last reply holds this text; upper and lower case are the same.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only what is held.
    #[arg(long)]
    held: bool,
}

#[derive(Debug, Clone, Copy, Args)]
struct All {
    /// Every job there is.
    #[arg(long)]
    all: bool,
}

impl Which {
    fn filter(&self) -> Filter {
        Filter {
            messages: self.messages.clone(),
            destination: self.destination.as_ref().map(|name| name.to_lowercase()),
            sender: self.sender.clone(),
            recipient: self.recipient.clone(),
            reason: self.reason.clone(),
            held: self.held.then_some(true),
        }
    }
}

/// Runs the command.
pub(crate) fn run(arguments: &QueueArguments, settings: &Settings) -> Result<ExitCode> {
    if let Some(code) = access::as_owner(settings)? {
        return Ok(code);
    }
    if let Task::Fsck { rebuild } = &arguments.task {
        return check(settings, *rebuild);
    }
    block_on(async {
        let access = Access::open(settings).await?;
        let done = task(&arguments.task, &access, settings.format).await;
        access.close().await?;
        done
    })
}

async fn task(task: &Task, access: &Access, format: Format) -> Result<ExitCode> {
    match task {
        Task::List { which, limit } => list(access, which.filter(), *limit, format).await,
        Task::Show { message } => show(access, *message, format).await,
        Task::Retry { which, all } => change(access, which, *all, DeedWish::Retry, format).await,
        Task::Hold { which, all, why } => {
            change(access, which, *all, DeedWish::Hold(why.clone()), format).await
        }
        Task::Release { which, all } => {
            change(access, which, *all, DeedWish::Release, format).await
        }
        Task::Remove { which, all, yes } => {
            if !yes {
                confirm(access, which, *all).await?;
            }
            change(access, which, *all, DeedWish::Remove, format).await
        }
        Task::Stats => stats(access, format).await,
        // It needs the store closed.
        Task::Fsck { .. } => Ok(ExitCode::SUCCESS),
    }
}

async fn list(
    access: &Access,
    filter: Filter,
    limit: Option<usize>,
    format: Format,
) -> Result<ExitCode> {
    let mut left = limit.unwrap_or(usize::MAX);
    let mut after = None;
    let mut jobs = Vec::new();
    let mut count: u64 = 0;
    let now = elsinore_relay::admin::queue::now();
    while left > 0 {
        let wish = ListWish {
            filter: filter.clone(),
            after,
            limit: Some(left.min(PAGE)),
        };
        let page = access.list(&wish).await?;
        left = left.saturating_sub(page.jobs.len());
        for job in page.jobs {
            count += 1;
            match format {
                Format::Human => output::print(&listing::job(&job, now))?,
                Format::Jsonl => print_line(&job)?,
                Format::Json => jobs.push(job),
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    match format {
        Format::Json => output::print_json(
            &json!({ "schema_version": SCHEMA_VERSION, "jobs": jobs, "next": after }),
            JsonLayout::Indented,
        )?,
        Format::Human => output::print(&listing::total(count, after.is_some()))?,
        Format::Jsonl => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn print_line(job: &Job) -> Result<()> {
    let mut object = serde_json::to_value(job)?;
    object["schema_version"] = json!(SCHEMA_VERSION);
    Ok(output::print_json(&object, JsonLayout::OneLine)?)
}

async fn show(access: &Access, message: MessageId, format: Format) -> Result<ExitCode> {
    let wish = ListWish {
        filter: Filter {
            messages: vec![message],
            ..Filter::default()
        },
        after: None,
        limit: Some(PAGE),
    };
    let jobs = access.list(&wish).await?.jobs;
    if jobs.is_empty() {
        return Err(Refusal::unusable_input(format!(
            "{message}: not in the queue"
        )));
    }
    let header = access.header(message).await?;
    let now = elsinore_relay::admin::queue::now();
    match format {
        Format::Human => {
            let mut text = String::new();
            for job in &jobs {
                text.push_str(&listing::whole(job, now));
                text.push('\n');
            }
            text.push_str(&listing::header(&header));
            output::print(&text)?;
        }
        Format::Json | Format::Jsonl => output::print_json(
            &json!({
                "schema_version": SCHEMA_VERSION,
                "jobs": jobs,
                "header": String::from_utf8_lossy(&header),
            }),
            layout(format),
        )?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn stats(access: &Access, format: Format) -> Result<ExitCode> {
    let stats = access.stats().await?;
    match format {
        Format::Human => {
            output::print(&listing::stats(&stats, elsinore_relay::admin::queue::now()))?
        }
        Format::Json | Format::Jsonl => output::print_json(&stats, layout(format))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks the store of this machine; 0 when there is nothing to mend, or all was mended.
fn check(settings: &Settings, rebuild: bool) -> Result<ExitCode> {
    let StorePlace::Folder(folder) = store::place(settings)? else {
        return Err(Refusal::usage(
            "queue fsck: the queue is in PostgreSQL, which checks itself",
        ));
    };
    let mode = if rebuild {
        FsckMode::Rebuild
    } else {
        FsckMode::Look
    };
    let report = fsck(folder, mode).map_err(|error| store::refusal(folder, &error))?;
    match settings.format {
        Format::Human => output::print(&listing::fsck(&report))?,
        format @ (Format::Json | Format::Jsonl) => {
            let mut object = serde_json::to_value(&report)?;
            object["schema_version"] = json!(SCHEMA_VERSION);
            output::print_json(&object, layout(format))?;
        }
    }
    Ok(if report.is_clean() || report.mended.is_some() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::IO)
    })
}

async fn change(
    access: &Access,
    which: &Which,
    all: All,
    deed: DeedWish,
    format: Format,
) -> Result<ExitCode> {
    let filter = filter(which, all)?;
    let done = match &deed {
        DeedWish::Retry => "will be tried now",
        DeedWish::Hold(_) => "held",
        DeedWish::Release => "released",
        DeedWish::Remove => "removed",
    };
    let wish = ChangeWish {
        filter,
        all: all.all,
        deed,
    };
    let changed = access.change(&wish).await?;
    match format {
        Format::Human => {
            let noun = if changed.changed == 1 { "job" } else { "jobs" };
            output::print(&format!("{} {noun} {done}\n", changed.changed))?;
        }
        Format::Json | Format::Jsonl => output::print_json(&changed, layout(format))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The filter of a change, which must say something, or say that all are meant.
fn filter(which: &Which, all: All) -> Result<Filter> {
    let filter = which.filter();
    match (filter == Filter::default(), all.all) {
        (true, false) => Err(Refusal::usage(
            "queue: nothing says which jobs are meant; name messages, give a filter, or say --all",
        )),
        (false, true) => Err(Refusal::usage(
            "queue: --all and a filter; give one of them",
        )),
        (true, true) | (false, false) => Ok(filter),
    }
}

/// Asks whoever sits at the terminal.
async fn confirm(access: &Access, which: &Which, all: All) -> Result<()> {
    let filter = filter(which, all)?;
    if !std::io::stdin().is_terminal() {
        return Err(Refusal::usage(
            "queue remove: say --yes, there is nobody to ask",
        ));
    }
    let wish = ListWish {
        filter,
        after: None,
        limit: Some(PAGE),
    };
    let page = access.list(&wish).await?;
    let more = if page.next.is_some() { " or more" } else { "" };
    let mut stderr = std::io::stderr();
    write!(
        stderr,
        "Remove {}{more} jobs? Nobody is told, and there is no way back. [y/N] ",
        page.jobs.len()
    )?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(Refusal::usage("queue remove: nothing was removed"))
    }
}

const fn layout(format: Format) -> JsonLayout {
    match format {
        Format::Human | Format::Json => JsonLayout::Indented,
        Format::Jsonl => JsonLayout::OneLine,
    }
}
