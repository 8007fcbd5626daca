//! The most memory that one `elsinore send` has resident, sent into the lab.

use super::lab::{Lab, peak};
use anyhow::{Context, Result, bail};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

/// The scenario sent to.
const SCENARIO: &str = "dane-ee";
/// How often the kernel is asked. Its figure only ever grows while the process lives, so what is
/// missed is what the last such moment adds.
const INTERVAL: Duration = Duration::from_millis(1);
/// A line of the message, and the messages: octets to reach.
const LINE: &[u8] =
    b"It was a dark and stormy night; the rain fell in torrents, except at times.\n";
const MESSAGES: [(&str, usize); 2] = [("one line", 1), ("50 MiB", 50 << 20)];

/// Sends messages on stdin and prints the peaks.
///
/// # Errors
/// When the lab does not come up, or a message is not delivered.
pub(super) fn run(program: &Path) -> Result<()> {
    let lab = Lab::up(program, &[SCENARIO])?;
    for (size, octets) in MESSAGES {
        let kilobytes = send(program, &lab.configuration, octets)?;
        println!(
            "  send, {size:8} on stdin: {:.1} MB resident at most",
            kilobytes as f64 * 1024.0 / 1e6
        );
    }
    Ok(())
}

/// The peak in kB of 1024 octets.
fn send(program: &Path, configuration: &Path, octets: usize) -> Result<u64> {
    let mut sending = Command::new(program)
        .arg("--config")
        .arg(configuration)
        .args(["send", "--from", "alice@sender.example"])
        .args(["--to", &format!("bob@{SCENARIO}.example")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let input = sending.stdin.take().context("no stdin")?;
    let writer = thread::spawn(move || write(input, octets));
    let status = PathBuf::from(format!("/proc/{}/status", sending.id()));
    let mut most = 0;
    let ended = loop {
        most = most.max(peak(&status));
        if let Some(ended) = sending.try_wait()? {
            break ended;
        }
        thread::sleep(INTERVAL);
    };
    match writer.join() {
        Ok(Err(error)) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    if !ended.success() {
        bail!("the message of {octets} octets was not delivered: {ended}");
    }
    if most == 0 {
        bail!("{} told nothing", status.display());
    }
    Ok(most)
}

fn write(input: ChildStdin, octets: usize) -> std::io::Result<()> {
    let mut input = BufWriter::new(input);
    input.write_all(b"Subject: how much memory\n\n")?;
    for _ in 0..octets.div_ceil(LINE.len()) {
        input.write_all(LINE)?;
    }
    input.flush()
}
