//! The rail in a terminal: a tree whose trunk is the way of trust.

use super::canvas::{Canvas, Paint};
use crate::rail::{Item, Mark, Rail, Trouble};

/// Draws the rail.
pub(super) fn draw(canvas: &mut Canvas, rail: &Rail) {
    let lanes = rail.outline();
    for (count, item) in rail.trunk().iter().enumerate() {
        if count > 0 && item.node.trouble.is_none() {
            canvas.paragraph("│", "│", &[], None);
        }
        trouble(canvas, "", item.node.trouble.as_ref());
        let last = count + 1 == rail.stem.len();
        let below = if last && lanes.is_empty() {
            "  "
        } else {
            "│ "
        };
        station(canvas, "", below, item);
    }
    branches(canvas, "", &lanes);
}

fn branches(canvas: &mut Canvas, gutter: &str, items: &[Item<'_>]) {
    for (count, item) in items.iter().enumerate() {
        let last = count + 1 == items.len();
        let (turn, below) = if last {
            ("└─", "  ")
        } else {
            ("├─", "│ ")
        };
        trouble(canvas, gutter, item.node.trouble.as_ref());
        let inner = format!("{gutter}{below}");
        let under = if item.children.is_empty() {
            "  "
        } else {
            "│ "
        };
        let rest = format!("{inner}{under}");
        station(canvas, &format!("{gutter}{turn}"), &rest, item);
        branches(canvas, &inner, &item.children);
    }
}

/// The break on the connector above a node, with what mends it.
fn trouble(canvas: &mut Canvas, gutter: &str, trouble: Option<&Trouble>) {
    let Some(trouble) = trouble else { return };
    let rest = format!("{gutter}│ ");
    let bad = Paint::Of(Mark::Bad);
    canvas.paragraph(
        &format!("{gutter}╳ "),
        &rest,
        &[(bad, &trouble.reason)],
        None,
    );
    if let Some(fix) = &trouble.fix {
        let rest = format!("{rest}     ");
        let pieces = [(Paint::Bold, "fix: "), (Paint::Plain, fix.as_str())];
        canvas.paragraph(&format!("{gutter}│ "), &rest, &pieces, None);
    }
}

fn station(canvas: &mut Canvas, first: &str, rest: &str, item: &Item<'_>) {
    let node = item.node;
    let paint = Paint::Of(node.mark);
    let label = (item.letter).map_or_else(String::new, |letter| format!("[{letter}] "));
    let suffix = match item.count {
        0 | 1 => String::new(),
        count => format!(" ×{count}"),
    };
    let pieces = [
        (paint, canvas.sign(node.mark)),
        (Paint::Plain, " "),
        (Paint::Bold, label.as_str()),
        (Paint::Plain, node.title.as_str()),
        (Paint::Bold, suffix.as_str()),
    ];
    let right = (!node.word.is_empty()).then_some((paint, node.word.as_str()));
    canvas.paragraph(first, rest, &pieces, right);
    if !item.notes.is_empty() {
        canvas.paragraph(rest, rest, &[(Paint::Dim, &item.notes.join(" · "))], None);
    }
}
