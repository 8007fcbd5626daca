//! Addresses, sessions and certificates of one host.

use super::super::remedy::Matter;
use super::super::{
    Branch, Card, ChipWire, Mark, Node, NodeKind, SessionLane, date, remedy, wording,
};
use super::{come_to, letter};
use crate::report::{
    Address, AddressState, Certificate, Host, KeyKind, Offer, Report, Session, SessionState,
};
use std::collections::BTreeSet;

/// Certificates of one chain that are drawn.
const DRAWN: usize = 6;

/// The addresses of a host, those that behave the same together, the first of each in its place.
pub(super) fn branches(report: &Report, at: usize, host: &Host) -> Vec<Branch> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (place, address) in host.addresses.iter().enumerate() {
        let alike = groups.iter_mut().find(|group| {
            (group.first().and_then(|&first| host.addresses.get(first)))
                .is_some_and(|first| behaves_as(first, address))
        });
        match alike {
            Some(group) => group.push(place),
            None => groups.push(vec![place]),
        }
    }
    let mut drawn = BTreeSet::new();
    (groups.iter())
        .filter_map(|group| branch(report, at, host, group, &mut drawn))
        .collect()
}

/// Whether two addresses look the same but for their number and the time things took.
fn behaves_as(one: &Address, other: &Address) -> bool {
    let reason = |address: &Address| {
        (address.reason.as_deref()).map(|reason| reason.replace(&address.address, "@"))
    };
    let sessions = |address: &Address| -> Vec<Session> {
        let plain = |session: &Session| Session {
            reason: (session.reason.as_deref()).map(|reason| reason.replace(&address.address, "@")),
            inconclusive: (session.inconclusive.as_deref())
                .map(|reason| reason.replace(&address.address, "@")),
            transcript: Vec::new(),
            notes: Vec::new(),
            connect_ms: None,
            elapsed_ms: 0,
            ..session.clone()
        };
        address.sessions.iter().map(plain).collect()
    };
    one.state == other.state
        && one.security == other.security
        && reason(one) == reason(other)
        && sessions(one) == sessions(other)
}

fn branch(
    report: &Report,
    at: usize,
    host: &Host,
    group: &[usize],
    drawn: &mut BTreeSet<Vec<String>>,
) -> Option<Branch> {
    let place = *group.first()?;
    let address = host.addresses.get(place)?;
    let (mark, word) = come_to(address);
    let names: Vec<&str> = (group.iter())
        .filter_map(|&one| Some(host.addresses.get(one)?.address.as_str()))
        .collect();
    let (title, mut notes) = match names.as_slice() {
        [one] => ((*one).to_owned(), Vec::new()),
        [one, other] => (format!("{one} and {other}"), Vec::new()),
        all => (
            format!("{} addresses, all alike", all.len()),
            vec![all.join(", ")],
        ),
    };
    let in_the_way = match address.state {
        AddressState::Failed | AddressState::MetInPart => true,
        AddressState::Met | AddressState::Inconclusive | AddressState::NotTried => false,
    };
    let trouble = (address.reason.as_deref())
        .filter(|_| in_the_way)
        .map(|reason| {
            let mut subjects = names.clone();
            subjects.push(&host.mx_host);
            // How a session says that a certificate of a public CA was demanded, and is none.
            let matter = match reason.starts_with("certificate: ") {
                true => Matter::Policy,
                false => Matter::Server,
            };
            remedy::trouble(report, matter, reason, &subjects)
        });
    if let (Some(reason), None) = (&address.reason, &trouble) {
        notes.push(reason.clone());
    }
    Some(Branch {
        node: Node {
            id: format!("host-{at}-address-{place}"),
            anchor: Some(format!("address-{at}-{place}")),
            kind: NodeKind::Addresses,
            mark,
            word,
            title,
            notes,
            trouble,
        },
        sessions: sessions(report, at, host, place, address, drawn),
    })
}

