//! `elsinore send`: one message to its recipients, once. What cannot be delivered now is
//! deferred: trying again is for the caller.

mod envelope;
mod spool;

use crate::cli::Format;
use crate::config::Settings;
use crate::exit::{self, Refusal};
use crate::network;
use crate::output::{self, JsonLayout, printable};
use crate::report::narrative;
use crate::report::send::SendRecord;
use anyhow::{Context, Result};
use clap::Args;
use elsinore_dane::name::DomainName;
use elsinore_net::deliver::{Envelope, Message, Outcome, SendReport, TlsWish, UnsendableMessage};
use elsinore_smtp::client::HeaderUtf8;
use elsinore_smtp::command::GreetingName;
use elsinore_smtp::message::{BlindCopies, Completion, TlsRequired};
use envelope::{BadAddress, EnvelopeIdOption, NotifyOption, ReturnOption};
use spool::SpooledMessage;
use std::process::ExitCode;
use std::sync::Arc;

/// What `elsinore send` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all delivered, 75 something deferred, 69 something bounced,
65 nothing sent because an address or the message cannot be.")]
pub(crate) struct SendArguments {
    /// Sender of the envelope; empty or <> for a notification.
    #[arg(long, value_name = "ADDRESS")]
    from: String,
    /// Recipient, repeatable.
    #[arg(long, value_name = "ADDRESS", required = true, num_args = 1..)]
    to: Vec<String>,
    /// The message; - is stdin.
    #[arg(long, value_name = "FILE", default_value = "-")]
    file: String,
    /// Name for EHLO: [smtp] helo.
    #[arg(long, value_name = "NAME")]
    helo: Option<DomainName>,
    /// TCP port of MX hosts: [smtp] port.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Only over authenticated servers that promise the same (RFC 8689).
    #[arg(long)]
    require_tls: bool,
    /// Delivery matters more than security: DANE and MTA-STS are not applied, as
    /// with the header field TLS-Required: No (RFC 8689).
    #[arg(long, conflicts_with = "require_tls")]
    tls_required_no: bool,
    /// When to notify the sender: never, or any of success,failure,delay.
    #[arg(long, value_name = "WHEN", help_heading = "Notifications (RFC 3461)")]
    notify: Option<NotifyOption>,
    /// What a notification returns.
    #[arg(long, value_name = "WHAT", help_heading = "Notifications (RFC 3461)")]
    ret: Option<ReturnOption>,
    /// Identifier that notifications quote.
    #[arg(long, value_name = "ID", help_heading = "Notifications (RFC 3461)")]
    envid: Option<EnvelopeIdOption>,
}

/// Why nothing is sent to anybody.
#[derive(Debug)]
enum Unsendable {
    /// Addresses, each with its fault.
    Addresses(Vec<BadAddress>),
    /// The message, with its fault.
    Message(String),
}

/// Sends the message and prints what became of it.
///
/// # Errors
/// Wrong configuration, or a message that cannot be read.
pub(crate) fn run(arguments: &SendArguments, settings: &Settings) -> Result<ExitCode> {
    let mut settings = settings.clone();
    if let Some(name) = &arguments.helo {
        GreetingName::parse(name.as_str())
            .map_err(|error| Refusal::usage(format!("send: --helo: {error}")))?;
        settings.smtp.helo = Some(name.clone());
    }
    settings.smtp.port = arguments.port.unwrap_or(settings.smtp.port);
    let helo = network::helo(&settings)?;
    let resolver = network::resolver(&settings)?;
    let sender = network::sender(&settings, &helo, &resolver)?;
    // Nothing is sent before every address and the whole message have been looked at: after 65
    // the caller can correct the fault and send again without a duplicate.
    match submission(arguments, helo)? {
        Ok((envelope, message)) => {
            let report = network::block_on(async {
                let work = sender.send(&envelope, &message);
                Ok(network::beside_rollover(&settings, &resolver, work).await)
            })?;
            if let Err(error) = print(&report, settings.format) {
                // What was delivered stays delivered: the exit code must say so, or the caller
                // would send it again. What stdout did not take goes to stderr, in short.
                output::diagnose(&format!("cannot print the result: {error:#}"));
                for recipient in &report.recipients {
                    let (to, outcome) = (&recipient.recipient, recipient.outcome);
                    output::diagnose(&printable(&format!("{to}: {outcome}")));
                }
            }
            Ok(ExitCode::from(match report.overall() {
                Outcome::Delivered => 0,
                Outcome::Deferred => exit::TEMPORARY,
                Outcome::Bounced => exit::UNAVAILABLE,
            }))
        }
        Err(unsendable) => {
            refuse(&unsendable, arguments, settings.format)?;
            Ok(ExitCode::from(exit::DATA))
        }
    }
}

