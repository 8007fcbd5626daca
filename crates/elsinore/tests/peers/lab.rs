//! `elsinore lab up --real` as a user starts it, and programs run inside it.

use crate::daemon::terminate;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long the lab may take to make its keys and start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A lab with all scenarios, on the real addresses and ports of a namespace of its own.
#[derive(Debug)]
pub(crate) struct Lab {
    child: Child,
    namespace: String,
    folder: PathBuf,
}

impl Lab {
    /// Starts it and waits for its instructions.
    pub(crate) fn up() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_elsinore"))
            .args(["lab", "up", "--real"])
            .env_remove("ELSINORE_CONFIG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("elsinore runs");
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let mut lab = Self {
            child,
            namespace: String::new(),
            folder: PathBuf::new(),
        };
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody listens any more once the instructions are complete.
                let _ = sender.send(line);
            }
        });
        loop {
            let line = lines
                .recv_timeout(PATIENCE)
                .expect("elsinore lab up --real prints its instructions");
            if let Some(path) = line.trim().strip_prefix("export ELSINORE_CONFIG=") {
                lab.folder = Path::new(path).parent().expect("a folder").to_path_buf();
            }
            if let Some(rest) = line.trim().strip_prefix("ip netns exec ") {
                rest.split(' ')
                    .next()
                    .expect("split gives one part at least")
                    .clone_into(&mut lab.namespace);
            }
            if line.contains("Ctrl-C") {
                break;
            }
        }
        assert!(!lab.namespace.is_empty() && lab.folder.is_dir(), "{lab:?}");
        lab
    }

    /// A command that runs inside.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]);
        command.arg(program.as_ref());
        command
    }

    /// Its folder: trust anchor, root hints, CA.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Lets programs that are started from now on ask `resolver` (resolv.conf of the namespace).
    pub(crate) fn resolve_through(&self, resolver: IpAddr) {
        let file = Path::new("/etc/netns")
            .join(&self.namespace)
            .join("resolv.conf");
        fs::write(
            file,
            format!("nameserver {resolver}\noptions edns0 trust-ad\n"),
        )
        .expect("the lab's resolv.conf");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        terminate(&mut self.child);
    }
}
