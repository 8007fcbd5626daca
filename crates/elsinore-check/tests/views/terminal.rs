//! The report in a terminal: at 80 and 120 columns, with and without colour, in Unicode and ASCII.

use crate::snapshot::{compare, samples};
use elsinore_check::terminal::{Colour, Glyphs, Style, text};
use unicode_width::UnicodeWidthStr;

const STYLES: [(&str, Style); 6] = [
    ("80", style(80, Glyphs::Unicode, Colour::Off)),
    ("120", style(120, Glyphs::Unicode, Colour::Off)),
    ("80-colour", style(80, Glyphs::Unicode, Colour::On)),
    ("120-colour", style(120, Glyphs::Unicode, Colour::On)),
    ("80-ascii", style(80, Glyphs::Ascii, Colour::Off)),
    ("120-ascii", style(120, Glyphs::Ascii, Colour::Off)),
];

const fn style(columns: usize, glyphs: Glyphs, colour: Colour) -> Style {
    Style {
        columns,
        glyphs,
        colour,
    }
}

#[test]
fn snapshots() {
    let mut texts = Vec::new();
    for (name, report) in samples() {
        for (word, style) in STYLES {
            texts.push((format!("{name}.{word}.txt"), text(&report, style)));
        }
    }
    compare(".txt", &texts);
}

/// Nothing but lines to be copied is wider than the terminal, and no control character but those
/// of our colours reaches it.
#[test]
fn every_line_fits() {
    for (name, report) in samples() {
        let pasted: Vec<&str> = (report.findings.iter())
            .flat_map(|finding| &finding.advice)
            .flat_map(|advice| &advice.paste)
            .map(String::as_str)
            .collect();
        for columns in [40, 60, 80, 81, 120, 200] {
            for (glyphs, colour) in [
                (Glyphs::Unicode, Colour::Off),
                (Glyphs::Ascii, Colour::Off),
                (Glyphs::Unicode, Colour::On),
            ] {
                let shown = text(&report, style(columns, glyphs, colour));
                let shown = without_colours(&shown);
                for line in shown.lines() {
                    let fits = line.width() <= columns || pasted.contains(&line);
                    assert!(fits, "{name} at {columns}: {line:?}");
                    assert!(!line.chars().any(char::is_control), "{name}: {line:?}");
                    assert_eq!(line.trim_end(), line, "{name}");
                    if glyphs == Glyphs::Ascii && !pasted.contains(&line) {
                        assert!(line.is_ascii(), "{name}: {line:?}");
                    }
                }
            }
        }
    }
}

/// Colour says nothing that is not said without.
#[test]
fn colour_adds_nothing() {
    for (name, report) in samples() {
        let plain = text(&report, style(80, Glyphs::Unicode, Colour::Off));
        let coloured = text(&report, style(80, Glyphs::Unicode, Colour::On));
        assert_ne!(plain, coloured, "{name}");
        assert_eq!(plain, without_colours(&coloured), "{name}");
    }
}

fn without_colours(text: &str) -> String {
    let mut out = text.to_owned();
    for code in ["0", "1", "2", "32", "33", "35", "1;31"] {
        out = out.replace(&format!("\u{1b}[{code}m"), "");
    }
    out
}
