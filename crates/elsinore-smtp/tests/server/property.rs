//! What holds of a server session whatever is written, and however it is cut into pieces.

use crate::{Noes, Play, config};
use elsinore_smtp::address::{Mailbox, ReversePath};
use elsinore_smtp::client::{
    Action as ClientAction, ClientConfig, ClientSession, HeaderUtf8, Recipient, RecipientResult,
    RequireTls, Task, Transaction, Use,
};
use elsinore_smtp::command::GreetingName;
use elsinore_smtp::framing::DotStuffing;
use elsinore_smtp::message::{BlindCopies, Completion, Encoding, Outflow, Surveyor};
use elsinore_smtp::server::{Action, EightBit, ServerConfig, ServerSession};
use proptest::prelude::*;
use std::sync::Arc;

fn generous() -> ServerConfig {
    ServerConfig {
        message_octets: 1 << 20,
        line_octets: 1 << 20,
        undeclared_eight_bit: EightBit::Taken,
        ..config()
    }
}

/// What a client may write: mostly commands, line ends of all kinds, dots.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => Just(&b"MAIL FROM:<a@b.example>\r\n"[..]),
        6 => Just(&b"RCPT TO:<c@d.example>\r\n"[..]),
        6 => Just(&b"DATA\r\n"[..]),
        2 => Just(&b"BDAT 5\r\n"[..]),
        2 => Just(&b"BDAT 7 LAST\r\n"[..]),
        1 => Just(&b"BDAT x\r\n"[..]),
        1 => Just(&b"RSET\r\n"[..]),
        1 => Just(&b"EHLO x\r\n"[..]),
        1 => Just(&b"QUIT\r\n"[..]),
        8 => Just(&b"\r\n.\r\n"[..]),
        4 => Just(&b"."[..]),
        4 => Just(&b"\r"[..]),
        4 => Just(&b"\n"[..]),
        4 => Just(&b"\r\n"[..]),
        2 => Just(&b"text"[..]),
        1 => Just(&b"\0"[..]),
        1 => Just(&b"\xff"[..]),
    ]
    .prop_map(<[u8]>::to_vec)
}

fn dialogue() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        Just(&b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"[..]),
        Just(&b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 9\r\n"[..]),
        Just(&b"EHLO x\r\n"[..]),
    ];
    (start, proptest::collection::vec(fragment(), 0..40))
        .prop_map(|(start, rest)| [start.to_vec(), rest.concat()].concat())
}

fn run(config: ServerConfig, octets: &[u8], cuts: &[usize]) -> Vec<String> {
    let mut play = Play::new(config, Noes::default());
    let mut rest = octets;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let cut = cuts.next().map_or(rest.len(), |cut| (*cut).min(rest.len()));
        let (now, later) = rest.split_at(cut);
        play.go_on();
        play.session.received(now);
        rest = later;
    }
    play.go_on();
    play.came()
}

fn kept(trace: &[String]) -> Vec<&String> {
    trace
        .iter()
        .filter(|line| line.starts_with("= message"))
        .collect()
}

/// A message as it may be: lines of any octets, ended by CRLF.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let line = "[.a-c\\t\u{1}\u{fc}]{0,20}".prop_map(String::into_bytes);
    proptest::collection::vec(line, 0..12).prop_map(|lines| {
        let lines: Vec<Vec<u8>> = lines
            .into_iter()
            .map(|line| [line, b"\r\n".to_vec()].concat())
            .collect();
        lines.concat()
    })
}

/// The messages of a dialogue with a session, which is written all at once.
fn messages(octets: &[u8], cut: usize) -> Vec<Vec<u8>> {
    let mut session = ServerSession::new(Arc::new(generous()));
    let (mut messages, mut message) = (Vec::new(), Vec::new());
    let mut blocks = octets.chunks(cut);
    loop {
        match session.next() {
            Action::Receive(_) => match blocks.next() {
                Some(block) => session.received(block),
                None => return messages,
            },
            Action::Block => message.extend_from_slice(session.block()),
            Action::Commit => {
                messages.push(std::mem::take(&mut message));
                session.accept();
            }
            Action::Mail | Action::Recipient(_) | Action::Content => session.accept(),
            Action::Send(_) | Action::StartTls => {}
            Action::Discard | Action::Close => return messages,
        }
    }
}

