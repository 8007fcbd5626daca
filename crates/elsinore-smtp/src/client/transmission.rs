//! How a message travels to a server: its framing, its encoding and what is asked for at MAIL.

use super::event::{ConversionReason, Event};
use super::outcome::{Cause, Failure, Outlook, Scope, Utf8Need};
use super::session::ClientSession;
use super::timeouts::Phase;
use super::{HeaderUtf8, RequireTls, Transaction, Use};
use crate::command::Body;
use crate::ehlo::{Capabilities, SizeLimit};
use crate::eight_bit::Obstacle;
use crate::message::{Encoding, HeaderOctets, Survey};
use crate::status::EnhancedStatus;

/// How the message will travel to this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transmission {
    pub(super) framing: Framing,
    pub(super) encoding: Encoding,
    pub(super) body: Body,
    pub(super) smtp_utf8: bool,
    pub(super) require_tls: bool,
}

/// DATA or BDAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Data,
    Bdat,
}

impl ClientSession {
    pub(super) fn choose_transmission(
        &mut self,
        transaction: &Transaction,
        offered: &Capabilities,
        batch: &[usize],
    ) -> Result<Transmission, Box<Failure>> {
        let require_tls = self.check_require_tls(transaction, offered)?;
        let survey: &Survey = &transaction.message;
        let header_utf8 = survey.header_octets() == HeaderOctets::Utf8;
        if !offered.smtp_utf8 {
            if transaction.reverse_path.needs_smtp_utf8() {
                return Err(Box::new(utf8_failure(Utf8Need::Sender)));
            }
            if header_utf8 && transaction.header_utf8 == HeaderUtf8::Declared {
                return Err(Box::new(utf8_failure(Utf8Need::Header)));
            }
        }
        let smtp_utf8 =
            (header_utf8 && offered.smtp_utf8 && transaction.header_utf8 != HeaderUtf8::Withheld)
                || transaction.reverse_path.needs_smtp_utf8()
                || batch
                    .iter()
                    .filter_map(|index| transaction.recipients.get(*index))
                    .any(|recipient| recipient.mailbox.needs_smtp_utf8());
        let chunking = offered.chunking && self.config.chunking == Use::WhenOffered;
        if header_utf8 && !smtp_utf8 {
            self.pass_undeclared_utf8(offered)?;
        }
        let (framing, encoding, body) = self.choose_body(survey, offered, chunking)?;
        if let Some(limit @ SizeLimit::Octets(octets)) = offered.size
            && !limit.admits(survey.octets(encoding))
        {
            return Err(Box::new(Failure {
                outlook: Outlook::Permanent,
                scope: Scope::Message,
                phase: Phase::Mail,
                cause: Cause::TooLarge {
                    octets: survey.octets(encoding),
                    limit: octets,
                },
                status: EnhancedStatus::permanent(3, 4),
                reply: None,
            }));
        }
        Ok(Transmission {
            framing,
            encoding,
            body,
            smtp_utf8,
            require_tls,
        })
    }

    /// UTF-8 in the header that is not declared to the server: as other octets above 127 in a
    /// header, under 8BITMIME or not at all.
    fn pass_undeclared_utf8(&mut self, offered: &Capabilities) -> Result<(), Box<Failure>> {
        if !offered.eight_bit_mime {
            return Err(Box::new(not_convertible(Obstacle::Header)));
        }
        if !offered.smtp_utf8 {
            self.note(Event::UndeclaredHeaderUtf8);
        }
        Ok(())
    }

    /// Unchanged if the server can take it, else converted, else not at all.
    fn choose_body(
        &mut self,
        survey: &Survey,
        offered: &Capabilities,
        chunking: bool,
    ) -> Result<(Framing, Encoding, Body), Box<Failure>> {
        let framing = if chunking {
            Framing::Bdat
        } else {
            Framing::Data
        };
        let eight_bit = survey.has_eight_bit();
        let long_lines = survey.has_long_lines();
        if survey.header_octets() == HeaderOctets::Undeclared && offered.eight_bit_mime {
            self.note(Event::UndeclaredHeaderOctets);
        }
        let unchanged = (!eight_bit || offered.eight_bit_mime) && (!long_lines || chunking);
        if unchanged {
            if long_lines {
                self.note(Event::LongLinesByChunking {
                    longest: survey.longest_line(),
                });
            }
            let body = match (long_lines && offered.binary_mime, eight_bit) {
                (true, _) => Body::BinaryMime,
                (false, true) => Body::EightBitMime,
                (false, false) => Body::SevenBit,
            };
            return Ok((framing, Encoding::AsIs, body));
        }
        if let Some(obstacle) = survey.obstacle() {
            return Err(Box::new(not_convertible(obstacle)));
        }
        self.note(Event::Converted {
            because: if eight_bit && !offered.eight_bit_mime {
                ConversionReason::NoEightBitMime
            } else {
                ConversionReason::LongLines
            },
        });
        // The header keeps its UTF-8, and the server wants to be told of the octets: one with
        // SMTPUTF8 offers 8BITMIME (RFC 6531 §3.1), and one without either was not chosen.
        let body = match survey.header_octets() {
            HeaderOctets::Utf8 if offered.eight_bit_mime => Body::EightBitMime,
            _ => Body::SevenBit,
        };
        Ok((framing, Encoding::SevenBit, body))
    }

    fn check_require_tls(
        &mut self,
        transaction: &Transaction,
        offered: &Capabilities,
    ) -> Result<bool, Box<Failure>> {
        if transaction.require_tls == RequireTls::No {
            return Ok(false);
        }
        if self.inside_tls && offered.require_tls {
            return Ok(true);
        }
        if transaction.reverse_path == crate::address::ReversePath::Null {
            self.note(Event::RequireTlsDropped);
            return Ok(false);
        }
        let (cause, status) = if self.inside_tls {
            (
                Cause::RequireTlsNotOffered,
                EnhancedStatus::permanent(7, 30),
            )
        } else {
            (
                Cause::RequireTlsWithoutTls,
                EnhancedStatus::permanent(7, 10),
            )
        };
        Err(Box::new(Failure {
            outlook: Outlook::Permanent,
            scope: Scope::Host,
            phase: Phase::Mail,
            cause,
            status,
            reply: None,
        }))
    }
}

fn not_convertible(obstacle: Obstacle) -> Failure {
    Failure {
        outlook: Outlook::Permanent,
        scope: Scope::Message,
        phase: Phase::Mail,
        cause: Cause::NotConvertible(obstacle),
        status: EnhancedStatus::permanent(6, 3),
        reply: None,
    }
}

pub(super) fn utf8_failure(need: Utf8Need) -> Failure {
    let detail = match need {
        Utf8Need::Sender | Utf8Need::Recipient => 7,
        Utf8Need::Header => 9,
    };
    Failure {
        outlook: Outlook::Permanent,
        scope: Scope::Message,
        phase: Phase::Mail,
        cause: Cause::SmtpUtf8NotOffered(need),
        status: EnhancedStatus::permanent(6, detail),
        reply: None,
    }
}
