//! The server's side of one SMTP connection (RFC 5321, 3207, 3030), faults included.

use super::lines::Lines;
use super::mailbox::{Mailbox, ReceivedMessage, SessionTls};
use super::{LARGEST_MESSAGE, tls};
use crate::scenario::{Phase, ReceiverSpec, StartTls, Trouble};
use elsinore_net::dialer::ByteStream;
use openssl::ssl::SslContext;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Keywords offered unless a scenario takes them away.
const EXTENSIONS: [&str; 6] = [
    "PIPELINING",
    "8BITMIME",
    "SMTPUTF8",
    "CHUNKING",
    "DSN",
    "ENHANCEDSTATUSCODES",
];

pub(super) struct Dialogue<'a> {
    spec: &'a ReceiverSpec,
    host_name: &'a str,
    context: Option<&'a SslContext>,
    mailbox: &'a Mailbox,
    number: usize,
    tls: Option<SessionTls>,
    sender: Option<String>,
    recipients: Vec<String>,
    chunks: Vec<u8>,
}

enum Next {
    Continue,
    StartTls,
    Close,
}

impl<'a> Dialogue<'a> {
    pub(super) const fn new(
        spec: &'a ReceiverSpec,
        host_name: &'a str,
        context: Option<&'a SslContext>,
        mailbox: &'a Mailbox,
        number: usize,
    ) -> Self {
        Self {
            spec,
            host_name,
            context,
            mailbox,
            number,
            tls: None,
            sender: None,
            recipients: Vec::new(),
            chunks: Vec::new(),
        }
    }

    pub(super) async fn run(mut self, stream: Box<dyn ByteStream>) -> io::Result<()> {
        let mut lines = Lines::new(stream);
        match self.spec.trouble {
            Some(Trouble::Hang) => return lines.drain().await,
            Some(Trouble::Tarpit) => return tarpit(&mut lines).await,
            Some(Trouble::EndlessGreeting) => {
                return endless(&mut lines, "220-AND-SO-ON\r\n").await;
            }
            Some(Trouble::LongLine) => return long_line(lines).await,
            None | Some(Trouble::EndlessReply | Trouble::DropAfterMessage | Trouble::Greylist) => {}
        }
        let banner = format!("220 {} ESMTP", self.host_name);
        let banner = self.reply(Phase::Banner, &banner);
        lines.write(&banner).await?;
        if !banner.starts_with('2') {
            lines.close().await;
            return Ok(());
        }
        while let Some(line) = lines.line().await? {
            let line = String::from_utf8_lossy(&line).into_owned();
            self.mailbox.command(self.number, &line);
            match self.command(&line, &mut lines).await? {
                Next::Continue => {}
                Next::Close => {
                    lines.close().await;
                    return Ok(());
                }
                Next::StartTls => lines = self.start_tls(lines).await?,
            }
        }
        Ok(())
    }

    /// The reply of a phase: the scenario's, else `usual`; with the line end.
    fn reply(&self, phase: Phase, usual: &str) -> String {
        let text = self.spec.replies.get(&phase).map_or(usual, String::as_str);
        format!("{text}\r\n")
    }

