//! Who may ask what: the Host field, the token, and nothing that a browser sends by itself.
//!
//! A page that somebody looks at on the relay's machine can make the browser ask us. It cannot read
//! the answer, unless its own name was made to point here (DNS rebinding); then the name stands in the
//! Host field. It cannot send the token. And whatever it sends to change something has an Origin field
//! (RFC 6454 §7), or is of a type that it may not send without asking first.

use axum::http::{HeaderMap, StatusCode, header};
use elsinore_dane::name::DomainName;
use elsinore_net::host_field;
use std::fmt;

/// The fewest characters of a token.
const SHORTEST_TOKEN: usize = 16;
/// The most.
const LONGEST_TOKEN: usize = 512;

/// A secret that opens the queue over TCP.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Vec<u8>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

impl Token {
    /// The token in the text of a file: what is left without white space around it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let token = text.trim();
        if token.len() < SHORTEST_TOKEN {
            return Err("a token has 16 characters at least");
        }
        if token.len() > LONGEST_TOKEN {
            return Err("a token has 512 characters at most");
        }
        if !token.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err("a token is letters, digits and signs of ASCII, without spaces");
        }
        Ok(Self(token.as_bytes().to_vec()))
    }

    /// Whether `given` is this token. How long that takes says nothing about where they differ.
    #[must_use]
    pub fn is(&self, given: &[u8]) -> bool {
        if given.len() != self.0.len() {
            return false;
        }
        let differing = (self.0.iter().zip(given)).fold(0, |all, (own, other)| all | (own ^ other));
        std::hint::black_box(differing) == 0
    }
}

/// By which way a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The unix socket that only its owner may open.
    Owner,
    /// TCP.
    Tcp,
}

/// Whom requests over TCP may call us, and the token.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Names beside addresses and `localhost`.
    pub hosts: Vec<DomainName>,
    /// The token; without it the queue is not to be had over TCP.
    pub token: Option<Token>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub StatusCode, pub &'static str);

impl Guard {
    /// Whether a request may be answered at all.
    ///
    /// # Errors
    /// Why not.
    pub fn let_in(&self, door: Door, headers: &HeaderMap) -> Result<(), Refused> {
        match door {
            Door::Owner => Ok(()),
            Door::Tcp if host_field::is_own(headers, &self.hosts) => Ok(()),
            Door::Tcp => Err(Refused(
                StatusCode::MISDIRECTED_REQUEST,
                "the Host field is none of this server's names ([relay.admin] hosts)",
            )),
        }
    }

    /// Whether a request may see or change the queue.
    ///
    /// # Errors
    /// Why not.
    pub fn let_to_queue(&self, door: Door, headers: &HeaderMap) -> Result<(), Refused> {
        if headers.contains_key(header::ORIGIN) {
            return Err(Refused(
                StatusCode::FORBIDDEN,
                "the queue is not for pages of browsers",
            ));
        }
        if door == Door::Owner {
            return Ok(());
        }
        let Some(token) = &self.token else {
            return Err(Refused(
                StatusCode::FORBIDDEN,
                "no token is configured ([relay.admin] token_file)",
            ));
        };
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(given), None) = (given.next(), given.next()) else {
            return Err(Refused(
                StatusCode::UNAUTHORIZED,
                "a bearer token is wanted",
            ));
        };
        let given = given.as_bytes();
        let secret = match given.split_at_checked(7) {
            Some((scheme, secret)) if scheme.eq_ignore_ascii_case(b"bearer ") => secret,
            Some(_) | None => {
                return Err(Refused(
                    StatusCode::UNAUTHORIZED,
                    "a bearer token is wanted",
                ));
            }
        };
        if token.is(secret.trim_ascii()) {
            Ok(())
        } else {
            Err(Refused(StatusCode::UNAUTHORIZED, "this is not the token"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().expect("a field"));
        }
        headers
    }

    fn guard() -> Guard {
        Guard {
            hosts: vec![DomainName::parse("relay.example.org").expect("a name")],
            token: Some(Token::parse("0123456789abcdef\n").expect("a token")),
        }
    }

    #[test]
    fn only_own_names_are_answered_over_tcp() {
        for (host, expected) in [
            ("127.0.0.1:2580", true),
            ("localhost", true),
            ("Relay.Example.Org:2580", true),
            ("evil.example:2580", false),
        ] {
            let headers = headers(&[("host", host)]);
            assert_eq!(
                guard().let_in(Door::Tcp, &headers).is_ok(),
                expected,
                "{host:?}"
            );
            assert!(guard().let_in(Door::Owner, &headers).is_ok());
        }
        assert!(guard().let_in(Door::Tcp, &headers(&[])).is_err());
        let two = headers(&[("host", "localhost"), ("host", "localhost")]);
        assert!(guard().let_in(Door::Tcp, &two).is_err());
    }

    #[test]
    fn the_queue_wants_the_token_over_tcp_and_no_browser_at_all() {
        const GOOD: (&str, &str) = ("authorization", "Bearer 0123456789abcdef");
        for (fields, tcp, owner) in [
            (&[GOOD][..], 200, 200),
            (&[("authorization", "bearer 0123456789abcdef")], 200, 200),
            (&[], 401, 200),
            (&[("authorization", "Bearer 0123456789abcdeg")], 401, 200),
            (&[("authorization", "Bearer 0123456789abcde")], 401, 200),
            (&[("authorization", "Basic 0123456789abcdef")], 401, 200),
            (&[("authorization", "Bear")], 401, 200),
            (&[GOOD, GOOD], 401, 200),
            (&[GOOD, ("origin", "http://localhost:2580")], 403, 403),
            (&[GOOD, ("origin", "null")], 403, 403),
        ] {
            let headers = headers(fields);
            let code = |door| match guard().let_to_queue(door, &headers) {
                Ok(()) => 200,
                Err(Refused(code, _)) => code.as_u16(),
            };
            assert_eq!(
                (code(Door::Tcp), code(Door::Owner)),
                (tcp, owner),
                "{fields:?}"
            );
        }
        let without = Guard::default().let_to_queue(Door::Tcp, &headers(&[GOOD]));
        assert_eq!(without.map_err(|Refused(code, _)| code.as_u16()), Err(403));
    }

    #[test]
    fn a_token_is_long_and_one_word() {
        for (text, good) in [
            ("0123456789abcdef", true),
            ("  0123456789abcdef\r\n", true),
            ("0123456789abcde", false),
            ("", false),
            ("01234567 89abcdef", false),
            ("0123456789abcdeé", false),
        ] {
            assert_eq!(Token::parse(text).is_ok(), good, "{text:?}");
        }
        assert!(Token::parse(&"a".repeat(513)).is_err());
    }
}
