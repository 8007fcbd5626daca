//! `elsinore tlsa make`: the records to publish, from files or a running server.

use super::input::{self, Holds, HostPort};
use super::live::live;
use crate::cli::Format;
use crate::config::Settings;
use crate::exit::Refusal;
use crate::network;
use crate::output::{self, JsonLayout, printable};
use crate::report::SCHEMA_VERSION;
use anyhow::Result;
use clap::{Args, ValueEnum};
use elsinore_check::publish::form::{Form, Target, zone_line};
use elsinore_check::publish::look::look_at_host;
use elsinore_check::publish::material::Material;
use elsinore_check::publish::moment;
use elsinore_check::publish::proposal::{
    DEFAULT_TTL, Entry, LONGEST_TTL, Parameters, Proposal, SHORTEST_TTL, Wish, propose,
};
use elsinore_check::publish::rollover::Presented;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::{MatchingType, Selector, Usage};
use jiff::Timestamp;
use serde::Serialize;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

/// What `elsinore tlsa make` takes.
#[derive(Debug, Args)]
pub(super) struct MakeArguments {
    /// A running mail server instead of files: every address is looked at, with RSA and ECDSA
    /// offered apart.
    #[arg(value_name = "HOST[:PORT]", value_parser = input::host_port, conflicts_with_all = ["certificate", "key", "csr"])]
    host: Option<HostPort>,
    /// Take the running server's keys though some address could not be looked at.
    #[arg(long)]
    incomplete: bool,
    /// The server's certificate and behind it those of its authorities, PEM or DER; repeatable.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["csr"])]
    certificate: Vec<PathBuf>,
    /// A private or public key, PEM or DER; repeatable. Beside --certificate it has to belong to
    /// it. An encrypted key is not asked for its passphrase: give its public half.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["csr"])]
    key: Vec<PathBuf>,
    /// A certificate signing request, PEM or DER; repeatable.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    csr: Vec<PathBuf>,
    /// The key after this one: a key, a certificate or a request; repeatable.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    next: Vec<PathBuf>,
    /// The MX host. By default the name in the certificate or request, when it has just one.
    #[arg(long, value_name = "NAME", value_parser = input::host)]
    name: Option<DomainName>,
    /// The server's port.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), default_value_t = 25)]
    port: u16,
    /// Seconds for which others keep the records. Twice that is the wait at every rollover, so an
    /// hour rather than a day.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(i64::from(SHORTEST_TTL)..=i64::from(LONGEST_TTL)), default_value_t = DEFAULT_TTL)]
    ttl: u32,
    /// Whose certificate the records name.
    #[arg(long, value_name = "NUMBER", default_value = "3")]
    usage: UsageChoice,
    /// Whether they name its key or the whole of it.
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    selector: SelectorChoice,
    /// The digest.
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    matching_type: MatchingChoice,
    /// How the records are written.
    #[arg(long, value_name = "FORM", default_value = "zone")]
    form: FormChoice,
    /// The zone, for --form nsupdate; found by nsupdate if absent.
    #[arg(long, value_name = "NAME")]
    zone: Option<DomainName>,
    /// The server that takes the update, for --form nsupdate; found by nsupdate if absent.
    #[arg(long, value_name = "HOST", value_parser = input::update_server)]
    server: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum UsageChoice {
    /// DANE-EE: the server's own; recommended
    #[value(name = "3")]
    DaneEe,
    /// DANE-TA: that of the authority which signed it
    #[value(name = "2")]
    DaneTa,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SelectorChoice {
    /// SPKI: the key; recommended
    #[value(name = "1")]
    Spki,
    /// Cert: the whole certificate
    #[value(name = "0")]
    Cert,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MatchingChoice {
    /// SHA2-256; recommended
    #[value(name = "1")]
    Sha256,
    /// SHA2-512
    #[value(name = "2")]
    Sha512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormChoice {
    /// Lines of a zone file, with comments
    Zone,
    /// The same for software that does not know TLSA (RFC 3597)
    Generic,
    /// A script for nsupdate or knsupdate
    Nsupdate,
    /// One field a line, for a web panel
    Plain,
}

/// Runs the command.
///
/// # Errors
/// A usage error, an error of reading, or input that cannot be used.
pub(super) fn run(arguments: MakeArguments, settings: &Settings) -> Result<ExitCode> {
    if arguments.form != FormChoice::Nsupdate
        && (arguments.zone.is_some() || arguments.server.is_some())
    {
        return Err(Refusal::usage(
            "tlsa make: --zone and --server are for --form nsupdate",
        ));
    }
    if arguments.incomplete && arguments.host.is_none() {
        return Err(Refusal::usage(
            "tlsa make: --incomplete is for a running HOST",
        ));
    }
    let port = arguments.host.as_ref().and_then(|host| host.port);
    let port = port.unwrap_or(arguments.port);
    let current = match &arguments.host {
        Some(HostPort { host, .. }) => presented(host, port, arguments.incomplete, settings)?,
        None => current(&arguments)?,
    };
    let next: Vec<Material> = arguments
        .next
        .iter()
        .map(|path| input::material(path, Holds::Anything))
        .collect::<Result<_>>()?;
    let host = match (arguments.name, arguments.host) {
        (Some(name), _) => name,
        (None, Some(live)) => live.host,
        (None, None) => name_of(&current)?,
    };
    let wish = Wish {
        host,
        port,
        ttl: arguments.ttl,
        parameters: Parameters {
            usage: match arguments.usage {
                UsageChoice::DaneEe => Usage::DaneEe,
                UsageChoice::DaneTa => Usage::DaneTa,
            },
            selector: match arguments.selector {
                SelectorChoice::Spki => Selector::Spki,
                SelectorChoice::Cert => Selector::Cert,
            },
            matching_type: match arguments.matching_type {
                MatchingChoice::Sha256 => MatchingType::Sha256,
                MatchingChoice::Sha512 => MatchingType::Sha512,
            },
        },
        now: UnixTime(Timestamp::now().as_second()),
    };
    let proposal = propose(wish, &current, &next)
        .map_err(|error| Refusal::unusable_input(format!("tlsa make: {error}")))?;
    if let Some(zone) = &arguments.zone
        && !proposal.owner.is_at_or_below(zone)
    {
        return Err(Refusal::usage(format!(
            "tlsa make: {} does not lie in the zone {zone}",
            proposal.owner
        )));
    }
    let target = Target {
        server: arguments.server,
        zone: arguments.zone,
    };
    let form = match arguments.form {
        FormChoice::Zone => Form::Zone,
        FormChoice::Generic => Form::Generic,
        FormChoice::Nsupdate => Form::Nsupdate,
        FormChoice::Plain => Form::Plain,
    };
    let text = proposal.render(form, &target);
    match settings.format {
        Format::Human => {
            output::print(&text)?;
            // In a file the comments may not be read by anybody, and fields have none.
            if form == Form::Plain || !std::io::stdout().is_terminal() {
                for caution in &proposal.cautions {
                    output::diagnose(&printable(&format!("tlsa make: caution: {caution}")));
                }
            }
        }
        Format::Json => output::print_json(&made(&proposal, text), JsonLayout::Indented)?,
        Format::Jsonl => output::print_json(&made(&proposal, text), JsonLayout::OneLine)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What the keys in use are read from.
fn current(arguments: &MakeArguments) -> Result<Vec<Material>> {
    let read = |paths: &[PathBuf], holds| {
        paths
            .iter()
            .map(|path| input::material(path, holds))
            .collect::<Result<Vec<_>>>()
    };
    let certificates = read(&arguments.certificate, Holds::Certificates)?;
    let keys = read(&arguments.key, Holds::Key)?;
    let requests = read(&arguments.csr, Holds::Request)?;
    if certificates.is_empty() && keys.is_empty() && requests.is_empty() {
        return Err(Refusal::usage(
            "tlsa make: give --certificate, --key, --csr or a running HOST",
        ));
    }
    if certificates.is_empty() {
        return Ok(if keys.is_empty() { requests } else { keys });
    }
    let stranger = keys.iter().find(|key| {
        let same = |chain: &Material| chain.key_digest() == key.key_digest();
        !certificates.iter().any(same)
    });
    match stranger {
        Some(key) => Err(Refusal::unusable_input(format!(
            "tlsa make: the key {} belongs to no --certificate; a new key is given with --next",
            key.origin()
        ))),
        None => Ok(certificates),
    }
}

/// The keys that a running server presents, each chain once.
fn presented(
    host: &DomainName,
    port: u16,
    incomplete: bool,
    settings: &Settings,
) -> Result<Vec<Material>> {
    let live = live(settings)?;
    let seen = network::block_on(async {
        let work = look_at_host(&live.world, &live.sender, host, port);
        Ok(network::beside_rollover(settings, &live.resolver, work).await)
    })?;
    let mut keys: Vec<Material> = Vec::new();
    let mut unseen: Vec<String> = seen.problem.into_iter().collect();
    for endpoint in seen.endpoints {
        match endpoint.presented {
            Presented::Chain(chain) if keys.iter().any(|key| key.chain() == chain.chain()) => {}
            Presented::Chain(chain) => keys.push(*chain),
            Presented::NoSuchKey => {}
            Presented::Nothing(reason) => unseen.push(format!("{}: {reason}", endpoint.address)),
        }
    }
    let unseen = printable(&unseen.join("; "));
    if keys.is_empty() {
        return Err(Refusal::temporary(format!(
            "tlsa make: {host} showed no certificate: {unseen}"
        )));
    }
    if unseen.is_empty() {
        return Ok(keys);
    }
    if incomplete {
        output::diagnose(&format!("tlsa make: not seen: {unseen}"));
        return Ok(keys);
    }
    Err(Refusal::temporary(format!(
        "tlsa make: not seen: {unseen}; senders would refuse a key there that has no record, so use \
         files, or --incomplete"
    )))
}

/// The one host that all names of the certificates are.
fn name_of(keys: &[Material]) -> Result<DomainName> {
    let mut names: Vec<&String> = keys.iter().flat_map(Material::names).collect();
    names.sort();
    names.dedup();
    let [name] = names.as_slice() else {
        let count = names.len();
        return Err(Refusal::usage(format!(
            "tlsa make: which host? give --name ({} names {count} hosts)",
            match keys {
                [one] => one.origin(),
                _ => "the input",
            }
        )));
    };
    input::host(name).map_err(|error| {
        Refusal::usage(printable(&format!(
            "tlsa make: which host? give --name (the certificate names {name}: {error})"
        )))
    })
}

/// The result as JSON.
#[derive(Debug, Serialize)]
struct Made {
    schema_version: u32,
    host: String,
    port: u16,
    owner: String,
    ttl: u32,
    records: Vec<MadeRecord>,
    reasons: Vec<&'static str>,
    cautions: Vec<MadeCaution>,
    /// The form asked for.
    text: String,
    made_at: String,
}

#[derive(Debug, Serialize)]
struct MadeRecord {
    record: String,
    zone_line: String,
    usage: u8,
    selector: u8,
    matching_type: u8,
    role: &'static str,
    subject: String,
    origins: Vec<String>,
    /// What the verifier said.
    verified: String,
}

#[derive(Debug, Serialize)]
struct MadeCaution {
    id: &'static str,
    text: String,
}

fn made(proposal: &Proposal, text: String) -> Made {
    let wish = &proposal.wish;
    let record = |entry: &Entry| MadeRecord {
        record: entry.record.to_string(),
        zone_line: zone_line(&proposal.owner, wish.ttl, &entry.record),
        usage: entry.proof.usage().code(),
        selector: entry.proof.selector().code(),
        matching_type: entry.proof.matching_type().code(),
        role: entry.role.word(),
        subject: entry.subject.clone(),
        origins: entry.origins.clone(),
        verified: entry.proof.to_string(),
    };
    Made {
        schema_version: SCHEMA_VERSION,
        host: wish.host.to_string(),
        port: wish.port,
        owner: proposal.owner.to_string(),
        ttl: wish.ttl,
        records: proposal.entries.iter().map(record).collect(),
        reasons: proposal.reasons(),
        cautions: proposal
            .cautions
            .iter()
            .map(|caution| MadeCaution {
                id: caution.id(),
                text: caution.to_string(),
            })
            .collect(),
        text,
        made_at: moment::second(wish.now),
    }
}
