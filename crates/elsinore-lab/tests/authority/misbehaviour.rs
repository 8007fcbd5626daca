//! Servers that do wrong, as told.

use crate::tree::{NOW, name, sources, tree};
use crate::wire::{Dnssec, Seen, query};
use elsinore_dane::answer::RecordType;
use elsinore_lab::authority::{Act, Authority, Behaviour, Names, Reaction, Transport, When};
use elsinore_lab::sign::SignedTree;
use elsinore_lab::zone::{Fault, SigningPlan, Target, ZoneSource};
use proptest::prelude::*;
use std::net::IpAddr;

const SERVER: &str = "192.0.2.53";

fn server() -> IpAddr {
    SERVER.parse().expect("an address")
}

fn with(behaviour: Behaviour) -> Authority {
    let mut authority = Authority::new(tree(NOW));
    assert!(authority.misbehave(server(), behaviour));
    authority
}

#[test]
fn acts() {
    let octets = query("mx.nsec.test", "A", Dnssec::Wanted);
    for (act, rcode, flags, answer, ede) in [
        (Act::Rcode(4), "NOTIMP", "", "", vec![]),
        (Act::Rcode(2), "SERVFAIL", "", "", vec![]),
        (
            Act::Extended {
                rcode: 2,
                code: 22,
                text: "no reachable authority".to_owned(),
            },
            "SERVFAIL",
            "",
            "",
            vec![22],
        ),
        (
            Act::Remark {
                code: 3,
                text: "stale".to_owned(),
            },
            "NOERROR",
            "A",
            "A RRSIG(A)",
            vec![3],
        ),
        (Act::NoData, "NOERROR", "A", "", vec![]),
        (Act::NxDomain, "NXDOMAIN", "A", "", vec![]),
        (Act::Truncate, "NOERROR", "AT", "", vec![]),
        (Act::NoEdns, "FORMERR", "", "", vec![]),
        (Act::IgnoreEdns, "NOERROR", "A", "A", vec![]),
        (Act::NotAuthoritative, "NOERROR", "", "A RRSIG(A)", vec![]),
        (Act::Lame, "NOERROR", "", "", vec![]),
        (Act::WithoutSignatures, "NOERROR", "A", "A", vec![]),
        (Act::Honest, "NOERROR", "A", "A RRSIG(A)", vec![]),
    ] {
        let authority = with(Behaviour::always(act.clone()));
        let reaction = authority.respond(server(), Transport::Udp, &octets);
        let seen = Seen::read(reaction.reply().expect("a reply"));
        let got = (
            seen.rcode.as_str(),
            seen.flags.as_str(),
            Seen::types(&seen.answer),
            seen.ede.clone(),
        );
        assert_eq!(got, (rcode, flags, answer.to_owned(), ede), "{act:?}");
    }
}

#[test]
fn no_reply_or_a_strange_one() {
    let octets = query("MX.nsec.test", "A", Dnssec::Wanted);
    let reply = |act| with(Behaviour::always(act)).respond(server(), Transport::Udp, &octets);
    assert_eq!(reply(Act::Silence), Reaction::Silence);
    assert_eq!(reply(Act::Close), Reaction::Close);
    let wrong_id = reply(Act::WrongId);
    assert_ne!(wrong_id.reply().expect("a reply")[..2], octets[..2]);
    let same = reply(Act::Honest);
    let lower = reply(Act::LowerCase);
    // The question follows the header of twelve octets: length, then the name.
    assert_eq!(same.reply().expect("a reply")[12..16], *b"\x02MX\x04");
    assert_eq!(lower.reply().expect("a reply")[12..16], *b"\x02mx\x04");
    let other = reply(Act::WrongQuestion);
    assert_eq!(other.reply().expect("a reply")[12..18], *b"\x05other");
    assert_eq!(
        reply(Act::Garbage(vec![1, 2, 3])),
        Reaction::Reply(vec![0x12, 0x34, 1, 2, 3])
    );
    let nobody = "198.51.100.99".parse().expect("an address");
    let authority = Authority::new(tree(NOW));
    assert_eq!(
        authority.respond(nobody, Transport::Udp, &octets),
        Reaction::Silence
    );
}

#[test]
fn conditions() {
    let tlsa_only = When::always().of_types(&[RecordType::Tlsa]);
    for (when, owner, rtype, transport, misbehaves) in [
        (
            tlsa_only.clone(),
            "_25._tcp.mx.nsec.test",
            "TLSA",
            Transport::Udp,
            true,
        ),
        (tlsa_only, "mx.nsec.test", "A", Transport::Udp, false),
        (
            When::always().over(Transport::Tcp),
            "mx.nsec.test",
            "A",
            Transport::Udp,
            false,
        ),
        (
            When::always().over(Transport::Tcp),
            "mx.nsec.test",
            "A",
            Transport::Tcp,
            true,
        ),
        (
            When::always().of_names(Names::AtOrBelow(name("nsec.test"))),
            "mx.nsec3.test",
            "A",
            Transport::Udp,
            false,
        ),
        (
            When::always().of_names(Names::EmptyNonTerminals),
            "_tcp.mx.nsec.test",
            "NS",
            Transport::Udp,
            true,
        ),
        (
            When::always().of_names(Names::EmptyNonTerminals),
            "_25._tcp.mx.nsec.test",
            "NS",
            Transport::Udp,
            false,
        ),
    ] {
        let authority = with(Behaviour::new(when.clone(), Act::Silence));
        let query = query(owner, rtype, Dnssec::Wanted);
        let silent = authority.respond(server(), transport, &query) == Reaction::Silence;
        assert_eq!(silent, misbehaves, "{when:?} {owner} {rtype}");
    }
}

