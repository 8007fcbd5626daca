//! The upstream resolver of the lab in its three modes, and what the tree exports.

use crate::tree::{NOW, broken_tree, name, sources, tree};
use crate::wire::{Dnssec, Seen, checking_disabled, query};
use elsinore_dane::answer::RecordType;
use elsinore_lab::authority::{
    Act, Attack, Authority, Behaviour, ForwardMode, Forwarder, Listeners, Names, Responder,
    Transport, When,
};
use elsinore_lab::sign::{SignedTree, Trust};
use elsinore_lab::zone::{Algorithm, Signing, SigningPlan, ZoneSource};
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

#[test]
fn modes() {
    let authority = Arc::new(Authority::new(broken_tree(NOW)));
    use Dnssec::{NotWanted, Wanted};
    use ForwardMode::{Oblivious, Permissive, Validating};
    for (mode, owner, rtype, dnssec, rcode, flags, answer, ede) in [
        (
            Validating,
            "mx.nsec.test",
            "A",
            Wanted,
            "NOERROR",
            "DR",
            "A RRSIG(A)",
            vec![],
        ),
        (
            Validating,
            "mx.nsec.test",
            "A",
            NotWanted,
            "NOERROR",
            "R",
            "A",
            vec![],
        ),
        (
            Validating,
            "mx.plain.test",
            "A",
            Wanted,
            "NOERROR",
            "R",
            "A",
            vec![],
        ),
        (
            Validating,
            "badsigmx.test",
            "MX",
            Wanted,
            "SERVFAIL",
            "R",
            "",
            vec![6],
        ),
        (
            Permissive,
            "badsigmx.test",
            "MX",
            Wanted,
            "NOERROR",
            "R",
            "MX RRSIG(MX)",
            vec![],
        ),
        (
            Permissive,
            "mx.badsigmx.test",
            "A",
            Wanted,
            "NOERROR",
            "DR",
            "A RRSIG(A)",
            vec![],
        ),
        (
            Oblivious,
            "badsigmx.test",
            "MX",
            Wanted,
            "NOERROR",
            "R",
            "MX RRSIG(MX)",
            vec![],
        ),
        (
            Oblivious,
            "mx.nsec.test",
            "A",
            Wanted,
            "NOERROR",
            "R",
            "A RRSIG(A)",
            vec![],
        ),
        (
            Oblivious,
            "outside.nsec.test",
            "A",
            Wanted,
            "NOERROR",
            "R",
            "A CNAME RRSIG(CNAME)",
            vec![],
        ),
        (
            Validating,
            "outside.nsec.test",
            "A",
            Wanted,
            "NOERROR",
            "R",
            "A CNAME RRSIG(CNAME)",
            vec![],
        ),
        (
            Validating,
            "twice.nsec.test",
            "A",
            Wanted,
            "NOERROR",
            "DR",
            "A CNAME CNAME RRSIG(A) RRSIG(CNAME) RRSIG(CNAME)",
            vec![],
        ),
        (
            Validating,
            "nowhere.nsec3.test",
            "A",
            Wanted,
            "NXDOMAIN",
            "DR",
            "",
            vec![],
        ),
        (
            Validating,
            "nowhere.optout.test",
            "A",
            Wanted,
            "NXDOMAIN",
            "R",
            "",
            vec![],
        ),
        (
            Validating,
            "loop1.nsec.test",
            "A",
            Wanted,
            "SERVFAIL",
            "R",
            "",
            vec![0],
        ),
        (
            Validating,
            "signed.nsec.test",
            "DS",
            Wanted,
            "NOERROR",
            "DR",
            "DS RRSIG(DS)",
            vec![],
        ),
        (
            Validating,
            "unsigned.nsec.test",
            "DS",
            Wanted,
            "NOERROR",
            "DR",
            "",
            vec![],
        ),
        (
            Validating,
            "unsigned.optout.test",
            "DS",
            Wanted,
            "NOERROR",
            "R",
            "",
            vec![],
        ),
    ] {
        let forwarder = Forwarder::new(Arc::clone(&authority), mode);
        let query = query(owner, rtype, dnssec);
        let reaction = forwarder.respond(Transport::Tcp, &query);
        let seen = Seen::read(reaction.reply().expect("a reply"));
        let got = (
            seen.rcode.as_str(),
            seen.flags.as_str(),
            Seen::types(&seen.answer),
            seen.ede.clone(),
        );
        let want = (rcode, flags, answer.to_owned(), ede);
        assert_eq!(got, want, "{mode:?} {owner} {rtype}");
    }
    let forwarder = Forwarder::new(authority, Validating);
    let query = checking_disabled(query("badsigmx.test", "MX", Wanted));
    let reaction = forwarder.respond(Transport::Tcp, &query);
    let seen = Seen::read(reaction.reply().expect("a reply"));
    assert_eq!(Seen::types(&seen.answer), "MX RRSIG(MX)");
    assert!(!seen.flags.contains('D'));
}

