//! Unbound on a free port of loopback, over the world's listeners.

use crate::daemon::{Daemon, Ready};
use crate::skipped::skipped;
use crate::world::World;
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Where Unbound is installed, or a notice and `None`.
pub(crate) fn installed() -> Option<PathBuf> {
    let found = ["/usr/sbin/unbound", "/usr/local/sbin/unbound"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists());
    if found.is_none() {
        skipped(
            "elsinore doctor on Unbound",
            "it is not installed (cargo xtask test installs it)",
        );
    }
    found
}

/// A port that is free for UDP and TCP at this moment.
pub(crate) fn free_port() -> u16 {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a TCP port");
        let port = tcp.local_addr().expect("an address").port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// A running Unbound.
pub(crate) struct Unbound {
    _daemon: Daemon,
    _folder: TempDir,
    /// Where it listens.
    pub(crate) at: SocketAddr,
}

impl Unbound {
    /// Starts one; `settings` are lines of `server:` beside or in place of the usual ones.
    pub(crate) fn start(program: &Path, world: &World, settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path().display();
        let port = free_port();
        let modules = if settings.contains("module-config") {
            ""
        } else {
            "  module-config: \"validator iterator\"\n"
        };
        let anchor = world.folder().join("trust-anchor.txt");
        let mut config = format!(
            "server:\n  interface: 127.0.0.1\n  port: {port}\n  username: \"\"\n  chroot: \"\"\n  \
             directory: \"{here}\"\n  pidfile: \"{here}/pid\"\n  use-syslog: no\n  \
             do-daemonize: no\n  num-threads: 1\n  do-ip6: no\n  do-not-query-localhost: no\n\
             {modules}  trust-anchor-file: \"{}\"\n  local-zone: \"test.\" nodefault\n  \
             verbosity: 1\n  qname-minimisation: no\n",
            anchor.display()
        );
        for line in settings.lines() {
            let _ = writeln!(config, "  {}", line.trim());
        }
        config.push_str("remote-control:\n  control-enable: no\n");
        // Unbound cannot send to mapped ports on its own, so each zone is a stub at its listener.
        for zone in world.authority.tree().zones() {
            let _ = writeln!(config, "stub-zone:\n  name: \"{}\"", zone.apex());
            for (server, place) in world.listeners.places() {
                if world.authority.serves(*server, zone.apex()) {
                    let _ = writeln!(config, "  stub-addr: {}@{}", place.ip(), place.port());
                }
            }
        }
        let file = folder.path().join("unbound.conf");
        fs::write(&file, config).expect("a configuration");
        let mut command = Command::new(program);
        command.args(["-d", "-p", "-c"]).arg(&file);
        let daemon = Daemon::start(
            "unbound",
            command,
            folder.path(),
            &Ready::Saying("start of service"),
        );
        Self {
            _daemon: daemon,
            _folder: folder,
            at: (Ipv4Addr::LOCALHOST, port).into(),
        }
    }
}
