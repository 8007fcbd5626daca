//! The rules of RFC 8460 §4.4 as a checker of their own, written from its text and sharing nothing with
//! the crate; and that what we build keeps them.

use crate::fixture::{attempt, built, delivery, policy, with_tlsa};
use elsinore_dane::plan::StsStance;
use elsinore_net::deliver::account::{StsAccount, TlsEnd};
use elsinore_net::tls::webpki::WebPkiRefusal;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, Ipv6Addr};

const POLICY_TYPES: [&str; 3] = ["tlsa", "sts", "no-policy-found"];
/// The registry of §6.6.
const RESULT_TYPES: [&str; 11] = [
    "starttls-not-supported",
    "certificate-host-mismatch",
    "certificate-expired",
    "tlsa-invalid",
    "dnssec-invalid",
    "dane-required",
    "certificate-not-trusted",
    "sts-policy-invalid",
    "sts-webpki-invalid",
    "validation-failure",
    "sts-policy-fetch-error",
];

struct Checker {
    faults: Vec<String>,
}

impl Checker {
    fn fault(&mut self, at: &str, what: &str) {
        self.faults.push(format!("{at}: {what}"));
    }

    fn text<'a>(
        &mut self,
        at: &str,
        object: &'a Value,
        member: &str,
        must: bool,
    ) -> Option<&'a str> {
        match object.get(member) {
            Some(Value::String(text)) => return Some(text),
            Some(_) => self.fault(&format!("{at}/{member}"), "not a string"),
            None if must => self.fault(&format!("{at}/{member}"), "missing"),
            None => {}
        }
        None
    }

    fn count(&mut self, at: &str, object: &Value, member: &str) -> u64 {
        let number = object.get(member).and_then(Value::as_u64);
        if number.is_none() {
            self.fault(&format!("{at}/{member}"), "not a count");
        }
        // I-JSON (RFC 7493 §2.2): beyond this numbers are not exact everywhere.
        if number.is_some_and(|number| number > (1 << 53) - 1) {
            self.fault(&format!("{at}/{member}"), "too large for I-JSON");
        }
        number.unwrap_or(0)
    }

    fn only(&mut self, at: &str, object: &Value, known: &[&str]) {
        let Some(members) = object.as_object() else {
            self.fault(at, "not an object");
            return;
        };
        for member in members.keys() {
            if !known.contains(&member.as_str()) {
                self.fault(&format!("{at}/{member}"), "unknown");
            }
        }
    }

    fn domain(&mut self, at: &str, text: &str, wildcard: bool) {
        let text = if wildcard {
            text.strip_prefix("*.").unwrap_or(text)
        } else {
            text
        };
        let label = |label: &str| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
            !label.is_empty() && label.len() <= 63 && label.chars().all(plain)
        };
        if text.len() > 253 || !text.split('.').all(label) {
            self.fault(at, "not a domain in A-labels");
        }
    }

    fn ip(&mut self, at: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        let v4: Result<Ipv4Addr, _> = text.parse();
        let v6: Result<Ipv6Addr, _> = text.parse();
        // RFC 5952: one form, in lower case, and the standard library writes it.
        if v4.is_err() && !v6.is_ok_and(|v6| v6.to_string() == text) {
            self.fault(at, "not an IP address in canonical form");
        }
    }

    fn strings<'a>(&mut self, at: &str, value: &'a Value) -> Vec<&'a str> {
        let Some(array) = value.as_array() else {
            self.fault(at, "not an array");
            return Vec::new();
        };
        if array.iter().any(|one| !one.is_string()) {
            self.fault(at, "not an array of strings");
        }
        array.iter().filter_map(Value::as_str).collect()
    }

    fn date_time(&mut self, at: &str, text: Option<&str>) -> String {
        let text = text.unwrap_or_default();
        // RFC 3339 §5.6; a whole day in UTC (RFC 8460 §4.1).
        let shape: String = text
            .chars()
            .map(|c| if c.is_ascii_digit() { '9' } else { c })
            .collect();
        if shape != "9999-99-99T99:99:99Z" {
            self.fault(at, "not a date-time in UTC");
        }
        text.to_owned()
    }

    fn policy(&mut self, at: &str, entry: &Value) {
        self.only(at, entry, &["policy", "summary", "failure-details"]);
        let policy = &entry["policy"];
        let at_policy = format!("{at}/policy");
        self.only(
            &at_policy,
            policy,
            &["policy-type", "policy-string", "policy-domain", "mx-host"],
        );
        let kind = self
            .text(&at_policy, policy, "policy-type", true)
            .unwrap_or_default();
        if !POLICY_TYPES.contains(&kind) {
            self.fault(&at_policy, "unknown policy-type");
        }
        if let Some(domain) = self.text(&at_policy, policy, "policy-domain", true) {
            self.domain(&at_policy, domain, false);
        }
        if let Some(strings) = policy.get("policy-string") {
            for one in self.strings(&at_policy, strings) {
                let good = match kind {
                    // §4.5: four fields, no blanks within them.
                    "tlsa" => {
                        let fields: Vec<&str> = one.split(' ').collect();
                        let number = |field: &str| field.parse::<u8>().is_ok();
                        fields.len() == 4
                            && fields[..3].iter().all(|field| number(field))
                            && !fields[3].is_empty()
                            && fields[3].chars().all(|c| c.is_ascii_hexdigit())
                    }
                    "sts" => !one.is_empty() && !one.contains(['\r', '\n']),
                    _ => false,
                };
                if !good {
                    self.fault(&at_policy, "policy-string");
                }
            }
        }
        if let Some(hosts) = policy.get("mx-host") {
            if kind != "sts" {
                self.fault(&at_policy, "mx-host without an MTA-STS policy");
            }
            for host in self.strings(&at_policy, hosts) {
                self.domain(&at_policy, host, true);
            }
        }
        let at_summary = format!("{at}/summary");
        let summary = &entry["summary"];
        let (good, bad) = (
            "total-successful-session-count",
            "total-failure-session-count",
        );
        self.only(&at_summary, summary, &[good, bad]);
        let good = self.count(&at_summary, summary, good);
        let bad = self.count(&at_summary, summary, bad);
        if good + bad == 0 {
            self.fault(&at_summary, "nothing was counted");
        }
        let details = match entry.get("failure-details") {
            None => &Vec::new(),
            Some(details) => details.as_array().expect("an array"),
        };
        let mut told = 0;
        for detail in details {
            told += self.detail(&format!("{at}/failure-details"), detail);
        }
        // §4: kinds of failure may overlap; every failed session has one.
        if told < bad || (bad == 0 && told > 0) {
            self.fault(at, "details do not add up");
        }
    }

    fn detail(&mut self, at: &str, detail: &Value) -> u64 {
        self.only(
            at,
            detail,
            &[
                "result-type",
                "sending-mta-ip",
                "receiving-mx-hostname",
                "receiving-mx-helo",
                "receiving-ip",
                "failed-session-count",
                "additional-information",
                "failure-reason-code",
            ],
        );
        let result = self
            .text(at, detail, "result-type", true)
            .unwrap_or_default();
        if !RESULT_TYPES.contains(&result) {
            self.fault(at, "unknown result-type");
        }
        let sending = self.text(at, detail, "sending-mta-ip", false);
        self.ip(at, sending);
        let receiving = self.text(at, detail, "receiving-ip", false);
        self.ip(at, receiving);
        if let Some(host) = self.text(at, detail, "receiving-mx-hostname", false) {
            self.domain(at, host, false);
        }
        self.text(at, detail, "receiving-mx-helo", false);
        let reason = self.text(at, detail, "failure-reason-code", false);
        // §4.3.1, §4.3.3: these two say why.
        if matches!(result, "validation-failure" | "certificate-not-trusted") && reason.is_none() {
            self.fault(at, "no failure-reason-code");
        }
        if reason.is_some_and(|reason| reason.len() > 200 || reason.chars().any(char::is_control)) {
            self.fault(at, "failure-reason-code is not short");
        }
        self.count(at, detail, "failed-session-count")
    }
}

