//! `elsinore relay`, running until it is dropped.

use crate::daemon::{Daemon, Ready};
use crate::elsinore::{PROGRAM, configuration};
use elsinore_lab::pki::{CertificateSpec, Identity};
use elsinore_net::clock::{Clock, SystemClock};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Where clients find it.
pub(super) const PLACE: &str = "127.0.0.1:2525";

/// The relay in the namespace of a test.
#[derive(Debug)]
pub(super) struct Relay {
    daemon: Daemon,
    _folder: TempDir,
}

impl Relay {
    /// Starts it, with STARTTLS for clients; root hints and trust anchor are in `trust`.
    pub(super) fn start(trust: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("elsinore.toml");
        let own = CertificateSpec::server(&["relay.example"], SystemClock.now());
        let own = Identity::self_signed(&own).expect("a certificate");
        for (name, text) in [("chain.pem", own.pem()), ("key.pem", own.key_pem())] {
            fs::write(folder.path().join(name), text.expect("PEM")).expect("a file");
        }
        let here = folder.path().display();
        let relay = format!(
            "[relay]\nname = \"relay.example\"\nlisten = [\"{PLACE}\"]\nwarn_after = \"2s\"\n\
             [relay.tls]\ncertificate = \"{here}/chain.pem\"\nkey = \"{here}/key.pem\"\n\
             [relay.retry]\nfirst = \"1s\"\nlongest = \"1s\"\n"
        );
        fs::write(&file, configuration(trust, "", "", &relay)).expect("a configuration");
        let mut command = Command::new(PROGRAM);
        command
            .args(["--dns-mode", "recursive", "--config"])
            .arg(&file)
            .arg("relay")
            .env_remove("ELSINORE_CONFIG");
        let place: SocketAddr = PLACE.parse().expect("an address");
        let ready = Ready::Listening(&[place]);
        let daemon = Daemon::start("relay", command, folder.path(), &ready);
        Self {
            daemon,
            _folder: folder,
        }
    }

    /// Waits until it has logged a line with all of `words`, and returns the line.
    pub(super) fn line(&mut self, words: &[&str]) -> String {
        let found = |log: &str| {
            let mut lines = log.lines();
            lines
                .find(|line| words.iter().all(|word| line.contains(word)))
                .map(str::to_owned)
        };
        self.daemon
            .wait_until(&format!("logs {words:?}"), |daemon| {
                found(&daemon.log()).is_some()
            });
        found(&self.log()).expect("it was there a moment ago")
    }

    /// What it logged.
    pub(super) fn log(&self) -> String {
        self.daemon.log()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}
