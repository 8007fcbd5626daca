//! The report as it is sent (RFC 8460 §4.4).

use crate::count::AppliedPolicy;
use crate::terms::{PolicyType, ResultType};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Who sends it.
    pub organization_name: String,
    /// The day it covers.
    pub date_range: DateRange,
    /// The address of those who send it.
    pub contact_info: String,
    /// Its unique name.
    pub report_id: String,
    /// What was counted, per policy.
    pub policies: Vec<PolicyReport>,
}

/// The days that a report covers, in the form of RFC 3339 §5.6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DateRange {
    /// The first second.
    pub start_datetime: String,
    /// The last second.
    pub end_datetime: String,
}

/// What was counted under one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyReport {
    /// The policy.
    pub policy: Policy,
    /// The sums.
    pub summary: Summary,
    /// Why sessions failed; absent when none did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failure_details: Vec<FailureDetail>,
}

/// A policy. What is empty is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    /// Its type.
    pub policy_type: PolicyType,
    /// Its records or lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_string: Vec<String>,
    /// Its domain.
    pub policy_domain: String,
    /// Its patterns of MX hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mx_host: Vec<String>,
}

/// The sums of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// Sessions that met the policy.
    pub total_successful_session_count: u64,
    /// Sessions that did not.
    pub total_failure_session_count: u64,
}

/// Sessions that failed in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FailureDetail {
    /// How.
    pub result_type: ResultType,
    /// Our address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sending_mta_ip: Option<IpAddr>,
    /// The name in the MX record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiving_mx_hostname: Option<String>,
    /// The name by which the server answered EHLO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiving_mx_helo: Option<String>,
    /// The address of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiving_ip: Option<IpAddr>,
    /// How many.
    pub failed_session_count: u64,
    /// Why, in one short line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason_code: Option<String>,
}

impl From<AppliedPolicy> for Policy {
    fn from(applied: AppliedPolicy) -> Self {
        Self {
            policy_type: applied.kind,
            policy_string: applied.strings,
            policy_domain: applied.domain,
            mx_host: applied.mx_hosts,
        }
    }
}

impl Report {
    /// The report as I-JSON (RFC 7493), without blanks.
    #[must_use]
    pub fn json(&self) -> Vec<u8> {
        // Strings and numbers alone: nothing in it can fail to be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