/// MX and A come from one version of the zone, a parking wildcard CNAME from another.
#[test]
fn the_inconsistent_domain() {
    let honest = "@ 60 IN SOA ns h 1 1 1 1 60\n@ 60 IN NS ns\nns 60 IN A 192.0.2.53\n\
                  @ 60 IN MX 10 mx\nmx 60 IN A 192.0.2.25\n";
    let parked = "@ 60 IN SOA ns h 2 1 1 1 60\n@ 60 IN NS ns\nns 60 IN A 192.0.2.53\n\
                  * 60 IN CNAME parking.elsewhere.test.\n";
    let mut sources = sources();
    let apex = name("plain.test");
    sources.retain(|source| source.apex != apex);
    sources.push(ZoneSource::unsigned(apex.clone(), honest));
    sources.push(ZoneSource::unsigned(apex.clone(), parked).with_version(1));
    let mut authority = Authority::new(SignedTree::build(&sources, 1, NOW).expect("a tree"));
    for behaviour in [
        Behaviour::for_types(&[RecordType::Cname], Act::Rcode(4)),
        Behaviour::for_types(&[RecordType::Tlsa, RecordType::Txt], Act::FromVersion(1)),
    ] {
        assert_eq!(authority.misbehave_zone(&apex, &behaviour), 1);
    }
    for (owner, rtype, rcode, answer) in [
        ("plain.test", "MX", "NOERROR", "MX"),
        ("mx.plain.test", "A", "NOERROR", "A"),
        ("mx.plain.test", "CNAME", "NOTIMP", ""),
        ("_25._tcp.mx.plain.test", "TLSA", "NOERROR", "CNAME"),
        ("_mta-sts.plain.test", "TXT", "NOERROR", "CNAME"),
    ] {
        let query = query(owner, rtype, Dnssec::Wanted);
        let reaction = authority.respond(server(), Transport::Udp, &query);
        let seen = Seen::read(reaction.reply().expect("a reply"));
        let got = (seen.rcode.as_str(), Seen::types(&seen.answer));
        assert_eq!(got, (rcode, answer.to_owned()), "{owner} {rtype}");
    }
}

#[test]
fn malformed_records_are_served_as_they_are() {
    let text = "@ 60 IN SOA ns h 1 1 1 1 60\n@ 60 IN NS ns\nns 60 IN A 192.0.2.53\n\
                _25._tcp IN 60 TLSA \\# 2 0301\n_25._tcp 60 IN TLSA \\# 0\n\
                _25._tcp 60 IN TLSA 3 1 1 aabb\n_25._tcp 60 IN TYPE52 \\# 1 03\n";
    let mut sources = sources();
    sources.retain(|source| source.apex != name("nsec.test"));
    sources.push(ZoneSource::signed(
        name("nsec.test"),
        text,
        SigningPlan::default(),
    ));
    let tree = SignedTree::build(&sources, 1, NOW).expect("a tree");
    let authority = Authority::new(tree);
    let query = query("_25._tcp.nsec.test", "TLSA", Dnssec::Wanted);
    let reaction = authority.respond(server(), Transport::Udp, &query);
    let seen = Seen::read(reaction.reply().expect("a reply"));
    assert_eq!(Seen::types(&seen.answer), "RRSIG(TLSA) TLSA TLSA TLSA TLSA");
}

#[test]
fn sources_that_are_refused() {
    let soa = "@ 60 IN SOA ns h 1 1 1 1 60\n";
    for (text, says) in [
        ("@ 60 IN NS ns\n".to_owned(), "exactly one SOA"),
        (
            format!("{soa}{soa}@ 60 IN NS ns\nx.other. 60 IN A 192.0.2.1\n"),
            "SOA",
        ),
        (
            format!("{soa}x.other. 60 IN A 192.0.2.1\n"),
            "not in the zone",
        ),
        (format!("{soa}@ 60 IN NSEC @ A\n"), "made here"),
        (format!("{soa}@ 60 IN A nonsense\n"), "zone one.test"),
    ] {
        let source = ZoneSource::unsigned(name("one.test"), text.clone());
        let error = SignedTree::build(&[source], 1, NOW).expect_err(&text);
        assert!(error.to_string().contains(says), "{error}");
    }
    let twice = ZoneSource::unsigned(name("one.test"), format!("{soa}@ 60 IN NS ns\n"));
    assert!(SignedTree::build(&[twice.clone(), twice], 1, NOW).is_err());
    // A fault that touches nothing is a mistake of the author.
    let source = ZoneSource::signed(
        name("one.test"),
        format!("{soa}@ 60 IN NS ns\n"),
        SigningPlan::default(),
    )
    .with_fault(Fault::DropSignatures(Target::of_type(RecordType::Mx)));
    assert!(SignedTree::build(&[source], 1, NOW).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever arrives, there is a reaction, and a reply stays within its limit.
    #[test]
    fn any_octets_are_survived(octets in proptest::collection::vec(any::<u8>(), 0..64), valid in any::<bool>()) {
        static AUTHORITY: std::sync::OnceLock<Authority> = std::sync::OnceLock::new();
        let authority = AUTHORITY.get_or_init(|| Authority::new(tree(NOW)));
        let mut query = query("q.wild.nsec3.test", "MX", Dnssec::Wanted);
        if valid {
            // Damage a good query instead of sending noise.
            for (position, octet) in octets.iter().enumerate().take(4) {
                let length = query.len();
                query[(position * 31 + usize::from(*octet)) % length] ^= *octet;
            }
        } else {
            query = octets;
        }
        if let Reaction::Reply(reply) = authority.respond(server(), Transport::Udp, &query) {
            prop_assert!(reply.len() <= 1232);
        }
    }
}
