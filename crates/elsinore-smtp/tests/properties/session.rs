//! The session against servers that say anything, at any time, in any split.

use super::survey;
use elsinore_smtp::address::{Mailbox, ReversePath};
use elsinore_smtp::client::{
    Action, ClientConfig, ClientSession, HeaderUtf8, Outlook, Phase, Recipient, RecipientResult,
    RequireTls, SessionOutcome, StartTls, Task, Transaction,
};
use elsinore_smtp::command::{EnvelopeId, GreetingName, Notify, OriginalRecipient, Return};
use proptest::prelude::*;
use std::sync::Arc;

const MESSAGE: &[u8] = b"Subject: gr\n\n.dot\nfor one\n";

fn transaction(recipients: usize) -> Transaction {
    Transaction {
        reverse_path: ReversePath::parse("anna@sender.example").unwrap(),
        recipients: (0..recipients)
            .map(|index| Recipient::new(Mailbox::parse(&format!("r{index}@a.example")).unwrap()))
            .collect(),
        message: Arc::new(survey(MESSAGE, 5).unwrap()),
        header_utf8: HeaderUtf8::Declared,
        require_tls: RequireTls::No,
        ret: Some(Return::Full),
        envelope_id: Some(EnvelopeId::new("id").unwrap()),
    }
}

/// One thing a server or the network may do.
#[derive(Debug, Clone)]
enum Turn {
    Says(String),
    Octets(Vec<u8>),
    Lost,
    TimedOut,
}

/// How far a run went, seen from the server.
#[derive(Default)]
struct Seen {
    turns: usize,
    sent: Vec<u8>,
    ended: bool,
}

/// Drives a session with those turns; afterwards the connection is lost.
fn drive(session: &mut ClientSession, turns: &[Turn]) -> Seen {
    let mut seen = Seen::default();
    // Each turn of a server lets a session take a bounded number of steps.
    let limit = 2000 + turns.len() * 200;
    for _ in 0..limit {
        match session.next() {
            Action::Send { octets, .. } => {
                assert!(!octets.is_empty());
                seen.sent.extend(octets);
            }
            Action::Receive { .. } => {
                match turns.get(seen.turns) {
                    Some(Turn::Says(text)) => session.received(text.as_bytes()),
                    Some(Turn::Octets(octets)) => session.received(octets),
                    Some(Turn::TimedOut) => session.timed_out(),
                    Some(Turn::Lost) | None => session.connection_lost(),
                }
                seen.turns += 1;
            }
            Action::StartTls => session.tls_established(),
            Action::PullMessage { offset, at_most } => {
                let rest = &MESSAGE[usize::try_from(offset).unwrap()..];
                session.message_chunk(&rest[..rest.len().min(at_most).min(7)]);
            }
            Action::Idle | Action::Close => {
                seen.ended = true;
                return seen;
            }
        }
    }
    seen
}

fn turn() -> impl Strategy<Value = Turn> {
    let code = prop_oneof![
        12 => Just(250_u16),
        6 => Just(354),
        2 => Just(220),
        1 => Just(421),
        1 => Just(450),
        1 => Just(452),
        1 => Just(550),
        1 => Just(552),
        1 => 200_u16..600,
    ];
    prop_oneof![
        16 => code.prop_map(|code| Turn::Says(format!("{code} text\r\n"))),
        2 => Just(Turn::Says(
            "250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-DSN\r\n250 SIZE\r\n".to_owned()
        )),
        2 => Just(Turn::Says("250-mx\r\n250-STARTTLS\r\n250 PIPELINING\r\n".to_owned())),
        1 => Just(Turn::Says("250 a\r\n250 b\r\n".to_owned())),
        1 => proptest::collection::vec(any::<u8>(), 1..20).prop_map(Turn::Octets),
        1 => Just(Turn::Lost),
        1 => Just(Turn::TimedOut),
    ]
}

/// Begins politely often enough for the interesting phases to be reached.
fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let ehlo = prop_oneof![
        Just("250 mx\r\n"),
        Just("250-mx\r\n250 PIPELINING\r\n"),
        Just("250-mx\r\n250-CHUNKING\r\n250 PIPELINING\r\n"),
        Just("250-mx\r\n250 STARTTLS\r\n"),
    ];
    (ehlo, proptest::collection::vec(turn(), 0..30)).prop_map(|(ehlo, rest)| {
        let mut turns = vec![
            Turn::Says("220 mx\r\n".to_owned()),
            Turn::Says(ehlo.to_owned()),
        ];
        turns.extend(rest);
        turns
    })
}

fn session(recipients: usize) -> ClientSession {
    let mut config = ClientConfig::new(GreetingName::parse("client.example").unwrap());
    config.starttls = StartTls::IfOffered;
    config.recipients_per_transaction = 3;
    ClientSession::new(config, Task::Deliver(Arc::new(transaction(recipients))))
}

fn ends_of_messages(sent: &[u8]) -> usize {
    let text = String::from_utf8_lossy(sent);
    text.matches("\r\n.\r\n").count() + text.matches(" LAST\r\n").count()
}

