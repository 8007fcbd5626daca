//! The package under a systemd of its own: a container over a copy of this machine's root, in memory
//! and without a network (`packaging/tests/boot.sh`). What is tried there is
//! `packaging/tests/units.sh`.

use crate::step::{exists, skipped};
use anyhow::{Context, Result, bail};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

/// What is skipped where it cannot be done.
const WHAT: &str = "the units under systemd";
/// How `boot.sh` says that this machine boots no container.
const NO_CONTAINER: i32 = 77;

/// Installs `package` in a container, and tries its units.
///
/// # Errors
/// What they do not do.
pub(super) fn test(package: &Path) -> Result<()> {
    if !std::fs::metadata("/proc/self").is_ok_and(|folder| folder.uid() == 0) {
        return skipped(WHAT, "not root");
    }
    if !exists("systemd-nspawn", "--version") || !exists("python3", "--version") {
        return skipped(WHAT, "there is no systemd-nspawn, or no python3");
    }
    let folder = crate::root().join("target/package-boot");
    std::fs::create_dir_all(&folder).context("target/package-boot")?;
    let scripts = crate::root().join("packaging/tests");
    let status = Command::new("unshare")
        .args(["--mount", "--propagation", "private"])
        // Whatever becomes of this process, nothing of the container outlives it.
        .args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh"])
        .arg(scripts.join("boot.sh"))
        .args([folder.as_path(), package, &scripts.join("units.sh")])
        .status()
        .context("unshare")?;
    match status.code() {
        Some(0) => Ok(()),
        Some(NO_CONTAINER) => skipped(WHAT, "this machine boots no container; why stands above"),
        _ => bail!("{WHAT}: {status}; what was tried stands above"),
    }
}
