//! The program, started and killed.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longest that it may take to listen or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A place where nobody listens now; the relay comes back to it after each restart.
pub(crate) fn free_place() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its number")
}

/// A running relay, killed when dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    child: Child,
    log: PathBuf,
}

impl Relay {
    /// Starts it with this configuration and waits until it listens at `place`.
    pub(crate) fn start(configuration: &Path, place: SocketAddr) -> Self {
        let log = configuration.with_extension("log");
        let stderr = File::options()
            .append(true)
            .create(true)
            .open(&log)
            .expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_elsinore"))
            .arg("--config")
            .arg(configuration)
            .arg("relay")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        let mut relay = Self { child, log };
        let begun = Instant::now();
        while TcpStream::connect(place).is_err() {
            let over = relay.child.try_wait().expect("a child").is_some();
            assert!(
                !over && begun.elapsed() < PATIENCE,
                "the relay does not listen:\n{}",
                relay.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        relay
    }

    /// What it logged since the first start.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGKILL: nothing is written any more.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a process");
        self.child.wait().expect("its end");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill");
    }

    /// SIGSTOP: it does nothing more until it is [thawed](Self::thaw).
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("-TERM");
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
