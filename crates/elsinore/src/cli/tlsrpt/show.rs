//! `elsinore tlsrpt show`: what the relay has counted, and what became of its reports.

use crate::cli::Format;
use crate::cli::queue::access::{self, Access};
use crate::config::Settings;
use crate::network::block_on;
use crate::output::{self, JsonLayout};
use anyhow::Result;
use clap::Args;
use elsinore_dane::name::DomainName;
use elsinore_net::clock::{Clock as _, SystemClock};
use elsinore_tlsrpt::day::Day;
use elsinore_tlsrpt::shown::{SCHEMA_VERSION, ShowWish};
use elsinore_tlsrpt::words::own_words;
use serde_json::json;
use std::process::ExitCode;

/// What `elsinore tlsrpt show` takes.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// The day in UTC; yesterday, the last whole one, when nothing is said.
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<Day>,
    /// This domain alone.
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<DomainName>,
}

/// Runs the command.
///
/// # Errors
/// When neither a relay nor its store can be asked.
pub(crate) fn run(arguments: &ShowArguments, settings: &Settings) -> Result<ExitCode> {
    if let Some(code) = access::as_owner(settings)? {
        return Ok(code);
    }
    block_on(show(arguments, settings))
}

async fn show(arguments: &ShowArguments, settings: &Settings) -> Result<ExitCode> {
    let yesterday = || Day::of(SystemClock.now().0).before(1);
    let day = arguments.day.unwrap_or_else(yesterday);
    let mut wish = ShowWish {
        day: day.to_string(),
        domain: arguments.domain.as_ref().map(ToString::to_string),
        after: None,
    };
    let access = Access::open(settings).await?;
    let mut all = Vec::new();
    let mut is_first = true;
    let shown = loop {
        let page = match access.reports(&wish).await {
            Ok(page) => page,
            Err(error) => break Err(error),
        };
        for domain in page.domains {
            match settings.format {
                Format::Human => {
                    let before = if is_first { "" } else { "\n" };
                    is_first = false;
                    output::print(&format!("{before}{}", own_words(&domain)))?;
                }
                Format::Json => all.push(domain),
                Format::Jsonl => {
                    let line = json!({
                        "schema_version": SCHEMA_VERSION,
                        "day": page.day,
                        "domain": domain.domain,
                        "report": domain.report,
                        "policies": domain.policies,
                    });
                    output::print_json(&line, JsonLayout::OneLine)?;
                    is_first = false;
                }
            }
        }
        match page.next {
            Some(next) => wish.after = Some(next),
            None => break Ok(()),
        }
    };
    access.close().await?;
    shown?;
    match settings.format {
        Format::Json => output::print_json(
            &json!({ "schema_version": SCHEMA_VERSION, "day": wish.day, "domains": all }),
            JsonLayout::Indented,
        )?,
        Format::Human if is_first => {
            output::print(&format!("nothing was counted on {}\n", wish.day))?;
        }
        Format::Human | Format::Jsonl => {}
    }
    Ok(ExitCode::SUCCESS)
}
