//! Where everything stands. Widths of text are reckoned from its columns, with room to spare, since
//! the reader's font is not known.

use super::super::{Item, Mark, NodeKind, Trouble};
use super::RIGHT;
use elsinore_smtp::text::excerpt;
use std::collections::BTreeMap;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Tenths of a unit that one column of a title takes.
const TITLE_COLUMN: usize = 81;
/// The same for a note.
const NOTE_COLUMN: usize = 68;
/// Units of indentation per level.
const STEP: usize = 22;
/// Uprights beside each other in the margin; more records share them.
const UPRIGHTS: usize = 5;
/// Lines of one text that are drawn.
const LINES: usize = 4;

/// One node, or one break, with its lines.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// The node; `None` for a break.
    pub(super) item: Option<&'a Item<'a>>,
    /// The sign.
    pub(super) mark: Mark,
    /// Where the icon stands.
    pub(super) x: usize,
    /// Where the line comes down on which a break stands.
    pub(super) line_x: usize,
    /// Base line of the first line.
    pub(super) y: usize,
    /// Height of all lines.
    pub(super) tall: usize,
    /// Lines of the title with their base lines.
    pub(super) titles: Vec<(usize, String)>,
    /// Lines of the notes with their base lines.
    pub(super) notes: Vec<(usize, String)>,
    /// The state in words.
    pub(super) word: String,
    /// Base line of the word.
    pub(super) word_y: usize,
}

/// One wire, by heights and the place of its upright.
#[derive(Debug)]
pub(super) struct LaidWire {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) at: usize,
    pub(super) accepted: bool,
}

/// Everything in its place.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub(super) rows: Vec<Row<'a>>,
    pub(super) lines: Vec<String>,
    pub(super) wires: Vec<LaidWire>,
    /// Top and bottom of each lane.
    pub(super) lanes: Vec<(usize, usize)>,
    pub(super) height: usize,
}