#[test]
fn failing_servers_and_unproven_referrals() {
    for act in [
        Act::Silence,
        Act::Close,
        Act::Rcode(2),
        Act::Rcode(4),
        Act::WrongId,
        Act::WrongQuestion,
        Act::Truncate,
        Act::Garbage(vec![0; 3]),
        Act::Forge(Attack::UnprovenReferral(name("nowhere.plain.test"))),
    ] {
        let mut authority = Authority::new(tree(NOW));
        let victim = name("_25._tcp.mx.nsec.test");
        let when = When::always()
            .of_types(&[RecordType::Tlsa])
            .of_names(Names::Exactly(victim));
        let behaviour = Behaviour::new(when, act.clone());
        assert!(authority.misbehave_zone(&name("nsec.test"), &behaviour) > 0);
        let forwarder = Forwarder::new(Arc::new(authority), ForwardMode::Oblivious);
        for (owner, rtype, rcode) in [
            ("_25._tcp.mx.nsec.test", "TLSA", "SERVFAIL"),
            ("mx.nsec.test", "A", "NOERROR"),
        ] {
            let query = query(owner, rtype, Dnssec::Wanted);
            let reaction = forwarder.respond(Transport::Tcp, &query);
            let seen = Seen::read(reaction.reply().expect("a reply"));
            assert_eq!(seen.rcode, rcode, "{act:?} {owner}");
        }
    }
}

#[test]
fn exports_and_trust() {
    let tree = broken_tree(NOW);
    assert!(tree.trust_anchor().starts_with(". 3600 IN DS "));
    assert!(
        tree.trust_anchor_dnskey()
            .starts_with(". 3600 IN DNSKEY 257 3 8 ")
    );
    assert_eq!(
        tree.root_hints(),
        ". 3600000 IN NS a.root.\na.root. 3600000 IN A 192.0.2.1\n\
         a.root. 3600000 IN AAAA 2001:db8::1\n"
    );
    for (zone, trust) in [
        (".", Trust::Secure),
        ("mx.nsec.test", Trust::Secure),
        ("plain.test", Trust::Insecure),
        ("signed.plain.test", Trust::Insecure),
        ("unsigned.nsec.test", Trust::Insecure),
        ("island.test", Trust::Insecure),
        ("unknowndigest.test", Trust::Insecure),
        ("algorithm200.test", Trust::Insecure),
        ("wrongds.test", Trust::Bogus),
        ("nokey.test", Trust::Bogus),
        ("badsigkey.test", Trust::Bogus),
        ("mixedds.test", Trust::Secure),
    ] {
        assert_eq!(tree.trust(&name(zone)), trust, "{zone}");
    }
}

/// The same seed gives the same keys; another gives others.
#[test]
fn keys_follow_from_the_seed() {
    let source = || {
        let text = "@ 60 IN SOA ns h 1 1 1 1 60\n@ 60 IN NS ns\n";
        [ZoneSource::signed(name("."), text, SigningPlan::default())]
    };
    let anchor = |seed| {
        SignedTree::build(&source(), seed, NOW)
            .expect("a tree")
            .trust_anchor()
    };
    assert_eq!(anchor(1), anchor(1));
    assert_ne!(anchor(1), anchor(2));
}