/// The envelope and the message, checked.
fn submission(
    arguments: &SendArguments,
    helo: GreetingName,
) -> Result<Result<(Envelope, Message), Unsendable>> {
    let notify = arguments.notify.map(|NotifyOption(notify)| notify);
    let sender = envelope::sender(&arguments.from);
    let recipients = envelope::recipients(&arguments.to, notify);
    let (sender, recipients) = match (sender, recipients) {
        (Ok(sender), Ok(recipients)) => (sender, recipients),
        (sender, recipients) => {
            let mut bad: Vec<BadAddress> = sender.err().into_iter().collect();
            bad.extend(recipients.err().into_iter().flatten());
            return Ok(Err(Unsendable::Addresses(bad)));
        }
    };
    let spool = SpooledMessage::take(&arguments.file)?;
    let completion = Completion {
        now: network::clock().now().0,
        token: rand::random(),
        host: helo,
        sender: sender.clone(),
        blind_copies: BlindCopies::Remove,
    };
    let message = match Message::survey(Arc::new(spool), completion) {
        Ok(message) => message,
        Err(UnsendableMessage::Unreadable(error)) => {
            return Err(error).with_context(|| format!("cannot read {}", arguments.file));
        }
        Err(UnsendableMessage::Content(error)) => {
            return Ok(Err(Unsendable::Message(error.to_string())));
        }
    };
    // RFC 8689 §4.1: the demand of the envelope beats the header field.
    let tls = if arguments.require_tls {
        TlsWish::Require
    } else if arguments.tls_required_no || message.survey.tls_required() == TlsRequired::No {
        TlsWish::NotRequired
    } else {
        TlsWish::AsAnnounced
    };
    let envelope = Envelope {
        reverse_path: sender,
        recipients,
        // Nobody submitted it: the message is the user's own, and is held to the standard.
        header_utf8: HeaderUtf8::Declared,
        tls,
        ret: arguments.ret.map(Into::into),
        envelope_id: arguments.envid.clone().map(|EnvelopeIdOption(id)| id),
    };
    Ok(Ok((envelope, message)))
}

fn print(report: &SendReport, format: Format) -> Result<()> {
    match format {
        Format::Human => output::print(&narrative::tell(report, output::width()))?,
        Format::Json => output::print_json(&SendRecord::new(report), JsonLayout::Indented)?,
        Format::Jsonl => output::print_json(&SendRecord::new(report), JsonLayout::OneLine)?,
    }
    Ok(())
}

/// Says why nothing was sent: a line for each fault on stderr, every recipient in JSON.
fn refuse(unsendable: &Unsendable, arguments: &SendArguments, format: Format) -> Result<()> {
    match unsendable {
        Unsendable::Addresses(bad) => {
            for BadAddress {
                option,
                typed,
                error,
            } in bad
            {
                let typed = shortened(typed);
                output::diagnose(&printable(&format!("{option} {typed:?}: {error}")));
            }
        }
        Unsendable::Message(fault) => output::diagnose(&printable(fault)),
    }
    let record = SendRecord::refused(arguments.to.iter().map(|typed| {
        let reply = match unsendable {
            Unsendable::Message(fault) => format!("554 5.6.0 {fault}"),
            Unsendable::Addresses(bad) => {
                match bad
                    .iter()
                    .find(|bad| bad.typed == *typed && bad.option == "--to")
                {
                    Some(bad) => format!("553 5.1.3 {}", bad.error),
                    None => "554 5.5.0 not sent: another address cannot be used".to_owned(),
                }
            }
        };
        (typed.clone(), reply)
    }));
    match format {
        Format::Human => {}
        Format::Json => output::print_json(&record, JsonLayout::Indented)?,
        Format::Jsonl => output::print_json(&record, JsonLayout::OneLine)?,
    }
    Ok(())
}

/// What was typed, short enough that the fault after it is still seen.
fn shortened(typed: &str) -> String {
    const SHOWN: usize = 100;
    if typed.chars().count() <= SHOWN {
        return typed.to_owned();
    }
    typed.chars().take(SHOWN).chain(['…']).collect()
}
