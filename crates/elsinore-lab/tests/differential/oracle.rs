//! Unbound: started as a validating resolver of the tree, and asked.

use crate::contents::Asked;
use crate::daemon::{Daemon, Ready};
use crate::outcome::{Outcome, Verdict, of_reply, query};
use crate::servers::Tree;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Where the Unbound that validates listens.
pub(crate) const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53);
/// Where the one that does not listens: our upstream in forward mode.
pub(crate) const UPSTREAM: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 53);

/// How long a reply is waited for before the question is sent again; its own patience with dead
/// servers is great.
const PATIENCE: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_secs(40),
];

pub(crate) fn start(tree: &Tree, now: &str, folder: &Path) -> [Daemon; 2] {
    let validation = format!(
        "  module-config: \"validator iterator\"\n  trust-anchor-file: \"{}\"\n  \
         val-override-date: \"{now}\"\n  ede: yes\n  val-log-level: 2\n",
        tree.anchor.display()
    );
    let none = "  module-config: \"iterator\"\n";
    [
        one("unbound", ADDRESS, &validation, tree, folder),
        one("upstream", UPSTREAM, none, tree, folder),
    ]
}

fn one(name: &str, address: SocketAddr, settings: &str, tree: &Tree, folder: &Path) -> Daemon {
    let text = format!(
        "server:\n  interface: {}\n  port: 53\n  username: \"\"\n  chroot: \"\"\n  \
         directory: \"{here}\"\n  pidfile: \"{here}/{name}.pid\"\n  use-syslog: no\n  \
         do-daemonize: no\n  num-threads: 1\n  do-not-query-localhost: no\n  \
         root-hints: \"{hints}\"\n  rrset-roundrobin: no\n  aggressive-nsec: no\n  verbosity: 1\n  \
         outgoing-range: 900\n  num-queries-per-thread: 900\n{settings}\
         remote-control:\n  control-enable: no\n",
        address.ip(),
        here = folder.display(),
        hints = tree.hints.display(),
    );
    let file = folder.join(format!("{name}.conf"));
    fs::write(&file, text).expect("a configuration");
    let mut command = Command::new("unbound");
    command.args(["-d", "-p", "-c"]).arg(&file);
    Daemon::start(name, command, folder, &Ready::Saying("start of service"))
}

async fn exchange(query: &[u8]) -> Option<Vec<u8>> {
    let local = (Ipv4Addr::LOCALHOST, 0);
    let socket = UdpSocket::bind(local).await.expect("a socket");
    socket.connect(ADDRESS).await.expect("a route");
    let mut reply = vec![0; 65_535];
    let mut received = None;
    for patience in PATIENCE {
        socket.send(query).await.expect("sent");
        received = timeout(patience, socket.recv(&mut reply)).await.ok();
        if received.is_some() {
            break;
        }
    }
    reply.truncate(received?.ok()?);
    if reply[2] & 2 == 0 {
        return Some(reply);
    }
    let mut stream = TcpStream::connect(ADDRESS).await.ok()?;
    let length = u16::try_from(query.len()).expect("a short query");
    stream.write_u16(length).await.ok()?;
    stream.write_all(query).await.ok()?;
    let length = timeout(PATIENCE[2], stream.read_u16()).await.ok()?.ok()?;
    let mut reply = vec![0; length.into()];
    stream.read_exact(&mut reply).await.ok()?;
    Some(reply)
}

/// What Unbound says. A failure is bogus when it says so by an extended error (RFC 8914 §4.7 to
/// §4.13), or when the same question succeeds with checking disabled.
pub(crate) async fn ask(asked: &Asked) -> Outcome {
    let silent = Outcome {
        verdict: Verdict::Failed,
        kind: "failed",
        chain: Vec::new(),
        records: std::collections::BTreeSet::new(),
        reason: "no reply".to_owned(),
    };
    let Some(octets) = exchange(&query(asked, false)).await else {
        return silent;
    };
    let reply = of_reply(asked, &octets);
    let mut outcome = reply.outcome;
    if outcome.kind == "failed" {
        let says_so = reply.errors.iter().any(|(code, _)| (6..=12).contains(code));
        let is_bogus = says_so
            || match exchange(&query(asked, true)).await {
                Some(octets) => of_reply(asked, &octets).outcome.kind != "failed",
                None => false,
            };
        if is_bogus {
            outcome.verdict = Verdict::Bogus;
        }
        outcome.reason = format!("rcode {} {}", reply.rcode, outcome.reason);
    }
    outcome
}
