//! Results as a table, of at most 80 columns where a terminal shows it.

use super::CaseResult;
use std::fmt::Write as _;

/// Columns of the name; longer names have a line of their own.
const NAME: usize = 25;
/// Columns of what is expected and of what was got: the longest, `delivered dane-insecure-mx`.
const WORDS: usize = 26;

/// The results, one or two lines each and a line per difference, with a line of totals. With a
/// `width` in columns the reasons are cut there; differences never are.
#[must_use]
pub fn table(results: &[CaseResult], width: Option<usize>) -> String {
    let mut text = String::new();
    row(&mut text, "SCENARIO", "EXPECTED", "GOT");
    for result in results {
        row(&mut text, &result.name(), &result.expected, &result.got);
        line(&mut text, "    ", &result.reason, width);
        for difference in &result.differences {
            line(&mut text, "  ! ", difference, None);
        }
    }
    let wrong = results.iter().filter(|one| !one.is_as_expected()).count();
    let total = results.len();
    // Writing to a String cannot fail.
    let _ = match wrong {
        0 => writeln!(text, "\nAll {total} as expected."),
        _ => writeln!(text, "\n{wrong} of {total} not as expected."),
    };
    text
}

fn row(text: &mut String, name: &str, expected: &str, got: &str) {
    let name = if name.chars().count() > NAME {
        line(text, "", name, None);
        ""
    } else {
        name
    };
    let row = format!("{name:NAME$} {expected:WORDS$} {got}");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", row.trim_end());
}

/// One line, cut after `width` columns.
fn line(text: &mut String, indent: &str, content: &str, width: Option<usize>) {
    if content.is_empty() {
        return;
    }
    let room = width.map_or(usize::MAX, |width| {
        width.saturating_sub(indent.len()).max(1)
    });
    let shown: String = if content.chars().count() > room {
        content.chars().take(room - 1).chain(['…']).collect()
    } else {
        content.to_owned()
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{indent}{shown}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::ResolverMode;

    #[test]
    fn fits_a_terminal() {
        let result = CaseResult {
            scenario: "inconsistent-nxdomain-example".to_owned(),
            case: "x".repeat(80),
            mode: ResolverMode::ForwardCareless,
            expected: "delivered dane-insecure-mx".to_owned(),
            got: "delivered dane-insecure-mx".to_owned(),
            reason: "ø".repeat(200),
            differences: vec!["y".repeat(200)],
        };
        let results = [
            result.clone(),
            CaseResult {
                differences: Vec::new(),
                ..result
            },
        ];
        let whole = table(&results, None);
        assert_eq!(whole.matches(&"ø".repeat(200)).count(), 2, "{whole}");
        let text = table(&results, Some(80));
        for line in text.lines() {
            let long = line.chars().count() > 80;
            assert_eq!(
                long,
                line.starts_with("  ! ") || line.starts_with("inco"),
                "{line}"
            );
        }
        assert!(text.ends_with("\n1 of 2 not as expected.\n"), "{text}");
    }
}
