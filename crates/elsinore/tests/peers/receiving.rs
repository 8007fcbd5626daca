//! Postfix receives: over STARTTLS authenticated by DANE, over TLS 1.2 alone, in the clear where
//! nobody asked for more, and not at all where TLSA records ask for what it does not offer.

use crate::elsinore::{self, Dns, Letter, PROGRAM, configuration};
use crate::internet::{Denial, Internet, Link, Server, Signer, ZoneText};
use crate::namespace::{inside, notice};
use crate::postfix::{Postfix, Smtpd};
use elsinore_lab::pki::{CertificateSpec, Identity, chain_pem};
use elsinore_lab::up::add_addresses;
use elsinore_net::clock::{Clock, SystemClock};
use serde_json::Value;
use std::net::IpAddr;
use std::process::Command;

const ROOT: &str = "192.0.2.1";
const TLD: &str = "192.0.2.2";
const OWN: &str = "192.0.2.3";
/// TLS 1.2 and 1.3.
const MODERN: &str = "198.51.100.1";
const MODERN6: &str = "2001:db8:25::1";
/// TLS 1.2 alone.
const OLDER: &str = "198.51.100.2";
/// No STARTTLS.
const CLEAR: &str = "198.51.100.3";

const MAILBOXES: [&str; 8] = [
    "bob@postfix.example",
    "bøb@postfix.example",
    "bob@anchor.postfix.example",
    "bob@older.postfix.example",
    "bob@clear.postfix.example",
    "bob@promised.postfix.example",
    "bob@wrong.postfix.example",
    "carol@postfix.example",
];

/// One sending and what must come of it.
struct Delivery {
    to: &'static [&'static str],
    /// Outcome per recipient.
    outcomes: &'static [&'static str],
    security: &'static str,
    /// `usage selector matching-type`.
    matched: &'static str,
    /// What Postfix itself must say of the session in its Received field.
    received: &'static [&'static str],
}

const DELIVERIES: [Delivery; 8] = [
    Delivery {
        to: &["bob@postfix.example"],
        outcomes: &["delivered"],
        security: "dane",
        matched: "3 1 1",
        received: &["using TLSv1.3 with cipher", "with ESMTPS"],
    },
    Delivery {
        to: &["bøb@postfix.example"],
        outcomes: &["delivered"],
        security: "dane",
        matched: "3 1 1",
        received: &["using TLSv1.3 with cipher", "with UTF8SMTPS"],
    },
    Delivery {
        to: &["carol@postfix.example", "nobody@postfix.example"],
        outcomes: &["delivered", "bounced"],
        security: "dane",
        matched: "3 1 1",
        received: &["using TLSv1.3 with cipher", "with ESMTPS"],
    },
    Delivery {
        to: &["bob@anchor.postfix.example"],
        outcomes: &["delivered"],
        security: "dane",
        matched: "2 0 1",
        received: &["using TLSv1.3 with cipher", "with ESMTPS"],
    },
    Delivery {
        to: &["bob@older.postfix.example"],
        outcomes: &["delivered"],
        security: "dane",
        matched: "3 1 1",
        received: &["using TLSv1.2 with cipher", "with ESMTPS"],
    },
    Delivery {
        to: &["bob@clear.postfix.example"],
        outcomes: &["delivered"],
        security: "plaintext",
        matched: "",
        received: &["with ESMTP "],
    },
    Delivery {
        to: &["bob@promised.postfix.example"],
        outcomes: &["deferred"],
        security: "",
        matched: "",
        received: &[],
    },
    Delivery {
        to: &["bob@wrong.postfix.example"],
        outcomes: &["deferred"],
        security: "",
        matched: "",
        received: &[],
    },
];

#[test]
fn postfix_receives_what_it_may() {
    inside(
        "receiving::postfix_receives_what_it_may",
        &[
            "postfix",
            "nsd",
            "knotd",
            "keymgr",
            "ldns-keygen",
            "ldns-signzone",
            "dnssec-keygen",
            "dnssec-signzone",
        ],
        body,
    );
}

