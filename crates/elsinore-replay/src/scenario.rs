//! A scenario as its file tells it: server options, scripted servers, steps.
//!
//! The format is that of Unbound's test program (`testcode/replay.h` and `testcode/testpkts.h` in
//! its sources describe it); the reader here is our own and refuses what it does not know.

mod config;
mod entry;
mod lines;
mod record;
mod steps;

pub(crate) use config::{Setting, Zone, ZoneKind};
pub(crate) use entry::{Adjustments, Criterion, Entry, Flags, Packet};
pub(crate) use record::{Asked, Record, WireName};
pub(crate) use steps::{Event, Step};

use lines::{Lines, keyword};
use record::Defaults;
use std::net::IpAddr;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub(crate) struct Fault {
    /// The line, from 1.
    pub(crate) line: usize,
    /// A sentence about it.
    pub(crate) problem: String,
}

pub(crate) fn fault(line: usize, problem: impl Into<String>) -> Fault {
    Fault {
        line,
        problem: problem.into(),
    }
}

/// A scripted server: what it answers during some of the steps.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    /// The first step, inclusive.
    pub(crate) first: u32,
    /// The last step, inclusive.
    pub(crate) last: u32,
    /// Where it is found; every address when empty.
    pub(crate) addresses: Vec<IpAddr>,
    /// What it answers: the first entry that matches.
    pub(crate) entries: Vec<Entry>,
}

/// A file with trust anchors.
#[derive(Debug, Clone)]
pub(crate) struct AnchorFile {
    /// The line before the first, from 1.
    pub(crate) line: usize,
    /// Its lines.
    pub(crate) lines: Vec<String>,
}

/// A scenario.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// What follows `SCENARIO_BEGIN`.
    pub(crate) title: String,
    /// Options of the server, in the order of the file.
    pub(crate) settings: Vec<Setting>,
    /// Stub and forward zones.
    pub(crate) zones: Vec<Zone>,
    /// Files with trust anchors (`AUTOTRUST_FILE`).
    pub(crate) autotrust: Vec<AnchorFile>,
    /// The scripted servers.
    pub(crate) ranges: Vec<Range>,
    /// What happens.
    pub(crate) steps: Vec<Step>,
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// The first line that is not understood, or where the file ends too early.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let mut lines = Lines::new(text);
        let mut scenario = Self {
            title: String::new(),
            settings: Vec::new(),
            zones: Vec::new(),
            autotrust: Vec::new(),
            ranges: Vec::new(),
            steps: Vec::new(),
        };
        config::read(&mut lines, &mut scenario)?;
        let (number, first) = lines.next_required("SCENARIO_BEGIN")?;
        let title = first
            .strip_prefix("SCENARIO_BEGIN")
            .ok_or_else(|| fault(number, "SCENARIO_BEGIN expected"))?;
        scenario.title = title.trim().to_owned();
        scenario.body(&mut lines)?;
        Ok(scenario)
    }

    fn body(&mut self, lines: &mut Lines<'_>) -> Result<(), Fault> {
        let mut defaults = Defaults::default();
        loop {
            let (number, text) = lines.next_required("SCENARIO_END")?;
            let (word, rest) = keyword(text);
            match word {
                "SCENARIO_END" => return Ok(()),
                "RANGE_BEGIN" => self.ranges.push(range(lines, rest, &mut defaults)?),
                "STEP" => self.steps.push(steps::read(lines, rest, &mut defaults)?),
                "$ORIGIN" | "$TTL" => defaults
                    .set(word, rest)
                    .map_err(|problem| fault(number, problem))?,
                _ => return Err(fault(number, format!("directive {word} is not supported"))),
            }
        }
    }
}

fn range(lines: &mut Lines<'_>, rest: &str, defaults: &mut Defaults) -> Result<Range, Fault> {
    let begin = lines.number();
    let mut bounds = rest.split_whitespace().map(str::parse);
    let (Some(Ok(first)), Some(Ok(last)), None) = (bounds.next(), bounds.next(), bounds.next())
    else {
        return Err(fault(begin, "RANGE_BEGIN wants two step numbers"));
    };
    let mut range = Range {
        first,
        last,
        addresses: Vec::new(),
        entries: Vec::new(),
    };
    loop {
        let (number, text) = lines.next_required("RANGE_END")?;
        let (word, rest) = keyword(text);
        match word {
            "RANGE_END" | "END_RANGE" => return Ok(range),
            "ADDRESS" => {
                for address in rest.split_whitespace() {
                    range.addresses.push(parse_address(address, number)?);
                }
            }
            "ENTRY_BEGIN" => range.entries.push(Entry::read(lines, defaults)?),
            "$ORIGIN" | "$TTL" => defaults
                .set(word, rest)
                .map_err(|problem| fault(number, problem))?,
            _ => {
                return Err(fault(
                    number,
                    format!("directive {word} is not supported in a range"),
                ));
            }
        }
    }
}

/// An address, with an optional port behind `@` that says nothing here.
fn parse_address(text: &str, line: usize) -> Result<IpAddr, Fault> {
    let address = text.split('@').next().unwrap_or(text);
    address
        .parse()
        .map_err(|_| fault(line, format!("{text:?} is no address")))
}
