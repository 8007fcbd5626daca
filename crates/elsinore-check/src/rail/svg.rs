//! The rail as a picture (SVG 1.1 with links of SVG 2).
//!
//! One column, read from top to bottom: an icon for each node on the rail, its name behind it, its
//! state in words at the right. Wires from TLSA records to the certificates that they match run in
//! the right margin. States differ by shape and word; colour is the third sign. No fonts, scripts or
//! pictures from elsewhere; all text is escaped.

mod layout;
mod style;

pub use style::STYLE;

use super::{Mark, NodeKind, Rail};
use elsinore_smtp::text::excerpt;
use layout::{Layout, Row};
use std::fmt::Write as _;

/// Where the picture will stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SvgForm {
    /// Inside a page, which has [`STYLE`] in its own style sheet: no style of its own, and nodes
    /// are links to their evidence ([`Node::anchor`](super::Node::anchor)).
    Inline,
    /// A file of its own, with its style, light or dark as the reader likes, and no links.
    Standalone,
}

/// Width of the picture in its own units.
const WIDTH: usize = 760;
/// Where the rows end and the wires begin.
const RIGHT: usize = 690;

/// Draws the rail.
#[must_use]
pub fn svg(rail: &Rail, form: SvgForm) -> String {
    let (trunk, lanes) = (rail.trunk(), rail.outline());
    let layout = Layout::of(&trunk, &lanes);
    let height = layout.height;
    let mut out = String::new();
    let size = match form {
        SvgForm::Inline => "width=\"100%\"".to_owned(),
        SvgForm::Standalone => format!("width=\"{WIDTH}\" height=\"{height}\""),
    };
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"rail\" viewBox=\"0 0 {WIDTH} {height}\" \
         {size} role=\"group\">\n<title>The chain of trust of {}</title>\n<desc>{}: {}</desc>",
        escaped(&rail.domain),
        escaped(rail.state.words()),
        escaped(&rail.sentence),
    );
    if form == SvgForm::Standalone {
        let _ = writeln!(out, "<style>{}</style>", style::standalone());
        let _ = writeln!(
            out,
            "<rect class=\"rail-paper\" width=\"{WIDTH}\" height=\"{height}\"/>"
        );
    }
    for (top, bottom) in &layout.lanes {
        let tall = bottom - top;
        let wide = WIDTH - 32 - 8;
        let _ = writeln!(
            out,
            "<rect class=\"rail-lane\" x=\"32\" y=\"{top}\" width=\"{wide}\" height=\"{tall}\" rx=\"8\"/>"
        );
    }
    for line in &layout.lines {
        let _ = writeln!(out, "<path class=\"rail-line\" d=\"{line}\"/>");
    }
    for row in &layout.rows {
        self::row(&mut out, row, form);
    }
    for wire in &layout.wires {
        let class = if wire.accepted { "good" } else { "bad" };
        let (from, to, at) = (wire.from, wire.to, wire.at);
        let _ = writeln!(
            out,
            "<g class=\"rail-wire rail-{class}\"><path d=\"M{RIGHT} {from}H{x}Q{at} {from} {at} \
             {f}V{t}Q{at} {to} {x} {to}H{a}\"/><path class=\"rail-head\" d=\"M{RIGHT} {to}l7 -4v8z\"/>\
             </g>",
            x = at - 5,
            f = from + 5,
            t = to - 5,
            a = RIGHT + 6,
        );
    }
    out.push_str("</svg>\n");
    out
}

fn row(out: &mut String, row: &Row<'_>, form: SvgForm) {
    let mark = row.mark.word();
    match row.item {
        None => {
            let _ = writeln!(out, "<g class=\"rail-break rail-bad\">");
            let (x, y) = (row.line_x, row.y);
            let _ = writeln!(
                out,
                "<path class=\"rail-cut\" d=\"M{} {}l12 12m0 -12l-12 12\"/>",
                x - 6,
                y - 11
            );
            lines(out, row, "rail-reason");
            out.push_str("</g>\n");
        }
        Some(item) => {
            let node = item.node;
            let kind = class(node.kind);
            let class = format!("class=\"rail-node rail-{kind} rail-{mark}\"");
            let close = match (form, &node.anchor) {
                // A link is called what is written in it (WCAG 2.2 §2.5.3).
                (SvgForm::Inline, Some(anchor)) => {
                    let _ = writeln!(out, "<a href=\"#{}\" {class}>", escaped(anchor));
                    "a"
                }
                (SvgForm::Inline, None) | (SvgForm::Standalone, _) => {
                    let label = format!("{}: {} {}", node.kind.word(), node.title, node.word);
                    let label = escaped(label.trim());
                    let _ = writeln!(out, "<g {class} aria-label=\"{label}\">");
                    "g"
                }
            };
            if let Some(radius) = frame(node.kind) {
                let _ = writeln!(
                    out,
                    "<rect class=\"rail-frame\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{radius}\"/>",
                    row.x + 13,
                    row.y - 16,
                    RIGHT - row.x - 13,
                    row.tall
                );
            }
            icon(out, row.mark, row.x, row.y - 5);
            lines(out, row, "rail-title");
            if !row.word.is_empty() {
                let _ = writeln!(
                    out,
                    "<text class=\"rail-word\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                    RIGHT - 8,
                    row.word_y,
                    escaped(&row.word)
                );
            }
            let _ = writeln!(out, "</{close}>");
        }
    }
}

