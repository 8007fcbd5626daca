//! Exim submits to the relay by BDAT, receives from it under DANE, and sends its notifications
//! through it.

use super::client::{dialogue, expect};
use super::letter::{large, letter, trace};
use super::relay::{PLACE, Relay};
use super::zones::{self, Domain, WRONG, address};
use crate::exim::{EXIM, Exim, Setup};
use crate::internet::{Denial, Internet, Signer};
use crate::namespace::{inside, notice};
use elsinore_lab::pki::{CertificateSpec, Identity, chain_pem};
use elsinore_net::clock::{Clock, SystemClock};

const MX: &str = "198.51.100.5";

const MAILBOXES: [&str; 9] = [
    "alice@exim.example",
    "asks@exim.example",
    "bob@exim.example",
    "bøb@exim.example",
    "large@exim.example",
    "carol@exim.example",
    "bob@anchor.exim.example",
    "bob@wrong.exim.example",
    "late@exim.example",
];

#[test]
fn exim_submits_and_receives() {
    inside(
        "relaying::by_exim::exim_submits_and_receives",
        &[
            EXIM,
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
    let now = SystemClock.now();
    let authority = CertificateSpec::authority("Exim's own", now);
    let authority = Identity::self_signed(&authority).expect("a certificate");
    let names = ["mx.exim.example", "mx-anchor.exim.example"];
    let leaf = authority
        .issue(&CertificateSpec::server(&names, now))
        .expect("a certificate");
    let internet = internet(
        &leaf.tlsa(3, 1, 1).expect("a record").to_string(),
        &authority.tlsa(2, 0, 1).expect("a record").to_string(),
    );
    let mut relay = Relay::start(internet.folder());
    let mut exim = Exim::start(&Setup {
        name: "mx.exim.example",
        address: address(MX),
        key: &leaf.key_pem().expect("PEM"),
        chain: &chain_pem([&leaf, &authority]).expect("PEM"),
        mailboxes: &MAILBOXES,
        relay: PLACE.parse().expect("an address"),
    });
    let alice = "alice@exim.example";
    let late = letter("late@exim.example", "bob@wrong.exim.example", "late");
    exim.submit("late@exim.example", "bob@wrong.exim.example", &late);

    for (to, name, security) in [
        ("bob@exim.example", "ordinary", "mx.exim.example"),
        ("bøb@exim.example", "utf8", "mx.exim.example"),
        (
            "bob@anchor.exim.example",
            "anchor",
            "mx-anchor.exim.example",
        ),
    ] {
        let text = letter(alice, to, name);
        exim.submit(alice, to, &text);
        let stored = exim.messages(to, 1);
        let before = trace(&stored[0], &text);
        // Exim takes the STARTTLS that it is offered.
        expect(
            before,
            &[
                "by relay.example (Elsinore) with",
                "(TLS1.3)",
                "(TLSv1.3 with",
            ],
        );
        let tls = format!("TLS connection established to {security}[{MX}]:25: TLSv1.3");
        relay.line(&["Verified", &tls]);
        relay.line(&[&format!("to=<{to}>"), "security=dane", "status=sent"]);
    }
    let text = large(alice, "large@exim.example", "large", super::LARGE);
    exim.submit(alice, "large@exim.example", &text);
    let stored = exim.messages("large@exim.example", 1);
    trace(&stored[0], &text);
    // Exim marks what came by BDAT, and so it sent it.
    let log = exim.log();
    let lines = |words: &[&str]| {
        let fits = |line: &&str| words.iter().all(|word| line.contains(word));
        log.lines().filter(fits).count()
    };
    assert!(lines(&[" <= alice@", "X=TLS1.3:", " K "]) >= 4, "{log}");
    assert!(lines(&["T=relay", " K ", "queued as"]) >= 4, "{log}");

    receipts(&mut exim);
    exim.submit(
        alice,
        "nobody@exim.example",
        &letter(alice, "x@y", "nobody"),
    );
    let told = exim.messages(alice, 1);
    expect(
        &told[0],
        &[
            "Reporting-MTA: dns; relay.example",
            "Final-Recipient: rfc822; nobody@exim.example",
            "Remote-MTA: dns; mx.exim.example",
            "no such mailbox",
        ],
    );
    let line = relay.line(&["to=<bob@wrong.exim.example>", "status=deferred"]);
    assert!(line.contains("no TLSA record matches"), "{line}");
    let told = exim.messages("late@exim.example", 1);
    expect(&told[0], &["Action: delayed", "Subject: late"]);
    assert!(!exim.has_any("bob@wrong.exim.example"));
    notice("Exim sent to Exim by way of the relay");
}

/// Exim is told what the client wants of receipts, and sends them through the relay.
fn receipts(exim: &mut Exim) {
    let text = letter("asks@exim.example", "carol@exim.example", "asks");
    dialogue(
        PLACE,
        &[
            "EHLO client.exim.example",
            "MAIL FROM:<asks@exim.example> BODY=8BITMIME RET=HDRS ENVID=a+2Bb",
            "RCPT TO:<carol@exim.example> NOTIFY=SUCCESS ORCPT=rfc822;first+2Bone@old.example",
            "DATA",
            &format!("{}.", text.replace("\n.", "\n..").replace('\n', "\r\n")),
            "QUIT",
        ],
    );
    let stored = exim.messages("carol@exim.example", 1);
    trace(&stored[0], &text);
    let told = exim.messages("asks@exim.example", 1);
    expect(
        &told[0],
        &[
            "Reporting-MTA: dns; mx.exim.example",
            "Original-Envelope-ID: a",
            "Original-Recipient: rfc822;first",
            "Action: delivered",
            "by relay.example (Elsinore) with",
        ],
    );
}

fn internet(ee: &str, ta: &str) -> Internet {
    let records = format!(
        "@ IN MX 10 mx\nmx IN A {MX}\n_25._tcp.mx IN TLSA {ee}\n\
         anchor IN MX 10 mx-anchor\nmx-anchor IN A {MX}\n_25._tcp.mx-anchor IN TLSA {ta}\n\
         wrong IN MX 10 mx-wrong\nmx-wrong IN A {MX}\n_25._tcp.mx-wrong IN TLSA {WRONG}\n"
    );
    let domain = Domain {
        name: "exim.example",
        records,
        signer: Signer::Knot(Denial::Nsec),
    };
    zones::start(&[MX], vec![domain])
}
