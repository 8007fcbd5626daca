//! Tests of what senders are told.

use super::*;
use elsinore_net::deliver::{Decided, Outcome, RecipientReport, ReplyText, SaidBy};
use elsinore_queue::content::{BodyInMemory, Content};
use std::sync::Arc;
use std::time::Duration;

const MESSAGE: &[u8] = b"Subject: x\r\nFrom: bob@example.com\r\n\r\nbody\r\n";

fn settings() -> NoticeSettings {
    NoticeSettings::new(GreetingName::parse("mx.example.com").expect("a name"))
}

fn about(sender: &str) -> MessageHead {
    MessageHead {
        id: MessageId::draw(Moment(1_795_000_000_000)),
        arrived: Moment(1_795_000_000_000),
        envelope: Envelope {
            reverse_path: sender.to_owned(),
            ret: None,
            envelope_id: None,
            tls: TlsWish::Unspecified,
            smtp_utf8: false,
            origin: "192.0.2.1".to_owned(),
        },
        octets: 44,
    }
}

fn recipient(address: &str, notify: Option<&str>) -> Recipient {
    Recipient {
        address: address.to_owned(),
        notify: notify.map(str::to_owned),
        original: None,
    }
}

fn report(code: u16, enhanced: &str) -> RecipientReport {
    RecipientReport {
        recipient: "anna@example.net".to_owned(),
        outcome: Outcome::Bounced,
        session: None,
        reply: Some(ReplyText {
            code,
            enhanced: Some(enhanced.to_owned()),
            text: "no such user".to_owned(),
            said_by: SaidBy::Server,
        }),
        decided: Decided::Answer,
        attempts: Arc::new(Vec::new()),
        findings: Arc::new(Vec::new()),
        account: Arc::default(),
    }
}

fn told(notify: Option<&str>) -> Vec<Told> {
    let recipient = recipient("anna@example.net", notify);
    vec![Told::failed(&recipient, &report(550, "5.1.1"), Moment(1))]
}

fn composed(settings: &NoticeSettings, about: &MessageHead, told: Vec<Told>) -> Composed {
    composed_of(MESSAGE, settings, about, told)
}

fn composed_of(
    message: &[u8],
    settings: &NoticeSettings,
    about: &MessageHead,
    told: Vec<Told>,
) -> Composed {
    let body = BodyInMemory(Arc::from(message));
    let folder = std::env::temp_dir();
    compose(
        settings,
        about,
        told,
        &body,
        &folder,
        Moment(1_795_000_100_000),
    )
    .expect("composes")
}

fn text(message: NewMessage) -> String {
    match message.content {
        Content::Memory(octets) => String::from_utf8(octets).expect("UTF-8"),
        Content::File { .. } => panic!("so small a message needs no file"),
    }
}

#[test]
fn the_sender_of_a_failed_message_gets_it_back() {
    let Composed::Notice { message, kind } =
        composed(&settings(), &about("bob@example.com"), told(None))
    else {
        panic!("no notice");
    };
    assert_eq!(kind, "failed");
    assert_eq!(message.envelope.reverse_path, "");
    assert_eq!(message.jobs[0].destination, "example.com");
    let text = text(message);
    assert!(text.contains("Content-Type: message/rfc822\r\n"), "{text}");
    assert!(text.contains("\r\n\r\nSubject: x\r\n") && text.contains("\r\n\r\nbody\r\n"));
}

#[test]
fn utf_8_in_a_header_is_global_only_under_smtputf8() {
    for (smtp_utf8, ret, kind) in [
        (false, "FULL", "message/rfc822"),
        (false, "HDRS", "text/rfc822-headers"),
        (true, "FULL", "message/global"),
        (true, "HDRS", "message/global-headers"),
    ] {
        let mut about = about("bob@example.com");
        about.envelope.smtp_utf8 = smtp_utf8;
        about.envelope.ret = Some(ret.to_owned());
        let original = "Subject: Gr\u{fc}\u{df}e\r\n\r\nbody\r\n".as_bytes();
        let Composed::Notice { message, .. } =
            composed_of(original, &settings(), &about, told(None))
        else {
            panic!("no notice");
        };
        assert_eq!(message.envelope.smtp_utf8, smtp_utf8, "{kind}");
        let text = text(message);
        let (_, part) = text
            .split_once(&format!("Content-Type: {kind}\r\n"))
            .expect(&text);
        let (fields, returned) = part.split_once("\r\n\r\n").expect("a header");
        assert!(fields.contains("Content-Transfer-Encoding: 8bit"), "{text}");
        assert!(
            returned.starts_with("Subject: Gr\u{fc}\u{df}e\r\n"),
            "{text}"
        );
        let (header, _) = text.split_once("\r\n\r\n").expect("a header");
        assert!(header.contains("Content-Transfer-Encoding: 8bit"), "{text}");
    }
}

#[test]
fn ret_hdrs_and_requiretls_return_the_header_alone() {
    let mut by_ret = about("bob@example.com");
    by_ret.envelope.ret = Some("HDRS".to_owned());
    let mut by_tls = about("bob@example.com");
    by_tls.envelope.tls = TlsWish::Required;
    for (about, tls) in [(by_ret, TlsWish::Unspecified), (by_tls, TlsWish::Required)] {
        let Composed::Notice { message, .. } = composed(&settings(), &about, told(None)) else {
            panic!("no notice");
        };
        assert_eq!(message.envelope.tls, tls);
        let text = text(message);
        assert!(
            text.contains("text/rfc822-headers") && !text.contains("body"),
            "{text}"
        );
    }
}

#[test]
fn a_time_that_is_over_is_5_4_7_with_the_last_words() {
    let one = recipient("anna@example.net", None);
    let days = Duration::from_secs(5 * 86_400);
    let told = vec![Told::expired(&one, &report(450, "4.2.0"), Moment(1), days)];
    let Composed::Notice { message, .. } = composed(&settings(), &about("bob@example.com"), told)
    else {
        panic!("no notice");
    };
    let text = text(message);
    assert!(text.contains("\r\nStatus: 5.4.7\r\n"), "{text}");
    assert!(
        text.contains("given up after 5 days.") && text.contains("smtp; 450 4.2.0 no such user"),
        "{text}"
    );
}

#[test]
fn nobody_is_told_what_nobody_asked_for() {
    for notify in ["NEVER", "SUCCESS", "DELAY"] {
        let made = composed(&settings(), &about("bob@example.com"), told(Some(notify)));
        assert!(matches!(made, Composed::Unasked), "{notify}: {made:?}");
    }
}

#[test]
fn a_null_path_is_told_to_the_postmaster_once() {
    let nobody = composed(&settings(), &about(""), told(None));
    assert!(matches!(nobody, Composed::Nobody(_)), "{nobody:?}");
    let mut with = settings();
    with.postmaster = Some(Mailbox::parse("postmaster@example.com").expect("an address"));
    let Composed::Notice { message, kind } = composed(&with, &about(""), told(None)) else {
        panic!("no notice");
    };
    assert_eq!(
        (kind, message.jobs[0].recipients[0].address.as_str()),
        ("postmaster", "postmaster@example.com")
    );
    let again = recipient("postmaster@example.com", None);
    let told = vec![Told::failed(&again, &report(550, "5.1.1"), Moment(1))];
    let made = composed(&with, &about(""), told);
    assert!(matches!(made, Composed::Nobody(_)), "{made:?}");
}
