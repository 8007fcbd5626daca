//! Paths and parameters of MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3, §4.1.2), kept in the form they
//! have on the wire once they have been looked at.

use super::answer::Refusal;
use super::{Recipient, Sender};
use crate::address::{AddressError, Mailbox, ReversePath};
use crate::command::Body;

/// Which parameters may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// HELO: none.
    Plain,
    /// EHLO outside TLS.
    Extended,
    /// EHLO inside TLS: REQUIRETLS too.
    ExtendedInsideTls,
}

/// Octets of ENVID (RFC 3461 §4.4).
const MAX_ENVELOPE_ID: usize = 100;
/// Octets of ORCPT (RFC 3461 §4.2).
const MAX_ORIGINAL: usize = 500;

fn syntax(text: &'static str) -> Refusal {
    Refusal::permanent(501, (5, 4), text)
}

/// What stands behind `MAIL`.
pub(super) fn mail(rest: &str, dialect: Dialect) -> Result<Sender, Refusal> {
    let rest = keyword(rest, "FROM:").ok_or_else(|| syntax("write MAIL FROM:<address>"))?;
    let (path, parameters) = path(rest).ok_or_else(|| syntax("write MAIL FROM:<address>"))?;
    let mut sender = Sender {
        reverse_path: ReversePath::Null,
        size: None,
        body: Body::SevenBit,
        smtp_utf8: false,
        require_tls: false,
        ret: None,
        envelope_id: None,
    };
    let mut seen = Vec::new();
    for word in words(parameters) {
        let (name, value) = parameter(word, dialect, &mut seen)?;
        match (name.as_str(), value) {
            ("SIZE", Some(digits)) => sender.size = Some(size(digits)?),
            ("BODY", Some(value)) if value.eq_ignore_ascii_case("7BIT") => {
                sender.body = Body::SevenBit;
            }
            ("BODY", Some(value)) if value.eq_ignore_ascii_case("8BITMIME") => {
                sender.body = Body::EightBitMime;
            }
            ("SMTPUTF8", None) => sender.smtp_utf8 = true,
            ("REQUIRETLS", None) if dialect == Dialect::ExtendedInsideTls => {
                sender.require_tls = true;
            }
            ("REQUIRETLS", None) => {
                return Err(Refusal::permanent(
                    530,
                    (7, 10),
                    "REQUIRETLS needs TLS: STARTTLS first",
                ));
            }
            ("RET", Some(value)) => {
                let value = value.to_ascii_uppercase();
                if !matches!(value.as_str(), "FULL" | "HDRS") {
                    return Err(syntax("RET is FULL or HDRS"));
                }
                sender.ret = Some(value);
            }
            ("ENVID", Some(value)) => {
                if !is_xtext(value) || value.len() > MAX_ENVELOPE_ID {
                    return Err(syntax("ENVID is xtext of at most 100 characters"));
                }
                sender.envelope_id = Some(value.to_owned());
            }
            ("SIZE" | "BODY" | "SMTPUTF8" | "RET" | "ENVID", _) => {
                return Err(Refusal::permanent(
                    501,
                    (5, 4),
                    format!("{name}: no such value"),
                ));
            }
            _ => return Err(unknown(&name)),
        }
    }
    if !path.is_empty() {
        let mailbox = mailbox(path, sender.smtp_utf8, (1, 7))?;
        sender.reverse_path = ReversePath::Mailbox(mailbox);
    }
    Ok(sender)
}

/// What stands behind `RCPT`. `smtp_utf8` was said at MAIL; `postmaster` is who is meant by that name
/// alone.
pub(super) fn rcpt(
    rest: &str,
    dialect: Dialect,
    smtp_utf8: bool,
    postmaster: &Mailbox,
) -> Result<Recipient, Refusal> {
    let rest = keyword(rest, "TO:").ok_or_else(|| syntax("write RCPT TO:<address>"))?;
    let (path, parameters) = path(rest).ok_or_else(|| syntax("write RCPT TO:<address>"))?;
    let (mut notify, mut original) = (None, None);
    let mut seen = Vec::new();
    for word in words(parameters) {
        let (name, value) = parameter(word, dialect, &mut seen)?;
        match (name.as_str(), value) {
            ("NOTIFY", Some(value)) => notify = Some(notifications(value)?),
            ("ORCPT", Some(value)) => {
                if !is_original(value, smtp_utf8) || value.len() > MAX_ORIGINAL {
                    return Err(syntax("ORCPT is an address type, a semicolon and xtext"));
                }
                original = Some(value.to_owned());
            }
            ("NOTIFY" | "ORCPT", None) => {
                return Err(Refusal::permanent(
                    501,
                    (5, 4),
                    format!("{name}: no such value"),
                ));
            }
            _ => return Err(unknown(&name)),
        }
    }
    // RFC 5321 §4.5.1: the one name that needs no domain.
    let mailbox = if path.eq_ignore_ascii_case("postmaster") {
        postmaster.clone()
    } else {
        mailbox(path, smtp_utf8, (1, 3))?
    };
    Ok(Recipient {
        mailbox,
        notify,
        original,
    })
}

