//! `elsinore tlsrpt send --dry-run`: what the relay would send, to whom and when.

use crate::cli::Format;
use crate::cli::queue::access::{self, Access};
use crate::config::Settings;
use crate::exit::Refusal;
use crate::network::{self, block_on};
use crate::output::{self, JsonLayout, printable};
use anyhow::Result;
use clap::Args;
use elsinore_dane::name::DomainName;
use elsinore_net::clock::{Clock as _, SystemClock};
use elsinore_tlsrpt::day::Day;
use elsinore_tlsrpt::dispatch;
use elsinore_tlsrpt::forecast::{Forecast, forecast};
use elsinore_tlsrpt::shown::{ShowWish, Shown};
use elsinore_tlsrpt::words::forecast_words;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::json;
use std::process::ExitCode;

/// The version of the JSON.
const SCHEMA_VERSION: u32 = 1;
/// Domains that DNS is asked about at once.
const AT_ONCE: usize = 8;

/// What `elsinore tlsrpt send` takes.
#[derive(Debug, Args)]
pub(crate) struct SendArguments {
    /// Send nothing, say what would be sent. There is no other way yet: the
    /// relay sends by itself when a report is due.
    #[arg(long)]
    dry_run: bool,
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
/// When neither a relay nor its store can be asked, or no reports are configured.
pub(crate) fn run(arguments: &SendArguments, settings: &Settings) -> Result<ExitCode> {
    if !arguments.dry_run {
        return Err(Refusal::usage(
            "tlsrpt send: the relay sends reports by itself; --dry-run says what it would send",
        ));
    }
    if !settings.relay.tlsrpt.enabled {
        return Err(Refusal::configuration(
            "[relay.tlsrpt] enabled is not true: nothing is counted and nothing is sent",
        ));
    }
    if let Some(code) = access::as_owner(settings)? {
        return Ok(code);
    }
    block_on(send(arguments, settings))
}

async fn send(arguments: &SendArguments, settings: &Settings) -> Result<ExitCode> {
    let yesterday = || Day::of(SystemClock.now().0).before(1);
    let day = arguments.day.unwrap_or_else(yesterday);
    let reports = &settings.relay.tlsrpt;
    let key = match &reports.dkim {
        Some(dkim) => {
            // What the relay could not sign with must not look well here.
            dispatch::signer(dkim)
                .map_err(|error| Refusal::configuration(format!("[relay.tlsrpt] {error}")))?;
            Some(format!("{}._domainkey.{}", dkim.selector, dkim.domain))
        }
        None => None,
    };
    let resolver = network::resolver(settings)?;
    let mut wish = ShowWish {
        day: day.to_string(),
        domain: arguments.domain.as_ref().map(ToString::to_string),
        after: None,
    };
    let access = Access::open(settings).await?;
    let mut all = Vec::new();
    let counted = loop {
        let page = match access.reports(&wish).await {
            Ok(page) => page,
            Err(error) => break Err(error),
        };
        wish.after.clone_from(&page.next);
        let found = foresee(day, page, settings, &*resolver).await?;
        match settings.format {
            Format::Human => {
                for one in &found {
                    let words = forecast_words(one, key.as_deref());
                    for line in words.lines() {
                        output::print(&format!("{}\n", printable(line)))?;
                    }
                }
            }
            Format::Jsonl => {
                for one in &found {
                    let line = json!({
                        "schema_version": SCHEMA_VERSION,
                        "day": day.to_string(),
                        "forecast": one,
                    });
                    output::print_json(&line, JsonLayout::OneLine)?;
                }
            }
            Format::Json => {}
        }
        all.extend(found.into_iter().map(|one| match settings.format {
            Format::Json => Some(one),
            // Printed already; that there was one is enough.
            Format::Human | Format::Jsonl => None,
        }));
        if wish.after.is_none() {
            break Ok(());
        }
    };
    access.close().await?;
    counted?;
    match settings.format {
        Format::Json => output::print_json(
            &json!({
                "schema_version": SCHEMA_VERSION,
                "day": day.to_string(),
                "reports": all,
            }),
            JsonLayout::Indented,
        )?,
        Format::Human if all.is_empty() => {
            output::print(&format!("nothing was counted on {day}\n"))?;
        }
        Format::Human | Format::Jsonl => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn foresee(
    day: Day,
    page: Shown,
    settings: &Settings,
    resolver: &dyn elsinore_net::resolver::SecureResolver,
) -> Result<Vec<Forecast>> {
    let (salt, reports) = (page.salt.as_deref(), &settings.relay.tlsrpt);
    let work: Vec<_> = (page.domains.iter())
        .map(|shown| forecast((day, shown), salt, reports, resolver))
        .collect();
    futures_util::stream::iter(work)
        .buffered(AT_ONCE)
        .try_collect()
        .await
        .map_err(|error| Refusal::configuration(format!("[relay.tlsrpt] {error}")))
}
