//! Writing to stdout and stderr without ever panicking on a closed pipe.

use std::io::{self, Write};

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