fn lines(out: &mut String, row: &Row<'_>, class: &str) {
    for (at, line) in &row.titles {
        let _ = writeln!(
            out,
            "<text class=\"{class}\" x=\"{}\" y=\"{at}\">{}</text>",
            row.x + 20,
            escaped(line)
        );
    }
    for (at, line) in &row.notes {
        let _ = writeln!(
            out,
            "<text class=\"rail-note\" x=\"{}\" y=\"{at}\">{}</text>",
            row.x + 20,
            escaped(line)
        );
    }
}

/// The corners of the frame around a node, for kinds that have one.
const fn frame(kind: NodeKind) -> Option<u8> {
    match kind {
        NodeKind::Zone | NodeKind::MxSet => Some(6),
        NodeKind::Record => Some(11),
        NodeKind::Certificate => Some(2),
        NodeKind::Alias
        | NodeKind::Host
        | NodeKind::Base
        | NodeKind::Addresses
        | NodeKind::Session => None,
    }
}

const fn class(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Zone => "zone",
        NodeKind::Alias => "alias",
        NodeKind::MxSet => "mx",
        NodeKind::Host => "host",
        NodeKind::Base => "base",
        NodeKind::Record => "record",
        NodeKind::Addresses => "address",
        NodeKind::Session => "session",
        NodeKind::Certificate => "certificate",
    }
}

/// A shape for each state, with its centre at a point: disc with a tick, triangle with a stroke,
/// square with a cross, diamond with a question mark, ring.
fn icon(out: &mut String, mark: Mark, x: usize, y: usize) {
    let _ = match mark {
        Mark::Good => writeln!(
            out,
            "<circle class=\"rail-shape\" cx=\"{x}\" cy=\"{y}\" r=\"8\"/><path class=\"rail-sign\" \
             d=\"M{} {y}l3 3l5 -6\"/>",
            x - 4
        ),
        Mark::Weak => writeln!(
            out,
            "<path class=\"rail-shape\" d=\"M{x} {}l9 16h-18z\"/><path class=\"rail-sign\" d=\"M{x} \
             {}v5m0 2v1\"/>",
            y - 9,
            y - 3
        ),
        Mark::Bad => writeln!(
            out,
            "<rect class=\"rail-shape\" x=\"{}\" y=\"{}\" width=\"16\" height=\"16\" rx=\"2\"/><path \
             class=\"rail-sign\" d=\"M{} {}l8 8m0 -8l-8 8\"/>",
            x - 8,
            y - 8,
            x - 4,
            y - 4
        ),
        Mark::Unknown => writeln!(
            out,
            "<path class=\"rail-shape\" d=\"M{x} {}l10 10l-10 10l-10 -10z\"/><path \
             class=\"rail-sign\" d=\"M{} {}q0 -3 3 -3q3 0 3 3q0 2 -3 3m0 3v1\"/>",
            y - 10,
            x - 3,
            y - 1
        ),
        Mark::Plain => writeln!(
            out,
            "<circle class=\"rail-shape rail-hollow\" cx=\"{x}\" cy=\"{y}\" r=\"6\"/>"
        ),
    };
}

/// Text of strangers as XML character data or an attribute: what XML 1.0 §2.2 has no character for
/// becomes an escape that can be read.
fn escaped(text: &str) -> String {
    let safe = excerpt(text.as_bytes(), 2_000);
    let mut out = String::with_capacity(safe.len());
    for character in safe.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.extend(character.escape_unicode()),
            other => out.push(other),
        }
    }
    out
}
