//! A running lab for the tests that deliver: one for the whole binary, ended by its last user.

use crate::command::Workplace;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

/// `elsinore lab up` with the scenarios that these tests send to.
#[derive(Debug)]
pub(crate) struct Lab {
    child: Child,
    /// Kept open, so that the lab never writes into a closed pipe.
    _stdout: BufReader<ChildStdout>,
    config: PathBuf,
    _place: Workplace,
}

impl Lab {
    /// Starts it and waits until it says where its configuration is.
    pub(crate) fn up(scenarios: &[&str]) -> Self {
        let place = Workplace::new();
        let mut arguments = vec!["lab", "up"];
        arguments.extend(scenarios);
        let mut child = place
            .command(&arguments)
            .env("TMPDIR", place.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let config = loop {
            let mut line = String::new();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "the lab ended");
            if let Some((_, path)) = line.trim().split_once("ELSINORE_CONFIG=") {
                break PathBuf::from(path);
            }
        };
        Self {
            child,
            _stdout: stdout,
            config,
            _place: place,
        }
    }

    /// The configuration to be named with `--config`.
    pub(crate) fn config(&self) -> &str {
        self.config.to_str().unwrap()
    }
}

/// The folder goes with the lab, whichever way it is told to end.
#[test]
fn nothing_stays_behind() {
    for signal in ["INT", "TERM", "HUP"] {
        let mut lab = Lab::up(&["dane-ee"]);
        let folder = lab.config.parent().unwrap().to_path_buf();
        assert!(folder.exists());
        let kill = format!("kill -{signal} {}", lab.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(sent.success());
        assert_eq!(lab.child.wait().unwrap().code(), Some(0), "{signal}");
        assert!(!folder.exists(), "{signal}");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // It holds nothing but sockets and a folder that goes with the workplace.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
