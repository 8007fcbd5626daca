//! The message to the relay, by SMTP over a socket of this machine.

use crate::exit::Refusal;
use anyhow::Result;
use elsinore_smtp::client::{
    Action, ClientConfig, ClientSession, Outlook, RecipientResult, StartTls, Task, Timeouts,
    Transaction,
};
use elsinore_smtp::command::GreetingName;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(30);
/// Recipients in one transaction: what the relay takes by default. It says so when it takes fewer.
const RECIPIENTS: usize = 1000;

/// Where a relay listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RelayAddress {
    /// A unix socket.
    Socket(PathBuf),
    /// An address of TCP. Nothing protects the connection, so it should be this machine's.
    Tcp(SocketAddr),
}

impl RelayAddress {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Some(Self::Socket(path.into()));
        }
        if text.starts_with('/') {
            return Some(Self::Socket(text.into()));
        }
        text.parse().ok().map(Self::Tcp)
    }

    fn connect(&self) -> io::Result<Box<dyn Connection>> {
        Ok(match self {
            Self::Socket(path) => Box::new(UnixStream::connect(path)?),
            Self::Tcp(address) => Box::new(TcpStream::connect_timeout(address, CONNECT)?),
        })
    }
}

impl std::fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// A connection with deadlines.
trait Connection: Read + Write + Send {
    fn wait(&self, time: Option<Duration>) -> io::Result<()>;
    fn again(&self) -> io::Result<Box<dyn Connection>>;
    fn end_writing(&self) -> io::Result<()>;
}

impl Connection for UnixStream {
    fn wait(&self, time: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(time)?;
        self.set_write_timeout(time)
    }

    fn again(&self) -> io::Result<Box<dyn Connection>> {
        Ok(Box::new(self.try_clone()?))
    }

    fn end_writing(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Connection for TcpStream {
    fn wait(&self, time: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(time)?;
        self.set_write_timeout(time)
    }

    fn again(&self) -> io::Result<Box<dyn Connection>> {
        Ok(Box::new(self.try_clone()?))
    }

    fn end_writing(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// What became of the message for one recipient, in one line where it was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// The relay has it.
    Taken,
    /// The relay may take it later.
    NotNow(String),
    /// The relay will not take it.
    Refused(String),
}

/// Opens a connection to the first place where somebody answers.
fn connect(places: &[RelayAddress]) -> Result<Box<dyn Connection>> {
    let mut tried = Vec::new();
    for place in places {
        match place.connect() {
            Ok(connection) => return Ok(connection),
            Err(error) => tried.push(format!("{place}: {error}")),
        }
    }
    let tried = tried.join("; ");
    Err(Refusal::temporary(format!(
        "sendmail: the relay is away, and the message was not sent: {tried}"
    )))
}

/// Hands the message over.
///
/// # Errors
/// When nobody is there ([`crate::exit::TEMPORARY`]).
pub(super) fn submit(
    places: &[RelayAddress],
    message: &mut File,
    host: GreetingName,
    transaction: Transaction,
) -> Result<Vec<Fate>> {
    let mut connection = connect(places)?;
    let mut config = ClientConfig::new(host);
    config.starttls = StartTls::Never;
    config.recipients_per_transaction = RECIPIENTS;
    let mut session = ClientSession::new(config, Task::Deliver(Arc::new(transaction)));
    let times = Timeouts::default();
    let mut block = vec![0; 64 * 1024];
    loop {
        match session.next() {
            Action::Send { octets, phase } => {
                connection.wait(Some(times.of(phase)))?;
                if let Err(error) = connection.write_all(&octets) {
                    broken(&mut session, &error);
                }
            }
            Action::Receive { phase } => {
                connection.wait(Some(times.of(phase)))?;
                match connection.read(&mut block) {
                    Ok(0) => session.connection_lost(),
                    Ok(length) => session.received(&block[..length]),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => broken(&mut session, &error),
                }
            }
            Action::PullMessage { offset, at_most } => {
                let most = at_most.min(block.len());
                match message.read_at(&mut block[..most], offset) {
                    Ok(length) => session.message_chunk(&block[..length]),
                    Err(error) => session.message_unreadable(&error.to_string()),
                }
            }
            Action::StartTls => session.tls_failed("not used on this machine"),
            // One message, then QUIT: nothing else was asked for.
            Action::Idle => session.leave(),
            Action::Close => break,
        }
    }
    let recipients = session.into_outcome().recipients;
    Ok(recipients
        .into_iter()
        .map(|recipient| fate(&recipient.recipient.to_string(), recipient.result))
        .collect())
}

fn broken(session: &mut ClientSession, error: &io::Error) {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => session.timed_out(),
        _ => session.connection_lost(),
    }
}

fn fate(recipient: &str, result: RecipientResult) -> Fate {
    let failure = match result {
        RecipientResult::Delivered(_) => return Fate::Taken,
        RecipientResult::Failed(failure) => failure,
    };
    let said = match &failure.reply {
        Some(reply) => reply.to_string(),
        None => failure.cause.to_string(),
    };
    let why = format!("{recipient}: not taken by the relay: {said}");
    match failure.outlook {
        Outlook::Temporary => Fate::NotNow(why),
        Outlook::Uncertain => Fate::NotNow(format!("{why}; it may have been taken all the same")),
        Outlook::Permanent => Fate::Refused(why),
    }
}

/// SMTP between stdin, stdout and the relay, untouched.
///
/// # Errors
/// When nobody is there.
pub(super) fn pass_through(places: &[RelayAddress]) -> Result<ExitCode> {
    let mut connection = connect(places)?;
    connection.wait(None)?;
    let mut inward = connection.again()?;
    // Ends with the process when the relay closes first.
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut inward);
        let _ = inward.end_writing();
    });
    let mut stdout = io::stdout().lock();
    let mut block = [0; 4096];
    loop {
        let length = match connection.read(&mut block) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        if length == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        stdout.write_all(&block[..length])?;
        stdout.flush()?;
    }
}
