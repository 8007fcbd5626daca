//! The script of `tlsa make --form nsupdate`, taken by BIND's nsupdate and Knot's server.

use crate::command::Workplace;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ZONE: &str = "\
example.net. 300 SOA ns1.example.net. h.example.net. 1 3600 600 86400 300
example.net. 300 NS ns1.example.net.
ns1.example.net. 300 A 127.0.0.1
mx.example.net. 300 A 127.0.0.1
";

/// Knot's server, ended with the test.
struct Knot(Child);

impl Drop for Knot {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that Debian puts where only root looks, or `None` where it is not installed.
fn program(name: &str) -> Option<String> {
    let places = ["/usr/sbin", "/usr/bin"];
    let mut paths = places.map(|place| format!("{place}/{name}")).into_iter();
    let found = paths.find(|path| std::path::Path::new(path).exists());
    if found.is_none() {
        assert!(std::env::var_os("ELSINORE_NO_SKIPS").is_none(), "no {name}");
        eprintln!("skipped: {name} is not installed");
    }
    found
}

#[test]
fn knot_takes_the_script() {
    let (Some(knotd), Some(nsupdate), Some(dig)) =
        (program("knotd"), program("nsupdate"), program("dig"))
    else {
        return;
    };
    let place = Workplace::new().with("example.net.zone", ZONE);
    let folder = place.path().to_str().unwrap().to_owned();
    // The kernel's choice, given back for Knot to take.
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let configuration = format!(
        "server:\n    listen: 127.0.0.1@{port}\n    rundir: {folder}\n\
         database:\n    storage: {folder}\n\
         acl:\n  - id: us\n    address: 127.0.0.1\n    action: update\n\
         zone:\n  - domain: example.net\n    storage: {folder}\n    file: example.net.zone\n    acl: us\n"
    );
    let place = place.with("knot.conf", configuration);
    let mut command = Command::new(knotd);
    command.args(["-c", "knot.conf"]).current_dir(place.path());
    let knot = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let _knot = Knot(knot.unwrap());
    let ask = || {
        let asked = Command::new(&dig)
            .args([
                "+short",
                "+time=1",
                "+tries=1",
                "@127.0.0.1",
                "-p",
                &port.to_string(),
            ])
            .args(["_25._tcp.mx.example.net", "TLSA", "example.net", "SOA"])
            .output()
            .unwrap();
        String::from_utf8(asked.stdout).unwrap()
    };
    let until = Instant::now() + Duration::from_secs(60);
    while !ask().contains("h.example.net.") {
        assert!(Instant::now() < until, "Knot does not answer");
    }

    for name in ["one.pem", "two.pem"] {
        let words = format!("genpkey -algorithm ED25519 -out {name}");
        let made = Command::new("openssl")
            .args(words.split(' '))
            .current_dir(place.path())
            .output();
        assert!(made.unwrap().status.success());
    }
    let server = format!("127.0.0.1 {port}");
    let made = place.run(&[
        "tlsa",
        "make",
        "--key",
        "one.pem",
        "--next",
        "two.pem",
        "--name",
        "mx.example.net",
        "--form",
        "nsupdate",
        "--zone",
        "example.net",
        "--server",
        &server,
    ]);
    assert_eq!(made.code, 0, "{made:?}");
    let send = |script: &str| {
        std::fs::write(place.path().join("script"), script).unwrap();
        let sent = Command::new(&nsupdate)
            .arg("script")
            .current_dir(place.path())
            .output();
        let sent = sent.unwrap();
        assert!(sent.status.success(), "{sent:?}");
    };
    let serves = |record: &str| {
        let digest = record.rsplit(' ').next().unwrap().to_ascii_uppercase();
        ask().replace(' ', "").contains(&digest)
    };
    let records: Vec<&str> = made
        .stdout
        .lines()
        .filter(|line| line.starts_with("update add"))
        .collect();
    assert_eq!(records.len(), 2);
    send(&made.stdout);
    assert!(serves(records[0]) && serves(records[1]), "{}", ask());
    // A second time changes nothing: it only adds.
    send(&made.stdout);
    assert!(serves(records[0]) && serves(records[1]), "{}", ask());
}
