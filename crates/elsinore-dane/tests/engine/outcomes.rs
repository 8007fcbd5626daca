//! The second half of the decision space: every obligation against every way a server can answer
//! it, from STARTTLS to the certificate, down the ladder to the outcome, the word for the
//! security and the word for the log. The first half, from DNS to the obligation, is
//! `decision_table.tsv`; a test sees to it that no obligation there is missing here.
//! `UPDATE=1` writes the table anew; a change of a line is a change of behaviour to be reviewed.

use crate::drive::name;
use elsinore_dane::achieved::{
    Channel, LogWord, ObligationVerdict, SecurityWord, WebPkiVerdict, achieved,
};
use elsinore_dane::ladder::{
    Conclusion, ConnectionFailure, HandshakeProgress, LegacyRung, NextStep, ReplyClass, Rung,
    exhausted, first_rung, next_step, require_tls_unmet,
};
use elsinore_dane::obligation::{
    DaneRequirement, NamePattern, Obligation, PinRequirement, Requirements, SkipReason,
    WebPkiReason, WebPkiRequirement,
};
use std::collections::BTreeSet;
use std::fmt::Write;

const PATH: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/engine/outcome_table.tsv"
);
const DECISIONS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/engine/decision_table.tsv"
);

/// Every obligation that the engine can arrive at, in the words of the decision table without
/// its names.
fn obligations() -> Vec<(&'static str, Obligation)> {
    let dane = |mx_secure| DaneRequirement {
        base_domain: name("mx.h"),
        records: Vec::new(),
        reference_identifiers: vec![name("mx.h")],
        mx_secure,
    };
    let webpki = |because| WebPkiRequirement {
        names: vec![NamePattern::Exact(name("mx.h"))],
        because,
    };
    let owed = |mx_secure: Option<bool>, because: Option<WebPkiReason>, pinned: bool| {
        Obligation::Authenticate(Requirements {
            dane: mx_secure.map(dane),
            webpki: because.map(webpki),
            pins: pinned.then(|| PinRequirement {
                sha256: vec![[7; 32]],
            }),
        })
    };
    use WebPkiReason::{Administrator, RequireTls, Sts};
    vec![
        ("skip", Obligation::Skip(SkipReason::TlsaLookupFailed)),
        (
            "skip-requiretls",
            Obligation::Skip(SkipReason::RequireTlsUnmet),
        ),
        ("cleartext", Obligation::Cleartext),
        ("opportunistic", Obligation::Opportunistic),
        ("encrypt", Obligation::Encrypt),
        ("dane", owed(Some(true), None, false)),
        (
            "dane+Administrator",
            owed(Some(true), Some(Administrator), false),
        ),
        ("dane+pins", owed(Some(true), None, true)),
        ("halfdane", owed(Some(false), None, false)),
        ("halfdane+Sts", owed(Some(false), Some(Sts), false)),
        ("halfdane+Sts+pins", owed(Some(false), Some(Sts), true)),
        (
            "halfdane+Administrator",
            owed(Some(false), Some(Administrator), false),
        ),
        (
            "halfdane+RequireTls",
            owed(Some(false), Some(RequireTls), false),
        ),
        ("halfdane+pins", owed(Some(false), None, true)),
        ("Sts", owed(None, Some(Sts), false)),
        ("Sts+pins", owed(None, Some(Sts), true)),
        ("Administrator", owed(None, Some(Administrator), false)),
        ("RequireTls", owed(None, Some(RequireTls), false)),
        ("pins", owed(None, None, true)),
    ]
}

/// What a server does when STARTTLS is its turn.
#[derive(Debug, Clone, Copy)]
enum StartTls {
    NotOffered,
    Refused(ReplyClass),
    Offered(Handshakes),
}

/// On which rung, if on any, the handshake comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handshakes {
    Modern,
    /// The first back end fails; the second is there and succeeds, or fails, or is not there.
    Legacy,
    Neither,
    NeitherWithoutLegacy,
}

/// What the handshake brings to light.
#[derive(Debug, Clone, Copy)]
enum Shown {
    NoCertificate,
    Certificate(ObligationVerdict, WebPkiVerdict),
}

/// Whether the message came with REQUIRETLS, and whether the server offers it inside TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequireTls {
    NotAsked,
    Offered,
    Missing,
}

