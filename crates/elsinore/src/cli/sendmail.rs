//! `elsinore sendmail`: what cron, PHP and every other local program calls to send mail. Takes a
//! message on stdin and hands it to the relay, with the flags that sendmail has always had.
//!
//! Nothing is kept here: what the relay has not taken is said on stderr and by the exit code, 75 when
//! it may be taken later.

mod address_list;
mod intake;
mod options;
mod submit;

use crate::cli::GlobalArguments;
use crate::config::{Settings, of_service};
use crate::exit::{self, Refusal};
use crate::network;
use crate::output::{self, printable};
use anyhow::{Context as _, Result};
use clap::{ArgAction, Args};
use elsinore_smtp::address::{Mailbox, ReversePath};
use elsinore_smtp::client::{HeaderUtf8, Recipient, RequireTls, Transaction};
use elsinore_smtp::command::{GreetingName, RcptParameters};
use elsinore_smtp::message::{BlindCopies, Completion, Surveyor};
use intake::Intake;
use options::{Mode, Options};
use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use submit::{Fate, RelayAddress};

/// Where the relay listens when nothing says where.
const USUAL_SOCKET: &str = "/run/elsinore/smtp.sock";
/// Names the relay: a path, or an address with its port.
const RELAY_VARIABLE: &str = "ELSINORE_RELAY";

/// What `elsinore sendmail` takes: sendmail's own flags, which no parser of today understands.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    override_usage = "elsinore sendmail [FLAGS] [--] [RECIPIENT]...",
    after_help = "\
Flags:
  -t            recipients from To, Cc and Bcc, beside those given
  -i, -oi       a dot alone on a line does not end the message
  -f, -r ADDR   sender of the envelope; <> for none
  -F NAME       full name for a From field that has to be added
  -N WHEN       notifications: never, or any of success,failure,delay
  -R WHAT       what a notification returns: full or hdrs
  -V ID         identifier that notifications quote
  -bs           SMTP on stdin and stdout
  -bm, -B TYPE, -o*, -O*, -G, -L TAG, -h N, -q*, -U, -v, -n, -m, -d*, -X FILE
                taken for sendmail's sake; they change nothing

The relay is found by ELSINORE_RELAY (a path or ADDRESS:PORT), else by [relay]
in the configuration, else at /run/elsinore/smtp.sock and port 2525 of this
machine. It runs as sendmail too when it is called by that name.

Exit codes: 0 taken by the relay, 64 wrong flags, 65 a message or an address
that cannot be sent, 69 refused, 74 stdin cannot be read, 75 the relay is away
or has no room, try again later."
)]
pub(crate) struct SendmailArguments {
    /// Print help.
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// Sendmail's flags, then recipients.
    #[arg(
        value_name = "FLAG OR RECIPIENT",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    words: Vec<OsString>,
}

/// Whether the program was called by sendmail's name, through a link.
pub(crate) fn is_called_so(program: Option<&OsString>) -> bool {
    program
        .and_then(|program| Path::new(program).file_name())
        .is_some_and(|name| name == "sendmail")
}

/// Hands the message to the relay.
///
/// # Errors
/// Wrong flags, a message or addresses that cannot be sent, stdin that cannot be read.
pub(crate) fn run(arguments: SendmailArguments, global: &GlobalArguments) -> Result<ExitCode> {
    run_words(arguments.words, global)
}

/// The same with sendmail's own words.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_words(words: Vec<OsString>, global: &GlobalArguments) -> Result<ExitCode> {
    let options = options::parse(words)?;
    if options.mode == Mode::Nothing {
        return Ok(ExitCode::SUCCESS);
    }
    let settings = settings(global)?;
    let host = match &settings {
        Some(settings) => settings.relay.accept.host.clone(),
        None => network::greeting(None)?,
    };
    let places = places(settings.as_ref())?;
    if options.mode == Mode::Smtp {
        return submit::pass_through(&places);
    }
    let sender = match &options.sender {
        Some(text) => sender(text, &host)?,
        None => ReversePath::Mailbox(qualified(&user_name(), &host)?),
    };
    let intake = Intake::take(io::stdin().lock(), &options).context("cannot read the message")?;
    let mut file = intake
        .message(&options, &sender)
        .context("cannot spool the message")?;
    let recipients = recipients(&options, &intake, &host)?;
    let survey = survey(&mut file, &sender, &host)?;
    let fates = submit::submit(
        &places,
        &mut file,
        host,
        Transaction {
            reverse_path: sender,
            recipients,
            message: Arc::new(survey),
            // The relay is told nothing that the caller did not say: PHP and cron know no SMTPUTF8.
            header_utf8: HeaderUtf8::Withheld,
            require_tls: RequireTls::No,
            ret: options.ret,
            envelope_id: options.envelope_id,
        },
    )?;
    Ok(tell(&fates))
}

/// The configuration; none where it is not for this user to read, or there is none.
fn settings(global: &GlobalArguments) -> Result<Option<Settings>> {
    if global.config.is_some() {
        return Settings::resolve(global).map(Some);
    }
    // Secrets may stand in it: whoever may not read it finds the relay without.
    let global = of_service(global);
    let opened = global.config.as_ref().map(std::fs::File::open);
    if !matches!(opened, Some(Ok(_))) {
        return Ok(None);
    }
    Settings::resolve(&global).map(Some)
}

