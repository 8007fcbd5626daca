//! The rail in a terminal: a tree whose trunk is the way of trust.

use super::canvas::{Canvas, Paint};
use crate::rail::{Lane, Mark, Node, Rail, Trouble};

/// Names of folded hosts that are spelled out.
const TWINS: usize = 12;

/// A node with what hangs on it.
struct Item<'a> {
    node: &'a Node,
    /// What stands before the title.
    label: String,
    /// What stands behind it.
    suffix: String,
    /// More to be told of it.
    note: Option<String>,
    children: Vec<Self>,
}

impl<'a> Item<'a> {
    fn leaf(node: &'a Node) -> Self {
        Self {
            node,
            label: String::new(),
            suffix: String::new(),
            note: None,
            children: Vec::new(),
        }
    }
}

/// Draws the rail.
pub(super) fn draw(canvas: &mut Canvas, rail: &Rail) {
    let lanes: Vec<Item<'_>> = rail.lanes.iter().map(lane).collect();
    for (count, node) in rail.stem.iter().enumerate() {
        if count > 0 && node.trouble.is_none() {
            canvas.paragraph("│", "│", &[], None);
        }
        trouble(canvas, "", node.trouble.as_ref());
        let last = count + 1 == rail.stem.len();
        let below = if last && lanes.is_empty() {
            "  "
        } else {
            "│ "
        };
        station(canvas, "", below, &Item::leaf(node));
    }
    branches(canvas, "", &lanes);
}

fn lane(lane: &Lane) -> Item<'_> {
    let mut children: Vec<Item<'_>> = (lane.zones.iter().chain(&lane.aliases))
        .map(Item::leaf)
        .collect();
    children.extend(lane.bases.iter().map(|base| {
        let chips = base.chips.iter().map(|chip| Item {
            label: format!("[{}] ", chip.letter),
            ..Item::leaf(&chip.node)
        });
        Item {
            children: chips.collect(),
            ..Item::leaf(&base.node)
        }
    }));
    children.extend(lane.branches.iter().map(|branch| {
        let sessions = branch.sessions.iter().map(|session| {
            let cards = (session.certificates.iter()).map(|card| Item::leaf(&card.node));
            Item {
                children: cards.collect(),
                ..Item::leaf(&session.node)
            }
        });
        Item {
            children: sessions.collect(),
            ..Item::leaf(&branch.node)
        }
    }));
    let twins = (!lane.twins.is_empty()).then(|| {
        let names: Vec<&str> = (lane.twins.iter().take(TWINS))
            .map(|twin| twin.title.as_str())
            .collect();
        let more = match lane.twins.len().saturating_sub(TWINS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("alike: {}{more}", names.join(", "))
    });
    Item {
        suffix: match lane.twins.len() {
            0 => String::new(),
            twins => format!(" ×{}", twins + 1),
        },
        note: twins,
        children,
        ..Item::leaf(&lane.host)
    }
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
    let pieces = [
        (paint, canvas.sign(node.mark)),
        (Paint::Plain, " "),
        (Paint::Bold, item.label.as_str()),
        (Paint::Plain, node.title.as_str()),
        (Paint::Bold, item.suffix.as_str()),
    ];
    let right = (!node.word.is_empty()).then_some((paint, node.word.as_str()));
    canvas.paragraph(first, rest, &pieces, right);
    let mut notes = node.notes.clone();
    notes.extend(item.note.clone());
    if !notes.is_empty() {
        canvas.paragraph(rest, rest, &[(Paint::Dim, &notes.join(" · "))], None);
    }
}
