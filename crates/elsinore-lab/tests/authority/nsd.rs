//! Every kind of answer, compared section by section with NSD's on the same signed zones.

use crate::peer::{Daemon, free_port, program};
use crate::tree::{LEAVES, NOW, name, tree};
use crate::wire::{Dnssec, Seen, query, query_with};
use elsinore_dane::name::DomainName;
use elsinore_lab::authority::{Authority, Transport};
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

/// Where NSD 4.6.1 and we differ, always with DNSSEC wanted, and why ours is right. Unbound accepts
/// each of ours (`unbound.rs` asks the same questions).
const DIFFERENCES: [(&str, &str, &str); 5] = [
    (
        "y.moved.nsec.test",
        "A",
        "behind a DNAME, NSD denies the wildcard but not the name (RFC 4035 §3.1.3.2 wants both)",
    ),
    (
        "x.unsigned2.optout.test",
        "A",
        "NSD takes an empty non-terminal that opt-out left out for the closest encloser and sends \
         no match for it (RFC 5155 §7.2.1)",
    ),
    (
        "*.wild.nsec3.test",
        "MX",
        "asked for the wildcard itself, NSD adds the closest encloser; RFC 5155 §7.2.3 wants the \
         match alone",
    ),
    ("*.wild.salted.test", "MX", "as above"),
    ("*.wild.optout.test", "MX", "as above"),
];

/// Starts NSD with these zones of the tree.
fn start(nsd: &Path, folder: &Path, authority: &Authority, zones: &[DomainName]) -> Daemon {
    let port = free_port();
    let here = folder.display();
    let mut config = format!(
        "server:\n  ip-address: 127.0.0.1@{port}\n  username: \"\"\n  chroot: \"\"\n  \
         zonesdir: \"{here}\"\n  database: \"\"\n  pidfile: \"{here}/pid\"\n  \
         xfrdfile: \"{here}/xfrd\"\n  zonelistfile: \"{here}/zonelist\"\n  xfrdir: \"{here}\"\n  \
         server-count: 1\n  minimal-responses: yes\n  refuse-any: no\n  rrl-ratelimit: 0\n\
         remote-control:\n  control-enable: no\n"
    );
    for (number, apex) in zones.iter().enumerate() {
        let zone = authority.tree().zone(apex, 0).expect("the zone");
        fs::write(folder.join(format!("zone{number}")), zone.to_text()).expect("a zone file");
        let _ = write!(
            config,
            "zone:\n  name: \"{apex}\"\n  zonefile: \"zone{number}\"\n"
        );
    }
    let file = folder.join("nsd.conf");
    fs::write(&file, config).expect("a configuration");
    let file = file.display().to_string();
    Daemon::start(nsd, &["-d", "-c", &file], folder, port)
}

pub(crate) fn questions(leaf: &str) -> Vec<(String, &'static str)> {
    let mut questions = Vec::new();
    for (owner, types) in [
        ("", "SOA NS MX A DNSKEY NSEC3PARAM DS TXT"),
        ("mx.", "A AAAA MX TLSA"),
        ("_25._tcp.mx.", "TLSA A"),
        ("_tcp.mx.", "TLSA A"),
        ("nowhere.", "A TLSA"),
        ("a.b.c.nowhere.", "A"),
        ("zzz.", "A"),
        ("0.", "A"),
        ("below.mx.", "A"),
        ("alias.", "A CNAME TXT MX"),
        ("twice.", "AAAA CNAME"),
        ("dangling.", "A"),
        ("outside.", "A"),
        ("q.wild.", "A TXT MX"),
        ("p.q.wild.", "A"),
        ("wild.", "A"),
        ("*.wild.", "A MX"),
        ("_25._tcp.wmx.", "TLSA A"),
        ("_26._tcp.wmx.", "TLSA"),
        ("q.walias.", "A CNAME TXT"),
        ("q.wnone.", "A"),
        ("q.odd.", "A"),
        ("below.*.odd.", "A"),
        ("ent.", "A"),
        ("b.ent.", "A TLSA"),
        ("c.b.ent.", "A"),
        ("moved.", "DNAME A"),
        ("x.moved.", "A CNAME"),
        ("y.moved.", "A"),
        ("signed.", "A NS DS"),
        ("mx.signed.", "A DS"),
        ("unsigned.", "A NS DS MX"),
        ("mx.unsigned.", "TLSA DS"),
        ("ns.unsigned.", "A"),
        ("glueless.", "A DS"),
        ("q.glueless.", "A"),
        ("unsigned2.", "A"),
        ("deep.unsigned2.", "A DS"),
        ("x.unsigned2.", "A"),
    ] {
        for rtype in types.split(' ') {
            questions.push((format!("{owner}{leaf}"), rtype));
        }
    }
    questions
}

