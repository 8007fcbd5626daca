//! A session in the form of the sighting.

use crate::report::Offer;
use crate::sighting::{SessionSighting, StartTlsSeen};
use elsinore_dane::ladder::Rung;
use elsinore_net::deliver::{Assessed, Heard, SessionResult, Sounding};
use elsinore_net::tls::{HandshakeTrouble, KeyProof};
use elsinore_smtp::client::{Cause, Event, SessionOutcome};
use elsinore_smtp::ehlo::{Capabilities, SizeLimit};
use std::time::Duration;

/// What was seen in one session; `assessed` is what it comes to under the sender it is shown for.
pub(super) fn sighting(offer: Offer, sounding: &Sounding, assessed: &Assessed) -> SessionSighting {
    let handshake = sounding.handshake();
    let mut seen = SessionSighting {
        offer,
        sni: match sounding.rung {
            Rung::Modern | Rung::Legacy => sounding.sni.clone(),
            Rung::Cleartext => None,
        },
        backend: sounding.backend(),
        no_connection: None,
        greeting: None,
        starttls: StartTlsSeen::NotReached,
        capabilities: Vec::new(),
        capabilities_inside: Vec::new(),
        injected: false,
        tls: handshake.map(|handshake| handshake.facts.clone()),
        chain: handshake.map(|it| it.chain.to_vec()).unwrap_or_default(),
        key_proof: handshake.map_or(KeyProof::Missing, |handshake| handshake.key_proof),
        tls_failure: None,
        no_such_certificate: lacks_certificate(offer, sounding),
        failure: None,
        inconclusive: assessed.inconclusive.as_ref().map(ToString::to_string),
        findings: assessed.findings.clone(),
        transcript: Vec::new(),
        connect_ms: sounding.times.connect.map(milliseconds),
        handshake_ms: sounding.times.handshake.map(milliseconds),
        elapsed_ms: milliseconds(sounding.times.total),
    };
    match &assessed.session {
        Err(trouble) => seen.no_connection = Some(trouble.to_string()),
        Ok(session) => fill(&mut seen, session),
    }
    seen
}

fn fill(seen: &mut SessionSighting, session: &SessionResult) {
    let outcome = &session.outcome;
    seen.greeting = outcome.greeting.as_ref().map(ToString::to_string);
    seen.starttls = starttls(session);
    let (before, inside) = if outcome.inside_tls {
        let before = outcome.offered_before_tls.as_deref();
        (before, outcome.capabilities.as_deref())
    } else {
        (outcome.capabilities.as_deref(), None)
    };
    seen.capabilities = before.map(keywords).unwrap_or_default();
    seen.capabilities_inside = inside.map(keywords).unwrap_or_default();
    let injection = |event: &Event| matches!(event, Event::TextBehindStartTls { .. });
    seen.injected = outcome.events.iter().any(injection);
    seen.tls_failure = session.tls_failure.as_ref().map(ToString::to_string);
    if seen.tls_failure.is_none() {
        seen.failure = outcome.failure.as_ref().map(ToString::to_string);
    }
    let entries = outcome.transcript.entries().iter();
    seen.transcript = entries.map(ToString::to_string).collect();
}

fn starttls(session: &SessionResult) -> StartTlsSeen {
    let outcome: &SessionOutcome = &session.outcome;
    if outcome.inside_tls || session.tls_failure.is_some() {
        return StartTlsSeen::Accepted;
    }
    let refused = outcome.events.iter().find_map(|event| match event {
        Event::StartTlsRefused { reply } => Some(reply.to_string()),
        _ => None,
    });
    if let Some(reply) = refused {
        return StartTlsSeen::Refused(reply);
    }
    if let Some(failure) = &outcome.failure
        && failure.cause == Cause::TlsRefused
    {
        let reply = failure.reply.as_ref().map(ToString::to_string);
        return StartTlsSeen::Refused(reply.unwrap_or_default());
    }
    match &outcome.capabilities {
        Some(offered) if !offered.starttls => StartTlsSeen::NotOffered,
        Some(_) | None => StartTlsSeen::NotReached,
    }
}

/// Whether the handshake was refused for want of a certificate of the one algorithm asked for: an
/// alert, or the end of the agreement. A broken connection says nothing of the kind.
pub(crate) fn lacks_certificate(offer: Offer, sounding: &Sounding) -> bool {
    let one_algorithm = match offer {
        Offer::Rsa | Offer::Ecdsa => true,
        Offer::Sender | Offer::NoName | Offer::OtherName => false,
    };
    let refused = |heard: &Heard| match heard {
        Heard::HandshakeFailed { trouble, .. } => match trouble {
            HandshakeTrouble::Alert | HandshakeTrouble::Protocol => true,
            HandshakeTrouble::Connection(_)
            | HandshakeTrouble::UnrecognisedName
            | HandshakeTrouble::NoCertificate => false,
        },
        Heard::Octets(_)
        | Heard::Handshake(_)
        | Heard::KeyUnproven
        | Heard::LocalTrouble(_)
        | Heard::Lost
        | Heard::TimedOut => false,
    };
    one_algorithm && (sounding.opened.as_ref()).is_ok_and(|heard| heard.iter().any(refused))
}

/// The keywords of an EHLO reply, in a fixed order, then the rest as sent.
fn keywords(offered: &Capabilities) -> Vec<String> {
    let mut words: Vec<String> = [
        (offered.starttls, "STARTTLS"),
        (offered.pipelining, "PIPELINING"),
        (offered.eight_bit_mime, "8BITMIME"),
        (offered.smtp_utf8, "SMTPUTF8"),
        (offered.chunking, "CHUNKING"),
        (offered.binary_mime, "BINARYMIME"),
        (offered.dsn, "DSN"),
        (offered.enhanced_status_codes, "ENHANCEDSTATUSCODES"),
        (offered.require_tls, "REQUIRETLS"),
    ]
    .into_iter()
    .filter(|(is_offered, _)| *is_offered)
    .map(|(_, word)| word.to_owned())
    .collect();
    match offered.size {
        Some(SizeLimit::Octets(octets)) => words.push(format!("SIZE {octets}")),
        Some(SizeLimit::Unlimited | SizeLimit::Malformed) => words.push("SIZE".to_owned()),
        None => {}
    }
    words.extend(offered.others.iter().cloned());
    words
}

/// Whole milliseconds.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
