//! Dialogues with a server session, as data: what a client writes and what comes of it.
//!
//! A file holds dialogues, each begun by `# title` and, where it has them, `: options`:
//! `raw` (no EHLO is said before), `once` (what comes of it depends on what is read at once),
//! `away` (the client is turned away), `tls` (STARTTLS is offered), `any8` (undeclared octets above 127 are taken),
//! `size=`, `line=`, `recipients=`, `refused=`, `errors=`, `idle=` (bounds), `no-mail=`, `no-rcpt=`,
//! `no-content=`, `no-block=`, `no-commit=` (the driver refuses with 451 4.3.0 what contains this).
//!
//! `> text` is a line that the client writes, `| text` one that it writes together with the line
//! before. CRLF is added unless it ends in `\c`; Rust's escapes are understood, and `~N*text~` is a
//! repetition. `! tls` says that the handshake succeeded. What comes of it stands below each:
//! `< reply line`, `= message`, `= discard`, `= tls`, `= close`.
//!
//! Each dialogue is played twice: with what is written read at once, and octet by octet.
//! `ELSINORE_BLESS=1` writes what came of it into the files, to be read before it is committed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod property;

use elsinore_smtp::address::Mailbox;
use elsinore_smtp::command::GreetingName;
use elsinore_smtp::server::{Action, EightBit, Offer, Phase, Refusal, ServerConfig, ServerSession};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// The configuration that tests begin with.
fn config() -> ServerConfig {
    ServerConfig {
        host: GreetingName::parse("relay.example").unwrap(),
        postmaster: Mailbox::parse("postmaster@relay.example").unwrap(),
        message_octets: 1000,
        line_octets: 200,
        recipients: 3,
        errors: 10,
        refused_recipients: 100,
        idle_commands: 10,
        starttls: Offer::No,
        undeclared_eight_bit: EightBit::Refused,
    }
}

/// What the driver says no to.
#[derive(Debug, Default)]
struct Noes {
    mail: Option<String>,
    rcpt: Option<String>,
    content: bool,
    block: Option<String>,
    commit: bool,
}

/// A session with its driver: keeps the message, writes down what happens.
struct Play {
    config: Arc<ServerConfig>,
    session: ServerSession,
    noes: Noes,
    message: Option<Vec<u8>>,
    trace: Vec<String>,
    ended: bool,
}

impl Play {
    fn new(config: ServerConfig, noes: Noes) -> Self {
        let config = Arc::new(config);
        Self {
            session: ServerSession::new(Arc::clone(&config)),
            config,
            noes,
            message: None,
            trace: Vec::new(),
            ended: false,
        }
    }

    /// Goes on until octets are wanted.
    fn go_on(&mut self) -> Option<Phase> {
        let no = || Refusal::temporary(451, (3, 0), "no");
        for _ in 0..10_000 {
            match self.session.next() {
                Action::Send(octets) => {
                    assert!(!octets.is_empty());
                    let text = String::from_utf8(octets).unwrap();
                    for line in text.strip_suffix("\r\n").unwrap().split("\r\n") {
                        assert!(
                            line.bytes().all(|octet| matches!(octet, b' '..=b'~')),
                            "{line:?}"
                        );
                        assert!(line.len() < 510, "{line:?}");
                        self.trace.push(format!("< {line}"));
                    }
                }
                Action::Receive(phase) => return Some(phase),
                Action::StartTls => {
                    if self.trace.last().is_none_or(|last| last != "= tls") {
                        self.trace.push("= tls".to_owned());
                    }
                    return None;
                }
                Action::Mail => {
                    let sender = self.session.sender().unwrap().reverse_path.to_string();
                    if self
                        .noes
                        .mail
                        .as_ref()
                        .is_some_and(|no| sender.contains(no))
                    {
                        self.session.refuse(no());
                    } else {
                        self.session.accept();
                    }
                }
                Action::Recipient(recipient) => {
                    let to = recipient.mailbox.to_string();
                    if self.noes.rcpt.as_ref().is_some_and(|no| to.contains(no)) {
                        self.session.refuse(no());
                    } else {
                        self.session.accept();
                    }
                }
                Action::Content => {
                    assert!(self.message.is_none());
                    if self.noes.content {
                        self.session.refuse(no());
                    } else {
                        self.message = Some(Vec::new());
                        self.session.accept();
                    }
                }
                Action::Block => {
                    let message = self.message.as_mut().unwrap();
                    assert!(!self.session.block().is_empty());
                    message.extend_from_slice(self.session.block());
                    let text = String::from_utf8_lossy(message).into_owned();
                    if self.noes.block.as_ref().is_some_and(|no| text.contains(no)) {
                        self.noes.block = None;
                        self.session.refuse(no());
                    }
                }
                Action::Commit => self.commit(),
                Action::Discard => {
                    self.message = None;
                    self.trace.push("= discard".to_owned());
                }
                Action::Close => {
                    if !self.ended {
                        self.trace.push("= close".to_owned());
                    }
                    self.ended = true;
                    return None;
                }
            }
        }
        panic!("the session asks for ever");
    }