const STARTTLS: [(&str, StartTls); 7] = [
    ("absent", StartTls::NotOffered),
    ("4yz", StartTls::Refused(ReplyClass::Transient)),
    ("5yz", StartTls::Refused(ReplyClass::Permanent)),
    ("modern", StartTls::Offered(Handshakes::Modern)),
    ("legacy", StartTls::Offered(Handshakes::Legacy)),
    ("neither", StartTls::Offered(Handshakes::Neither)),
    (
        "no-legacy",
        StartTls::Offered(Handshakes::NeitherWithoutLegacy),
    ),
];

const SHOWN: [(&str, Shown); 7] = {
    use ObligationVerdict::{Met, Unmet};
    use WebPkiVerdict::{ChainOnly, Invalid, NameAndChain};
    [
        ("no certificate", Shown::NoCertificate),
        ("matched, valid", Shown::Certificate(Met, NameAndChain)),
        ("matched, other name", Shown::Certificate(Met, ChainOnly)),
        ("matched, private", Shown::Certificate(Met, Invalid)),
        ("mismatch, valid", Shown::Certificate(Unmet, NameAndChain)),
        ("mismatch, other name", Shown::Certificate(Unmet, ChainOnly)),
        ("mismatch, private", Shown::Certificate(Unmet, Invalid)),
    ]
};

const REQUIRE_TLS: [(&str, RequireTls); 3] = [
    ("-", RequireTls::NotAsked),
    ("offered", RequireTls::Offered),
    ("missing", RequireTls::Missing),
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Delivered(SecurityWord, Option<LogWord>),
    Deferred,
    Bounced(String),
}

#[derive(Debug, Clone, Copy)]
struct Server {
    starttls: StartTls,
    shown: Shown,
    require_tls: RequireTls,
}

impl Server {
    /// One connection on one rung.
    fn meet(self, obligation: &Obligation, rung: Rung) -> Result<Channel, ConnectionFailure> {
        if rung == Rung::Cleartext {
            return self.transaction(Channel::Cleartext);
        }
        let handshakes = match self.starttls {
            StartTls::NotOffered => return Err(ConnectionFailure::StarttlsNotOffered),
            StartTls::Refused(class) => return Err(ConnectionFailure::StarttlsRefused(class)),
            StartTls::Offered(handshakes) => handshakes,
        };
        let succeeds = matches!(
            (rung, handshakes),
            (Rung::Modern, Handshakes::Modern) | (Rung::Legacy, Handshakes::Legacy)
        );
        if !succeeds {
            let progress = HandshakeProgress::BeforeServerHello;
            return Err(ConnectionFailure::HandshakeFailed(progress));
        }
        let must_prove = matches!(obligation, Obligation::Authenticate(_));
        match self.shown {
            Shown::NoCertificate if must_prove => Err(ConnectionFailure::HandshakeFailed(
                HandshakeProgress::AfterServerHello,
            )),
            Shown::NoCertificate => self.transaction(Channel::Anonymous),
            Shown::Certificate(ObligationVerdict::Unmet, _) if must_prove => {
                Err(ConnectionFailure::VerificationRejected)
            }
            // Where nothing is to be proven, everything is.
            Shown::Certificate(_, webpki) => self.transaction(Channel::Certificate {
                obligation: ObligationVerdict::Met,
                webpki,
            }),
        }
    }

    fn transaction(self, channel: Channel) -> Result<Channel, ConnectionFailure> {
        let has_require_tls = self.require_tls == RequireTls::Offered;
        match channel {
            _ if self.require_tls == RequireTls::NotAsked => Ok(channel),
            Channel::Anonymous | Channel::Certificate { .. } if has_require_tls => Ok(channel),
            _ => Err(ConnectionFailure::RequireTlsNotOffered),
        }
    }
}

