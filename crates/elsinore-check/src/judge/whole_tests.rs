//! Whole sightings: what strangers say enters the report printable and bounded, what ails us is
//! never their fault, policies are read by table.

use super::*;
use crate::report::{NameServer, Offer, Security, SenderOutcome, ServerAnswer, ZoneServers};
use crate::sighting::{
    AddressSighting, AddressVerdict, HostSighting, LookupSighting, SenderEnd, SenderSighting,
    SessionSighting, StartTlsSeen, StsSighting, TlsaLookup,
};
use elsinore_dane::answer::{
    AliasKind, AliasLink, Answer, Denial, DenialKind, Failure, Last, Question, RecordData, RrSet,
};
use elsinore_dane::finding::Finding;
use elsinore_dane::mta_sts::{StsFetch, StsFetchError};
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::Obligation;
use elsinore_dane::plan::{EnhancedCode, HostPlan, HostSource, Refusal, StsStance, TlsVersion};
use elsinore_dane::rule::Rule;
use elsinore_dane::security::{Cause, Status};
use elsinore_dane::time::UnixTime;
use elsinore_net::deliver::{Outcome, SessionSecurity};
use elsinore_net::doctor::triage::OwnTrouble;
use elsinore_net::tls::{Backend, KeyProof};

/// Markup, a terminal escape, a bidirectional override, a line break.
const EVIL: &str = "<script>\u{1b}[2J\u{202e}\r\n\u{7}";

fn name(text: &str) -> DomainName {
    text.parse().unwrap()
}

fn insecure() -> Status {
    Status::insecure(EVIL).because(Cause::UnsignedDelegation)
}

fn answered(owner: &str, record_type: RecordType, records: Vec<RecordData>) -> LookupSighting {
    let last = match records.is_empty() {
        true => Last::Denied(Denial {
            kind: DenialKind::NoData,
            status: insecure(),
            ttl: 60,
        }),
        false => Last::Data(RrSet {
            owner: name(owner),
            records,
            status: insecure(),
            ttl: 60,
        }),
    };
    lookup(owner, record_type, last)
}

fn lookup(owner: &str, record_type: RecordType, last: Last) -> LookupSighting {
    let question = Question::new(name(owner), record_type);
    let answer = Answer {
        question: question.clone(),
        chain: Vec::new(),
        last,
        oddities: Vec::new(),
    };
    LookupSighting {
        question,
        purpose: "a test",
        explained: answer.into(),
        elapsed_ms: 1,
    }
}

fn failed(owner: &str, record_type: RecordType) -> LookupSighting {
    let status = Status::indeterminate(EVIL).because(Cause::Unreachable);
    lookup(
        owner,
        record_type,
        Last::Failed(Failure { status, ede: None }),
    )
}

fn texts(owner: &str, texts: &[&str]) -> LookupSighting {
    let records = texts
        .iter()
        .map(|one| RecordData::Txt(one.as_bytes().to_vec()));
    answered(owner, RecordType::Txt, records.collect())
}

fn plan() -> HostPlan {
    HostPlan {
        mx_host: "mx.example".to_owned(),
        preference: Some(10),
        source: HostSource::InsecureMx,
        secure_expansion: None,
        addresses: vec!["192.0.2.1".parse().unwrap()],
        port: 25,
        obligation: Obligation::Opportunistic,
        min_tls: TlsVersion::Tls10,
        sni: Some(name("mx.example")),
        sts: StsStance::None,
        findings: vec![Finding::new(Rule::MxInsecure, EVIL, EVIL)],
    }
}

fn session() -> SessionSighting {
    SessionSighting {
        offer: Offer::Sender,
        sni: Some(name("mx.example")),
        backend: Backend::Rustls,
        no_connection: None,
        greeting: Some(EVIL.to_owned()),
        starttls: StartTlsSeen::Refused(EVIL.to_owned()),
        capabilities: vec![EVIL.to_owned()],
        capabilities_inside: Vec::new(),
        injected: false,
        tls: None,
        chain: vec![EVIL.as_bytes().to_vec()],
        key_proof: KeyProof::Missing,
        tls_failure: None,
        no_such_certificate: false,
        failure: None,
        inconclusive: None,
        findings: vec![Finding::new(Rule::MxInsecure, EVIL, EVIL)],
        transcript: vec![EVIL.repeat(1_000); 1_000],
        connect_ms: Some(1),
        handshake_ms: None,
        elapsed_ms: 2,
    }
}

