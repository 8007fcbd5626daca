//! The parameters by which a sender asks for notifications (RFC 3461 §4), read from the wire and
//! written to it. What a server was given passes through unchanged.

use crate::address::Mailbox;
use std::fmt::{self, Write as _};

/// Longest ENVID, encoded (RFC 3461 §4.4).
const ENVELOPE_ID: usize = 100;
/// Longest ORCPT (RFC 3461 §4.2).
const ORIGINAL: usize = 500;

/// The text is no value of the parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAParameter {
    /// Of RET.
    #[error("RET is FULL or HDRS")]
    Return,
    /// Of NOTIFY.
    #[error("NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY")]
    Notify,
    /// Of ORCPT.
    #[error("ORCPT is an address type, a semicolon and xtext, of at most 500 characters")]
    Original,
}

/// What a bounce shall contain (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Return {
    /// The whole message.
    Full,
    /// Its header only.
    Headers,
}

impl Return {
    /// Reads the value of RET, in any case.
    ///
    /// # Errors
    /// [`NotAParameter::Return`].
    pub const fn parse(text: &str) -> Result<Self, NotAParameter> {
        if text.eq_ignore_ascii_case("FULL") {
            Ok(Self::Full)
        } else if text.eq_ignore_ascii_case("HDRS") {
            Ok(Self::Headers)
        } else {
            Err(NotAParameter::Return)
        }
    }
}

/// When a notification shall be sent for a recipient (RFC 3461 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notify {
    /// Never.
    Never,
    /// On these events; at least one is set.
    On {
        /// On delivery.
        success: Asked,
        /// On failure.
        failure: Asked,
        /// On delay.
        delay: Asked,
    },
}

/// Whether one kind of notification is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl Notify {
    /// Reads the value of NOTIFY: NEVER alone, or the others separated by commas, in any case. A word
    /// said twice is said once.
    ///
    /// # Errors
    /// [`NotAParameter::Notify`].
    pub fn parse(text: &str) -> Result<Self, NotAParameter> {
        if text.eq_ignore_ascii_case("NEVER") {
            return Ok(Self::Never);
        }
        let (mut success, mut failure, mut delay) = (Asked::No, Asked::No, Asked::No);
        for word in text.split(',') {
            let asked = match word {
                _ if word.eq_ignore_ascii_case("SUCCESS") => &mut success,
                _ if word.eq_ignore_ascii_case("FAILURE") => &mut failure,
                _ if word.eq_ignore_ascii_case("DELAY") => &mut delay,
                _ => return Err(NotAParameter::Notify),
            };
            *asked = Asked::Yes;
        }
        Ok(Self::On {
            success,
            failure,
            delay,
        })
    }

    /// The value of NOTIFY. Asking for nothing at all is NEVER.
    #[must_use]
    pub fn value(self) -> String {
        let Self::On {
            success,
            failure,
            delay,
        } = self
        else {
            return "NEVER".to_owned();
        };
        let words: Vec<&str> = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")]
            .into_iter()
            .filter(|(asked, _)| *asked == Asked::Yes)
            .map(|(_, word)| word)
            .collect();
        if words.is_empty() {
            return "NEVER".to_owned();
        }
        words.join(",")
    }
}

/// An envelope identifier (RFC 3461 §4.4), kept encoded as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnvelopeId(String);

/// The text cannot be an envelope identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an envelope identifier has 1 to 100 printable ASCII characters or spaces (as xtext)")]
pub struct NotAnEnvelopeId;

impl EnvelopeId {
    /// Takes printable ASCII and encodes it; the encoded form may have 100 characters at most.
    ///
    /// # Errors
    /// [`NotAnEnvelopeId`].
    pub fn new(text: &str) -> Result<Self, NotAnEnvelopeId> {
        Self::from_xtext(&xtext(text))
    }

