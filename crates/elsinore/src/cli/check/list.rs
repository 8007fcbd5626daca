//! Which domains are checked: operands, lists, and the earlier results beside them.

use crate::exit::Refusal;
use crate::output::printable;
use anyhow::{Context, Result};
use elsinore_check::report::Report;
use elsinore_check::target::{self, Target};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Domains in one run.
const MOST: usize = 100_000;
/// Octets of a list: each name at its longest, with a comment.
const LIST_OCTETS: u64 = 64 << 20;
/// Octets of earlier results.
const EARLIER_OCTETS: u64 = 1 << 30;

/// What is to be checked.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Each domain once, in the order named.
    pub(super) targets: Vec<Target>,
    /// Why entries of a list are left out, a line each.
    pub(super) refused: Vec<String>,
}

/// Reads operands and lists. A wrong operand is refused before anything is done; a wrong entry of
/// a list is left out and said so, for the others have waited long enough.
///
/// # Errors
/// Wrong usage, or a list that cannot be read.
pub(super) fn wanted(operands: &[String], from: Option<&Path>) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    let mut known = BTreeSet::new();
    let mut take = |target: Target, wanted: &mut Wanted| {
        if known.insert(target.domain.clone()) {
            if let Some(remark) = &target.remark {
                crate::output::diagnose(&printable(remark));
            }
            wanted.targets.push(target);
        }
    };
    let from_operands = operands
        .iter()
        .filter(|one| *one == "-")
        .map(|_| Path::new("-"));
    let lists: Vec<&Path> = from_operands.chain(from).collect();
    if lists.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(Refusal::usage("check: stdin can be read once"));
    }
    for operand in operands.iter().filter(|one| *one != "-") {
        let target = target::read(operand)
            .map_err(|error| Refusal::usage(printable(&format!("check: {error}"))))?;
        take(target, &mut wanted);
    }
    for path in lists {
        let text = text(path, LIST_OCTETS)?;
        for entry in target::entries(&text) {
            if wanted.targets.len() + wanted.refused.len() >= MOST {
                return Err(Refusal::usage(format!("check: more than {MOST} domains")));
            }
            match target::read(entry) {
                Ok(target) => take(target, &mut wanted),
                Err(error) => wanted.refused.push(error.to_string()),
            }
        }
    }
    if wanted.targets.is_empty() {
        if let Some(first) = wanted.refused.first() {
            return Err(Refusal::usage(format!("check: nothing to check: {first}")));
        }
        return Err(Refusal::usage("check: no domain given (see --help)"));
    }
    Ok(wanted)
}

/// A file as text, octets that are no text shown as such: a name with them is refused by name.
fn text(path: &Path, most: u64) -> Result<String> {
    let shown = || {
        format!(
            "check: cannot read {}",
            printable(&path.display().to_string())
        )
    };
    let mut octets = Vec::new();
    let mut read = |source: &mut dyn Read| source.take(most + 1).read_to_end(&mut octets);
    if path.as_os_str() == "-" {
        read(&mut std::io::stdin().lock()).with_context(shown)?;
    } else {
        read(&mut File::open(path).with_context(shown)?).with_context(shown)?;
    }
    if octets.len() as u64 > most {
        return Err(Refusal::usage(format!(
            "{}: more than {most} octets",
            shown()
        )));
    }
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// Earlier results by domain, the last of each: one JSON object after the other.
///
/// # Errors
/// A file that cannot be read, or holds something else.
pub(super) fn earlier(path: &Path) -> Result<BTreeMap<String, Report>> {
    let text = text(path, EARLIER_OCTETS)?;
    let shown = printable(&path.display().to_string());
    let mut reports = BTreeMap::new();
    for report in serde_json::Deserializer::from_str(&text).into_iter::<Report>() {
        let report = report.map_err(|error| {
            Refusal::usage(printable(&format!(
                "check: --compare {shown}: not a report of check --format json: {error}"
            )))
        })?;
        if report.schema_version != elsinore_check::report::SCHEMA_VERSION {
            return Err(Refusal::usage(format!(
                "check: --compare {shown}: a report of version {}, which this program does not read",
                report.schema_version
            )));
        }
        reports.insert(report.domain.clone(), report);
    }
    if reports.is_empty() {
        return Err(Refusal::usage(format!(
            "check: --compare {shown}: no report in it"
        )));
    }
    Ok(reports)
}
