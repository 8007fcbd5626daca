//! A lab beside what is measured, and how much memory a process has.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// VmHWM; 0 when the process is gone or before its program has been loaded.
pub(super) fn peak(status: &Path) -> u64 {
    std::fs::read_to_string(status)
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or(0)
}

/// A running lab, ended when dropped.
pub(super) struct Lab {
    child: Child,
    pub(super) configuration: PathBuf,
}

impl Lab {
    /// Starts `elsinore lab up` with these arguments and waits until it serves.
    ///
    /// # Errors
    /// When it does not come up.
    pub(super) fn up(program: &Path, arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(program)
            .args(["lab", "up"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("no stdout")?;
        let mut lab = Self {
            child,
            configuration: PathBuf::new(),
        };
        for line in BufReader::new(output).lines() {
            let line = line?;
            if let Some((_, path)) = line.split_once("ELSINORE_CONFIG=") {
                lab.configuration = path.into();
            }
            if line.contains("Ctrl-C") {
                break;
            }
        }
        if !lab.configuration.is_file() {
            bail!("the lab did not come up");
        }
        Ok(lab)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // SIGTERM lets it remove its folder; the wait cannot fail in a way that matters here.
        let _ = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}