fn delivered(outcome: &SessionOutcome) -> usize {
    outcome
        .recipients
        .iter()
        .filter(|recipient| matches!(recipient.result, RecipientResult::Delivered(_)))
        .count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the server says, the session ends, every recipient gets one result, and none is
    /// certain after an end of message without answer.
    #[test]
    fn every_dialogue_ends(turns in turns(), recipients in 0_usize..8) {
        let mut session = session(recipients);
        let seen = drive(&mut session, &turns);
        prop_assert!(seen.ended, "the session goes on for ever");
        let outcome = session.into_outcome();
        prop_assert_eq!(outcome.recipients.len(), recipients);
        if ends_of_messages(&seen.sent) == 0 {
            for recipient in &outcome.recipients {
                let RecipientResult::Failed(failure) = &recipient.result else {
                    panic!("delivered without an end of message");
                };
                prop_assert_ne!(failure.outlook, Outlook::Uncertain);
            }
        }
        for recipient in &outcome.recipients {
            match &recipient.result {
                RecipientResult::Delivered(reply) => prop_assert!(reply.is_success()),
                RecipientResult::Failed(failure) => {
                    prop_assert!(
                        failure.outlook != Outlook::Uncertain || failure.phase == Phase::DataEnd
                    );
                    prop_assert!(
                        failure.outlook != Outlook::Uncertain || !failure.may_try_next_host()
                    );
                }
            }
        }
    }

    /// Nobody is offered the message again after having been delivered to or put in doubt.
    #[test]
    fn nobody_is_offered_twice(turns in turns(), recipients in 1_usize..8) {
        let mut session = session(recipients);
        let seen = drive(&mut session, &turns);
        let outcome = session.into_outcome();
        let text = String::from_utf8_lossy(&seen.sent);
        for (index, recipient) in outcome.recipients.iter().enumerate() {
            // A recipient put off for "too many" is said again; one that was accepted is not.
            let said = text.matches(&format!("RCPT TO:<r{index}@a.example>")).count();
            prop_assert!(said <= recipients, "{said} times");
            if matches!(recipient.result, RecipientResult::Failed(ref failure)
                if failure.outlook == Outlook::Uncertain)
            {
                prop_assert!(said >= 1);
            }
        }
        prop_assert!(delivered(&outcome) == 0 || ends_of_messages(&seen.sent) > 0);
    }

    /// Octets of any server, in any split, end in the same outcome: without STARTTLS, whose
    /// discarded text depends on what has been read by then.
    #[test]
    fn garbage_never_panics(garbage in proptest::collection::vec(any::<u8>(), 0..400), size in 1_usize..50) {
        let mut turns = vec![Turn::Says("220 mx\r\n".to_owned())];
        turns.extend(garbage.chunks(size).map(|chunk| Turn::Octets(chunk.to_vec())));
        let mut session = session(2);
        prop_assert!(drive(&mut session, &turns).ended);
        let shown = session.into_outcome().transcript.to_string();
        prop_assert!(!shown.replace('\n', "").contains(char::is_control));
    }

    /// What a user may write never opens a command line.
    #[test]
    fn no_command_carries_a_line_end(
        local in "\\PC{0,10}|[\\x00-\\x7f]{0,10}",
        domain in "[\\x00-\\x7f]{0,10}|[a-z.\u{fc}-]{1,10}",
        id in "[\\x00-\\xff]{0,10}",
        helo in "[\\x00-\\x7f]{0,8}",
    ) {
        let mut texts = vec![];
        for text in [format!("{local}@{domain}"), format!("\"{local}\"@a.example")] {
            texts.extend(Mailbox::parse(&text).map(|mailbox| mailbox.to_string()));
            texts.extend(ReversePath::parse(&text).map(|path| path.to_string()));
        }
        texts.extend(GreetingName::parse(&helo).map(|name| name.to_string()));
        if let (Ok(id), Ok(mailbox)) = (EnvelopeId::new(&id), Mailbox::parse(&format!("{local}@a.example"))) {
            let mut transaction = transaction(1);
            transaction.envelope_id = Some(id);
            transaction.recipients[0].parameters.original = Some(OriginalRecipient::of(&mailbox));
            transaction.recipients[0].parameters.notify = Some(Notify::Never);
            transaction.recipients[0].mailbox = mailbox;
            let config = ClientConfig::new(GreetingName::parse("c.example").unwrap());
            let mut session = ClientSession::new(config, Task::Deliver(Arc::new(transaction)));
            let turns = ["220 a\r\n", "250-a\r\n250-SMTPUTF8\r\n250 DSN\r\n", "250 a\r\n", "250 a\r\n", "550 a\r\n"]
                .map(|text| Turn::Says(text.to_owned()));
            let seen = drive(&mut session, &turns);
            let text = String::from_utf8(seen.sent).unwrap();
            let lines: Vec<&str> = text.split("\r\n").collect();
            prop_assert_eq!(lines.len(), 6, "{}", text);
            texts.extend(lines.iter().map(ToString::to_string));
        }
        for text in texts {
            prop_assert!(!text.contains(['\r', '\n', '\0']), "{text:?}");
        }
    }
}
