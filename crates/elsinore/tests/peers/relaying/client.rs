//! Clients, and a reader of what comes back.

use super::relay::PLACE;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

/// Lets swaks send `text`: its transcript, and whether it was content.
pub(super) fn swaks(text: &str) -> (String, bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("message");
    // swaks ends the last line itself.
    fs::write(&file, text.trim_end_matches('\n')).expect("a file");
    let output = Command::new("swaks")
        .args(["--server", PLACE, "--helo", "client.home.example"])
        .args(["--pipeline", "--from", "swaks@home.example"])
        .args(["--to", "swaks@there.example", "--data"])
        .arg(format!("@{}", file.display()))
        .output()
        .expect("swaks runs");
    let transcript = String::from_utf8_lossy(&output.stdout).into_owned();
    (transcript, output.status.success())
}

/// Says `lines` to the server at `place`, each after the reply to the one before.
pub(super) fn dialogue(place: &str, lines: &[&str]) {
    let stream = TcpStream::connect(place).expect("a server");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a socket");
    let mut writer = stream.try_clone().expect("a socket");
    let mut reader = BufReader::new(stream);
    for line in std::iter::once(None).chain(lines.iter().map(Some)) {
        if let Some(line) = line {
            write!(writer, "{line}\r\n").expect("the server reads");
        }
        loop {
            let mut reply = String::new();
            reader.read_line(&mut reply).expect("a reply");
            assert!(reply.starts_with(['2', '3']), "{line:?}: {reply}");
            if reply.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
    }
}

/// Panics where one of `words` is missing.
pub(super) fn expect(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in\n{text}");
    }
}

/// A message as Python's own parser understands it: the status of each recipient, and the text.
pub(super) fn parsed(message: &str) -> String {
    const PROGRAM: &str = "
import email, email.policy, sys
message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
for part in message.walk():
    if part.get_content_type() == 'message/delivery-status':
        for block in part.get_payload():
            if block['action']:
                print(block['action'], block['status'], block['final-recipient'])
    elif part.get_content_type() == 'text/plain':
        sys.stdout.write(part.get_content())
";
    let mut child = Command::new("python3")
        .args(["-c", PROGRAM])
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    let text = message.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("python3 ends");
    writer.join().expect("a thread").expect("python3 reads");
    assert!(output.status.success(), "python3: {}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}
