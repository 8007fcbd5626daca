//! Submits a letter over a unix socket.

use elsinore_lab::run::Letter;
use elsinore_smtp::client::HeaderUtf8;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

/// The message with CRLF at the end of each line.
pub(crate) fn octets(letter: &Letter) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let mut reader = letter.message.spool.open().map_err(|e| e.to_string())?;
    reader.read_to_end(&mut octets).map_err(|e| e.to_string())?;
    let mut lines = Vec::with_capacity(octets.len());
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        lines.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
        lines.extend_from_slice(b"\r\n");
    }
    Ok(lines)
}

/// Hands the letter to the listener at `socket`; the answer is its destinations.
pub(crate) async fn submit(socket: &Path, letter: &Letter) -> Result<BTreeSet<String>, String> {
    let stream = UnixStream::connect(socket).await;
    let mut session = BufReader::new(stream.map_err(|error| error.to_string())?);
    expect(&mut session, "220").await?;
    say(&mut session, b"EHLO client.example\r\n").await?;
    expect(&mut session, "250").await?;
    let envelope = &letter.envelope;
    let text = octets(letter)?;
    let mut mail = format!("MAIL FROM:<{}> BODY=8BITMIME", envelope.reverse_path);
    let addresses = envelope
        .recipients
        .iter()
        .map(|one| one.mailbox.to_string());
    let header = text
        .split(|octet| *octet == b'\r')
        .take_while(|line| line.len() > 1);
    let utf8 = envelope.reverse_path.to_string() + &addresses.collect::<String>();
    let declares = envelope.header_utf8 == HeaderUtf8::Declared
        && header.into_iter().any(|line| !line.is_ascii());
    if !utf8.is_ascii() || declares {
        mail.push_str(" SMTPUTF8");
    }
    say(&mut session, format!("{mail}\r\n").as_bytes()).await?;
    expect(&mut session, "250").await?;
    let mut destinations = BTreeSet::new();
    for recipient in &envelope.recipients {
        let line = format!("RCPT TO:<{}>\r\n", recipient.mailbox);
        say(&mut session, line.as_bytes()).await?;
        expect(&mut session, "250").await?;
        destinations.insert(recipient.mailbox.domain().to_string());
    }
    say(&mut session, b"DATA\r\n").await?;
    expect(&mut session, "354").await?;
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        if line.first() == Some(&b'.') {
            say(&mut session, b".").await?;
        }
        say(&mut session, line).await?;
    }
    say(&mut session, b".\r\n").await?;
    expect(&mut session, "250").await?;
    say(&mut session, b"QUIT\r\n").await?;
    Ok(destinations)
}

async fn say(session: &mut BufReader<UnixStream>, octets: &[u8]) -> Result<(), String> {
    let written = session.get_mut().write_all(octets).await;
    written.map_err(|error| error.to_string())
}

async fn expect(session: &mut BufReader<UnixStream>, code: &str) -> Result<(), String> {
    loop {
        let mut line = String::new();
        let read = session.read_line(&mut line).await;
        if read.map_err(|error| error.to_string())? == 0 {
            return Err("the listener closed".to_owned());
        }
        match line.as_bytes().get(3) {
            Some(b'-') => {}
            _ if line.starts_with(code) => return Ok(()),
            _ => return Err(format!("the listener said {line}")),
        }
    }
}
