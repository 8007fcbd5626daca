//! The report in a terminal.
//!
//! In this order: the verdict in one sentence; what three kinds of senders do; the rail; the
//! findings, the worst first, with what is to be pasted; the time line; how it was measured. Fits
//! the columns it is given, down to 40. Every state has a sign, a word and, where allowed, a
//! colour, so that none is needed. Lines to paste stand at the left margin and are never broken: in
//! a zone file a line that begins with a space belongs to the name above (RFC 1035 §5.1).

mod canvas;
mod tree;

pub use canvas::{Colour, Glyphs, Style};

use crate::compare::{Comparison, Direction};
use crate::rail::{Mark, Rail, date, moment};
use crate::report::{Event, Finding, Report, Sender, SenderKind, SenderOutcome, Severity, State};
use canvas::{Canvas, Paint};

/// Moments of the time line that are shown.
const EVENTS: usize = 12;

/// Findings that are shown.
const FINDINGS: usize = 100;

/// The report as text, lines ended by `\n`.
#[must_use]
pub fn text(report: &Report, style: Style) -> String {
    let mut canvas = Canvas::new(style);
    verdict(&mut canvas, report);
    senders(&mut canvas, report);
    if !(report.zones.is_empty() && report.hosts.is_empty() && report.mx_lookup.is_none()) {
        heading(&mut canvas, "The chain of trust");
        tree::draw(&mut canvas, &Rail::of(report));
    }
    findings(&mut canvas, &report.findings);
    forecast(&mut canvas, report);
    measured(&mut canvas, report);
    canvas.finish()
}

/// The verdict alone, for one of many: sign, domain, state, sentence.
#[must_use]
pub fn brief(report: &Report, style: Style) -> String {
    let mut canvas = Canvas::new(style);
    let mark = mark_of(report.state);
    let pieces = [
        (Paint::Of(mark), canvas.sign(mark)),
        (Paint::Plain, " "),
        (Paint::Bold, report.domain.as_str()),
        (Paint::Plain, ": "),
        (Paint::Of(mark), report.state.words()),
        (Paint::Plain, ": "),
        (Paint::Plain, report.sentence.as_str()),
    ];
    canvas.paragraph("", "  ", &pieces, None);
    canvas.finish()
}

/// What changed between two reports.
#[must_use]
pub fn changes(comparison: &Comparison, style: Style) -> String {
    let mut canvas = Canvas::new(style);
    let mark = mark_of(comparison.later_state);
    let since = format!(
        ", {}, since {}",
        moment(comparison.later_at),
        moment(comparison.earlier_at)
    );
    let pieces = [
        (Paint::Of(mark), canvas.sign(mark)),
        (Paint::Plain, " "),
        (Paint::Bold, comparison.domain.as_str()),
        (Paint::Plain, ": "),
        (Paint::Of(mark), comparison.later_state.words()),
        (Paint::Dim, since.as_str()),
    ];
    canvas.paragraph("", "  ", &pieces, None);
    if comparison.changes.is_empty() {
        canvas.paragraph("  ", "  ", &[(Paint::Plain, "nothing changed")], None);
    }
    for change in &comparison.changes {
        let (mark, word) = match change.direction {
            Direction::Worse => (Mark::Bad, "worse  "),
            Direction::Better => (Mark::Good, "better "),
            Direction::Neutral => (Mark::Plain, "changed"),
        };
        let pieces = [
            (Paint::Of(mark), canvas.sign(mark)),
            (Paint::Plain, " "),
            (Paint::Of(mark), word),
            (Paint::Plain, " "),
            (Paint::Bold, change.subject.as_str()),
            (Paint::Plain, ": "),
            (Paint::Plain, change.text.as_str()),
        ];
        canvas.paragraph("  ", "            ", &pieces, None);
        if let Some(cause) = &change.cause {
            let pieces = [(Paint::Dim, "because "), (Paint::Dim, cause.as_str())];
            canvas.paragraph("            ", "            ", &pieces, None);
        }
    }
    canvas.finish()
}

/// The sign of a verdict.
#[must_use]
pub const fn mark_of(state: State) -> Mark {
    match state {
        State::Protected => Mark::Good,
        State::PartlyProtected | State::NotProtected => Mark::Weak,
        State::Refused => Mark::Bad,
        State::CouldNotTell => Mark::Unknown,
    }
}

fn heading(canvas: &mut Canvas, text: &str) {
    canvas.blank();
    canvas.paragraph("", "", &[(Paint::Bold, text)], None);
}

