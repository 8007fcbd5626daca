//! The trace that a message gets here (RFC 5321 §4.4).

use elsinore_queue::id::MessageId;
use elsinore_queue::moment::Moment;
use elsinore_smtp::address::Mailbox;
use elsinore_smtp::command::GreetingName;
use elsinore_smtp::message;
use std::fmt::Write as _;
use std::net::IpAddr;

/// What a Received field says.
#[derive(Debug)]
pub(super) struct Trace<'a> {
    /// The name the client gave, as it was given.
    pub(super) hello: &'a str,
    /// Whether by EHLO.
    pub(super) extended: bool,
    /// Where it is; none for a client of the unix socket.
    pub(super) client: Option<IpAddr>,
    /// Our name.
    pub(super) host: &'a GreetingName,
    /// TLS in words, inside TLS.
    pub(super) tls: Option<&'a str>,
    /// Whether MAIL said SMTPUTF8.
    pub(super) smtp_utf8: bool,
    /// The message.
    pub(super) id: MessageId,
    /// The recipient, where there is only one: others' are nobody's business.
    pub(super) only: Option<&'a Mailbox>,
    /// Now.
    pub(super) now: Moment,
}

impl Trace<'_> {
    /// The field with its line ends.
    pub(super) fn field(&self) -> String {
        let mut field = String::from("Received: from ");
        let address = self.client.map(|address| match address.to_canonical() {
            IpAddr::V4(address) => format!("[{address}]"),
            IpAddr::V6(address) => format!("[IPv6:{address}]"),
        });
        // What is no name of a host is not repeated: it could close a comment or a field.
        let name = GreetingName::parse(self.hello)
            .ok()
            .map(|name| name.to_string());
        let place = match (&name, &address) {
            (Some(name), Some(address)) => format!("{name} ({address})"),
            (None, Some(address)) => address.clone(),
            (Some(name), None) => format!("{name} (local)"),
            (None, None) => "localhost (local)".to_owned(),
        };
        let with = match (self.smtp_utf8, self.tls, self.extended) {
            (true, Some(_), _) => "UTF8SMTPS",
            (true, None, _) => "UTF8SMTP",
            (false, Some(_), _) => "ESMTPS",
            (false, None, true) => "ESMTP",
            (false, None, false) => "SMTP",
        };
        // Writing to a String does not fail.
        let _ = write!(
            field,
            "{place}\r\n\tby {} (Elsinore) with {with}",
            self.host
        );
        if let Some(tls) = self.tls {
            let _ = write!(field, "\r\n\t({tls})");
        }
        let _ = write!(field, "\r\n\tid {}", self.id);
        if let Some(only) = self.only.filter(|only| !only.needs_smtp_utf8()) {
            let _ = write!(field, "\r\n\tfor <{only}>");
        }
        let _ = write!(field, ";\r\n\t{}\r\n", message::date(self.now.seconds()));
        field
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let host = GreetingName::parse("relay.example").expect("a name");
        let only = Mailbox::parse("b@a.example").expect("an address");
        let id: MessageId = "0123456789ABCDEF".parse().expect("an id");
        let plain = || Trace {
            hello: "client.example",
            extended: true,
            client: Some(IpAddr::from([192, 0, 2, 1])),
            host: &host,
            tls: None,
            smtp_utf8: false,
            id,
            only: None,
            now: Moment(1_795_326_044_000),
        };
        let end = "\r\n\tid 0123456789ABCDEF;\r\n\tSun, 22 Nov 2026 05:40:44 +0000\r\n";
        for (trace, expected) in [
            (
                plain(),
                format!("Received: from client.example ([192.0.2.1])\r\n\tby relay.example (Elsinore) with ESMTP{end}"),
            ),
            (
                Trace {
                    hello: "x)\u{7f}(",
                    extended: false,
                    ..plain()
                },
                format!("Received: from [192.0.2.1]\r\n\tby relay.example (Elsinore) with SMTP{end}"),
            ),
            (
                Trace {
                    client: None,
                    hello: "[IPv6:2001:db8::1]",
                    smtp_utf8: true,
                    ..plain()
                },
                format!("Received: from [IPv6:2001:db8::1] (local)\r\n\tby relay.example (Elsinore) with UTF8SMTP{end}"),
            ),
            (
                Trace {
                    tls: Some("TLSv1.3 with cipher X"),
                    client: Some(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])),
                    only: Some(&only),
                    ..plain()
                },
                "Received: from client.example ([IPv6:::1])\r\n\tby relay.example (Elsinore) with ESMTPS\r\n\
                 \t(TLSv1.3 with cipher X)\r\n\tid 0123456789ABCDEF\r\n\tfor <b@a.example>;\r\n\
                 \tSun, 22 Nov 2026 05:40:44 +0000\r\n"
                    .to_owned(),
            ),
        ] {
            assert_eq!(trace.field(), expected);
        }
    }
}
