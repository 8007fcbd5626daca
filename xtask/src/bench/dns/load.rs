//! The load on the unbound daemon: questions over UDP, a fixed number of them under way.

use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A question, and what must come of it.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    name: String,
    rtype: u16,
    expected: String,
}

/// What can come of a question: secure or insecure; data, no such data, no such name; failure.
pub(super) const OUTCOMES: [&str; 7] = ["SD", "SN", "SX", "ID", "IN", "IX", "F"];
/// Sockets that the load is spread over.
const SOCKETS: usize = 8;
/// After so long without any reply, what is under way is asked again.
const SILENCE: Duration = Duration::from_secs(2);
/// Times that happens before the pass is given up.
const MOST_SILENCES: usize = 30;
/// Wrong answers that are shown.
const SHOWN: u64 = 5;

/// What came of a pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Questions by outcome, in the order of [`OUTCOMES`].
    pub(super) outcomes: Vec<u64>,
    /// Questions with another outcome than expected.
    pub(super) wrong: u64,
}

/// Reads the questions of a file.
///
/// # Errors
/// When it cannot be read or a line is no question.
pub(super) fn read(text: &str) -> Result<Vec<Asked>> {
    text.lines()
        .map(|line| {
            let mut fields = line.split(' ');
            let (Some(name), Some(rtype), Some(expected)) =
                (fields.next(), fields.next(), fields.next())
            else {
                bail!("{line}: not three fields");
            };
            Ok(Asked {
                name: name.to_owned(),
                rtype: rtype.parse()?,
                expected: expected.to_owned(),
            })
        })
        .collect()
}

/// A query with RD and DO (RFC 1035 §4.1, RFC 6891 §6.1.2).
pub(super) fn query(id: u16, name: &str, rtype: u16) -> Vec<u8> {
    let mut wire = Vec::with_capacity(64);
    for field in [id, 0x0100, 1, 0, 0, 1] {
        wire.extend(field.to_be_bytes());
    }
    for label in name.split('.') {
        // The world's labels are short.
        wire.push(label.len() as u8);
        wire.extend(label.as_bytes());
    }
    wire.push(0);
    wire.extend(rtype.to_be_bytes());
    wire.extend([0, 1, 0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0]);
    wire
}

/// Asks everything once; gives the tally and the datagrams sent and received. Several sockets
/// share the work, because the kernel's buffer of one would overflow.
///
/// # Errors
/// When the daemon falls silent.
pub(super) fn pass(server: &str, questions: &[Asked], in_flight: usize) -> Result<(Tally, u64)> {
    let next = AtomicUsize::new(0);
    let share = in_flight.div_ceil(SOCKETS);
    let mut total = Tally {
        outcomes: vec![0; OUTCOMES.len()],
        wrong: 0,
    };
    let mut datagrams = 0;
    thread::scope(|scope| -> Result<()> {
        let running: Vec<_> = (0..SOCKETS)
            .map(|_| scope.spawn(|| Stream::new(server, questions, &next)?.run(share)))
            .collect();
        for stream in running {
            let Ok(ended) = stream.join() else {
                bail!("a thread of the load panicked");
            };
            let (tally, own) = ended?;
            datagrams += own;
            total.wrong += tally.wrong;
            for (sum, count) in total.outcomes.iter_mut().zip(tally.outcomes) {
                *sum += count;
            }
        }
        Ok(())
    })?;
    Ok((total, datagrams))
}

/// One socket's part of the load.
struct Stream<'a> {
    server: &'a str,
    questions: &'a [Asked],
    /// The first question that nobody has taken.
    next: &'a AtomicUsize,
    socket: UdpSocket,
    tally: Tally,
    datagrams: u64,
}

impl<'a> Stream<'a> {
    fn new(server: &'a str, questions: &'a [Asked], next: &'a AtomicUsize) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(SILENCE))?;
        Ok(Self {
            server,
            questions,
            next,
            socket,
            tally: Tally {
                outcomes: vec![0; OUTCOMES.len()],
                wrong: 0,
            },
            datagrams: 0,
        })
    }

    fn send(&mut self, id: u16, number: usize) -> Result<()> {
        let asked = &self.questions[number];
        self.socket.send(&query(id, &asked.name, asked.rtype))?;
        self.datagrams += 1;
        Ok(())
    }