#[test]
fn listeners_answer_on_udp_and_tcp_and_end_when_dropped() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let authority = Arc::new(Authority::new(tree(NOW)));
    let servers: Vec<_> = authority.addresses().collect();
    let responder: Arc<dyn Responder> = authority;
    let listeners = runtime
        .block_on(Listeners::on_loopback(responder, servers.clone()))
        .expect("listeners");
    assert_eq!(listeners.places().len(), servers.len());
    let (_, place) = *listeners
        .places()
        .iter()
        .find(|(server, _)| server.to_string() == "192.0.2.53")
        .expect("that server");
    let query = query("mx.nsec.test", "A", Dnssec::Wanted);
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    socket.send_to(&query, place).expect("sent");
    let mut buffer = [0; 1500];
    let (length, _) = socket.recv_from(&mut buffer).expect("a reply");
    let by_udp = Seen::read(&buffer[..length]);
    let mut stream = TcpStream::connect(place).expect("a connection");
    let mut by_tcp = Vec::new();
    // Two queries on one connection (RFC 7766 §6.2.1).
    for _ in 0..2 {
        let prefix = u16::try_from(query.len()).expect("short").to_be_bytes();
        stream.write_all(&prefix).expect("sent");
        stream.write_all(&query).expect("sent");
        let mut prefix = [0; 2];
        stream.read_exact(&mut prefix).expect("a length");
        let mut reply = vec![0; usize::from(u16::from_be_bytes(prefix))];
        stream.read_exact(&mut reply).expect("a reply");
        by_tcp.push(Seen::read(&reply));
    }
    assert_eq!(vec![by_udp.clone(), by_udp], by_tcp);
    drop(listeners);
    drop(runtime);
    assert!(TcpStream::connect(place).is_err());
}

/// How long a world takes to make is printed, not judged.
#[test]
fn a_world_of_sixty_zones() {
    let mut sources = sources();
    sources.retain(|source| source.apex.is_root() || source.apex == name("test"));
    for source in &mut sources {
        if let Signing::Signed(plan) = &mut source.signing {
            plan.algorithm = Algorithm::EcdsaP256;
        }
    }
    for number in 0..60 {
        let apex = name(&format!("z{number}.test"));
        let text = "$TTL 300\n@ IN SOA ns h 1 1 1 1 60\n@ IN NS ns\nns IN A 192.0.2.53\n\
                    @ IN MX 10 mx\nmx IN A 192.0.2.25\n_25._tcp.mx IN TLSA 3 1 1 aabb\n";
        sources.push(ZoneSource::signed(apex, text, SigningPlan::default()));
        for source in sources
            .iter_mut()
            .filter(|source| source.apex == name("test"))
        {
            let line =
                format!("z{number} 300 IN NS ns.z{number}\nns.z{number} 300 IN A 192.0.2.53\n");
            source.text.push_str(&line);
        }
    }
    let begin = Instant::now();
    let authority = Authority::new(SignedTree::build(&sources, 1, NOW).expect("a tree"));
    println!("62 zones made in {:?}", begin.elapsed());
    let begin = Instant::now();
    let authority = Arc::new(authority);
    let forwarder = Forwarder::new(Arc::clone(&authority), ForwardMode::Validating);
    for number in 0..60 {
        let query = query(
            &format!("_25._tcp.mx.z{number}.test"),
            "TLSA",
            Dnssec::Wanted,
        );
        let reaction = forwarder.respond(Transport::Tcp, &query);
        let seen = Seen::read(reaction.reply().expect("a reply"));
        assert_eq!(
            (seen.rcode.as_str(), seen.flags.as_str()),
            ("NOERROR", "DR")
        );
    }
    println!("60 resolutions in {:?}", begin.elapsed());
}