fn body() {
    let address = |text: &str| -> IpAddr { text.parse().expect("an address") };
    add_addresses(&[ROOT, TLD, OWN, MODERN, MODERN6, OLDER, CLEAR].map(address))
        .expect("addresses on lo");
    let now = SystemClock.now();
    let authority = CertificateSpec::authority("Postfix' own", now);
    let authority = Identity::self_signed(&authority).expect("a certificate");
    let names = ["mx.postfix.example", "mx-anchor.postfix.example"];
    let leaf = authority
        .issue(&CertificateSpec::server(&names, now))
        .expect("a certificate");
    let chain = chain_pem([&leaf, &authority]).expect("PEM");
    let key = leaf.key_pem().expect("PEM");
    let ee = leaf.tlsa(3, 1, 1).expect("a record").to_string();
    let ta = authority.tlsa(2, 0, 1).expect("a record").to_string();
    let internet = internet(&ee, &ta);

    let settings = |settings: &[&str]| settings.iter().map(|one| (*one).to_owned()).collect();
    let services = [
        (MODERN, settings(&[])),
        (MODERN6, settings(&[])),
        (
            OLDER,
            settings(&["smtpd_tls_protocols=>=TLSv1.2,<=TLSv1.2"]),
        ),
        (CLEAR, settings(&["smtpd_tls_security_level=none"])),
    ]
    .map(|(place, settings)| Smtpd {
        address: address(place),
        settings,
    });
    let mut postfix = Postfix::start(&services, &format!("{key}{chain}"), &MAILBOXES, "");

    let text = configuration(internet.folder(), "", "", "");
    let (message, body) = message();
    for delivery in &DELIVERIES {
        let mut letter = Letter::to(delivery.to.iter().map(|to| (*to).to_owned()).collect());
        letter.message.clone_from(&message);
        let recipients = elsinore::send(Command::new(PROGRAM), &text, Dns::Recursive, &letter);
        let recipients = recipients.unwrap_or_else(|error| panic!("{error}\n{}", postfix.log()));
        let seen = |field: &str| {
            let fields = recipients.iter().map(|one| one[field].as_str());
            fields.map(Option::unwrap_or_default).collect::<Vec<_>>()
        };
        assert_eq!(
            seen("outcome"),
            delivery.outcomes,
            "{recipients:#?}\n{}",
            postfix.log()
        );
        assert_eq!(seen("security")[0], delivery.security, "{recipients:#?}");
        assert_eq!(matched(&recipients[0]), delivery.matched, "{recipients:#?}");
        if delivery.received.is_empty() {
            continue;
        }
        let stored = postfix.messages(delivery.to[0], 1);
        assert_eq!(stored.len(), 1, "{}", postfix.log());
        let (header, stored_body) = stored[0].split_once("\n\n").expect("header and body");
        for text in delivery.received {
            assert!(header.contains(text), "no {text:?} in\n{header}");
        }
        assert!(stored_body == body, "the body was changed on the way");
    }
    for mailbox in &MAILBOXES {
        let sent = (DELIVERIES.iter())
            .filter(|delivery| !delivery.received.is_empty() && delivery.to[0] == *mailbox)
            .count();
        let stored = postfix.messages(mailbox, sent).len();
        assert_eq!(stored, sent, "{mailbox}\n{}", postfix.log());
    }
    notice(&format!("{} messages sent to Postfix", DELIVERIES.len()));
}

fn matched(recipient: &Value) -> String {
    let fields = ["usage", "selector", "matching_type"];
    match recipient.get("matched") {
        Some(matched) => fields.map(|field| matched[field].to_string()).join(" "),
        None => String::new(),
    }
}

/// A message with what tends to be damaged on the way, and its body: dots, UTF-8, lines of the
/// greatest length, more than one block of data.
fn message() -> (String, String) {
    let mut body = ".\n..\n.dot\n\nGrüße aus Helsingør.\n".to_owned();
    for number in 0..3000 {
        let line = format!("{number:05} {}\n", "x".repeat(number % 120));
        body.push_str(&line);
    }
    body.push_str(&"y".repeat(998));
    body.push('\n');
    let message = format!(
        "From: Alice <alice@sender.example>\nSubject: Who's there?\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{body}"
    );
    (message, body)
}

fn internet(ee: &str, ta: &str) -> Internet {
    let soa = "hostmaster.example. 1 3600 900 604800 300";
    let zone = |apex: &str, server: &str, text: String, signer: Signer| ZoneText {
        apex: apex.to_owned(),
        text,
        servers: vec![server.parse().expect("an address")],
        server: match signer {
            Signer::Knot(_) => Server::Knot,
            _ => Server::Nsd,
        },
        signer,
        link: Link::Ds,
    };
    let root = format!(
        "$TTL 300\n. IN SOA a.root-servers.example. {soa}\n. IN NS a.root-servers.example.\n\
         a.root-servers.example. IN A {ROOT}\nexample. IN NS ns.example.\nns.example. IN A {TLD}\n"
    );
    let tld = format!(
        "$TTL 300\nexample. IN SOA ns.example. {soa}\nexample. IN NS ns.example.\n\
         ns.example. IN A {TLD}\na.root-servers.example. IN A {ROOT}\n\
         postfix.example. IN NS ns.postfix.example.\nns.postfix.example. IN A {OWN}\n"
    );
    let wrong = "3 1 1 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
    let own = format!(
        "$TTL 300\n$ORIGIN postfix.example.\n@ IN SOA ns {soa}\n@ IN NS ns\nns IN A {OWN}\n\
         @ IN MX 10 mx\nmx IN A {MODERN}\nmx IN AAAA {MODERN6}\n_25._tcp.mx IN TLSA {ee}\n\
         anchor IN MX 10 mx-anchor\nmx-anchor IN A {MODERN}\n_25._tcp.mx-anchor IN TLSA {ta}\n\
         older IN MX 10 mx-older\nmx-older IN A {OLDER}\n_25._tcp.mx-older IN TLSA {ee}\n\
         clear IN MX 10 mx-clear\nmx-clear IN A {CLEAR}\n\
         promised IN MX 10 mx-promised\nmx-promised IN A {CLEAR}\n\
         _25._tcp.mx-promised IN TLSA {ee}\n\
         wrong IN MX 10 mx-wrong\nmx-wrong IN A {MODERN}\n_25._tcp.mx-wrong IN TLSA {wrong}\n"
    );
    let zones = vec![
        zone(".", ROOT, root, Signer::Bind(Denial::Nsec)),
        zone("example", TLD, tld, Signer::Ldns(Denial::OptOut)),
        zone("postfix.example", OWN, own, Signer::Knot(Denial::Nsec3)),
    ];
    let hints = format!(". IN NS a.root-servers.example.\na.root-servers.example. IN A {ROOT}\n");
    // A CA file must hold a certificate, though nothing here is verified by it.
    let now = SystemClock.now();
    let ca = Identity::self_signed(&CertificateSpec::authority("Nobody's", now));
    let ca = ca.and_then(|ca| ca.pem()).expect("a certificate");
    Internet::start(zones, &hints, &ca)
}
