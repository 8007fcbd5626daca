//! The relay between real mail servers: swaks and one Postfix submit, another Postfix receives in
//! a signed zone, under DANE.

mod by_exim;
mod client;
mod letter;
mod relay;
mod zones;

use crate::internet::{Denial, Signer};
use crate::namespace::{inside, notice, run};
use crate::postfix::{Postfix, Smtpd};
use crate::unbound;
use client::{dialogue, expect, parsed, swaks};
use elsinore_lab::pki::{CertificateSpec, Identity, chain_pem};
use elsinore_net::clock::{Clock, SystemClock};
use letter::{large, letter, trace};
use relay::{PLACE, Relay};
use std::fs;
use std::process::Command;
use zones::{Domain, WRONG, address};

/// Announces all that Postfix can.
const FULL: &str = "198.51.100.1";
/// Without CHUNKING.
const DATA: &str = "198.51.100.2";
/// Without 8BITMIME, SMTPUTF8, CHUNKING and DSN.
const PLAIN: &str = "198.51.100.3";
/// Where the submitting Postfix receives.
const HOME: &str = "198.51.100.9";
/// Where local programs give it mail by SMTP.
const LOCAL: &str = "127.0.0.1";

/// Recipients of the message to many.
const MANY: usize = 150;
/// Octets of the large message.
const LARGE: usize = 5_000_000;