/// Compares and returns how many replies there were.
fn compare<'q>(
    authority: &Authority,
    server: &str,
    nsd: &Daemon,
    questions: &[(String, &'q str)],
) -> (usize, Vec<(String, &'q str, Dnssec, String)>) {
    let server: IpAddr = server.parse().expect("an address");
    let mut differences = Vec::new();
    let mut count = 0;
    for (owner, rtype) in questions {
        for dnssec in [Dnssec::Wanted, Dnssec::NotWanted, Dnssec::NoEdns] {
            let query = query(owner, rtype, dnssec);
            let reaction = authority.respond(server, Transport::Tcp, &query);
            let ours = Seen::read(reaction.reply().expect("a reply"));
            let theirs = Seen::read(&nsd.tcp(&query));
            count += 1;
            if ours != theirs {
                let text = format!("{owner} {rtype} {dnssec:?}\nours {ours:#?}\nNSD {theirs:#?}");
                differences.push((owner.clone(), *rtype, dnssec, text));
            }
        }
    }
    (count, differences)
}

fn require_loaded(nsd: &Daemon, zone: &str) {
    let seen = Seen::read(&nsd.tcp(&query(zone, "SOA", Dnssec::NoEdns)));
    assert_eq!(seen.rcode, "NOERROR", "{zone} in NSD:\n{}", nsd.log());
}

#[test]
fn answers_equal_those_of_nsd() {
    let Some(nsd) = program("nsd") else { return };
    let authority = Authority::new(tree(NOW));
    let mut questions_of_leaves = Vec::new();
    for leaf in LEAVES {
        questions_of_leaves.extend(questions(leaf));
    }
    let parents = |zone: &str| -> Vec<(String, &'static str)> {
        let mut list = Vec::new();
        for owner in [
            "nsec",
            "optout",
            "plain",
            "elsewhere",
            "nowhere",
            "mx.plain",
        ] {
            for rtype in ["A", "DS", "NS", "MX"] {
                list.push((format!("{owner}.test"), rtype));
            }
        }
        for rtype in ["SOA", "NS", "DNSKEY", "DS", "A"] {
            list.push((zone.to_owned(), rtype));
        }
        list
    };
    let leaves: Vec<DomainName> = LEAVES.iter().map(|leaf| name(leaf)).collect();
    let mut count = 0;
    let mut differences = Vec::new();
    for (server, zones, questions) in [
        ("192.0.2.53", leaves, questions_of_leaves),
        ("192.0.2.2", vec![name("test")], parents("test")),
        ("192.0.2.1", vec![DomainName::root()], parents(".")),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let nsd = start(&nsd, folder.path(), &authority, &zones);
        for zone in &zones {
            require_loaded(&nsd, zone.as_str());
        }
        let (compared, different) = compare(&authority, server, &nsd, &questions);
        count += compared;
        differences.extend(different);
    }
    println!("{count} replies compared, {} differ", differences.len());
    let unexpected: Vec<&String> = differences
        .iter()
        .filter(|(owner, rtype, dnssec, _)| {
            !(*dnssec == Dnssec::Wanted
                && DIFFERENCES
                    .iter()
                    .any(|(known, of, _)| known == owner && of == rtype))
        })
        .map(|(_, _, _, text)| text)
        .collect();
    assert!(
        unexpected.is_empty(),
        "{} of {count} differ from NSD:\n{unexpected:#?}",
        unexpected.len(),
    );
    for (owner, rtype, reason) in DIFFERENCES {
        assert!(
            differences
                .iter()
                .any(|(known, of, _, _)| known == owner && *of == rtype),
            "{owner} {rtype} no longer differs: {reason}"
        );
    }
}

#[test]
fn truncation_equals_that_of_nsd() {
    let Some(nsd) = program("nsd") else { return };
    let authority = Authority::new(tree(NOW));
    let folder = tempfile::tempdir().expect("a folder");
    let server: IpAddr = "192.0.2.53".parse().expect("an address");
    let nsd = start(
        &nsd,
        folder.path(),
        &authority,
        &[name("nsec.test"), name("nsec3.test")],
    );
    for (owner, rtype, dnssec, size) in [
        ("nsec.test", "DNSKEY", Dnssec::Wanted, 512),
        ("nowhere.nsec.test", "A", Dnssec::Wanted, 512),
        ("nowhere.nsec3.test", "A", Dnssec::Wanted, 512),
        ("nowhere.nsec3.test", "A", Dnssec::Wanted, 1232),
        ("mx.nsec.test", "A", Dnssec::NoEdns, 512),
    ] {
        let query = query_with(owner, rtype, dnssec, size);
        let reaction = authority.respond(server, Transport::Udp, &query);
        let ours = Seen::read(reaction.reply().expect("a reply"));
        let theirs = Seen::read(&nsd.udp(&query));
        assert_eq!(
            (&ours.rcode, ours.flags.contains('T')),
            (&theirs.rcode, theirs.flags.contains('T')),
            "{owner} {rtype} {size}\nours {ours:#?}\nNSD {theirs:#?}"
        );
    }
}
