//! The reply parser.

use elsinore_smtp::ehlo::{Capabilities, SizeLimit};
use elsinore_smtp::reply::{MAX_LINE, MAX_LINES, MAX_REPLY, Reply, ReplyError, ReplyParser};
use proptest::prelude::*;

fn parse(octets: &[u8], cuts: &[usize]) -> (Vec<Reply>, Option<ReplyError>, usize) {
    let mut parser = ReplyParser::new();
    let mut replies = Vec::new();
    let mut from = 0;
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (octets.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(octets.len());
    for end in ends {
        parser.push(&octets[from..end]);
        from = end;
        loop {
            match parser.next_reply() {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(error) => return (replies, Some(error), 0),
            }
        }
    }
    (replies, None, parser.pending())
}

fn one(text: &[u8]) -> Result<Option<Reply>, ReplyError> {
    let mut parser = ReplyParser::new();
    parser.push(text);
    parser.next_reply()
}

#[test]
fn replies() {
    for (text, expected, status, oddities) in [
        (&b"250 ok\r\n"[..], "250 ok", None, vec![]),
        (b"250\r\n", "250", None, vec![]),
        (b"250 \r\n", "250", None, vec![]),
        (b"250-a\r\n250-b\r\n250 c\r\n", "250 a b c", None, vec![]),
        (b"550 5.1.1 no\r\n", "550 5.1.1 no", Some("5.1.1"), vec![]),
        (
            b"550-5.1.1 no\r\n550 5.1.1 user\r\n",
            "550 5.1.1 no 5.1.1 user",
            Some("5.1.1"),
            vec![],
        ),
        (
            b"550 2.1.1 no\r\n",
            "550 2.1.1 no",
            None,
            vec!["enhanced status 2.1.1 contradicts the reply code"],
        ),
        (
            b"250 ok\n",
            "250 ok",
            None,
            vec!["reply line ended by LF alone"],
        ),
        (
            b"299 ok\r\n",
            "299 ok",
            None,
            vec!["second digit of the reply code above 5"],
        ),
        (
            b"250 a\x07b\r\n",
            "250 a\\u{7}b",
            None,
            vec!["unprintable characters in the reply text"],
        ),
        (
            b"250 a\rb\r\n",
            "250 a\\u{d}b",
            None,
            vec!["unprintable characters in the reply text"],
        ),
    ] {
        let reply = one(text).unwrap().unwrap();
        assert_eq!(reply.to_string(), expected);
        assert_eq!(reply.status().map(|it| it.to_string()).as_deref(), status);
        let found: Vec<String> = reply.oddities().iter().map(ToString::to_string).collect();
        assert_eq!(found, oddities, "{expected}");
    }
}

#[test]
fn no_replies() {
    let long_line = [b"250 ".as_slice(), &vec![b'a'; MAX_LINE]].concat();
    let lines = "250-a\r\n".repeat(MAX_LINES + 1);
    let line = format!("250-{}\r\n", "a".repeat(8000));
    let octets = line.repeat(MAX_REPLY / line.len() + 1);
    for (text, expected) in [
        (&b"hello\r\n"[..], "not an SMTP reply: \"hello\""),
        (b"\r\n", "not an SMTP reply: \"\""),
        (b"25 ok\r\n", "not an SMTP reply: \"25 ok\""),
        (b"250ok\r\n", "not an SMTP reply: \"250ok\""),
        (b"150 ok\r\n", "not an SMTP reply: \"150 ok\""),
        (b"650 ok\r\n", "not an SMTP reply: \"650 ok\""),
        (
            b"250-a\r\n550 b\r\n",
            "reply code changes from 250 to 550 within one reply",
        ),
        (&long_line, "reply line longer than 8192 octets"),
        (lines.as_bytes(), "reply of more than 256 lines"),
        (octets.as_bytes(), "reply of more than 65536 octets"),
    ] {
        assert_eq!(one(text).unwrap_err().to_string(), expected);
    }
    assert_eq!(one(b"250 o"), Ok(None));
    assert_eq!(one(b"250-a\r\n"), Ok(None));
}

#[test]
fn capabilities() {
    let text = b"250-mx.example at your service\r\n250-size 20\r\n250-PIPELINING\r\n\
        250-AUTH PLAIN\r\n250-X-NEW thing\r\n250-8bitmime\r\n250 STARTTLS\r\n";
    let offered = Capabilities::from_reply(&one(text).unwrap().unwrap());
    assert_eq!(offered.greeting_name, "mx.example");
    assert!(offered.pipelining && offered.eight_bit_mime && offered.starttls);
    assert!(!offered.chunking && !offered.smtp_utf8 && !offered.dsn);
    assert_eq!(offered.others, ["AUTH PLAIN", "X-NEW thing"]);
    for (value, expected) in [
        ("SIZE", SizeLimit::Unlimited),
        ("SIZE 0", SizeLimit::Unlimited),
        ("SIZE 00", SizeLimit::Unlimited),
        ("SIZE 1000", SizeLimit::Octets(1000)),
        ("SIZE 99999999999999999999", SizeLimit::Unlimited),
        ("SIZE -1", SizeLimit::Malformed),
        ("SIZE=10", SizeLimit::Malformed),
    ] {
        let reply = one(format!("250-mx\r\n250 {value}\r\n").as_bytes());
        let offered = Capabilities::from_reply(&reply.unwrap().unwrap());
        match offered.size {
            Some(size) => assert_eq!(size, expected, "{value}"),
            // `SIZE=10` is another keyword altogether.
            None => assert_eq!(offered.others, [value]),
        }
    }
}

fn octets_like_replies() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "(250|354|421|550|2|25)[- ]?(2\\.1\\.5 )?[a-z]{0,6}\r\n".prop_map(String::into_bytes),
        1 => Just(b"\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_replies(
        octets in octets_like_replies(),
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
    ) {
        prop_assert_eq!(parse(&octets, &cuts), parse(&octets, &[]));
    }

    #[test]
    fn text_of_a_reply_is_printable(octets in octets_like_replies()) {
        let (replies, error, _) = parse(&octets, &[]);
        let mut shown: String = replies.iter().map(ToString::to_string).collect();
        shown.extend(error.map(|error| error.to_string()));
        prop_assert!(!shown.contains(char::is_control), "{shown:?}");
    }
}
