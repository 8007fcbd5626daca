//! `elsinore relay`, `queue` and `config` as an administrator uses them: a start, a look, a change, a
//! reload, an end; and what bad input gets. No name can be looked up here: the one upstream is a port
//! of loopback that nobody listens on, so that all mail waits.

use crate::command::Workplace;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Stdio};

const DNS: &str = "\
    [dns]\nmode = \"forward\"\nupstream = [\"127.0.0.1:1\"]\ntimeout = 1\n\
    [doctor]\nsecure = [\"secure.example\"]\nbogus = [\"bogus.example\"]\n\
    insecure = [\"insecure.example\"]\nmail = []\n";

/// A configuration file with `relay` behind what all have.
fn config(place: &Workplace, head: &str, relay: &str) -> PathBuf {
    let file = place.path().join("elsinore.toml");
    let text = format!("state_dir = \"state\"\n{head}{DNS}[relay]\n{relay}");
    std::fs::write(&file, text).unwrap();
    file
}

const FREE: &str = "name = \"relay.example\"\nlisten = [\"127.0.0.1:0\"]\n\
    [relay.admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"token\"\n";

struct Relay {
    child: Child,
    stderr: BufReader<ChildStderr>,
    mail: String,
    admin: String,
}

impl Relay {
    fn start(place: &Workplace, config: &std::path::Path) -> Self {
        let config = config.to_string_lossy();
        Self::started(place.command(&["--config", &config, "relay"]))
    }

    /// One whose files cannot grow beyond `kibibytes`: to write more is an error, as of a disk.
    fn start_cramped(place: &Workplace, config: &std::path::Path, kibibytes: usize) -> Self {
        let relay = place.command(&["--config", &config.to_string_lossy(), "relay"]);
        // In units of 512 octets; the signal that goes with it is ignored, and so by what is called.
        let script = "trap '' XFSZ; ulimit -f $1; shift; exec \"$@\"";
        let mut shell = std::process::Command::new("sh");
        shell
            .args(["-c", script, "sh", &(2 * kibibytes).to_string()])
            .arg(relay.get_program())
            .args(relay.get_args())
            .current_dir(place.path())
            .env_clear()
            .envs(
                relay
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .stdin(Stdio::null());
        Self::started(shell)
    }

    fn started(mut command: std::process::Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let line = line_with(&mut stderr, "listens on ");
        let (_, rest) = line.split_once("listens on ").unwrap();
        let (mail, admin) = rest.trim().split_once("; admin on ").unwrap();
        Self {
            child,
            stderr,
            mail: mail.to_owned(),
            admin: admin.to_owned(),
        }
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let killed = std::process::Command::new("sh")
            .args(["-c", &kill])
            .status();
        assert!(killed.unwrap().success());
    }

    /// Asks for something over TCP; the answer with its head.
    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.admin).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str, fields: &str) -> String {
        let host = &self.admin;
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n"
        ))
    }

    /// Sends a message; the last reply.
    fn send(&self, to: &str) -> String {
        self.send_body(to, "Hello")
    }

    fn send_body(&self, to: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.mail).unwrap();
        let mut replies = BufReader::new(stream.try_clone().unwrap());
        let mut reply = || {
            let mut line = String::new();
            replies.read_line(&mut line).unwrap();
            line
        };
        reply();
        for command in [
            "HELO client.example".to_owned(),
            "MAIL FROM:<anna@example.org>".to_owned(),
            format!("RCPT TO:<{to}>"),
            "DATA".to_owned(),
        ] {
            write!(stream, "{command}\r\n").unwrap();
            reply();
        }
        write!(stream, "Subject: hello\r\n\r\n{body}\r\n.\r\n").unwrap();
        reply()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It has ended already where the test came to its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines up to one that holds `text`.
fn line_with(stderr: &mut impl std::io::BufRead, text: &str) -> String {
    let mut all = String::new();
    loop {
        let start = all.len();
        assert!(
            stderr.read_line(&mut all).unwrap() > 0,
            "no {text:?} in {all}"
        );
        if all[start..].contains(text) {
            return all[start..].to_owned();
        }
    }
}