    fn run(mut self, in_flight: usize) -> Result<(Tally, u64)> {
        let mut under_way: HashMap<u16, usize> = HashMap::new();
        let mut silences = 0;
        let mut id = 0_u16;
        let mut buffer = [0; 4_096];
        loop {
            while under_way.len() < in_flight {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                if number >= self.questions.len() {
                    break;
                }
                // There are more numbers than questions under way.
                while under_way.contains_key(&id) {
                    id = id.wrapping_add(1);
                }
                self.send(id, number)?;
                under_way.insert(id, number);
                id = id.wrapping_add(1);
            }
            if under_way.is_empty() {
                return Ok((self.tally, self.datagrams));
            }
            let Ok(length) = self.socket.recv(&mut buffer) else {
                silences += 1;
                if silences > MOST_SILENCES {
                    let (server, open) = (self.server, under_way.len());
                    bail!("{server} is silent, {open} questions are open");
                }
                for (id, number) in &under_way {
                    self.send(*id, *number)?;
                }
                continue;
            };
            self.datagrams += 1;
            let reply = &buffer[..length];
            if length < 12 {
                continue;
            }
            if let Some(number) = under_way.remove(&u16::from_be_bytes([reply[0], reply[1]])) {
                self.count(number, outcome(reply));
            }
        }
    }

    fn count(&mut self, number: usize, outcome: usize) {
        self.tally.outcomes[outcome] += 1;
        let asked = &self.questions[number];
        let got = OUTCOMES[outcome];
        if got != asked.expected {
            self.tally.wrong += 1;
            if self.tally.wrong <= SHOWN {
                eprintln!(
                    "{} {}: {got}, not {}",
                    asked.name, asked.rtype, asked.expected
                );
            }
        }
    }
}

/// The position in [`OUTCOMES`]; AD says secure.
fn outcome(reply: &[u8]) -> usize {
    let has_answers = reply[6..8] != [0, 0];
    let kind = match reply[3] & 15 {
        0 if has_answers => 0,
        0 => 1,
        3 => 2,
        _ => return OUTCOMES.len() - 1,
    };
    let authentic = reply[3] & 0x20 != 0;
    kind + if authentic { 0 } else { 3 }
}

/// Packets that went over the loopback interface since it came up; each is counted once.
///
/// # Errors
/// When the kernel does not tell.
pub(super) fn packets() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/net/dev")?;
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("lo:"))
        .context("no loopback interface")?;
    // Octets received, packets received.
    let packets = line.split_whitespace().nth(1).context("no packets")?;
    Ok(packets.parse()?)
}

/// Times a piece of work.
pub(super) fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let start = Instant::now();
    Ok((work()?, start.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let wire = query(0x0102, "a.bc", 52);
        let expected = b"\x01\x02\x01\x00\0\x01\0\0\0\0\0\x01\x01a\x02bc\0\0\x34\0\x01\
            \0\0\x29\x04\xd0\0\0\x80\0\0\0";
        assert_eq!(wire, expected);
    }

    #[test]
    fn outcomes() {
        for (flags, answers, expected) in [
            (0x81a0_u16, 1, "SD"),
            (0x8180, 2, "ID"),
            (0x81a0, 0, "SN"),
            (0x8180, 0, "IN"),
            (0x81a3, 0, "SX"),
            (0x8183, 0, "IX"),
            // An alias whose end does not exist: records in the answer, and still no name.
            (0x81a3, 1, "SX"),
            (0x8182, 0, "F"),
            (0x8185, 0, "F"),
        ] {
            let [high, low] = flags.to_be_bytes();
            let reply = [0, 1, high, low, 0, 1, 0, answers, 0, 0, 0, 0];
            assert_eq!(OUTCOMES[outcome(&reply)], expected, "{flags:x} {answers}");
        }
    }

    #[test]
    fn questions() {
        let questions = read("mx.d.nsec 1 ID\n").unwrap();
        assert_eq!(questions.len(), 1);
        assert_eq!(questions[0].rtype, 1);
        for bad in ["mx.d.nsec 1\n", "mx.d.nsec A ID\n"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
