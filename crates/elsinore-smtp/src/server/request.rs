//! Command lines of a client (RFC 5321 §4.1.1), read without believing anything.

use super::answer::Refusal;
use crate::command::Chunk;

/// A command. Parameters of MAIL and RCPT are looked at when it is their turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request<'a> {
    Ehlo(&'a str),
    Helo(&'a str),
    StartTls,
    Mail(&'a str),
    Rcpt(&'a str),
    Data,
    Bdat(u64, Chunk),
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
    /// EXPN, TURN and other commands that are known and not done here.
    NotHere,
}

/// Why a line is no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadRequest {
    /// It is refused, and the next line is read.
    Refused(Refusal),
    /// It is refused, and nobody can tell what the octets behind it are.
    Lost(Refusal),
}

impl From<Refusal> for BadRequest {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Reads a line without its CRLF.
pub(super) fn parse(line: &[u8]) -> Result<Request<'_>, BadRequest> {
    let Ok(text) = std::str::from_utf8(line) else {
        return Err(unreadable("command lines are ASCII, or UTF-8").into());
    };
    if text
        .chars()
        .any(|character| character.is_control() && character != '\t')
    {
        return Err(unreadable("control characters in a command line").into());
    }
    // RFC 5321 §4.1.1: white space before the line end is tolerated.
    let text = text.trim_end_matches([' ', '\t']);
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let alone = |request| {
        if rest.trim_matches(' ').is_empty() {
            Ok(request)
        } else {
            Err(syntax("nothing may stand behind this command").into())
        }
    };
    let verb = verb.to_ascii_uppercase();
    match verb.as_str() {
        "EHLO" => Ok(Request::Ehlo(name(rest)?)),
        "HELO" => Ok(Request::Helo(name(rest)?)),
        "STARTTLS" => alone(Request::StartTls),
        "MAIL" => Ok(Request::Mail(rest.trim_start_matches(' '))),
        "RCPT" => Ok(Request::Rcpt(rest.trim_start_matches(' '))),
        "DATA" => alone(Request::Data),
        "BDAT" => chunk(rest),
        "RSET" => alone(Request::Rset),
        "NOOP" => Ok(Request::Noop),
        "VRFY" => Ok(Request::Vrfy),
        "HELP" => Ok(Request::Help),
        "QUIT" => alone(Request::Quit),
        "EXPN" | "SEND" | "SOML" | "SAML" | "TURN" | "ETRN" | "AUTH" => Ok(Request::NotHere),
        _ => Err(Refusal::permanent(500, (5, 1), "no such command").into()),
    }
}

fn unreadable(text: &'static str) -> Refusal {
    Refusal::permanent(500, (5, 2), text)
}

fn syntax(text: &'static str) -> Refusal {
    Refusal::permanent(501, (5, 4), text)
}

/// The client's name, of which nothing is believed: one printable word.
fn name(rest: &str) -> Result<&str, Refusal> {
    let name = rest.trim_matches(' ');
    let fine =
        !name.is_empty() && name.len() <= 255 && name.bytes().all(|octet| octet.is_ascii_graphic());
    if fine {
        Ok(name)
    } else {
        Err(syntax("say your name: a domain or an address literal"))
    }
}

/// RFC 3030 §2. Without a size nobody knows where the next command begins.
fn chunk(rest: &str) -> Result<Request<'static>, BadRequest> {
    let lost = || BadRequest::Lost(syntax("write BDAT octets [LAST]"));
    let mut words = rest.split(' ').filter(|word| !word.is_empty());
    let digits = words.next().ok_or_else(lost)?;
    if digits.len() > 20 || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(lost());
    }
    let octets = digits.parse().map_err(|_| lost())?;
    let place = match (words.next(), words.next()) {
        (None, None) => Chunk::More,
        (Some(word), None) if word.eq_ignore_ascii_case("LAST") => Chunk::Last,
        _ => return Err(lost()),
    };
    Ok(Request::Bdat(octets, place))
}
