//! A network namespace with the lab's addresses on its loopback interface, made with `ip`
//! (Debian: iproute2) by root, removed when dropped.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Files here replace those of /etc inside the namespace of the same name (ip-netns(8)).
const ETC: &str = "/etc/netns";

/// A named network namespace.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    /// Whether /etc/netns was not there before.
    made_etc: bool,
}

impl Namespace {
    /// Makes the namespace `elsinore-lab-PID` and lets its resolver be `resolver`.
    ///
    /// # Errors
    /// One line: not root, no `ip`, or what `ip` said.
    pub fn create(resolver: IpAddr) -> io::Result<Self> {
        let name = format!("elsinore-lab-{}", std::process::id());
        run("ip", ["netns", "add", &name])?;
        let mut namespace = Self {
            name,
            made_etc: false,
        };
        namespace.made_etc = !Path::new(ETC).exists();
        let etc = namespace.etc();
        std::fs::create_dir_all(&etc)?;
        std::fs::write(
            etc.join("resolv.conf"),
            format!("nameserver {resolver}\noptions edns0 trust-ad\n"),
        )?;
        Ok(namespace)
    }

    /// Its name, for `ip netns exec NAME …`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs `program` inside.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    fn etc(&self) -> PathBuf {
        Path::new(ETC).join(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What cannot be removed now is an empty namespace and one small file; the next lab uses
        // other names.
        let _ = std::fs::remove_dir_all(self.etc());
        if self.made_etc {
            let _ = std::fs::remove_dir(ETC);
        }
        let _ = run("ip", ["netns", "delete", &self.name]);
    }
}

/// Puts addresses on the loopback interface of the namespace this process runs in.
///
/// # Errors
/// One line: no `ip`, or what it said.
pub fn add_addresses(addresses: &[IpAddr]) -> io::Result<()> {
    let mut batch = String::from("link set lo up\n");
    for address in addresses {
        let (length, flags) = match address {
            IpAddr::V4(_) => (32, ""),
            // Without waiting for duplicate detection the address is usable at once.
            IpAddr::V6(_) => (128, " nodad"),
        };
        batch.push_str(&format!("address add {address}/{length} dev lo{flags}\n"));
    }
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("ip: {error}")))?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(batch.as_bytes())?;
    }
    finished("ip -batch", &child.wait_with_output()?)
}

fn run<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
    finished(program, &output)
}

fn finished(program: &str, output: &std::process::Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().next().unwrap_or("failed without a word");
    Err(io::Error::other(format!("{program}: {line}")))
}