/// What breaks a rule in a report of ours.
pub(crate) fn faults(report: &Value) -> Vec<String> {
    let mut checker = Checker { faults: Vec::new() };
    let members = [
        "organization-name",
        "date-range",
        "contact-info",
        "report-id",
        "policies",
    ];
    checker.only("", report, &members);
    checker.text("", report, "organization-name", true);
    let range = &report["date-range"];
    checker.only("/date-range", range, &["start-datetime", "end-datetime"]);
    let start = checker.text("/date-range", range, "start-datetime", true);
    let start = checker.date_time("/date-range", start);
    let end = checker.text("/date-range", range, "end-datetime", true);
    let end = checker.date_time("/date-range", end);
    if start.get(10..) != Some("T00:00:00Z")
        || end.get(10..) != Some("T23:59:59Z")
        || start.get(..10) != end.get(..10)
    {
        checker.fault("/date-range", "not one day in UTC");
    }
    let contact = checker
        .text("", report, "contact-info", true)
        .unwrap_or_default();
    let (local, domain) = contact.rsplit_once('@').unwrap_or_default();
    if local.is_empty() {
        checker.fault("/contact-info", "not an address");
    }
    checker.domain("/contact-info", domain, false);
    if checker.text("", report, "report-id", true) == Some("") {
        checker.fault("/report-id", "empty");
    }
    match report["policies"].as_array() {
        Some(policies) if !policies.is_empty() => {
            for (index, entry) in policies.iter().enumerate() {
                checker.policy(&format!("/policies/{index}"), entry);
            }
        }
        Some(_) | None => checker.fault("/policies", "not an array with something in it"),
    }
    checker.faults
}

