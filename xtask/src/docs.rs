//! Documents made from the program itself: the rules it decides by, the lints of the checker, and
//! what can be typed.

use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::process::Command;

/// Whether the documents are written or compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Write what differs.
    Write,
    /// Fail when something differs.
    Check,
}

/// The subcommands whose help goes into the usage document.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["send"],
    &["check"],
    &["dns"],
    &["doctor"],
    &["tlsa", "make"],
    &["tlsa", "pin"],
    &["tlsa", "plan"],
    &["tlsa", "verify"],
    &["explain"],
    &["web"],
    &["relay"],
    &["sendmail"],
    &["queue"],
    &["queue", "list"],
    &["queue", "show"],
    &["queue", "retry"],
    &["queue", "hold"],
    &["queue", "release"],
    &["queue", "remove"],
    &["queue", "stats"],
    &["queue", "fsck"],
    &["tlsrpt"],
    &["tlsrpt", "read"],
    &["tlsrpt", "show"],
    &["tlsrpt", "send"],
    &["tlsrpt", "dkim-record"],
    &["policyd"],
    &["config"],
    &["config", "check"],
    &["config", "show"],
    &["lab"],
    &["lab", "run"],
    &["lab", "up"],
];

/// Writes or checks `docs/rules.md`, `docs/usage.md` and `docs/report.schema.json`.
///
/// # Errors
/// When the program cannot be run, or (when checking) a document is out of date.
pub(crate) fn run(purpose: Purpose) -> Result<()> {
    let mut stale = Vec::new();
    for (path, text) in [
        ("docs/rules.md", elsinore(&["explain", "--all"])?),
        ("docs/lints.md", elsinore(&["explain", "--lints"])?),
        ("docs/usage.md", usage()?),
        ("docs/report.schema.json", schema()?),
    ] {
        let file = crate::root().join(path);
        if std::fs::read_to_string(&file).ok().as_deref() == Some(text.as_str()) {
            continue;
        }
        match purpose {
            Purpose::Write => std::fs::write(&file, text).context(path)?,
            Purpose::Check => stale.push(path),
        }
    }
    if !stale.is_empty() {
        bail!("out of date: {}; run cargo xtask docs", stale.join(", "));
    }
    Ok(())
}

fn usage() -> Result<String> {
    let mut text = String::from(
        "# Usage\n\nMade by `cargo xtask docs` from the program's own help; not edited by hand.\n",
    );
    for command in COMMANDS {
        let mut arguments = command.to_vec();
        arguments.push("--help");
        let heading = ["elsinore"]
            .iter()
            .chain(*command)
            .copied()
            .collect::<Vec<_>>()
            .join(" ");
        let help = elsinore(&arguments)?;
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        write!(text, "\n## {heading}\n\n```\n{}\n```\n", help.join("\n"))?;
    }
    Ok(text)
}

/// The schema of the report, from its types.
fn schema() -> Result<String> {
    cargo(&[
        "run",
        "--quiet",
        "--package",
        "elsinore-check",
        "--example",
        "schema",
    ])
}

fn elsinore(arguments: &[&str]) -> Result<String> {
    let run = ["run", "--quiet", "--package", "elsinore", "--"];
    cargo(&[&run, arguments].concat())
}

fn cargo(arguments: &[&str]) -> Result<String> {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(crate::root())
        .env_remove("ELSINORE_CONFIG")
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!(
            "cargo {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    String::from_utf8(output.stdout).context("output is not UTF-8")
}
