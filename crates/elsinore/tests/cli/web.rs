//! `elsinore web` on the lab: live checks of a protected, a broken and an inconclusive domain, reports
//! that outlive the process, refusals.

use crate::command::Workplace;
use crate::lab_up::Lab;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};

/// A page that runs.
struct Web {
    child: Child,
    stderr: BufReader<ChildStderr>,
    at: String,
}

impl Web {
    fn start(place: &Workplace, config: &str) -> Self {
        let state = place.path().join("state");
        let mut child = place
            .command(&[
                "--config",
                config,
                "web",
                "--listen",
                "127.0.0.1:0",
                "--state-dir",
            ])
            .arg(state)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let at = loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "the page ended");
            if let Some((_, rest)) = line.split_once("listening on http://") {
                break rest.trim().trim_end_matches('/').to_owned();
            }
        };
        Self { child, stderr, at }
    }

    /// The whole answer to GET, head and body.
    fn get(&self, path: &str, accept: &str) -> String {
        let mut stream = TcpStream::connect(&self.at).unwrap();
        let at = &self.at;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {at}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Sends SIGTERM; gives the exit code and what was logged.
    fn stop(mut self) -> (i32, String) {
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        let code = self.child.wait().unwrap().code().unwrap();
        let mut log = String::new();
        self.stderr.read_to_string(&mut log).unwrap();
        (code, log)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        // Ended already, as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn live_checks_in_the_lab() {
    let lab = Lab::up(&["dane-ee", "dane-mismatch", "check-blocked"]);
    let place = Workplace::new();
    let web = Web::start(&place, lab.config());
    for (domain, state) in [
        ("dane-ee.example", "protected"),
        ("dane-mismatch.example", "mail will be refused"),
        ("reputation.example", "could not tell"),
    ] {
        let page = web.get(&format!("/check?domain={domain}"), "text/html");
        assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
        assert!(page.contains("Looking for the mail servers"), "{page}");
        assert!(
            page.contains(&format!("<span>{state}</span>")),
            "{domain}: {page}"
        );
    }
    let latest = web.get("/d/dane-ee.example", "text/html");
    let path = latest
        .lines()
        .find_map(|line| line.strip_prefix("location: "))
        .unwrap();
    let before = web.get(path, "application/json");
    let (code, log) = web.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("web: GET /check 200 "), "{log}");
    assert!(log.ends_with("web: stopping\n"), "{log}");
    assert!(
        !log.contains("dane-mismatch"),
        "whose domain was looked at: {log}"
    );

    let again = Web::start(&place, lab.config());
    let after = again.get(path, "application/json");
    let body = |answer: &str| {
        answer
            .split_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned())
    };
    assert_eq!(body(&before), body(&after));
    again.stop();
}

#[test]
fn addresses_of_others_are_refused_unless_meant() {
    for listen in ["0.0.0.0:0", "192.0.2.1:8025", "[::]:0"] {
        let run = Workplace::new().run(&["web", "--listen", listen]);
        run.assert_refused(64, "--public");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    Workplace::new()
        .run(&["web", "--listen", &at])
        .assert_refused(74, "cannot listen");
    let place = Workplace::new().with("page.toml", "[web]\nchecks_at_once = 0\n");
    place
        .run(&["--config", "page.toml", "web"])
        .assert_refused(78, "checks_at_once");
    let place = Workplace::new().with("state", "a file where a folder should be");
    place
        .run(&["--state-dir", "state", "web"])
        .assert_refused(74, "state");
}
