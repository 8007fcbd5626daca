//! What a relay holds in memory whatever comes: measured in a process of its own, where nothing else
//! takes any.

use crate::house::{House, settings};
use tokio::io::AsyncWriteExt as _;

/// Set in the process that is measured.
const ALONE: &str = "ELSINORE_TEST_ALONE";
/// Kilobytes that may be taken. A connection has 32 KiB to read into; the rest is the allocator's.
const MOST: u64 = 20_000;

/// Runs the test of this name by itself; true in the process that does.
fn is_alone(name: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([&format!("memory::{name}"), "--exact"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

fn resident(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// 100 megabytes by DATA, 100 by BDAT: in a file, not in memory.
#[tokio::test]
async fn a_large_message() {
    if !is_alone("a_large_message") {
        return;
    }
    const LINES: usize = 1_400_000;
    let mut settings = settings();
    settings.limits.message_octets = 200 * 1000 * 1000;
    let house = House::open(settings).await;
    let mut client = house.connect().await;
    client.greet().await;
    let line = [b"y".repeat(70).as_slice(), b"\r\n"].concat();
    let block = line.repeat(1000);
    let before = resident("VmRSS");
    client.begin(&["b@a.example"]).await;
    for _ in 0..LINES / 1000 {
        client.write(&block).await;
    }
    assert!(client.ask(".").await.starts_with("250 2.0.0"));
    assert!(client.ask("MAIL FROM:<>").await.starts_with("250"));
    assert!(client.ask("RCPT TO:<b@a.example>").await.starts_with("250"));
    for _ in 0..LINES / 1000 {
        let piece = format!("BDAT {}\r\n", block.len());
        client.write(&[piece.as_bytes(), &block].concat()).await;
        assert_eq!(client.reply().await, "250 2.0.0 go on");
    }
    assert!(
        client
            .ask("BDAT 0 LAST")
            .await
            .starts_with("250 2.0.0 queued")
    );
    let kept = house.store.kept();
    let octets = (LINES * 72) as u64;
    assert!(octets > 100_000_000);
    for message in &kept {
        assert!(message.in_file && message.octets > octets && message.octets < octets + 500);
    }
    assert_eq!(kept.len(), 2);
    let taken = resident("VmHWM").saturating_sub(before);
    assert!(taken < MOST, "{taken} kB");
    assert_eq!(house.store.spooled(), 0);
}

/// Hundreds of megabytes of what is no message, from one client after the other, and from many at once
/// that read nothing.
#[tokio::test]
async fn floods() {
    if !is_alone("floods") {
        return;
    }
    let mut settings = settings();
    settings.limits.message_octets = 1 << 20;
    let house = House::open(settings).await;
    let begin = "MAIL FROM:<>\r\nRCPT TO:<b@a.example>\r\n";
    let mut idle = Vec::new();
    for _ in 0..50 {
        let mut client = house.connect().await;
        client.greet().await;
        idle.push(client);
    }
    let before = resident("VmRSS");
    for client in &mut idle {
        // As much as fits into the pipe between the two.
        let _ = client.stream.try_write(&b"NOOP\r\n".repeat(10_000));
        tokio::task::yield_now().await;
    }
    for (start, block) in [
        (String::new(), b"A".repeat(1 << 16)),
        (String::new(), b"\0".repeat(1 << 16)),
        (String::new(), b"NOOP\r\n".repeat(1 << 13)),
        (String::new(), b"BDAT 1\r\nx".repeat(1 << 13)),
        (format!("{begin}DATA\r\n"), b"A".repeat(1 << 16)),
        (format!("{begin}DATA\r\n"), b"A\r\n".repeat(1 << 14)),
        (format!("{begin}DATA\r\n"), b"\n.\n".repeat(1 << 14)),
        (format!("{begin}BDAT 17000000\r\n"), b"A".repeat(1 << 16)),
        (
            format!("{begin}BDAT 9223372036854775808\r\n"),
            b"A".repeat(1 << 16),
        ),
        (
            begin.to_owned(),
            b"RCPT TO:<a@b.example>\r\n".repeat(1 << 11),
        ),
        (
            begin.to_owned(),
            b"RCPT TO:<a b@b.example>\r\n".repeat(1 << 11),
        ),
    ] {
        let mut client = house.connect().await;
        client.greet().await;
        client.write(start.as_bytes()).await;
        let (mut replies, mut octets) = client.stream.into_split();
        let reading = tokio::spawn(async move {
            let mut sink = tokio::io::sink();
            tokio::io::copy(&mut replies, &mut sink).await
        });
        // Until the server has had enough: each flood is ended by a bound.
        let mut written = 0_u64;
        while octets.write_all(&block).await.is_ok() {
            written += block.len() as u64;
            assert!(written < 1 << 30, "nothing ends {start:?}");
        }
        let _ = reading.await.unwrap();
    }
    let taken = resident("VmHWM").saturating_sub(before);
    assert!(taken < MOST, "{taken} kB");
    assert!(house.store.kept().is_empty());
    drop(idle);
    let mut client = house.connect().await;
    client.greet().await;
    client.begin(&["b@a.example"]).await;
    assert!(client.ask("x\r\n.").await.starts_with("250 2.0.0"));
}
