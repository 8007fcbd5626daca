//! The requirement list of RFC 7672 against code and tests: each entry of
//! `docs/spec/rfc7672.md` has a deciding line and a test, or a stated reason why not.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;

/// What is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Only what is wrong, and a count.
    Faults,
    /// Each requirement with the places that refer to it.
    Everything,
}

/// One entry of the list.
#[derive(Debug, Default, PartialEq, Eq)]
struct Requirement {
    has_reason: bool,
    code: Vec<String>,
    tests: Vec<String>,
}

/// Compares the list with the annotations.
///
/// # Errors
/// When a requirement has neither code and test nor a reason, or an annotation names a
/// requirement that is not in the list.
pub(crate) fn run(output: Output) -> Result<()> {
    let path = crate::root().join("docs/spec/rfc7672.md");
    let list = std::fs::read_to_string(&path).context("docs/spec/rfc7672.md")?;
    let mut requirements = parse(&list)?;
    let mut faults = Vec::new();
    for folder in ["crates", "scenarios"] {
        for file in crate::files(folder, &[".rs", ".toml"])? {
            collect(&file, &mut requirements, &mut faults)?;
        }
    }
    for (id, requirement) in &requirements {
        if output == Output::Everything {
            println!("{id}");
            for place in &requirement.code {
                println!("    code {place}");
            }
            for place in &requirement.tests {
                println!("    test {place}");
            }
            if requirement.has_reason {
                println!("    reason stated");
            }
        }
        if let Some(fault) = fault(requirement) {
            faults.push(format!("{id}: {fault}"));
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    let excused = requirements.values().filter(|r| r.has_reason).count();
    eprintln!(
        "xtask: {} requirements of RFC 7672, {excused} with a stated reason, the others with code and test",
        requirements.len()
    );
    Ok(())
}

fn fault(requirement: &Requirement) -> Option<&'static str> {
    match (
        requirement.has_reason,
        requirement.code.is_empty(),
        requirement.tests.is_empty(),
    ) {
        (true, _, _) | (false, false, false) => None,
        (false, true, true) => Some("neither code nor test nor reason"),
        (false, true, false) => Some("no code marked"),
        (false, false, true) => Some("no test marked"),
    }
}

/// Reads entries (`- **ID** LEVEL: text`) and reasons (`reason:` before the next entry).
fn parse(list: &str) -> Result<BTreeMap<String, Requirement>> {
    let mut requirements: BTreeMap<String, Requirement> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in list.lines() {
        if let Some(entry) = line.strip_prefix("- **") {
            let (id, rest) = entry.split_once("**").context("entry without end")?;
            let level = rest.trim_start().split(':').next().unwrap_or_default();
            if !["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "STATED"].contains(&level) {
                bail!("{id}: unknown level {level:?}");
            }
            if requirements
                .insert(id.to_owned(), Requirement::default())
                .is_some()
            {
                bail!("{id} stands twice");
            }
            current = Some(id.to_owned());
        } else if line.starts_with('#') {
            current = None;
        } else if line.trim_start().starts_with("reason: ")
            && let Some(requirement) = current.as_ref().and_then(|id| requirements.get_mut(id))
        {
            requirement.has_reason = true;
        }
    }
    Ok(requirements)
}

/// Adds the annotations of one file.
fn collect(
    file: &Path,
    requirements: &mut BTreeMap<String, Requirement>,
    faults: &mut Vec<String>,
) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let Some(note) = line
            .strip_prefix("//= ")
            .or_else(|| line.strip_prefix("#= "))
        else {
            continue;
        };
        let place = format!("{}:{}", crate::shown(file), index + 1);
        let (ids, is_test) = match (
            note.strip_prefix("spec: "),
            note.strip_prefix("spec-test: "),
        ) {
            (Some(ids), _) => (ids, false),
            (None, Some(ids)) => (ids, true),
            (None, None) => {
                faults.push(format!("{place}: neither spec nor spec-test"));
                continue;
            }
        };
        for id in ids.split([' ', ',']).filter(|id| !id.is_empty()) {
            match requirements.get_mut(id) {
                Some(requirement) if is_test => requirement.tests.push(place.clone()),
                Some(requirement) => requirement.code.push(place.clone()),
                None => faults.push(format!("{place}: {id} is not in the list")),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_levels_and_reasons() {
        let list = "# h\n- **7672-1-1** MUST: a\n  b.\n- **7672-1-2** SHOULD NOT: c\n  reason: d\n";
        let parsed = parse(list).unwrap();
        assert_eq!(parsed.len(), 2);
        assert!(!parsed["7672-1-1"].has_reason && parsed["7672-1-2"].has_reason);
        assert_eq!(
            fault(&parsed["7672-1-1"]),
            Some("neither code nor test nor reason")
        );
        assert_eq!(fault(&parsed["7672-1-2"]), None);
        for bad in [
            "- **7672-1-1** OUGHT: a\n",
            "- **7672-1-1** MUST: a\n- **7672-1-1** MUST: b\n",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn code_and_test_are_both_needed() {
        let requirement = |code: &[&str], tests: &[&str]| Requirement {
            has_reason: false,
            code: code.iter().map(|s| (*s).to_owned()).collect(),
            tests: tests.iter().map(|s| (*s).to_owned()).collect(),
        };
        assert_eq!(fault(&requirement(&["a"], &["b"])), None);
        assert_eq!(fault(&requirement(&["a"], &[])), Some("no test marked"));
        assert_eq!(fault(&requirement(&[], &["b"])), Some("no code marked"));
    }
}