/// The rest behind `keyword`, in any case.
fn keyword<'a>(rest: &'a str, keyword: &str) -> Option<&'a str> {
    let (start, rest) = rest.split_at_checked(keyword.len())?;
    start.eq_ignore_ascii_case(keyword).then_some(rest)
}

/// The path without angle brackets and source route, and the parameters behind it.
fn path(rest: &str) -> Option<(&str, &str)> {
    // White space behind the colon is wrong, and what many send.
    let inner = rest.trim_start_matches(' ').strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    let end = inner.bytes().position(|octet| {
        let closes = octet == b'>' && !quoted;
        if !escaped && octet == b'"' {
            quoted = !quoted;
        }
        escaped = quoted && !escaped && octet == b'\\';
        closes
    })?;
    let (path, rest) = (inner.get(..end)?, inner.get(end + 1..)?);
    if !rest.is_empty() && !rest.starts_with(' ') {
        return None;
    }
    Some((without_route(path), rest))
}

/// RFC 5321 §4.1.1.3, appendix C: source routes are accepted and not followed.
fn without_route(path: &str) -> &str {
    if !path.starts_with('@') {
        return path;
    }
    let mut literal = false;
    let colon = path.bytes().position(|octet| {
        match octet {
            b'[' => literal = true,
            b']' => literal = false,
            _ => {}
        }
        octet == b':' && !literal
    });
    colon
        .and_then(|colon| path.get(colon + 1..))
        .unwrap_or(path)
}

fn mailbox(path: &str, smtp_utf8: bool, detail: (u16, u16)) -> Result<Mailbox, Refusal> {
    if !path.is_ascii() && !smtp_utf8 {
        // RFC 6531 §3.5 and its table of codes.
        return Err(Refusal::permanent(
            553,
            (6, 7),
            "an address beyond ASCII needs SMTPUTF8",
        ));
    }
    Mailbox::parse(path).map_err(|error| {
        let detail = match error {
            // No domain: there is nobody here for whom mail could be.
            AddressError::NoDomain if detail == (1, 3) => (1, 2),
            _ => detail,
        };
        Refusal::permanent(553, detail, error.to_string())
    })
}

fn words(parameters: &str) -> impl Iterator<Item = &str> {
    parameters.split(' ').filter(|word| !word.is_empty())
}

/// One parameter, its name in upper case.
fn parameter<'a>(
    word: &'a str,
    dialect: Dialect,
    seen: &mut Vec<String>,
) -> Result<(String, Option<&'a str>), Refusal> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let name = name.to_ascii_uppercase();
    if dialect == Dialect::Plain {
        return Err(Refusal::permanent(555, (5, 4), "parameters need EHLO"));
    }
    if seen.contains(&name) {
        return Err(Refusal::permanent(
            501,
            (5, 4),
            format!("{name} is there twice"),
        ));
    }
    seen.push(name.clone());
    Ok((name, value))
}

fn unknown(name: &str) -> Refusal {
    let name: String = name.chars().take(40).collect();
    Refusal::permanent(555, (5, 4), format!("parameter {name} is not known here"))
}

/// RFC 1870 §6.1: up to 20 digits, which may be more than a number here can hold.
fn size(digits: &str) -> Result<u64, Refusal> {
    if digits.is_empty() || digits.len() > 20 || !digits.bytes().all(|octet| octet.is_ascii_digit())
    {
        return Err(syntax("SIZE is a number of octets"));
    }
    Ok(digits.parse().unwrap_or(u64::MAX))
}

/// RFC 3461 §4.1.
fn notifications(value: &str) -> Result<String, Refusal> {
    let value = value.to_ascii_uppercase();
    let mut seen = Vec::new();
    for word in value.split(',') {
        let known = matches!(word, "SUCCESS" | "FAILURE" | "DELAY")
            || (word == "NEVER" && value == "NEVER");
        if !known || seen.contains(&word) {
            return Err(syntax("NOTIFY is NEVER, or any of SUCCESS,FAILURE,DELAY"));
        }
        seen.push(word);
    }
    Ok(value)
}

/// RFC 3461 §4: printable ASCII but for `+` and `=`, others as `+` and two upper-case digits.
fn is_xtext(text: &str) -> bool {
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        let fine = match octet {
            b'+' => {
                let digit = |octet| matches!(octet, Some(b'0'..=b'9' | b'A'..=b'F'));
                digit(octets.next()) && digit(octets.next())
            }
            b'=' => false,
            octet => octet.is_ascii_graphic(),
        };
        if !fine {
            return false;
        }
    }
    !text.is_empty()
}

/// `addr-type ";" xtext`; for the type utf-8 the forms of RFC 6533 §3, of which the unencoded one
/// travels under SMTPUTF8 alone.
fn is_original(text: &str, smtp_utf8: bool) -> bool {
    let Some((kind, address)) = text.split_once(';') else {
        return false;
    };
    let is_atom = !kind.is_empty()
        && kind
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    if kind.eq_ignore_ascii_case("utf-8") {
        let printable = address
            .chars()
            .all(|character| !character.is_control() && character != ' ');
        return printable && !address.is_empty() && (smtp_utf8 || address.is_ascii());
    }
    is_atom && is_xtext(address)
}
