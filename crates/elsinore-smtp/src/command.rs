//! Commands of a client, written from validated parts only (RFC 5321 §4.1.1 and extensions).
//!
//! A command line cannot be broken open: every part is a type whose constructor refuses control
//! characters, so no CR or LF of a user ever reaches the wire.

mod notification;

pub use notification::{
    Asked, EnvelopeId, NotAParameter, NotAnEnvelopeId, Notify, OriginalRecipient, Return,
};

use crate::address::{AddressError, MailDomain, Mailbox, ReversePath};
use std::fmt;

/// The name by which this client greets: a domain name or an address literal
/// (RFC 5321 §4.1.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GreetingName(MailDomain);

impl GreetingName {
    /// Parses a domain name, or an address literal in brackets.
    ///
    /// # Errors
    /// [`AddressError`] when it is neither.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        MailDomain::parse(text).map(Self)
    }

    /// The name itself.
    #[must_use]
    pub const fn domain(&self) -> &MailDomain {
        &self.0
    }

    /// The name `localhost`, for whoever has not said how this machine is called.
    #[must_use]
    pub fn localhost() -> Self {
        Self(MailDomain::Name("localhost".to_owned()))
    }
}

impl fmt::Display for GreetingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The value of BODY (RFC 6152 §3, RFC 3030 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Body {
    /// No octet above 127; the parameter is left out, being the default.
    SevenBit,
    /// Octets above 127, lines of at most 998 octets.
    EightBitMime,
    /// Anything; only together with BDAT.
    BinaryMime,
}

/// The parameters of MAIL. Each is present only when the server offered its extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailParameters {
    /// SIZE: octets of the message (RFC 1870 §6.1).
    pub size: Option<u64>,
    /// BODY.
    pub body: Body,
    /// SMTPUTF8 (RFC 6531 §3.4).
    pub smtp_utf8: bool,
    /// REQUIRETLS (RFC 8689 §2).
    pub require_tls: bool,
    /// RET (RFC 3461 §4.3).
    pub ret: Option<Return>,
    /// ENVID (RFC 3461 §4.4).
    pub envelope_id: Option<EnvelopeId>,
}

/// The parameters of RCPT (RFC 3461 §4.1, §4.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RcptParameters {
    /// NOTIFY.
    pub notify: Option<Notify>,
    /// ORCPT.
    pub original: Option<OriginalRecipient>,
}

/// One command of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// EHLO.
    Ehlo(&'a GreetingName),
    /// HELO, for servers that refuse EHLO.
    Helo(&'a GreetingName),
    /// STARTTLS.
    StartTls,
    /// MAIL.
    Mail(&'a ReversePath, MailParameters),
    /// RCPT.
    Rcpt(&'a Mailbox, RcptParameters),
    /// DATA.
    Data,
    /// BDAT with the octets of the chunk; whether it is the last.
    Bdat(usize, Chunk),
    /// RSET.
    Rset,
    /// QUIT.
    Quit,
}

/// The position of a BDAT chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chunk {
    /// More follow.
    More,
    /// The message ends here.
    Last,
}

impl fmt::Display for Command<'_> {
    /// The command line without its line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ehlo(name) => write!(f, "EHLO {name}"),
            Self::Helo(name) => write!(f, "HELO {name}"),
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Mail(path, parameters) => write!(f, "MAIL FROM:<{path}>{parameters}"),
            Self::Rcpt(mailbox, parameters) => write!(f, "RCPT TO:<{mailbox}>{parameters}"),
            Self::Data => f.write_str("DATA"),
            Self::Bdat(octets, Chunk::More) => write!(f, "BDAT {octets}"),
            Self::Bdat(octets, Chunk::Last) => write!(f, "BDAT {octets} LAST"),
            Self::Rset => f.write_str("RSET"),
            Self::Quit => f.write_str("QUIT"),
        }
    }
}

impl fmt::Display for MailParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(octets) = self.size {
            write!(f, " SIZE={octets}")?;
        }
        match self.body {
            Body::SevenBit => {}
            Body::EightBitMime => f.write_str(" BODY=8BITMIME")?,
            Body::BinaryMime => f.write_str(" BODY=BINARYMIME")?,
        }
        if self.smtp_utf8 {
            f.write_str(" SMTPUTF8")?;
        }
        if self.require_tls {
            f.write_str(" REQUIRETLS")?;
        }
        match self.ret {
            None => {}
            Some(Return::Full) => f.write_str(" RET=FULL")?,
            Some(Return::Headers) => f.write_str(" RET=HDRS")?,
        }
        if let Some(id) = &self.envelope_id {
            write!(f, " ENVID={id}")?;
        }
        Ok(())
    }
}

impl fmt::Display for RcptParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(notify) = self.notify {
            write!(f, " NOTIFY={}", notify.value())?;
        }
        if let Some(original) = &self.original {
            write!(f, " ORCPT={original}")?;
        }
        Ok(())
    }
}

impl Command<'_> {
    /// Appends the command line with its CRLF.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let name = GreetingName::parse("client.example").unwrap();
        let anna = Mailbox::parse("anna@example.org").unwrap();
        let sender = ReversePath::Mailbox(Mailbox::parse("\"b c\"@example.net").unwrap());
        let plain = MailParameters {
            size: None,
            body: Body::SevenBit,
            smtp_utf8: false,
            require_tls: false,
            ret: None,
            envelope_id: None,
        };
        let full = MailParameters {
            size: Some(1234),
            body: Body::EightBitMime,
            smtp_utf8: true,
            require_tls: true,
            ret: Some(Return::Headers),
            envelope_id: Some(EnvelopeId::new("a=b c").unwrap()),
        };
        let asked = RcptParameters {
            notify: Some(Notify::On {
                success: Asked::Yes,
                failure: Asked::No,
                delay: Asked::Yes,
            }),
            original: Some(OriginalRecipient::parse("rfc822;x+2By@example.org").unwrap()),
        };
        for (command, expected) in [
            (Command::Ehlo(&name), "EHLO client.example"),
            (Command::Mail(&ReversePath::Null, plain), "MAIL FROM:<>"),
            (
                Command::Mail(&sender, full),
                "MAIL FROM:<\"b c\"@example.net> SIZE=1234 BODY=8BITMIME SMTPUTF8 REQUIRETLS \
                 RET=HDRS ENVID=a+3Db+20c",
            ),
            (
                Command::Rcpt(&anna, asked),
                "RCPT TO:<anna@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@example.org",
            ),
            (Command::Bdat(7, Chunk::Last), "BDAT 7 LAST"),
        ] {
            assert_eq!(command.to_string(), expected);
        }
        for refused in ["", "a b", "a\r\nMAIL", "[1.2.3]"] {
            assert!(GreetingName::parse(refused).is_err(), "{refused:?}");
        }
    }
}
