//! `elsinore tlsa pin`: the `[[destination]]` entry for what servers present.

use super::input::{self, HostPort};
use super::live::{Live, live};
use crate::cli::Format;
use crate::config::Settings;
use crate::exit;
use crate::network;
use crate::output::{self, JsonLayout, printable};
use crate::report::SCHEMA_VERSION;
use anyhow::Result;
use clap::Args;
use elsinore_check::publish::look::{look_at_host, look_at_records};
use elsinore_check::publish::moment;
use elsinore_check::publish::pin::{PinProposal, PinnedHost, pin_text, propose_pins};
use elsinore_check::publish::proposal::owner_name;
use elsinore_check::world::World as _;
use elsinore_dane::name::DomainName;
use serde::Serialize;
use std::process::ExitCode;

/// What `elsinore tlsa pin` takes.
#[derive(Debug, Args)]
pub(super) struct PinArguments {
    /// A mail server, with its port if it is another than that of [smtp] port; all the servers of
    /// the domain, one after the other.
    #[arg(value_name = "HOST[:PORT]", required = true, value_parser = input::host_port)]
    hosts: Vec<HostPort>,
    /// The recipients' domain that the entry is for; the first host if absent.
    #[arg(long, value_name = "NAME", value_parser = input::host)]
    domain: Option<DomainName>,
}

/// Runs the command.
///
/// # Errors
/// A configuration error, or a host name that is too long.
pub(super) fn run(arguments: &PinArguments, settings: &Settings) -> Result<ExitCode> {
    let live = live(settings)?;
    let proposal = network::block_on(async {
        let work = propose(&live, arguments, settings.smtp.port);
        network::beside_rollover(settings, &live.resolver, work).await
    })?;
    match settings.format {
        Format::Human => output::print(&proposal.render())?,
        Format::Json => output::print_json(&shape(&proposal), JsonLayout::Indented)?,
        Format::Jsonl => output::print_json(&shape(&proposal), JsonLayout::OneLine)?,
    }
    if proposal.pins.is_empty() {
        output::diagnose(&printable(&format!(
            "tlsa pin: nothing to pin: {}",
            proposal.unseen.join("; ")
        )));
        return Ok(ExitCode::from(exit::TEMPORARY));
    }
    Ok(ExitCode::SUCCESS)
}

async fn propose(live: &Live, arguments: &PinArguments, default_port: u16) -> Result<PinProposal> {
    let mut hosts = Vec::new();
    // One host after the other: a domain has few.
    for HostPort { host, port } in &arguments.hosts {
        let port = port.unwrap_or(default_port);
        let owner = owner_name(host, port)?;
        let records = look_at_records(&live.world, &owner);
        let presented = look_at_host(&live.world, &live.sender, host, port);
        let (records, presented) = tokio::join!(records, presented);
        hosts.push(PinnedHost {
            host: host.clone(),
            port,
            endpoints: presented.endpoints,
            problem: presented.problem,
            dnssec: records.dnssec,
            records: records.records,
        });
    }
    let first = arguments.hosts.first().map(|first| first.host.clone());
    let domain = arguments.domain.clone().or(first);
    let domain = domain.unwrap_or_else(DomainName::root);
    Ok(propose_pins(domain, hosts, live.world.now()))
}

/// The result as JSON.
#[derive(Debug, Serialize)]
struct Shape {
    schema_version: u32,
    domain: String,
    hosts: Vec<String>,
    pins: Vec<PinShape>,
    unseen: Vec<String>,
    remarks: Vec<String>,
    /// The entry as TOML, with the remarks as comments.
    entry: String,
    read_at: String,
}

#[derive(Debug, Serialize)]
struct PinShape {
    pin: String,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    presented_by: Vec<String>,
    authenticated_by_dane: bool,
}

fn shape(proposal: &PinProposal) -> Shape {
    let pins = proposal.pins.iter().map(|pin| PinShape {
        pin: pin_text(&pin.key_sha256),
        key: pin.key.clone(),
        certificate: pin.certificate_sha256.as_ref().map(pin_text),
        presented_by: pin.presented_by.clone(),
        authenticated_by_dane: pin.is_authenticated,
    });
    Shape {
        schema_version: SCHEMA_VERSION,
        domain: proposal.domain.to_string(),
        hosts: proposal
            .hosts
            .iter()
            .map(|host| host.host.to_string())
            .collect(),
        pins: pins.collect(),
        unseen: proposal.unseen.clone(),
        remarks: proposal.remarks(),
        entry: proposal.render(),
        read_at: moment::second(proposal.read_at),
    }
}
