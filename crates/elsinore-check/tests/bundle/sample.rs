//! A bundle with everything that one can hold.

use elsinore_check::bundle::{Bundle, Claim, Setting, VisitKey, Visited};
use elsinore_check::report::{Offer, SenderKind, State};
use elsinore_check::world::Manners;
use elsinore_dane::answer::{ExtendedError, Question, RecordType};
use elsinore_dane::ladder::Rung;
use elsinore_dane::mta_sts::{StsFetch, StsFetchError};
use elsinore_dane::security::Cause;
use elsinore_dane::time::UnixTime;
use elsinore_net::deliver::{Heard, NoConnection, PhaseTimes, SenderConfig, Sounding};
use elsinore_net::doctor::triage::{Blame, OwnTrouble};
use elsinore_net::resolver::ResolverConfig;
use elsinore_net::resolver::tape::{Asked, TapeEntry, TapeFailure, TapeOutcome};
use elsinore_net::tls::{
    Backend, Handshake, HandshakeTrouble, KeyProof, MinProtocol, Resumption, SignatureOffer,
    TlsFacts, TlsVersion,
};
use elsinore_smtp::command::GreetingName;
use std::io::ErrorKind;
use std::time::Duration;

pub(crate) fn setting() -> Setting {
    let name = GreetingName::parse("client.example").unwrap();
    Setting::of(
        &SenderConfig::new(name).unwrap(),
        &ResolverConfig::default(),
    )
}

fn entry(asked: Asked, outcome: TapeOutcome) -> TapeEntry {
    TapeEntry {
        asked,
        question: Question::new("mx.example".parse().unwrap(), RecordType::Tlsa),
        server: Some("[2001:db8::53]:53".parse().unwrap()),
        sent: UnixTime(1_780_000_000),
        elapsed: Duration::from_micros(1_234),
        outcome,
    }
}

fn sounding(opened: Result<Vec<Heard>, NoConnection>) -> Sounding {
    Sounding {
        rung: Rung::Legacy,
        offer: SignatureOffer::EcdsaOnly,
        sni: Some("mx.example".parse().unwrap()),
        min_protocol: MinProtocol::Tls12,
        opened,
        times: PhaseTimes {
            connect: Some(Duration::from_micros(7)),
            total: Duration::from_millis(30),
            ..PhaseTimes::default()
        },
    }
}

fn handshake() -> Handshake {
    Handshake {
        facts: TlsFacts {
            version: TlsVersion::Tls13,
            cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
            cipher_bits: 256,
            group: Some("X25519".to_owned()),
            backend: Backend::OpenSsl,
            resumption: Resumption::Full,
        },
        chain: vec![vec![0x30, 1, 2], vec![]].into(),
        omitted: 3,
        key_proof: KeyProof::Given,
    }
}

pub(crate) fn bundle() -> Bundle {
    let zone = || Asked::Zone("example".parse().unwrap());
    let server = "192.0.2.1:53".parse().unwrap();
    let failed = |cause, ede| {
        TapeOutcome::Failed(TapeFailure {
            cause,
            reason: "mx.example TLSA: 192.0.2.1 says SERVFAIL".to_owned(),
            ede,
        })
    };
    let ede = ExtendedError {
        code: 9,
        text: "no keys".to_owned(),
    };
    let key = VisitKey {
        sender: SenderKind::Dane,
        mx_host: "mx.example".to_owned(),
        preference: Some(10),
        address: "192.0.2.25".parse().unwrap(),
        port: 25,
        offer: Offer::OtherName,
        other_name: Some("other.example".parse().unwrap()),
    };
    let trouble = |trouble| Heard::HandshakeFailed {
        trouble,
        text: "alert 40".to_owned(),
    };
    Bundle {
        program: "elsinore 0.1.0".to_owned(),
        domain: "example".parse().unwrap(),
        began: UnixTime(1_780_000_000),
        claimed: Some(Claim {
            state: State::Protected,
            sentence: "Mail to example is protected.".to_owned(),
        }),
        setting: setting(),
        dns: vec![
            entry(zone(), TapeOutcome::Reply(vec![0, 1, 2, 255].into())),
            entry(zone(), failed(Cause::ServerFailed, Some(ede))),
            entry(
                Asked::Resolvers(elsinore_dane::name::DomainName::root()),
                failed(Cause::Unreachable, None),
            ),
            entry(Asked::ServerByUdp(server), TapeOutcome::Abandoned),
            entry(Asked::ServerByTcp(server), failed(Cause::Deadline, None)),
        ],
        dns_left_out: 2,
        visits: vec![Visited {
            key,
            soundings: vec![
                sounding(Ok(vec![
                    Heard::Octets(b"220 mx.example ESMTP\r\n\x00\xff".to_vec()),
                    Heard::Handshake(handshake()),
                    trouble(HandshakeTrouble::Alert),
                    trouble(HandshakeTrouble::Connection(ErrorKind::ConnectionReset)),
                    Heard::KeyUnproven,
                    Heard::LocalTrouble("no memory".to_owned()),
                    Heard::Lost,
                    Heard::TimedOut,
                ])),
                sounding(Err(NoConnection {
                    kind: ErrorKind::TimedOut,
                    text: "no connection in time".to_owned(),
                    after: Duration::from_secs(3),
                })),
            ],
        }],
        policies: vec![
            (
                "example".parse().unwrap(),
                StsFetch::Fetched(b"version: STSv1\r\n".to_vec()),
            ),
            (
                "other.example".parse().unwrap(),
                StsFetch::Failed(StsFetchError::Status(404)),
            ),
            (
                "third.example".parse().unwrap(),
                StsFetch::Failed(StsFetchError::MediaType),
            ),
        ],
        manners: Manners {
            pause: Duration::from_secs(1),
            most_at_once: 1,
            most_open: 3,
            helo: "client.example".to_owned(),
        },
        blame: Some(Blame::Ours(OwnTrouble::Clock("a day late".to_owned()))),
    }
}
