//! MTA-STS and TLS-RPT of the domain, as far as they were looked for.

use super::{lookups, text};
use crate::report::{Sts, TlsRpt};
use crate::sighting::Sighting;
use elsinore_dane::answer::{Answer, Last};
use elsinore_dane::mta_sts::{RecordError, StsFetch, StsPolicy, select};

/// Octets shown of a policy.
const BODY: usize = 8_192;
/// Addresses of reports that are shown.
const ADDRESSES: usize = 20;

fn answer(sighting: &Sighting, index: Option<usize>) -> Option<&Answer> {
    let lookup = sighting.lookups.get(index?)?;
    Some(&lookup.explained.answer)
}

fn failure(answer: &Answer) -> Option<String> {
    match &answer.last {
        Last::Failed(failure) => Some(format!("the lookup failed: {}", failure.status.reason())),
        Last::Data(_) | Last::Denied(_) => None,
    }
}

/// The MTA-STS policy (RFC 8461); `None` when nobody looked.
pub(super) fn sts(sighting: &Sighting) -> Option<Sts> {
    let seen = &sighting.sts;
    let announced = answer(sighting, seen.lookup);
    if announced.is_none() && seen.policy.is_none() && seen.fetch.is_none() {
        return None;
    }
    let mut sts = Sts {
        lookup: seen.lookup,
        id: None,
        mode: None,
        max_age_s: None,
        mx: Vec::new(),
        body: None,
        error: None,
    };
    if let Some(answer) = announced {
        match select(lookups::texts(answer)) {
            Ok(record) => sts.id = Some(text::line(&record.id)),
            Err(RecordError::Absent) => sts.error = failure(answer),
            Err(error @ (RecordError::Several(_) | RecordError::Malformed(_))) => {
                sts.error = Some(error.to_string());
            }
        }
    }
    let fetched = match &seen.fetch {
        Some(StsFetch::Fetched(body)) => {
            sts.body = Some(text::lines(body, BODY));
            match StsPolicy::parse(body) {
                Ok(policy) => Some(policy),
                Err(error) => {
                    sts.error = Some(error.to_string());
                    None
                }
            }
        }
        Some(StsFetch::Failed(error)) => {
            sts.error = Some(error.to_string());
            None
        }
        None => None,
    };
    let in_force = seen.policy.as_ref().map(|cached| &cached.policy);
    if let Some(policy) = fetched.as_ref().or(in_force) {
        sts.mode = Some(policy.mode.word().to_owned());
        sts.max_age_s = Some(policy.max_age);
        sts.mx = (policy.mx.iter().take(text::MANY))
            .map(|pattern| text::line(&pattern.to_string()))
            .collect();
    }
    sts.error = sts.error.map(|error| text::line(&error));
    Some(sts)
}

/// The TLS-RPT record (RFC 8460 §3); `None` when nobody looked.
pub(super) fn tls_rpt(sighting: &Sighting) -> Option<TlsRpt> {
    let answer = answer(sighting, sighting.sts.tls_rpt_lookup)?;
    let mut report = TlsRpt {
        lookup: sighting.sts.tls_rpt_lookup,
        record: None,
        rua: Vec::new(),
        error: failure(answer).map(|error| text::line(&error)),
    };
    let all = lookups::texts(answer);
    let mut candidates = all.iter().filter(|text| text.starts_with(b"v=TLSRPTv1;"));
    match (candidates.next(), candidates.count()) {
        (None, _) => {}
        (Some(record), 0) => {
            report.record = Some(text::record(&String::from_utf8_lossy(record)));
            report.rua = addresses(record);
            if report.rua.is_empty() {
                report.error = Some("there is no address to send reports to".to_owned());
            } else if let Some(odd) = report.rua.iter().find(|one| !is_destination(one)) {
                report.error = Some(format!("neither mailto: nor https: {odd}"));
            }
        }
        // RFC 8460 §3: then none is used.
        (Some(_), further) => {
            report.error = Some(format!("{} records where one is allowed", further + 1));
        }
    }
    Some(report)
}

fn is_destination(address: &str) -> bool {
    let lower = address.to_ascii_lowercase();
    lower.starts_with("mailto:") || lower.starts_with("https://")
}

fn addresses(record: &[u8]) -> Vec<String> {
    let record = String::from_utf8_lossy(record);
    let fields = record.split(';').map(str::trim);
    let values = fields.filter_map(|field| {
        let (name, value) = field.split_once('=')?;
        (name.trim() == "rua").then_some(value)
    });
    let addresses = values.flat_map(|value| value.split(',')).map(str::trim);
    addresses
        .filter(|one| !one.is_empty())
        .take(ADDRESSES)
        .map(text::line)
        .collect()
}
