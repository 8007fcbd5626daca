//! Mailboxes and paths of the envelope (RFC 5321 §4.1.2, §4.1.3, §4.5.3.1; RFC 6531 §3.3).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Octets of a local part (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL: usize = 64;
/// Octets of a domain (RFC 5321 §4.5.3.1.2).
const MAX_DOMAIN: usize = 255;
/// Octets of a mailbox: the path of RFC 5321 §4.5.3.1.3 without its angle brackets.
const MAX_MAILBOX: usize = 254;

/// An address of the envelope, `local@domain`.
///
/// Two mailboxes are equal when their local parts are octet for octet the same after unquoting
/// and their domains are the same (RFC 5321 §2.4). The local part's case counts.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mailbox {
    local: String,
    domain: MailDomain,
}

/// What stands right of the `@`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MailDomain {
    /// A domain name: lower case, A-labels, no trailing dot.
    Name(String),
    /// An address literal, `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    Literal(IpAddr),
}

/// The sender of the envelope: where notifications go, or nowhere (RFC 5321 §4.5.5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: a notification, to which none may be sent in return.
    Null,
    /// An ordinary sender.
    Mailbox(Mailbox),
}

/// Why a text is not an address that can be sent to or from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing at all.
    #[error("the address is empty")]
    Empty,
    /// No `@` outside quotes.
    #[error("the address has no domain: there is no @")]
    NoDomain,
    /// Nothing right of the `@`.
    #[error("the address has no domain: there is nothing after the @")]
    EmptyDomain,
    /// In angle brackets, or with a name of its owner.
    #[error("write the address alone, such as bob@example.org, without <> or a name")]
    AngleBrackets,
    /// Nothing left of the `@`.
    #[error("the address has nothing before the @")]
    NoLocalPart,
    /// More than 64 octets before the `@` (RFC 5321 §4.5.3.1.1).
    #[error("the part before the @ has {octets} octets, more than the 64 that SMTP allows")]
    LocalPartTooLong {
        /// Its length in octets.
        octets: usize,
    },
    /// More than 255 octets after the `@` (RFC 5321 §4.5.3.1.2).
    #[error("the domain has {octets} octets, more than the 255 that SMTP allows")]
    DomainTooLong {
        /// Its length in octets, as A-labels.
        octets: usize,
    },
    /// More than 254 octets in all (RFC 5321 §4.5.3.1.3).
    #[error("the address has {octets} octets, more than the 254 that SMTP allows")]
    TooLong {
        /// Its length in octets.
        octets: usize,
    },
    /// A character that may not stand in a local part unless quoted, or not at all.
    #[error("character {character:?} is not allowed before the @ without quotes")]
    LocalPartCharacter {
        /// The character.
        character: char,
    },
    /// A control character, anywhere: it could end the command line.
    #[error("control character {character:?} in the address")]
    ControlCharacter {
        /// The character.
        character: char,
    },
    /// A dot first, last or beside another dot, outside quotes.
    #[error("misplaced dot before the @")]
    MisplacedDot,
    /// A quote that does not close, or text beside a quoted string.
    #[error("malformed quoting before the @")]
    Quoting,
    /// The domain breaks the syntax of host names or IDNA.
    #[error("\"{domain}\" is not a domain name: {reason}")]
    Domain {
        /// The domain as given, escaped.
        domain: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Brackets that hold no IPv4 address and no `IPv6:` address.
    #[error("\"{literal}\" is not an address literal; write [192.0.2.1] or [IPv6:2001:db8::1]")]
    Literal {
        /// The literal as given, escaped.
        literal: String,
    },
}

