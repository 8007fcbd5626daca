//! Lints about MTA-STS and TLS-RPT.

use super::catalogue::domain as known;
use super::draft::Draft;
use super::view::{View, has_dane};
use crate::publish::moment::length;
use crate::report::{AnswerKind, SenderKind, SenderOutcome, Severity, Sts};
use elsinore_dane::mta_sts::{MxPattern, StsFetch, StsFetchError};
use elsinore_dane::name::DomainName;
use jiff::Timestamp;

/// A policy that is kept for less is forgotten between two messages (RFC 8461 §3.2 expects weeks).
const SHORT: u32 = 604_800;

pub(super) fn lints(view: &View<'_>, found: &mut Vec<Draft>) {
    tls_rpt(view, found);
    disagree(view, found);
    host_fails(view, found);
    let Some(sts) = &view.report.sts else {
        return;
    };
    record(view, sts, found);
    let Some(mode) = sts.mode.as_deref().filter(|mode| *mode != "none") else {
        return;
    };
    unlisted(view, sts, mode, found);
    if mode == "testing" {
        let evidence = "mode: testing";
        found.push(Draft::new(
            &known::STS_TESTING_ONLY,
            &view.report.domain,
            evidence,
        ));
    }
    if let Some(age) = sts.max_age_s.filter(|age| *age < SHORT) {
        let evidence = format!("max_age: {age} ({})", length(i64::from(age)));
        found.push(
            Draft::new(&known::STS_MAX_AGE_SHORT, &view.report.domain, evidence)
                .paste(["max_age: 1209600".to_owned(), new_id(view)]),
        );
    }
}

/// The TXT record with a fresh `id`, which tells senders to fetch the policy anew.
fn new_id(view: &View<'_>) -> String {
    let text = Timestamp::from_second(view.now()).map_or_else(
        |_| "1".to_owned(),
        |moment| {
            moment
                .to_string()
                .chars()
                .filter(char::is_ascii_digit)
                .collect()
        },
    );
    format!(
        "_mta-sts.{}. 3600 IN TXT \"v=STSv1; id={text};\"",
        view.report.domain
    )
}

fn record(view: &View<'_>, sts: &Sts, found: &mut Vec<Draft>) {
    let Some(error) = &sts.error else {
        return;
    };
    let announced = (view.lookup(sts.lookup)).is_some_and(|lookup| lookup.kind == AnswerKind::Data);
    match &sts.id {
        None if announced => {
            let subject = format!("_mta-sts.{}", view.report.domain);
            found.push(Draft::new(&known::STS_RECORD_UNFIT, &subject, error).paste([new_id(view)]));
        }
        Some(_) if policy_is_theirs(view) => {
            let subject = format!("mta-sts.{}", view.report.domain);
            let url = format!("https://{subject}/.well-known/mta-sts.txt");
            let draft = Draft::new(&known::STS_POLICY_UNFIT, &subject, error);
            found.push(draft.paste([format!("curl -sv {url}")]));
        }
        Some(_) | None => {}
    }
}

/// Whether what stands in the way of the policy is known to lie with them: an answer that is no
/// policy, or a certificate. No connection may be ours.
fn policy_is_theirs(view: &View<'_>) -> bool {
    match &view.sighting.sts.fetch {
        Some(StsFetch::Failed(
            StsFetchError::Certificate(_)
            | StsFetchError::Tls(_)
            | StsFetchError::Status(_)
            | StsFetchError::MediaType
            | StsFetchError::TooLarge
            | StsFetchError::Http(_),
        )) => true,
        Some(StsFetch::Failed(StsFetchError::Dns(_))) => !view.dns_is_ours(),
        Some(StsFetch::Failed(
            StsFetchError::Connect(_)
            | StsFetchError::Timeout
            | StsFetchError::Throttled
            | StsFetchError::Disabled,
        ))
        | None => false,
        Some(StsFetch::Fetched(_)) => true,
    }
}

fn unlisted(view: &View<'_>, sts: &Sts, mode: &str, found: &mut Vec<Draft>) {
    let patterns: Vec<MxPattern> = (sts.mx.iter())
        .filter_map(|text| MxPattern::parse(text).ok())
        .collect();
    if patterns.is_empty() {
        return;
    }
    for host in &view.report.hosts {
        let Ok(name) = DomainName::parse(&host.mx_host) else {
            continue;
        };
        if patterns.iter().any(|pattern| pattern.matches(&name)) {
            continue;
        }
        let evidence = format!("mode: {mode}; mx: {}", sts.mx.join(", "));
        let draft = Draft::new(&known::STS_MX_UNLISTED, &host.mx_host, evidence);
        let draft = match mode {
            "enforce" => draft,
            _ => draft.severity(Severity::Weak),
        };
        found.push(draft.paste([format!("mx: {}", host.mx_host), new_id(view)]));
    }
}