fn verdict(kind: SenderKind) -> AddressVerdict {
    AddressVerdict {
        kind,
        security: Some(SessionSecurity::Plaintext),
        failure: None,
        inconclusive: None,
    }
}

fn sender(kind: SenderKind) -> SenderSighting {
    SenderSighting {
        kind,
        route: RouteSighting::Hosts(vec![plan()]),
        findings: vec![Finding::new(Rule::MxInsecure, EVIL, EVIL)],
        end: SenderEnd {
            outcome: Outcome::Delivered,
            security: Some(SessionSecurity::Plaintext),
            mx_host: Some("mx.example".to_owned()),
            mx_address: Some("192.0.2.1".parse().unwrap()),
            reply: Some(EVIL.to_owned()),
        },
    }
}

/// A domain without protection that says what it should not, wherever it can.
fn sighting() -> Sighting {
    let mut addresses = answered(
        "mx.example",
        RecordType::A,
        vec![RecordData::A("192.0.2.1".parse().unwrap())],
    );
    addresses.explained.answer.chain.push(AliasLink {
        owner: name("mx.example"),
        kind: AliasKind::Cname,
        target: name("host.example"),
        status: insecure(),
        ttl: 60,
    });
    let mx = RecordData::Mx {
        preference: 10,
        exchange: name("mx.example"),
    };
    Sighting {
        domain: name("example"),
        began: UnixTime(1_800_000_000),
        elapsed_ms: 3,
        senders: vec![sender(SenderKind::Dane), sender(SenderKind::StsOnly)],
        hosts: vec![HostSighting {
            mx_host: "mx.example".to_owned(),
            name: Some(name("mx.example")),
            zone: Some("example".to_owned()),
            address_lookups: vec![1],
            tlsa_lookups: vec![TlsaLookup {
                base: name("host.example"),
                lookup: 2,
                asked_by_sender: false,
            }],
            addresses: vec![AddressSighting {
                address: "192.0.2.1".parse().unwrap(),
                sessions: vec![session()],
                verdicts: vec![verdict(SenderKind::Dane), verdict(SenderKind::StsOnly)],
            }],
        }],
        lookups: vec![
            answered("example", RecordType::Mx, vec![mx]),
            addresses,
            answered(
                "_25._tcp.host.example",
                RecordType::Tlsa,
                vec![RecordData::Other(EVIL.to_owned())],
            ),
            texts("_mta-sts.example", &[EVIL, "v=STSv1; id=\u{1b};"]),
            texts(
                "_smtp._tls.example",
                &[&format!("v=TLSRPTv1; rua=mailto:{EVIL}")],
            ),
            failed("mx.example", RecordType::Aaaa),
        ],
        zones: vec![Zone {
            apex: "example".to_owned(),
            parent: None,
            security: Security::Insecure,
            reason: Some(EVIL.to_owned()),
            delegation: Vec::new(),
            keys: Vec::new(),
            signatures: Vec::new(),
            proofs: None,
            serial: None,
        }],
        servers: vec![ZoneServers {
            zone: "example".to_owned(),
            servers: vec![NameServer {
                name: EVIL.to_owned(),
                in_delegation: true,
                in_zone: true,
                answers: vec![ServerAnswer {
                    address: "192.0.2.53".to_owned(),
                    name: EVIL.to_owned(),
                    record_type: "TXT".to_owned(),
                    result: EVIL.to_owned(),
                    authoritative: true,
                    records: vec![EVIL.to_owned()],
                    octets: None,
                    tcp: None,
                    differs: None,
                    elapsed_ms: 1,
                }],
            }],
        }],
        sts: StsSighting {
            lookup: Some(3),
            policy: None,
            fetch: Some(StsFetch::Fetched(EVIL.repeat(10_000).into_bytes())),
            tls_rpt_lookup: Some(4),
        },
        overrides: vec![EVIL.to_owned()],
        blame: Blame::Unknown,
        replayed: true,
        measured: Measured {
            helo: EVIL.to_owned(),
            left_out: vec![EVIL.to_owned()],
            ..Measured::default()
        },
    }
}

