//! What each kind of sender would do, in a sentence.

use super::barrier::{Barrier, owes_sts};
use super::hosts::{obligation, plan_of};
use super::text;
use crate::report::{HostOutlook, Sender, SenderKind, SenderOutcome, State};
use crate::sighting::{HostSighting, RouteSighting, SenderSighting, Sighting};
use elsinore_dane::obligation::Obligation;
use elsinore_net::deliver::{Outcome, SessionSecurity};

/// Every kind of sender that was looked at. `state` is that of the report: where it could not tell,
/// the sentences do not.
pub(super) fn senders(sighting: &Sighting, state: State) -> Vec<Sender> {
    sighting
        .senders
        .iter()
        .map(|seen| sender(sighting, seen, state))
        .collect()
}

fn sender(sighting: &Sighting, seen: &SenderSighting, state: State) -> Sender {
    let end = &seen.end;
    let hosts: Vec<HostOutlook> = sighting
        .hosts
        .iter()
        .map(|host| outlook(sighting, host, seen.kind))
        .collect();
    let outcome = match end.outcome {
        Outcome::Delivered => SenderOutcome::Delivered,
        Outcome::Deferred => SenderOutcome::Deferred,
        Outcome::Bounced => SenderOutcome::Bounced,
    };
    let delivers = outcome == SenderOutcome::Delivered;
    let untold = !delivers
        && (matches!(seen.route, RouteSighting::TimedOut)
            || hosts.iter().any(|host| host.inconclusive > 0)
            || (hosts.is_empty() && state == State::CouldNotTell));
    let reason = (!delivers)
        .then(|| end.reply.as_deref().map(text::line))
        .flatten();
    Sender {
        kind: seen.kind,
        outcome,
        security: end
            .security
            .filter(|_| delivers)
            .map(|word| word.word().to_owned()),
        mx_host: end.mx_host.as_deref().filter(|_| delivers).map(text::line),
        mx_address: end
            .mx_address
            .filter(|_| delivers)
            .map(|address| address.to_string()),
        sentence: sentence(sighting, seen, outcome, untold, reason.as_deref()),
        reason,
        hosts,
    }
}

/// What stops the sender that honours both, over all hosts.
fn barrier(sighting: &Sighting, kind: SenderKind) -> Barrier {
    if kind != SenderKind::Dane {
        return Barrier::Neither;
    }
    let of_host = |host: &HostSighting| match plan_of(sighting, kind, &host.mx_host)
        .map(|plan| &plan.obligation)
    {
        Some(Obligation::Skip(reason)) => Barrier::of_skip(*reason),
        Some(Obligation::Authenticate(owed)) => (host.addresses.iter())
            .flat_map(|address| &address.verdicts)
            .filter(|verdict| verdict.kind == kind)
            .map(|verdict| {
                let (dane, sts) = (owed.dane.is_some(), owes_sts(owed));
                Barrier::of_failure(dane, sts, verdict.failure.as_deref())
            })
            .fold(Barrier::Neither, Barrier::and),
        Some(Obligation::Cleartext | Obligation::Opportunistic | Obligation::Encrypt) | None => {
            Barrier::Neither
        }
    };
    (sighting.hosts.iter())
        .map(of_host)
        .fold(Barrier::Neither, Barrier::and)
}

/// Who that is. Postfix (`smtp_tls_security_level = dane`), Exim (`hosts_try_dane`) and Exchange
/// Online honour DANE for outgoing mail; Gmail honours MTA-STS and does not look for TLSA records.
const fn who(kind: SenderKind) -> &'static str {
    match kind {
        SenderKind::Dane => {
            "A sender that honours DANE, as Postfix and Exim can and Exchange Online does,"
        }
        SenderKind::StsOnly => "A sender that honours MTA-STS and not DANE, such as Gmail,",
        SenderKind::Opportunistic => "A sender that checks nothing, as most servers do by default,",
    }
}

