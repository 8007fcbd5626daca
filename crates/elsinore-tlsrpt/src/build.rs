//! A report from the counts of a day (RFC 8460 §4), and the names it goes by (§5.1, §5.3).

use crate::count::Detail;
use crate::day::{Day, internet_time};
use crate::document::{DateRange, FailureDetail, Policy, PolicyReport, Report, Summary};
use crate::settings::TlsRptSettings;
use crate::tally::DomainDay;
use elsinore_dane::name::DomainName;
use flate2::Compression;
use flate2::write::GzEncoder;
use openssl::sha::sha256;
use std::io::{self, Write};

/// Kinds of failure that one report tells.
const DETAILS: usize = 10_000;

/// A report ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The document.
    pub report: Report,
    /// The domain that is told.
    pub domain: String,
    /// The domain that tells (RFC 8460 §5.3).
    pub submitter: DomainName,
    /// The day it covers.
    pub day: Day,
    /// The part of the report's name that no other report has: letters and digits.
    pub unique: String,
    /// The document, gzip (RFC 1952).
    pub compressed: Vec<u8>,
}

impl Built {
    /// RFC 8460 §5.1.
    #[must_use]
    pub fn file_name(&self) -> String {
        let Self {
            domain,
            submitter,
            day,
            unique,
            ..
        } = self;
        let (begin, end) = (day.begin(), day.end());
        format!("{submitter}!{domain}!{begin}!{end}!{unique}.json.gz")
    }
}

/// The part of a report's name that is the same whenever it is built again, and another for every
/// day, domain, submitter and store: retries do not look like another report (RFC 8460 §5.3).
#[must_use]
pub fn unique(day: Day, domain: &str, submitter: &DomainName, salt: &str) -> String {
    let digest = sha256(format!("{day} {domain} {submitter} {salt}").as_bytes());
    digest.iter().take(10).map(|o| format!("{o:02x}")).collect()
}

/// Builds the report to `domain` about `day`; `None` when there is nothing to tell. What does not fit
/// into the limit is left out of the details, the rarest first, never out of the sums.
///
/// # Errors
/// The compressor's; it writes into memory.
pub fn build(
    (day, domain): (Day, &str),
    counts: DomainDay,
    settings: &TlsRptSettings,
    submitter: DomainName,
    salt: &str,
) -> io::Result<Option<Built>> {
    assemble((day, domain), policies(counts), settings, submitter, salt)
}

/// The same, of counts that are put in order already.
///
/// # Errors
/// The compressor's; it writes into memory.
pub fn assemble(
    (day, domain): (Day, &str),
    policies: Vec<PolicyReport>,
    settings: &TlsRptSettings,
    submitter: DomainName,
    salt: &str,
) -> io::Result<Option<Built>> {
    let unique = unique(day, domain, &submitter, salt);
    if policies.is_empty() {
        return Ok(None);
    }
    let mut report = Report {
        organization_name: settings.organisation.clone(),
        date_range: DateRange {
            start_datetime: internet_time(day.begin()),
            end_datetime: internet_time(day.end()),
        },
        contact_info: settings.contact.clone(),
        report_id: format!("{day}.{unique}@{submitter}"),
        policies,
    };
    let mut most = DETAILS;
    let mut json = loop {
        for policy in &mut report.policies {
            policy.failure_details.truncate(most);
        }
        let json = report.json();
        if json.len() <= settings.max_octets || most == 0 {
            break json;
        }
        most /= 2;
    };
    if json.len() > settings.max_octets {
        // Policies alone, many and long: their sums are what matters.
        for policy in &mut report.policies {
            policy.policy.policy_string.clear();
            policy.policy.mx_host.clear();
        }
        json = report.json();
    }
    let mut compressor = GzEncoder::new(Vec::new(), Compression::default());
    compressor.write_all(&json)?;
    Ok(Some(Built {
        report,
        domain: domain.to_owned(),
        submitter,
        day,
        unique,
        compressed: compressor.finish()?,
    }))
}

/// The policies of a report, those left out under which nothing was counted.
#[must_use]
pub fn policies(counts: DomainDay) -> Vec<PolicyReport> {
    let counted = counts.policies.into_iter();
    counted
        .filter(|counted| counted.successes > 0 || counted.failures > 0)
        .map(|counted| PolicyReport {
            policy: Policy::from(counted.policy),
            summary: Summary {
                total_successful_session_count: counted.successes,
                total_failure_session_count: counted.failures,
            },
            failure_details: counted.details.into_iter().map(detail).collect(),
        })
        .collect()
}

fn detail((detail, count): (Detail, u64)) -> FailureDetail {
    FailureDetail {
        result_type: detail.result,
        sending_mta_ip: detail.sending_ip,
        receiving_mx_hostname: detail.mx_host,
        receiving_mx_helo: detail.helo,
        receiving_ip: detail.receiving_ip,
        failed_session_count: count,
        failure_reason_code: detail.reason,
    }
}
