//! Addresses and DSN options of the command line, turned into an envelope.

use clap::ValueEnum;
use elsinore_smtp::address::{AddressError, Mailbox, ReversePath};
use elsinore_smtp::client::Recipient;
use elsinore_smtp::command::{EnvelopeId, Notify, RcptParameters, Return};
use std::str::FromStr;

/// `--notify`, comma-separated (RFC 3461 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotifyOption(pub(super) Notify);

impl FromStr for NotifyOption {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words = text.split(',').map(str::trim).collect::<Vec<_>>().join(",");
        let notify = Notify::parse(&words).map_err(|_| "never, or any of success,failure,delay")?;
        Ok(Self(notify))
    }
}

/// `--ret` (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ReturnOption {
    /// The whole message.
    Full,
    /// Its header only.
    Hdrs,
}

impl From<ReturnOption> for Return {
    fn from(option: ReturnOption) -> Self {
        match option {
            ReturnOption::Full => Self::Full,
            ReturnOption::Hdrs => Self::Headers,
        }
    }
}

/// `--envid` (RFC 3461 §4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EnvelopeIdOption(pub(super) EnvelopeId);

impl FromStr for EnvelopeIdOption {
    type Err = elsinore_smtp::command::NotAnEnvelopeId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        EnvelopeId::new(text).map(Self)
    }
}

/// An address of the command line that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadAddress {
    /// `--from` or `--to`.
    pub(super) option: &'static str,
    /// As typed.
    pub(super) typed: String,
    /// What is wrong with it.
    pub(super) error: AddressError,
}

/// The sender.
pub(super) fn sender(typed: &str) -> Result<ReversePath, BadAddress> {
    ReversePath::parse(typed).map_err(|error| BadAddress {
        option: "--from",
        typed: typed.to_owned(),
        error,
    })
}

/// The recipients in the order typed, each once: an address given twice is delivered to once.
pub(super) fn recipients(
    typed: &[String],
    notify: Option<Notify>,
) -> Result<Vec<Recipient>, Vec<BadAddress>> {
    let mut recipients: Vec<Recipient> = Vec::with_capacity(typed.len());
    let mut bad = Vec::new();
    for text in typed {
        match Mailbox::parse(text) {
            Ok(mailbox) if recipients.iter().any(|known| known.mailbox == mailbox) => {}
            Ok(mailbox) => recipients.push(Recipient {
                mailbox,
                parameters: RcptParameters {
                    notify,
                    original: None,
                },
            }),
            Err(error) => bad.push(BadAddress {
                option: "--to",
                typed: text.clone(),
                error,
            }),
        }
    }
    if bad.is_empty() {
        Ok(recipients)
    } else {
        Err(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notify_words() {
        for (text, value) in [
            ("never", Some("NEVER")),
            ("NEVER", Some("NEVER")),
            ("failure", Some("FAILURE")),
            ("delay, Success", Some("SUCCESS,DELAY")),
            ("", None),
            ("never,failure", None),
            ("sometimes", None),
        ] {
            let parsed: Result<NotifyOption, _> = text.parse();
            let shown = parsed.ok().map(|NotifyOption(notify)| notify.value());
            assert_eq!(shown.as_deref(), value, "{text}");
        }
    }

    #[test]
    fn each_recipient_once_and_every_fault() {
        let typed = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let good = typed(&["a@example.org", "\"a\"@Example.ORG", "A@example.org"]);
        let found = recipients(&good, None).unwrap();
        let shown: Vec<String> = found.iter().map(|r| r.mailbox.to_string()).collect();
        assert_eq!(shown, ["a@example.org", "A@example.org"]);

        let bad = recipients(&typed(&["a@example.org", "b", "@c"]), None).unwrap_err();
        let shown: Vec<&str> = bad.iter().map(|bad| bad.typed.as_str()).collect();
        assert_eq!(shown, ["b", "@c"]);
    }
}
