//! A network namespace of its own for each test, made by running the test again below `unshare`.
//!
//! The PID namespace ends every daemon when the test ends, however it ends; the mount namespace
//! keeps what is mounted or written to `/run` away from the machine.

#[path = "../../../elsinore-dane/tests/skipped.rs"]
mod skipped;

use skipped::skipped;
use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set, to the test's name, in the process that is already inside.
const INSIDE: &str = "ELSINORE_PEERS_INSIDE";

/// How a line begins that people should see although the test passed.
const NOTICE: &str = "peers: ";

const ISOLATION: [&str; 6] = [
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
];

/// Runs `body` inside, if this machine has `programs` and lets us; prints why not otherwise.
/// `test` is the name by which the test harness knows the test.
pub(crate) fn inside(test: &str, programs: &[&str], body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some_and(|name| name == test) {
        run("mount", &["-t", "tmpfs", "tmpfs", "/run"]);
        run("ip", &["link", "set", "lo", "up"]);
        body();
        return;
    }
    if let Some(reason) = obstacle(programs) {
        skipped(test, &reason);
        return;
    }
    let this = env::current_exe().expect("a test knows its file");
    let output = Command::new("unshare")
        .args(ISOLATION)
        .arg(this)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, test)
        .output()
        .expect("unshare runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    println!("{stdout}\n{stderr}");
    for line in stderr.lines().filter(|line| line.starts_with(NOTICE)) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    assert!(
        stdout.contains("1 passed") && output.status.success(),
        "{test} failed inside its namespace; its output stands above"
    );
}

/// Where a program of this machine is.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists())
}

/// Runs a program to its end and returns what it printed; anything but success is a failed test.
pub(crate) fn run(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{name} {arguments:?}: {}\n{stderr}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn obstacle(programs: &[&str]) -> Option<String> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|folder| folder.uid() == 0);
    if !is_root {
        return Some("not root".to_owned());
    }
    let needed = programs.iter().chain(&["unshare", "ip"]);
    let missing: Vec<&str> = needed
        .copied()
        .filter(|name| program(name).is_none())
        .collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Some(format!(
            "{missing} not installed (cargo xtask test installs it)"
        ));
    }
    let allowed = Command::new("unshare")
        .args(ISOLATION)
        .args(["ip", "link", "set", "lo", "up"])
        .output();
    match allowed {
        Ok(output) if output.status.success() => None,
        _ => Some("this machine allows no network namespace".to_owned()),
    }
}

/// A line that the test harness does not swallow.
pub(crate) fn notice(line: &str) {
    // A stderr that nobody reads is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{NOTICE}{line}");
}
