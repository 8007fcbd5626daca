//! `elsinore policyd` on the lab: one question, a service over every socket, SIGHUP, answers that
//! outlive the process, refusals.

use crate::command::Workplace;
use crate::lab_up::Lab;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, Command, Stdio};

/// A service that runs.
struct Policyd {
    child: Child,
    stderr: BufReader<ChildStderr>,
    inet: String,
    http: String,
}

impl Policyd {
    fn start(place: &Workplace, config: &str) -> Self {
        let mut child = place
            .command(&["--config", config, "--state-dir", "state", "policyd"])
            .args(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(["--socket", "policyd.sock"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut policyd = Self {
            child,
            stderr,
            inet: String::new(),
            http: String::new(),
        };
        policyd.inet = policyd.said("listening on inet:");
        policyd.http = policyd.said("listening on http://");
        policyd
    }

    /// Waits for a line with `mark` and gives what stands behind it.
    fn said(&mut self, mark: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "it ended");
            if let Some((_, rest)) = line.split_once(mark) {
                return rest.trim().trim_end_matches('/').to_owned();
            }
        }
    }

    fn ask(&self, map: &str, key: &str) -> String {
        let mut stream = TcpStream::connect(&self.inet).unwrap();
        let content = format!("{map} {key}");
        write!(stream, "{}:{content},", content.len()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        let at = &self.http;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.unwrap().success());
    }

    /// Sends SIGTERM; gives the exit code and what was logged since.
    fn stop(mut self) -> (i32, String) {
        self.signal("TERM");
        let code = self.child.wait().unwrap().code().unwrap();
        let mut log = String::new();
        self.stderr.read_to_string(&mut log).unwrap();
        (code, log)
    }
}

impl Drop for Policyd {
    fn drop(&mut self) {
        // Ended already, as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_service_in_the_lab() {
    let lab = Lab::up(&["dane-ee", "sts-enforce", "mx-bogus"]);
    let configuration = std::fs::read_to_string(lab.config()).unwrap();
    let folder = std::path::Path::new(lab.config()).parent().unwrap();
    // The same beside the lab's files, so that it can be changed.
    let own = folder.join("policyd.toml");
    std::fs::write(&own, &configuration).unwrap();
    let config = own.to_str().unwrap();
    let place = Workplace::new();
    let mut policyd = Policyd::start(&place, config);
    for (map, key, reply) in [
        ("QUERY", "dane-ee.example", "12:OK dane-only,"),
        ("QUERY", "DANE-EE.example.", "12:OK dane-only,"),
        ("QUERY", "[mx.dane-ee.example]", "12:OK dane-only,"),
        ("QUERY", ".example", "9:NOTFOUND ,"),
        ("QUERY", "[192.0.2.1]", "6:OK may,"),
    ] {
        assert_eq!(policyd.ask(map, key), reply, "{key}");
    }
    let plain = policyd.ask("QUERY", "sts-enforce.example");
    let secure = "OK secure match=mx.sts-enforce.example servername=hostname";
    assert!(plain.ends_with(&format!("{secure},")), "{plain}");
    let reports = policyd.ask("QUERYwithTLSRPT", "sts-enforce.example");
    let attributes = "policy_type=sts policy_domain=sts-enforce.example mx_host_pattern=";
    assert!(
        reports.contains(&format!("{secure} {attributes}")),
        "{reports}"
    );
    let bogus = policyd.ask("QUERY", "mx-bogus.example");
    assert!(
        bogus.contains(":TEMP the MX lookup of mx-bogus.example failed"),
        "{bogus}"
    );
    let mut unix = UnixStream::connect(place.path().join("policyd.sock")).unwrap();
    unix.write_all(b"21:QUERY dane-ee.example,").unwrap();
    let mut reply = [0; 16];
    unix.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"12:OK dane-only,");

