//! One question to one server by one way, with nothing tried beside it: what the server does is
//! what is to be found out.

use super::table::Delivery;
use super::tcp::Reuse;
use super::{Wires, not_sent};
use crate::resolver::wire::Query;
use std::net::SocketAddr;
use tokio::time::{Duration, timeout};

/// Patience with one datagram, and how often it is sent: one of two may be lost.
const BY_UDP: Duration = Duration::from_millis(2_000);
const DATAGRAMS: usize = 2;
/// Patience with a connection and the reply on it.
const BY_TCP: Duration = Duration::from_millis(4_000);

/// The octets that came back, or why none did.
pub(in crate::resolver) enum Raw {
    Octets(Vec<u8>),
    Silent,
    Unreachable(String),
    /// A reply to something else.
    Other,
}

impl From<Delivery> for Raw {
    fn from(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Reply(octets) => Self::Octets(octets),
            Delivery::OtherCase | Delivery::Strangers => Self::Other,
            Delivery::Closed(text) => Self::Unreachable(text),
            Delivery::GivenUp => Self::Silent,
        }
    }
}

impl Wires {
    /// One question by UDP.
    pub(in crate::resolver) async fn once_by_udp(&self, server: SocketAddr, query: &Query) -> Raw {
        for _ in 0..DATAGRAMS {
            let mut waiting = match self.sockets.send(&*self.dialer, server, query) {
                Ok(waiting) => waiting,
                Err(error) => return Raw::Unreachable(not_sent(&error).to_string()),
            };
            if let Ok(delivery) = timeout(BY_UDP, waiting.delivery()).await {
                return delivery.into();
            }
        }
        Raw::Silent
    }

    /// One question by TCP, on a connection of its own.
    pub(in crate::resolver) async fn once_by_tcp(&self, server: SocketAddr, query: &Query) -> Raw {
        let waiting = self
            .connections
            .send(&self.dialer, server, query, Reuse::Never);
        let Some(mut waiting) = waiting else {
            return Raw::Unreachable("TCP: no connection left".to_owned());
        };
        match timeout(BY_TCP, waiting.delivery()).await {
            Ok(delivery) => delivery.into(),
            Err(_) => Raw::Silent,
        }
    }
}
