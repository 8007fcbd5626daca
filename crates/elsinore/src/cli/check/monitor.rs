//! One line for a monitor (the Monitoring Plugins' guidelines): a word, what it is about, and
//! numbers to draw.

use crate::output::printable;
use elsinore_check::report::{Report, Severity, State};

/// When a break to come is worth a word, in days.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Thresholds {
    /// Fewer days than these are WARNING.
    pub(super) warning: Option<u32>,
    /// Fewer days than these are CRITICAL.
    pub(super) critical: Option<u32>,
}

/// What a monitor is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The exit code.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// Worst last: what is known to be broken goes before what is not known.
    const fn rank(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Unknown => 1,
            Self::Warning => 2,
            Self::Critical => 3,
        }
    }
}

/// Days until mail breaks if nothing is renewed.
fn days(report: &Report) -> Option<i64> {
    let event = report.forecast.events.get(report.forecast.breaks?)?;
    Some((event.at - report.began_at).div_euclid(86_400))
}

/// Refused, or something fails now: CRITICAL. Protected: OK, unless something will fail or breaks
/// before a threshold. Could not tell: UNKNOWN. The rest: WARNING.
fn level(report: &Report, thresholds: Thresholds) -> (Level, String) {
    if report.state == State::CouldNotTell {
        return (Level::Unknown, report.sentence.clone());
    }
    let first = |severity| report.findings.iter().find(|one| one.severity == severity);
    if let Some(finding) = first(Severity::FailsNow) {
        return (
            Level::Critical,
            format!("{}: {}", finding.subject, finding.title),
        );
    }
    if report.state == State::Refused {
        return (Level::Critical, report.sentence.clone());
    }
    let sooner = |limit: Option<u32>| {
        let (days, limit) = (days(report)?, limit?);
        (days < i64::from(limit)).then(|| report.forecast.sentence.clone())
    };
    if let Some(sentence) = sooner(thresholds.critical) {
        return (Level::Critical, sentence);
    }
    match report.state {
        State::PartlyProtected | State::NotProtected => {
            return (Level::Warning, report.sentence.clone());
        }
        State::Protected | State::Refused | State::CouldNotTell => {}
    }
    if let Some(finding) = first(Severity::WillFail) {
        return (
            Level::Warning,
            format!("{}: {}", finding.subject, finding.title),
        );
    }
    match sooner(thresholds.warning) {
        Some(sentence) => (Level::Warning, sentence),
        None => (Level::Ok, report.sentence.clone()),
    }
}

/// The line for all reports together, and the exit code.
pub(super) fn line(reports: &[Report], thresholds: Thresholds) -> (String, Level) {
    let judged: Vec<(&Report, Level, String)> = (reports.iter())
        .map(|report| {
            let (level, why) = level(report, thresholds);
            (report, level, why)
        })
        .collect();
    let Some((report, worst, why)) = judged.iter().max_by(|one, other| {
        // The first of several that are equally bad.
        one.1
            .rank()
            .cmp(&other.1.rank())
            .then(std::cmp::Ordering::Greater)
    }) else {
        return ("UNKNOWN - nothing was checked\n".to_owned(), Level::Unknown);
    };
    let about = match reports {
        [_] => format!("{}: {}: {why}", report.domain, report.state.words()),
        all => {
            let alike = judged.iter().filter(|(_, level, _)| level == worst).count();
            format!(
                "{alike} of {} domains, first {}: {why}",
                all.len(),
                report.domain
            )
        }
    };
    // A bar would begin the numbers.
    let about = printable(&about.replace('|', "/"));
    let days = reports.iter().filter_map(days).min();
    let shown = |limit: Option<u32>| limit.map_or_else(String::new, |days| format!("{days}:"));
    let mut numbers = Vec::new();
    if let Some(days) = days {
        let (warning, critical) = (shown(thresholds.warning), shown(thresholds.critical));
        numbers.push(format!("days_to_break={days};{warning};{critical}"));
    }
    let count = |severity: Severity| {
        (reports.iter())
            .flat_map(|report| &report.findings)
            .filter(|finding| finding.severity == severity)
            .count()
    };
    numbers.push(format!("fails_now={}", count(Severity::FailsNow)));
    numbers.push(format!("will_fail={}", count(Severity::WillFail)));
    let sessions: u64 = reports
        .iter()
        .map(|one| u64::from(one.measured.sessions))
        .sum();
    numbers.push(format!("sessions={sessions}"));
    let slowest = reports.iter().map(|one| one.elapsed_ms).max().unwrap_or(0);
    numbers.push(format!("time={}.{:03}s", slowest / 1_000, slowest % 1_000));
    let line = format!("{} - {about} | {}\n", worst.word(), numbers.join(" "));
    (line, *worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str) -> Report {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../elsinore-check/tests/samples"
        );
        let text = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn levels() {
        let mut blinded = sample("protected");
        blinded.findings.clear();
        let mut warned = sample("protected");
        let expiring = sample("broken").findings.into_iter();
        warned.findings = expiring
            .filter(|one| one.severity == Severity::WillFail)
            .collect();
        assert!(!warned.findings.is_empty());
        // The sample breaks in nine days.
        for (report, warning, critical, expected) in [
            (&sample("protected"), None, None, Level::Ok),
            (&sample("protected"), Some(9), Some(3), Level::Ok),
            (&sample("protected"), Some(10), Some(9), Level::Warning),
            (&sample("protected"), Some(30), Some(10), Level::Critical),
            (&sample("protected"), None, Some(10), Level::Critical),
            (&blinded, None, None, Level::Ok),
            (&warned, None, None, Level::Warning),
            (&sample("broken"), None, None, Level::Critical),
            (&sample("not-protected"), None, None, Level::Warning),
            (&sample("refused"), None, None, Level::Critical),
            (&sample("inconclusive"), Some(30), Some(20), Level::Unknown),
        ] {
            let thresholds = Thresholds { warning, critical };
            let (line, level) = line(std::slice::from_ref(report), thresholds);
            assert_eq!(level, expected, "{line}");
            assert!(
                line.starts_with(&format!("{} - {}", level.word(), report.domain)),
                "{line}"
            );
        }
    }

    /// One line, one bar, nothing that a monitor or a terminal would obey; what is known to be bad
    /// goes before what is not known.
    #[test]
    fn lines() {
        let mut reports: Vec<Report> = ["protected", "inconclusive", "not-protected", "hostile"]
            .map(sample)
            .into();
        reports[2].sentence = "a|b\n\u{1b}[31m".to_owned();
        let (text, level) = line(&reports, Thresholds::default());
        assert_eq!(level, Level::Warning, "{text}");
        let domain = &reports[2].domain;
        assert!(
            text.starts_with(&format!("WARNING - 2 of 4 domains, first {domain}: a/b")),
            "{text}"
        );
        assert_eq!(text.matches('|').count(), 1, "{text}");
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        let (text, level) = line(&[], Thresholds::default());
        assert_eq!(level.code(), 3, "{text}");
        let thresholds = Thresholds {
            warning: Some(7),
            critical: Some(2),
        };
        let (text, _) = line(&reports[..1], thresholds);
        assert!(
            text.contains(
                " | days_to_break=9;7:;2: fails_now=0 will_fail=0 sessions=24 time=2.310s"
            ),
            "{text}"
        );
    }
}
