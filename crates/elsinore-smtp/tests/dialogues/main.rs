//! Scripted dialogues: what a server says, what the client must say, and what must come of it.
//!
//! Each `*.txt` beside this file is one dialogue in three sections separated by `---`: settings
//! (`from`, `to`, `message`, …), the script, and the outcome. In the script `S:` is a line of the
//! server, `S!` are octets without line end, `C:` is a line the client must have sent by then,
//! and `TLS`, `TLS-FAILS`, `LOST`, `TIMEOUT` are what happens to the connection. In a session that
//! stays (`stay: yes`) `NEXT address…` hands over the same message for other recipients, and `LEAVE`
//! ends the session; the outcomes stand one below the other. Everything the
//! client sends must be in the script. Octets are written with Rust's escapes; a lone `~N*text~`
//! repeats a text. Every dialogue runs twice, the server's octets coming at once and one by one,
//! unless it says `split: no`.
//!
//! `ELSINORE_BLESS=1` rewrites the outcome section; read the difference before committing it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use elsinore_smtp::address::{Mailbox, ReversePath};
use elsinore_smtp::client::{
    Action, Afterwards, ClientConfig, ClientSession, HeaderUtf8, Outlook, Phase, Recipient,
    RecipientResult, RequireTls, SessionOutcome, StartTls, Task, Transaction, Turn, Use,
};
use elsinore_smtp::command::{
    EnvelopeId, GreetingName, Notify, OriginalRecipient, RcptParameters, Return,
};
use elsinore_smtp::message::{BlindCopies, Completion, Surveyor};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

const DEFAULT_MESSAGE: &str = "Date: x\\nFrom: y\\nMessage-ID: z\\n\\nHello\\n";

struct Dialogue {
    name: String,
    settings: Vec<(String, String)>,
    script: Vec<String>,
    outcome: String,
}

impl Dialogue {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut sections = text.splitn(3, "---\n");
        let settings = sections.next().unwrap();
        let script = sections.next().expect("a script section");
        let outcome = sections.next().unwrap_or_default();
        let lines = |text: &str| -> Vec<String> {
            text.lines()
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(str::to_owned)
                .collect()
        };
        Self {
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            settings: lines(settings)
                .iter()
                .map(|line| {
                    let (key, value) = line.split_once(':').expect("key: value");
                    (key.to_owned(), value.trim().to_owned())
                })
                .collect(),
            script: lines(script),
            outcome: outcome.to_owned(),
        }
    }

    fn all(&self, key: &str) -> Vec<&str> {
        self.settings
            .iter()
            .filter(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    fn one(&self, key: &str) -> Option<&str> {
        self.all(key).first().copied()
    }

    fn message(&self) -> Vec<u8> {
        unescape(self.one("message").unwrap_or(DEFAULT_MESSAGE))
    }

    fn session(&self) -> ClientSession {
        const KNOWN: &[&str] = &[
            "from",
            "to",
            "message",
            "probe",
            "header-utf8",
            "require-tls",
            "ret",
            "envid",
            "notify",
            "orcpt",
            "starttls",
            "pipelining",
            "chunking",
            "per-transaction",
            "split",
            "stay",
            "title",
            "unreadable",
        ];
        for (key, _) in &self.settings {
            assert!(
                KNOWN.contains(&key.as_str()),
                "{}: unknown key {key}",
                self.name
            );
        }
        let mut config = ClientConfig::new(GreetingName::parse("client.example").unwrap());
        config.starttls = match self.one("starttls") {
            None | Some("if-offered") => StartTls::IfOffered,
            Some("required") => StartTls::Required,
            Some("never") => StartTls::Never,
            Some(other) => panic!("starttls: {other}"),
        };
        if self.one("pipelining") == Some("never") {
            config.pipelining = Use::Never;
        }
        if self.one("chunking") == Some("never") {
            config.chunking = Use::Never;
        }
        if self.one("stay").is_some() {
            config.afterwards = Afterwards::Stay;
        }
        if let Some(most) = self.one("per-transaction") {
            config.recipients_per_transaction = most.parse().unwrap();
        }
        if self.one("probe").is_some() {
            return ClientSession::new(config, Task::Probe);
        }
        ClientSession::new(config, Task::Deliver(self.transaction(&self.all("to"))))
    }

    fn transaction(&self, to: &[&str]) -> Arc<Transaction> {
        let sender = ReversePath::parse(self.one("from").unwrap_or("anna@sender.example")).unwrap();
        let mut surveyor = Surveyor::new(Completion {
            now: 0,
            token: [7; 16],
            host: GreetingName::parse("client.example").unwrap(),
            sender: sender.clone(),
            blind_copies: BlindCopies::Remove,
        });
        surveyor.push(&self.message()).unwrap();
        let mut recipients: Vec<Recipient> = to
            .iter()
            .map(|text| Recipient::new(Mailbox::parse(text).unwrap()))
            .collect();
        for recipient in &mut recipients {
            recipient.parameters = RcptParameters {
                notify: self.one("notify").map(|it| Notify::parse(it).unwrap()),
                original: self
                    .one("orcpt")
                    .map(|it| OriginalRecipient::parse(it).unwrap()),
            };
        }
        Arc::new(Transaction {
            reverse_path: sender,
            recipients,
            message: Arc::new(surveyor.finish().unwrap()),
            header_utf8: match self.one("header-utf8") {
                None => HeaderUtf8::Declared,
                Some("undeclared") => HeaderUtf8::Undeclared,
                Some("withheld") => HeaderUtf8::Withheld,
                Some(other) => panic!("header-utf8: {other}"),
            },
            require_tls: match self.one("require-tls") {
                Some(_) => RequireTls::Yes,
                None => RequireTls::No,
            },
            ret: self.one("ret").map(|value| Return::parse(value).unwrap()),
            envelope_id: self.one("envid").map(|id| EnvelopeId::new(id).unwrap()),
        })
    }
}

/// Rust's escapes, and `~N*text~` for a repetition.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\\' => {
                let (escape, tail) = rest.split_at(1);
                rest = tail;
                match escape {
                    "n" => out.push(b'\n'),
                    "r" => out.push(b'\r'),
                    "t" => out.push(b'\t'),
                    "0" => out.push(0),
                    "\\" => out.push(b'\\'),
                    "x" => {
                        let (digits, tail) = rest.split_at(2);
                        out.push(u8::from_str_radix(digits, 16).unwrap());
                        rest = tail;
                    }
                    other => panic!("escape {other}"),
                }
            }
            '~' => {
                let (inside, tail) = rest.split_once('~').expect("closing ~");
                let (count, text) = inside.split_once('*').expect("~N*text~");
                for _ in 0..count.parse::<usize>().unwrap() {
                    out.extend(unescape(text));
                }
                rest = tail;
            }
            other => out.extend(other.to_string().bytes()),
        }
    }
    out
}

