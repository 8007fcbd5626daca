//! What must hold of the server's side of an SMTP session, whatever a client writes, however it is
//! cut.

use elsinore_smtp::address::Mailbox;
use elsinore_smtp::command::GreetingName;
use elsinore_smtp::framing::DotStuffing;
use elsinore_smtp::server::{Action, EightBit, Offer, ServerConfig, ServerSession};
use std::sync::Arc;

/// Octets of a message, so that bounds are met too.
const MOST: u64 = 4000;

fn config() -> ServerConfig {
    let (Ok(host), Ok(postmaster)) = (
        GreetingName::parse("relay.example"),
        Mailbox::parse("postmaster@relay.example"),
    ) else {
        unreachable!("constants")
    };
    ServerConfig {
        host,
        postmaster,
        message_octets: MOST,
        line_octets: 1000,
        recipients: 5,
        errors: 20,
        refused_recipients: 50,
        idle_commands: 50,
        starttls: Offer::No,
        undeclared_eight_bit: EightBit::Taken,
    }
}

/// What came of a dialogue.
struct Run {
    messages: Vec<Vec<u8>>,
    said: Vec<u8>,
}

fn run<'a>(mut blocks: impl Iterator<Item = &'a [u8]>) -> Run {
    let mut session = ServerSession::new(Arc::new(config()));
    let mut run = Run {
        messages: Vec::new(),
        said: Vec::new(),
    };
    let mut message: Option<Vec<u8>> = None;
    loop {
        match session.next() {
            Action::Send(octets) => {
                assert!(!octets.is_empty() && octets.len() < 16 * 1024);
                assert!(octets.ends_with(b"\r\n"));
                run.said.extend(octets);
            }
            Action::Receive(_) => match blocks.next() {
                Some(block) => session.received(block),
                None => break,
            },
            Action::StartTls => unreachable!("not offered"),
            Action::Mail | Action::Recipient(_) => session.accept(),
            Action::Content => {
                assert!(message.is_none());
                message = Some(Vec::new());
                session.accept();
            }
            Action::Block => {
                let Some(message) = &mut message else {
                    unreachable!("content begins before its blocks")
                };
                message.extend_from_slice(session.block());
            }
            Action::Commit => {
                let (Some(kept), Some(transaction)) = (message.take(), session.take_transaction())
                else {
                    unreachable!("a message with its envelope")
                };
                check_message(&kept);
                assert!((1..=5).contains(&transaction.recipients.len()));
                run.messages.push(kept);
                session.accept();
            }
            Action::Discard => message = None,
            Action::Close => break,
        }
    }
    let text = String::from_utf8_lossy(&run.said);
    for line in text.split_terminator("\r\n") {
        let octets = line.as_bytes();
        assert!(octets.len() <= 510 && octets.iter().all(|octet| matches!(octet, b' '..=b'~')));
        assert!(
            octets
                .get(..3)
                .is_some_and(|code| code.iter().all(u8::is_ascii_digit))
        );
    }
    run
}

/// What is taken has no line end but CRLF, no NUL, and not too much.
fn check_message(message: &[u8]) {
    let ends = message.windows(2).filter(|pair| pair == b"\r\n").count();
    assert_eq!(
        message.iter().filter(|octet| **octet == b'\r').count(),
        ends
    );
    assert_eq!(
        message.iter().filter(|octet| **octet == b'\n').count(),
        ends
    );
    assert!(!message.contains(&0));
    assert!(message.len() as u64 <= MOST);
}

/// Octets of a client: the same messages in any split, up to where the session ended; printable
/// replies.
pub(crate) fn check_smtp_server(octets: &[u8]) {
    let whole = run(std::iter::once(octets));
    for size in [1, 3, 64] {
        let cut = run(octets.chunks(size));
        // What stands behind a refused DATA ends the session, when it has come already.
        let common = whole.messages.len().min(cut.messages.len());
        assert_eq!(whole.messages[..common], cut.messages[..common]);
        let common = whole.said.len().min(cut.said.len());
        if common == whole.said.len() && common == cut.said.len() {
            assert_eq!(whole.messages, cut.messages);
        }
    }
}

/// A message under DATA and under BDAT, in pieces: it comes out as it went in, or is refused, and what
/// stands in it is never read as a command.
pub(crate) fn check_smtp_framing(octets: &[u8]) {
    let size = usize::from(octets.first().copied().unwrap_or(0)) + 1;
    let message = octets.get(1..).unwrap_or_default();
    let start = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";
    let mut counted = start.to_vec();
    for piece in message.chunks(size) {
        counted.extend(format!("BDAT {}\r\n", piece.len()).bytes());
        counted.extend(piece);
    }
    counted.extend(b"BDAT 0 LAST\r\nQUIT\r\n");
    let mut dotted = [&start[..], b"DATA\r\n"].concat();
    DotStuffing::new().push(message, &mut dotted);
    if !message.is_empty() && !message.ends_with(b"\r\n") {
        dotted.extend(b"\r\n");
    }
    dotted.extend(b".\r\nQUIT\r\n");
    for (octets, by_count) in [(counted, true), (dotted, false)] {
        for cut in [octets.len(), size, 1] {
            let run = run(octets.chunks(cut));
            assert!(run.messages.len() <= 1);
            let Some(kept) = run.messages.first() else {
                continue;
            };
            // By DATA the last line gets its end.
            let rest = kept.strip_prefix(message);
            assert!(
                rest.is_some_and(|rest| rest.is_empty() || (!by_count && rest == b"\r\n")),
                "{kept:?}"
            );
        }
    }
}
