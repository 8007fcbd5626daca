//! What of a day would be sent, to whom and when, without sending anything.
//!
//! It asks DNS where reports are wanted, as an attempt does, and builds the report, as an attempt does;
//! it claims nothing, keeps nothing and connects to no collector.

use crate::build::assemble;
use crate::day::{Day, internet_time};
use crate::dispatch::{Progress, Wanted, can_go, due, wanted};
use crate::document::PolicyReport;
use crate::settings::{SettingsError, TlsRptSettings};
use crate::shown::ShownDomain;
use elsinore_net::resolver::SecureResolver;
use serde::Serialize;

/// What would become of one report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// The domain that would be told.
    pub domain: String,
    /// When the next attempt is due, in the form of RFC 3339; absent when there will be none, and when
    /// the store has not drawn its times yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Why nothing would be sent; absent when something would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing: Option<String>,
    /// Where to, as the domain says now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<Addressee>,
    /// The report; absent when none would be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Enclosed>,
    /// What became of it so far; absent when it was not tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// One destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Addressee {
    /// Its URI.
    pub to: String,
    /// Why it would not get the report; absent when it would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not: Option<String>,
}

/// The report that would be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Enclosed {
    /// `report-id`.
    pub id: String,
    /// The name of the file (RFC 8460 §5.1).
    pub file_name: String,
    /// Its octets, compressed.
    pub octets: usize,
    /// Policies that it tells of.
    pub policies: usize,
    /// Sessions that met them.
    pub successes: u64,
    /// Sessions that did not.
    pub failures: u64,
}

/// What would become of the report about `day` to the domain of `shown`. `salt` is the store's
/// ([`Shown::salt`](crate::shown::Shown::salt)).
///
/// # Errors
/// [`SettingsError`] when the settings name no submitter.
pub async fn forecast(
    (day, shown): (Day, &ShownDomain),
    salt: Option<&str>,
    settings: &TlsRptSettings,
    resolver: &dyn SecureResolver,
) -> Result<Forecast, SettingsError> {
    let submitter = settings.submitter()?;
    let mut forecast = Forecast {
        domain: shown.domain.clone(),
        due: None,
        nothing: None,
        destinations: Vec::new(),
        report: None,
        progress: shown.report.clone(),
    };
    let nothing = |mut forecast: Forecast, why: String| {
        forecast.nothing = Some(why);
        Ok(forecast)
    };
    if let Some(progress) = &shown.report
        && let Some(end) = progress.end
    {
        return nothing(forecast, end.sentence().to_owned());
    }
    let first = salt.map(|salt| due(settings, &submitter, day, &shown.domain, salt));
    let next = (shown.report.as_ref().map(|progress| progress.next)).or(first);
    let policy = match wanted(resolver, &shown.domain).await {
        Wanted::Yes(policy) => policy,
        Wanted::No(why) => return nothing(forecast, why.to_string()),
        Wanted::Unknown(why) => {
            forecast.due = next.map(internet_time);
            return nothing(forecast, format!("not known now: {why}"));
        }
    };
    let have_it = (shown.report.as_ref()).map_or(&[][..], |progress| &progress.accepted);
    for destination in &policy.destinations {
        let to = destination.to_string();
        let not = if have_it.contains(&to) {
            Some("it has the report")
        } else if can_go(destination, settings.dkim.is_some()) {
            None
        } else {
            Some("by mail, and without a DKIM key none are sent")
        };
        forecast.destinations.push(Addressee {
            to,
            not: not.map(str::to_owned),
        });
    }
    if !forecast.destinations.iter().any(|one| one.not.is_none()) {
        let why = "no destination that we can send to";
        return nothing(forecast, why.to_owned());
    }
    let values = shown.policies.iter().cloned();
    let policies: Result<Vec<PolicyReport>, _> = values.map(serde_json::from_value).collect();
    let Ok(policies) = policies else {
        let why = "the relay's counts are of another version";
        return nothing(forecast, why.to_owned());
    };
    let salt = salt.unwrap_or_default();
    match assemble((day, &shown.domain), policies, settings, submitter, salt) {
        Ok(Some(built)) => {
            let sums = built.report.policies.iter().map(|policy| policy.summary);
            let (successes, failures) = sums.fold((0_u64, 0_u64), |(good, bad), sum| {
                (
                    good.saturating_add(sum.total_successful_session_count),
                    bad.saturating_add(sum.total_failure_session_count),
                )
            });
            forecast.report = Some(Enclosed {
                id: built.report.report_id.clone(),
                file_name: built.file_name(),
                octets: built.compressed.len(),
                policies: built.report.policies.len(),
                successes,
                failures,
            });
            forecast.due = next.map(internet_time);
            Ok(forecast)
        }
        Ok(None) => nothing(forecast, "nothing was counted".to_owned()),
        Err(error) => nothing(forecast, error.to_string()),
    }
}
