//! `elsinore sendmail`, handing messages to a relay's front door with the embedded store behind it.

use crate::command::{Run, Workplace};
use elsinore_queue::admin::Filter;
use elsinore_queue::sqlite::{SqliteSettings, SqliteStore};
use elsinore_queue::store::QueueStore;
use elsinore_relay::accept::{AcceptSettings, Listeners, serve};
use elsinore_relay::event::{Event, Journal};
use elsinore_smtp::command::GreetingName;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::watch;

#[derive(Debug)]
struct Silence;

impl Journal for Silence {
    fn note(&self, _: &Event) {}
}

/// A relay that keeps and does not deliver.
struct Relay {
    workplace: Workplace,
    store: Arc<SqliteStore>,
    runtime: Runtime,
    _settings: watch::Sender<Arc<AcceptSettings>>,
}

impl Relay {
    fn start() -> Self {
        let workplace = Workplace::new();
        let runtime = Runtime::new().unwrap();
        let settings = AcceptSettings {
            listen: Vec::new(),
            socket: Some(workplace.path().join("smtp.sock")),
            host: GreetingName::parse("relay.example").unwrap(),
            ..AcceptSettings::default()
        };
        let store = SqliteStore::open(SqliteSettings::new(workplace.path().join("queue"))).unwrap();
        let store = Arc::new(store);
        let listeners = runtime
            .block_on(async { Listeners::bind(&settings) })
            .unwrap();
        let (sender, receiver) = watch::channel(Arc::new(settings));
        let serving = serve(
            receiver,
            listeners,
            Arc::clone(&store) as _,
            Arc::new(Silence),
            std::future::pending(),
        );
        runtime.spawn(async move { serving.await.unwrap() });
        Self {
            workplace,
            store,
            runtime,
            _settings: sender,
        }
    }

