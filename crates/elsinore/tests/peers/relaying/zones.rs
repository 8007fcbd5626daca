//! A small signed Internet for domains of one's own.

use crate::internet::{Denial, Internet, Link, Server, Signer, ZoneText};
use elsinore_lab::pki::{CertificateSpec, Identity};
use elsinore_lab::up::add_addresses;
use elsinore_net::clock::{Clock, SystemClock};
use std::fmt::Write as _;
use std::net::IpAddr;

const ROOT: &str = "192.0.2.1";
const TLD: &str = "192.0.2.2";
/// Where NSD and Knot serve the domains.
const OWN: [&str; 2] = ["192.0.2.3", "192.0.2.4"];

/// A domain below `example.`: its name, its records with names relative to it, its signer.
pub(super) struct Domain<'a> {
    pub(super) name: &'a str,
    pub(super) records: String,
    pub(super) signer: Signer,
}

pub(super) fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Starts the servers; `hosts` are the addresses that mail servers of the test need.
pub(super) fn start(hosts: &[&str], domains: Vec<Domain<'_>>) -> Internet {
    let places = [ROOT, TLD].iter().chain(&OWN).chain(hosts);
    let places: Vec<IpAddr> = places.map(|text| address(text)).collect();
    add_addresses(&places).expect("addresses on lo");
    let soa = "hostmaster.example. 1 3600 900 604800 300";
    let mut tld = format!(
        "$TTL 300\nexample. IN SOA ns.example. {soa}\nexample. IN NS ns.example.\n\
         ns.example. IN A {TLD}\na.root-servers.example. IN A {ROOT}\n"
    );
    let zone = |apex: &str, server: &str, text: String, signer: Signer| ZoneText {
        apex: apex.to_owned(),
        text,
        servers: vec![address(server)],
        server: match signer {
            Signer::Knot(_) => Server::Knot,
            Signer::Nobody | Signer::Ldns(_) | Signer::Bind(_) => Server::Nsd,
        },
        signer,
        link: Link::Ds,
    };
    let mut zones = Vec::new();
    for domain in domains {
        let Domain {
            name,
            records,
            signer,
        } = domain;
        let own = match signer {
            Signer::Knot(_) => OWN[1],
            Signer::Nobody | Signer::Ldns(_) | Signer::Bind(_) => OWN[0],
        };
        let _ = write!(tld, "{name}. IN NS ns.{name}.\nns.{name}. IN A {own}\n");
        let text = format!(
            "$TTL 300\n$ORIGIN {name}.\n@ IN SOA ns {soa}\n@ IN NS ns\nns IN A {own}\n{records}"
        );
        zones.push(zone(name, own, text, signer));
    }
    let root = format!(
        "$TTL 300\n. IN SOA a.root-servers.example. {soa}\n. IN NS a.root-servers.example.\n\
         a.root-servers.example. IN A {ROOT}\nexample. IN NS ns.example.\nns.example. IN A {TLD}\n"
    );
    zones.push(zone("example", TLD, tld, Signer::Ldns(Denial::OptOut)));
    zones.push(zone(".", ROOT, root, Signer::Bind(Denial::Nsec)));
    let hints = format!(". IN NS a.root-servers.example.\na.root-servers.example. IN A {ROOT}\n");
    // A CA file must hold a certificate, though nothing here is verified by it.
    let now = SystemClock.now();
    let ca = Identity::self_signed(&CertificateSpec::authority("Nobody's", now));
    let ca = ca.and_then(|ca| ca.pem()).expect("a certificate");
    Internet::start(zones, &hints, &ca)
}

/// TLSA records that nobody's certificate matches.
pub(super) const WRONG: &str =
    "3 1 1 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
