//! A resolver under measurement: a process of its own, so that its CPU time and memory are the
//! kernel's account and not our guess.

use super::load::{self, Asked, Tally};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Clock ticks per second in /proc (USER_HZ, 100 on every Linux).
const TICKS: f64 = 100.0;
/// How long a daemon may take to start.
const PATIENCE: Duration = Duration::from_secs(20);
/// CPU seconds after which repeated passes are enough, and passes that are enough in any case.
const LONG_ENOUGH: f64 = 1.0;
const MOST_PASSES: u32 = 20;
/// Where the unbound daemon listens.
pub(super) const DAEMON: &str = "127.0.0.1:53";

/// What one pass cost.
#[derive(Debug, Clone, Default)]
pub(super) struct Cost {
    /// What came of the questions.
    pub(super) tally: Tally,
    /// CPU time of the process, all threads, user and system, in seconds.
    pub(super) cpu: f64,
    /// Time that passed, in seconds.
    pub(super) wall: f64,
    /// Packets between it and name servers, both ways.
    pub(super) packets: u64,
    /// The most memory resident since its start, in octets.
    pub(super) peak: u64,
    /// Microseconds of a lookup: half, 99 in 100 and all are below; of failures all. Empty when
    /// it does not tell.
    pub(super) latency: Vec<u64>,
}

/// How a contender is asked.
#[derive(Debug)]
enum Way {
    /// A line on its stdin starts a pass, a line on its stdout tells what came of it.
    Pipe(ChildStdin, BufReader<ChildStdout>),
    /// Over UDP, by us.
    Datagrams(Vec<Asked>, usize),
}

/// A running resolver with an empty cache, ended when dropped.
#[derive(Debug)]
pub(super) struct Contender {
    child: Child,
    way: Way,
}

impl Contender {
    /// A program that reads its questions itself and says "ready".
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn piped(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let input = child.stdin.take().context("no stdin")?;
        let mut output = BufReader::new(child.stdout.take().context("no stdout")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        if line.trim() != "ready" {
            bail!("{command:?} did not start");
        }
        let way = Way::Pipe(input, output);
        Ok(Self { child, way })
    }

    /// The unbound daemon.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn daemon(configuration: &Path, questions: &Path, in_flight: usize) -> Result<Self> {
        let log = configuration.with_extension("log");
        let output = File::create(&log)?;
        let child = Command::new("unbound")
            .args(["-d", "-p", "-c"])
            .arg(configuration)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("unbound")?;
        let begin = Instant::now();
        while !fs::read_to_string(&log)?.contains("start of service") {
            if begin.elapsed() > PATIENCE {
                bail!("unbound did not start: {}", fs::read_to_string(&log)?);
            }
            thread::sleep(Duration::from_millis(10));
        }
        let questions = load::read(&fs::read_to_string(questions)?)?;
        let way = Way::Datagrams(questions, in_flight);
        Ok(Self { child, way })
    }

    /// Asks everything once.
    ///
    /// # Errors
    /// When it ends, or falls silent.
    pub(super) fn pass(&mut self) -> Result<Cost> {
        let before = self.cpu()?;
        let packets = load::packets()?;
        let ((tally, latency, own), wall) = load::timed(|| match &mut self.way {
            Way::Pipe(input, output) => {
                writeln!(input, "pass")?;
                input.flush()?;
                let mut line = String::new();
                output.read_line(&mut line)?;
                let (tally, latency) = told(&line)?;
                Ok((tally, latency, 0))
            }
            Way::Datagrams(questions, in_flight) => {
                let (tally, own) = load::pass(DAEMON, questions, *in_flight)?;
                Ok((tally, Vec::new(), own))
            }
        })?;
        Ok(Cost {
            tally,
            latency,
            cpu: self.cpu()? - before,
            wall: wall.as_secs_f64(),
            packets: (load::packets()? - packets).saturating_sub(own),
            peak: self.peak()?,
        })
    }

    /// Asks everything again and again, long enough for the kernel's clock; gives what one pass
    /// costs.
    ///
    /// # Errors
    /// Those of [`Contender::pass`].
    pub(super) fn repeated_pass(&mut self) -> Result<Cost> {
        let mut sum = self.pass()?;
        let mut passes = 1;
        while passes < MOST_PASSES && sum.cpu < LONG_ENOUGH {
            let cost = self.pass()?;
            passes += 1;
            sum.cpu += cost.cpu;
            sum.wall += cost.wall;
            sum.packets += cost.packets;
            sum.peak = cost.peak;
            sum.tally.wrong += cost.tally.wrong;
        }
        sum.cpu /= f64::from(passes);
        sum.wall /= f64::from(passes);
        sum.packets /= u64::from(passes);
        Ok(sum)
    }

    /// CPU time so far, in seconds: fields 14 and 15 of proc_pid_stat(5).
    fn cpu(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("no stat")?;
        let mut fields = fields.split_whitespace().skip(11);
        let mut ticks = || -> Result<f64> { Ok(fields.next().context("no stat")?.parse()?) };
        Ok((ticks()? + ticks()?) / TICKS)
    }

    fn peak(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"))
            .context("no VmHWM")?
            .parse()?;
        Ok(kilobytes * 1024)
    }
}

/// `tally N… wrong N p50 N p99 N max N failure N`, the latencies only if it has them.
fn told(line: &str) -> Result<(Tally, Vec<u64>)> {
    let numbers: Vec<u64> = line
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let count = load::OUTCOMES.len();
    if !line.starts_with("tally") || numbers.len() <= count {
        bail!("it ended, or said: {line}");
    }
    let tally = Tally {
        outcomes: numbers[..count].to_vec(),
        wrong: numbers[count],
    };
    Ok((tally, numbers[count + 1..].to_vec()))
}

impl Drop for Contender {
    fn drop(&mut self) {
        // It has nothing to save.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let (tally, latency) =
            told("tally 1 2 3 4 5 6 7 wrong 8 p50 9 p99 10 max 11 failure 12\n").unwrap();
        assert_eq!(tally.outcomes, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(tally.wrong, 8);
        assert_eq!(latency, [9, 10, 11, 12]);
        let (tally, latency) = told("tally 1 2 3 4 5 6 7 wrong 8\n").unwrap();
        assert_eq!((tally.wrong, latency.len()), (8, 0));
        for bad in ["", "tally 1 2\n", "error 1 2 3 4 5 6 7 8 9\n"] {
            assert!(told(bad).is_err(), "{bad}");
        }
    }
}
