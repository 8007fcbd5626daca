//! What bad input gets, as data: dialogues over a real socket, in `bad_input.txt`.
//!
//! A dialogue begins with `# title`, then perhaps `: options` (`size=`, `line=`, `tls`, `full`,
//! `refuse8`: undeclared octets above 127 are refused). The
//! client says EHLO first. `> text` is written, `| text` together with the line before; CRLF is added
//! unless it ends in `\c`, Rust's escapes are understood, `~N*text~` is a repetition. `< reply` is what
//! must come, up to a `...` where it has one; `~ N reply` comes so many times. `hang up` ends the
//! client's side, `closed` is the server's end. `kept N` messages were kept in all, `told N` refusals
//! were told to the journal.
//!
//! Each dialogue is played with all that is written in one piece, and the short ones octet by octet.

use crate::house::{Client, House, PATIENCE, certificate, settings};
use crate::store::Mood;
use elsinore_relay::accept::UndeclaredEightBit;
use std::path::Path;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// What is written may be this long to be written octet by octet.
const SHORT: usize = 3000;

/// Rust's escapes, and `~N*text~` for a repetition.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\\' => {
                let (escape, tail) = rest.split_at(1);
                rest = tail;
                match escape {
                    "n" => out.push(b'\n'),
                    "r" => out.push(b'\r'),
                    "x" => {
                        let (digits, tail) = rest.split_at(2);
                        out.push(u8::from_str_radix(digits, 16).unwrap());
                        rest = tail;
                    }
                    other => panic!("escape {other}"),
                }
            }
            '~' => {
                let (inside, tail) = rest.split_once('~').unwrap();
                let (count, text) = inside.split_once('*').unwrap();
                out.extend(unescape(text).repeat(count.parse().unwrap()));
                rest = tail;
            }
            other => out.extend(other.to_string().bytes()),
        }
    }
    out
}

fn line(text: &str) -> Vec<u8> {
    match text.strip_suffix("\\c") {
        Some(text) => unescape(text),
        None => [unescape(text), b"\r\n".to_vec()].concat(),
    }
}

async fn open(options: &str, folder: &Path) -> House {
    let mut settings = settings();
    let mut mood = Mood::Well;
    for option in options.split_whitespace() {
        match option.split_once('=').unwrap_or((option, "")) {
            ("size", value) => settings.limits.message_octets = value.parse().unwrap(),
            ("line", value) => settings.limits.line_octets = value.parse().unwrap(),
            ("tls", _) => settings.tls = Some(certificate(folder, "relay.example")),
            ("refuse8", _) => settings.undeclared_eight_bit = UndeclaredEightBit::Refused,
            ("full", _) => mood = Mood::Full,
            (other, _) => panic!("option {other}"),
        }
    }
    let house = House::open(settings).await;
    *house.store.mood.lock().unwrap() = mood;
    house
}

/// Writes all of it, in pieces of `size`, while the server may have closed already.
async fn write(client: &mut Client<TcpStream>, octets: &[u8], size: usize) {
    for piece in octets.chunks(size) {
        let written = client.stream.write_all(piece);
        if tokio::time::timeout(PATIENCE, written)
            .await
            .unwrap()
            .is_err()
        {
            return;
        }
    }
}

fn fits(reply: &str, expected: &str) -> bool {
    match expected.strip_suffix("...") {
        Some(start) => reply.starts_with(start) && reply != "closed",
        None => reply == expected,
    }
}

async fn play(dialogue: &str, is_singly: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = dialogue.lines().peekable();
    let title = lines.next().unwrap();
    let options = lines.next_if(|line| line.starts_with(": "));
    let house = open(options.map_or("", |line| &line[2..]), folder.path()).await;
    let mut client = house.connect().await;
    client.stream.set_nodelay(true).unwrap();
    client.greet().await;
    while let Some(text) = lines.next() {
        let (mark, rest) = text.split_once(' ').unwrap_or((text, ""));
        match mark {
            ">" => {
                let mut octets = line(rest);
                while let Some(more) = lines.next_if(|next| next.starts_with('|')) {
                    octets.extend(line(more.get(2..).unwrap_or_default()));
                }
                let size = if is_singly && octets.len() < SHORT {
                    1
                } else {
                    usize::MAX
                };
                write(&mut client, &octets, size).await;
            }
            "<" => {
                let reply = client.reply().await;
                assert!(fits(&reply, rest), "{title}: {text}: {reply}");
            }
            "~" => {
                let (count, expected) = rest.split_once(' ').unwrap();
                for _ in 0..count.parse().unwrap() {
                    let reply = client.reply().await;
                    assert!(fits(&reply, expected), "{title}: {text}: {reply}");
                }
            }
            "hang" => client.stream.shutdown().await.unwrap(),
            "closed" => assert_eq!(client.reply().await, "closed", "{title}"),
            "kept" => assert_eq!(house.store.kept().len().to_string(), rest, "{title}"),
            "told" => assert_eq!(house.refusals().len().to_string(), rest, "{title}"),
            "" => {}
            other => panic!("{other} in {title}"),
        }
    }
    // Nothing is left of what was not kept, and the door is open for the next client.
    drop(client);
    let begun = std::time::Instant::now();
    while house.store.spooled() > 0 {
        assert!(begun.elapsed() < PATIENCE, "{title}: a file is left");
        tokio::task::yield_now().await;
    }
    house.connect().await.greet().await;
}

#[tokio::test]
async fn bad_input_gets_a_clear_answer() {
    let text = include_str!("bad_input.txt");
    let mut played = 0;
    for dialogue in text.split("\n# ") {
        let dialogue = dialogue.trim_start_matches("# ");
        play(dialogue, false).await;
        play(dialogue, true).await;
        played += 1;
    }
    assert!(played >= 30, "only {played} dialogues found");
}
