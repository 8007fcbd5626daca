//! Tests of notifications; read by another parser in `tests/dsn`.

use super::*;

fn told(action: Action) -> RecipientStatus {
    RecipientStatus {
        address: "anna@example.net".to_owned(),
        original: Some("rfc822;anna+2Bx@example.org".to_owned()),
        action,
        status: EnhancedStatus::permanent(1, 1),
        remote: Some("mx.example.net".to_owned()),
        words: "550 5.1.1 no such user".to_owned(),
        speaker: Speaker::Server,
        given_up_after: None,
        tried: 1_795_000_100,
        findings: vec!["TLSA-MATCH: 3 1 1 matched".to_owned()],
    }
}

fn notification(recipients: Vec<RecipientStatus>) -> Notification {
    Notification {
        reporter: GreetingName::parse("mx.example.com").expect("a name"),
        to: "bob@example.com".to_owned(),
        queue_id: "0123456789ABCDEF".to_owned(),
        arrived: 1_795_000_000,
        now: 1_795_000_200,
        token: [0xab; 16],
        envelope_id: Some("QQ+3D314159".to_owned()),
        recipients,
        returned: Returned::Header,
        octets: Octets::SevenBit,
    }
}

fn text(notification: &Notification) -> String {
    String::from_utf8(notification.head()).expect("ASCII")
}

#[test]
fn a_failed_one_has_the_fields_of_rfc_3461_6_3() {
    let text = text(&notification(vec![told(Action::Failed)]));
    for field in [
        "\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n",
        "\r\nAuto-Submitted: auto-replied\r\n",
        "\r\nReporting-MTA: dns; mx.example.com\r\n",
        "\r\nOriginal-Envelope-Id: QQ=314159\r\n",
        "\r\nOriginal-Recipient: rfc822; anna+x@example.org\r\n",
        "\r\nFinal-Recipient: rfc822; anna@example.net\r\n",
        "\r\nAction: failed\r\n",
        "\r\nStatus: 5.1.1\r\n",
        "\r\nRemote-MTA: dns; mx.example.net\r\n",
        "\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
        "\r\nContent-Type: text/rfc822-headers\r\n",
    ] {
        assert!(text.contains(field), "{field:?} in\n{text}");
    }
    assert!(!text.contains("Will-Retry-Until"));
}

#[test]
fn people_read_who_said_what() {
    let ours = |words: &str| RecipientStatus {
        words: words.to_owned(),
        speaker: Speaker::Ourselves,
        findings: Vec::new(),
        ..told(Action::Failed)
    };
    let days = Some(Duration::from_secs(5 * 86_400));
    let security = "    The connection could not be secured as it must be: nothing was sent.\r\n";
    for (one, expected) in [
        (
            RecipientStatus {
                given_up_after: days,
                ..told(Action::Failed)
            },
            "    It was given up after 5 days.\r\n    The server mx.example.net said last: 550 5.1.1 no \
             such user\r\n    - TLSA-MATCH: 3 1 1 matched\r\n"
                .to_owned(),
        ),
        (
            RecipientStatus {
                given_up_after: days,
                status: EnhancedStatus::permanent(4, 7),
                ..ours("450 4.7.5 no record matches")
            },
            format!(
                "    It was given up after 5 days.\r\n    At mx.example.net: no record matches\r\n\
                 {security}"
            ),
        ),
        (
            ours("550 5.6.7 SMTPUTF8 is not offered"),
            "    At mx.example.net: SMTPUTF8 is not offered\r\n".to_owned(),
        ),
        (
            ours("550 nothing helps"),
            "    At mx.example.net: nothing helps\r\n".to_owned(),
        ),
        (
            ours("3 1 1 5a5a\u{2026}"),
            "    At mx.example.net: 3 1 1 5a5a...\r\n".to_owned(),
        ),
    ] {
        let text = text(&notification(vec![one]));
        let expected = format!("<anna@example.net>\r\n{expected}\r\n");
        assert!(text.contains(&expected), "{expected}\nin\n{text}");
    }
}

#[test]
fn addresses_are_readable_where_utf_8_travels() {
    let mut one = told(Action::Failed);
    one.address = "b\u{f8}b\u{202e}@example.net".to_owned();
    let mut notification = notification(vec![one]);
    assert!(text(&notification).contains("<b\\u{f8}b\\u{202e}@example.net>"));
    notification.octets = Octets::Utf8Header;
    let text = text(&notification);
    assert!(text.contains("<b\u{f8}b\\u{202e}@example.net>"), "{text}");
    let part = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n";
    assert!(text.contains(part), "{text}");
}

#[test]
fn who_is_told_what() {
    let delayed = Action::Delayed { until: 0 };
    // RFC 3461 §5.2.2, §5.2.5 and §5.2.6: none given, and the values of NOTIFY.
    for (notify, failed, late, relayed) in [
        (None, true, true, false),
        (Some("NEVER"), false, false, false),
        (Some("FAILURE"), true, false, false),
        (Some("delay"), false, true, false),
        (Some("SUCCESS,FAILURE"), true, false, true),
        (Some("SUCCESS,DELAY,FAILURE"), true, true, true),
        (Some("nonsense"), false, false, false),
    ] {
        assert_eq!(Action::Failed.is_asked_for(notify), failed, "{notify:?}");
        assert_eq!(delayed.is_asked_for(notify), late, "{notify:?}");
        assert_eq!(Action::Relayed.is_asked_for(notify), relayed, "{notify:?}");
    }
}

#[test]
fn text_of_strangers_makes_no_fields_and_no_long_lines() {
    let mut one = told(Action::Delayed {
        until: 1_795_400_000,
    });
    one.words = format!("450 \r\nAction: delivered\r\n{}", "x".repeat(5000));
    one.remote = Some("mx.\r\nevil: 1".to_owned());
    one.address = "ann\u{e9}@example.net".to_owned();
    one.findings = vec!["a\nb".to_owned()];
    one.original = Some("utf-8;+0D+0AAction:+20x".to_owned());
    let text = text(&notification(vec![one]));
    assert!(text.is_ascii());
    assert!(
        !text.contains("\r\nAction: delivered") && !text.contains("\nevil"),
        "{text}"
    );
    assert!(
        text.contains("Final-Recipient: utf-8; ann\\x{E9}@example.net\r\n"),
        "{text}"
    );
    assert!(text.contains("Will-Retry-Until: "));
    for line in text.split("\r\n") {
        assert!(
            line.len() <= 998 && !line.contains(['\r', '\n']),
            "{line:?}"
        );
    }
}

#[test]
fn the_header_is_cut_wherever_the_blocks_end() {
    for (message, header) in [
        ("A: 1\r\nB: 2\r\n\r\nbody\r\n", "A: 1\r\nB: 2\r\n"),
        ("A: 1\nB: 2\n\nbody\n", "A: 1\nB: 2\n"),
        ("\r\nbody", ""),
        ("A: 1\r\n", "A: 1\r\n"),
        ("A: 1\r\n\rB", "A: 1\r\n\rB"),
    ] {
        for cut in 0..=message.len() {
            let mut finder = HeaderCut::default();
            let (first, second) = message.as_bytes().split_at(cut);
            let mut kept = Vec::new();
            finder.push(first, &mut kept);
            finder.push(second, &mut kept);
            assert_eq!(kept, header.as_bytes(), "{message:?} cut at {cut}");
        }
    }
}