/// Down the ladder against one server, the only one there is.
fn run(obligation: &Obligation, server: Server) -> (Vec<&'static str>, End) {
    let mut rungs = Vec::new();
    let Some(mut rung) = first_rung(obligation) else {
        return (
            rungs,
            gave_up(obligation, ConnectionFailure::NotConnected, server),
        );
    };
    let legacy = match server.starttls {
        StartTls::Offered(Handshakes::NeitherWithoutLegacy) => LegacyRung::Absent,
        _ => LegacyRung::Available,
    };
    for _ in 0..4 {
        rungs.push(rung.word());
        let failure = match server.meet(obligation, rung) {
            Ok(channel) => return (rungs, delivered(obligation, channel)),
            Err(failure) => failure,
        };
        match next_step(obligation, rung, failure, legacy) {
            NextStep::Reconnect(next) => rung = next,
            NextStep::StayInCleartext => {
                return match server.transaction(Channel::Cleartext) {
                    Ok(channel) => (rungs, delivered(obligation, channel)),
                    Err(failure) => (rungs, gave_up(obligation, failure, server)),
                };
            }
            NextStep::NextAddress => return (rungs, gave_up(obligation, failure, server)),
            NextStep::Conclude(conclusion) => panic!("{conclusion:?} without a transaction"),
        }
    }
    panic!("more than three rungs: {rungs:?}");
}

fn delivered(obligation: &Obligation, channel: Channel) -> End {
    let achieved = achieved(obligation, channel);
    End::Delivered(achieved.security, achieved.log_word)
}

fn gave_up(obligation: &Obligation, failure: ConnectionFailure, server: Server) -> End {
    if server.require_tls != RequireTls::NotAsked
        && let Some(code) = require_tls_unmet([(obligation, failure)])
    {
        return End::Bounced(code.to_string());
    }
    match exhausted([(obligation, failure)]) {
        Conclusion::Defer => End::Deferred,
        Conclusion::Bounce => End::Bounced("by the server".to_owned()),
    }
}

/// Whether a server can show this: what WebPKI demands is not proven by another's certificate.
fn is_possible(obligation: &Obligation, shown: Shown) -> bool {
    let Obligation::Authenticate(requirements) = obligation else {
        // The verdict on nothing is not a dimension.
        return !matches!(shown, Shown::Certificate(ObligationVerdict::Unmet, _));
    };
    match shown {
        Shown::Certificate(ObligationVerdict::Met, webpki) => {
            requirements.webpki.is_none() || webpki == WebPkiVerdict::NameAndChain
        }
        Shown::Certificate(ObligationVerdict::Unmet, webpki) => {
            let webpki_alone = requirements.dane.is_none() && requirements.pins.is_none();
            !(webpki_alone && webpki == WebPkiVerdict::NameAndChain)
        }
        Shown::NoCertificate => true,
    }
}

/// Whether a message that came with REQUIRETLS, or without, can meet this obligation: with it, a
/// host is authenticated under a name that something vouches for, or skipped.
fn goes_with(obligation: &Obligation, require_tls: RequireTls) -> bool {
    let is_asked = require_tls != RequireTls::NotAsked;
    match obligation {
        Obligation::Skip(SkipReason::RequireTlsUnmet) => is_asked,
        Obligation::Skip(_) => true,
        Obligation::Cleartext | Obligation::Opportunistic | Obligation::Encrypt => !is_asked,
        Obligation::Authenticate(owed) => {
            let because = owed.webpki.as_ref().map(|webpki| webpki.because);
            let is_dane = owed.dane.as_ref().is_some_and(|dane| dane.mx_secure);
            if is_asked {
                is_dane || because.is_some() || owed.pins.is_some()
            } else {
                because != Some(WebPkiReason::RequireTls)
            }
        }
    }
}

/// The fault of a result, found without the engine.
fn fault(obligation: &Obligation, server: Server, end: &End) -> Option<&'static str> {
    let asked = server.require_tls != RequireTls::NotAsked;
    let matched = matches!(server.shown, Shown::Certificate(ObligationVerdict::Met, _));
    match (obligation, end) {
        (Obligation::Skip(_), End::Delivered(..)) => Some("a skipped host got the message"),
        (Obligation::Encrypt | Obligation::Authenticate(_), End::Delivered(security, _))
            if *security == SecurityWord::Plaintext =>
        {
            Some("cleartext where TLS is owed")
        }
        (Obligation::Authenticate(_), End::Delivered(..)) if !matched => {
            Some("delivered without the proof")
        }
        (_, End::Delivered(..)) if asked && server.require_tls == RequireTls::Missing => {
            Some("REQUIRETLS is not honoured")
        }
        (_, End::Bounced(_)) if !asked => Some("trouble with TLS led to a bounce"),
        (Obligation::Opportunistic | Obligation::Cleartext, End::Deferred) if !asked => {
            Some("opportunistic delivery failed for reasons of security")
        }
        (obligation, End::Delivered(_, Some(LogWord::Verified)))
            if !matches!(obligation, Obligation::Authenticate(_)) =>
        {
            Some("Verified where nothing was to be verified")
        }
        (Obligation::Authenticate(owed), End::Delivered(_, Some(LogWord::Verified)))
            if owed.webpki.is_none()
                && owed.pins.is_none()
                && owed.dane.as_ref().is_some_and(|dane| !dane.mx_secure) =>
        {
            Some("Verified under an insecure MX")
        }
        _ => None,
    }
}

