//! The Debian packages that tests run against: software that is not ours. Installed only when
//! missing, without questions, and without starting any daemon.

use crate::step::{command, left_out, skipped};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// Package, and what it is for.
const NEEDED: &[(&str, &str)] = &[
    ("nsd", "serves the lab's zones, to compare answers"),
    ("knot", "serves and signs zones with its own tools"),
    ("unbound", "validates the lab's zones, upstream resolver"),
    ("postfix", "receives mail; posttls-finger as second opinion"),
    ("openssl", "s_server with odd certificates"),
    ("bind9-dnsutils", "dig"),
    ("bind9-utils", "dnssec-keygen, dnssec-signzone"),
    ("ldnsutils", "ldns-signzone, ldns-verify-zone"),
    (
        "postgresql",
        "the shared queue; tests start servers of their own",
    ),
    ("swaks", "an SMTP client to test receivers with"),
    ("libnet-ssleay-perl", "TLS for swaks"),
    ("chromium", "shows the page"),
    ("fonts-dejavu-core", "letters for it"),
    ("nodejs", "drives it, with packages of npm"),
    (
        "python3",
        "reads notifications with a parser that is not ours",
    ),
    ("python3-dkim", "verifies DKIM signatures"),
    ("python3-nacl", "Ed25519 for python3-dkim"),
    ("iproute2", "network namespaces of lab up --real"),
    ("systemd-container", "boots a systemd to test the units"),
    ("libdb5.3", "for Exim, which is fetched and not installed"),
    ("libgnutls-dane0", "for Exim"),
    ("libidn12", "for Exim"),
    ("libnsl2", "for Exim"),
    ("libpcre2-8-0", "for Exim"),
];

/// Packages that cannot be installed beside the others: Exim and Postfix are both the machine's mail
/// system. They are unpacked into a folder, and run from there.
const UNPACKED: &[&str] = &["exim4-base", "exim4-daemon-light"];

/// Where Debian asks whether a freshly installed daemon may start.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs the packages that tests need and that are missing.
///
/// # Errors
/// When apt cannot install them.
pub(crate) fn install_missing() -> Result<()> {
    install(NEEDED)?;
    unpack()
}

/// Puts what belongs to [`UNPACKED`] into `target/tools/exim`, whole or not at all.
fn unpack() -> Result<()> {
    const WHAT: &str = "Exim";
    let tools = crate::root().join("target/tools");
    let folder = tools.join("exim");
    if folder.join("usr/sbin/exim4").exists() {
        return Ok(());
    }
    if !crate::step::exists("dpkg-deb", "--version") {
        return skipped(WHAT, "not a Debian system");
    }
    eprintln!("xtask: fetching {}", UNPACKED.join(" "));
    let (packages, begun) = (tools.join("exim-packages"), tools.join("exim.new"));
    for left in [&packages, &begun, &folder] {
        if left.exists() {
            std::fs::remove_dir_all(left).with_context(|| left.display().to_string())?;
        }
    }
    std::fs::create_dir_all(&packages).context("target/tools")?;
    let download = || {
        let mut apt = Command::new("apt-get");
        apt.arg("download").args(UNPACKED).current_dir(&packages);
        let status = apt.stdout(std::process::Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    // The lists of this machine may be old, or not there yet.
    let fetched = download() || (apt(am_root()?, &["update", "-qq"]).is_ok() && download());
    if !fetched {
        return skipped(WHAT, "apt-get download cannot fetch it");
    }
    for package in std::fs::read_dir(&packages).context("target/tools")? {
        let package = package?.path();
        command(Command::new("dpkg-deb").arg("-x").args([&package, &begun]))?;
    }
    std::fs::rename(&begun, &folder).context("target/tools/exim")?;
    std::fs::remove_dir_all(&packages).context("target/tools")
}

/// Installs those of `needed` (package, and what it is for) that are missing.
///
/// # Errors
/// When apt cannot install them.
pub(crate) fn install(needed: &[(&str, &str)]) -> Result<()> {
    if !Path::new("/usr/bin/dpkg-query").exists() {
        left_out("package installation", "not a Debian system");
        return Ok(());
    }
    let missing: Vec<&str> = needed
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !installed(name))
        .collect();
    if missing.is_empty() {
        eprintln!("xtask: all packages present");
        return Ok(());
    }
    let as_root = am_root()?;
    if !as_root && !crate::step::exists("sudo", "-nV") {
        bail!("missing packages (install as root): {}", missing.join(" "));
    }
    eprintln!("xtask: installing {}", missing.join(" "));
    let guard = DaemonsStayDown::new(as_root)?;
    let outcome = apt(as_root, &["update", "-qq"]).and_then(|()| {
        let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
        arguments.extend(&missing);
        apt(as_root, &arguments)
    });
    drop(guard);
    outcome
}

fn installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f", "${Status}", package])
        .output()
        .is_ok_and(|output| output.stdout.ends_with(b" installed"))
}

fn am_root() -> Result<bool> {
    let output = Command::new("id").arg("-u").output().context("id")?;
    Ok(output.stdout.trim_ascii() == b"0")
}

/// A command run as root, through sudo when we are not.
fn privileged(as_root: bool, program: &str) -> Command {
    if as_root {
        return Command::new(program);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "DEBIAN_FRONTEND=noninteractive", program]);
    sudo
}

fn apt(as_root: bool, arguments: &[&str]) -> Result<()> {
    command(
        privileged(as_root, "apt-get")
            .args(["-o", "Dpkg::Use-Pty=0"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null()),
    )
}

/// While this lives, installed daemons are not started. An existing policy is left as it is.
struct DaemonsStayDown {
    as_root: bool,
    ours: bool,
}

impl DaemonsStayDown {
    fn new(as_root: bool) -> Result<Self> {
        let ours = !Path::new(POLICY).exists();
        if ours {
            // 101: action forbidden by policy (invoke-rc.d(8)).
            let script =
                format!("printf '#!/bin/sh\\nexit 101\\n' >{POLICY} && chmod 755 {POLICY}");
            command(privileged(as_root, "sh").arg("-c").arg(script))?;
        }
        Ok(Self { as_root, ours })
    }
}

impl Drop for DaemonsStayDown {
    fn drop(&mut self) {
        if self.ours {
            // A policy that stays behind only keeps later packages' daemons down.
            let _ = command(privileged(self.as_root, "rm").args(["-f", POLICY]));
        }
    }
}
