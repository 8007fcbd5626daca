//! Command lines, one after the other.

use super::{Greeting, MAX_COMMAND, MAX_SKIPPED, Question, ServerSession, Step};
use crate::server::Offer;
use crate::server::answer::Refusal;
use crate::server::parameters::{self, Dialect};
use crate::server::request::{self, BadRequest, Request};

impl ServerSession {
    pub(super) fn read_command(&mut self) -> bool {
        let rest = self.rest();
        let window = rest.get(..MAX_COMMAND).unwrap_or(rest);
        let Some(end) = window.iter().position(|octet| *octet == b'\n') else {
            if rest.len() < MAX_COMMAND {
                return false;
            }
            let last = window.last().copied().unwrap_or_default();
            self.start += MAX_COMMAND;
            self.step = Step::Skipping(MAX_COMMAND, last);
            return true;
        };
        let Some([line @ .., b'\r']) = window.get(..end) else {
            self.bare_line();
            return true;
        };
        let line = line.to_vec();
        self.start += end + 1;
        self.command(&line);
        true
    }

    /// A line that ends in LF alone: others read a command line here, or none.
    pub(super) fn bare_line(&mut self) {
        self.reset();
        self.say_no(&Refusal::permanent(
            500,
            (5, 2),
            "lines end in CR LF, not in LF alone",
        ));
        self.close();
    }

    pub(super) fn skip(&mut self) -> bool {
        let Step::Skipping(octets, last) = self.step else {
            return false;
        };
        let rest = self.rest();
        let Some(final_octet) = rest.last().copied() else {
            return false;
        };
        let Some(end) = rest.iter().position(|octet| *octet == b'\n') else {
            let octets = octets.saturating_add(rest.len());
            self.start = self.input.len();
            self.step = Step::Skipping(octets, final_octet);
            if octets > MAX_SKIPPED {
                self.reset();
                self.say_no(&Refusal::permanent(500, (5, 2), "a line without end"));
                self.close();
            }
            return true;
        };
        let before = match end.checked_sub(1) {
            Some(before) => rest.get(before).copied(),
            None => Some(last),
        };
        self.start += end + 1;
        self.step = Step::Command;
        if before == Some(b'\r') {
            self.mistake(&Refusal::permanent(500, (5, 2), "the line is too long"));
        } else {
            self.bare_line();
        }
        true
    }

    pub(super) fn command(&mut self, line: &[u8]) {
        let request = match request::parse(line) {
            Ok(request) => request,
            Err(BadRequest::Refused(refusal)) => return self.mistake(&refusal),
            Err(BadRequest::Lost(refusal)) => {
                self.reset();
                self.say_no(&refusal);
                return self.close();
            }
        };
        if self.greeting == Greeting::TurnedAway && request != Request::Quit {
            return self.out_of_order("no mail is taken from you; say QUIT");
        }
        // Between two pieces of a message only these may come (RFC 3030 §2).
        let in_pieces = self.pieces.is_some();
        match request {
            Request::Ehlo(name) => self.ehlo(name),
            Request::Helo(name) => {
                self.reset();
                self.hello = Some((name.to_owned(), Dialect::Plain));
                let host = self.config.host.to_string();
                self.say(250, &host);
                self.idle();
            }
            Request::StartTls => self.start_tls(),
            Request::Mail(_) | Request::Rcpt(_) | Request::Data if in_pieces => {
                self.out_of_order("only BDAT goes on with a message that BDAT began");
            }
            Request::Mail(rest) => self.mail(rest),
            Request::Rcpt(rest) => self.rcpt(rest),
            Request::Data => self.data(),
            Request::Bdat(octets, place) => self.bdat(octets, place),
            Request::Rset => {
                self.reset();
                self.say(250, "2.0.0 reset");
                self.idle();
            }
            Request::Noop => {
                self.say(250, "2.0.0 ok");
                self.idle();
            }
            Request::Vrfy => {
                self.say(252, "2.5.0 cannot verify anybody; send and see");
                self.idle();
            }
            Request::Help => {
                self.say(214, "2.0.0 see RFC 5321");
                self.idle();
            }
            Request::Quit => {
                self.reset();
                self.say(221, "2.0.0 bye");
                self.close();
            }
            Request::NotHere => {
                self.mistake(&Refusal::permanent(502, (5, 1), "not done here"));
            }
        }
    }