fn document(report: &elsinore_net::deliver::SendReport) -> Value {
    serde_json::from_slice(&built(report).report.json()).unwrap()
}

#[test]
fn what_is_built_keeps_them() {
    let none = StsAccount::None;
    let mut testing = attempt(TlsEnd::Established);
    testing.account.sts = StsStance::TestingUnlisted;
    testing.account.webpki = Some(Err(WebPkiRefusal::NotTrusted));
    let mut v6 = with_tlsa(attempt(TlsEnd::NotOffered), false);
    v6.mx_address = Some("2001:db8::25".parse().unwrap());
    for report in [
        delivery(none.clone(), Vec::new(), vec![attempt(TlsEnd::Established)]),
        delivery(none, Vec::new(), vec![v6, attempt(TlsEnd::LostInside)]),
        delivery(policy("testing"), Vec::new(), vec![testing]),
    ] {
        let value = document(&report);
        assert_eq!(faults(&value), Vec::<String>::new(), "{value}");
    }
}

#[test]
fn the_checker_sees_faults() {
    let attempts = vec![with_tlsa(attempt(TlsEnd::NotOffered), true)];
    let good = document(&delivery(StsAccount::None, Vec::new(), attempts));
    assert_eq!(faults(&good), Vec::<String>::new());
    for (pointer, value) in [
        ("/organization-name", json!(1)),
        ("/date-range/start-datetime", json!("2025-11-22")),
        ("/date-range/end-datetime", json!("2025-11-23T23:59:59Z")),
        ("/contact-info", json!("nobody")),
        ("/policies", json!([])),
        ("/policies/0/policy/policy-type", json!("dane")),
        ("/policies/0/policy/policy-string", json!("3 1 1 aa")),
        ("/policies/0/policy/policy-string/0", json!("3 1 1 aa bb")),
        ("/policies/0/policy/policy-domain", json!("Example.ORG")),
        (
            "/policies/0/summary/total-failure-session-count",
            json!("1"),
        ),
        ("/policies/0/summary/total-failure-session-count", json!(2)),
        (
            "/policies/0/failure-details/0/result-type",
            json!("validation-failure"),
        ),
        (
            "/policies/0/failure-details/0/result-type",
            json!("failure"),
        ),
        (
            "/policies/0/failure-details/0/receiving-ip",
            json!("2001:DB8::1"),
        ),
        (
            "/policies/0/failure-details/0/failed-session-count",
            json!(-1),
        ),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value.clone();
        assert_ne!(faults(&bad), Vec::<String>::new(), "{pointer} {value}");
    }
}