/// Hosts that a sender that knows MTA-STS only cannot authenticate.
fn host_fails(view: &View<'_>, found: &mut Vec<Draft>) {
    let Some(sender) = view.sender(SenderKind::StsOnly) else {
        return;
    };
    for (host, outlook) in view.report.hosts.iter().zip(&sender.hosts) {
        if outlook.failed == 0 || !outlook.obligation.contains("sts") {
            continue;
        }
        let seen = view
            .sighting
            .hosts
            .iter()
            .find(|one| one.mx_host == host.mx_host);
        let reasons: Vec<String> = seen
            .into_iter()
            .flat_map(|seen| &seen.addresses)
            .filter_map(|address| {
                let verdict = (address.verdicts.iter())
                    .find(|verdict| verdict.kind == SenderKind::StsOnly)?;
                let failure = verdict.failure.as_ref()?;
                verdict
                    .inconclusive
                    .is_none()
                    .then(|| format!("[{}] {failure}", address.address))
            })
            .collect();
        let evidence = match reasons.is_empty() {
            true => format!("at {} of its addresses", outlook.failed),
            false => super::view::list(reasons.iter().map(String::as_str)),
        };
        found.push(
            Draft::new(&known::STS_HOST_FAILS, &host.mx_host, evidence)
                .paste([format!("certbot certonly --reuse-key -d {}", host.mx_host)]),
        );
    }
}

/// One kind of sender delivers and the other does not, and neither for want of knowledge.
fn disagree(view: &View<'_>, found: &mut Vec<Draft>) {
    let (Some(dane), Some(sts)) = (
        view.sender(SenderKind::Dane),
        view.sender(SenderKind::StsOnly),
    ) else {
        return;
    };
    // Without an enforced policy the other sender promises nothing that could be broken: then it
    // is DANE alone that fails, and other findings say why.
    let enforced =
        (view.report.sts.as_ref()).is_some_and(|sts| sts.mode.as_deref() == Some("enforce"));
    if !enforced {
        return;
    }
    let delivers = |outcome| outcome == SenderOutcome::Delivered;
    if delivers(dane.outcome) == delivers(sts.outcome) {
        return;
    }
    let failing = match delivers(dane.outcome) {
        true => sts,
        false => dane,
    };
    if failing.hosts.iter().any(|host| host.inconclusive > 0) || view.dns_is_ours() {
        return;
    }
    let (who, other) = match failing.kind {
        SenderKind::Dane => ("a DANE sender", "one that knows MTA-STS only"),
        SenderKind::StsOnly | SenderKind::Opportunistic => {
            ("a sender that knows MTA-STS only", "a DANE sender")
        }
    };
    let reason = failing
        .reason
        .as_deref()
        .unwrap_or("no host meets its obligation");
    let evidence = format!("{who} cannot deliver ({reason}), {other} can");
    found.push(Draft::new(
        &known::DANE_AND_STS_DISAGREE,
        &view.report.domain,
        evidence,
    ));
}

fn tls_rpt(view: &View<'_>, found: &mut Vec<Draft>) {
    let Some(rpt) = &view.report.tls_rpt else {
        return;
    };
    let name = format!("_smtp._tls.{}", view.report.domain);
    let line = format!(
        "{name}. 3600 IN TXT \"v=TLSRPTv1; rua=mailto:tls-reports@{}\"",
        view.report.domain
    );
    let Some(lookup) = view.lookup(rpt.lookup) else {
        return;
    };
    match (lookup.kind, &rpt.record, &rpt.error) {
        (AnswerKind::Failed, ..) => {}
        (_, _, Some(error)) => {
            found.push(Draft::new(&known::TLS_RPT_INVALID, &name, error).paste([line]));
        }
        (AnswerKind::Data, None, None)
            if (lookup.records.iter()).any(|text| text.contains("TLSRPT")) =>
        {
            let evidence = "the record does not begin with v=TLSRPTv1;";
            found.push(Draft::new(&known::TLS_RPT_INVALID, &name, evidence).paste([line]));
        }
        (_, None, None) => {
            let dane = view.report.hosts.iter().any(has_dane);
            let mode = view.report.sts.as_ref().and_then(|sts| sts.mode.as_deref());
            let sts = matches!(mode, Some("enforce" | "testing"));
            if dane || sts {
                let what = match (dane, sts) {
                    (true, true) => "TLSA records and an MTA-STS policy",
                    (true, false) => "TLSA records",
                    (false, _) => "an MTA-STS policy",
                };
                let evidence = format!("the domain has {what} and no TLS-RPT record");
                found.push(Draft::new(&known::TLS_RPT_MISSING, &name, evidence).paste([line]));
            }
        }
        (_, Some(_), None) => {}
    }
}
