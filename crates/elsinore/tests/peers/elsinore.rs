//! `elsinore` as a user runs it: a configuration file, a message, JSON.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

/// This build's program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_elsinore");

/// How DNS is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dns {
    /// From the root hints.
    Recursive,
    /// Through a resolver, validated by ourselves.
    Forward(IpAddr),
    /// Through a resolver that is believed.
    Ad(IpAddr),
}

impl Dns {
    fn flags(self) -> Vec<String> {
        let flags = |mode: &str, upstream: IpAddr| {
            ["--dns-mode", mode, "--upstream", &upstream.to_string()].map(str::to_owned)
        };
        match self {
            Self::Recursive => vec!["--dns-mode".to_owned(), "recursive".to_owned()],
            Self::Forward(upstream) => flags("forward", upstream).to_vec(),
            Self::Ad(upstream) => flags("ad", upstream).to_vec(),
        }
    }
}

/// The sections every configuration has: where `trust` has the root hints, the trust anchor and
/// the CA, and which networks may be contacted. `dns`, `tls` and `rest` are added.
pub(crate) fn configuration(trust: &Path, dns: &str, tls: &str, rest: &str) -> String {
    let networks = elsinore_lab::world::NETWORKS.map(|one| format!("\"{one}\""));
    let networks = networks.join(", ");
    let trust = trust.display();
    format!(
        "state_dir = \"state\"\n\n[dns]\nroot_hints = \"{trust}/root-hints.txt\"\n\
         trust_anchor = \"{trust}/trust-anchor.txt\"\nallow_nets = [{networks}]\n{dns}\n\
         [tls]\nca_file = \"{trust}/ca.pem\"\n{tls}\n\
         [smtp]\nhelo = \"client.sender.example\"\nallow_nets = [{networks}]\n\
         timeouts = {{ connect = 10, greeting = 10, hello = 10, discovery = 20, sts_fetch = 5 }}\n\
         \n{rest}"
    )
}

/// A message to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) message: String,
    /// Further flags of `send`.
    pub(crate) flags: Vec<String>,
}

impl Letter {
    /// A short one to `to`.
    pub(crate) fn to(to: Vec<String>) -> Self {
        Self {
            from: "alice@sender.example".to_owned(),
            to,
            message: "From: Alice <alice@sender.example>\nSubject: Who's there?\n\n\
                      Nay, answer me: stand, and unfold yourself.\n"
                .to_owned(),
            flags: Vec::new(),
        }
    }
}

/// Runs `elsinore send` below `command` (which may put it into a lab's namespace first) in a
/// folder of its own that has `configuration`, and returns the recipients of its JSON.
pub(crate) fn send(
    command: Command,
    configuration: &str,
    dns: Dns,
    letter: &Letter,
) -> Result<Vec<serde_json::Value>, String> {
    let mut arguments = vec!["send".to_owned(), "--from".to_owned(), letter.from.clone()];
    for to in &letter.to {
        arguments.extend(["--to".to_owned(), to.clone()]);
    }
    arguments.extend(letter.flags.clone());
    let object = run(command, configuration, dns, &arguments, &letter.message)?;
    match object.get("recipients").and_then(|list| list.as_array()) {
        Some(recipients) => Ok(recipients.clone()),
        None => Err(format!("no recipients in {object}")),
    }
}

/// Runs any subcommand that prints JSON.
pub(crate) fn run(
    mut command: Command,
    configuration: &str,
    dns: Dns,
    arguments: &[String],
    input: &str,
) -> Result<serde_json::Value, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("elsinore.toml");
    fs::write(&file, configuration).expect("a configuration");
    let mut child = command
        .arg("--config")
        .arg(&file)
        .args(["--format", "json"])
        .args(dns.flags())
        .args(arguments)
        .env_remove("ELSINORE_CONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("elsinore runs");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    // What the program does not read is its own affair: a refusal comes before the message.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("elsinore ends");
    serde_json::from_slice(&output.stdout).map_err(|error| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        format!("{arguments:?}: {}: {error}: {stderr}", output.status)
    })
}
