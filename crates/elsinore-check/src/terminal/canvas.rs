//! Lines for a terminal: columns counted as they are shown, text of strangers made harmless, words
//! kept whole where they fit, colour only beside a shape and a word.

use crate::rail::Mark;
use elsinore_smtp::text::excerpt;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How a terminal shows things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns of a line; fewer than 40 count as 40.
    pub columns: usize,
    /// Which characters may be used.
    pub glyphs: Glyphs,
    /// Whether colours may be used (ECMA-48 SGR sequences).
    pub colour: Colour,
}

/// Which characters may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyphs {
    /// Box drawing and signs.
    Unicode,
    /// ASCII alone; other characters of strangers become escapes.
    Ascii,
}

/// Whether colours may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Yes.
    On,
    /// No.
    Off,
}

/// How a piece of text is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Bold,
    Dim,
    Of(Mark),
}

/// Longest text shown in one place, in characters.
const LONGEST: usize = 2_000;

/// Combining marks that may stand on one character.
const COMBINED: usize = 2;

/// Fewest columns that a layout is made for.
const FEWEST: usize = 40;

/// Lines as they are made.
#[derive(Debug)]
pub(super) struct Canvas {
    style: Style,
    text: String,
}

impl Canvas {
    pub(super) fn new(style: Style) -> Self {
        let columns = style.columns.max(FEWEST);
        Self {
            style: Style { columns, ..style },
            text: String::new(),
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    pub(super) fn columns(&self) -> usize {
        self.style.columns
    }

    /// The sign of a mark.
    pub(super) const fn sign(&self, mark: Mark) -> &'static str {
        match (self.style.glyphs, mark) {
            (Glyphs::Unicode, Mark::Good) => "✔",
            (Glyphs::Unicode, Mark::Weak) => "▲",
            (Glyphs::Unicode, Mark::Bad) => "✘",
            (Glyphs::Unicode, Mark::Plain) => "○",
            (Glyphs::Ascii, Mark::Good) => "+",
            (Glyphs::Ascii, Mark::Weak) => "!",
            (Glyphs::Ascii, Mark::Bad) => "x",
            (Glyphs::Ascii, Mark::Plain) => "o",
            (Glyphs::Unicode | Glyphs::Ascii, Mark::Unknown) => "?",
        }
    }

    /// One empty line, however often it is asked for.
    pub(super) fn blank(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A line as it is, never broken: what is to be copied. Control characters are escaped.
    pub(super) fn verbatim(&mut self, line: &str) {
        let line = excerpt(line.as_bytes(), usize::MAX / 4);
        self.text.push_str(&line);
        self.text.push('\n');
    }

    /// A paragraph: `first` stands before its first line, `rest` before the others, `right` at the
    /// right end where there is room, else on a line of its own.
    pub(super) fn paragraph(
        &mut self,
        first: &str,
        rest: &str,
        pieces: &[(Paint, &str)],
        right: Option<(Paint, &str)>,
    ) {
        let gutters = [self.clean(first), self.clean(rest)];
        let lines = self.broken(&gutters, pieces);
        let right = right.map(|(paint, text)| (paint, self.clean(text)));
        let last = lines.len().saturating_sub(1);
        for (count, line) in lines.iter().enumerate() {
            let gutter = &gutters[usize::from(count > 0)];
            self.put(Paint::Dim, gutter);
            let mut width = gutter.width();
            for (paint, text) in line {
                self.put(*paint, text);
                width += text.width();
            }
            if let (Some((paint, text)), true) = (&right, count == last) {
                let room = self.style.columns.saturating_sub(width);
                if room >= text.width() + 2 {
                    self.text.push_str(&" ".repeat(room - text.width()));
                    self.put(*paint, text);
                } else {
                    self.end_line();
                    let gutter = &gutters[1];
                    self.put(Paint::Dim, gutter);
                    let room = self.style.columns.saturating_sub(gutter.width());
                    self.text
                        .push_str(&" ".repeat(room.saturating_sub(text.width())));
                    self.put(*paint, text);
                }
            }
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        let kept = self.text.trim_end_matches(' ').len();
        self.text.truncate(kept);
        self.text.push('\n');
    }

    fn put(&mut self, paint: Paint, text: &str) {
        let code = match (self.style.colour, paint) {
            (Colour::Off, _) | (Colour::On, Paint::Plain | Paint::Of(Mark::Plain)) => "",
            (Colour::On, Paint::Bold) => "1",
            (Colour::On, Paint::Dim) => "2",
            (Colour::On, Paint::Of(Mark::Good)) => "32",
            (Colour::On, Paint::Of(Mark::Weak)) => "33",
            (Colour::On, Paint::Of(Mark::Unknown)) => "35",
            (Colour::On, Paint::Of(Mark::Bad)) => "1;31",
        };
        if code.is_empty() || text.trim().is_empty() {
            self.text.push_str(text);
        } else {
            self.text
                .push_str(&format!("\u{1b}[{code}m{text}\u{1b}[0m"));
        }
    }

    /// The pieces in lines that fit behind the gutters, broken at spaces; a word that is longer
    /// than a line is broken where the line ends.
    fn broken(&self, gutters: &[String; 2], pieces: &[(Paint, &str)]) -> Vec<Vec<(Paint, String)>> {
        let room = |line: usize| {
            let gutter = gutters[usize::from(line > 0)].width();
            self.style.columns.saturating_sub(gutter).max(8)
        };
        let mut lines: Vec<Vec<(Paint, String)>> = vec![Vec::new()];
        let mut used = 0;
        for (count, word) in words(
            pieces
                .iter()
                .map(|(paint, text)| (*paint, self.clean(text))),
        )
        .iter()
        .enumerate()
        {
            let width: usize = word.iter().map(|(_, text)| text.width()).sum();
            let space = usize::from(count > 0);
            if used > 0 && used + space + width > room(lines.len() - 1) {
                lines.push(Vec::new());
                used = 0;
            } else if space > 0 {
                let paint = word.first().map_or(Paint::Plain, |(paint, _)| *paint);
                append(&mut lines, paint, " ");
                used += space;
            }
            for (paint, text) in word {
                for character in text.chars() {
                    let width = character.width().unwrap_or(0);
                    if used + width > room(lines.len() - 1) {
                        lines.push(Vec::new());
                        used = 0;
                    }
                    append(&mut lines, *paint, character.encode_utf8(&mut [0; 4]));
                    used += width;
                }
            }
        }
        lines
    }

    /// Text made harmless for this terminal.
    fn clean(&self, text: &str) -> String {
        let safe = excerpt(text.as_bytes(), LONGEST);
        let mut out = String::with_capacity(safe.len());
        let mut combined = 0;
        for character in safe.chars() {
            let joins = character.width() == Some(0);
            combined = if joins { combined + 1 } else { 0 };
            // Selectors change the width of what stands before them in some terminals only.
            let selects = matches!(character, '\u{fe00}'..='\u{fe0f}');
            match self.style.glyphs {
                _ if combined > COMBINED || selects => out.extend(character.escape_unicode()),
                Glyphs::Ascii if !character.is_ascii() => match spelled(character) {
                    Some(text) => out.push_str(text),
                    None => out.extend(character.escape_unicode()),
                },
                Glyphs::Ascii | Glyphs::Unicode => out.push(character),
            }
        }
        out
    }
}

/// The pieces split at spaces; a word may be made of several pieces.
fn words(pieces: impl Iterator<Item = (Paint, String)>) -> Vec<Vec<(Paint, String)>> {
    let mut words: Vec<Vec<(Paint, String)>> = vec![Vec::new()];
    for (paint, text) in pieces {
        for (count, part) in text.split(' ').enumerate() {
            if count > 0 {
                words.push(Vec::new());
            }
            if let (Some(word), false) = (words.last_mut(), part.is_empty()) {
                word.push((paint, part.to_owned()));
            }
        }
    }
    words
}

fn append(lines: &mut [Vec<(Paint, String)>], paint: Paint, text: &str) {
    let Some(line) = lines.last_mut() else { return };
    match line.last_mut() {
        Some((last, sofar)) if *last == paint => sofar.push_str(text),
        _ => line.push((paint, text.to_owned())),
    }
}

/// Our own characters in ASCII.
const fn spelled(character: char) -> Option<&'static str> {
    Some(match character {
        '…' => "...",
        '×' => "x",
        '·' | '–' | '─' => "-",
        '→' => "->",
        '│' | '├' => "|",
        '└' => "`",
        '╳' => "X",
        '§' => "section ",
        '’' | '‘' => "'",
        '“' | '”' => "\"",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canvas(columns: usize, glyphs: Glyphs) -> Canvas {
        Canvas::new(Style {
            columns,
            glyphs,
            colour: Colour::Off,
        })
    }

    /// Whatever a stranger writes, no line is wider than the terminal and nothing reaches it that
    /// it would obey.
    #[test]
    fn hostile_text_keeps_its_columns() {
        let zalgo = format!("a{}", "\u{301}".repeat(50));
        for text in [
            "\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[31mred",
            "abc\u{202e}def\u{2066}",
            "日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語",
            "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f} end",
            &zalgo,
            &"x".repeat(5_000),
            &"日".repeat(5_000),
            "line\nbreak\r\nand\ttab\u{85}\u{9b}31m",
            "",
            "     ",
        ] {
            for glyphs in [Glyphs::Unicode, Glyphs::Ascii] {
                for columns in [0, 40, 41, 80] {
                    let mut canvas = canvas(columns, glyphs);
                    let columns = canvas.columns();
                    let right = Some((Paint::Plain, "word"));
                    canvas.paragraph("│ ├─", "│ │ ", &[(Paint::Plain, text)], right);
                    let shown = canvas.finish();
                    for line in shown.lines() {
                        assert!(line.width() <= columns, "{columns}: {line:?}");
                        assert!(!line.chars().any(char::is_control), "{line:?}");
                        if glyphs == Glyphs::Ascii {
                            assert!(line.is_ascii(), "{line:?}");
                        }
                    }
                    assert!(shown.matches('\u{301}').count() <= COMBINED);
                    assert!(shown.contains("word"), "{shown:?}");
                }
            }
        }
    }

    #[test]
    fn paragraphs() {
        for (text, right, expected) in [
            ("one two", None, "> one two\n"),
            (
                "one two",
                Some("word"),
                "> one two                           word\n",
            ),
            (
                "aaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbb",
                None,
                "> aaaaaaaaaaaaaaaaaaa\n| bbbbbbbbbbbbbbbbbbbbbbb\n",
            ),
            (
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                Some("word"),
                "> aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n|                                   word\n",
            ),
        ] {
            let mut canvas = canvas(40, Glyphs::Unicode);
            let right = right.map(|word| (Paint::Plain, word));
            canvas.paragraph("> ", "| ", &[(Paint::Plain, text)], right);
            assert_eq!(canvas.finish(), expected);
        }
    }

    #[test]
    fn what_is_to_be_copied_stays_whole() {
        let mut canvas = canvas(40, Glyphs::Ascii);
        let record = format!("_25._tcp.mx.example.org. IN TLSA 3 1 1 {}", "ab".repeat(32));
        canvas.verbatim(&record);
        assert_eq!(canvas.finish(), format!("{record}\n"));
    }
}
