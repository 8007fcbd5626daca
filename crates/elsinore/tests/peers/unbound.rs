//! Unbound as a validating resolver on 127.0.0.1 port 53.

use crate::daemon::{Daemon, Ready};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;

/// Where it listens.
pub(crate) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Starts `command`, which is `unbound` or puts it into a lab's namespace, with the root hints and
/// the trust anchor of `trust`.
pub(crate) fn start(mut command: Command, trust: &Path, folder: &Path) -> Daemon {
    let here = folder.display();
    let trust = trust.display();
    // `test` and `internal` are top-level domains of the lab, and Unbound denies them by default.
    let text = format!(
        "server:\n  interface: {ADDRESS}\n  port: 53\n  username: \"\"\n  chroot: \"\"\n  \
         directory: \"{here}\"\n  pidfile: \"{here}/unbound.pid\"\n  use-syslog: no\n  \
         do-daemonize: no\n  num-threads: 2\n  do-not-query-localhost: no\n  \
         module-config: \"validator iterator\"\n  trust-anchor-file: \"{trust}/trust-anchor.txt\"\n  \
         root-hints: \"{trust}/root-hints.txt\"\n  local-zone: \"test.\" nodefault\n  \
         local-zone: \"internal.\" nodefault\n  ede: yes\n  rrset-roundrobin: no\n  verbosity: 1\n  val-log-level: 2\n\
         remote-control:\n  control-enable: no\n"
    );
    let file = folder.join("unbound.conf");
    fs::write(&file, text).expect("a configuration");
    command.args(["-d", "-p", "-c"]).arg(&file);
    Daemon::start(
        "unbound",
        command,
        folder,
        &Ready::Saying("start of service"),
    )
}