fn judged(sighting: &Sighting) -> Report {
    judge(sighting, &JudgeOptions::new("elsinore test"))
}

/// Every text of a JSON value with its place.
fn strings(value: &serde_json::Value, place: &str, found: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::String(text) => found.push((place.to_owned(), text.clone())),
        serde_json::Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, one)| strings(one, &format!("{place}.{index}"), found));
        }
        serde_json::Value::Object(fields) => {
            for (name, one) in fields {
                found.push((format!("{place} (key)"), name.clone()));
                strings(one, &format!("{place}.{name}"), found);
            }
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

#[test]
fn strangers_text_is_printable_and_bounded() {
    let report = judged(&sighting());
    assert_eq!(report.state, State::NotProtected);
    let mut found = Vec::new();
    strings(&serde_json::to_value(&report).unwrap(), "", &mut found);
    let mut shown = 0;
    for (place, text) in found {
        shown += usize::from(text.contains("<script>"));
        let may_break = place.ends_with(".pem") || place.ends_with("sts.body");
        let unfit = |one: char| one.is_control() && !(one == '\n' && may_break);
        assert!(
            !text.contains(unfit) && !text.contains('\u{202e}'),
            "{place}: {text:?}"
        );
        let most = if place.ends_with("sts.body") {
            200_000
        } else {
            5_000
        };
        assert!(text.len() <= most, "{place}: {}", text.len());
    }
    // The text of strangers is shown, in many places.
    assert!(shown > 20, "{shown}");
    let transcript = &report.hosts[0].addresses[0].sessions[0].transcript;
    assert_eq!(transcript.len(), 100);
}

/// The same sighting gives the same report, and the report survives being written.
/// A verdict says so where a bound of ours kept the check from looking at all of it.
#[test]
fn what_was_left_out_is_said_with_the_verdict() {
    let mut sighting = sighting();
    let part = "not everything was looked at";
    assert!(judged(&sighting).sentence.contains(part));
    sighting.measured.left_out.clear();
    assert!(!judged(&sighting).sentence.contains(part));
}

#[test]
fn judging_is_pure() {
    let sighting = sighting();
    let report = judged(&sighting);
    assert_eq!(report, judged(&sighting));
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn what_ails_us_is_not_their_fault() {
    let trouble = OwnTrouble::NoAnswers;
    type Spoil = fn(&mut Sighting);
    let defer: Spoil = |sighting| {
        let refusal = Refusal {
            code: EnhancedCode::new(4, 4, 3),
            reason: "the MX lookup failed".to_owned(),
        };
        sighting.senders.iter_mut().for_each(|sender| {
            sender.route = RouteSighting::Defer(refusal.clone(), Vec::new());
            sender.end.outcome = Outcome::Deferred;
        });
        sighting.hosts.clear();
        sighting.lookups = vec![failed("example", RecordType::Mx)];
        sighting.sts = StsSighting::default();
    };
    let secure: Spoil = |sighting| sighting.zones[0].security = Security::Secure;
    let timed_out: Spoil = |sighting| sighting.senders[0].route = RouteSighting::TimedOut;
    let nothing: Spoil = |_| {};
    for (spoils, blame, expected) in [
        // Whose fault it is was found out.
        (
            [defer, nothing],
            Blame::Theirs(name("good.example")),
            State::Refused,
        ),
        (
            [defer, nothing],
            Blame::Ours(trouble.clone()),
            State::CouldNotTell,
        ),
        // Nobody knows: then it is theirs only where our side is seen to work.
        ([defer, nothing], Blame::Unknown, State::CouldNotTell),
        ([defer, secure], Blame::Unknown, State::Refused),
        // A resolver that is ill makes everything doubtful, also what looks well.
        (
            [nothing, nothing],
            Blame::Ours(trouble),
            State::CouldNotTell,
        ),
        ([timed_out, nothing], Blame::Unknown, State::CouldNotTell),
        // One failed family decides nothing.
        ([nothing, nothing], Blame::Unknown, State::NotProtected),
    ] {
        let mut sighting = sighting();
        spoils.iter().for_each(|spoil| spoil(&mut sighting));
        sighting.blame = blame.clone();
        let report = judged(&sighting);
        assert_eq!(report.state, expected, "{blame:?}: {}", report.sentence);
        let told = !report.inconclusive.is_empty();
        assert_eq!(
            told,
            expected == State::CouldNotTell,
            "{blame:?}: {:?}",
            report.inconclusive
        );
    }
}

/// An address of which nothing can be said is counted as such, for each sender.
#[test]
fn unreached_addresses() {
    let mut sighting = sighting();
    let address = &mut sighting.hosts[0].addresses[0];
    address.sessions[0].no_connection = Some("connection timed out".to_owned());
    for verdict in &mut address.verdicts {
        verdict.security = None;
        verdict.failure = Some("connection timed out".to_owned());
        verdict.inconclusive = Some("connection timed out".to_owned());
    }
    for sender in &mut sighting.senders {
        sender.end.outcome = Outcome::Deferred;
    }
    let report = judged(&sighting);
    assert_eq!(report.state, State::CouldNotTell);
    assert_eq!(
        report.hosts[0].addresses[0].state,
        AddressState::Inconclusive
    );
    assert_eq!(
        report.inconclusive,
        ["mx.example[192.0.2.1]: connection timed out"]
    );
    for sender in &report.senders {
        assert_eq!(sender.outcome, SenderOutcome::Deferred);
        let host = &sender.hosts[0];
        assert_eq!((host.met, host.failed, host.inconclusive), (0, 0, 1));
        assert!(
            sender.sentence.contains("could not be told"),
            "{}",
            sender.sentence
        );
        assert_eq!((&sender.security, &sender.mx_host), (&None, &None));
    }
}

#[test]
fn policies() {
    let policy = "version: STSv1\nmode: enforce\nmx: *.example\nmax_age: 86400\n";
    let fetched = |body: &str| Some(StsFetch::Fetched(body.as_bytes().to_vec()));
    let wrong = "the policy host answered with HTTP status 404";
    for (texts_found, fetch, id, mode, error) in [
        (
            &["v=STSv1; id=1;"][..],
            fetched(policy),
            Some("1"),
            Some("enforce"),
            None,
        ),
        (
            &["v=STSv1; id=1;"],
            fetched("mode: enforce"),
            Some("1"),
            None,
            Some("there is no \"version\""),
        ),
        (
            &["v=STSv1; id=1;"],
            Some(StsFetch::Failed(StsFetchError::Status(404))),
            Some("1"),
            None,
            Some(wrong),
        ),
        (
            &["v=STSv1; id=1;", "v=STSv1; id=2;"],
            None,
            None,
            None,
            Some("2 records of version STSv1 where one is allowed"),
        ),
        (&["something else"], None, None, None, None),
        (&[], None, None, None, None),
    ] {
        let mut sighting = sighting();
        sighting.lookups[3] = texts("_mta-sts.example", texts_found);
        sighting.sts.fetch = fetch;
        let sts = judged(&sighting).sts.unwrap();
        assert_eq!(
            (sts.id.as_deref(), sts.mode.as_deref()),
            (id, mode),
            "{texts_found:?}"
        );
        assert_eq!(sts.error.as_deref(), error, "{texts_found:?}");
    }
    for (texts_found, addresses, error) in [
        (
            &["v=TLSRPTv1; rua=mailto:a@b.example,https://c.example/x"][..],
            2,
            None,
        ),
        (
            &["v=TLSRPTv1;"],
            0,
            Some("there is no address to send reports to"),
        ),
        (
            &["v=TLSRPTv1; rua=a@b.example"],
            1,
            Some("neither mailto: nor https: a@b.example"),
        ),
        (
            &["v=TLSRPTv1; rua=mailto:a", "v=TLSRPTv1; rua=mailto:b"],
            0,
            Some("2 records where one is allowed"),
        ),
        (&["v=spf1 -all"], 0, None),
    ] {
        let mut sighting = sighting();
        sighting.lookups[4] = texts("_smtp._tls.example", texts_found);
        let found = judged(&sighting).tls_rpt.unwrap();
        assert_eq!(found.rua.len(), addresses, "{texts_found:?}");
        assert_eq!(found.error.as_deref(), error, "{texts_found:?}");
    }
}