fn table() -> String {
    let mut rows = String::from("obligation\trequiretls\tstarttls\tshown\trungs\toutcome\n");
    for (word, obligation) in obligations() {
        for (require_tls_word, require_tls) in REQUIRE_TLS {
            if !goes_with(&obligation, require_tls) {
                continue;
            }
            for (starttls_word, starttls) in STARTTLS {
                let comes_to_tls = matches!(
                    starttls,
                    StartTls::Offered(Handshakes::Modern | Handshakes::Legacy)
                ) && first_rung(&obligation) == Some(Rung::Modern);
                for (shown_word, shown) in SHOWN {
                    let is_first = matches!(shown, Shown::NoCertificate);
                    if !(comes_to_tls && is_possible(&obligation, shown)
                        || !comes_to_tls && is_first)
                    {
                        continue;
                    }
                    let server = Server {
                        starttls,
                        shown,
                        require_tls,
                    };
                    let (rungs, end) = run(&obligation, server);
                    let shown_word = if comes_to_tls { shown_word } else { "-" };
                    let fault = fault(&obligation, server, &end);
                    let row = format!(
                        "{word}\t{require_tls_word}\t{starttls_word}\t{shown_word}\t{}\t{}",
                        rungs.join(">"),
                        describe(&end),
                    );
                    assert_eq!(fault, None, "{row}");
                    writeln!(rows, "{row}").unwrap();
                }
            }
        }
    }
    rows
}

fn describe(end: &End) -> String {
    match end {
        End::Delivered(security, log) => {
            let log = log.map_or("-", LogWord::word);
            format!("delivered {} {log}", security.word())
        }
        End::Deferred => "deferred".to_owned(),
        End::Bounced(why) => format!("bounced {why}"),
    }
}

//= spec-test: 7672-2.2-2
//= spec-test: 7672-2.2-4
//= spec-test: 7672-2.2-5
//= spec-test: 7672-3.2-2
#[test]
fn outcome_table() {
    let found = table();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PATH, &found).unwrap();
    }
    let expected = std::fs::read_to_string(PATH).unwrap();
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {}", number + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
    assert!(found.lines().count() > 500);
}

/// What the first table arrives at, this one begins with.
#[test]
fn the_two_tables_meet() {
    let here: BTreeSet<&str> = obligations().iter().map(|(word, _)| *word).collect();
    let decisions = std::fs::read_to_string(DECISIONS).unwrap();
    let mut there = BTreeSet::new();
    let known = obligations();
    for line in decisions.lines().take_while(|line| line.starts_with('R')) {
        for result in line.split('\t').skip(1) {
            let (hosts, demands) = result.split_once(" <= ").unwrap();
            if hosts.starts_with("defer ") || hosts.starts_with("bounce ") {
                continue;
            }
            for host in hosts.split(", ") {
                let (_, plan) = host.split_once(' ').unwrap();
                let mut is_name = false;
                let word: String = plan
                    .chars()
                    .filter(|c| {
                        is_name = *c == '[' || (is_name && *c != ']');
                        !is_name && *c != ']'
                    })
                    .collect();
                let word = word.split(' ').next().unwrap().to_owned();
                if demands.split(' ').any(|demand| demand == "REQUIRETLS") {
                    let found = known.iter().find(|(known, _)| *known == word);
                    let goes = found.is_some_and(|(_, o)| goes_with(o, RequireTls::Offered));
                    assert!(goes, "{word} under REQUIRETLS");
                }
                there.insert(word);
            }
        }
    }
    let missing: Vec<&String> = there
        .iter()
        .filter(|word| !here.contains(word.as_str()))
        .collect();
    assert!(missing.is_empty(), "not enumerated: {missing:?}");
    assert!(there.len() > 10, "{there:?}");
}
