//! Each kind of answer, as a table.

use crate::tree::{NOW, tree};
use crate::wire::{Dnssec, Seen, query};
use elsinore_lab::authority::{Authority, Reaction, Transport};

fn ask(authority: &Authority, server: &str, name: &str, rtype: &str) -> Seen {
    let server = server.parse().expect("address");
    let query = query(name, rtype, Dnssec::Wanted);
    match authority.respond(server, Transport::Tcp, &query) {
        Reaction::Reply(octets) => Seen::read(&octets),
        other => panic!("{other:?}"),
    }
}

#[test]
fn kinds_of_answers() {
    let authority = Authority::new(tree(NOW));
    for (name, rtype, rcode, answer, section) in [
        ("nsec.test", "MX", "NOERROR", "MX RRSIG(MX)", ""),
        ("mx.nsec.test", "A", "NOERROR", "A RRSIG(A)", ""),
        (
            "mx.nsec.test",
            "TXT",
            "NOERROR",
            "",
            "NSEC RRSIG(NSEC) RRSIG(SOA) SOA",
        ),
        (
            "nowhere.nsec.test",
            "A",
            "NXDOMAIN",
            "",
            "NSEC NSEC RRSIG(NSEC) RRSIG(NSEC) RRSIG(SOA) SOA",
        ),
        (
            "b.ent.nsec.test",
            "A",
            "NOERROR",
            "",
            "NSEC RRSIG(NSEC) RRSIG(SOA) SOA",
        ),
        (
            "b.ent.nsec3.test",
            "A",
            "NOERROR",
            "",
            "NSEC3 RRSIG(NSEC3) RRSIG(SOA) SOA",
        ),
        (
            "q.wild.nsec.test",
            "A",
            "NOERROR",
            "A RRSIG(A)",
            "NSEC RRSIG(NSEC)",
        ),
        (
            "q.wild.nsec3.test",
            "A",
            "NOERROR",
            "A RRSIG(A)",
            "NSEC3 RRSIG(NSEC3)",
        ),
        (
            "alias.nsec.test",
            "A",
            "NOERROR",
            "A CNAME RRSIG(A) RRSIG(CNAME)",
            "",
        ),
        (
            "unsigned.nsec.test",
            "A",
            "NOERROR",
            "",
            "NS NSEC RRSIG(NSEC)",
        ),
        ("signed.nsec.test", "DS", "NOERROR", "DS RRSIG(DS)", ""),
        ("plain.test", "MX", "NOERROR", "MX", ""),
        ("elsewhere.test", "MX", "REFUSED", "", ""),
    ] {
        let seen = ask(&authority, "192.0.2.53", name, rtype);
        let got = (
            seen.rcode.as_str(),
            Seen::types(&seen.answer),
            Seen::types(&seen.authority),
        );
        let want = (rcode, answer.to_owned(), section.to_owned());
        assert_eq!(got, want, "{name} {rtype}\n{seen:#?}");
    }
}

#[test]
fn dnssec_records_only_when_wanted() {
    let authority = Authority::new(tree(NOW));
    let server = "192.0.2.53".parse().expect("address");
    for dnssec in [Dnssec::NotWanted, Dnssec::NoEdns] {
        let query = query("nowhere.nsec.test", "A", dnssec);
        let Reaction::Reply(octets) = authority.respond(server, Transport::Udp, &query) else {
            panic!("no reply");
        };
        let seen = Seen::read(&octets);
        assert_eq!(Seen::types(&seen.authority), "SOA", "{dnssec:?}");
    }
}
