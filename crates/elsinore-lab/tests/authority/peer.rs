//! Software that is not ours, started with a configuration of its own on free ports.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

#[path = "../../../elsinore-dane/tests/skipped.rs"]
mod skipped;
use skipped::skipped;

/// Where a program is, or a printed notice that the test is skipped.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let found = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists());
    if found.is_none() {
        skipped(
            &format!("a comparison with {name}"),
            "it is not installed (cargo xtask test installs it)",
        );
    }
    found
}

/// A port that is free for UDP and TCP on loopback at this moment.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().expect("no test fails while it holds the lock");
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a TCP port");
        let port = tcp.local_addr().expect("an address").port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() && given.insert(port) {
            return port;
        }
    }
}

/// A running daemon, ended with TERM when dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) address: SocketAddr,
    log: PathBuf,
}

impl Daemon {
    /// Starts a program that stays in the foreground and answers DNS on `port`.
    pub(crate) fn start(program: &Path, arguments: &[&str], folder: &Path, port: u16) -> Self {
        let log = folder.join("output");
        let output = fs::File::create(&log).expect("a log file");
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a log file"))
            .stderr(output)
            .spawn()
            .expect("the daemon starts");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut daemon = Self {
            child,
            address,
            log,
        };
        daemon.wait_until_it_answers();
        daemon
    }

    fn wait_until_it_answers(&mut self) {
        let begin = Instant::now();
        let probe = crate::wire::query(".", "NS", crate::wire::Dnssec::NoEdns);
        while begin.elapsed() < Duration::from_secs(20) {
            if self.try_udp(&probe, Duration::from_millis(100)).is_some() {
                return;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the daemon ended with {status}:\n{}", self.log());
            }
        }
        panic!("the daemon does not answer:\n{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn try_udp(&self, query: &[u8], patience: Duration) -> Option<Vec<u8>> {
        // Not connected: a port where nobody listens yet is waited for, not an error.
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        socket.set_read_timeout(Some(patience)).ok()?;
        socket.send_to(query, self.address).ok()?;
        let mut buffer = vec![0; 65_535];
        let (length, sender) = socket.recv_from(&mut buffer).ok()?;
        // Before the daemon has its port, this very socket may have been given it.
        if sender == socket.local_addr().ok()? {
            return None;
        }
        buffer.truncate(length);
        Some(buffer)
    }

    pub(crate) fn udp(&self, query: &[u8]) -> Vec<u8> {
        self.try_udp(query, Duration::from_secs(30))
            .unwrap_or_else(|| panic!("no reply:\n{}", self.log()))
    }

    pub(crate) fn tcp(&self, query: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a time limit");
        let length = u16::try_from(query.len()).expect("a short query");
        stream.write_all(&length.to_be_bytes()).expect("sent");
        stream.write_all(query).expect("sent");
        let mut prefix = [0; 2];
        stream.read_exact(&mut prefix).expect("a length");
        let mut reply = vec![0; usize::from(u16::from_be_bytes(prefix))];
        stream.read_exact(&mut reply).expect("a reply");
        reply
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        // TERM lets the daemon end its own children; if that fails it is killed.
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
