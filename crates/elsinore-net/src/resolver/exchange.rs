//! One question to one server: UDP with a fresh port, identifier and letter case, TCP when the
//! reply does not fit, plain DNS when the server knows no EDNS (RFC 1035 §4.2, RFC 6891 §6.2.2,
//! RFC 5452).

use super::core::{Core, Work};
use super::wire::{Echo, Message, Query, QueryBits, Question, Rcode};
use elsinore_dane::answer::ExtendedError;
use elsinore_dane::security::Cause;
use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Duration, timeout};

/// Datagrams that are no reply to the query, after which the question goes over TCP: somebody may
/// be guessing (RFC 5452 §9).
const MOST_STRANGERS: usize = 8;

/// What went wrong with one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// No reply in time.
    Silent,
    /// The network refused.
    Network(String),
    /// A reply that does not parse.
    Malformed,
    /// An error code.
    Refused(Rcode, Option<ExtendedError>),
    /// A reply that is neither an answer nor a step towards one.
    Lame(&'static str),
    /// The lookup's own bounds.
    Budget(String),
}

impl Fault {
    /// Whether the server may not have been reached at all.
    pub(super) const fn is_silence(&self) -> bool {
        matches!(self, Self::Silent | Self::Network(_))
    }

    /// How much a fault tells; the one that tells most is reported.
    pub(super) const fn weight(&self) -> u8 {
        match self {
            Self::Network(_) => 0,
            Self::Silent => 1,
            Self::Malformed | Self::Lame(_) => 2,
            Self::Refused(_, None) => 3,
            Self::Refused(_, Some(_)) => 4,
            Self::Budget(_) => 5,
        }
    }

    /// What kind of reason it is.
    pub(super) const fn cause(&self) -> Cause {
        match self {
            Self::Silent | Self::Network(_) | Self::Lame(_) => Cause::Unreachable,
            Self::Refused(Rcode::REFUSED, _) => Cause::Unreachable,
            Self::Refused(..) => Cause::ServerFailed,
            Self::Malformed => Cause::Garbled,
            Self::Budget(_) => Cause::Limit,
        }
    }

    pub(super) fn ede(&self) -> Option<ExtendedError> {
        match self {
            Self::Refused(_, ede) => ede.clone(),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("nothing (timeout)"),
            Self::Network(text) => write!(f, "nothing ({text})"),
            Self::Malformed => f.write_str("something malformed"),
            Self::Refused(rcode, None) => rcode.fmt(f),
            Self::Refused(rcode, Some(ede)) => {
                write!(f, "{rcode} (extended error {}: {:?})", ede.code, ede.text)
            }
            Self::Lame(text) => write!(f, "nothing useful ({text})"),
            Self::Budget(text) => f.write_str(text),
        }
    }
}

fn network(error: &std::io::Error) -> Fault {
    Fault::Network(error.to_string())
}

impl Core {
    pub(super) async fn exchange(
        &self,
        server: SocketAddr,
        question: &Question,
        bits: QueryBits,
        patience: Duration,
        work: &Work,
    ) -> Result<Message, Fault> {
        let mut query = Query {
            question: question.clone(),
            bits,
            edns: true,
            id: rand::random(),
            case: rand::random(),
        };
        let first = self.over_either(server, &query, patience).await;
        let knows_no_edns = match &first {
            Ok(message) => {
                matches!(
                    message.rcode,
                    Rcode::FORMERR | Rcode::NOTIMP | Rcode::BADVERS
                )
            }
            Err(_) => false,
        };
        // Of an upstream resolver DNSSEC is required, so plain DNS would not help.
        if knows_no_edns && bits == QueryBits::Iterative {
            work.budget.query().map_err(Fault::Budget)?;
            query.edns = false;
            query.id = rand::random();
            return self.over_either(server, &query, patience).await;
        }
        first
    }

    async fn over_either(
        &self,
        server: SocketAddr,
        query: &Query,
        patience: Duration,
    ) -> Result<Message, Fault> {
        let reply = timeout(patience, self.over_udp(server, query)).await;
        let reply = reply.unwrap_or(Err(Fault::Silent))?;
        match reply {
            Some(message) if !message.truncated => Ok(message),
            Some(_) | None => timeout(patience, self.over_tcp(server, query))
                .await
                .unwrap_or(Err(Fault::Silent)),
        }
    }

    /// `None` when too many strangers answered.
    async fn over_udp(&self, server: SocketAddr, query: &Query) -> Result<Option<Message>, Fault> {
        let socket = self
            .dialer
            .datagrams(server)
            .map_err(|error| network(&error))?;
        socket
            .send(&query.to_wire())
            .map_err(|error| network(&error))?;
        let mut buffer = vec![0; 4_096];
        for _ in 0..MOST_STRANGERS {
            let length = poll_fn(|context| socket.poll_receive(context, &mut buffer)).await;
            let length = length.map_err(|error| network(&error))?;
            let reply = &buffer[..length];
            if query.is_rejected_by(reply) {
                return Message::parse(reply).ok_or(Fault::Malformed).map(Some);
            }
            match query.echoed_by(reply) {
                Echo::Exact => return Message::parse(reply).ok_or(Fault::Malformed).map(Some),
                // A server that does not preserve the case is asked over TCP, where nobody guesses.
                Echo::OtherCase => return Ok(None),
                Echo::None => {}
            }
        }
        Ok(None)
    }

    async fn over_tcp(&self, server: SocketAddr, query: &Query) -> Result<Message, Fault> {
        let fault = |error: std::io::Error| network(&error);
        let mut stream = self.dialer.connect(server).await.map_err(fault)?;
        let wire = query.to_wire();
        // A query has a few hundred octets at most.
        let length = u16::try_from(wire.len()).unwrap_or(u16::MAX).to_be_bytes();
        stream
            .write_all(&[&length, wire.as_slice()].concat())
            .await
            .map_err(fault)?;
        stream.flush().await.map_err(fault)?;
        let length = stream.read_u16().await.map_err(fault)?;
        let mut reply = vec![0; length.into()];
        stream.read_exact(&mut reply).await.map_err(fault)?;
        if query.echoed_by(&reply) == Echo::None && !query.is_rejected_by(&reply) {
            return Err(Fault::Malformed);
        }
        match Message::parse(&reply) {
            Some(message) if !message.truncated => Ok(message),
            _ => Err(Fault::Malformed),
        }
    }
}
