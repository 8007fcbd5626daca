//! What drives Chromium in the tests of the page: packages of npm, in exactly the versions of the lock
//! file, below `target`. None of their install scripts is run.

use crate::packages;
use crate::step::{command, exists, skipped};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files that say which packages.
const FOLDER: &str = "crates/elsinore-web/tests/browser";
const LOCK: &str = "package-lock.json";

/// Where the packages are installed.
fn modules() -> PathBuf {
    crate::root().join("target/browser")
}

/// Installs the packages, unless those of the lock file are there.
///
/// # Errors
/// When npm cannot install them; when it is missing where nothing may be left out.
pub(crate) fn install() -> Result<()> {
    let (from, to) = (crate::root().join(FOLDER), modules());
    let lock = std::fs::read_to_string(from.join(LOCK)).context(LOCK)?;
    // npm writes its own list when it has come to the end; ours says which lock file that was of.
    let done = to.join("installed-lock.json");
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == lock) {
        eprintln!("xtask: packages of npm present");
        return Ok(());
    }
    // It comes with some packages of Node.js, Debian's own has it apart.
    if !exists("npm", "--version") {
        packages::install(&[("npm", "installs what drives Chromium")])?;
    }
    if !exists("npm", "--version") {
        return skipped(
            "the page in Chromium",
            "npm is not installed (Debian package npm)",
        );
    }
    std::fs::create_dir_all(&to)?;
    for name in ["package.json", LOCK] {
        copy(&from.join(name), &to.join(name))?;
    }
    command(
        Command::new("npm")
            .args([
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--prefix",
            ])
            .arg(&to),
    )?;
    std::fs::write(done, lock)?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to).with_context(|| from.display().to_string())?;
    Ok(())
}
