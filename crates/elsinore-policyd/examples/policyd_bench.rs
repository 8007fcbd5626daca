//! Cached answers per second: asks a socketmap server at an address over several connections, and
//! says how many answers came, and what the server's process and this one took of the processors.
//! Every answer is held against the beginning that it must have. `cargo xtask bench policyd` runs it
//! against `elsinore policyd` and others.
//!
//!     policyd_bench ADDRESS:PORT PID SECONDS CONNECTIONS PIPELINED DOMAIN=REPLY…
//!
//! Prints answers per second, microseconds of the server's processor time per answer, answers per
//! second and core of the server, cores of the server, cores of this program.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The clock of `/proc/PID/stat` on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("ADDRESS:PORT PID SECONDS CONNECTIONS PIPELINED DOMAIN=REPLY…")
    };
    let (at, pid) = (next()?, next()?);
    let seconds: f64 = next()?.parse()?;
    let (connections, pipelined): (usize, usize) = (next()?.parse()?, next()?.parse()?);
    let mut requests = Vec::new();
    for argument in arguments {
        let (domain, reply) = argument.split_once('=').ok_or("no DOMAIN=REPLY")?;
        let content = format!("QUERY {domain}");
        let request = format!("{}:{content},", content.len()).into_bytes();
        requests.push((request, reply.as_bytes().to_vec()));
    }
    if requests.is_empty() {
        return Err("no domain".into());
    }
    // Everything is in the cache before the clock runs.
    for (request, reply) in &requests {
        ask(&mut TcpStream::connect(&at)?, request, &[reply])?;
    }
    let (count, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let before = (processor_time(&pid)?, processor_time("self")?);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let mut workers = Vec::new();
        for worker in 0..connections {
            let (at, requests, count, stop) = (&at, &requests, &count, &stop);
            workers.push(scope.spawn(move || -> std::io::Result<()> {
                let mut stream = TcpStream::connect(at)?;
                stream.set_nodelay(true)?;
                let mut place = worker;
                let (mut batch, mut replies) = (Vec::new(), Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    batch.clear();
                    replies.clear();
                    for _ in 0..pipelined {
                        let (request, reply) = &requests[place % requests.len()];
                        batch.extend_from_slice(request);
                        replies.push(&**reply);
                        place += 1;
                    }
                    ask(&mut stream, &batch, &replies)?;
                    count.fetch_add(pipelined as u64, Ordering::Relaxed);
                }
                Ok(())
            }));
        }
        std::thread::sleep(Duration::from_secs_f64(seconds));
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            match worker.join() {
                Ok(ended) => ended?,
                Err(_) => return Err(std::io::Error::other("a worker panicked")),
            }
        }
        Ok(())
    })?;
    let wall = begun.elapsed().as_secs_f64();
    let server = processor_time(&pid)? - before.0;
    let client = processor_time("self")? - before.1;
    let answers = count.load(Ordering::Relaxed) as f64;
    println!(
        "{:.0}\t{:.2}\t{:.0}\t{:.2}\t{:.2}",
        answers / wall,
        server / answers * 1e6,
        answers / server,
        server / wall,
        client / wall
    );
    Ok(())
}

/// Sends `request`, which holds as many as there are `replies`, and reads those: each begins as it
/// must.
fn ask(stream: &mut TcpStream, request: &[u8], replies: &[&[u8]]) -> std::io::Result<()> {
    stream.write_all(request)?;
    let (mut buffer, mut filled, mut heard) = ([0_u8; 65_536], 0, 0);
    while heard < replies.len() {
        let read = stream.read(&mut buffer[filled..])?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let mut begin = 0;
        while let Some(colon) = buffer[begin..filled]
            .iter()
            .position(|octet| *octet == b':')
        {
            let digits = std::str::from_utf8(&buffer[begin..begin + colon]).unwrap_or_default();
            let Ok(length) = digits.parse::<usize>() else {
                return Err(std::io::ErrorKind::InvalidData.into());
            };
            let end = begin + colon + 1 + length + 1;
            if end > filled {
                break;
            }
            let content = &buffer[begin + colon + 1..end - 1];
            if !replies
                .get(heard)
                .is_some_and(|reply| content.starts_with(reply))
            {
                return Err(std::io::Error::other(String::from_utf8_lossy(content)));
            }
            heard += 1;
            begin = end;
        }
        buffer.copy_within(begin..filled, 0);
        filled -= begin;
    }
    Ok(())
}

/// Seconds of processor time that a process has taken, all its threads together.
fn processor_time(pid: &str) -> std::io::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = text.rsplit_once(") ").map_or("", |(_, fields)| fields);
    // User and system time, the fourteenth and fifteenth field; two stand before the parenthesis.
    let ticks: f64 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    Ok(ticks / TICKS_PER_SECOND)
}