impl Mailbox {
    /// Parses `local@domain`, without angle brackets. Quoted local parts, address literals,
    /// UTF-8 local parts (RFC 6531) and internationalised domains are understood; source routes
    /// are not (RFC 5321 §3.6.1 deprecates them).
    ///
    /// # Errors
    /// [`AddressError`] names the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if let Some(character) = text.chars().find(|character| character.is_control()) {
            return Err(AddressError::ControlCharacter { character });
        }
        // No domain ends so: this is how header fields write addresses.
        if text.ends_with('>') && text.contains('<') {
            return Err(AddressError::AngleBrackets);
        }
        let (local, domain) = split(text)?;
        if local.is_empty() {
            return Err(AddressError::NoLocalPart);
        }
        let wire = local_wire(&local).len();
        if wire > MAX_LOCAL {
            return Err(AddressError::LocalPartTooLong { octets: wire });
        }
        let domain = MailDomain::parse(domain)?;
        let mailbox = Self { local, domain };
        let octets = mailbox.to_string().len();
        if octets > MAX_MAILBOX {
            return Err(AddressError::TooLong { octets });
        }
        Ok(mailbox)
    }

    /// The postmaster of the host called `name` (RFC 5321 §4.5.1).
    #[must_use]
    pub fn postmaster_of(name: &crate::command::GreetingName) -> Self {
        Self {
            local: "postmaster".to_owned(),
            domain: name.domain().clone(),
        }
    }

    /// The local part without quotes.
    #[must_use]
    pub fn local_part(&self) -> &str {
        &self.local
    }

    /// What stands right of the `@`.
    #[must_use]
    pub const fn domain(&self) -> &MailDomain {
        &self.domain
    }

    /// Whether the address can travel only under SMTPUTF8 (RFC 6531 §3.3): its local part holds
    /// something else than ASCII. The domain never needs it, having become A-labels.
    #[must_use]
    pub fn needs_smtp_utf8(&self) -> bool {
        !self.local.is_ascii()
    }
}

/// The unquoted local part and the text of the domain.
fn split(text: &str) -> Result<(String, &str), AddressError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (local, domain) = text.rsplit_once('@').ok_or(AddressError::NoDomain)?;
        check_dot_string(local)?;
        return Ok((local.to_owned(), domain));
    };
    let mut local = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let rest = quoted.get(at + 1..).unwrap_or_default();
                let domain = match rest.strip_prefix('@') {
                    Some(domain) => domain,
                    None if rest.is_empty() => return Err(AddressError::NoDomain),
                    None => return Err(AddressError::Quoting),
                };
                return Ok((local, domain));
            }
            '\\' => match characters.next() {
                // quoted-pairSMTP is a backslash and a printable ASCII character or a space.
                Some((_, next)) if next.is_ascii() => local.push(next),
                _ => return Err(AddressError::Quoting),
            },
            other => local.push(other),
        }
    }
    Err(AddressError::Quoting)
}

/// `Dot-string` of RFC 5321 §4.1.2, with the atext of RFC 6531 §3.3.
fn check_dot_string(local: &str) -> Result<(), AddressError> {
    if local.is_empty() {
        return Err(AddressError::NoLocalPart);
    }
    if let Some(character) = local
        .chars()
        .find(|character| *character != '.' && !is_atext(*character))
    {
        return Err(match character {
            '"' | '\\' => AddressError::Quoting,
            character => AddressError::LocalPartCharacter { character },
        });
    }
    if local.split('.').any(str::is_empty) {
        return Err(AddressError::MisplacedDot);
    }
    Ok(())
}

const fn is_atext(character: char) -> bool {
    !character.is_ascii()
        || matches!(
            character,
            'a'..='z' | 'A'..='Z' | '0'..='9' | '!' | '#' | '$' | '%' | '&' | '\'' | '*' | '+'
                | '-' | '/' | '=' | '?' | '^' | '_' | '`' | '{' | '|' | '}' | '~'
        )
}

