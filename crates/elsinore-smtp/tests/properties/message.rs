//! The message on its way out.

use super::{completion, outflow, survey};
use elsinore_smtp::eight_bit::Obstacle;
use elsinore_smtp::framing::DotStuffing;
use elsinore_smtp::message::{Added, Encoding, HeaderOctets, MessageError, TlsRequired};
use proptest::prelude::*;
use std::sync::Arc;

const HEADER: &str = "Date: x\nFrom: y\nMessage-ID: z\n";

fn as_is(message: &[u8]) -> Vec<u8> {
    let survey = Arc::new(survey(message, 1000).unwrap());
    outflow(message, &survey, Encoding::AsIs, 1000)
}

fn converted(message: &str) -> Result<String, Obstacle> {
    let survey = Arc::new(survey(message.as_bytes(), 1000).unwrap());
    if let Some(obstacle) = survey.obstacle() {
        return Err(obstacle);
    }
    let out = outflow(message.as_bytes(), &survey, Encoding::SevenBit, 1000);
    assert!(
        out.len() as u64 <= survey.octets(Encoding::SevenBit),
        "the estimate {} is below {}",
        survey.octets(Encoding::SevenBit),
        out.len()
    );
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn unchanged_messages() {
    for (message, expected) in [
        ("{}\nbody\n", "{}\r\nbody\r\n"),
        ("{}\r\nbody\r\n", "{}\r\nbody\r\n"),
        ("{}\nbody", "{}\r\nbody\r\n"),
        ("{}", "{}"),
        // The header ends at a line that is none of its own.
        ("{}body\n", "{}\r\nbody\r\n"),
        (
            "{}X-A: b\n folded\n\tmore\n\nc\n",
            "{}X-A: b\r\n folded\r\n\tmore\r\n\r\nc\r\n",
        ),
        // Bcc goes, with its continuation.
        (
            "{}Bcc: a\n b\nX: y\n\nBcc: stays\n",
            "{}X: y\r\n\r\nBcc: stays\r\n",
        ),
        ("{}resent-bcc : a\n\nb\n", "{}\r\nb\r\n"),
    ] {
        let message = message.replace("{}", HEADER);
        let expected = expected.replace("{}", &HEADER.replace('\n', "\r\n"));
        assert_eq!(
            String::from_utf8(as_is(message.as_bytes())).unwrap(),
            expected
        );
    }
}

#[test]
fn completed_messages() {
    let all = "Date: Sun, 22 Nov 2026 05:40:44 +0000\r\nFrom: anna@sender.example\r\n\
        Message-ID: <abababababababababababababababab@client.example>\r\n";
    for (message, expected) in [
        ("", all.to_owned()),
        ("\nbody\n", format!("{all}\r\nbody\r\n")),
        (
            "just text, no header\n",
            format!("{all}\r\njust text, no header\r\n"),
        ),
        (
            " begins with a space\n",
            format!("{all}\r\n begins with a space\r\n"),
        ),
        // The mark of an mbox file goes; a sentence stays.
        (
            "From a@b Sun Nov 22 05:40:44 2026\nX: y\n\nb\n",
            format!("{all}X: y\r\n\r\nb\r\n"),
        ),
        (
            "From here to there\n",
            format!("{all}\r\nFrom here to there\r\n"),
        ),
    ] {
        assert_eq!(
            String::from_utf8(as_is(message.as_bytes())).unwrap(),
            expected
        );
    }
    let survey = survey(b"FROM : me@x.example\nmessage-id: <1>\n\n", 3).unwrap();
    assert_eq!(survey.added(), [Added::Date]);
}

#[test]
fn refused_messages() {
    for (message, expected) in [
        (&b"a: b\n\nx\ry\n"[..], MessageError::LoneCr { line: 3 }),
        (b"a: b\n\nx\r\r\n", MessageError::LoneCr { line: 3 }),
        (b"a: b\n\nx\n.\r", MessageError::LoneCr { line: 4 }),
        (b"a: b\n\nx\n\r.\r\n", MessageError::LoneCr { line: 4 }),
        (b"a: b\0\n", MessageError::Nul { line: 1 }),
    ] {
        for chunk in 1..8 {
            assert_eq!(
                survey(message, chunk),
                Err(expected),
                "{message:?} by {chunk}"
            );
        }
    }
}

#[test]
fn what_a_survey_finds() {
    let check = |message: &[u8], eight_bit: bool, header: HeaderOctets, tls: TlsRequired| {
        for chunk in [1, 2, 1000] {
            let survey = survey(message, chunk).unwrap();
            assert_eq!(survey.has_eight_bit(), eight_bit, "{message:?}");
            assert_eq!(survey.header_octets(), header, "{message:?}");
            assert_eq!(survey.tls_required(), tls, "{message:?}");
        }
    };
    use HeaderOctets::{Ascii, Undeclared, Utf8};
    use TlsRequired::{No, Unsaid};
    check(b"a: b\n\nc\n", false, Ascii, Unsaid);
    check(b"a: b\n\n\xff\n", true, Ascii, Unsaid);
    check("a: gr\u{fc}n\n\n".as_bytes(), true, Utf8, Unsaid);
    check("a: \u{fc}\n \u{1f600}\n\n".as_bytes(), true, Utf8, Unsaid);
    check(b"a: gr\xfcn\n\nc\n", true, Undeclared, Unsaid);
    check(b"a: \xc3\n \xbc\n\nc\n", true, Undeclared, Unsaid);
    check(b"tls-required:  no \n\nc\n", false, Ascii, No);
    check(b"TLS-Required:\n\tNo\n\nc\n", false, Ascii, No);
    check(
        b"TLS-Required: yes\n\nTLS-Required: No\n",
        false,
        Ascii,
        Unsaid,
    );
    // What is taken out needs nothing.
    check(b"Bcc: gr\xfcn\n\nc\n", false, Ascii, Unsaid);
    let long = |message: String| survey(message.as_bytes(), 100).unwrap().longest_line();
    assert_eq!(long(format!("a: b\n\n{}\n", "x".repeat(998))), 998);
    assert_eq!(long(format!("a: b\n\n{}\n", "x".repeat(20_000))), 20_000);
}

#[test]
fn conversions() {
    let mime = format!("{HEADER}MIME-Version: 1.0\n");
    let check = |message: &str, expected: Result<&str, Obstacle>| {
        let message = message.replace("{}", &mime);
        let expected = expected.map(|text| text.replace("{}", &mime).replace('\n', "\r\n"));
        assert_eq!(converted(&message), expected, "{message}");
    };
    let check_bare = |message: &str, expected: Result<&str, Obstacle>| {
        let message = message.replace("{}", HEADER);
        let expected = expected.map(|text| text.replace("{}", HEADER).replace('\n', "\r\n"));
        assert_eq!(converted(&message), expected, "{message}");
    };
    // Text becomes quoted-printable; trailing white space and `=` are encoded.
    check(
        "{}Content-Type: text/plain; charset=utf-8\n\u{63}ontent-transfer-encoding:\n 8bit\n\n\u{fc} = \n.a\n",
        Ok(
            "{}Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC =3D=20\n=2Ea\n",
        ),
    );
    // Anything else becomes base64.
    check(
        "{}Content-Type: application/json\n\n\u{fc}\n",
        Ok("{}Content-Type: application/json\nContent-Transfer-Encoding: base64\n\nw7wNCg==\n"),
    );
    // Without MIME header: one is added.
    check_bare(
        "{}\n\u{fc}\n",
        Ok(
            "{}MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n",
        ),
    );
    // Only the parts that need it change; labels of containers follow.
    check(
        "{}Content-Type: multipart/mixed; boundary=\"b\"\nContent-Transfer-Encoding: 8bit\n\npreamble\n\
         --b\n\n\u{fc}\n--b\nContent-Type: application/x\nContent-Transfer-Encoding: binary\n\n\u{fc}\n\n--b \n\
         Content-Transfer-Encoding: 8bit\n\nascii\n--bc\n--b--\nepilogue\n",
        Ok(
            "{}Content-Type: multipart/mixed; boundary=\"b\"\n\npreamble\n\
         --b\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n\
         --b\nContent-Type: application/x\nContent-Transfer-Encoding: base64\n\nw7wNCg==\n--b \n\
         \nascii\n--bc\n--b--\nepilogue\n",
        ),
    );
    // Enclosed messages are messages.
    check(
        "{}Content-Type: message/rfc822\n\nSubject: s\n\n\u{fc}\n",
        Ok(
            "{}Content-Type: message/rfc822\n\nSubject: s\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n",
        ),
    );
    check(
        "{}Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: s\n\n\u{fc}\n--d--\n",
        Ok(
            "{}Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: s\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--d--\n",
        ),
    );
    // A boundary of the outer multipart ends the inner one.
    check(
        "{}Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\n\u{fc}\n--o\n\n\u{fc}\n--o--\n",
        Ok(
            "{}Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--o\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--o--\n",
        ),
    );
    // A signature is not broken; beside it, things may change.
    check(
        "{}Content-Type: multipart/signed; boundary=s\n\n--s\n\n\u{fc}\n--s--\n",
        Err(Obstacle::Signed),
    );
    check(
        "{}Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: multipart/signed; boundary=s\n\n--s\nContent-Transfer-Encoding: 8bit\n\na\n--s--\n--m\n\n\u{fc}\n--m--\n",
        Ok(
            "{}Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: multipart/signed; boundary=s\n\n--s\nContent-Transfer-Encoding: 8bit\n\na\n--s--\n--m\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--m--\n",
        ),
    );
    check(
        "{}Content-Transfer-Encoding: base64\n\n\u{fc}\n",
        Err(Obstacle::Encoding),
    );
    check(
        "{}Content-Transfer-Encoding: x-uuencode\n\n\u{fc}\n",
        Err(Obstacle::Encoding),
    );
    check(
        "{}Content-Type: message/partial\n\n\u{fc}\n",
        Err(Obstacle::Fragment),
    );
    check(
        "{}Content-Type: multipart/mixed; boundary=b\n\n\u{fc}\n--b--\n",
        Err(Obstacle::BetweenParts),
    );
    check(
        "{}Content-Type: multipart/mixed; boundary=b\n\n--b\nX: \u{fc}\n\na\n--b--\n",
        Err(Obstacle::Header),
    );
    check(
        "{}Content-Type: multipart/mixed\n\n\u{fc}\n",
        Err(Obstacle::Structure),
    );
    let latin: &[u8] = b"Date: x\nFrom: y\nMessage-ID: z\n\ngr\xfcn\n";
    assert_eq!(
        survey(latin, 9).unwrap().obstacle(),
        Some(Obstacle::UnknownCharset)
    );
}

#[test]
fn long_header_lines_are_folded() {
    let words = "word ".repeat(400);
    let message = format!(
        "{HEADER}MIME-Version: 1.0\nTo: {}\n\nbody\n",
        words.trim_end()
    );
    let out = converted(&message).unwrap();
    assert!(out.split("\r\n").all(|line| line.len() <= 998));
    // Taking the folds out again gives the line back (RFC 5322 §2.2.3).
    assert_eq!(out.replace("\r\n ", " "), message.replace('\n', "\r\n"));
    let one = format!("{HEADER}X: {}\n\nbody\n", "x".repeat(1000));
    assert_eq!(converted(&one), Err(Obstacle::Header));
}

/// Decodes what the encoder wrote, as a receiver would (RFC 2045 §6.7).
fn decode_quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((octet, tail)) = rest.split_first() {
        rest = tail;
        if *octet != b'=' {
            out.push(*octet);
        } else if let Some(tail) = rest.strip_prefix(b"\r\n") {
            rest = tail;
        } else {
            let digits = std::str::from_utf8(&rest[..2]).unwrap();
            out.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &rest[2..];
        }
    }
    out
}

