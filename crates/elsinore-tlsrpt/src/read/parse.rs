//! What can be made of JSON that claims to be a report, and what is wrong with it.

use crate::terms::{PolicyType, ResultType};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Policies, and details of all of them together, that are read.
const POLICIES: usize = 1_000;
const DETAILS: usize = 20_000;
/// Strings of one policy.
const STRINGS: usize = 1_000;
/// Characters of one text.
const TEXT: usize = 2_000;
/// Faults that are told.
const FAULTS: usize = 100;

/// A report as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeenReport {
    /// `organization-name`.
    pub organization: Option<String>,
    /// `contact-info`.
    pub contact: Option<String>,
    /// `report-id`.
    pub id: Option<String>,
    /// The first moment covered, in seconds since 1970-01-01T00:00:00Z.
    pub begin: Option<i64>,
    /// The last.
    pub end: Option<i64>,
    /// The policies.
    pub policies: Vec<SeenPolicy>,
    /// What is not as RFC 8460 wants it.
    pub faults: Vec<Fault>,
}

/// What was counted under one policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeenPolicy {
    /// `policy-type`, where it is one that RFC 8460 knows.
    pub kind: Option<PolicyType>,
    /// `policy-type` as it was written.
    pub kind_word: String,
    /// `policy-domain`.
    pub domain: Option<String>,
    /// `policy-string`.
    pub strings: Vec<String>,
    /// `mx-host`.
    pub mx_hosts: Vec<String>,
    /// `total-successful-session-count`.
    pub successes: Option<u64>,
    /// `total-failure-session-count`.
    pub failures: Option<u64>,
    /// `failure-details`.
    pub details: Vec<SeenDetail>,
}

/// Sessions that failed in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeenDetail {
    /// `result-type`, where it is registered.
    pub result: Option<ResultType>,
    /// `result-type` as it was written.
    pub result_word: String,
    /// `failed-session-count`.
    pub count: Option<u64>,
    /// `sending-mta-ip`.
    pub sending_ip: Option<String>,
    /// `receiving-mx-hostname`.
    pub mx_host: Option<String>,
    /// `receiving-mx-helo`.
    pub helo: Option<String>,
    /// `receiving-ip`.
    pub receiving_ip: Option<String>,
    /// `additional-information`.
    pub additional: Option<String>,
    /// `failure-reason-code`.
    pub reason: Option<String>,
}

/// Something that is not as RFC 8460 §4.4 wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, as a JSON pointer (RFC 6901).
    pub at: String,
    /// What, in one line.
    pub what: &'static str,
}

/// The report in `value`; `None` when it is no object with `policies`.
pub(super) fn parse(value: &Value) -> Option<SeenReport> {
    let object = value.as_object()?;
    let policies = object.get("policies")?;
    let mut reader = Reader {
        faults: Vec::new(),
        details: 0,
    };
    let mut report = SeenReport {
        organization: reader.text(object, "", "organization-name", Need::Must),
        contact: reader.text(object, "", "contact-info", Need::Must),
        id: reader.text(object, "", "report-id", Need::Must),
        ..SeenReport::default()
    };
    match object.get("date-range") {
        Some(Value::Object(range)) => {
            report.begin = reader.moment(range, "start-datetime");
            report.end = reader.moment(range, "end-datetime");
            if let (Some(begin), Some(end)) = (report.begin, report.end)
                && end < begin
            {
                reader.fault("/date-range", "it ends before it begins");
            }
        }
        Some(_) => reader.fault("/date-range", "not an object"),
        None => reader.fault("/date-range", "missing"),
    }
    let entries: Vec<&Value> = match policies {
        Value::Array(entries) => entries.iter().take(POLICIES).collect(),
        // One policy where RFC 8460 §4 insists on an array.
        Value::Object(_) => {
            reader.fault("/policies", "an object where an array must be");
            vec![policies]
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            reader.fault("/policies", "not an array");
            Vec::new()
        }
    };
    if policies.as_array().is_some_and(|all| all.len() > POLICIES) {
        reader.fault("/policies", "more than are read");
    }
    for (index, entry) in entries.into_iter().enumerate() {
        let at = format!("/policies/{index}");
        match entry {
            Value::Object(entry) => report.policies.push(reader.policy(entry, &at)),
            _ => reader.fault(&at, "not an object"),
        }
    }
    report.faults = reader.faults;
    Some(report)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Must,
    May,
}

struct Reader {
    faults: Vec<Fault>,
    details: usize,
}

impl Reader {
    fn fault(&mut self, at: &str, what: &'static str) {
        if self.faults.len() < FAULTS {
            let at = at.to_owned();
            self.faults.push(Fault { at, what });
        }
    }

