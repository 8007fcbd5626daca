//! What must hold of an SMTP session, whatever the server says.

use elsinore_smtp::address::{Mailbox, ReversePath};
use elsinore_smtp::client::{
    Action, Afterwards, ClientConfig, ClientSession, HeaderUtf8, Recipient, RecipientResult,
    RequireTls, SessionOutcome, Task, Transaction, Turn,
};
use elsinore_smtp::command::GreetingName;
use elsinore_smtp::message::{BlindCopies, Completion, Surveyor};
use std::sync::Arc;

/// A server that answers anything: the session ends, and each recipient has one result.
pub(crate) fn check_smtp_session(octets: &[u8]) {
    const MESSAGE: &[u8] = b"From: a@example.org\r\n\r\nHello\r\n.\r\n";
    let (Ok(name), Ok(sender)) = (
        GreetingName::parse("client.example"),
        ReversePath::parse("a@example.org"),
    ) else {
        unreachable!("constants")
    };
    let mut surveyor = Surveyor::new(Completion {
        now: 0,
        token: [0; 16],
        host: name.clone(),
        sender: sender.clone(),
        blind_copies: BlindCopies::Remove,
    });
    let Ok(()) = surveyor.push(MESSAGE) else {
        unreachable!("constant")
    };
    let Ok(survey) = surveyor.finish() else {
        unreachable!("constant")
    };
    let recipients: Vec<Recipient> = ["b@example.org", "c@example.org"]
        .into_iter()
        .filter_map(|text| Mailbox::parse(text).ok())
        .map(Recipient::new)
        .collect();
    let count = recipients.len();
    let transaction = Arc::new(Transaction {
        reverse_path: sender,
        recipients,
        message: Arc::new(survey),
        header_utf8: HeaderUtf8::Declared,
        require_tls: RequireTls::No,
        ret: None,
        envelope_id: None,
    });
    let mut config = ClientConfig::new(name);
    config.afterwards = Afterwards::Stay;
    let mut session = ClientSession::new(config, Task::Deliver(Arc::clone(&transaction)));
    let mut further = 3;
    let mut taken = false;
    let mut server = octets.split_inclusive(|octet| *octet == b'\n');
    for _ in 0..10_000 {
        match session.next() {
            Action::Send { .. } => {}
            Action::Receive { .. } => match server.next() {
                Some(line) => session.received(line),
                None => session.connection_lost(),
            },
            Action::StartTls => match server.next() {
                Some([0x16, ..]) => session.tls_failed("no"),
                _ => session.tls_established(),
            },
            Action::PullMessage { offset, at_most } => {
                let from = usize::try_from(offset)
                    .unwrap_or(usize::MAX)
                    .min(MESSAGE.len());
                let to = from.saturating_add(at_most).min(MESSAGE.len());
                session.message_chunk(&MESSAGE[from..to]);
            }
            Action::Idle => {
                check_outcome(&session.take_outcome(), count, octets);
                if further == 0 {
                    session.leave();
                } else {
                    further -= 1;
                    session.next_transaction(Arc::clone(&transaction));
                    taken = false;
                    continue;
                }
                taken = true;
            }
            Action::Close => {
                if !taken {
                    check_outcome(&session.into_outcome(), count, octets);
                }
                return;
            }
        }
    }
    panic!("the session does not end");
}

fn check_outcome(outcome: &SessionOutcome, count: usize, octets: &[u8]) {
    assert_eq!(outcome.recipients.len(), count);
    let delivered = |result: &RecipientResult| matches!(result, RecipientResult::Delivered { .. });
    if outcome.recipients.iter().any(|r| delivered(&r.result)) {
        assert_ne!(outcome.turn, Turn::Stale);
        let text = String::from_utf8_lossy(octets);
        assert!(text.contains("354") || text.to_ascii_uppercase().contains("CHUNKING"));
    }
}
