//! What must hold of the SMTP dialogue and of messages for any input. The fuzz targets call
//! these, and so does `cargo test` with the committed corpora.

use elsinore_smtp::address::{Mailbox, ReversePath};
use elsinore_smtp::client::{
    Action, ClientConfig, ClientSession, HeaderUtf8, Outlook, Recipient, RecipientResult,
    RequireTls, Task, Transaction,
};
use elsinore_smtp::command::GreetingName;
use elsinore_smtp::ehlo::Capabilities;
use elsinore_smtp::framing::DotStuffing;
use elsinore_smtp::message::{
    BlindCopies, Completion, Encoding, HeaderOctets, MessageError, Outflow, Survey, Surveyor,
};
use elsinore_smtp::reply::{Reply, ReplyError, ReplyParser};
use std::sync::Arc;

const SMALL: &[u8] = b"Subject: s\n\n.dot\n";

fn completion() -> Completion {
    let Ok(host) = GreetingName::parse("client.example") else {
        unreachable!("a plain host name");
    };
    Completion {
        now: 0,
        token: [0; 16],
        host,
        sender: ReversePath::Null,
        blind_copies: BlindCopies::Remove,
    }
}

/// Octets of a server: the same replies in any split, printable text, and a session that ends.
pub(crate) fn check_smtp_reply(octets: &[u8]) {
    let at_once = replies(octets, octets.len().max(1));
    for size in [1, 7] {
        assert_eq!(replies(octets, size), at_once);
    }
    for reply in &at_once.0 {
        assert!(!reply.to_string().contains(char::is_control));
        let _ = Capabilities::from_reply(reply);
    }
    let size = usize::from(octets.first().copied().unwrap_or(1)).max(1);
    converse(octets, size);
}

fn replies(octets: &[u8], size: usize) -> (Vec<Reply>, Option<ReplyError>) {
    let mut parser = ReplyParser::new();
    let mut found = Vec::new();
    for chunk in octets.chunks(size) {
        parser.push(chunk);
        loop {
            match parser.next_reply() {
                Ok(Some(reply)) => found.push(reply),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

/// A whole session against that server, which reads what is sent and answers regardless.
fn converse(octets: &[u8], size: usize) {
    let Ok(survey) = surveyed(SMALL, 100) else {
        unreachable!("a message without fault");
    };
    let recipients: Vec<Recipient> = ["one@a.example", "two@a.example", "three@a.example"]
        .into_iter()
        .filter_map(|text| Mailbox::parse(text).ok())
        .map(Recipient::new)
        .collect();
    let count = recipients.len();
    let mut session = ClientSession::new(
        ClientConfig::new(completion().host),
        Task::Deliver(Arc::new(Transaction {
            reverse_path: ReversePath::Null,
            recipients,
            message: Arc::new(survey),
            header_utf8: HeaderUtf8::Declared,
            require_tls: RequireTls::No,
            ret: None,
            envelope_id: None,
        })),
    );
    let mut said = octets.chunks(size);
    let mut message_ends = false;
    let limit = 1000 + octets.len() * 10;
    for turn in 0.. {
        assert!(turn < limit, "the session does not end");
        match session.next() {
            Action::Send { octets, .. } => {
                assert!(!octets.is_empty());
                message_ends |= octets.ends_with(b"\r\n.\r\n")
                    || octets.windows(5).any(|window| window == b" LAST");
            }
            Action::Receive { .. } => match said.next() {
                Some(chunk) => session.received(chunk),
                None => session.connection_lost(),
            },
            Action::StartTls => session.tls_established(),
            Action::PullMessage { offset, at_most } => {
                let rest = usize::try_from(offset)
                    .ok()
                    .and_then(|from| SMALL.get(from..));
                let rest = rest.unwrap_or_default();
                session.message_chunk(rest.get(..at_most).unwrap_or(rest));
            }
            Action::Idle | Action::Close => break,
        }
    }
    let outcome = session.into_outcome();
    assert_eq!(outcome.recipients.len(), count);
    for recipient in outcome.recipients {
        match recipient.result {
            RecipientResult::Delivered(reply) => assert!(reply.is_success() && message_ends),
            RecipientResult::Failed(failure) => {
                assert!(failure.outlook != Outlook::Uncertain || message_ends);
            }
        }
    }
}

/// A file to be sent: the same in any chunks, of the size that was said, with CRLF alone, never
/// ending early under DATA, and 7 bits after the conversion.
pub(crate) fn check_message(octets: &[u8]) {
    let survey = surveyed(octets, octets.len().max(1));
    for size in [1, 13] {
        assert_eq!(surveyed(octets, size), survey);
    }
    let Ok(survey) = survey else {
        return;
    };
    let survey = Arc::new(survey);
    let out = sent(octets, &survey, Encoding::AsIs, 13);
    assert_eq!(out.len() as u64, survey.octets(Encoding::AsIs));
    assert_eq!(
        out,
        sent(octets, &survey, Encoding::AsIs, octets.len().max(1))
    );
    check_lines(&out);
    assert_eq!(out.is_ascii(), !survey.has_eight_bit());
    if survey.obstacle().is_some() {
        return;
    }
    let out = sent(octets, &survey, Encoding::SevenBit, 13);
    assert!(out.len() as u64 <= survey.octets(Encoding::SevenBit));
    check_lines(&out);
    assert!(survey.header_octets() != HeaderOctets::Ascii || out.is_ascii());
    assert!(
        out.split(|octet| *octet == b'\n')
            .all(|line| line.len() <= 999)
    );
}

fn surveyed(message: &[u8], size: usize) -> Result<Survey, MessageError> {
    let mut surveyor = Surveyor::new(completion());
    for chunk in message.chunks(size) {
        surveyor.push(chunk)?;
    }
    surveyor.finish()
}

fn sent(message: &[u8], survey: &Arc<Survey>, encoding: Encoding, size: usize) -> Vec<u8> {
    let mut outflow = Outflow::new(Arc::clone(survey), encoding);
    let mut out = Vec::new();
    for chunk in message.chunks(size) {
        assert_eq!(outflow.push(chunk, &mut out), Ok(()));
    }
    assert_eq!(outflow.finish(&mut out), Ok(()));
    out
}

fn check_lines(out: &[u8]) {
    assert!(out.ends_with(b"\r\n"));
    let ends = out.windows(2).filter(|window| window == b"\r\n").count();
    assert_eq!(out.iter().filter(|octet| **octet == b'\n').count(), ends);
    assert_eq!(out.iter().filter(|octet| **octet == b'\r').count(), ends);
    let mut stuffed = Vec::new();
    DotStuffing::new().push(out, &mut stuffed);
    assert!(!stuffed.windows(5).any(|window| window == b"\r\n.\r\n"));
}