/// The sessions at one address: the climb of the sender is told by its last rung, and offers that
/// met the same are told together.
fn sessions(
    report: &Report,
    at: usize,
    host: &Host,
    place: usize,
    address: &Address,
    drawn: &mut BTreeSet<Vec<String>>,
) -> Vec<SessionLane> {
    let last_rung = (address.sessions.iter()).rposition(|one| one.offer == Offer::Sender);
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (number, session) in address.sessions.iter().enumerate() {
        if session.offer == Offer::Sender && Some(number) != last_rung {
            continue;
        }
        let alike = groups.iter_mut().find(|group| {
            (group.first().and_then(|&first| address.sessions.get(first)))
                .is_some_and(|first| went_as(first, session))
        });
        match alike {
            Some(group) => group.push(number),
            None => groups.push(vec![number]),
        }
    }
    (groups.iter())
        .filter_map(|group| {
            let first = *group.first()?;
            let session = address.sessions.get(first)?;
            let offers: Vec<&str> = (group.iter())
                .filter_map(|&one| Some(wording::offer(address.sessions.get(one)?.offer)))
                .collect();
            let mut node = session_node(session, &offers, address);
            node.id = format!("host-{at}-session-{place}-{first}");
            node.anchor = Some(format!("session-{at}-{place}-{first}"));
            if session.offer == Offer::Sender {
                for rung in (address.sessions.iter()).take(first) {
                    if let (Offer::Sender, Some(reason)) = (rung.offer, &rung.reason) {
                        node.notes.push(format!("before that: {reason}"));
                    }
                }
            }
            let new = session.chain.is_empty() || drawn.insert(session.chain.clone());
            let prefix = format!("host-{at}-certificate-{place}-{first}");
            let certificates = match new {
                true => cards(report, host, address, session, group, &prefix),
                false => {
                    node.notes.push("the same certificates as above".to_owned());
                    Vec::new()
                }
            };
            Some(SessionLane { node, certificates })
        })
        .collect()
}

/// Whether two sessions at one address came to the same, whatever was offered.
fn went_as(one: &Session, other: &Session) -> bool {
    one.state == other.state
        && one.chain == other.chain
        && one.reason == other.reason
        && one.inconclusive == other.inconclusive
        && one.matched == other.matched
        && one.sni == other.sni
        && (one.tls.as_ref()).map(|tls| (&tls.version, &tls.backend))
            == (other.tls.as_ref()).map(|tls| (&tls.version, &tls.backend))
}

fn session_node(session: &Session, offers: &[&str], address: &Address) -> Node {
    let reason_above = address.reason.as_deref();
    let mut notes = Vec::new();
    let (mark, word) = match (session.state, &session.inconclusive) {
        (_, Some(why)) => {
            notes.push(why.clone());
            (Mark::Unknown, "could not tell")
        }
        (SessionState::Met, None) if session.matched.is_some() => (Mark::Good, "matched"),
        // Held for senders that do not know DANE.
        (SessionState::Met, None) if address.state == AddressState::NotTried => {
            (Mark::Plain, "encrypted")
        }
        (SessionState::Met, None) => match address.security.as_deref() {
            Some("encrypted" | "webpki") => (Mark::Weak, "encrypted"),
            _ => (Mark::Good, "met"),
        },
        (SessionState::NoSuchCertificate, None) => (Mark::Plain, "no such certificate"),
        (SessionState::Cleartext, None) => (Mark::Weak, "cleartext"),
        (SessionState::NoConnection, None) => (Mark::Bad, "no connection"),
        (SessionState::NoGreeting, None) => (Mark::Bad, "no greeting"),
        (SessionState::NoTls, None) => (Mark::Bad, "no TLS"),
        (SessionState::HandshakeFailed, None) => (Mark::Bad, "handshake failed"),
        (SessionState::Refused, None) => (Mark::Bad, "refused"),
    };
    // A sender always offers a name, so that its absence breaks nothing.
    let mark = match (session.offer, mark) {
        (Offer::NoName | Offer::OtherName, Mark::Bad) => Mark::Weak,
        (Offer::Sender | Offer::Rsa | Offer::Ecdsa | Offer::NoName | Offer::OtherName, mark) => {
            mark
        }
    };
    let says_more = |reason: &&str| {
        Some(*reason) != reason_above && session.state != SessionState::NoSuchCertificate
    };
    if let Some(reason) = session.reason.as_deref().filter(says_more) {
        notes.push(reason.to_owned());
    }
    let mut title = offers.join(", ");
    if let Some(tls) = &session.tls {
        title = format!("{title}: {}", tls.version);
        if tls.backend == "openssl" {
            title.push_str(" (legacy)");
        }
    }
    if let (Offer::OtherName, Some(sni)) = (session.offer, &session.sni) {
        notes.push(format!("asked for {sni}"));
    }
    Node {
        id: String::new(),
        anchor: None,
        kind: NodeKind::Session,
        mark,
        word: word.to_owned(),
        title,
        notes,
        trouble: None,
    }
}