/// Where the relay may be, the likeliest first.
fn places(settings: Option<&Settings>) -> Result<Vec<RelayAddress>> {
    if let Some(text) = std::env::var_os(RELAY_VARIABLE) {
        let text = text.to_string_lossy();
        return match RelayAddress::parse(&text) {
            Some(place) => Ok(vec![place]),
            None => Err(Refusal::configuration(format!(
                "{RELAY_VARIABLE}: write a path or ADDRESS:PORT, not {text:?}"
            ))),
        };
    }
    let Some(settings) = settings else {
        let port = elsinore_relay::accept::DEFAULT_PORT;
        return Ok(vec![
            RelayAddress::Socket(PathBuf::from(USUAL_SOCKET)),
            RelayAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], port))),
        ]);
    };
    let accept = &settings.relay.accept;
    let sockets = accept.socket.iter().cloned().map(RelayAddress::Socket);
    let addresses = accept.listen.iter().map(|address| {
        // What listens everywhere is reached on loopback.
        let mut address = *address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => [127, 0, 0, 1].into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        RelayAddress::Tcp(address)
    });
    Ok(sockets.chain(addresses).collect())
}

fn sender(text: &str, host: &GreetingName) -> Result<ReversePath> {
    match text {
        "" | "<>" => Ok(ReversePath::Null),
        text => qualified(text, host).map(ReversePath::Mailbox),
    }
}

/// An address; a name alone is one of this host.
fn qualified(text: &str, host: &GreetingName) -> Result<Mailbox> {
    let text = text.trim();
    let bare = text
        .strip_prefix('<')
        .and_then(|text| text.strip_suffix('>'))
        .unwrap_or(text);
    let whole = if bare.contains('@') {
        bare.to_owned()
    } else {
        format!("{bare}@{host}")
    };
    Mailbox::parse(&whole).map_err(|error| {
        Refusal::unusable_input(printable(&format!("sendmail: {text:?}: {error}")))
    })
}

fn recipients(options: &Options, intake: &Intake, host: &GreetingName) -> Result<Vec<Recipient>> {
    let parameters = RcptParameters {
        notify: options.notify,
        original: None,
    };
    let mut seen = HashSet::new();
    let mut recipients = Vec::new();
    let mut texts = Vec::new();
    for word in &options.recipients {
        texts.extend(address_list::addresses(word).map_err(|text| unreadable(&text))?);
    }
    if options.from_header {
        for value in intake.recipient_fields() {
            texts.extend(address_list::addresses(value).map_err(|text| unreadable(&text))?);
        }
    }
    for text in texts {
        let mailbox = qualified(&text, host)?;
        if seen.insert(mailbox.clone()) {
            recipients.push(Recipient {
                mailbox,
                parameters: parameters.clone(),
            });
        }
    }
    if recipients.is_empty() {
        return Err(Refusal::usage(if options.from_header {
            "sendmail: no recipient in To, Cc or Bcc"
        } else {
            "sendmail: no recipient given"
        }));
    }
    Ok(recipients)
}

fn unreadable(text: &str) -> anyhow::Error {
    let shown: String = text.chars().take(100).collect();
    Refusal::unusable_input(printable(&format!(
        "sendmail: no list of addresses: {shown:?}"
    )))
}

fn survey(
    file: &mut std::fs::File,
    sender: &ReversePath,
    host: &GreetingName,
) -> Result<elsinore_smtp::message::Survey> {
    let mut surveyor = Surveyor::new(Completion {
        now: network::clock().now().0,
        token: rand::random(),
        host: host.clone(),
        sender: sender.clone(),
        blind_copies: BlindCopies::Remove,
    });
    let unsendable = |error: elsinore_smtp::message::MessageError| {
        Refusal::unusable_input(format!("sendmail: {error}"))
    };
    file.seek(SeekFrom::Start(0))?;
    let mut block = vec![0; 64 * 1024];
    loop {
        let length = file.read(&mut block)?;
        if length == 0 {
            break;
        }
        surveyor.push(&block[..length]).map_err(unsendable)?;
    }
    surveyor.finish().map_err(unsendable)
}

/// Says what was not taken, and makes the exit code of it.
fn tell(fates: &[Fate]) -> ExitCode {
    let mut code = 0;
    for fate in fates {
        let (say, its_code) = match fate {
            Fate::Taken => continue,
            Fate::NotNow(why) => (why, exit::TEMPORARY),
            Fate::Refused(why) => (why, exit::UNAVAILABLE),
        };
        output::diagnose(&printable(&format!("sendmail: {say}")));
        // To be tried again beats to be given up: else what may be sent later would be lost.
        if code != exit::TEMPORARY {
            code = its_code;
        }
    }
    ExitCode::from(code)
}

/// Who runs this, for the sender's address.
fn user_name() -> String {
    let own = rustix::process::getuid().as_raw().to_string();
    let name = std::fs::read_to_string("/etc/passwd")
        .ok()
        .and_then(|users| {
            users.lines().find_map(|line| {
                let mut fields = line.split(':');
                let (name, uid) = (fields.next()?, fields.nth(1)?);
                (uid == own).then(|| name.to_owned())
            })
        });
    name.filter(|name| !name.is_empty())
        .or_else(|| std::env::var("LOGNAME").ok())
        .unwrap_or_else(|| format!("uid{own}"))
}