fn verdict(canvas: &mut Canvas, report: &Report) {
    let mark = mark_of(report.state);
    let domain = match &report.domain_unicode {
        Some(unicode) => format!("{unicode} ({})", report.domain),
        None => report.domain.clone(),
    };
    let pieces = [
        (Paint::Of(mark), canvas.sign(mark)),
        (Paint::Plain, " "),
        (Paint::Bold, domain.as_str()),
        (Paint::Plain, ": "),
        (Paint::Of(mark), report.state.words()),
    ];
    canvas.paragraph("", "  ", &pieces, None);
    canvas.paragraph("  ", "  ", &[(Paint::Plain, &report.sentence)], None);
    for line in &report.inconclusive {
        canvas.paragraph("  ? ", "    ", &[(Paint::Plain, line)], None);
    }
    for line in &report.overrides {
        let pieces = [(Paint::Bold, "Set here: "), (Paint::Plain, line)];
        canvas.paragraph("  ", "    ", &pieces, None);
    }
}

fn senders(canvas: &mut Canvas, report: &Report) {
    if report.senders.is_empty() {
        return;
    }
    heading(canvas, "What senders do");
    for sender in &report.senders {
        let mark = come_to(report.state, sender);
        let name = match sender.kind {
            SenderKind::Dane => "DANE",
            SenderKind::StsOnly => "MTA-STS only",
            SenderKind::Opportunistic => "opportunistic",
        };
        let label = format!(" {name:<14}");
        let pieces = [
            (Paint::Of(mark), canvas.sign(mark)),
            (Paint::Bold, label.as_str()),
            (Paint::Plain, sender.sentence.as_str()),
        ];
        canvas.paragraph("", &" ".repeat(16), &pieces, None);
        if let Some(reason) = (sender.reason.as_ref()).filter(|one| !sender.sentence.contains(*one))
        {
            let indent = " ".repeat(16);
            canvas.paragraph(&indent, &indent, &[(Paint::Dim, reason)], None);
        }
    }
    policies(canvas, report);
}

/// MTA-STS and TLS-RPT, a line each, as far as they were looked for.
fn policies(canvas: &mut Canvas, report: &Report) {
    if let Some(sts) = &report.sts {
        let text = match (&sts.mode, &sts.error) {
            (Some(mode), _) => {
                let kept = (sts.max_age_s).map_or_else(String::new, |age| {
                    format!(", kept {}", crate::rail::span(age.into()))
                });
                format!("{mode}{kept}, for {}", sts.mx.join(", "))
            }
            (None, Some(error)) => format!("no policy: {error}"),
            (None, None) => "none".to_owned(),
        };
        let pieces = [
            (Paint::Bold, "MTA-STS:"),
            (Paint::Plain, " "),
            (Paint::Plain, &text),
        ];
        canvas.paragraph("  ", "    ", &pieces, None);
    }
    if let Some(record) = &report.tls_rpt {
        let text = match (record.rua.as_slice(), &record.error) {
            (_, Some(error)) => format!("none that counts: {error}"),
            ([], None) => "none".to_owned(),
            (rua, None) => format!("reports go to {}", rua.join(", ")),
        };
        let pieces = [
            (Paint::Bold, "TLS-RPT:"),
            (Paint::Plain, " "),
            (Paint::Plain, &text),
        ];
        canvas.paragraph("  ", "    ", &pieces, None);
    }
}

fn come_to(state: State, sender: &Sender) -> Mark {
    match sender.outcome {
        SenderOutcome::Delivered => match sender.security.as_deref() {
            Some("dane" | "sts" | "pinned") => Mark::Good,
            _ => Mark::Weak,
        },
        SenderOutcome::Deferred | SenderOutcome::Bounced if state == State::CouldNotTell => {
            Mark::Unknown
        }
        SenderOutcome::Deferred | SenderOutcome::Bounced => Mark::Bad,
    }
}

fn mark_of_severity(severity: Severity) -> Mark {
    match severity {
        Severity::FailsNow => Mark::Bad,
        Severity::WillFail | Severity::Weak => Mark::Weak,
        Severity::Note => Mark::Plain,
    }
}

fn findings(canvas: &mut Canvas, findings: &[Finding]) {
    if findings.is_empty() {
        heading(canvas, "No findings");
        return;
    }
    let tally: Vec<String> = [
        Severity::FailsNow,
        Severity::WillFail,
        Severity::Weak,
        Severity::Note,
    ]
    .into_iter()
    .filter_map(|severity| {
        let count = findings
            .iter()
            .filter(|one| one.severity == severity)
            .count();
        (count > 0).then(|| match (severity, count) {
            (Severity::FailsNow, 1) => "1 fails now".to_owned(),
            (Severity::FailsNow, count) => format!("{count} fail now"),
            (Severity::Note, 2..) => format!("{count} notes"),
            (Severity::WillFail | Severity::Weak | Severity::Note, count) => {
                format!("{count} {}", severity.words())
            }
        })
    })
    .collect();
    heading(canvas, &format!("Findings: {}", tally.join(", ")));
    for finding in findings.iter().take(FINDINGS) {
        one_finding(canvas, finding);
    }
    if let Some(more @ 1..) = findings.len().checked_sub(FINDINGS) {
        canvas.paragraph("", "", &[(Paint::Dim, &format!("and {more} more"))], None);
    }
}

