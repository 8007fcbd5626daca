//! A server that has both a zone and one below it refers past the lower one: the cut between the
//! two shows in no referral.

use crate::net::{MemoryNet, summary};
use crate::world::{Bench, NOW, config, name};
use elsinore_lab::authority::{Authority, ForwardMode, Forwarder};
use elsinore_lab::sign::SignedTree;
use elsinore_lab::zone::{SigningPlan, ZoneSource};
use elsinore_net::resolver::Mode;
use std::net::SocketAddr;
use std::sync::Arc;

/// `test` and its children share a server; what lies below those has another.
fn authority(plan: &SigningPlan) -> Authority {
    let zone = |apex: &str, server: &str, below: &[(&str, &str)]| {
        let mut text = format!(
            "$TTL 3600\n@ IN SOA ns hostmaster 1 7200 900 1209600 300\n@ IN NS ns\n\
             ns IN A {server}\nmx IN A 192.0.2.125\n"
        );
        for (child, server) in below {
            text.push_str(&format!(
                "{child} IN NS ns.{child}\nns.{child} IN A {server}\n"
            ));
        }
        (name(apex), text)
    };
    let signed = |(apex, text)| ZoneSource::signed(apex, text, plan.clone());
    let unsigned = |(apex, text)| ZoneSource::unsigned(apex, text);
    let below = [("plain", "192.0.2.7"), ("signed", "192.0.2.8")];
    let sources = vec![
        ZoneSource::signed(
            name("."),
            "$TTL 3600\n@ IN SOA ns.root-zone hostmaster.root-zone 1 7200 900 1209600 300\n\
             @ IN NS ns.root-zone\nns.root-zone IN A 192.0.2.1\n\
             test. IN NS ns.test.\nns.test. IN A 192.0.2.2\n",
            SigningPlan::default(),
        ),
        signed(zone(
            "test",
            "192.0.2.2",
            &[("un", "192.0.2.2"), ("si", "192.0.2.2")],
        )),
        unsigned(zone("un.test", "192.0.2.2", &below)),
        signed(zone("si.test", "192.0.2.2", &below)),
        unsigned(zone("plain.un.test", "192.0.2.7", &[])),
        signed(zone("signed.un.test", "192.0.2.8", &[])),
        unsigned(zone("plain.si.test", "192.0.2.7", &[])),
        signed(zone("signed.si.test", "192.0.2.8", &[])),
    ];
    Authority::new(SignedTree::build(&sources, 7, NOW).expect("the tree is sound"))
}

#[tokio::test(start_paused = true)]
async fn referred_past_a_cut() {
    for (label, plan) in [
        ("nsec", SigningPlan::default()),
        ("nsec3", SigningPlan::nsec3()),
        ("opt-out", SigningPlan::opt_out()),
    ] {
        for mode in [Mode::Recursive, Mode::Forward] {
            let authority = authority(&plan);
            let served = Arc::new(authority.clone());
            let forwarder = Forwarder::new(Arc::clone(&served), ForwardMode::Oblivious);
            let net = MemoryNet::new(move |server: SocketAddr, transport, query| match mode {
                Mode::Recursive => served.respond(server.ip(), transport, query),
                _ => forwarder.respond(transport, query),
            });
            for (text, expected) in [
                ("mx.plain.un.test A", "- data I"),
                ("mx.signed.un.test A", "- data I"),
                ("nowhere.plain.un.test A", "- nxdomain I"),
                ("mx.plain.si.test A", "- data I"),
                ("mx.signed.si.test A", "- data S"),
                ("mx.un.test A", "- data I"),
                ("mx.si.test A", "- data S"),
            ] {
                let bench = Bench::with(config(mode, &authority), net.clone());
                let answer = bench.ask(text).await;
                assert_eq!(
                    summary(&answer),
                    expected,
                    "{label} {mode:?} {text}: {answer:?}"
                );
                // And once more, from what was kept of the way there.
                let again = bench.ask(&text.replace("mx.", "ns.")).await;
                assert_eq!(
                    summary(&again),
                    expected,
                    "{label} {mode:?} {text}: {again:?}"
                );
            }
        }
    }
}