    pub(super) fn ehlo(&mut self, name: &str) {
        self.reset();
        let dialect = if self.inside_tls {
            Dialect::ExtendedInsideTls
        } else {
            Dialect::Extended
        };
        self.hello = Some((name.to_owned(), dialect));
        let own = match (self.inside_tls, self.config.starttls) {
            (true, _) => "250-REQUIRETLS\r\n",
            (false, Offer::Yes) => "250-STARTTLS\r\n",
            (false, Offer::No) => "",
        };
        let (host, most) = (&self.config.host, self.config.message_octets);
        let offers = format!(
            "250-{host}\r\n250-PIPELINING\r\n250-SIZE {most}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
             250-CHUNKING\r\n250-DSN\r\n{own}250 ENHANCEDSTATUSCODES\r\n"
        );
        self.output.extend_from_slice(offers.as_bytes());
        self.idle();
    }

    pub(super) fn start_tls(&mut self) {
        if self.inside_tls {
            return self.out_of_order("TLS is there already");
        }
        if self.config.starttls == Offer::No {
            return self.mistake(&Refusal::permanent(502, (5, 1), "STARTTLS is not offered"));
        }
        self.reset();
        if self.start < self.input.len() {
            // RFC 3207 §4.2: whoever put these octets here wants them read inside TLS.
            self.say_no(&Refusal::permanent(503, (5, 1), "text behind STARTTLS"));
            return self.close();
        }
        self.say(220, "2.0.0 ready for TLS");
        self.step = Step::Handshake;
    }

    pub(super) fn mail(&mut self, rest: &str) {
        let Some((_, dialect)) = self.hello else {
            return self.out_of_order("say EHLO first");
        };
        if self.sender.is_some() {
            return self.out_of_order("a transaction is under way; RSET ends it");
        }
        match parameters::mail(rest, dialect) {
            Ok(sender)
                if sender
                    .size
                    .is_some_and(|size| size > self.config.message_octets) =>
            {
                self.excuse();
                self.mistake(&self.too_big());
            }
            Ok(sender) => self.step = Step::Asked(Question::Mail(sender)),
            Err(refusal) => {
                self.excuse();
                self.mistake(&refusal);
            }
        }
    }

    pub(super) fn rcpt(&mut self, rest: &str) {
        let (Some((_, dialect)), Some(sender)) = (&self.hello, &self.sender) else {
            return self.out_of_order("MAIL comes first");
        };
        let recipient = parameters::rcpt(rest, *dialect, sender.smtp_utf8, &self.config.postmaster);
        if self.recipients.len() >= self.config.recipients {
            // RFC 5321 §4.5.3.1.10: the client sends the rest in another transaction.
            let text = "too many recipients for one message";
            return self.refuse_recipient(&Refusal::temporary(452, (5, 3), text));
        }
        match recipient {
            Ok(recipient) => self.step = Step::Asked(Question::Recipient(recipient)),
            Err(refusal) => self.refuse_recipient(&refusal),
        }
    }

    /// One address of many that cannot be used is no reason to end the session: the others are good.
    /// Beyond the bound each is a mistake.
    pub(super) fn refuse_recipient(&mut self, refusal: &Refusal) {
        self.excuse();
        if self.refused_recipients >= self.config.refused_recipients {
            return self.mistake(refusal);
        }
        self.refused_recipients += 1;
        self.say_no(refusal);
    }

    pub(super) fn data(&mut self) {
        if self.sender.is_none() {
            self.out_of_order("MAIL comes first");
        } else if self.recipients.is_empty() {
            self.mistake(&Refusal::permanent(
                554,
                (5, 1),
                "no recipient was accepted",
            ));
        } else {
            self.step = Step::Asked(Question::Data);
            return;
        }
        self.stop_at_pipelined_message();
    }

    /// DATA was refused, and yet octets are behind it, which no client that waits for 354 sends: they
    /// may be a message, and are never read as commands.
    pub(super) fn stop_at_pipelined_message(&mut self) {
        if self.start < self.input.len() {
            self.close();
        }
    }
}