    fn commit(&mut self) {
        let transaction = self.session.take_transaction().unwrap();
        let message = self.message.take().unwrap();
        if self.noes.commit {
            return self.session.refuse(Refusal::temporary(451, (3, 0), "no"));
        }
        let mut line = format!("= message {:?}", String::from_utf8_lossy(&message));
        let sender = transaction.sender;
        let _ = write!(line, " from <{}>", sender.reverse_path);
        for (said, word) in [
            (sender.smtp_utf8, "SMTPUTF8"),
            (sender.require_tls, "REQUIRETLS"),
        ] {
            if said {
                let _ = write!(line, " {word}");
            }
        }
        for (value, word) in [(sender.ret, "RET"), (sender.envelope_id, "ENVID")] {
            if let Some(value) = value {
                let _ = write!(line, " {word}={value}");
            }
        }
        assert!(!transaction.recipients.is_empty());
        for recipient in transaction.recipients {
            let _ = write!(line, " to <{}>", recipient.mailbox);
            for (value, word) in [(recipient.notify, "NOTIFY"), (recipient.original, "ORCPT")] {
                if let Some(value) = value {
                    let _ = write!(line, " {word}={value}");
                }
            }
        }
        self.trace.push(line);
        self.session.accept_as("queued as 1");
    }

    /// What came since this was asked last. Replies may wait while a message is kept, as RFC 2920 §3.2
    /// has it: so messages stand before replies, each in their order, and ends after both.
    fn came(&mut self) -> Vec<String> {
        let mut came: Vec<String> = self.trace.drain(..).collect();
        came.sort_by_key(|line| match line.as_str() {
            "= close" | "= tls" => 2,
            line if line.starts_with('<') => 1,
            _ => 0,
        });
        came
    }

    /// What the client writes, read `size` octets at a time.
    fn write(&mut self, octets: &[u8], size: usize) {
        for block in octets.chunks(size) {
            self.go_on();
            self.session.received(block);
        }
        self.go_on();
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
                let (inside, tail) = rest.split_once('~').unwrap();
                let (count, text) = inside.split_once('*').unwrap();
                out.extend(unescape(text).repeat(count.parse().unwrap()));
                rest = tail;
            }
            other => out.extend(other.to_string().bytes()),
        }
    }
    out
}

fn line(text: &str) -> Vec<u8> {
    match text.strip_suffix("\\c") {
        Some(text) => unescape(text),
        None => [unescape(text), b"\r\n".to_vec()].concat(),
    }
}

fn begin(options: &str) -> (Play, bool, bool) {
    let mut config = config();
    let mut noes = Noes::default();
    let (mut raw, mut once, mut away) = (false, false, false);
    for option in options.split_whitespace() {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "raw" => raw = true,
            "once" => once = true,
            "away" => away = true,
            "tls" => config.starttls = Offer::Yes,
            "any8" => config.undeclared_eight_bit = EightBit::Taken,
            "size" => config.message_octets = value.parse().unwrap(),
            "line" => config.line_octets = value.parse().unwrap(),
            "recipients" => config.recipients = value.parse().unwrap(),
            "refused" => config.refused_recipients = value.parse().unwrap(),
            "errors" => config.errors = value.parse().unwrap(),
            "idle" => config.idle_commands = value.parse().unwrap(),
            "no-mail" => noes.mail = Some(value.to_owned()),
            "no-rcpt" => noes.rcpt = Some(value.to_owned()),
            "no-content" => noes.content = true,
            "no-block" => noes.block = Some(value.to_owned()),
            "no-commit" => noes.commit = true,
            other => panic!("option {other}"),
        }
    }
    let mut play = Play::new(config, noes);
    if away {
        let refusal = Refusal::permanent(554, (7, 1), "not yours");
        play.session = ServerSession::turned_away(Arc::clone(&play.config), &refusal);
    }
    if !raw && !away {
        play.write(b"EHLO client.example\r\n", 100);
        play.trace.clear();
    }
    (play, raw, once)
}

