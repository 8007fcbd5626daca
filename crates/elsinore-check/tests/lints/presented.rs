//! Sessions and certificates.

use crate::scene::{Row, Scene, hold};
use elsinore_check::lint::catalogue::{certificate, session};
use elsinore_check::report::{MatchedAt, Offer, SessionState};
use elsinore_check::sighting::{AddressSighting, HostSighting, SessionSighting, StartTlsSeen};
use elsinore_net::tls::{Backend, KeyProof};

pub(crate) const ROWS: &[Row] = &[
    (
        &certificate::TLSA_NO_MATCH,
        |scene| {
            scene.refuse(0, 0);
            scene.refuse(0, 1);
        },
        // It says nothing about the server.
        |scene| {
            scene.refuse(0, 0);
            scene.refuse(0, 1);
            for address in 0..2 {
                for session in scene.sessions(0, address) {
                    session.inconclusive = Some("out of time".to_owned());
                }
            }
        },
    ),
    (
        &certificate::ADDRESSES_DIFFER,
        |scene| scene.refuse(0, 1),
        |scene| {
            scene.refuse(0, 0);
            scene.refuse(0, 1);
        },
    ),
    (
        &certificate::ALGORITHM_UNMATCHED,
        |scene| scene.sessions(0, 0)[1].state = SessionState::Refused,
        |scene| scene.sessions(0, 0)[1].state = SessionState::NoSuchCertificate,
    ),
    (
        &certificate::CERTIFICATES_VARY,
        |scene| {
            let other = scene.report.hosts[1].addresses[0].sessions[0].chain.clone();
            scene.sessions(0, 1)[0].chain = other;
        },
        |_| {},
    ),
    (
        &certificate::EXPIRED_HARMLESS,
        expired,
        // Under usage 2 the date does matter.
        |scene| {
            expired(scene);
            scene.host(0).tlsa[0].usage = Some(2);
        },
    ),
    (
        &certificate::CERTIFICATE_ENDS_SOON,
        // MTA-STS depends on it.
        |scene| {
            let leaf = scene.leaf();
            let end = scene.report.began_at + 5 * 86_400;
            scene.certificate(&leaf).not_after_at = Some(end);
        },
        // Nobody does: usage 3, and no policy.
        |scene| {
            let leaf = scene.leaf();
            let end = scene.report.began_at + 5 * 86_400;
            scene.certificate(&leaf).not_after_at = Some(end);
            for outlook in &mut scene.report.senders[1].hosts {
                outlook.obligation = "may".to_owned();
            }
        },
    ),
    (
        &certificate::CHAIN_SHA1,
        |scene| {
            let leaf = scene.leaf();
            scene.certificate(&leaf).signature_algorithm = "sha1WithRSAEncryption".to_owned();
        },
        // Nobody checks the signature of a root over itself.
        |scene| {
            let leaf = scene.leaf();
            let certificate = scene.certificate(&leaf);
            certificate.signature_algorithm = "sha1WithRSAEncryption".to_owned();
            certificate.self_issued = true;
        },
    ),
    (
        &certificate::KEY_SHORT,
        |scene| {
            let key = scene.sessions(0, 0)[1].chain[0].clone();
            scene.certificate(&key).key_bits = 1024;
        },
        // 256 bits are many for an elliptic curve.
        |scene| {
            let leaf = scene.leaf();
            scene.certificate(&leaf).key_bits = 256;
        },
    ),
    (
        &session::TLSA_WITHOUT_STARTTLS,
        |scene| scene.sessions(0, 0)[0].state = SessionState::NoTls,
        // Nobody promised TLS.
        |scene| {
            scene.sessions(0, 0)[0].state = SessionState::Cleartext;
            scene.host(0).tlsa.clear();
            scene.report.senders[1].hosts[0].obligation = "may".to_owned();
        },
    ),
    (
        &session::TLSA_WITHOUT_STARTTLS,
        |scene| scene.sessions(0, 0)[0].state = SessionState::NoTls,
        // Our address is on a list of theirs.
        |scene| {
            scene.sessions(0, 0)[0].state = SessionState::NoTls;
            scene.sessions(0, 0)[0].inconclusive = Some("blocked".to_owned());
        },
    ),
    (
        &session::TLS_FAILS,
        |scene| scene.sessions(0, 0)[0].state = SessionState::HandshakeFailed,
        |scene| scene.sessions(0, 0)[0].state = SessionState::NoGreeting,
    ),
    (
        &session::SNI_DEPENDENT,
        |scene| without_name(scene, SessionState::Refused),
        |scene| without_name(scene, SessionState::Met),
    ),
    (
        &session::TLS_OLD,
        |scene| scene.sessions(0, 0)[0].tls.as_mut().unwrap().version = "TLSv1.1".to_owned(),
        |scene| scene.sessions(0, 0)[0].tls.as_mut().unwrap().version = "TLSv1.2".to_owned(),
    ),
    (
        &session::TEXT_BEFORE_TLS,
        |scene| injected(scene, true),
        |scene| injected(scene, false),
    ),
];

fn expired(scene: &mut Scene) {
    let leaf = scene.leaf();
    let end = scene.report.began_at - 86_400;
    scene.certificate(&leaf).not_after_at = Some(end);
}

/// One more session, without a server name, that comes to another certificate.
fn without_name(scene: &mut Scene, state: SessionState) {
    let mut session = scene.sessions(0, 0)[0].clone();
    session.offer = Offer::NoName;
    session.sni = None;
    session.state = state;
    session.matched = (state == SessionState::Met).then_some(MatchedAt {
        record: 0,
        depth: 0,
        name: None,
    });
    session.chain = scene.report.hosts[1].addresses[0].sessions[0].chain.clone();
    scene.sessions(0, 0).push(session);
}

fn injected(scene: &mut Scene, injected: bool) {
    let session = SessionSighting {
        offer: Offer::Sender,
        sni: None,
        backend: Backend::Rustls,
        no_connection: None,
        greeting: None,
        starttls: StartTlsSeen::Accepted,
        capabilities: Vec::new(),
        capabilities_inside: Vec::new(),
        injected,
        tls: None,
        chain: Vec::new(),
        key_proof: KeyProof::Missing,
        tls_failure: None,
        no_such_certificate: false,
        failure: None,
        inconclusive: None,
        findings: Vec::new(),
        transcript: Vec::new(),
        connect_ms: None,
        handshake_ms: None,
        elapsed_ms: 0,
    };
    scene.sighting.hosts.push(HostSighting {
        mx_host: "mx1.example.org".to_owned(),
        name: None,
        zone: None,
        address_lookups: Vec::new(),
        tlsa_lookups: Vec::new(),
        addresses: vec![AddressSighting {
            address: "192.0.2.1".parse().unwrap(),
            sessions: vec![session],
            verdicts: Vec::new(),
        }],
    });
}

#[test]
fn sessions_and_certificates() {
    hold(ROWS);
}
