//! House rules that no compiler checks: purity of the pure crates, module docs, file sizes, words
//! that must not stay, dependencies with a reason, maps that name real files.

use anyhow::{Context, Result, bail};
use std::process::Command;

/// Crates that must stay free of input, output and async.
const PURE: &[&str] = &["elsinore-dane", "elsinore-smtp"];

/// What a pure crate must not depend on, not even through others.
const IMPURE: &[&str] = &[
    "tokio",
    "mio",
    "socket2",
    "hyper",
    "rustls",
    "hickory-proto",
    "domain",
    "serde",
    "tracing",
    "log",
];

/// What the command must not depend on: it brings algorithms that are broken.
const TESTS_ALONE: &[&str] = &["elsinore-replay"];

/// Lines above which a file must say why in its module doc (`File size:`).
const LONG: usize = 600;

/// Runs every rule and reports all that is broken.
///
/// # Errors
/// The list of faults.
pub(crate) fn run() -> Result<()> {
    let mut faults = Vec::new();
    purity(&mut faults)?;
    sources(&mut faults)?;
    dependencies(&mut faults)?;
    maps(&mut faults)?;
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(())
}

fn purity(faults: &mut Vec<String>) -> Result<()> {
    for (package, names) in PURE
        .iter()
        .map(|package| (*package, IMPURE))
        .chain([("elsinore", TESTS_ALONE)])
    {
        let output = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--package",
                package,
            ])
            .current_dir(crate::root())
            .output()
            .context("cargo tree")?;
        if !output.status.success() {
            bail!("cargo tree: {}", String::from_utf8_lossy(&output.stderr));
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let name = line.split(' ').next().unwrap_or_default();
            if names.contains(&name) {
                faults.push(format!("{package} must not depend on {name}"));
            }
        }
    }
    Ok(())
}

fn sources(faults: &mut Vec<String>) -> Result<()> {
    for folder in ["crates", "xtask", "fuzz"] {
        for path in crate::files(folder, &[".rs"])? {
            let text = std::fs::read_to_string(&path)?;
            source(&crate::shown(&path), &text, faults);
        }
    }
    Ok(())
}

/// The rules for one source file.
fn source(path: &str, text: &str, faults: &mut Vec<String>) {
    if !text.starts_with("//!") {
        faults.push(format!("{path}: does not begin with a //! module doc"));
    }
    let doc = text.lines().take_while(|line| line.starts_with("//!"));
    let justified = doc.into_iter().any(|line| line.contains("File size:"));
    let lines = text.lines().count();
    if lines > LONG && !justified {
        faults.push(format!(
            "{path}: {lines} lines; split it, or say why in the module doc after \"File size:\""
        ));
    }
    if path.ends_with("/mod.rs") {
        faults.push(format!("{path}: foo.rs beside foo/, not foo/mod.rs"));
    }
    for (index, line) in text.lines().enumerate() {
        for word in [
            concat!("TO", "DO"),
            concat!("FIX", "ME"),
            concat!("XX", "X:"),
        ] {
            if line.contains(word) {
                faults.push(format!("{path}:{}: {word}", index + 1));
            }
        }
        if line.ends_with([' ', '\t']) {
            faults.push(format!("{path}:{}: space at the end", index + 1));
        }
    }
}

/// Each dependency of the workspace has a line in the decision about dependencies.
fn dependencies(faults: &mut Vec<String>) -> Result<()> {
    let manifest = std::fs::read_to_string(crate::root().join("Cargo.toml"))?;
    let reasons = std::fs::read_to_string(crate::root().join("docs/adr/0009-dependencies.md"))
        .context("docs/adr/0009-dependencies.md")?;
    for name in workspace_dependencies(&manifest) {
        if !name.starts_with("elsinore-") && !reasons.contains(&format!("| `{name}` |")) {
            faults.push(format!(
                "{name} has no line of reason in docs/adr/0009-dependencies.md"
            ));
        }
    }
    for path in crate::files("crates", &["Cargo.toml"])? {
        for line in std::fs::read_to_string(&path)?.lines() {
            let own_version = line.contains("= \"") && line.contains("version = \"");
            if own_version && line.contains('{') {
                faults.push(format!(
                    "{}: versions stand in the root manifest alone: {line}",
                    crate::shown(&path)
                ));
            }
        }
    }
    Ok(())
}

fn workspace_dependencies(manifest: &str) -> Vec<&str> {
    manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = ").map(|(name, _)| name))
        .filter(|name| !name.starts_with('#'))
        .collect()
}

/// Files that the documents name in backquotes exist.
fn maps(faults: &mut Vec<String>) -> Result<()> {
    for document in ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md"] {
        let text = std::fs::read_to_string(crate::root().join(document)).context(document)?;
        for path in named_paths(&text) {
            if !crate::root().join(path).exists() {
                faults.push(format!("{document} names {path}, which does not exist"));
            }
        }
    }
    Ok(())
}

/// What stands between backquotes and looks like a path of this repository.
fn named_paths(text: &str) -> Vec<&str> {
    const ROOTS: &[&str] = &["crates/", "docs/", "xtask/", "scenarios/", "fuzz/", ".ci/"];
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|quoted| ROOTS.iter().any(|root| quoted.starts_with(root)))
        .filter(|quoted| !quoted.contains([' ', '*', '{', '<']))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_a_source() {
        let long = format!("//! Doc.\n{}", "x\n".repeat(LONG));
        let excused = long.replace("Doc.", "Doc. File size: one table.");
        for (text, expected) in [
            ("//! Doc.\nfn f() {}\n", 0),
            ("fn f() {}\n", 1),
            ("//! Doc.\n// T0D0: later\n", 1),
            ("//! Doc.\nfn f() {} \n", 1),
            (long.as_str(), 1),
            (excused.as_str(), 0),
        ] {
            let mut faults = Vec::new();
            // The words themselves must not stand in this file.
            let text = text.replace("T0D0", concat!("TO", "DO"));
            source("a.rs", &text, &mut faults);
            assert_eq!(faults.len(), expected, "{faults:?}");
        }
    }

    #[test]
    fn dependency_names() {
        let manifest =
            "[workspace.dependencies]\n# why\na = \"1\"\nb-c = { version = \"2\" }\n\n[x]\nd = 1\n";
        assert_eq!(workspace_dependencies(manifest), ["a", "b-c"]);
    }

    #[test]
    fn paths_in_documents() {
        let text = "see `crates/a/src/lib.rs` and `cargo test`, `docs/x.md`, `crates/*/y`";
        assert_eq!(named_paths(text), ["crates/a/src/lib.rs", "docs/x.md"]);
    }
}