#[derive(Clone, Copy, PartialEq)]
enum Split {
    Whole,
    Octets,
}

struct Run<'a> {
    dialogue: &'a Dialogue,
    session: ClientSession,
    message: Vec<u8>,
    sent: Vec<u8>,
    /// The outcomes of the transactions before the last.
    earlier: String,
}

impl Run<'_> {
    /// Does what the session says until it waits for the server or for the script.
    fn pump(&mut self) -> Action {
        for _ in 0..100_000 {
            match self.session.next() {
                Action::Send { octets, phase } => {
                    assert_ne!(phase, Phase::Greeting);
                    self.sent.extend(octets);
                }
                waiting @ Action::PullMessage { .. }
                    if self.dialogue.one("unreadable").is_some() =>
                {
                    return waiting;
                }
                Action::PullMessage { offset, at_most } => {
                    let from = usize::try_from(offset).unwrap();
                    let chunk: Vec<u8> = self.message[from..]
                        .iter()
                        .take(at_most.min(1000))
                        .copied()
                        .collect();
                    self.session.message_chunk(&chunk);
                }
                waiting => return waiting,
            }
        }
        panic!("{}: the session does not come to rest", self.dialogue.name);
    }

    fn expect_all_said(&self, at: &str) {
        assert!(
            self.sent.is_empty(),
            "{}: before {at:?} the client also said {:?}",
            self.dialogue.name,
            String::from_utf8_lossy(&self.sent)
        );
    }

    fn step(&mut self, line: &str, split: Split) {
        let name = &self.dialogue.name;
        if let Some(text) = line.strip_prefix("C: ") {
            self.pump();
            let mut expected = unescape(text);
            expected.extend(b"\r\n");
            assert!(
                self.sent.starts_with(&expected),
                "{name}: expected {text:?}, the client said {:?}",
                String::from_utf8_lossy(&self.sent)
            );
            self.sent.drain(..expected.len());
            return;
        }
        let action = self.pump();
        let octets = match line.split_once(' ') {
            Some(("S:", text)) => [unescape(text), b"\r\n".to_vec()].concat(),
            Some(("S!", text)) => unescape(text),
            _ => {
                self.expect_all_said(line);
                match line {
                    "TLS" => {
                        assert_eq!(action, Action::StartTls, "{name}");
                        self.session.tls_established();
                    }
                    "TLS-FAILS" => {
                        assert_eq!(action, Action::StartTls, "{name}");
                        self.session.tls_failed("certificate expired");
                    }
                    "LOST" => self.session.connection_lost(),
                    "TIMEOUT" => {
                        assert!(
                            matches!(action, Action::Receive { .. }),
                            "{name}: {action:?}"
                        );
                        self.session.timed_out();
                    }
                    "UNREADABLE" => self.session.message_unreadable("disk error"),
                    "LEAVE" => {
                        assert_eq!(action, Action::Idle, "{name}");
                        self.session.leave();
                    }
                    other => {
                        let to = other.strip_prefix("NEXT ");
                        let to = to.unwrap_or_else(|| panic!("{name}: step {other:?}"));
                        // Without a pump: the session has not noticed yet what was done to it.
                        let outcome = self.session.take_outcome();
                        self.earlier.push_str(&render(&outcome));
                        let to: Vec<&str> = to.split(' ').collect();
                        self.session
                            .next_transaction(self.dialogue.transaction(&to));
                    }
                }
                return;
            }
        };
        match split {
            Split::Whole => self.session.received(&octets),
            Split::Octets => {
                for octet in octets {
                    self.session.received(&[octet]);
                    self.pump();
                }
            }
        }
    }

    fn play(mut self, split: Split) -> (String, SessionOutcome) {
        let mut server_speaks = false;
        for line in &self.dialogue.script {
            let server_line = line.starts_with('S');
            if server_line && !server_speaks {
                self.pump();
                self.expect_all_said(line);
            }
            if server_line && split == Split::Whole {
                // All of the server's lines at once, without a look at what the client says.
                let octets = match line.split_once(' ') {
                    Some(("S:", text)) => [unescape(text), b"\r\n".to_vec()].concat(),
                    Some(("S!", text)) => unescape(text),
                    _ => panic!("{line}"),
                };
                self.session.received(&octets);
            } else {
                self.step(line, split);
            }
            server_speaks = server_line;
        }
        let action = self.pump();
        self.expect_all_said("the end");
        assert_eq!(
            action,
            Action::Close,
            "{}: not at its end",
            self.dialogue.name
        );
        (self.earlier, self.session.into_outcome())
    }
}

