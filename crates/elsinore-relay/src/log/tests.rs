//! The lines, and what becomes of them when nobody reads.

use super::line::{Form, Line, lines};
use super::{Log, Prefix};
use crate::event::{Event, Severity};
use elsinore_dane::plan::StsStance;
use elsinore_dane::time::UnixTime;
use elsinore_net::deliver::account::{TlsAccount, TlsEnd};
use elsinore_net::deliver::{
    Attempt, Decided, ObligationWord, Outcome, RecipientReport, SendReport, SessionSecurity,
};
use elsinore_queue::id::MessageId;
use elsinore_queue::message::{Envelope, MessageHead, TlsWish};
use elsinore_queue::moment::Moment;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ID: &str = "0000000000000001";

fn id() -> MessageId {
    ID.parse().expect("a name")
}

fn head(sender: &str, origin: &str) -> Arc<MessageHead> {
    Arc::new(MessageHead {
        id: id(),
        arrived: Moment(1_795_000_000_000),
        envelope: Envelope {
            reverse_path: sender.to_owned(),
            ret: None,
            envelope_id: None,
            tls: TlsWish::Unspecified,
            smtp_utf8: false,
            origin: origin.to_owned(),
        },
        octets: 4321,
    })
}

fn recipient(outcome: Outcome, reply: Option<&str>, to: &str) -> Event {
    Event::Recipient {
        message: id(),
        sender: "anna@example.org".to_owned(),
        recipient: to.to_owned(),
        outcome,
        security: (outcome == Outcome::Delivered).then_some(SessionSecurity::Dane),
        relay: Some("mx.example.net[192.0.2.1]:25".to_owned()),
        reply: reply.map(str::to_owned),
        delay: Duration::from_millis(1234),
        next: (outcome == Outcome::Deferred).then_some(Moment(1_795_000_300_000)),
    }
}

fn text(event: &Event) -> Vec<String> {
    let lines = lines(event, Form::Text);
    lines.into_iter().map(|line| line.text).collect()
}

#[test]
fn recipients_are_told_of_in_the_words_of_postfix() {
    for (event, expected) in [
        (
            recipient(
                Outcome::Delivered,
                Some("250 2.6.0 queued as 1"),
                "bert@example.net",
            ),
            "0000000000000001: to=<bert@example.net>, from=<anna@example.org>, \
             relay=mx.example.net[192.0.2.1]:25, delay=1.23, security=dane, dsn=2.6.0, \
             status=sent (250 2.6.0 queued as 1)",
        ),
        (
            recipient(Outcome::Deferred, Some("451 busy"), "bert@example.net"),
            "0000000000000001: to=<bert@example.net>, from=<anna@example.org>, \
             relay=mx.example.net[192.0.2.1]:25, delay=1.23, next=2026-11-18T11:11:40Z, \
             dsn=4.0.0, status=deferred (451 busy)",
        ),
        (
            recipient(Outcome::Bounced, None, "bert@example.net"),
            "0000000000000001: to=<bert@example.net>, from=<anna@example.org>, \
             relay=mx.example.net[192.0.2.1]:25, delay=1.23, dsn=5.0.0, \
             status=bounced (no reply)",
        ),
        // What a stranger writes ends neither the address nor the line.
        (
            recipient(
                Outcome::Bounced,
                Some("550 5.1.1 no\r\n0000000000000009: to=<x>, status=sent"),
                "\"a>, status=sent (\"@example.net",
            ),
            "0000000000000001: to=<\"a\\u{3e}, status=sent (\"@example.net>, \
             from=<anna@example.org>, relay=mx.example.net[192.0.2.1]:25, delay=1.23, dsn=5.1.1, \
             status=bounced (550 5.1.1 no\\u{d}\\u{a}0000000000000009: to=<x>, status=sent)",
        ),
    ] {
        assert_eq!(text(&event), [expected]);
    }
}

#[test]
fn an_attempt_is_one_line_and_the_line_of_postfix_before_it() {
    let attempts = Arc::new(vec![Attempt {
        mx_host: "mx.example.net".to_owned(),
        mx_address: Some("192.0.2.1".parse().expect("an address")),
        obligation: ObligationWord::Dane,
        outcome: Outcome::Deferred,
        reason: Some("no TLSA record matches \"it\"".to_owned()),
        skipped: None,
        findings: Vec::new(),
        session: None,
        log_line: Some("Untrusted TLS connection established to mx".to_owned()),
        account: TlsAccount {
            sts: StsStance::None,
            tlsa: None,
            end: TlsEnd::Unknown,
            webpki: None,
            sending_address: None,
            receiving_helo: None,
        },
    }]);
    let entry = |address: &str| RecipientReport {
        attempts: Arc::clone(&attempts),
        ..unanswered(address)
    };
    let event = Event::Tried {
        message: head("anna@example.org", "192.0.2.9"),
        destination: "example.net".to_owned(),
        report: Arc::new(SendReport {
            recipients: vec![entry("bert@example.net"), entry("carl@example.net")],
            finished: UnixTime(1_795_000_000),
        }),
        took: Duration::from_millis(2_500),
    };
    assert_eq!(
        text(&event),
        [
            "0000000000000001: Untrusted TLS connection established to mx",
            "0000000000000001: attempt destination=example.net mx=mx.example.net address=192.0.2.1 \
             obligation=dane outcome=deferred reason=\"no TLSA record matches \\\"it\\\"\" took=2.5",
        ]
    );
    let json = lines(&event, Form::Json);
    assert_eq!(json.len(), 1);
    let object: serde_json::Value = serde_json::from_str(&json[0].text).expect("JSON");
    assert_eq!(object["event"], "attempt");
    assert_eq!(object["id"], ID);
    assert_eq!(object["line"], "Untrusted TLS connection established to mx");
    assert_eq!(object["took"], 2.5);
}