fn sentence(
    sighting: &Sighting,
    seen: &SenderSighting,
    outcome: SenderOutcome,
    untold: bool,
    reason: Option<&str>,
) -> String {
    let who = who(seen.kind);
    if untold {
        return format!(
            "{who} would keep the mail if it saw what was seen from here; what it sees could not be told."
        );
    }
    let reason = reason
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    let (who, stopped) = match (outcome, barrier(sighting, seen.kind)) {
        (SenderOutcome::Deferred | SenderOutcome::Bounced, Barrier::Sts) => (
            "A sender that honours both DANE and MTA-STS, as Exchange Online does,",
            " What stops it is MTA-STS, which a sender that honours DANE alone does not look at.",
        ),
        (SenderOutcome::Deferred | SenderOutcome::Bounced, Barrier::Both) => (
            "A sender that honours both DANE and MTA-STS, as Exchange Online does,",
            " Each of the two stops it.",
        ),
        (SenderOutcome::Deferred | SenderOutcome::Bounced, Barrier::Dane | Barrier::Neither)
        | (SenderOutcome::Delivered, _) => (who, ""),
    };
    match outcome {
        SenderOutcome::Deferred => format!(
            "{who} keeps the mail and tries again, until it returns it after some days{reason}.{stopped}"
        ),
        SenderOutcome::Bounced => format!("{who} returns the mail at once{reason}.{stopped}"),
        SenderOutcome::Delivered => {
            let host = seen
                .end
                .mx_host
                .as_deref()
                .map_or_else(|| "the domain".to_owned(), text::line);
            format!(
                "{who} {}.",
                delivery(&host, sighting.domain.as_str(), seen.end.security)
            )
        }
    }
}

/// What a delivery is worth.
fn delivery(host: &str, domain: &str, security: Option<SessionSecurity>) -> String {
    match security {
        Some(SessionSecurity::Dane) => {
            format!("delivers to {host} and authenticates it by its TLSA records")
        }
        Some(SessionSecurity::DaneInsecureMx) => format!(
            "delivers to {host} and authenticates it by its TLSA records, while nothing shows that it is the host of {domain}"
        ),
        Some(SessionSecurity::Sts) => {
            format!("delivers to {host} and checks its certificate, as the MTA-STS policy demands")
        }
        Some(SessionSecurity::Pinned) => {
            format!("delivers to {host}, whose certificate or key its administrator pinned")
        }
        Some(SessionSecurity::WebPki) => format!(
            "delivers to {host} over TLS; the certificate is valid, though nothing demands it, so an attacker on the way would not be noticed"
        ),
        Some(SessionSecurity::Encrypted) => format!(
            "delivers to {host} over TLS without knowing who it is, so an attacker on the way would not be noticed"
        ),
        Some(SessionSecurity::Plaintext) => {
            format!("delivers to {host} in clear text, which everybody on the way can read")
        }
        None => format!("delivers to {host}"),
    }
}

/// What one kind of sender comes to at one host.
fn outlook(sighting: &Sighting, host: &HostSighting, kind: SenderKind) -> HostOutlook {
    let plan = plan_of(sighting, kind, &host.mx_host);
    let verdicts = host.addresses.iter().flat_map(|address| &address.verdicts);
    let (mut met, mut failed, mut inconclusive) = (0_u32, 0_u32, 0_u32);
    for verdict in verdicts.filter(|verdict| verdict.kind == kind) {
        match (&verdict.security, &verdict.inconclusive) {
            (Some(_), _) => met += 1,
            (None, Some(_)) => inconclusive += 1,
            (None, None) => failed += 1,
        }
    }
    HostOutlook {
        mx_host: text::line(&host.mx_host),
        obligation: obligation(plan),
        skipped: plan.and_then(|plan| match &plan.obligation {
            Obligation::Skip(reason) => Some(reason.word().to_owned()),
            Obligation::Cleartext
            | Obligation::Opportunistic
            | Obligation::Encrypt
            | Obligation::Authenticate(_) => None,
        }),
        met,
        failed,
        inconclusive,
    }
}
