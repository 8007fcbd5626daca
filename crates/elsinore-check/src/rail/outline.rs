//! The rail as a tree, in the order in which it is read: what a terminal, a picture and a list for
//! screen readers are drawn from.

use super::{Card, ChipWire, Lane, Node, Rail};

/// Names of folded hosts that are spelled out.
const TWINS: usize = 12;

/// A node with what hangs on it.
#[derive(Debug, Clone)]
pub struct Item<'a> {
    /// The node.
    pub node: &'a Node,
    /// The letter of a TLSA record.
    pub letter: Option<&'a str>,
    /// How many hosts look like this one, itself included.
    pub count: usize,
    /// The notes of the node, and the names of what was folded into it.
    pub notes: Vec<String>,
    /// The records wired to a certificate.
    pub wires: &'a [ChipWire],
    /// What hangs on it.
    pub children: Vec<Self>,
}

impl<'a> Item<'a> {
    fn leaf(node: &'a Node) -> Self {
        Self {
            node,
            letter: None,
            count: 1,
            notes: node.notes.clone(),
            wires: &[],
            children: Vec::new(),
        }
    }
}

impl Rail {
    /// The lanes with all that hangs on them; they hang on the last node of the stem.
    #[must_use]
    pub fn outline(&self) -> Vec<Item<'_>> {
        self.lanes.iter().map(lane).collect()
    }

    /// The nodes of the stem, each without children.
    #[must_use]
    pub fn trunk(&self) -> Vec<Item<'_>> {
        self.stem.iter().map(Item::leaf).collect()
    }
}

fn lane(lane: &Lane) -> Item<'_> {
    let mut children: Vec<Item<'_>> = (lane.zones.iter().chain(&lane.aliases))
        .map(Item::leaf)
        .collect();
    children.extend(lane.bases.iter().map(|base| {
        let chips = base.chips.iter().map(|chip| Item {
            letter: Some(&chip.letter),
            ..Item::leaf(&chip.node)
        });
        Item {
            children: chips.collect(),
            ..Item::leaf(&base.node)
        }
    }));
    children.extend(lane.branches.iter().map(|branch| {
        let sessions = branch.sessions.iter().map(|session| Item {
            children: session.certificates.iter().map(card).collect(),
            ..Item::leaf(&session.node)
        });
        Item {
            children: sessions.collect(),
            ..Item::leaf(&branch.node)
        }
    }));
    let mut notes = lane.host.notes.clone();
    if !lane.twins.is_empty() {
        let names: Vec<&str> = (lane.twins.iter().take(TWINS))
            .map(|twin| twin.title.as_str())
            .collect();
        let more = match lane.twins.len().saturating_sub(TWINS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        notes.push(format!("alike: {}{more}", names.join(", ")));
    }
    Item {
        count: lane.twins.len() + 1,
        notes,
        children,
        ..Item::leaf(&lane.host)
    }
}

fn card(card: &Card) -> Item<'_> {
    Item {
        wires: &card.wires,
        ..Item::leaf(&card.node)
    }
}
