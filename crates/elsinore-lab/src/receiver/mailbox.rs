//! What a mail server of the lab saw: connections, envelopes, messages, TLS.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What happened at one server.
#[derive(Debug, Default)]
pub struct Mailbox {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    connections: Vec<ConnectionRecord>,
    messages: Vec<ReceivedMessage>,
    greylisted: BTreeSet<(String, String)>,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRecord {
    /// The lab address it arrived at.
    pub address: SocketAddr,
    /// The TLS session, once there was one.
    pub tls: Option<SessionTls>,
    /// The commands seen, the DATA itself not among them.
    pub commands: Vec<String>,
    /// Why it ended, when not by QUIT or a closed connection.
    pub trouble: Option<String>,
}

/// A TLS session as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionTls {
    /// Such as `TLSv1.3`.
    pub version: String,
    /// OpenSSL's name of the cipher suite.
    pub cipher: String,
    /// The server name the client sent.
    pub sni: Option<String>,
}

/// One message for which the server took responsibility.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The lab address it arrived at.
    pub address: SocketAddr,
    /// The argument of MAIL, parameters included.
    pub sender: String,
    /// The arguments of the accepted RCPT commands, parameters included.
    pub recipients: Vec<String>,
    /// The octets of the message, dot-stuffing undone.
    pub octets: Vec<u8>,
    /// The TLS session it came over.
    pub tls: Option<SessionTls>,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Every change below is a single push or insert: a panic elsewhere leaves it whole.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The messages taken so far.
    #[must_use]
    pub fn messages(&self) -> Vec<ReceivedMessage> {
        self.lock().messages.clone()
    }

    /// The connections so far.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionRecord> {
        self.lock().connections.clone()
    }

    /// Forgets everything but the greylist.
    pub fn clear(&self) {
        let mut seen = self.lock();
        seen.connections.clear();
        seen.messages.clear();
    }

    pub(super) fn connected(&self, address: SocketAddr) -> usize {
        let mut seen = self.lock();
        seen.connections.push(ConnectionRecord {
            address,
            tls: None,
            commands: Vec::new(),
            trouble: None,
        });
        seen.connections.len() - 1
    }

    /// Where a connection arrived; the unspecified address after `clear`.
    pub(super) fn address_of(&self, number: usize) -> SocketAddr {
        self.lock().connections.get(number).map_or_else(
            || (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
            |record| record.address,
        )
    }

    fn with_connection(&self, number: usize, change: impl FnOnce(&mut ConnectionRecord)) {
        // After `clear` a connection that is still open has no record any more.
        if let Some(record) = self.lock().connections.get_mut(number) {
            change(record);
        }
    }

    pub(super) fn command(&self, number: usize, line: &str) {
        /// Enough for any test; a client that sends more is cut here.
        const KEPT: usize = 1000;
        self.with_connection(number, |record| {
            if record.commands.len() < KEPT {
                record.commands.push(line.to_owned());
            }
        });
    }

    pub(super) fn secured(&self, number: usize, tls: &SessionTls) {
        self.with_connection(number, |record| record.tls = Some(tls.clone()));
    }

    pub(super) fn ended(&self, number: usize, reason: String) {
        self.with_connection(number, |record| record.trouble = Some(reason));
    }

    pub(super) fn store(&self, message: ReceivedMessage) {
        self.lock().messages.push(message);
    }

    /// Whether this sender and recipient are new to a greylisting server.
    pub(super) fn is_new(&self, sender: &str, recipient: &str) -> bool {
        self.lock()
            .greylisted
            .insert((sender.to_owned(), recipient.to_owned()))
    }
}
