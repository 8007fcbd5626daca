//! The whole tree validated by Unbound over our listeners, and compared with what the lab's own
//! upstream resolver says of each question.

use crate::nsd::questions;
use crate::peer::{Daemon, free_port, program};
use crate::tree::{LEAVES, SMALL_QUESTIONS, broken, broken_tree, name};
use crate::wire::{Dnssec, Seen, query};
use elsinore_dane::answer::RecordType;
use elsinore_dane::time::UnixTime;
use elsinore_lab::authority::{
    Act, Attack, Authority, Behaviour, ForwardMode, Forwarder, Listeners, Names, Responder,
    Transport, When,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where Unbound and the lab's resolver differ, and why.
const DIFFERENCES: [(&str, &str, &str); 5] = [
    ("x.moved.nsec.test", "CNAME", DNAME),
    ("x.moved.nsec3.test", "CNAME", DNAME),
    ("x.moved.salted.test", "CNAME", DNAME),
    ("x.moved.optout.test", "CNAME", DNAME),
    ("revoked.test", "any", REVOKED),
];
const DNAME: &str = "asked for the CNAME itself, Unbound 1.17.1 wants the synthesised one signed; \
                     RFC 6672 §5.3.1 says it is not (NSD sends the same answer)";
const REVOKED: &str = "Unbound heeds the REVOKE bit in trust anchors only; RFC 5011 §3 says that a \
                       key seen revoking itself is invalid for all purposes";

/// Whether a difference is known: that name and type, or every type at and below a name.
fn is_known(difference: &(&str, &str, &str), owner: &str, rtype: &str) -> bool {
    let (known, of, _) = *difference;
    (known == owner && of == rtype) || (of == "any" && owner.ends_with(known))
}

pub(crate) fn now() -> UnixTime {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970");
    UnixTime(i64::try_from(elapsed.as_secs()).expect("a clock before the year 292 277 026 596"))
}

/// Every forgery, each against TLSA below another name of the same secure zone.
fn attacks() -> Vec<(&'static str, Attack)> {
    let insecure = || name("plain.test");
    let data = || "TLSA 3 1 1 aabbcc".to_owned();
    vec![
        ("a", Attack::NoDataForeignSoa(insecure())),
        ("b", Attack::BareNxDomain),
        ("c", Attack::NxDomainForeignSoa(insecure())),
        ("d", Attack::NoDataForeignNs(insecure())),
        ("e", Attack::NoDataWithoutProof),
        ("f", Attack::UnsignedCname(name("mx.plain.test"))),
        ("g", Attack::UnsignedData(data())),
        ("h", Attack::EmptyNoError),
        ("i", Attack::NxDomainWithoutProof),
        ("k", Attack::UnsignedDataForeignNs(data(), insecure())),
        ("l", Attack::NoDataApexReplay),
        ("m", Attack::NxDomainApexReplay),
        ("n", Attack::WildcardReplay),
        ("o", Attack::ParentDenialReplay),
        ("p", Attack::NoDataChildSoa(name("unsigned.nsec.test"))),
    ]
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
         local-zone: \"test.\" nodefault\n  ede: yes\n  verbosity: 1\n  val-log-level: 1\n  \
         qname-minimisation: no\n  aggressive-nsec: no\nremote-control:\n  control-enable: no\n",
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

#[test]
fn unbound_and_the_lab_agree_on_every_answer() {
    let Some(unbound) = program("unbound") else {
        return;
    };
    let now = now();
    let mut authority = Authority::new(broken_tree(now));
    let mut asked: Vec<(String, String)> = Vec::new();
    let mut forged = BTreeSet::new();
    for leaf in LEAVES {
        asked.extend(
            questions(leaf)
                .into_iter()
                .map(|(owner, rtype)| (owner, rtype.to_owned())),
        );
    }
    for zone in broken(now) {
        for (owner, rtype) in SMALL_QUESTIONS {
            asked.push((format!("{owner}{}", zone.apex), rtype.to_owned()));
        }
    }
    for (label, attack) in attacks() {
        for zone in ["nsec.test", "nsec3.test", "plain.test"] {
            // The wildcard gives all of these names honest TLSA records to be denied or replaced.
            let victim = format!("_{label}._tcp.wmx.{zone}");
            let when = When::always()
                .of_types(&[RecordType::Tlsa])
                .of_names(Names::Exactly(name(&victim)));
            authority.misbehave_zone(
                &name(zone),
                &Behaviour::new(when, Act::Forge(attack.clone())),
            );
            if zone != "plain.test" {
                forged.insert(victim.clone());
            }
            asked.push((victim, "TLSA".to_owned()));
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let authority = Arc::new(authority);
    let responder: Arc<dyn Responder> = Arc::<Authority>::clone(&authority);
    let servers: Vec<_> = authority.addresses().collect();
    let listeners = runtime
        .block_on(Listeners::on_loopback(responder, servers))
        .expect("listeners");
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = start(&unbound, folder.path(), &authority, &listeners);
    let forwarder = Forwarder::new(Arc::clone(&authority), ForwardMode::Validating);
    let mut differences = Vec::new();
    let mut words = BTreeMap::new();
    for (owner, rtype) in &asked {
        let query = query(owner, rtype, Dnssec::Wanted);
        let reaction = forwarder.respond(Transport::Tcp, &query);
        let ours = Seen::read(reaction.reply().expect("a reply"));
        let Some(reply) = daemon.try_udp(&query, Duration::from_secs(10)) else {
            panic!("Unbound does not answer {owner} {rtype}:\n{}", daemon.log());
        };
        let mut theirs = Seen::read(&reply);
        if theirs.flags.contains('T') {
            theirs = Seen::read(&daemon.tcp(&query));
        }
        let short = |seen: &Seen| {
            let answer: Vec<String> = seen.answer.iter().map(|line| without_ttl(line)).collect();
            (seen.rcode.clone(), seen.flags.contains('D'), answer)
        };
        let (rcode, authentic, _) = short(&ours);
        if forged.contains(owner) {
            assert_eq!(rcode, "SERVFAIL", "a forgery in a signed zone: {owner}");
        }
        *words.entry((rcode, authentic)).or_insert(0) += 1;
        if short(&ours) != short(&theirs) {
            differences.push((owner, rtype, short(&ours), short(&theirs)));
        }
    }
    println!("{} answers compared: {words:?}", asked.len());
    let unexpected: Vec<_> = differences
        .iter()
        .filter(|(owner, rtype, _, _)| {
            !DIFFERENCES
                .iter()
                .any(|difference| is_known(difference, owner, rtype))
        })
        .collect();
    assert!(
        unexpected.is_empty(),
        "{} of {} differ (ours, Unbound's):\n{unexpected:#?}",
        unexpected.len(),
        asked.len()
    );
    for difference in DIFFERENCES {
        assert!(
            differences
                .iter()
                .any(|(owner, rtype, _, _)| is_known(&difference, owner, rtype)),
            "no longer differs: {difference:?}"
        );
    }
}

fn without_ttl(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    if words.len() > 1 {
        words.remove(1);
    }
    words.join(" ")
}