#[test]
fn a_relay_is_asked_changed_reloaded_and_stopped() {
    const TOKEN: &str = "Authorization: Bearer 0123456789abcdef\r\n";
    let place = Workplace::new();
    std::fs::write(place.path().join("token"), "0123456789abcdef\n").unwrap();
    let file = config(&place, "", FREE);
    let file_name = file.to_string_lossy().into_owned();
    let mut relay = Relay::start(&place, &file);
    let queue = |arguments: &[&str]| {
        let mut all = vec!["--config", &file_name, "queue"];
        all.extend(arguments);
        let output = place.command(&all).output().unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let reply = relay.send("bert@one.example");
    assert!(reply.starts_with("250 "), "{reply}");
    let reply = relay.send("carl@two.example");
    assert!(reply.starts_with("250 "), "{reply}");

    // Over the owner's socket.
    assert_eq!(
        queue(&["hold", "--all", "--why", "a test"]).1,
        "2 jobs held\n"
    );
    let (code, list, _) = queue(&["list"]);
    assert_eq!(code, 0);
    for words in ["one.example", "two.example", "held", "a test", "2 jobs"] {
        assert!(list.contains(words), "{words:?} in {list}");
    }
    assert_eq!(
        queue(&["list", "--destination", "none.example"]).1,
        "nothing waits\n"
    );
    let (code, _, error) = queue(&["remove", "--yes"]);
    assert_eq!((code, error.lines().count()), (64, 1), "{error}");
    let (code, _, error) = queue(&["remove", "--destination", "one.example"]);
    assert_eq!(code, 64, "{error}");
    let removed = queue(&["remove", "--yes", "--destination", "one.example"]);
    assert_eq!(removed.1, "1 job removed\n");
    let (_, json, _) = queue(&["list", "--format", "jsonl"]);
    let job: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
    assert_eq!(job["destination"], "two.example");
    assert_eq!(job["recipients"][0], "carl@two.example");
    let (_, shown, _) = queue(&["show", job["id"].as_str().unwrap()]);
    assert!(
        shown.contains("Subject: hello") && shown.contains("Received: "),
        "{shown}"
    );

    // Over TCP.
    let status = |answer: &str| answer.split(' ').nth(1).unwrap().to_owned();
    assert_eq!(status(&relay.get("/healthz", "")), "200");
    let metrics = relay.get("/metrics", "");
    assert!(
        metrics.contains("elsinore_accepted_messages_total 2"),
        "{metrics}"
    );
    for line in [
        "elsinore_queue_jobs 1",
        "elsinore_connections_total{event=\"opened\"} 0",
        "elsinore_connections_idle 0",
        "elsinore_tlsrpt_sessions_total{result=\"failed\"} 0",
        "elsinore_tlsrpt_reports_waiting 0",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert_eq!(status(&relay.get("/v1/queue/stats", "")), "401");
    assert_eq!(status(&relay.get("/v1/queue/stats", TOKEN)), "200");
    let page = format!("{TOKEN}Origin: http://evil.example\r\n");
    assert_eq!(status(&relay.get("/v1/queue/stats", &page)), "403");
    let rebound =
        relay.ask("GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert_eq!(status(&rebound), "421");
    // Our own DNS does not work here, and it says so.
    let ready = relay.get("/readyz", "");
    assert_eq!(status(&ready), "503", "{ready}");
    assert!(
        ready.contains("listener: ok") && ready.contains("store: ok"),
        "{ready}"
    );

    // A bad configuration is refused with its line, the old one goes on.
    config(&place, "", "nonsense = 1\n");
    relay.signal("HUP");
    let line = line_with(&mut relay.stderr, "not taken");
    assert!(line.contains(":12: unknown field `nonsense`"), "{line}");
    config(&place, "", &format!("lifetime = \"2d\"\n{FREE}"));
    relay.signal("HUP");
    let line = line_with(&mut relay.stderr, "configuration: taken");
    assert!(line.ends_with("configuration: taken\n"), "{line}");
    assert!(relay.send("dora@three.example").starts_with("250 "));

    // Another address is listened on, the one before no longer; what waits is said, each time.
    // No other test binds this address: when it is freed, it stays free.
    let other = TcpListener::bind("127.0.0.2:0").unwrap();
    let taken = other.local_addr().unwrap();
    let moved = format!("name = \"other.example\"\nlisten = [\"{taken}\"]\n[relay.admin]\n");
    config(&place, "", &moved);
    relay.signal("HUP");
    let line = line_with(&mut relay.stderr, "not taken");
    assert!(
        line.contains(&format!("cannot listen on {taken}")),
        "{line}"
    );
    assert!(relay.send("dora@three.example").starts_with("250 "));
    drop(other);
    for (head, waits) in [
        ("", "relay.admin.listen"),
        ("[lab]\n[tls]\nlegacy = true\n", "relay.admin.listen"),
    ] {
        config(&place, head, &moved);
        relay.signal("HUP");
        let line = line_with(&mut relay.stderr, "configuration: ");
        let said = format!("configuration: taken; from the next start on: {waits}\n");
        assert!(line.ends_with(&said), "{line}");
    }
    let before = std::mem::replace(&mut relay.mail, taken.to_string());
    assert!(relay.send("dora@three.example").starts_with("250 "));
    // The task that listened there ends on its own time.
    let begun = std::time::Instant::now();
    while TcpStream::connect(&before).is_ok() {
        assert!(begun.elapsed().as_secs() < 60, "{before} is open");
        std::thread::yield_now();
    }

    // All addresses of the machine cannot be bound beside one of them.
    let all = format!("0.0.0.0:{}", taken.port());
    config(
        &place,
        "",
        &format!("listen = [\"{all}\"]\n[relay.admin]\n"),
    );
    relay.signal("HUP");
    let line = line_with(&mut relay.stderr, "not taken");
    let why = format!("cannot listen on {all} while this relay listens on {taken}: stop it first");
    assert!(line.contains(&why), "{line}");
    assert!(relay.send("dora@three.example").starts_with("250 "));

    relay.signal("TERM");
    let mut last = String::new();
    relay.stderr.read_to_string(&mut last).unwrap();
    assert_eq!(relay.child.wait().unwrap().code(), Some(0), "{last}");
    assert!(!place.path().join("state/relay.sock").exists());

    // Without a relay the store is opened.
    let (code, list, error) = queue(&["list", "--recipient", "@three.example"]);
    assert_eq!(
        (code, list.contains("dora@three.example")),
        (0, true),
        "{list}{error}"
    );
    let (code, checked, error) = queue(&["fsck"]);
    assert_eq!(
        (code, checked.contains("nothing to mend")),
        (0, true),
        "{checked}{error}"
    );
}

#[test]
fn what_keeps_a_relay_from_starting_is_one_line_with_a_code() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port_in_use = format!("listen = [\"{}\"]\n", taken.local_addr().unwrap());
    for (relay, code, words) in [
        (
            "nonsense = 1\n",
            78,
            "elsinore.toml:12: unknown field `nonsense`",
        ),
        ("lifetime = \"5 weeks\"\n", 78, "not a span of time"),
        ("listen = []\n", 78, "listen: empty"),
        (
            "[relay.tls]\ncertificate = \"none.pem\"\nkey = \"none.key\"\n",
            78,
            "none.pem",
        ),
        (
            "[relay.tls]\ncertificate = \"none.pem\"\n",
            78,
            "a certificate and no key",
        ),
        (
            "[relay.admin]\nlisten = \"0.0.0.0:0\"\n",
            78,
            "not on loopback",
        ),
        ("[relay.admin]\ntoken_file = \"none\"\n", 78, "token_file"),
        (
            "store = \"q\"\npostgres = \"host=db\"\n",
            78,
            "kept in one place",
        ),
        (
            "[relay.delivery]\nlease = \"4s\"\n",
            78,
            "lease: from 5 seconds to 12 hours",
        ),
        ("[relay.delivery]\nlease = \"13h\"\n", 78, "lease: from"),
        ("postgres = \"nonsense\"\n", 78, "connection string"),
        ("postgres = \"port=many\"\n", 78, "connection string"),
        ("postgres_file = \"none\"\n", 78, "postgres_file"),
        (
            "postgres = \"host=db\"\npostgres_schema = \"a; DROP TABLE job\"\n",
            78,
            "the schema must be named",
        ),
        (
            "postgres = \"host=db\"\npostgres_schema = \"pg_catalog\"\n",
            78,
            "the schema must be named",
        ),
        (
            "postgres = \"host=db\"\npostgres_schema = \"\"\n",
            78,
            "the schema must be named",
        ),
        (
            "postgres = \"host=db\"\npostgres_pool = 1\n",
            78,
            "postgres_pool: from 2",
        ),
        ("postgres = \"host=db\"\npostgres_pool = -1\n", 78, ":13:"),
        (
            "postgres = \"host=db\"\npostgres_pool = 5000\n",
            78,
            "postgres_pool: from 2",
        ),
        (
            "postgres = \"host=db\"\npostgres_ca = \"none.pem\"\n",
            78,
            "none.pem: No such file",
        ),
        (
            // The configuration itself holds no certificate.
            "postgres = \"host=db\"\npostgres_ca = \"elsinore.toml\"\n",
            78,
            "the certificates for PostgreSQL cannot be read",
        ),
        (
            "postgres = \"host=127.0.0.1 port=1 user=a connect_timeout=3\"\n",
            69,
            "the store cannot be reached",
        ),
        (port_in_use.as_str(), 69, "cannot listen on 127.0.0.1:"),
    ] {
        let place = Workplace::new();
        let file = config(&place, "", relay);
        let file = file.to_string_lossy();
        let output = place
            .command(&["--config", &file, "relay"])
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{relay}: {error}");
        assert!(error.contains(words), "{words:?} in {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn what_is_shown_is_a_configuration_again() {
    let place = Workplace::new();
    let secret = "postgres = \"host=db password=hush\"\n";
    let file = config(&place, "", secret);
    let show = |file: &str| {
        let output = place
            .command(&["--config", file, "config", "show"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let first = show(&file.to_string_lossy());
    assert!(!first.contains("hush"), "{first}");
    assert!(
        first.contains("# postgres: set, not shown  # line 12, at the start"),
        "{first}"
    );
    assert!(
        first.contains("timeout = 1  # line 5, at the start\n"),
        "{first}"
    );
    assert!(first.contains("recipients = 1000\n"), "{first}");
    let again = place.path().join("again.toml");
    std::fs::write(&again, &first).unwrap();
    let second = show(&again.to_string_lossy());
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.split("  # ").next().unwrap().to_owned())
            .collect()
    };
    let lines = |text: &str| {
        let mut lines = values(text);
        // The store is in a folder where nothing else is said.
        lines.retain(|line| !line.starts_with("store = ") && !line.starts_with("postgres_"));
        lines
    };
    assert_eq!(lines(&first), lines(&second));
}

#[test]
fn the_examples_are_good() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "toml") {
            continue;
        }
        count += 1;
        let place = Workplace::new();
        let path = path.to_string_lossy();
        let output = place
            .command(&["--config", &path, "config", "show"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{path}: {output:?}");
    }
    assert!(count >= 3);
}

/// A store that a later version has written is left alone by every command, which says so.
#[test]
fn a_store_of_a_newer_version_is_refused_by_every_command() {
    let place = Workplace::new();
    std::fs::write(place.path().join("token"), "0123456789abcdef\n").unwrap();
    let file = config(&place, "", FREE);
    let mut relay = Relay::start(&place, &file);
    assert!(relay.send("hamlet@elsinore.example").starts_with("250"));
    relay.signal("TERM");
    assert!(relay.child.wait().unwrap().success());
    let store = place.path().join("state/queue");
    let index = store.join("index.sqlite");
    let whole = std::fs::read(&index).unwrap();
    // Where SQLite keeps `user_version`.
    let mut later = whole.clone();
    later[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&index, &later).unwrap();
    let files = || {
        let mut files = Vec::new();
        for folder in [store.clone(), store.join("segments")] {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() && !path.ends_with("lock") {
                    files.push((path.clone(), std::fs::read(path).unwrap()));
                }
            }
        }
        files.sort();
        files
    };
    let before = files();
    let file = file.to_string_lossy().into_owned();
    for command in [
        &["relay"][..],
        &["queue", "list"],
        &["queue", "stats"],
        &["queue", "fsck"],
        &["queue", "fsck", "--rebuild"],
    ] {
        let mut all = vec!["--config", &file];
        all.extend(command);
        let run = place.run(&all);
        assert_eq!(run.code, 78, "{command:?}: {}", run.stderr);
        for word in ["version 99", "knows 1", "written by a newer one"] {
            assert!(run.stderr.contains(word), "{word:?} in {}", run.stderr);
        }
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        assert!(before == files(), "{command:?} has touched something");
    }
    // What is in it is still there for the one that knows it.
    std::fs::write(&index, whole).unwrap();
    let run = place.run(&["--config", &file, "queue", "list"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("elsinore.example"), "{}", run.stdout);
}

/// A store that fails under a running relay: nothing more is acknowledged, the relay says why and ends,
/// and the next one has everything that was.
#[test]
fn a_relay_whose_store_fails_ends_and_the_next_one_has_it_all() {
    let place = Workplace::new();
    std::fs::write(place.path().join("token"), "0123456789abcdef\n").unwrap();
    let file = config(&place, "", FREE);
    let mut relay = Relay::start_cramped(&place, &file, 400);
    let mut kept = 0;
    let body = vec!["x".repeat(70); 64].join("\r\n");
    let refused = loop {
        let reply = relay.send_body("hamlet@elsinore.example", &body);
        if !reply.starts_with("250") {
            break reply;
        }
        kept += 1;
        assert!(kept < 200, "the store does not fail");
    };
    assert!(kept > 3, "{kept}");
    assert!(refused.starts_with("451"), "{refused}");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(90);
    let status = loop {
        if let Some(status) = relay.child.try_wait().unwrap() {
            break status;
        }
        assert!(std::time::Instant::now() < end, "it goes on");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert_eq!(status.code(), Some(74));
    let mut said = String::new();
    relay.stderr.read_to_string(&mut said).unwrap();
    let last = said.lines().last().unwrap_or_default();
    assert_eq!(last.matches("the store has failed").count(), 1, "{said}");
    let relay = Relay::start(&place, &file);
    let file = file.to_string_lossy().into_owned();
    let run = place.run(&["--config", &file, "--format", "json", "queue", "stats"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let stats: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let found = stats["messages"].as_u64().unwrap();
    assert!(found >= kept, "{found} of {kept}");
    assert!(relay.send("ophelia@elsinore.example").starts_with("250"));
}
