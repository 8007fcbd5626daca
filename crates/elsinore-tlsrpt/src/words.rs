//! A report in plain words, in lines of at most 80 columns where a name leaves room for that.

use crate::day::{Day, internet_time};
use crate::dispatch::End;
use crate::forecast::Forecast;
use crate::read::{SeenDetail, SeenPolicy, SeenReport};
use crate::shown::ShownDomain;
use crate::terms::PolicyType;
use std::fmt::Write as _;

/// Columns of a line.
const COLUMNS: usize = 80;
/// Details of one policy that are printed; the rest is summed up.
const DETAILS: usize = 50;
/// Records or lines of a policy that are printed.
const STRINGS: usize = 20;

/// The report for people.
#[must_use]
pub fn words(report: &SeenReport) -> String {
    let mut text = String::new();
    let sender = match (&report.organization, &report.contact) {
        (Some(name), Some(contact)) => format!("{name} <{contact}>"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => "nobody who says so".to_owned(),
    };
    paragraph(&mut text, "Report from ", &sender);
    paragraph(&mut text, "Covers      ", &period(report.begin, report.end));
    if let Some(id) = &report.id {
        paragraph(&mut text, "Id          ", id);
    }
    if report.policies.is_empty() {
        text.push_str("\nIt says nothing about any policy.\n");
    }
    for policy in &report.policies {
        text.push('\n');
        of_policy(&mut text, policy);
    }
    if !report.faults.is_empty() {
        text.push_str("\nNot as RFC 8460 section 4.4 wants it:\n");
        for fault in &report.faults {
            paragraph(&mut text, "  ", &format!("{}: {}", fault.at, fault.what));
        }
    }
    text
}

/// What was counted for one domain, and what became of the report.
#[must_use]
pub fn own_words(shown: &ShownDomain) -> String {
    let mut text = String::new();
    paragraph(
        &mut text,
        "",
        &format!("To {}: {}", shown.domain, standing(shown)),
    );
    // Printed as anybody's: what receivers will read.
    for policy in shown.seen() {
        of_policy(&mut text, &policy);
    }
    text
}

/// What would become of a report.
#[must_use]
pub fn forecast_words(forecast: &Forecast, key: Option<&str>) -> String {
    let mut text = String::new();
    let when = match (&forecast.nothing, &forecast.due) {
        (Some(why), Some(due)) => format!("{why}; the next look is at {due}"),
        (Some(why), None) => format!("nothing: {why}"),
        (None, Some(due)) => format!("at {due}"),
        (None, None) => "at a time that is drawn when the first report is due".to_owned(),
    };
    paragraph(&mut text, "", &format!("To {}: {when}", forecast.domain));
    for one in &forecast.destinations {
        match (&one.not, key.filter(|_| one.to.starts_with("mailto:"))) {
            (Some(why), _) => paragraph(&mut text, "  not to ", &format!("{}: {why}", one.to)),
            (None, Some(key)) => {
                let signed = format!("{}, signed by {key}", one.to);
                paragraph(&mut text, "  to ", &signed);
            }
            (None, None) => paragraph(&mut text, "  to ", &one.to),
        }
    }
    if let Some(report) = &forecast.report {
        let all = report.successes.saturating_add(report.failures);
        let what = format!(
            "{}, {} octets: {all} sessions under {} policies, {} failed",
            report.file_name, report.octets, report.policies, report.failures
        );
        paragraph(&mut text, "  ", &what);
    }
    text
}

fn standing(shown: &ShownDomain) -> String {
    let Some(report) = &shown.report else {
        return "not sent yet".to_owned();
    };
    let tried = match report.attempts {
        1 => "tried once".to_owned(),
        times => format!("tried {times} times"),
    };
    match report.end {
        Some(End::Sent) => format!("sent to {}", report.accepted.join(", ")),
        Some(End::Unwanted) => format!("not sent: {}", report.said),
        Some(End::GivenUp) => format!("given up, {tried}: {}", report.said),
        None => {
            let next = internet_time(report.next);
            format!("{tried}, again at {next}: {}", report.said)
        }
    }
}

/// A whole UTC day has a short name.
fn period(begin: Option<i64>, end: Option<i64>) -> String {
    match (begin, end) {
        (Some(begin), Some(end)) => {
            let day = Day::of(begin);
            let whole = day.begin() == begin && (day.end() == end || day.end() + 1 == end);
            if whole {
                format!("{day}, the whole day (UTC)")
            } else {
                format!("{} to {}", internet_time(begin), internet_time(end))
            }
        }
        (Some(begin), None) => format!("from {} on", internet_time(begin)),
        (None, Some(end)) => format!("up to {}", internet_time(end)),
        (None, None) => "an unknown time".to_owned(),
    }
}

fn of_policy(text: &mut String, policy: &SeenPolicy) {
    let domain = policy.domain.as_deref().unwrap_or("(no domain)");
    let kind = match policy.kind {
        Some(PolicyType::Tlsa) => "DANE",
        Some(PolicyType::Sts) => "MTA-STS",
        Some(PolicyType::NoPolicyFound) => "no policy",
        None if policy.kind_word.is_empty() => "(no type)",
        None => &policy.kind_word,
    };
    paragraph(text, "", &format!("{domain}, {kind}: {}", sums(policy)));
    for one in policy.strings.iter().take(STRINGS) {
        paragraph(text, "  | ", one);
    }
    if let Some(more) = policy.strings.len().checked_sub(STRINGS + 1) {
        let _ = writeln!(text, "  | and {} more lines", more + 1);
    }
    for detail in policy.details.iter().take(DETAILS) {
        of_detail(text, detail);
    }
    if let Some(more) = policy.details.len().checked_sub(DETAILS + 1) {
        let _ = writeln!(text, "  and {} more kinds of failure", more + 1);
    }
}

fn sums(policy: &SeenPolicy) -> String {
    let sessions = |count: u64| {
        let s = if count == 1 { "" } else { "s" };
        format!("{count} session{s}")
    };
    match (policy.successes, policy.failures) {
        (Some(good), Some(0)) => format!("{}, all good", sessions(good)),
        (Some(0), Some(bad)) => format!("{}, all failed", sessions(bad)),
        (Some(good), Some(bad)) => {
            let all = good.saturating_add(bad);
            format!("{}, {bad} of them failed", sessions(all))
        }
        (Some(good), None) => format!("{} good", sessions(good)),
        (None, Some(bad)) => format!("{} failed", sessions(bad)),
        (None, None) => "no sums".to_owned(),
    }
}

fn of_detail(text: &mut String, detail: &SeenDetail) {
    let count = detail
        .count
        .map_or_else(|| "?".to_owned(), |count| count.to_string());
    let what = match detail.result {
        Some(result) => format!("{} ({result})", result.sentence()),
        None if detail.result_word.is_empty() => "no result type".to_owned(),
        None => detail.result_word.clone(),
    };
    paragraph(text, &format!("  {count:>8}  "), &what);
    let mut place = String::new();
    match (&detail.mx_host, &detail.receiving_ip) {
        (Some(host), Some(ip)) => place = format!("at {host} [{ip}]"),
        (Some(one), None) | (None, Some(one)) => place = format!("at {one}"),
        (None, None) => {}
    }
    if let Some(helo) = &detail.helo
        && Some(helo) != detail.mx_host.as_ref()
    {
        let _ = write!(place, ", which calls itself {helo}");
    }
    if let Some(ip) = &detail.sending_ip {
        let _ = write!(place, ", from {ip}");
    }
    let indent = " ".repeat(12);
    if !place.is_empty() {
        paragraph(text, &indent, place.trim_start_matches(", "));
    }
    for more in [&detail.reason, &detail.additional].into_iter().flatten() {
        paragraph(text, &indent, more);
    }
}

/// `what` behind `first`, broken at blanks, further lines indented to the same column. A word that is
/// too long for a line is broken.
fn paragraph(text: &mut String, first: &str, what: &str) {
    let width = first.chars().count();
    let room = COLUMNS.saturating_sub(width).max(20);
    let mut line = String::new();
    let mut lines = Vec::new();
    for word in what.split(' ') {
        let mut word = word.to_owned();
        let fits = |line: &str, word: &str| {
            line.is_empty() || line.chars().count() + 1 + word.chars().count() <= room
        };
        if !fits(&line, &word) {
            lines.push(std::mem::take(&mut line));
        }
        while word.chars().count() > room {
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            let head: String = word.chars().take(room).collect();
            word = word.chars().skip(room).collect();
            lines.push(head);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    let further = " ".repeat(width);
    for (index, line) in lines.iter().enumerate() {
        let lead = if index == 0 { first } else { &further };
        let _ = writeln!(text, "{}", format!("{lead}{line}").trim_end());
    }
}