/// RFC 2045 §6.8.
fn decode_base64(text: &[u8]) -> Vec<u8> {
    let value = |octet: u8| match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        other => panic!("{other}"),
    };
    let digits: Vec<u8> = text
        .iter()
        .filter(|octet| !matches!(octet, b'\r' | b'\n' | b'='))
        .map(|octet| value(*octet))
        .collect();
    let mut out = Vec::new();
    for group in digits.chunks(4) {
        let bits = group.iter().enumerate().fold(0_u32, |bits, (at, digit)| {
            bits | u32::from(*digit) << (18 - 6 * at)
        });
        out.extend(&bits.to_be_bytes()[1..group.len()]);
    }
    out
}

/// Text without NUL and without CR, of octets that matter.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => "[ -~]{0,30}".prop_map(String::into_bytes),
        2 => Just(b"\n".to_vec()),
        1 => Just(b"\n.".to_vec()),
        1 => Just(b" \t \n".to_vec()),
        1 => Just("gr\u{fc}n".as_bytes().to_vec()),
        1 => proptest::collection::vec(1_u8..=255, 0..10),
        1 => (0_usize..2000).prop_map(|count| vec![b'x'; count]),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| {
        let mut text = pieces.concat();
        text.retain(|octet| *octet != b'\r');
        text
    })
}

