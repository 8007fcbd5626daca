//! One question to one server: UDP with an unpredictable port, identifier and letter case, TCP
//! when the reply does not fit, plain DNS when the server knows no EDNS (RFC 1035 §4.2, RFC 6891
//! §6.2.2, RFC 5452, RFC 7766).

mod lines;
mod single;
mod table;
mod tcp;
mod udp;

pub(super) use single::Raw;

use super::core::{Core, Work};
use super::wire::{Message, Query, QueryBits, Question, Rcode};
use crate::dialer::Dialer;
use elsinore_dane::answer::ExtendedError;
use elsinore_dane::security::Cause;
use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use table::Delivery;
use tcp::{Connections, Reuse};
use tokio::time::{Duration, Instant};
use udp::Sockets;

/// What went wrong with one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// No reply in time.
    Silent,
    /// The network refused.
    Network(String),
    /// This machine has no way to addresses of that family.
    NoRoute(String),
    /// A reply that does not fit a datagram, and why it was not had over TCP.
    Truncated(String),
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
        matches!(self, Self::Silent | Self::Network(_) | Self::NoRoute(_))
    }

    /// How much a fault tells; the one that tells most is reported.
    pub(super) const fn weight(&self) -> u8 {
        match self {
            Self::Network(_) | Self::NoRoute(_) => 0,
            Self::Silent => 1,
            Self::Malformed | Self::Lame(_) | Self::Truncated(_) => 2,
            Self::Refused(_, None) => 3,
            Self::Refused(_, Some(_)) => 4,
            Self::Budget(_) => 5,
        }
    }

    /// What kind of reason it is.
    pub(super) const fn cause(&self) -> Cause {
        match self {
            Self::Silent | Self::Network(_) | Self::NoRoute(_) | Self::Lame(_) => {
                Cause::Unreachable
            }
            Self::Truncated(_) => Cause::Unreachable,
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
            Self::Network(text) | Self::NoRoute(text) => write!(f, "nothing ({text})"),
            Self::Truncated(text) => write!(f, "nothing whole (truncated over UDP; {text})"),
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

/// How a server is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) transport: Transport,
    pub(super) edns: Edns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// UDP, and TCP for what does not fit.
    Udp,
    Tcp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edns {
    /// EDNS with DO, and plain DNS for a server that rejects it.
    Offered,
    /// Plain DNS at once.
    LeftOut,
}

/// What one exchange brought.
#[derive(Debug)]
pub(super) struct Exchanged {
    pub(super) outcome: Result<Message, Fault>,
    /// Time to the first reply by UDP.
    pub(super) round_trip: Option<Duration>,
    /// The server has rejected EDNS and then answered without.
    pub(super) knows_no_edns: bool,
}

/// Sockets and connections to servers.
#[derive(Debug)]
pub(super) struct Wires {
    dialer: Arc<dyn Dialer>,
    sockets: Sockets,
    connections: Connections,
    octets: Octets,
}

/// Whether messages keep the octets they were read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Octets {
    Kept,
    Dropped,
}

impl Wires {
    /// Opens at most `sockets` sockets, and a quarter of that in connections.
    pub(super) fn new(dialer: Arc<dyn Dialer>, sockets: usize, octets: Octets) -> Self {
        Self {
            dialer,
            sockets: Sockets::new(sockets),
            connections: Connections::new(sockets / 4),
            octets,
        }
    }

    fn read(&self, reply: &[u8]) -> Option<Message> {
        let mut message = Message::parse(reply)?;
        message.wire = match self.octets {
            Octets::Kept => Some(reply.into()),
            Octets::Dropped => None,
        };
        Some(message)
    }

    async fn over_udp(&self, server: SocketAddr, query: &Query) -> Result<Datagram, Fault> {
        let sent = self.sockets.send(&*self.dialer, server, query);
        match sent.map_err(|error| not_sent(&error))?.delivery().await {
            Delivery::Reply(reply) => match self.read(&reply) {
                Some(message) if message.truncated => Ok(Datagram::Elsewhere),
                Some(message) => Ok(Datagram::Reply(message)),
                None => Err(Fault::Malformed),
            },
            // A server that does not preserve the case is asked over TCP, where nobody guesses.
            Delivery::OtherCase | Delivery::Strangers => Ok(Datagram::Elsewhere),
            Delivery::Closed(text) => Err(Fault::Network(text)),
            Delivery::GivenUp => Err(Fault::Silent),
        }
    }

    async fn over_tcp(&self, server: SocketAddr, query: &Query) -> Result<Message, Fault> {
        let mut reuse = Reuse::Welcome;
        loop {
            let waiting = self.connections.send(&self.dialer, server, query, reuse);
            let Some(mut waiting) = waiting else {
                return Err(Fault::Network("TCP: no connection left".to_owned()));
            };
            match waiting.delivery().await {
                Delivery::Reply(reply) => {
                    return match self.read(&reply) {
                        Some(message) if !message.truncated => Ok(message),
                        _ => Err(Fault::Malformed),
                    };
                }
                // A server may close an idle connection at any time (RFC 7766 §6.2.4).
                Delivery::Closed(_) if waiting.reused && reuse == Reuse::Welcome => {
                    reuse = Reuse::Never;
                }
                Delivery::Closed(text) => return Err(Fault::Network(text)),
                Delivery::GivenUp => return Err(Fault::Silent),
                Delivery::OtherCase | Delivery::Strangers => return Err(Fault::Malformed),
            }
        }
    }
}

/// What it means that a datagram could not even be sent.
fn not_sent(error: &std::io::Error) -> Fault {
    let no_address = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    let is_about_the_family = matches!(
        error.kind(),
        ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable
    ) || error.raw_os_error() == Some(no_address);
    if is_about_the_family {
        Fault::NoRoute(error.to_string())
    } else {
        Fault::Network(error.to_string())
    }
}

enum Datagram {
    Reply(Message),
    /// The question has to go over TCP.
    Elsewhere,
}

impl Core {
    /// Asks one server, without a deadline of its own.
    pub(super) async fn exchange(
        &self,
        server: SocketAddr,
        question: &Question,
        bits: QueryBits,
        manner: Manner,
        work: &Work,
    ) -> Exchanged {
        let mut query = Query {
            question: question.clone(),
            bits,
            edns: manner.edns == Edns::Offered,
            id: 0,
            case: rand::random(),
        };
        let mut first = self
            .over_either(server, &query, manner.transport, work)
            .await;
        let rejects_edns = first.outcome.as_ref().is_ok_and(|message| {
            matches!(
                message.rcode,
                Rcode::FORMERR | Rcode::NOTIMP | Rcode::BADVERS
            )
        });
        // Of an upstream resolver DNSSEC is required, so plain DNS would not help.
        if rejects_edns && query.edns && bits == QueryBits::Iterative {
            if let Err(text) = work.budget.query() {
                first.outcome = Err(Fault::Budget(text));
                return first;
            }
            query.edns = false;
            let plain = self
                .over_either(server, &query, manner.transport, work)
                .await;
            first.knows_no_edns = plain
                .outcome
                .as_ref()
                .is_ok_and(|message| matches!(message.rcode, Rcode::NOERROR | Rcode::NXDOMAIN));
            first.outcome = plain.outcome;
        }
        first
    }

    async fn over_either(
        &self,
        server: SocketAddr,
        query: &Query,
        transport: Transport,
        work: &Work,
    ) -> Exchanged {
        let only = |outcome| Exchanged {
            outcome,
            round_trip: None,
            knows_no_edns: false,
        };
        if transport == Transport::Tcp {
            return only(self.wires.over_tcp(server, query).await);
        }
        let start = Instant::now();
        let datagram = self.wires.over_udp(server, query).await;
        let outcome = match datagram {
            Err(fault) if fault.is_silence() => return only(Err(fault)),
            Err(fault) => Err(fault),
            Ok(Datagram::Reply(message)) => Ok(message),
            Ok(Datagram::Elsewhere) => {
                let round_trip = Some(start.elapsed());
                let outcome = match work.budget.query() {
                    Err(text) => Err(Fault::Budget(text)),
                    Ok(()) => self.wires.over_tcp(server, query).await,
                };
                return Exchanged {
                    outcome: outcome.map_err(|fault| match fault {
                        Fault::Network(text) => Fault::Truncated(text),
                        other => other,
                    }),
                    round_trip,
                    knows_no_edns: false,
                };
            }
        };
        Exchanged {
            outcome,
            round_trip: Some(start.elapsed()),
            knows_no_edns: false,
        }
    }
}
