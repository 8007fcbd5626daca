//! The same world through Unbound: for every kind of answer, and for everything broken, its
//! verdict (AD, no AD, SERVFAIL) against that of this resolver. Where the two differ, the reason is
//! in a table, and a difference that is gone fails the test as well.

use crate::broken::BROKEN;
use crate::kinds::KINDS;
use crate::peer::{Daemon, free_port, program};
use crate::wire::{Dnssec, Seen, query};
use crate::world::{Bench, NOW, authority};
use elsinore_dane::security::Security;
use elsinore_lab::authority::{Authority, Listeners, Responder};
use elsinore_net::resolver::Mode;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// `NOW` as Unbound wants it.
const NOW_IN_WORDS: &str = "20260528202640";

/// Servers that never answer, or are not there: Unbound is patient with them for longer than a test
/// may be.
const SILENT: &[&str] = &["todead.", "a.deleg.optout.test"];

/// A question, our verdict, Unbound's, and why they differ.
const DIFFERENCES: &[(&str, Verdict, Verdict, &str)] = &[
    (
        "mx.collide20.test A",
        Verdict::Failed,
        Verdict::Secure,
        "twenty more keys of one tag are not tried here (KeyTrap)",
    ),
    (
        "mx.revoked.test A",
        Verdict::Failed,
        Verdict::Secure,
        "Unbound heeds the REVOKE bit in trust anchors only; RFC 5011 §2.1 has such a key invalid",
    ),
    (
        "mx.weakds.test A",
        Verdict::Failed,
        Verdict::Secure,
        "Unbound takes any digest that fits; RFC 4509 §3 ignores SHA-1 beside SHA-256",
    ),
    (
        "nowhere.iter101.test A",
        Verdict::Insecure,
        Verdict::Secure,
        ITERATIONS,
    ),
    (
        "mx.iter150.test TXT",
        Verdict::Insecure,
        Verdict::Secure,
        ITERATIONS,
    ),
    (
        "x.wild.iter150.test A",
        Verdict::Insecure,
        Verdict::Secure,
        ITERATIONS,
    ),
    (
        "nowhere.iter501.test A",
        Verdict::Failed,
        Verdict::Insecure,
        "above 500 iterations a proof is refused here (RFC 9276 §3.2 leaves both open)",
    ),
];
const ITERATIONS: &str =
    "Unbound 1.17.1 computes up to 150 iterations, we up to 100 (RFC 9276 §3.2)";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Secure,
    Insecure,
    /// Bogus, or not found out.
    Failed,
}

fn start(unbound: &Path, folder: &Path, authority: &Authority, listeners: &Listeners) -> Daemon {
    let port = free_port();
    let here = folder.display();
    let anchor = folder.join("anchor");
    fs::write(&anchor, authority.tree().trust_anchor()).expect("an anchor file");
    let mut config = format!(
        "server:\n  interface: 127.0.0.1\n  port: {port}\n  username: \"\"\n  chroot: \"\"\n  \
         directory: \"{here}\"\n  pidfile: \"{here}/pid\"\n  use-syslog: no\n  do-daemonize: no\n  \
         num-threads: 1\n  do-ip6: no\n  do-not-query-localhost: no\n  \
         module-config: \"validator iterator\"\n  trust-anchor-file: \"{}\"\n  \
         val-override-date: \"{NOW_IN_WORDS}\"\n  local-zone: \"test.\" nodefault\n  \
         verbosity: 1\n  val-log-level: 1\n  qname-minimisation: no\n  aggressive-nsec: no\n\
         remote-control:\n  control-enable: no\n",
        anchor.display()
    );
    // Unbound cannot send to mapped ports on its own, so each zone is a stub at its listener.
    for zone in authority.tree().zones() {
        let _ = write!(config, "stub-zone:\n  name: \"{}\"\n", zone.apex());
        for (server, place) in listeners.places() {
            if authority.serves(*server, zone.apex()) {
                let _ = writeln!(config, "  stub-addr: {}@{}", place.ip(), place.port());
            }
        }
    }
    let file = folder.join("unbound.conf");
    fs::write(&file, config).expect("a configuration");
    let file = file.display().to_string();
    Daemon::start(unbound, &["-d", "-p", "-c", &file], folder, port)
}

fn verdict_of(daemon: &Daemon, owner: &str, rtype: &str) -> Verdict {
    let query = query(owner, rtype, Dnssec::Wanted);
    let Some(reply) = daemon.try_udp(&query, Duration::from_secs(20)) else {
        panic!("Unbound does not answer {owner} {rtype}:\n{}", daemon.log());
    };
    let mut seen = Seen::read(&reply);
    if seen.flags.contains('T') {
        seen = Seen::read(&daemon.tcp(&query));
    }
    match seen.rcode.as_str() {
        "NOERROR" | "NXDOMAIN" if seen.flags.contains('D') => Verdict::Secure,
        "NOERROR" | "NXDOMAIN" => Verdict::Insecure,
        _ => Verdict::Failed,
    }
}

#[test]
fn the_verdicts_agree() {
    let Some(unbound) = program("unbound") else {
        return;
    };
    let authority = Arc::new(authority());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let responder: Arc<dyn Responder> = Arc::<Authority>::clone(&authority);
    let servers: Vec<_> = authority.addresses().collect();
    let listeners = runtime
        .block_on(Listeners::on_loopback(responder, servers))
        .expect("listeners");
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = start(&unbound, folder.path(), &authority, &listeners);
    assert_eq!(NOW.0, 1_780_000_000, "NOW_IN_WORDS follows NOW");
    let questions: Vec<&str> = KINDS
        .iter()
        .map(|(question, _)| *question)
        .chain(BROKEN.iter().map(|(question, _, _)| *question))
        .filter(|question| !SILENT.iter().any(|part| question.contains(part)))
        .collect();
    let mut words = BTreeMap::new();
    for mode in [Mode::Recursive, Mode::Forward] {
        let bench = Bench::over(mode, &authority);
        let mut differing = Vec::new();
        for text in &questions {
            let answer = runtime.block_on(bench.ask(text));
            let ours = match answer.overall().security() {
                Security::Secure => Verdict::Secure,
                Security::Insecure => Verdict::Insecure,
                Security::Bogus | Security::Indeterminate => Verdict::Failed,
            };
            let (owner, rtype) = text.split_once(' ').expect("NAME TYPE");
            let theirs = verdict_of(&daemon, owner, rtype);
            *words.entry(theirs).or_insert(0) += 1;
            if ours != theirs {
                differing.push((*text, ours, theirs));
            }
        }
        let known: Vec<_> = DIFFERENCES
            .iter()
            .map(|(question, ours, theirs, _)| (*question, *ours, *theirs))
            .collect();
        differing.sort_unstable();
        let mut expected = known;
        expected.sort_unstable();
        assert_eq!(differing, expected, "{mode:?}: (ours, Unbound's)");
    }
    println!("{} questions, twice: {words:?}", questions.len());
    assert_eq!(words.len(), 3, "all verdicts occur: {words:?}");
}