    fn text(
        &mut self,
        object: &Map<String, Value>,
        at: &str,
        member: &str,
        need: Need,
    ) -> Option<String> {
        match object.get(member) {
            Some(Value::String(text)) if text.trim().is_empty() && need == Need::Must => {
                self.fault(&format!("{at}/{member}"), "empty");
                None
            }
            // An empty text says no more than none.
            Some(Value::String(text)) => Some(plain(text)).filter(|text| !text.is_empty()),
            Some(Value::Null) | None => {
                if need == Need::Must {
                    self.fault(&format!("{at}/{member}"), "missing");
                }
                None
            }
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                self.fault(&format!("{at}/{member}"), "not a string");
                None
            }
        }
    }

    fn count(&mut self, object: &Map<String, Value>, at: &str, member: &str) -> Option<u64> {
        let at = format!("{at}/{member}");
        match object.get(member) {
            Some(Value::Number(number)) => {
                let count = number.as_u64();
                if count.is_none() {
                    self.fault(&at, "not a count");
                }
                count
            }
            Some(Value::String(text)) => {
                self.fault(&at, "a string where a number must be");
                text.trim().parse().ok()
            }
            Some(Value::Null) | None => {
                self.fault(&at, "missing");
                None
            }
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                self.fault(&at, "not a count");
                None
            }
        }
    }

    fn moment(&mut self, range: &Map<String, Value>, member: &str) -> Option<i64> {
        let text = self.text(range, "/date-range", member, Need::Must)?;
        match text.parse::<Timestamp>() {
            Ok(stamp) => Some(stamp.as_second()),
            Err(_) => {
                let at = format!("/date-range/{member}");
                self.fault(&at, "not a date and time with its offset (RFC 3339)");
                None
            }
        }
    }

    /// An array of strings; a string alone is taken for one of them.
    fn strings(&mut self, object: &Map<String, Value>, at: &str, member: &str) -> Vec<String> {
        let at = format!("{at}/{member}");
        match object.get(member) {
            Some(Value::Array(all)) => {
                if all.len() > STRINGS {
                    self.fault(&at, "more than are read");
                }
                if !all.iter().all(Value::is_string) {
                    self.fault(&at, "not an array of strings");
                }
                let texts = all.iter().take(STRINGS).filter_map(Value::as_str);
                texts.map(plain).collect()
            }
            Some(Value::String(text)) => {
                self.fault(&at, "a string where an array must be");
                vec![plain(text)]
            }
            Some(Value::Null) | None => Vec::new(),
            Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                self.fault(&at, "not an array of strings");
                Vec::new()
            }
        }
    }

    fn policy(&mut self, entry: &Map<String, Value>, at: &str) -> SeenPolicy {
        let mut seen = SeenPolicy::default();
        let empty = Map::new();
        let at_policy = format!("{at}/policy");
        let policy = match entry.get("policy") {
            Some(Value::Object(policy)) => policy,
            Some(_) => {
                self.fault(&at_policy, "not an object");
                &empty
            }
            None => {
                self.fault(&at_policy, "missing");
                &empty
            }
        };
        if !policy.is_empty() {
            let word = self.text(policy, &at_policy, "policy-type", Need::Must);
            seen.kind_word = word.unwrap_or_default();
            seen.kind = PolicyType::from_word(&seen.kind_word);
            if seen.kind.is_none() && !seen.kind_word.is_empty() {
                self.fault(&format!("{at_policy}/policy-type"), "an unknown type");
            }
            seen.domain = self.text(policy, &at_policy, "policy-domain", Need::Must);
            seen.strings = self.strings(policy, &at_policy, "policy-string");
            seen.mx_hosts = self.strings(policy, &at_policy, "mx-host");
        }
        let at_summary = format!("{at}/summary");
        match entry.get("summary") {
            Some(Value::Object(summary)) => {
                seen.successes = self.count(summary, &at_summary, "total-successful-session-count");
                seen.failures = self.count(summary, &at_summary, "total-failure-session-count");
            }
            Some(_) => self.fault(&at_summary, "not an object"),
            None => self.fault(&at_summary, "missing"),
        }
        let at_details = format!("{at}/failure-details");
        match entry.get("failure-details") {
            Some(Value::Array(details)) => {
                for (index, detail) in details.iter().enumerate() {
                    if self.details >= DETAILS {
                        self.fault(&at_details, "more than are read");
                        break;
                    }
                    self.details += 1;
                    let at = format!("{at_details}/{index}");
                    match detail {
                        Value::Object(detail) => seen.details.push(self.detail(detail, &at)),
                        _ => self.fault(&at, "not an object"),
                    }
                }
            }
            Some(Value::Object(detail)) => {
                self.fault(&at_details, "an object where an array must be");
                seen.details.push(self.detail(detail, &at_details));
            }
            Some(Value::Null) | None => {}
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                self.fault(&at_details, "not an array");
            }
        }
        seen
    }

    fn detail(&mut self, detail: &Map<String, Value>, at: &str) -> SeenDetail {
        let word = self.text(detail, at, "result-type", Need::Must);
        let result_word = word.unwrap_or_default();
        let result = ResultType::from_word(&result_word);
        if result.is_none() && !result_word.is_empty() {
            self.fault(&format!("{at}/result-type"), "not a registered result");
        }
        let mut optional = |member: &str| self.text(detail, at, member, Need::May);
        let mut seen = SeenDetail {
            result,
            result_word,
            count: None,
            sending_ip: optional("sending-mta-ip"),
            mx_host: optional("receiving-mx-hostname"),
            helo: optional("receiving-mx-helo"),
            receiving_ip: optional("receiving-ip"),
            additional: optional("additional-information"),
            reason: optional("failure-reason-code"),
        };
        seen.count = self.count(detail, at, "failed-session-count");
        for (member, text) in [
            ("sending-mta-ip", &seen.sending_ip),
            ("receiving-ip", &seen.receiving_ip),
        ] {
            let is_address = |text: &String| text.parse::<std::net::IpAddr>().is_ok();
            if text.as_ref().is_some_and(|text| !is_address(text)) {
                self.fault(&format!("{at}/{member}"), "not an IP address");
            }
        }
        seen
    }
}

/// A stranger's text: bounded, on one line, without anything that moves a cursor or turns text around.
fn plain(text: &str) -> String {
    let visible = |c: char| {
        let hidden = c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}');
        if hidden { ' ' } else { c }
    };
    let line: String = text.chars().take(TEXT).map(visible).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
