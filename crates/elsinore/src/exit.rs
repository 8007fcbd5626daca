//! Exit codes (those of `sysexits.h`, which mail software has always used) and the one place
//! where an error becomes one of them.

use crate::output;
use std::fmt;
use std::process::ExitCode;

/// Wrong flags or operands.
pub(crate) const USAGE: u8 = 64;
/// A message or an address that cannot be sent.
pub(crate) const DATA: u8 = 65;
/// Something was bounced, or is not to be had.
pub(crate) const UNAVAILABLE: u8 = 69;
/// A fault of the program itself.
pub(crate) const SOFTWARE: u8 = 70;
/// A local file could not be read or written.
pub(crate) const IO: u8 = 74;
/// Something was deferred: try again later.
pub(crate) const TEMPORARY: u8 = 75;
/// The configuration, or a file it names, is wrong.
pub(crate) const CONFIGURATION: u8 = 78;

/// Wrong flags or operands of `check`, whose other codes leave no room for [`USAGE`] among what
/// monitors know.
pub(crate) const CHECK_USAGE: u8 = 2;
/// Nobody can say: the word of monitoring plug-ins.
pub(crate) const UNKNOWN: u8 = 3;

/// How a run that comes to no result says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// One line on stderr, a code of `sysexits.h`.
    Ordinary,
    /// The same, with [`CHECK_USAGE`].
    Check,
    /// As a monitor wants it: one line on stdout, [`UNKNOWN`]. Any other code would be taken for a
    /// verdict.
    Monitor,
}

impl Manner {
    /// Says `message` and gives the exit code.
    fn say(self, message: &str, code: u8) -> ExitCode {
        match (self, code) {
            (Self::Monitor, _) => {
                // stdout is all that a monitor reads; when it is gone nobody reads.
                let line = output::printable(&message.replace('|', "/"));
                let _ = output::print(&format!("UNKNOWN - {line}\n"));
                ExitCode::from(UNKNOWN)
            }
            (Self::Check, USAGE) => {
                output::diagnose(message);
                ExitCode::from(CHECK_USAGE)
            }
            (Self::Ordinary | Self::Check, code) => {
                output::diagnose(message);
                ExitCode::from(code)
            }
        }
    }
}

/// An error that knows its exit code. The message is one line that names the subject.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: u8,
    message: String,
}

impl Refusal {
    /// An error of the command line ([`USAGE`]).
    pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
        Self::with(USAGE, message)
    }

    /// An error of the configuration ([`CONFIGURATION`]).
    pub(crate) fn configuration(message: impl Into<String>) -> anyhow::Error {
        Self::with(CONFIGURATION, message)
    }

    /// A message, an address or a file given as input that cannot be used ([`DATA`]).
    pub(crate) fn unusable_input(message: impl Into<String>) -> anyhow::Error {
        Self::with(DATA, message)
    }

    /// Something that is needed and not to be had: a port, a server, a store in use ([`UNAVAILABLE`]).
    pub(crate) fn unavailable(message: impl Into<String>) -> anyhow::Error {
        Self::with(UNAVAILABLE, message)
    }

    /// Something that the file system does not do ([`IO`]).
    pub(crate) fn storage(message: impl Into<String>) -> anyhow::Error {
        Self::with(IO, message)
    }

    /// Something that may be otherwise later ([`TEMPORARY`]).
    pub(crate) fn temporary(message: impl Into<String>) -> anyhow::Error {
        Self::with(TEMPORARY, message)
    }

    fn with(code: u8, message: impl Into<String>) -> anyhow::Error {
        Self {
            code,
            message: message.into(),
        }
        .into()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// Prints `error` as one line on stderr and returns its exit code. A closed pipe on stdout is not
/// an error: whoever read has seen enough.
pub(crate) fn failure(error: &anyhow::Error, manner: Manner) -> ExitCode {
    let mut code = SOFTWARE;
    for cause in error.chain() {
        if let Some(refusal) = cause.downcast_ref::<Refusal>() {
            code = refusal.code;
            break;
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            if io.kind() == std::io::ErrorKind::BrokenPipe {
                return ExitCode::SUCCESS;
            }
            code = IO;
        }
    }
    manner.say(&format!("{error:#}"), code)
}

/// Prints what clap has to say: help and version go to stdout with code 0, errors are [`USAGE`]
/// and one line, as every error of this program.
pub(crate) fn clap_error(error: &clap::Error, manner: Manner) -> ExitCode {
    if !error.use_stderr() {
        // Nothing useful can be done when the text cannot be printed.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    let mut fault = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("Usage:") || line.starts_with("For more information") {
            break;
        }
        if !fault.is_empty() && !line.is_empty() {
            fault.push_str(if fault.ends_with(':') { " " } else { "; " });
        }
        fault.push_str(line);
    }
    let fault = fault.strip_prefix("error: ").unwrap_or(&fault);
    manner.say(&output::printable(&format!("{fault} (see --help)")), USAGE)
}
