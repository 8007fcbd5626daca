//! The Debian package: built by cargo-deb, its units judged by systemd-analyze, installed into a
//! folder, tried, purged; then installed and run under a systemd of its own. Nothing is installed on
//! this machine, and no daemon is started outside that container.

mod booted;

use crate::step::{command, exists, skipped};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version that the metadata in `crates/elsinore/Cargo.toml` is written for.
const CARGO_DEB: &str = "3.8.0";
/// Highest exposure of a unit, in tenths, as `systemd-analyze security` counts.
const EXPOSURE: &str = "20";
/// What the package must hold.
const FILES: &[&str] = &[
    "usr/bin/elsinore",
    "etc/elsinore/elsinore.toml",
    "usr/lib/systemd/system/elsinore-relay.service",
    "usr/lib/systemd/system/elsinore-relay.socket",
    "usr/share/doc/elsinore/examples/relay.toml",
];

/// The binary that goes into the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// As released.
    Release,
    /// As tested: without optimisation, not to be given to anybody.
    Debug,
}

/// Builds the package; the answer is its path.
///
/// # Errors
/// When a tool is missing and cannot be had, or says no.
pub(crate) fn build(build: Build) -> Result<PathBuf> {
    let cargo_deb = cargo_deb()?;
    let out = crate::root().join("target/package");
    if out.exists() {
        std::fs::remove_dir_all(&out).context("target/package")?;
    }
    let mut deb = Command::new(cargo_deb);
    deb.args(["deb", "--package", "elsinore", "--output"])
        .arg(format!("{}/", out.display()));
    if build == Build::Debug {
        crate::step::cargo(&["build", "--package", "elsinore"])?;
        deb.args(["--no-build", "--no-strip", "--profile", "dev", "--fast"]);
    }
    command(&mut deb)?;
    let mut made = std::fs::read_dir(&out).context("target/package")?;
    let made = made.next().context("no package was made")??;
    eprintln!("xtask: {}", made.path().display());
    Ok(made.path())
}

/// Builds a package of the binary that the tests use, and tries it.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn test() -> Result<()> {
    if !exists("dpkg", "--version") || !exists("dpkg-deb", "--version") {
        return skipped("the Debian package", "not a Debian system");
    }
    let package = build(Build::Debug)?;
    units()?;
    let root = crate::root().join("target/package-root");
    if root.exists() {
        std::fs::remove_dir_all(&root).context("target/package-root")?;
    }
    let database = root.join("var/lib/dpkg");
    for folder in ["info", "updates"] {
        std::fs::create_dir_all(database.join(folder))?;
    }
    std::fs::write(database.join("status"), "")?;
    let dpkg = |arguments: &[&str]| {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", root.display()))
            .args(["--force-script-chrootless", "--force-depends"])
            .args(["--force-not-root", "--log=/dev/null"])
            .args(arguments);
        command(&mut dpkg)
    };
    dpkg(&["--install", &package.to_string_lossy()])?;
    for file in FILES {
        ensure!(root.join(file).is_file(), "{file} is not in the package");
    }
    let enabled = root.join("etc/systemd");
    ensure!(!enabled.exists(), "the package enables a service");
    ensure!(
        !root.join("usr/sbin/sendmail").exists(),
        "the package takes the place of sendmail"
    );
    try_it(&root)?;
    dpkg(&["--purge", "elsinore"])?;
    for file in FILES {
        ensure!(!root.join(file).exists(), "{file} is left after a purge");
    }
    booted::test(&package)
}

/// The installed program, with the installed configuration.
fn try_it(root: &Path) -> Result<()> {
    let elsinore = |arguments: &[&str]| {
        let mut elsinore = Command::new(root.join("usr/bin/elsinore"));
        command(elsinore.args(arguments))
    };
    let config = root.join("etc/elsinore/elsinore.toml");
    elsinore(&["--version"])?;
    elsinore(&["--config", &config.to_string_lossy(), "config", "check"])
}

/// The units, with the program where it was built.
fn units() -> Result<()> {
    if !exists("systemd-analyze", "--version") {
        return skipped("the units of systemd", "there is no systemd-analyze");
    }
    let folder = tempfile_folder()?;
    let program = crate::root().join("target/debug/elsinore");
    for entry in std::fs::read_dir(crate::root().join("packaging/systemd"))? {
        let entry = entry?;
        let text = std::fs::read_to_string(entry.path())?;
        let text = text.replace("/usr/bin/elsinore", &program.to_string_lossy());
        std::fs::write(folder.join(entry.file_name()), text)?;
    }
    let mut units: Vec<PathBuf> = std::fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    units.sort();
    for unit in &units {
        let mut verify = Command::new("systemd-analyze");
        command(verify.args(["verify", "--man=no"]).arg(unit))?;
        if unit.extension().is_some_and(|kind| kind == "service") {
            let mut security = Command::new("systemd-analyze");
            security
                .args(["security", "--offline=true", "--no-pager"])
                .arg(format!("--threshold={EXPOSURE}"))
                .arg(unit)
                .stdout(std::process::Stdio::null());
            command(&mut security)?;
        }
    }
    Ok(())
}

fn tempfile_folder() -> Result<PathBuf> {
    let folder = crate::root().join("target/package-units");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// cargo-deb, installed into the target folder where it is missing.
fn cargo_deb() -> Result<PathBuf> {
    if exists("cargo-deb", "--version") {
        return Ok(PathBuf::from("cargo-deb"));
    }
    let tools = crate::root().join("target/tools");
    let program = tools.join("bin/cargo-deb");
    if !program.exists() {
        let mut install = Command::new(env!("CARGO"));
        install
            .args(["install", "cargo-deb", "--version", CARGO_DEB, "--locked"])
            .args(["--no-default-features", "--profile", "dev", "--root"])
            .arg(&tools);
        command(&mut install)?;
    }
    Ok(program)
}