    let json = policyd.get("/v1/lookup?domain=dane-ee.example");
    for part in [
        "HTTP/1.1 200 ",
        "\"row\":\"every-host-dane\"",
        "\"level\":\"dane-only\"",
        "\"tlsa\":{\"base_domain\":\"mx.dane-ee.example\",\"records\":[\"3 1 1 ",
        "\"schema_version\":1",
    ] {
        assert!(json.contains(part), "{part}: {json}");
    }
    assert!(
        policyd
            .get("/v1/lookup?domain=a..b")
            .starts_with("HTTP/1.1 400 ")
    );
    assert!(policyd.get("/v1/lookup").starts_with("HTTP/1.1 400 "));
    assert!(policyd.get("/nothing").starts_with("HTTP/1.1 404 "));
    assert!(policyd.get("/healthz").ends_with("alive\n"));
    let metrics = policyd.get("/metrics");
    for part in [
        "elsinore_policyd_socketmap_requests_total 9",
        "elsinore_policyd_answers_total{kind=\"dane-only\"} 5",
        "elsinore_policyd_found_out_total{row=\"sts\"} 1",
    ] {
        assert!(metrics.contains(part), "{part}: {metrics}");
    }

    // A wrong configuration changes nothing; a right one is in force at once.
    std::fs::write(&own, "[dns]\nmode = \"nonsense\"\n").unwrap();
    policyd.signal("HUP");
    let said = policyd.said("the old configuration stays in force: ");
    assert!(said.contains("mode"), "{said}");
    assert_eq!(policyd.ask("QUERY", "dane-ee.example"), "12:OK dane-only,");
    let overridden = format!(
        "{configuration}\n[[destination]]\ndomain = \"dane-ee.example\"\nlevel = \"encrypt\"\nmode = \"exact\"\n"
    );
    std::fs::write(&own, overridden).unwrap();
    policyd.signal("HUP");
    policyd.said("the new configuration is in force");
    assert_eq!(policyd.ask("QUERY", "dane-ee.example"), "10:OK encrypt,");
    let (code, log) = policyd.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.ends_with("policyd: stopping\n"), "{log}");
}

#[test]
fn answers_outlive_the_process_and_not_the_configuration() {
    let lab = Lab::up(&["dane-ee", "sts-enforce", "mx-bogus"]);
    let place = Workplace::new();
    let policyd = Policyd::start(&place, lab.config());
    assert_eq!(policyd.ask("QUERY", "dane-ee.example"), "12:OK dane-only,");
    policyd.stop();
    let again = Policyd::start(&place, lab.config());
    assert_eq!(again.ask("QUERY", "dane-ee.example"), "12:OK dane-only,");
    let metrics = again.get("/metrics");
    assert!(
        metrics.contains("elsinore_policyd_cached_total 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("elsinore_policyd_waited_total 0"),
        "{metrics}"
    );
    again.stop();
}

#[test]
fn one_question() {
    let lab = Lab::up(&["dane-ee", "sts-enforce", "mx-bogus"]);
    let place = Workplace::new();
    let run = place.run(&[
        "--config",
        lab.config(),
        "policyd",
        "--query",
        "dane-ee.example",
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout
            .starts_with("OK dane-only\n  row every-host-dane: "),
        "{}",
        run.stdout
    );
    let run = place.run(&[
        "--config",
        lab.config(),
        "policyd",
        "--query",
        "mx-bogus.example",
    ]);
    assert_eq!(run.code, 75, "{}", run.stdout);
    place
        .run(&["policyd", "--query", "a..b"])
        .assert_refused(64, "not a destination");
}

#[test]
fn refusals() {
    for flag in ["--listen", "--http"] {
        let run = Workplace::new().run(&["policyd", flag, "0.0.0.0:0"]);
        run.assert_refused(64, "--public");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    Workplace::new()
        .run(&["policyd", "--listen", &at, "--http", "127.0.0.1:0"])
        .assert_refused(74, "cannot listen");
    for (text, word) in [
        ("connections = 0", "connections"),
        ("http = \"nowhere\"", "http"),
        ("lissten = []", "lissten"),
        ("socket_mode = \"9\"", "socket_mode"),
    ] {
        let place = Workplace::new().with("p.toml", format!("[policyd]\n{text}\n"));
        place
            .run(&["--config", "p.toml", "policyd"])
            .assert_refused(78, word);
    }
}