fn unanswered(address: &str) -> RecipientReport {
    RecipientReport {
        recipient: address.to_owned(),
        outcome: Outcome::Deferred,
        session: None,
        reply: None,
        decided: Decided::NothingLeft,
        attempts: Arc::default(),
        findings: Arc::default(),
        account: Arc::default(),
    }
}

#[test]
fn all_else_is_a_word_and_fields() {
    let accepted = Event::Accepted {
        message: head("", "192.0.2.9"),
        recipients: 2,
        tls: Some("TLSv1.3 with cipher X".to_owned()),
    };
    assert_eq!(
        text(&accepted),
        [
            "0000000000000001: accepted from=<> client=192.0.2.9 recipients=2 octets=4321 \
          tls=\"TLSv1.3 with cipher X\""
        ]
    );
    let refused = Event::Refused {
        client: "192.0.2.9".to_owned(),
        code: 554,
        text: "no\u{1b}[2J".to_owned(),
    };
    assert_eq!(
        text(&refused),
        ["refused client=192.0.2.9 code=554 reply=\"no\\\\u{1b}[2J\""]
    );
    let lost = Event::ProtectionLost {
        destination: "example.net".to_owned(),
        was: SessionSecurity::Dane,
        is: SessionSecurity::Encrypted,
        why: "no TLSA records".to_owned(),
    };
    assert_eq!(
        lines(&lost, Form::Text),
        [Line {
            severity: Severity::Warning,
            form: Form::Text,
            text: "protection-lost destination=example.net was=dane is=encrypted \
                   why=\"no TLSA records\""
                .to_owned(),
        }]
    );
    let notice = Event::Notice {
        severity: Severity::Error,
        part: "store",
        text: "disk\nfull".to_owned(),
    };
    assert_eq!(text(&notice), ["store: disk\\u{a}full"]);
}

/// Somebody who reads: at first not, then everything.
struct Reader {
    may_go_on: Receiver<()>,
    begun: Sender<()>,
    is_stuck: bool,
    read: Arc<Mutex<Vec<u8>>>,
}

impl Write for Reader {
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.is_stuck) {
            self.begun.send(()).map_err(io::Error::other)?;
            self.may_go_on.recv().map_err(io::Error::other)?;
        }
        self.read
            .lock()
            .map_err(|_| io::ErrorKind::Other)?
            .extend_from_slice(block);
        Ok(block.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn whoever_logs_never_waits_and_what_was_dropped_is_said() {
    let (go_on, may_go_on) = channel();
    let (begun, has_begun) = channel();
    let read = Arc::new(Mutex::new(Vec::new()));
    let reader = Reader {
        may_go_on,
        begun,
        is_stuck: true,
        read: Arc::clone(&read),
    };
    let log = Log::new(reader, Form::Text, Prefix::Priority).expect("a log");
    log.say(Severity::Info, "relay", "first");
    has_begun.recv().expect("the first line is being written");
    for count in 0..super::WAITING + 100 {
        log.say(Severity::Info, "relay", format!("line {count}"));
    }
    assert_eq!(log.dropped(), 100);
    assert!(
        !log.finish(Duration::from_millis(10)),
        "finished though stuck"
    );
    go_on.send(()).expect("the writer lives");
    assert!(log.finish(Duration::from_secs(60)), "not finished");
    let text = String::from_utf8(read.lock().expect("no panic").clone()).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), super::WAITING + 2);
    assert_eq!(lines[0], "<6>relay: first");
    assert_eq!(
        lines[1],
        "<4>log: 100 lines were dropped, nobody read them in time"
    );
    assert_eq!(lines[2], "<6>relay: line 0");
}

#[test]
fn without_a_journal_lines_have_the_time() {
    for (form, begins) in [(Form::Text, "20"), (Form::Json, "{\"time\":\"20")] {
        let read = Arc::new(Mutex::new(Vec::new()));
        let (begun, _begun) = channel();
        let (_go_on, may_go_on) = channel();
        let reader = Reader {
            may_go_on,
            begun,
            is_stuck: false,
            read: Arc::clone(&read),
        };
        let log = Log::new(reader, form, Prefix::Time).expect("a log");
        log.say(Severity::Warning, "relay", "hm");
        assert!(log.finish(Duration::from_secs(60)));
        let text = String::from_utf8(read.lock().expect("no panic").clone()).expect("text");
        assert!(text.starts_with(begins) && text.ends_with('\n'), "{text}");
        if form == Form::Json {
            let object: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(object["severity"], "warning");
        }
    }
}