/// The form that uses the least quoting (RFC 5321 §4.1.2 asks for it).
fn local_wire(local: &str) -> String {
    if check_dot_string(local).is_ok() {
        return local.to_owned();
    }
    let mut quoted = String::with_capacity(local.len() + 2);
    quoted.push('"');
    for character in local.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

impl MailDomain {
    /// Parses a domain name or an address literal in brackets.
    ///
    /// # Errors
    /// [`AddressError::Domain`], [`AddressError::DomainTooLong`] or [`AddressError::Literal`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if let Some(literal) = text.strip_prefix('[') {
            return parse_literal(literal).map(Self::Literal).ok_or_else(|| {
                AddressError::Literal {
                    literal: shown(text),
                }
            });
        }
        let wrong = |reason| AddressError::Domain {
            domain: shown(text),
            reason,
        };
        let name = if text.is_ascii() {
            text.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii_strict(text).map_err(|_| wrong("IDNA does not allow it"))?
        };
        if name.is_empty() {
            return Err(AddressError::EmptyDomain);
        }
        if name.len() > MAX_DOMAIN {
            return Err(AddressError::DomainTooLong { octets: name.len() });
        }
        if name.ends_with('.') {
            return Err(wrong("it ends in a dot"));
        }
        for label in name.split('.') {
            if label.is_empty() {
                return Err(wrong("there is nothing between two dots"));
            }
            if label.len() > 63 {
                return Err(wrong("a label is longer than 63 octets"));
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err(wrong("a label begins or ends with a hyphen"));
            }
            if !label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            {
                return Err(wrong(
                    "only letters, digits, hyphens and dots may stand in it",
                ));
            }
        }
        Ok(Self::Name(name))
    }
}

/// What stands between the brackets, the closing one included (RFC 5321 §4.1.3).
fn parse_literal(text: &str) -> Option<IpAddr> {
    let inner = text.strip_suffix(']')?;
    match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => {
            let address: Ipv6Addr = inner.get(5..)?.parse().ok()?;
            Some(IpAddr::V6(address))
        }
        _ => {
            let address: Ipv4Addr = inner.parse().ok()?;
            Some(IpAddr::V4(address))
        }
    }
}

fn shown(text: &str) -> String {
    crate::text::excerpt(text.as_bytes(), 80)
}

impl ReversePath {
    /// Parses a mailbox; the empty text and `<>` are the null path.
    ///
    /// # Errors
    /// As [`Mailbox::parse`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match text {
            "" | "<>" => Ok(Self::Null),
            text => Mailbox::parse(text).map(Self::Mailbox),
        }
    }

    /// Whether the path can travel only under SMTPUTF8.
    #[must_use]
    pub fn needs_smtp_utf8(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Mailbox(mailbox) => mailbox.needs_smtp_utf8(),
        }
    }
}

impl fmt::Display for Mailbox {
    /// The form that goes into a command, without angle brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", local_wire(&self.local), self.domain)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for MailDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Literal(IpAddr::V4(address)) => write!(f, "[{address}]"),
            Self::Literal(IpAddr::V6(address)) => write!(f, "[IPv6:{address}]"),
        }
    }
}

impl fmt::Display for ReversePath {
    /// The mailbox, or nothing for the null path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Mailbox(mailbox) => mailbox.fmt(f),
        }
    }
}