/// Plays a dialogue; the text with what came of it.
fn play(dialogue: &str, size: usize) -> (String, bool) {
    let mut out = String::new();
    let mut state: Option<(Play, bool, bool)> = None;
    let mut options = "";
    let mut lines = dialogue.lines().peekable();
    while let Some(text) = lines.next() {
        let Some((mark, rest)) = text.split_once(' ') else {
            let _ = writeln!(out, "{text}");
            continue;
        };
        match mark {
            "<" | "=" => continue,
            "#" | "//" => {}
            ":" => options = rest,
            ">" | "|" => {
                let (play, _, _) = state.get_or_insert_with(|| begin(options));
                let mut octets = line(rest);
                let mut group = vec![text];
                while let Some(more) = lines.next_if(|next| next.starts_with("| ")) {
                    octets.extend(line(&more[2..]));
                    group.push(more);
                }
                play.write(&octets, size);
                for text in group {
                    let _ = writeln!(out, "{text}");
                }
                for came in play.came() {
                    let _ = writeln!(out, "{came}");
                }
                continue;
            }
            "!" => {
                let (play, _, _) = state.as_mut().unwrap();
                play.session.tls_established();
                play.go_on();
            }
            other => panic!("{other} in {dialogue}"),
        }
        let _ = writeln!(out, "{text}");
    }
    (out, state.is_some_and(|(_, _, once)| once))
}

#[test]
fn dialogues() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server");
    let (mut failed, mut played) = (Vec::new(), 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut blessed = String::new();
        for dialogue in text.split("\n# ").map(|part| part.trim_start_matches("# ")) {
            let dialogue = format!("# {}\n", dialogue.trim_end());
            let (at_once, once) = play(&dialogue, usize::MAX);
            let _ = writeln!(blessed, "{}", at_once.trim_end());
            blessed.push('\n');
            played += 1;
            let mut ways = vec![("at once", at_once)];
            if !once {
                ways.push(("octet by octet", play(&dialogue, 1).0));
                ways.push(("seven octets at a time", play(&dialogue, 7).0));
            }
            for (way, came) in ways {
                if came != dialogue {
                    failed.push(format!("{} {way}, came:\n{came}", path.display()));
                }
            }
        }
        if std::env::var_os("ELSINORE_BLESS").is_some() {
            std::fs::write(&path, format!("{}\n", blessed.trim_end())).unwrap();
        }
    }
    assert!(played >= 60, "only {played} dialogues found");
    if std::env::var_os("ELSINORE_BLESS").is_none() {
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    }
}

/// Two mistakes in turn are told of a few times, however long it goes on, and again after a message.
#[test]
fn what_is_told_is_bounded() {
    let config = ServerConfig {
        refused_recipients: 1_000_000,
        ..config()
    };
    let mut play = Play::new(config, Noes::default());
    let octets = "RCPT TO:<a b@c>\r\nRCPT TO:<x>\r\n".repeat(1000);
    let begin = "EHLO x\r\nMAIL FROM:<>\r\n";
    let end = "RCPT TO:<a@b.example>\r\nDATA\r\nx\r\n.\r\n";
    for _ in 0..2 {
        play.write(format!("{begin}{octets}").as_bytes(), 1000);
        let told = play.session.told();
        assert_eq!(told.len(), 32);
        assert_ne!(told[0], told[1]);
        play.write(end.as_bytes(), 1000);
        assert!(play.session.told().is_empty());
    }
}