fn one_finding(canvas: &mut Canvas, finding: &Finding) {
    let mark = mark_of_severity(finding.severity);
    let mut severity = finding.severity.words().to_owned();
    if let Some(at) = finding.fails_at {
        severity = format!("{severity} on {}", date(at));
    }
    let title = format!(": {} ", finding.title);
    let pieces = [
        (Paint::Of(mark), canvas.sign(mark)),
        (Paint::Plain, " "),
        (Paint::Of(mark), severity.as_str()),
        (Paint::Plain, title.as_str()),
        (Paint::Dim, finding.id.as_str()),
    ];
    canvas.paragraph("", "  ", &pieces, None);
    let citation = match (finding.rfc, &finding.section) {
        (Some(rfc), Some(section)) => format!(" (RFC {rfc} §{section})"),
        (Some(rfc), None) => format!(" (RFC {rfc})"),
        (None, _) => String::new(),
    };
    let about = if finding.subject.is_empty() || finding.evidence.contains(&finding.subject) {
        String::new()
    } else {
        format!("{}: ", finding.subject)
    };
    let pieces = [
        (Paint::Dim, "seen: "),
        (Paint::Plain, about.as_str()),
        (Paint::Plain, finding.evidence.as_str()),
        (Paint::Dim, citation.as_str()),
    ];
    canvas.paragraph("  ", "        ", &pieces, None);
    if let Some(advice) = &finding.advice {
        let pieces = [
            (Paint::Bold, "do:   "),
            (Paint::Plain, advice.text.as_str()),
        ];
        canvas.paragraph("  ", "        ", &pieces, None);
        if !advice.paste.is_empty() {
            canvas.blank();
            for line in &advice.paste {
                canvas.verbatim(line);
            }
            canvas.blank();
        }
    }
}

fn forecast(canvas: &mut Canvas, report: &Report) {
    let forecast = &report.forecast;
    if forecast.sentence.is_empty() && forecast.events.is_empty() {
        return;
    }
    heading(canvas, "What breaks next");
    if !forecast.sentence.is_empty() {
        canvas.paragraph("  ", "  ", &[(Paint::Plain, &forecast.sentence)], None);
    }
    for (count, event) in forecast.events.iter().enumerate() {
        // The one that the sentence speaks of is shown wherever it stands.
        if count < EVENTS || forecast.breaks == Some(count) {
            one_event(canvas, report.began_at, event);
        }
    }
    if let Some(more @ 1..) = forecast.events.len().checked_sub(EVENTS) {
        canvas.paragraph(
            "  ",
            "",
            &[(Paint::Dim, &format!("and {more} later"))],
            None,
        );
    }
}

fn one_event(canvas: &mut Canvas, began_at: i64, event: &Event) {
    let mark = if event.breaks { Mark::Bad } else { Mark::Plain };
    let when = format!(
        " {} {:<12}",
        moment(event.at),
        distance(event.at - began_at)
    );
    let what = format!("{}: {}", event.subject, event.effect);
    let pieces = [
        (Paint::Of(mark), canvas.sign(mark)),
        (Paint::Dim, when.as_str()),
        (Paint::Plain, " "),
        (Paint::Plain, what.as_str()),
    ];
    let indent = if canvas.columns() >= 72 { 36 } else { 4 };
    canvas.paragraph("", &" ".repeat(indent), &pieces, None);
}

/// How far away a moment is, in words of at most twelve characters.
fn distance(seconds: i64) -> String {
    let span = crate::rail::span(seconds.unsigned_abs());
    if seconds < 0 {
        format!("{span} ago")
    } else {
        format!("in {span}")
    }
}

fn measured(canvas: &mut Canvas, report: &Report) {
    let measured = &report.measured;
    canvas.blank();
    let plural = |count: u32, one: &str| match count {
        1 => format!("1 {one}"),
        more => format!("{more} {one}s"),
    };
    let manners = match measured.sessions {
        0 => String::new(),
        _ => format!(
            " (at most {} at a time per address, {} ms apart)",
            measured.most_sessions_per_address, measured.pause_ms
        ),
    };
    let line = format!(
        "Measured {} by {} as {}: {}, {}{manners} in {}.{} s.",
        moment(report.began_at),
        report.program,
        if measured.helo.is_empty() {
            "?"
        } else {
            &measured.helo
        },
        plural(measured.questions, "question"),
        plural(measured.sessions, "session"),
        report.elapsed_ms / 1_000,
        report.elapsed_ms % 1_000 / 100,
    );
    canvas.paragraph("", "  ", &[(Paint::Dim, &line)], None);
    for line in &measured.left_out {
        let line = format!("Left out: {line}");
        canvas.paragraph("", "  ", &[(Paint::Dim, &line)], None);
    }
    for line in &report.unproven {
        let line = format!("Unproven: {line}");
        canvas.paragraph("", "  ", &[(Paint::Dim, &line)], None);
    }
}