    /// Takes the value of ENVID as it came. Behind the encoding are printable ASCII characters and
    /// spaces only: it is shown in notifications.
    ///
    /// # Errors
    /// [`NotAnEnvelopeId`].
    pub fn from_xtext(text: &str) -> Result<Self, NotAnEnvelopeId> {
        let id = decoded(text).filter(|id| !id.is_empty() && text.len() <= ENVELOPE_ID);
        let is_shown = |id: &Vec<u8>| id.iter().all(|octet| matches!(octet, b' '..=b'~'));
        match id.filter(is_shown) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(NotAnEnvelopeId),
        }
    }
}

impl fmt::Display for EnvelopeId {
    /// The encoded form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The recipient as the message was first given (RFC 3461 §4.2): an address type and an address that
/// need not be one of ours, both as they came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OriginalRecipient(String);

impl OriginalRecipient {
    /// Takes the value of ORCPT as it came: `addr-type ";" xtext`, of at most 500 characters. The type
    /// `utf-8` may be followed by characters beyond ASCII (RFC 6533 §3).
    ///
    /// # Errors
    /// [`NotAParameter::Original`].
    pub fn parse(text: &str) -> Result<Self, NotAParameter> {
        let (kind, address) = text.split_once(';').ok_or(NotAParameter::Original)?;
        let is_atom = !kind.is_empty() && kind.bytes().all(is_atext);
        let is_utf8 = kind.eq_ignore_ascii_case("utf-8");
        // The forms of utf-8 write `+` as it is and know another escape, which is valid xtext.
        let is_address = if is_utf8 {
            !address.chars().any(|it| it.is_control() || it == ' ')
        } else {
            decoded(address).is_some()
        };
        if !is_atom || !is_address || address.is_empty() || text.len() > ORIGINAL {
            return Err(NotAParameter::Original);
        }
        Ok(Self(if is_utf8 {
            // No parameter holds one (RFC 5321 §4.1.2).
            text.replace('=', "\\x{3D}")
        } else {
            text.to_owned()
        }))
    }

    /// The value for a recipient that is given first here: its own address.
    #[must_use]
    pub fn of(mailbox: &Mailbox) -> Self {
        let address = mailbox.to_string();
        if address.is_ascii() {
            return Self(format!("rfc822;{}", xtext(&address)));
        }
        let mut text = "utf-8;".to_owned();
        for character in address.chars() {
            match character {
                '+' | '=' | '\\' | ' ' => escape(character, &mut text),
                other => text.push(other),
            }
        }
        Self(text)
    }

    /// The same for a transaction without SMTPUTF8, which holds ASCII only (RFC 6533 §3).
    #[must_use]
    pub fn in_ascii(&self) -> Self {
        let mut text = String::with_capacity(self.0.len());
        for character in self.0.chars() {
            if character.is_ascii() {
                text.push(character);
            } else {
                escape(character, &mut text);
            }
        }
        Self(text)
    }
}

impl fmt::Display for OriginalRecipient {
    /// The value of ORCPT.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `EmbeddedUnicodeChar` of RFC 6533 §3.
fn escape(character: char, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\x{{{:X}}}", u32::from(character));
}

/// What address types are made of: they are registered names.
const fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'/' | b'.')
}

/// `xtext` of RFC 3461 §4: printable ASCII but for `+` and `=`, the rest in hexadecimal.
fn xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'!'..=b'~' if !matches!(octet, b'+' | b'=') => out.push(char::from(octet)),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(out, "+{octet:02X}");
            }
        }
    }
    out
}