    fn command(&self, program: &std::path::Path, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(words)
            .current_dir(self.workplace.path())
            .env_clear()
            .env("ELSINORE_RELAY", self.workplace.path().join("smtp.sock"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn sendmail(&self, words: &[&str], message: &str) -> Run {
        let words = [&["sendmail"], words].concat();
        let command = self.command(std::path::Path::new(env!("CARGO_BIN_EXE_elsinore")), &words);
        Run::of(command, message.as_bytes())
    }

    /// What was kept, oldest first: reverse path, recipients by destination, content.
    fn kept(&self) -> Vec<(String, Vec<String>, String)> {
        self.runtime.block_on(async {
            let jobs = self
                .store
                .list(Filter::default(), None, 1000)
                .await
                .unwrap()
                .jobs;
            let mut kept: Vec<(String, Vec<String>, String)> = Vec::new();
            let mut last = None;
            for job in jobs {
                let recipients = job.recipients.iter().map(|recipient| {
                    let notify = recipient.notify.as_deref().unwrap_or("-");
                    format!("{} {notify}", recipient.address)
                });
                if last == Some(job.message.id) {
                    kept.last_mut().unwrap().1.extend(recipients);
                    continue;
                }
                last = Some(job.message.id);
                let body = self.store.body(job.message.id).await.unwrap();
                let mut content = String::new();
                body.open().unwrap().read_to_string(&mut content).unwrap();
                kept.push((
                    job.message.envelope.reverse_path,
                    recipients.collect(),
                    content,
                ));
            }
            kept
        })
    }
}

#[test]
fn a_message_with_recipients_in_its_header() {
    let relay = Relay::start();
    let run = relay.sendmail(
        &["-t", "-i", "-f", "anna@sender.example", "-F", "Anna B.", "-N", "failure", "extra@c.example"],
        "To: Bob <bob@a.example>,\n \"C, D\" <carl@b.example>\nBcc: dora@a.example\nSubject: x\n\nHello\n.\nend",
    );
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let kept = relay.kept();
    assert_eq!(kept.len(), 1);
    let (sender, mut recipients, content) = kept[0].clone();
    assert_eq!(sender, "anna@sender.example");
    recipients.sort();
    assert_eq!(
        recipients,
        [
            "bob@a.example FAILURE",
            "carl@b.example FAILURE",
            "dora@a.example FAILURE",
            "extra@c.example FAILURE"
        ]
    );
    assert!(content.starts_with("Received: from "), "{content}");
    for part in [
        " (local)\r\n\tby relay.example (Elsinore) with ESMTP\r\n",
        "\r\nFrom: \"Anna B.\" <anna@sender.example>\r\n",
        "\r\nDate: ",
        "\r\nMessage-ID: <",
        "\r\nTo: Bob <bob@a.example>,\r\n \"C, D\" <carl@b.example>\r\nSubject: x\r\n\r\nHello\r\n.\r\nend\r\n",
    ] {
        assert!(content.contains(part), "{part:?} not in {content}");
    }
    assert!(!content.contains("dora"), "{content}");
    assert_eq!(
        content.matches('\n').count(),
        content.matches("\r\n").count()
    );
}

#[test]
fn as_cron_calls_it_through_a_link() {
    let relay = Relay::start();
    let link = relay.workplace.path().join("sendmail");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_elsinore"), &link).unwrap();
    let command = relay.command(
        &link,
        &["-i", "-FCronDaemon", "-B8BITMIME", "-oem", "ops@a.example"],
    );
    let run = Run::of(
        command,
        "From: root (Cron Daemon)\nSubject: gr\u{fc}n\n\nj\u{f6}b\n".as_bytes(),
    );
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let kept = relay.kept();
    assert_eq!(kept[0].1, ["ops@a.example -"]);
    assert!(kept[0].0.contains('@'), "{kept:?}");
    assert!(kept[0].2.ends_with("\r\n\r\nj\u{f6}b\r\n"), "{kept:?}");
    // A dot ends what is not said to be text; a name alone is one of this host.
    let run = Run::of(
        relay.command(&link, &["-f", "<>", "root"]),
        b"one\n.\ntwo\n",
    );
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let kept = relay.kept();
    let second = kept.last().unwrap();
    assert_eq!(second.0, "");
    assert!(second.1[0].starts_with("root@"), "{second:?}");
    assert!(second.2.ends_with("\r\n\r\none\r\n"), "{second:?}");
}

#[test]
fn smtp_on_stdin() {
    let relay = Relay::start();
    let dialogue = "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n";
    let run = relay.sendmail(&["-bs"], dialogue);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stdout.starts_with("220 relay.example ESMTP\r\n"),
        "{run:?}"
    );
    assert!(run.stdout.contains("\r\n250 2.0.0 queued as "), "{run:?}");
    assert!(run.stdout.ends_with("\r\n221 2.0.0 bye\r\n"), "{run:?}");
    assert_eq!(relay.kept().len(), 1);
}

#[test]
fn nothing_is_lost_silently() {
    let relay = Relay::start();
    for (words, message, code, part) in [
        (
            &["-t"][..],
            "Subject: x\n\n",
            64,
            "no recipient in To, Cc or Bcc",
        ),
        (&[], "x", 64, "no recipient given"),
        (&["-Z", "a@b.example"], "x", 64, "-Z: no such flag"),
        (&["a@b..c"], "x", 65, "not a domain name"),
        (
            &["-t"],
            "To: \"a@b.example\n\nx",
            65,
            "no list of addresses",
        ),
        (&["-f", "a b@c", "a@b.example"], "x", 65, "a b@c"),
        (
            &["a@b.example"],
            "Subject: x\n\nbare\rCR\n",
            65,
            "carriage return",
        ),
    ] {
        let run = relay.sendmail(words, message);
        run.assert_refused(code, part);
    }
    assert!(relay.kept().is_empty());
    let workplace = Workplace::new();
    let mut command = workplace.command(&["sendmail", "a@b.example"]);
    command.env("ELSINORE_RELAY", workplace.path().join("nobody.sock"));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let run = Run::of(command, b"Subject: x\n\nx\n");
    run.assert_refused(75, "the relay is away, and the message was not sent");
    let run = relay.sendmail(&["-bi"], "");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
}

/// PHP's mail() puts raw UTF-8 in headers and declares nothing; nor does the relay hear of it, which
/// would have to return the message where SMTPUTF8 is not offered. An address declares itself.
#[test]
fn nothing_is_declared_that_the_caller_did_not_say() {
    let relay = Relay::start();
    let message = "From: anna@sender.example\nSubject: Helsingør\n\nStay.\n";
    for (to, trace) in [
        ("bob@a.example", " with ESMTP"),
        ("bøb@a.example", " with UTF8SMTP"),
    ] {
        let run = relay.sendmail(&["-f", "anna@sender.example", to], message);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let kept = relay.kept();
        let found = kept
            .iter()
            .find(|(_, recipients, _)| recipients[0].starts_with(to));
        let (_, _, content) = found.expect("kept");
        assert!(content.contains(trace), "{content}");
        assert!(content.contains("Subject: Helsingør"), "{content}");
    }
}
