//! Lints about the SMTP session and TLS.

use super::catalogue::session as known;
use super::draft::Draft;
use super::view::{View, has_dane, list, recommended, title};
use crate::report::{Host, Offer, SenderKind, Session, SessionState, Severity};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn lints(view: &View<'_>, found: &mut Vec<Draft>) {
    for host in &view.report.hosts {
        without_tls(view, host, found);
        server_name(view, host, found);
        old(view, host, found);
        before_tls(view, host, found);
    }
}

/// Whether anybody insists on TLS at the host.
fn promises_tls(view: &View<'_>, host: &Host) -> bool {
    let sts = view.sender(SenderKind::StsOnly).is_some_and(|sender| {
        (sender.hosts.iter())
            .any(|one| one.mx_host == host.mx_host && one.obligation.contains("sts"))
    });
    !host.tlsa.is_empty() || sts
}

/// The session that decides at an address: the last rung of the sender's own climb.
fn decisive(sessions: &[Session]) -> Option<&Session> {
    let own = sessions
        .iter()
        .rev()
        .find(|session| session.offer == Offer::Sender)?;
    own.inconclusive.is_none().then_some(own)
}

fn without_tls(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    if !promises_tls(view, host) {
        return;
    }
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut failing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for address in &host.addresses {
        let Some(session) = decisive(&address.sessions) else {
            continue;
        };
        let why = session
            .reason
            .as_deref()
            .or(address.reason.as_deref())
            .unwrap_or("no TLS");
        match session.state {
            SessionState::NoTls | SessionState::Cleartext => {
                missing.entry(why).or_default().push(&address.address);
            }
            SessionState::HandshakeFailed => {
                failing.entry(why).or_default().push(&address.address);
            }
            SessionState::NoConnection
            | SessionState::NoGreeting
            | SessionState::NoSuchCertificate
            | SessionState::Refused
            | SessionState::Met => {}
        }
    }
    for (why, addresses) in missing {
        let evidence = format!("at {}: {why}", list(addresses));
        found.push(
            Draft::new(&known::TLSA_WITHOUT_STARTTLS, &host.mx_host, evidence)
                .paste([s_client(host)]),
        );
    }
    for (why, addresses) in failing {
        let evidence = format!("at {}: {why}", list(addresses));
        found.push(Draft::new(&known::TLS_FAILS, &host.mx_host, evidence).paste([s_client(host)]));
    }
}

fn s_client(host: &Host) -> String {
    let name = &host.mx_host;
    format!("openssl s_client -starttls smtp -connect {name}:25 -servername {name}")
}

/// Another certificate comes under another server name, or without one, and it is not accepted.
fn server_name(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let all = view.met(host);
    let mut told: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut lines = BTreeSet::new();
    for met in &all {
        let name = match met.session.offer {
            Offer::NoName => "without a server name".to_owned(),
            Offer::OtherName => {
                format!(
                    "with the server name {}",
                    met.session.sni.as_deref().unwrap_or("?")
                )
            }
            Offer::Sender | Offer::Rsa | Offer::Ecdsa => continue,
        };
        let same_address = |other: &&super::view::Met<'_>| {
            other.address.address == met.address.address && other.session.offer == Offer::Sender
        };
        let Some(own) = all.iter().find(same_address) else {
            continue;
        };
        let known = all.iter().any(|other| {
            other.address.address == met.address.address
                && other.leaf_key == met.leaf_key
                && !matches!(other.session.offer, Offer::NoName | Offer::OtherName)
        });
        if own.session.state == SessionState::Met
            && met.session.state == SessionState::Refused
            && !known
            && has_dane(host)
        {
            let evidence = format!("{name}: {}", title(met.leaf));
            told.entry(evidence)
                .or_default()
                .insert(&met.address.address);
            lines.insert(recommended(super::view::base(host), met.leaf));
        }
    }
    for (what, addresses) in told {
        let evidence = format!("{what}, at {}", list(addresses));
        let draft = Draft::new(&known::SNI_DEPENDENT, &host.mx_host, evidence);
        found.push(draft.paste(lines.clone()));
    }
}

fn old(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let mut told: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for address in &host.addresses {
        let version = decisive(&address.sessions).and_then(|session| session.tls.as_ref());
        if let Some(tls) = version
            && matches!(tls.version.as_str(), "TLSv1" | "TLSv1.1")
        {
            told.entry(&tls.version).or_default().push(&address.address);
        }
    }
    for (version, addresses) in told {
        let severity = match promises_tls(view, host) {
            true => Severity::FailsNow,
            false => Severity::Weak,
        };
        let evidence = format!("{version} at {}", list(addresses));
        found.push(Draft::new(&known::TLS_OLD, &host.mx_host, evidence).severity(severity));
    }
}

fn before_tls(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let Some(seen) = view
        .sighting
        .hosts
        .iter()
        .find(|one| one.mx_host == host.mx_host)
    else {
        return;
    };
    let addresses: Vec<String> = (seen.addresses.iter())
        .filter(|address| address.sessions.iter().any(|session| session.injected))
        .map(|address| address.address.to_string())
        .collect();
    if !addresses.is_empty() {
        let evidence = format!("at {}", list(addresses.iter().map(String::as_str)));
        found.push(Draft::new(&known::TEXT_BEFORE_TLS, &host.mx_host, evidence));
    }
}