impl<'a> Layout<'a> {
    /// Lays out the stem and, hanging on its last node, the lanes.
    pub(super) fn of(trunk: &'a [Item<'a>], lanes: &'a [Item<'a>]) -> Self {
        let mut layout = Self {
            rows: Vec::new(),
            lines: Vec::new(),
            wires: Vec::new(),
            lanes: Vec::new(),
            height: 12,
        };
        let x = 24;
        let mut last: Option<usize> = None;
        for item in trunk {
            let y = layout.item(x, x, item);
            if let Some(above) = last {
                layout.lines.push(format!("M{x} {above}V{y}"));
            }
            last = Some(y);
        }
        layout.hang(x, last, lanes);
        layout.height += 4;
        layout
    }

    /// Puts the items below a node whose icon stands at `above`, each joined to it by a line.
    fn hang(&mut self, x: usize, above: Option<usize>, items: &'a [Item<'a>]) {
        for item in items {
            let is_lane = item.node.kind == NodeKind::Host;
            let top = self.height;
            if is_lane {
                self.height += 8;
            }
            let first_row = self.rows.len();
            let y = self.item(x + STEP, x, item);
            if let Some(above) = above {
                self.lines.push(format!("M{x} {above}V{y}H{}", x + STEP));
            }
            self.hang(x + STEP, Some(y), &item.children);
            if is_lane {
                self.wire(first_row);
                self.lanes.push((top, self.height));
                self.height += 8;
            }
        }
    }

    /// Puts one node, with its break above it; returns the height of its icon.
    fn item(&mut self, x: usize, line_x: usize, item: &'a Item<'a>) -> usize {
        if let Some(trouble) = &item.node.trouble {
            self.trouble(x, line_x, trouble);
        }
        let node = item.node;
        let letter = (item.letter).map_or_else(String::new, |letter| format!("[{letter}] "));
        let count = match item.count {
            0 | 1 => String::new(),
            count => format!(" ×{count}"),
        };
        let title = format!("{letter}{}{count}", node.title);
        let y = self.height + 18;
        let room = RIGHT - x - 28;
        let word = node.word.width() * TITLE_COLUMN / 10 + 16;
        let columns = room * 10 / TITLE_COLUMN;
        // The word stands beside the title where both fit, else below it.
        let beside = title.width() * TITLE_COLUMN / 10 + word <= room;
        let mut at = y;
        let titles = put(&mut at, 17, broken(&title, columns));
        let word_y = if beside || node.word.is_empty() {
            y
        } else {
            at += 17;
            at
        };
        let mut notes = Vec::new();
        for note in &item.notes {
            at += 16;
            notes.extend(put(&mut at, 15, broken(note, room * 10 / NOTE_COLUMN)));
        }
        self.height = at + 12;
        self.rows.push(Row {
            item: Some(item),
            mark: node.mark,
            x,
            line_x,
            y,
            tall: at + 7 - (y - 16),
            titles,
            notes,
            word: node.word.clone(),
            word_y,
        });
        y - 5
    }

    fn trouble(&mut self, x: usize, line_x: usize, trouble: &Trouble) {
        let y = self.height + 16;
        let room = RIGHT - x - 28;
        let mut at = y;
        let titles = put(
            &mut at,
            16,
            broken(&trouble.reason, room * 10 / TITLE_COLUMN),
        );
        let mut notes = Vec::new();
        if let Some(fix) = &trouble.fix {
            at += 16;
            let fix = format!("Fix: {fix}");
            notes = put(&mut at, 15, broken(&fix, room * 10 / NOTE_COLUMN));
        }
        self.height = at + 10;
        self.rows.push(Row {
            item: None,
            mark: Mark::Bad,
            x,
            line_x,
            y,
            tall: at - y,
            titles,
            notes,
            word: String::new(),
            word_y: y,
        });
    }

    /// Draws the wires of the lane whose rows begin at `first`, each with an upright of its own.
    fn wire(&mut self, first: usize) {
        let mut chips: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let mut wires = Vec::new();
        for row in self.rows.iter().skip(first) {
            let Some(item) = row.item else { continue };
            if let Some(letter) = item.letter {
                let upright = chips.len();
                chips.insert(letter, (row.y - 5, upright));
            }
            for wire in item.wires {
                if let Some((from, upright)) = chips.get(wire.letter.as_str()) {
                    wires.push(LaidWire {
                        from: *from,
                        to: row.y - 5,
                        at: RIGHT + 18 + upright % UPRIGHTS * 9,
                        accepted: wire.accepted,
                    });
                }
            }
        }
        self.wires.append(&mut wires);
    }
}

/// Gives lines their heights, the first at `at`, which is moved to the last.
fn put(at: &mut usize, step: usize, lines: Vec<String>) -> Vec<(usize, String)> {
    let mut placed = Vec::new();
    for (count, line) in lines.into_iter().enumerate() {
        if count > 0 {
            *at += step;
        }
        placed.push((*at, line));
    }
    placed
}

/// Text in lines of at most `columns`, broken at spaces, long words anywhere; cut after a few.
fn broken(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(8);
    let text = excerpt(text.as_bytes(), 1_000);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let space = usize::from(used > 0);
        if used > 0 && used + space + word.width() > columns {
            lines.push(String::new());
            used = 0;
        } else if space > 0 {
            lines.last_mut().into_iter().for_each(|line| line.push(' '));
            used += 1;
        }
        for character in word.chars() {
            let width = character.width().unwrap_or(0);
            if used + width > columns {
                lines.push(String::new());
                used = 0;
            }
            lines
                .last_mut()
                .into_iter()
                .for_each(|line| line.push(character));
            used += width;
        }
    }
    if lines.len() > LINES {
        lines.truncate(LINES);
        lines.last_mut().into_iter().for_each(|line| line.push('…'));
    }
    lines
}
