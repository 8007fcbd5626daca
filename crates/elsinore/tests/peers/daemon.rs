//! Software that is not ours, running until it is dropped.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a daemon may take to start, to do what is waited for, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something that is waited for.
const PAUSE: Duration = Duration::from_millis(10);

/// How a daemon shows that it is ready.
#[derive(Debug)]
pub(crate) enum Ready<'a> {
    /// Somebody listens at each of these, TCP.
    Listening(&'a [SocketAddr]),
    /// Its output has this text.
    Saying(&'a str),
}

/// A daemon in the foreground, told to end with TERM when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `command`, its output in a file of `folder` named after it, and waits until it is
    /// ready.
    pub(crate) fn start(
        name: &str,
        mut command: Command,
        folder: &Path,
        ready: &Ready<'_>,
    ) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).expect("a log file");
        let child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a log file"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut daemon = Self {
            name: name.to_owned(),
            child,
            log,
        };
        match ready {
            Ready::Listening(places) => {
                for place in *places {
                    daemon.wait_until(&format!("listens at {place}"), |_| {
                        TcpStream::connect_timeout(place, PAUSE).is_ok()
                    });
                }
            }
            Ready::Saying(text) => {
                daemon.wait_until(&format!("says {text}"), |daemon| {
                    daemon.log().contains(text)
                });
            }
        }
        daemon
    }

    /// Waits until `condition` holds.
    pub(crate) fn wait_until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !condition(self) {
            if let Some(status) = self.ended() {
                panic!("{} ended with {status}:\n{}", self.name, self.log());
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "waited in vain until {} {what}:\n{}",
                self.name,
                self.log()
            );
            thread::sleep(PAUSE);
        }
    }

    /// What it printed so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        terminate(&mut self.child);
    }
}

/// Sends TERM, so that the process can end its own children, and waits; kills what stays.
pub(crate) fn terminate(child: &mut Child) {
    let pid = child.id().to_string();
    let _ = Command::new("kill").args(["-TERM", &pid]).status();
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(PAUSE);
    }
    let _ = child.kill();
    let _ = child.wait();
}
