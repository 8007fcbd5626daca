//! Greetings, and what a row of knocks amounts to.

use super::*;

#[test]
fn greetings() {
    for (octets, expected) in [
        (&b"220 mx.example ESMTP\r\n"[..], "Greeted(220"),
        (b"220-mx.example\r\n220 ESMTP\r\n", "Greeted(220"),
        (b"220", "Greeted(220"),
        (b"554 5.7.1 go away\r\n", "Greeted(554"),
        (b"HTTP/1.1 400 Bad Request\r\n", "Strange"),
        (b"2200 what\r\n", "Strange"),
        (b"\x00\xff\x1b[2J", "Strange"),
        (b"999 x\r\n", "Strange"),
        (b"", "Mute"),
    ] {
        let knock = format!("{:?}", greeting_of(octets));
        assert!(knock.starts_with(expected), "{octets:?}: {knock}");
        assert!(!knock.contains('\u{1b}'), "{knock}");
    }
}

#[test]
fn lines() {
    use Verdict::{Fail, Ok, Unknown, Warn};
    let greeted = |code| Knock::Greeted(code, format!("{code} x"));
    let none = || Knock::NoAddress("x has no AAAA record".to_owned());
    let no_route = || Knock::Obstacle(Obstacle::NoRoute);
    for (knocks, verdict, finding) in [
        (vec![greeted(220)], Ok, "open"),
        (vec![Knock::Silent, no_route(), greeted(220)], Ok, "open"),
        (vec![greeted(554), none()], Warn, "unwelcome"),
        (vec![Knock::Strange("HTTP".to_owned())], Fail, "intercepted"),
        (vec![Knock::Mute, Knock::Silent], Fail, "mute"),
        (
            vec![Knock::Silent, none(), Knock::Silent],
            Fail,
            "no-answer",
        ),
        (
            vec![Knock::Obstacle(Obstacle::Refused), no_route()],
            Fail,
            "blocked",
        ),
        (
            vec![Knock::Obstacle(Obstacle::Forbidden), Knock::Silent],
            Fail,
            "blocked",
        ),
        (vec![none(), none()], Unknown, "not-tried"),
        (vec![no_route()], Unknown, "not-tried"),
        (vec![], Unknown, "not-tried"),
    ] {
        let tried: Vec<Tried> = (knocks.into_iter())
            .map(|knock| Tried {
                server: "mx.example[192.0.2.1]".to_owned(),
                knock,
            })
            .collect();
        let check = judge(&tried);
        assert_eq!(
            (check.verdict, check.finding),
            (verdict, finding),
            "{tried:?}"
        );
    }
}
