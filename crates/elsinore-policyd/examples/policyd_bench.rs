//! Cached answers per second: asks a socketmap server at an address over several connections, and
//! says how many answers came, and what the server's process and this one took of the processors.
//! `cargo xtask bench policyd` runs it against `elsinore policyd` and others.
//!
//!     policyd_bench ADDRESS:PORT PID SECONDS CONNECTIONS PIPELINED DOMAIN…

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
            .ok_or("ADDRESS:PORT PID SECONDS CONNECTIONS PIPELINED DOMAIN…")
    };
    let (at, pid) = (next()?, next()?);
    let seconds: f64 = next()?.parse()?;
    let (connections, pipelined): (usize, usize) = (next()?.parse()?, next()?.parse()?);
    let domains: Vec<String> = arguments.collect();
    let requests: Vec<Vec<u8>> = domains
        .iter()
        .map(|domain| {
            let content = format!("QUERY {domain}");
            format!("{}:{content},", content.len()).into_bytes()
        })
        .collect();
    if requests.is_empty() {
        return Err("no domain".into());
    }
    // Everything is in the cache before the clock runs.
    for request in &requests {
        ask(&mut TcpStream::connect(&at)?, request, 1)?;
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
                let mut batch = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    batch.clear();
                    for _ in 0..pipelined {
                        batch.extend_from_slice(&requests[place % requests.len()]);
                        place += 1;
                    }
                    ask(&mut stream, &batch, pipelined)?;
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
        "{:.0}\t{:.0}\t{:.2}\t{:.2}",
        answers / wall,
        answers / server,
        server / wall,
        client / wall
    );
    Ok(())
}

/// Sends `request`, which holds `count` of them, and reads as many replies.
fn ask(stream: &mut TcpStream, request: &[u8], count: usize) -> std::io::Result<()> {
    stream.write_all(request)?;
    let (mut buffer, mut filled, mut heard) = ([0_u8; 65_536], 0, 0);
    while heard < count {
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
            if content.starts_with(b"TEMP") || content.starts_with(b"PERM") {
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