#[test]
fn swaks_and_postfix_submit_postfix_receives() {
    inside(
        "relaying::swaks_and_postfix_submit_postfix_receives",
        &[
            "postfix",
            "posttls-finger",
            "swaks",
            "python3",
            "unbound",
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

/// Everybody who has a part in it.
struct Scene {
    /// Submits by its sendmail(1) and by SMTP, over TLS, and has the senders' mailboxes.
    home: Postfix,
    /// Receives.
    there: Postfix,
    relay: Relay,
    trust: std::path::PathBuf,
}

fn body() {
    let now = SystemClock.now();
    let leaf = CertificateSpec::server(&["mx.there.example"], now);
    let leaf = Identity::self_signed(&leaf).expect("a certificate");
    let chain = chain_pem([&leaf]).expect("PEM");
    let key = leaf.key_pem().expect("PEM");
    let tlsa = leaf.tlsa(3, 1, 1).expect("a record").to_string();
    let internet = internet(&tlsa);
    let home = [
        (HOME, "permit_auth_destination,reject"),
        (LOCAL, "permit_mynetworks,reject"),
    ];
    let home = home.map(|(place, restrictions)| Smtpd {
        address: address(place),
        settings: vec![format!("smtpd_relay_restrictions={restrictions}")],
    });
    let senders = ["swaks", "dsn", "orcpt", "utf8", "large", "many", "seven"];
    let senders = senders.iter().chain(&["unknown", "never", "late"]);
    let senders: Vec<String> = senders.map(|name| format!("{name}@home.example")).collect();
    let senders: Vec<&str> = senders.iter().map(String::as_str).collect();
    let home = Postfix::start(
        &home,
        &format!("{key}{chain}"),
        &senders,
        &format!(
            "relayhost = [{}]:{}\nmynetworks = 127.0.0.0/8\nmyhostname = mail.home.example\n\
             smtp_destination_recipient_limit = 1000\nsmtp_tls_security_level = encrypt\n",
            PLACE.split_once(':').expect("a port").0,
            PLACE.split_once(':').expect("a port").1
        ),
    );
    let there = [
        (FULL, ""),
        (DATA, "chunking"),
        (PLAIN, "chunking,8bitmime,smtputf8,dsn"),
    ];
    let there = there.map(|(place, withheld)| Smtpd {
        address: address(place),
        settings: vec![
            format!("smtpd_discard_ehlo_keywords={withheld}"),
            "smtpd_data_restrictions=reject_unauth_pipelining".to_owned(),
        ],
    });
    let many: Vec<String> = (0..MANY).map(many).collect();
    let mut mailboxes: Vec<&str> = many.iter().map(String::as_str).collect();
    mailboxes.extend([
        "swaks@there.example",
        "dsn@there.example",
        "orcpt@there.example",
        "bøb@there.example",
        "large@there.example",
        "large@data.there.example",
        "seven@plain.there.example",
        "bob@wrong.there.example",
    ]);
    let there = Postfix::start(
        &there,
        &format!("{key}{chain}"),
        &mailboxes,
        &format!(
            "relayhost = [{HOME}]\nmyhostname = mx.there.example\n\
             inet_interfaces = {FULL}, {DATA}, {PLAIN}\n"
        ),
    );
    let mut scene = Scene {
        home,
        there,
        relay: Relay::start(internet.folder()),
        trust: internet.folder().to_path_buf(),
    };
    // What waits longest is begun first.
    scene.submit("late", &["bob@wrong.there.example"], &[]);
    scene.swaks();
    scene.notifications_travel();
    scene.envelopes_travel();
    scene.smtp_utf8();
    scene.unknown_mailbox();
    scene.seven_bits();
    scene.many();
    scene.large();
    scene.words_of_postfix();
    scene.wrong_records();
    notice("swaks and Postfix sent to Postfix by way of the relay");
}

fn many(number: usize) -> String {
    format!("many{number:03}@there.example")
}

fn internet(tlsa: &str) -> crate::internet::Internet {
    let there = format!(
        "@ IN MX 10 mx\nmx IN A {FULL}\n_25._tcp.mx IN TLSA {tlsa}\n\
         data IN MX 10 mx-data\nmx-data IN A {DATA}\n_25._tcp.mx-data IN TLSA {tlsa}\n\
         plain IN MX 10 mx-plain\nmx-plain IN A {PLAIN}\n_25._tcp.mx-plain IN TLSA {tlsa}\n\
         wrong IN MX 10 mx-wrong\nmx-wrong IN A {FULL}\n_25._tcp.mx-wrong IN TLSA {WRONG}\n"
    );
    let home = format!("@ IN MX 10 mail\nmail IN A {HOME}\n_25._tcp.mail IN TLSA {tlsa}\n");
    let domains = vec![
        Domain {
            name: "there.example",
            records: there,
            signer: Signer::Knot(Denial::Nsec3),
        },
        Domain {
            name: "home.example",
            records: home,
            signer: Signer::Ldns(Denial::Nsec),
        },
    ];
    zones::start(&[FULL, DATA, PLAIN, HOME], domains)
}

impl Scene {
    /// Hands a message of `from`@home.example to the submitting Postfix' sendmail(1); the message.
    fn submit(&self, from: &str, to: &[&str], flags: &[&str]) -> String {
        let sender = format!("{from}@home.example");
        let text = letter(&sender, to[0], from);
        let mut arguments = vec!["-i", "-f", &sender];
        arguments.extend(flags);
        arguments.push("--");
        arguments.extend(to);
        self.home.sendmail(&arguments, text.as_bytes());
        text
    }

    /// The only message of a mailbox of the receiving side: what was put before `original`.
    fn arrives(&mut self, mailbox: &str, original: &str) -> String {
        let stored = self.there.messages(mailbox, 1);
        let [stored] = stored.as_slice() else {
            panic!("{} messages for {mailbox}:\n{}", stored.len(), self.logs());
        };
        let trace = trace(stored, original).to_owned();
        assert!(
            trace.contains("by relay.example (Elsinore) with"),
            "{trace}"
        );
        trace
    }

    fn logs(&self) -> String {
        let (home, there) = (self.home.log(), self.there.log());
        format!("{home}\n{there}\n{}", self.relay.log())
    }

    fn swaks(&mut self) {
        let text = letter("swaks@home.example", "swaks@there.example", "swaks");
        let text = format!("{}\n", text.trim_end());
        // swaks does not say BODY=8BITMIME.
        let (transcript, content) = swaks(&text);
        assert!(content, "{transcript}");
        let trace = self.arrives("swaks@there.example", &text);
        assert!(trace.contains("using TLSv1.3 with cipher"), "{trace}");
        let (_, id) = transcript.split_once("queued as ").expect(&transcript);
        let id = id.split_whitespace().next().expect("an id").to_owned();
        let tls = "Verified TLS connection established to mx.there.example[198.51.100.1]:25: \
                   TLSv1.3 with cipher";
        self.relay.line(&[&id, tls]);
        self.relay.line(&[&id, "security=dane", "status=sent"]);
    }

    /// What the sender asks of notifications comes to the last system, which sends them.
    fn notifications_travel(&mut self) {
        let flags = ["-N", "success,failure", "-R", "hdrs", "-V", "QQ314159"];
        let text = self.submit("dsn", &["dsn@there.example"], &flags);
        let trace = self.arrives("dsn@there.example", &text);
        let secured = "by relay.example (Elsinore) with ESMTPS\n\t(TLSv1.3 with cipher TLS_";
        assert!(trace.contains(secured), "{trace}");
        let told = self.told("dsn", 1);
        expect(
            &told[0],
            &[
                "Reporting-MTA: dns; mx.there.example",
                "Original-Envelope-Id: QQ314159",
                "Original-Recipient: rfc822;dsn@there.example",
                "Action: delivered",
                "Content-Type: text/rfc822-headers",
            ],
        );
    }

    /// As above, each parameter said by the client.
    fn envelopes_travel(&mut self) {
        let text = letter("orcpt@home.example", "orcpt@there.example", "orcpt");
        dialogue(
            &format!("{LOCAL}:25"),
            &[
                "EHLO client.home.example",
                "MAIL FROM:<orcpt@home.example> BODY=8BITMIME RET=FULL ENVID=a+2Bb",
                "RCPT TO:<orcpt@there.example> NOTIFY=SUCCESS ORCPT=rfc822;first+2Bone@old.example",
                "RCPT TO:<nobody@there.example> NOTIFY=FAILURE ORCPT=rfc822;no+3Done@old.example",
                "DATA",
                &format!("{}.", text.replace("\n.", "\n..").replace('\n', "\r\n")),
                "QUIT",
            ],
        );
        self.arrives("orcpt@there.example", &text);
        let mut told = self.told("orcpt", 2);
        told.sort_by_key(|told| told.contains("Action: failed"));
        expect(
            &told[0],
            &[
                "Reporting-MTA: dns; mx.there.example",
                "Original-Envelope-Id: a+b",
                "Original-Recipient: rfc822;first+one@old.example",
                "Action: delivered",
            ],
        );
        // A receipt returns the header, whatever RET says (RFC 3461 §4.3); a failure all of it.
        expect(
            &told[1],
            &[
                "Reporting-MTA: dns; relay.example",
                "Original-Envelope-Id: a+b",
                "Original-Recipient: rfc822; no=one@old.example",
                "Action: failed",
                "Status: 5.1.1",
                "Remote-MTA: dns; mx.there.example",
                "Content-Type: message/rfc822",
                "Grüße aus Helsingør.",
            ],
        );
    }

    fn smtp_utf8(&mut self) {
        let to = ["bøb@there.example", "bøb@plain.there.example"];
        let text = self.submit("utf8", &to, &[]);
        let trace = self.arrives(to[0], &text);
        assert!(trace.contains("with UTF8SMTPS"), "{trace}");
        let told = self.told("utf8", 1);
        expect(
            &told[0],
            &[
                "<bøb@plain.there.example>",
                "At mx-plain.there.example: SMTPUTF8 is needed for the",
                "Final-Recipient: utf-8; b\\x{F8}b@plain.there.example",
                "Action: failed",
                "Status: 5.6.7",
            ],
        );
    }

    fn unknown_mailbox(&mut self) {
        self.submit("unknown", &["nobody@there.example"], &["-R", "hdrs"]);
        let told = self.told("unknown", 1);
        expect(
            &told[0],
            &[
                "Subject: Undelivered mail: returned to sender",
                "Action: failed",
                "Status: 5.1.1",
                "Content-Type: text/rfc822-headers",
                "Subject: unknown",
            ],
        );
        let parsed = parsed(&told[0]);
        assert!(
            parsed.contains("failed 5.1.1 rfc822; nobody@there.example"),
            "{parsed}"
        );
        self.submit("never", &["nobody@there.example"], &["-N", "never"]);
        self.relay
            .line(&["from=<never@home.example>", "status=bounced"]);
    }

    /// A server without 8BITMIME gets seven bits, and one without DSN has us send the receipt.
    fn seven_bits(&mut self) {
        let to = "seven@plain.there.example";
        let text = self.submit("seven", &[to], &["-N", "success", "-V", "seven"]);
        let stored = self.there.messages(to, 1);
        assert!(stored[0].is_ascii(), "{}", stored[0]);
        let (_, body) = text.split_once("\n\n").expect("a header");
        assert!(parsed(&stored[0]).contains(body), "{}", stored[0]);
        let told = self.told("seven", 1);
        expect(
            &told[0],
            &[
                "Reporting-MTA: dns; relay.example",
                "Original-Envelope-Id: seven",
                "Original-Recipient: rfc822; seven@plain.there.example",
                "Action: relayed",
            ],
        );
    }

    fn many(&mut self) {
        let many: Vec<String> = (0..MANY).map(many).collect();
        let to: Vec<&str> = many.iter().map(String::as_str).collect();
        let text = self.submit("many", &to, &[]);
        for to in &to {
            self.arrives(to, &text);
        }
        // In one transaction to us; no more than a hundred at a time to strangers
        // (RFC 5321 §4.5.3.1.8).
        self.relay
            .line(&["from=<many@home.example>", &format!("recipients={MANY}")]);
        for count in [100, MANY - 100] {
            let whole = format!("nrcpt={count} (queue active)");
            self.there.wait_for(&["from=<many@home.example>", &whole]);
        }
    }

    /// By BDAT where it is offered, by DATA where not.
    fn large(&mut self) {
        let to = ["large@there.example", "large@data.there.example"];
        let from = "large@home.example";
        let text = large(from, to[0], "large", LARGE);
        let arguments = ["-i", "-f", from, "--", to[0], to[1]];
        self.home.sendmail(&arguments, text.as_bytes());
        for to in to {
            self.arrives(to, &text);
        }
        // Postfix counts a session's commands when it is over.
        for (place, commands) in [(FULL, "bdat="), (DATA, "rcpt=1 data=1 quit=1")] {
            let session = format!("disconnect from unknown[{place}] ehlo=2 starttls=1 mail=");
            self.there.wait_for(&[&session, commands]);
        }
    }

    /// Beside ours, what Postfix' own probe writes about the same server.
    fn words_of_postfix(&mut self) {
        let folder = tempfile::tempdir().expect("a folder");
        let unbound = unbound::start(Command::new("unbound"), &self.trust, folder.path());
        let resolv = folder.path().join("resolv.conf");
        let text = format!("nameserver {}\noptions edns0 trust-ad\n", unbound::ADDRESS);
        fs::write(&resolv, text).expect("a file");
        // In this test's own mount namespace.
        run(
            "mount",
            &["--bind", &resolv.display().to_string(), "/etc/resolv.conf"],
        );
        let output = Command::new("posttls-finger")
            .args(["-c", "-l", "dane", "-L", "summary", "there.example"])
            .output()
            .expect("posttls-finger runs");
        drop(unbound);
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let theirs = text.lines().find_map(words).expect(&text);
        let log = self.relay.line(&["Verified TLS", "mx.there.example["]);
        let ours = words(&log).expect(&log);
        // rustls does not say by which key and digest the server signed.
        let rest = theirs.strip_prefix(&ours);
        assert!(
            rest.is_some_and(|rest| rest.starts_with(" server-signature ")),
            "ours: {ours}\ntheirs: {theirs}"
        );
    }

    /// The same server under records that do not match: nothing is delivered, the sender hears of
    /// it.
    fn wrong_records(&mut self) {
        let line = self
            .relay
            .line(&["to=<bob@wrong.there.example>", "status=deferred"]);
        assert!(line.contains("relay=mx-wrong.there.example"), "{line}");
        let told = self.told("late", 1);
        expect(
            &told[0],
            &[
                "Subject: Delayed mail: still trying to deliver",
                "At mx-wrong.there.example: TLS failed",
                "The connection could not be secured as it must be: nothing was sent.",
                "It will be tried until",
                "Action: delayed",
                "Status: 4.7.5",
                "Will-Retry-Until:",
            ],
        );
        assert!(told[0].contains("Subject: late"), "{}", told[0]);
        assert_eq!(self.there.count("bob@wrong.there.example"), 0);
        assert_eq!(self.home.count("never@home.example"), 0);
    }

    /// The notifications that came for `who`@home.example, all of them.
    fn told(&mut self, who: &str, count: usize) -> Vec<String> {
        let told = self.home.messages(&format!("{who}@home.example"), count);
        assert_eq!(told.len(), count, "{}", told.join("\n\n"));
        told
    }
}

/// What a line says about a session that was authenticated.
fn words(line: &str) -> Option<String> {
    let at = line.find("Verified TLS connection established to")?;
    Some(line[at..].to_owned())
}