/// Both sides in one room: what the server kept, and whether the client says that it is delivered.
fn both(
    message: &[u8],
    config: ClientConfig,
    server: ServerConfig,
    cut: usize,
) -> (Vec<Vec<u8>>, usize, Vec<u8>) {
    let sender = ReversePath::parse("a@sender.example").unwrap();
    let mut surveyor = Surveyor::new(Completion {
        now: 0,
        token: [0; 16],
        host: GreetingName::parse("client.example").unwrap(),
        sender: sender.clone(),
        blind_copies: BlindCopies::Keep,
    });
    surveyor.push(message).unwrap();
    let survey = Arc::new(surveyor.finish().unwrap());
    let mut expected = Vec::new();
    let mut outflow = Outflow::new(Arc::clone(&survey), Encoding::AsIs);
    outflow.push(message, &mut expected).unwrap();
    outflow.finish(&mut expected).unwrap();
    let recipients = (0..5).map(|number| Mailbox::parse(&format!("r{number}@a.example")).unwrap());
    let mut client = ClientSession::new(
        config,
        Task::Deliver(Arc::new(Transaction {
            reverse_path: sender,
            recipients: recipients.map(Recipient::new).collect(),
            message: survey,
            header_utf8: HeaderUtf8::Declared,
            require_tls: RequireTls::No,
            ret: None,
            envelope_id: None,
        })),
    );
    let mut play = Play::new(server, Noes::default());
    let (mut kept, mut wire) = (Vec::new(), Vec::new());
    for _ in 0..100_000 {
        match client.next() {
            ClientAction::Send { octets, .. } => {
                for block in octets.chunks(cut) {
                    serve(&mut play, &mut kept, &mut wire);
                    play.session.received(block);
                }
            }
            ClientAction::Receive { .. } => {
                serve(&mut play, &mut kept, &mut wire);
                if wire.is_empty() {
                    client.connection_lost();
                } else {
                    client.received(&std::mem::take(&mut wire));
                }
            }
            ClientAction::PullMessage { offset, at_most } => {
                let rest = &message[usize::try_from(offset).unwrap()..];
                client.message_chunk(&rest[..rest.len().min(at_most).min(cut)]);
            }
            ClientAction::StartTls => panic!("not offered"),
            ClientAction::Idle => panic!("one message"),
            ClientAction::Close => break,
        }
    }
    let delivered = client
        .into_outcome()
        .recipients
        .iter()
        .filter(|recipient| matches!(recipient.result, RecipientResult::Delivered(_)))
        .count();
    (kept, delivered, expected)
}