fn cards(
    report: &Report,
    host: &Host,
    address: &Address,
    session: &Session,
    group: &[usize],
    prefix: &str,
) -> Vec<Card> {
    let offers: Vec<Offer> = (group.iter())
        .filter_map(|&one| Some(address.sessions.get(one)?.offer))
        .collect();
    let mut cards: Vec<Card> = (session.chain.iter().enumerate())
        .take(DRAWN)
        .map(|(depth, key)| {
            let certificate = report.certificates.get(key);
            let wires = wires(host, address, &offers, key);
            let mut node = certificate_node(certificate, key, depth);
            node.id = format!("{prefix}-{depth}");
            node.mark = match wires.iter().map(|wire| wire.accepted).max() {
                Some(true) => Mark::Good,
                Some(false) => Mark::Bad,
                None => Mark::Plain,
            };
            node.word = match node.mark {
                Mark::Good | Mark::Bad => {
                    let letters: Vec<&str> = wires.iter().map(|wire| &*wire.letter).collect();
                    format!("matches {}", letters.join(", "))
                }
                Mark::Plain | Mark::Weak | Mark::Unknown => String::new(),
            };
            Card { node, wires }
        })
        .collect();
    if let (Some(last), true) = (cards.last_mut(), session.chain.len() > DRAWN) {
        let more = session.chain.len() - DRAWN;
        last.node
            .notes
            .push(format!("and {more} more certificates"));
    }
    cards
}

/// The records that match a certificate in these sessions.
fn wires(host: &Host, address: &Address, offers: &[Offer], key: &str) -> Vec<ChipWire> {
    (host.tlsa.iter().enumerate())
        .filter_map(|(place, record)| {
            let here = record.wires.iter().filter(|wire| {
                wire.address == address.address
                    && offers.contains(&wire.offer)
                    && wire.certificate.as_deref() == Some(key)
            });
            let accepted = here.map(|wire| wire.accepted).max()?;
            let letter = letter(place);
            Some(ChipWire { letter, accepted })
        })
        .collect()
}

fn certificate_node(certificate: Option<&Certificate>, key: &str, depth: usize) -> Node {
    let digest: String = key.chars().take(16).collect();
    let Some(certificate) = certificate else {
        return Node {
            id: String::new(),
            anchor: None,
            kind: NodeKind::Certificate,
            mark: Mark::Plain,
            word: String::new(),
            title: format!("certificate {digest}…"),
            notes: Vec::new(),
            trouble: None,
        };
    };
    let kind = match certificate.key {
        KeyKind::Rsa => "RSA",
        KeyKind::Ecdsa => "ECDSA",
        KeyKind::Eddsa => "EdDSA",
        KeyKind::Other => "other key",
    };
    let mut facts = match certificate.key_bits {
        0 => kind.to_owned(),
        bits => format!("{kind} {bits}"),
    };
    if let Some(until) = certificate.not_after_at {
        facts = format!("{facts}, until {}", date(until));
    }
    let says_more =
        certificate.names.len() > 1 || certificate.names.first() != Some(&certificate.subject);
    let says_more = says_more && !certificate.subject.trim().is_empty();
    if let (Some(name), true, true) = (certificate.names.first(), depth == 0, says_more) {
        facts = match certificate.names.len() {
            1 => format!("{facts}, for {name}"),
            more => format!("{facts}, for {name} and {} more", more - 1),
        };
    }
    let subject = match (certificate.subject.trim(), certificate.names.first()) {
        ("", Some(name)) => name,
        ("", None) => "(no name)",
        (subject, _) => subject,
    };
    let by = match certificate.self_issued {
        true => "self-issued".to_owned(),
        false => format!("by {}", certificate.issuer),
    };
    let mut notes = vec![facts];
    notes.extend((certificate.known_ca.as_ref()).map(|name| format!("public CA: {name}")));
    Node {
        id: String::new(),
        anchor: Some(format!("certificate-{digest}")),
        kind: NodeKind::Certificate,
        mark: Mark::Plain,
        word: String::new(),
        title: format!("{depth}: {subject}, {by}"),
        notes,
        trouble: None,
    }
}