    async fn command(&mut self, line: &str, lines: &mut Lines) -> io::Result<Next> {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let reply = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                if self.spec.trouble == Some(Trouble::EndlessReply) {
                    endless(lines, "250-X-AND-SO-ON\r\n").await?;
                    return Ok(Next::Close);
                }
                self.forget();
                let usual = self.extensions();
                self.reply(Phase::Ehlo, &usual)
            }
            "HELO" => {
                self.forget();
                format!("250 {}\r\n", self.host_name)
            }
            "STARTTLS" => return self.start_tls_reply(lines).await,
            "MAIL" => self.mail(argument),
            "RCPT" => self.rcpt(argument),
            "DATA" => return self.message_by_data(lines).await,
            "BDAT" => return self.message_by_chunks(argument, lines).await,
            "RSET" => {
                self.forget();
                "250 2.0.0 Ok\r\n".to_owned()
            }
            "NOOP" => "250 2.0.0 Ok\r\n".to_owned(),
            "QUIT" => {
                lines.write("221 2.0.0 Bye\r\n").await?;
                return Ok(Next::Close);
            }
            _ => "502 5.5.2 Command not recognised\r\n".to_owned(),
        };
        lines.write(&reply).await?;
        Ok(Next::Continue)
    }

    fn forget(&mut self) {
        self.sender = None;
        self.recipients.clear();
        self.chunks.clear();
    }

    fn extensions(&self) -> String {
        let mut keywords = vec![self.host_name.to_owned()];
        let lacks = |keyword: &str| self.spec.lacks.iter().any(|one| one == keyword);
        keywords.extend(
            (EXTENSIONS.iter().filter(|keyword| !lacks(keyword))).map(|one| (*one).to_owned()),
        );
        if let Some(limit) = self.spec.size {
            keywords.push(format!("SIZE {limit}"));
        } else if !lacks("SIZE") {
            keywords.push(format!("SIZE {LARGEST_MESSAGE}"));
        }
        let secured = self.tls.is_some();
        if !secured && self.context.is_some() && self.spec.starttls != StartTls::Absent {
            keywords.push("STARTTLS".to_owned());
        }
        if secured && !lacks("REQUIRETLS") {
            keywords.push("REQUIRETLS".to_owned());
        }
        let last = keywords.len() - 1;
        let lines = keywords.iter().enumerate().map(|(index, keyword)| {
            let separator = if index == last { ' ' } else { '-' };
            format!("250{separator}{keyword}")
        });
        lines.collect::<Vec<_>>().join("\r\n")
    }

    async fn start_tls_reply(&self, lines: &mut Lines) -> io::Result<Next> {
        let refusal = if self.context.is_none() || self.tls.is_some() {
            Some("502 5.5.1 STARTTLS not available here\r\n")
        } else {
            match self.spec.starttls {
                StartTls::Absent | StartTls::Refused5xx => Some("502 5.5.1 Not implemented\r\n"),
                StartTls::Refused4xx => Some("454 4.7.0 TLS not available just now\r\n"),
                StartTls::Offered | StartTls::Injected | StartTls::Broken => None,
            }
        };
        if let Some(refusal) = refusal {
            lines.write(refusal).await?;
            return Ok(Next::Continue);
        }
        if self.spec.starttls == StartTls::Injected {
            // One write, so that the text is in the client's buffer when it sees the 220.
            lines
                .write("220 2.0.0 Ready\r\n250-injected.example\r\n250 SIZE 1\r\n")
                .await?;
        } else {
            lines.write("220 2.0.0 Ready\r\n").await?;
        }
        if self.spec.starttls == StartTls::Broken {
            return Ok(Next::Close);
        }
        Ok(Next::StartTls)
    }

    async fn start_tls(&mut self, lines: Lines) -> io::Result<Lines> {
        let Some(context) = self.context else {
            return Err(io::Error::other("STARTTLS without a certificate"));
        };
        let (stream, session) = tls::accept(context, lines.into_stream()).await?;
        self.mailbox.secured(self.number, &session);
        self.tls = Some(session);
        self.forget();
        Ok(Lines::new(stream))
    }

    fn mail(&mut self, argument: &str) -> String {
        if let Some(limit) = self.spec.size
            && let Some(size) = parameter(argument, "SIZE").and_then(|text| text.parse().ok())
            && limit < size
        {
            return "552 5.3.4 Message too big\r\n".to_owned();
        }
        let reply = self.reply(Phase::Mail, "250 2.1.0 Ok");
        if reply.starts_with('2') {
            self.forget();
            self.sender = Some(argument.to_owned());
        }
        reply
    }

    fn rcpt(&mut self, argument: &str) -> String {
        let Some(sender) = &self.sender else {
            return "503 5.5.1 MAIL first\r\n".to_owned();
        };
        let mailbox = argument
            .split_once('<')
            .and_then(|(_, rest)| rest.split_once('>'))
            .map_or("", |(mailbox, _)| mailbox);
        if self.spec.trouble == Some(Trouble::Greylist) && self.mailbox.is_new(sender, mailbox) {
            return "451 4.7.1 Greylisted, try again later\r\n".to_owned();
        }
        let reply = match self.spec.recipients.get(mailbox) {
            Some(reply) => format!("{reply}\r\n"),
            None => self.reply(Phase::Rcpt, "250 2.1.5 Ok"),
        };
        if reply.starts_with('2') {
            self.recipients.push(argument.to_owned());
        }
        reply
    }

    async fn message_by_data(&mut self, lines: &mut Lines) -> io::Result<Next> {
        if self.recipients.is_empty() {
            lines.write("503 5.5.1 RCPT first\r\n").await?;
            return Ok(Next::Continue);
        }
        let reply = self.reply(Phase::Data, "354 Go ahead");
        lines.write(&reply).await?;
        if !reply.starts_with('3') {
            return Ok(Next::Continue);
        }
        let octets = lines.dotted(LARGEST_MESSAGE).await?;
        self.take(octets, lines).await
    }

    async fn message_by_chunks(&mut self, argument: &str, lines: &mut Lines) -> io::Result<Next> {
        let mut words = argument.split_whitespace();
        let length: Option<usize> = words.next().and_then(|text| text.parse().ok());
        let is_last = words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("LAST"));
        let Some(length) = length.filter(|length| *length <= LARGEST_MESSAGE) else {
            lines.write("501 5.5.4 BDAT needs a size\r\n").await?;
            return Ok(Next::Close);
        };
        let mut octets = std::mem::take(&mut self.chunks);
        lines.octets(length, &mut octets).await?;
        if self.recipients.is_empty() {
            lines.write("503 5.5.1 RCPT first\r\n").await?;
            return Ok(Next::Continue);
        }
        let reply = self.reply(Phase::Data, "250 2.0.0 Ok");
        if !reply.starts_with(['2', '3']) {
            self.forget();
            lines.write(&reply).await?;
            return Ok(Next::Continue);
        }
        if is_last {
            return self.take(octets, lines).await;
        }
        if octets.len() > LARGEST_MESSAGE {
            return Err(io::Error::other("message too large to keep"));
        }
        self.chunks = octets;
        lines.write(&reply).await?;
        Ok(Next::Continue)
    }

    async fn take(&mut self, octets: Vec<u8>, lines: &mut Lines) -> io::Result<Next> {
        let reply = self.reply(Phase::Message, "250 2.0.0 Ok: stored");
        let too_big = (self.spec.size).is_some_and(|limit| octets.len() as u64 > limit);
        let reply = if too_big {
            "552 5.3.4 Message too big\r\n".to_owned()
        } else {
            reply
        };
        if reply.starts_with('2') {
            self.mailbox.store(ReceivedMessage {
                address: self.address(),
                sender: self.sender.clone().unwrap_or_default(),
                recipients: self.recipients.clone(),
                octets,
                tls: self.tls.clone(),
            });
        }
        self.forget();
        if self.spec.trouble == Some(Trouble::DropAfterMessage) {
            return Ok(Next::Close);
        }
        lines.write(&reply).await?;
        Ok(Next::Continue)
    }

    fn address(&self) -> SocketAddr {
        self.mailbox.address_of(self.number)
    }
}

/// The value of an ESMTP parameter.
fn parameter<'t>(argument: &'t str, name: &str) -> Option<&'t str> {
    argument.split_whitespace().find_map(|word| {
        let (key, value) = word.split_once('=')?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// Sends continuation lines until the client has had enough.
async fn endless(lines: &mut Lines, line: &str) -> io::Result<()> {
    let block = line.repeat(256);
    loop {
        lines.write(&block).await?;
    }
}

/// Sends an octet now and then, until the client has had enough.
async fn tarpit(lines: &mut Lines) -> io::Result<()> {
    const PAUSE: Duration = Duration::from_millis(300);
    let line = "220-Wait here a while, please\r\n";
    loop {
        for at in 0..line.len() {
            lines.write(&line[at..=at]).await?;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Sends eight megabytes without a line end, then the end.
async fn long_line(mut lines: Lines) -> io::Result<()> {
    let block = "x".repeat(64 * 1024);
    lines.write("220 ").await?;
    for _ in 0..128 {
        lines.write(&block).await?;
    }
    lines.write("\r\n").await?;
    lines.drain().await
}