fn render(outcome: &SessionOutcome) -> String {
    let mut out = String::new();
    for recipient in &outcome.recipients {
        let to = &recipient.recipient;
        match &recipient.result {
            RecipientResult::Delivered(reply) => writeln!(out, "{to}: delivered: {reply}"),
            RecipientResult::Failed(failure) => writeln!(
                out,
                "{to}: {:?} {:?} {}{}: {failure}",
                failure.outlook,
                failure.scope,
                failure.status,
                if failure.may_try_next_host() {
                    ""
                } else {
                    " no-next-host"
                },
            ),
        }
        .unwrap();
    }
    if let Some(failure) = &outcome.failure {
        writeln!(
            out,
            "session: {:?} {:?} {}: {failure}",
            failure.outlook, failure.scope, failure.status
        )
        .unwrap();
        assert!(
            failure.outlook != Outlook::Uncertain,
            "uncertainty belongs to recipients"
        );
    }
    for event in &outcome.events {
        writeln!(out, "event: {event}").unwrap();
    }
    match outcome.turn {
        Turn::First => {}
        Turn::Later => out.push_str("a later transaction\n"),
        Turn::Stale => out.push_str("a later transaction, stale\n"),
    }
    if outcome.inside_tls {
        writeln!(out, "inside TLS").unwrap();
    }
    if let Some(offered) = &outcome.offered_before_tls
        && outcome.recipients.is_empty()
    {
        let starttls = if offered.starttls { "STARTTLS" } else { "-" };
        writeln!(out, "before TLS: {starttls}").unwrap();
    }
    out
}

fn check(path: &Path) {
    let dialogue = Dialogue::read(path);
    let splits = match dialogue.one("split") {
        Some("no") => vec![Split::Whole],
        _ => vec![Split::Whole, Split::Octets],
    };
    for split in splits {
        let run = Run {
            dialogue: &dialogue,
            session: dialogue.session(),
            message: dialogue.message(),
            sent: Vec::new(),
            earlier: String::new(),
        };
        let (earlier, outcome) = run.play(split);
        let got = earlier + &render(&outcome);
        for line in outcome.transcript.entries() {
            assert!(
                !line.to_string().contains(['\r', '\n', '\0', '\x1b']),
                "{line}"
            );
        }
        if std::env::var_os("ELSINORE_BLESS").is_some() {
            let text = std::fs::read_to_string(path).unwrap();
            let mut sections: Vec<&str> = text.splitn(3, "---\n").collect();
            sections.truncate(2);
            std::fs::write(path, format!("{}---\n{got}", sections.join("---\n"))).unwrap();
        } else {
            assert_eq!(got, dialogue.outcome, "{}", dialogue.name);
        }
    }
}

#[test]
fn dialogues() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 30, "only {} dialogues found", paths.len());
    let mut failed = Vec::new();
    for path in &paths {
        if let Err(panic) = std::panic::catch_unwind(|| check(path)) {
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .unwrap_or_else(|| "panicked".to_owned());
            let text: String = text.chars().take(600).collect();
            failed.push(format!("{}: {text}", path.display()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