/// Messages with structure.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just("Date: x\n".to_owned()),
        Just("From: y\n".to_owned()),
        Just("Bcc: z\n".to_owned()),
        Just("MIME-Version: 1.0\n".to_owned()),
        Just("Content-Type: multipart/mixed; boundary=b\n".to_owned()),
        Just("Content-Type: multipart/digest; boundary=c\n".to_owned()),
        Just("Content-Type: message/rfc822\n".to_owned()),
        Just("Content-Type: application/x\n".to_owned()),
        Just("Content-Transfer-Encoding: 8bit\n".to_owned()),
        Just("Content-Transfer-Encoding: base64\n".to_owned()),
        Just("\n".to_owned()),
        Just("--b\n".to_owned()),
        Just("--c\n".to_owned()),
        Just("--b--\n".to_owned()),
        Just("gr\u{fc}n\n".to_owned()),
        Just("ascii\n".to_owned()),
        Just(" folded\n".to_owned()),
        Just("no end".to_owned()),
    ];
    proptest::collection::vec(line, 0..25).prop_map(|lines| lines.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn dot_stuffing_round_trip(text in text(), chunk in 1_usize..40) {
        let lines = as_is(&text);
        let mut stuffing = DotStuffing::new();
        let mut stuffed = Vec::new();
        for part in lines.chunks(chunk) {
            stuffing.push(part, &mut stuffed);
        }
        // Nothing in it ends the message, and a receiver gets back what was meant.
        prop_assert!(!stuffed.windows(5).any(|window| window == b"\r\n.\r\n"));
        prop_assert!(!stuffed.starts_with(b".\r\n"));
        let mut back = Vec::new();
        for line in stuffed.split_inclusive(|octet| *octet == b'\n') {
            back.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
        prop_assert_eq!(back, lines);
    }

    #[test]
    fn line_ends_are_settled_once(text in text(), chunk in 1_usize..40) {
        let once = as_is(&text);
        let mut before = b' ';
        for octet in &once {
            prop_assert!((*octet == b'\n') == (before == b'\r' && *octet == b'\n'));
            prop_assert!(before != b'\r' || *octet == b'\n');
            before = *octet;
        }
        prop_assert_eq!(as_is(&once), once.clone());
        // Sizes and results do not depend on the chunks.
        let one = Arc::new(survey(&text, chunk).unwrap());
        prop_assert_eq!(one.octets(Encoding::AsIs), once.len() as u64);
        prop_assert_eq!(outflow(&text, &one, Encoding::AsIs, chunk), once);
    }

    #[test]
    fn conversion_leaves_seven_bits_and_short_lines(message in message(), text in text(), chunk in 1_usize..40) {
        for message in [message.clone(), [message, text].concat()] {
            let whole = Arc::new(survey(&message, 100_000).unwrap());
            let pieces = Arc::new(survey(&message, chunk).unwrap());
            prop_assert_eq!(&whole, &pieces);
            prop_assert_eq!(
                outflow(&message, &whole, Encoding::AsIs, chunk).len() as u64,
                whole.octets(Encoding::AsIs)
            );
            if whole.obstacle().is_some() {
                continue;
            }
            let out = outflow(&message, &whole, Encoding::SevenBit, chunk);
            prop_assert!(out.len() as u64 <= whole.octets(Encoding::SevenBit));
            prop_assert_eq!(&out, &outflow(&message, &whole, Encoding::SevenBit, 100_000));
            if whole.header_octets() == HeaderOctets::Ascii {
                prop_assert!(out.is_ascii());
            }
            for line in out.split(|octet| *octet == b'\n') {
                prop_assert!(line.len() <= 999, "{} octets", line.len());
            }
        }
    }

    #[test]
    fn encoded_text_decodes_to_itself(text in text(), kind in prop_oneof![Just("text/plain"), Just("image/x")]) {
        let body = [text, b"\xfc\n".to_vec()].concat();
        let header = format!("{HEADER}MIME-Version: 1.0\nContent-Type: {kind}\n");
        let message = [header.as_bytes(), b"\n", &body].concat();
        let plain = as_is(&message);
        let survey = Arc::new(survey(&message, 1000).unwrap());
        prop_assert_eq!(survey.obstacle(), None);
        let out = outflow(&message, &survey, Encoding::SevenBit, 1000);
        let end = b"\r\n\r\n";
        let body_of = |text: &[u8]| {
            let at = text.windows(4).position(|window| window == end).unwrap();
            text[at + 4..].to_vec()
        };
        let encoded = body_of(&out);
        prop_assert!(encoded.split(|octet| *octet == b'\n').all(|line| line.len() <= 77));
        let decoded = if kind == "text/plain" {
            decode_quoted_printable(&encoded)
        } else {
            decode_base64(&encoded)
        };
        prop_assert_eq!(decoded, body_of(&plain));
    }
}

#[test]
fn a_changed_message_is_noticed() {
    use elsinore_smtp::message::Outflow;
    let survey = Arc::new(survey(b"a: b\n\nbody\n", 100).unwrap());
    let mut out = Vec::new();
    let mut longer = Outflow::new(Arc::clone(&survey), Encoding::AsIs);
    assert_eq!(
        longer.push(b"a: b\n\nbody and more\n", &mut out),
        Err(MessageError::Changed)
    );
    let mut shorter = Outflow::new(Arc::clone(&survey), Encoding::AsIs);
    shorter.push(b"a: b\n", &mut out).unwrap();
    assert_eq!(shorter.finish(&mut out), Err(MessageError::Changed));
    assert_eq!(completion().token.len(), 16);
}
