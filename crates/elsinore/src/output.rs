//! Writing to stdout and stderr without ever panicking on a closed pipe.

use std::io::{self, IsTerminal, Write};

/// Columns of text for a terminal, as in the help.
const COLUMNS: usize = 80;

/// Columns to keep to: those of a terminal, or `None` when a file or a program reads stdout,
/// which wants each line whole.
pub(crate) fn width() -> Option<usize> {
    io::stdout().is_terminal().then_some(COLUMNS)
}

/// `line` broken at spaces to fit `width` columns, what follows the break indented by four
/// columns more than the beginning. Words are never broken, so that they can be copied.
pub(crate) fn wrapped(line: &str, width: Option<usize>) -> String {
    let start = line.len() - line.trim_start_matches(' ').len();
    hanging(line, width, start + 4)
}

/// The same, what follows the break indented by `hanging` columns.
pub(crate) fn hanging(line: &str, width: Option<usize>, hanging: usize) -> String {
    let Some(width) = width else {
        return line.to_owned();
    };
    let start = line.len() - line.trim_start_matches(' ').len();
    let mut out = " ".repeat(start);
    let mut column = start;
    for (count, word) in line[start..].split(' ').enumerate() {
        let length = word.chars().count();
        if count > 0 && column + 1 + length > width {
            out.push('\n');
            out.push_str(&" ".repeat(hanging));
            column = hanging;
        } else if count > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

/// Writes `text` to stdout. A closed pipe counts as success: the reader has seen enough, and what
/// was done (a delivery, say) must still decide the exit code.
///
/// # Errors
/// Any other error of the stream.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes `value` to stdout as JSON followed by a newline: indented for `json`, on one line for
/// `jsonl`.
///
/// # Errors
/// An error of the stream.
pub(crate) fn print_json(value: &impl serde::Serialize, lines: JsonLayout) -> io::Result<()> {
    let mut text = match lines {
        JsonLayout::Indented => serde_json::to_string_pretty(value),
        JsonLayout::OneLine => serde_json::to_string(value),
    }
    .map_err(io::Error::other)?;
    text.push('\n');
    print(&text)
}

/// How JSON is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonLayout {
    /// For a reader of one object.
    Indented,
    /// One object a line.
    OneLine,
}

/// Writes one diagnostic line to stderr.
pub(crate) fn diagnose(message: &str) {
    // stderr is the last resort: when it is gone there is nobody to tell.
    let _ = writeln!(io::stderr(), "elsinore: {message}");
}

/// Text of a stranger made fit for a terminal: control characters become `\u{..}` escapes, and
/// what is longer than 500 characters is cut.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (count, character) in text.chars().enumerate() {
        if count == 500 {
            out.push('…');
            break;
        }
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_terminal() {
        for (line, width, expected) in [
            ("a b", None, "a b"),
            ("", Some(10), ""),
            ("one two", Some(7), "one two"),
            ("one two", Some(6), "one\n    two"),
            ("  one two three", Some(10), "  one two\n      three"),
            ("abcdefghijkl m", Some(6), "abcdefghijkl\n    m"),
            ("ää ää ää", Some(5), "ää ää\n    ää"),
        ] {
            assert_eq!(wrapped(line, width), expected, "{line:?} {width:?}");
        }
        assert_eq!(hanging("  ab cd", Some(5), 2), "  ab\n  cd");
    }
}
