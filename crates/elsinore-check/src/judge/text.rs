//! Text of strangers, before it enters the report: one line, printable, bounded.

use elsinore_dane::finding::Finding;
use elsinore_dane::time::UnixTime;
use elsinore_smtp::text::excerpt;

use crate::report::RuleFinding;

/// Characters of a reason, a name or a reply.
const LINE: usize = 500;
/// Characters of one record or one line of evidence.
const RECORD: usize = 4_000;
/// Findings, lines and records of one list that are kept.
pub(super) const MANY: usize = 200;

/// One line of whatever origin.
pub(super) fn line(text: &str) -> String {
    excerpt(text.as_bytes(), LINE)
}

/// One record in presentation form, or one line of evidence.
pub(super) fn record(text: &str) -> String {
    excerpt(text.as_bytes(), RECORD)
}

/// A text of several lines, each made printable; at most `octets` of it are looked at.
pub(super) fn lines(body: &[u8], octets: usize) -> String {
    let bounded = body.get(..octets).unwrap_or(body);
    let mut text: Vec<String> = bounded
        .split(|octet| *octet == b'\n')
        .take(MANY)
        .map(|one| excerpt(one.strip_suffix(b"\r").unwrap_or(one), LINE))
        .collect();
    if bounded.len() < body.len() {
        text.push("...".to_owned());
    }
    text.join("\n")
}

/// What the engine or a session noted, in the shape of `send`.
pub(super) fn findings(findings: &[Finding]) -> Vec<RuleFinding> {
    let shown = findings.iter().take(MANY).map(|finding| {
        let citation = finding.rule.citation();
        RuleFinding {
            rule: finding.rule.id().to_owned(),
            rfc: citation.rfc,
            section: citation.section.to_owned(),
            subject: line(&finding.subject),
            evidence: line(&finding.evidence),
        }
    });
    shown.collect()
}

/// A date in UTC, `2026-10-14`; the number of seconds where there is no such date.
pub(super) fn date(moment: UnixTime) -> String {
    jiff::Timestamp::from_second(moment.0).map_or_else(
        |_| format!("second {}", moment.0),
        |time| time.strftime("%Y-%m-%d").to_string(),
    )
}

/// `one host`, `2 hosts`.
pub(super) fn count(number: usize, one: &str, several: &str) -> String {
    match number {
        1 => format!("one {one}"),
        other => format!("{other} {several}"),
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    (octets.iter())
        .flat_map(|octet| [digit(octet >> 4), digit(*octet)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_text() {
        assert_eq!(line("a\x1b[31m\u{202e}b"), "a\\u{1b}[31m\\u{202e}b");
        assert_eq!(line(&"x".repeat(501)).len(), 503);
        assert_eq!(
            lines(b"version: STSv1\r\nmode: \x07\n", 100),
            "version: STSv1\nmode: \\u{7}\n"
        );
        assert_eq!(lines(b"abcdef", 3), "abc\n...");
        assert_eq!(date(UnixTime(1_792_000_000)), "2026-10-14");
        assert_eq!(date(UnixTime(i64::MAX)), "second 9223372036854775807");
        assert_eq!(hex(&[0, 0xa5, 0xff]), "00a5ff");
        assert_eq!(
            (count(1, "host", "hosts"), count(0, "host", "hosts")),
            ("one host".to_owned(), "0 hosts".to_owned())
        );
    }
}