fn serve(play: &mut Play, kept: &mut Vec<Vec<u8>>, wire: &mut Vec<u8>) {
    loop {
        match play.session.next() {
            Action::Send(octets) => wire.extend(octets),
            Action::Mail | Action::Recipient(_) => play.session.accept(),
            Action::Content => {
                play.message = Some(Vec::new());
                play.session.accept();
            }
            Action::Block => {
                let block = play.session.block().to_vec();
                play.message.as_mut().unwrap().extend(block);
            }
            Action::Commit => {
                let transaction = play.session.take_transaction().unwrap();
                let message = play.message.take().unwrap();
                kept.extend(std::iter::repeat_n(message, transaction.recipients.len()));
                play.session.accept();
            }
            Action::Discard => play.message = None,
            Action::Receive(_) | Action::StartTls | Action::Close => return,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// However the octets are cut, the same messages are taken and the same is said. Only where a
    /// message may stand behind a refused DATA does it matter what has come already: the session ends
    /// then instead of reading it.
    #[test]
    fn any_split_is_the_same_dialogue(
        octets in dialogue(),
        cuts in proptest::collection::vec(1_usize..20, 1..20),
    ) {
        let whole = run(generous(), &octets, &[]);
        let cut = run(generous(), &octets, &cuts);
        if whole != cut {
            for (one, other) in [(&whole, &cut), (&cut, &whole)] {
                let said = |trace: &[String]| -> Vec<String> {
                    trace.iter().filter(|line| line.starts_with('<')).cloned().collect()
                };
                let (one, other) = (said(one), said(other));
                if one.len() < other.len() {
                    prop_assert!(other.starts_with(&one), "{one:?} {other:?}");
                    let last = one.last().unwrap();
                    let refused = ["< 503 5.5.1", "< 554 5.5.1"];
                    prop_assert!(refused.iter().any(|start| last.starts_with(start)), "{last}");
                }
            }
            let (whole, cut) = (kept(&whole), kept(&cut));
            prop_assert!(cut.starts_with(&whole) || whole.starts_with(&cut));
        }
    }

    /// The bounds do not depend on the split either, though the reason that is given may.
    #[test]
    fn bounds_hold_in_any_split(octets in dialogue(), cut in 1_usize..20) {
        let small = ServerConfig { message_octets: 20, line_octets: 8, ..config() };
        let whole = run(small.clone(), &octets, &[]);
        let cut = run(small, &octets, &[cut]);
        let (whole, cut) = (kept(&whole), kept(&cut));
        prop_assert!(cut.starts_with(&whole) || whole.starts_with(&cut));
        for message in cut {
            prop_assert!(message.len() < 200, "{message}");
        }
    }

    /// A message comes out as it went in, by DATA and by BDAT in any pieces.
    #[test]
    fn a_message_survives(message in message(), cut in 1_usize..100, piece in 1_usize..100) {
        let start = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n".to_vec();
        let mut stuffed = Vec::new();
        DotStuffing::new().push(&message, &mut stuffed);
        let by_dot = [&start[..], b"DATA\r\n", &stuffed, b".\r\nNOOP\r\n"].concat();
        prop_assert_eq!(messages(&by_dot, cut), vec![message.clone()]);
        let mut by_count = start;
        for piece in message.chunks(piece) {
            by_count.extend(format!("BDAT {}\r\n", piece.len()).bytes());
            by_count.extend(piece);
        }
        by_count.extend(b"BDAT 0 LAST\r\n");
        prop_assert_eq!(messages(&by_count, cut), vec![message]);
    }

    /// Our own client delivers to our own server: every recipient has what was sent.
    #[test]
    fn client_and_server_understand_each_other(
        message in message(),
        cut in 1_usize..200,
        chunking in any::<bool>(),
        pipelining in any::<bool>(),
        recipients in 1_usize..7,
    ) {
        let mut client = ClientConfig::new(GreetingName::parse("client.example").unwrap());
        client.chunking = if chunking { Use::WhenOffered } else { Use::Never };
        client.pipelining = if pipelining { Use::WhenOffered } else { Use::Never };
        client.recipients_per_transaction = 2;
        let server = ServerConfig { recipients, ..generous() };
        let (kept, delivered, expected) = both(&message, client, server, cut);
        prop_assert_eq!(delivered, 5);
        prop_assert_eq!(kept.len(), 5);
        prop_assert!(kept.iter().all(|kept| *kept == expected));
    }

    /// Garbage makes replies, bounded ones, and never a message.
    #[test]
    fn garbage_is_answered(octets in proptest::collection::vec(any::<u8>(), 0..5000), cut in 1_usize..5000) {
        let trace = run(generous(), &octets, &[cut]);
        prop_assert!(kept(&trace).is_empty());
        prop_assert!(trace.len() < 40);
    }

    /// Replies go out in groups of a few kilobytes, however many commands come at once.
    #[test]
    fn a_flood_of_commands_holds_no_memory(count in 1_usize..3000) {
        let config = ServerConfig { idle_commands: u32::MAX, ..generous() };
        let mut session = ServerSession::new(Arc::new(config));
        session.received(&b"NOOP\r\n".repeat(count));
        let mut said = 0;
        loop {
            match session.next() {
                Action::Send(octets) => {
                    prop_assert!(octets.len() < 9000);
                    said += octets.split(|octet| *octet == b'\n').count() - 1;
                }
                Action::Receive(_) => break,
                other => panic!("{other:?}"),
            }
        }
        prop_assert_eq!(said, count + 1);
    }
}