/// The octets behind `xtext`; `None` for what is none. The digits are upper-case (RFC 3461 §4).
fn decoded(text: &str) -> Option<Vec<u8>> {
    let digit = |octet: Option<u8>| match octet? {
        octet @ b'0'..=b'9' => Some(octet - b'0'),
        octet @ b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    };
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        out.push(match octet {
            b'+' => digit(octets.next())? * 16 + digit(octets.next())?,
            b'=' => return None,
            b'!'..=b'~' => octet,
            _ => return None,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_ret_and_notify() {
        for (text, expected) in [
            ("FULL", Ok(Return::Full)),
            ("hdrs", Ok(Return::Headers)),
            ("", Err(NotAParameter::Return)),
            ("FULL,HDRS", Err(NotAParameter::Return)),
        ] {
            assert_eq!(Return::parse(text), expected, "{text}");
        }
        for (text, expected) in [
            ("never", Some("NEVER")),
            ("SUCCESS", Some("SUCCESS")),
            ("Delay,failure", Some("FAILURE,DELAY")),
            ("DELAY,SUCCESS,DELAY,FAILURE", Some("SUCCESS,FAILURE,DELAY")),
            ("NEVER,DELAY", None),
            ("", None),
            ("SUCCESS,", None),
            (" SUCCESS", None),
            ("ALWAYS", None),
        ] {
            let parsed = Notify::parse(text).ok().map(Notify::value);
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn envelope_identifiers() {
        for (text, expected) in [("a=b c", "a+3Db+20c"), ("QQ314159", "QQ314159"), ("~", "~")] {
            assert_eq!(EnvelopeId::new(text).unwrap().to_string(), expected);
            let again = EnvelopeId::from_xtext(expected).unwrap();
            assert_eq!(again, EnvelopeId::new(text).unwrap());
        }
        for refused in ["", "a\r\nb", "gr\u{fc}n", &"=".repeat(34)] {
            assert_eq!(EnvelopeId::new(refused), Err(NotAnEnvelopeId));
        }
        // As it came, even where it need not have been encoded.
        assert_eq!(EnvelopeId::from_xtext("+41b").unwrap().to_string(), "+41b");
        let long = "x".repeat(101);
        for refused in [
            "",
            "a b",
            "a=b",
            "+0D+0A",
            "+4",
            "+",
            "+4g",
            "+4a",
            "gr\u{fc}n",
            "+FC",
            &long,
        ] {
            let parsed = EnvelopeId::from_xtext(refused);
            assert_eq!(parsed, Err(NotAnEnvelopeId), "{refused}");
        }
    }

    #[test]
    fn original_recipients_pass_as_they_came() {
        for (text, ascii) in [
            ("rfc822;anna+2Bx@example.org", None),
            ("RFC822;Anna@example.org", None),
            // No address of ours, and no constraint on it.
            ("x400;/S+3DAnna/", None),
            ("x-fax;0123", None),
            ("rfc822;+41", None),
            ("utf-8;anna@\\x{E4}.example", None),
            ("utf-8;anna@ä.example", Some("utf-8;anna@\\x{E4}.example")),
            ("utf-8;a+b@ä.example", Some("utf-8;a+b@\\x{E4}.example")),
        ] {
            let original = OriginalRecipient::parse(text).unwrap();
            assert_eq!(original.to_string(), text);
            assert_eq!(original.in_ascii().to_string(), ascii.unwrap_or(text));
        }
        let long = format!("rfc822;{}", "x".repeat(494));
        for refused in [
            "",
            "rfc822",
            "rfc822;",
            ";anna@example.org",
            "rfc 822;anna@example.org",
            "rfc822;anna @example.org",
            "rfc822;a=b@example.org",
            "rfc822;a+2b@example.org",
            "rfc822;\u{e4}@example.org",
            "utf-8;a b",
            "utf-8;a\r\nRSET",
            "rfc822;a\r\nRSET",
            &long,
        ] {
            let parsed = OriginalRecipient::parse(refused);
            assert_eq!(parsed, Err(NotAParameter::Original), "{refused:?}");
        }
        let equals = OriginalRecipient::parse("utf-8;a=b@ä.example").unwrap();
        assert_eq!(equals.to_string(), "utf-8;a\\x{3D}b@ä.example");
    }

    #[test]
    fn a_recipient_of_our_own_is_its_own_original() {
        for (mailbox, expected) in [
            ("x+y@example.org", "rfc822;x+2By@example.org"),
            ("ä=b@example.org", "utf-8;ä\\x{3D}b@example.org"),
        ] {
            let original = OriginalRecipient::of(&Mailbox::parse(mailbox).unwrap());
            assert_eq!(original.to_string(), expected);
            assert_eq!(OriginalRecipient::parse(expected), Ok(original));
        }
    }
}