impl FromStr for Mailbox {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl FromStr for ReversePath {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted() {
        let longest = format!("{}@example.org", "l".repeat(64));
        for (text, wire, utf8) in [
            ("anna@Example.ORG", "anna@example.org", false),
            ("Anna.B+c@example.org", "Anna.B+c@example.org", false),
            ("\"anna\"@example.org", "anna@example.org", false),
            ("\"a b\"@example.org", "\"a b\"@example.org", false),
            ("\"a@b\"@example.org", "\"a@b\"@example.org", false),
            (
                "\"a\\\"b\\\\\"@example.org",
                "\"a\\\"b\\\\\"@example.org",
                false,
            ),
            ("\"a..b\"@example.org", "\"a..b\"@example.org", false),
            ("j\u{f6}rg@example.org", "j\u{f6}rg@example.org", true),
            ("a@b\u{fc}cher.example", "a@xn--bcher-kva.example", false),
            ("a@[192.0.2.1]", "a@[192.0.2.1]", false),
            ("a@[ipv6:2001:DB8::1]", "a@[IPv6:2001:db8::1]", false),
            ("a@localhost", "a@localhost", false),
            (longest.as_str(), longest.as_str(), false),
        ] {
            let mailbox = Mailbox::parse(text).unwrap();
            assert_eq!(mailbox.to_string(), wire);
            assert_eq!(mailbox.needs_smtp_utf8(), utf8, "{text}");
            assert_eq!(Mailbox::parse(wire).unwrap(), mailbox);
        }
        assert_eq!(ReversePath::parse("<>"), Ok(ReversePath::Null));
        assert_eq!(ReversePath::parse("").unwrap().to_string(), "");
    }

    #[test]
    fn refused() {
        let long_local = format!("{}@example.org", "l".repeat(65));
        let domain = vec!["d".repeat(60); 4].join(".");
        let long_path = format!("{}@{domain}", "l".repeat(30));
        let long_domain = format!("a@{domain}.{}", "e".repeat(60));
        let check = |text: &str, expected: &str| {
            assert_eq!(Mailbox::parse(text).unwrap_err().to_string(), expected);
        };
        check("", "the address is empty");
        check("anna", "the address has no domain: there is no @");
        check(
            "anna@",
            "the address has no domain: there is nothing after the @",
        );
        check("\"anna\"", "the address has no domain: there is no @");
        check("@example.org", "the address has nothing before the @");
        check("\"\"@example.org", "the address has nothing before the @");
        check(
            "a b@example.org",
            "character ' ' is not allowed before the @ without quotes",
        );
        check(
            "a@b@example.org",
            "character '@' is not allowed before the @ without quotes",
        );
        check(
            "<a@example.org>",
            "write the address alone, such as bob@example.org, without <> or a name",
        );
        check(".a@example.org", "misplaced dot before the @");
        check("a..b@example.org", "misplaced dot before the @");
        check("\"a@example.org", "malformed quoting before the @");
        check("\"a\"b@example.org", "malformed quoting before the @");
        check("a\"b@example.org", "malformed quoting before the @");
        check(
            "a@example.org\r\nDATA",
            "control character '\\r' in the address",
        );
        check(
            "\"a\n\"@example.org",
            "control character '\\n' in the address",
        );
        check(
            "\"a\0\"@example.org",
            "control character '\\0' in the address",
        );
        check(
            &long_local,
            "the part before the @ has 65 octets, more than the 64 that SMTP allows",
        );
        check(
            &long_path,
            "the address has 274 octets, more than the 254 that SMTP allows",
        );
        check(
            &long_domain,
            "the domain has 304 octets, more than the 255 that SMTP allows",
        );
        check(
            "a@b..c",
            "\"b..c\" is not a domain name: there is nothing between two dots",
        );
        check("a@b.", "\"b.\" is not a domain name: it ends in a dot");
        check(
            "a@b_c.example",
            "\"b_c.example\" is not a domain name: only letters, digits, hyphens and dots may stand in it",
        );
        check(
            "a@-b.example",
            "\"-b.example\" is not a domain name: a label begins or ends with a hyphen",
        );
        check(
            "a@192.0.2.1]",
            "\"192.0.2.1]\" is not a domain name: only letters, digits, hyphens and dots may stand in it",
        );
        for literal in [
            "[192.0.2.1",
            "[2001:db8::1]",
            "[IPv6:192.0.2.1]",
            "[x]",
            "[]",
        ] {
            let error = Mailbox::parse(&format!("a@{literal}")).unwrap_err();
            assert!(matches!(error, AddressError::Literal { .. }), "{literal}");
        }
    }
}
