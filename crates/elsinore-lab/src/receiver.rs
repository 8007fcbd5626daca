//! Mail servers of the lab: SMTP with real TLS (OpenSSL, so that TLS 1.0 and odd certificates are
//! possible), which keep what they received and misbehave as told.
//!
//! A [`Receiver`] talks over any byte stream: loopback sockets and simulated networks alike.

mod dialogue;
mod lines;
mod mailbox;
pub mod tls;

pub use mailbox::{ConnectionRecord, Mailbox, ReceivedMessage, SessionTls};

use crate::scenario::ReceiverSpec;
use dialogue::Dialogue;
use elsinore_net::dialer::ByteStream;
use openssl::ssl::SslContext;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The longest a connection may last, so that a forgotten client never holds one for ever.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(600);

/// The largest message that is kept, octets.
pub const LARGEST_MESSAGE: usize = 64 * 1024 * 1024;

/// One mail server.
#[derive(Debug)]
pub struct Receiver {
    spec: ReceiverSpec,
    host_name: String,
    tls: Option<SslContext>,
    mailbox: Arc<Mailbox>,
}

impl Receiver {
    /// A server that behaves as `spec` says, calls itself `host_name` and, with `tls`, can do
    /// STARTTLS.
    #[must_use]
    pub fn new(spec: ReceiverSpec, host_name: impl Into<String>, tls: Option<SslContext>) -> Self {
        Self {
            spec,
            host_name: host_name.into(),
            tls,
            mailbox: Arc::new(Mailbox::default()),
        }
    }

    /// What it received so far.
    #[must_use]
    pub const fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// The name it gives in its greeting.
    #[must_use]
    pub fn host_name(&self) -> &str {
        &self.host_name
    }

    /// Serves one connection that arrived at `address`, to its end. Errors of the connection are
    /// the client's affair: they end it and are kept in the [`Mailbox`].
    pub async fn serve(&self, stream: Box<dyn ByteStream>, address: SocketAddr) {
        let number = self.mailbox.connected(address);
        let dialogue = Dialogue::new(
            &self.spec,
            &self.host_name,
            self.tls.as_ref(),
            &self.mailbox,
            number,
        );
        let ended = tokio::time::timeout(CONNECTION_DEADLINE, dialogue.run(stream)).await;
        let reason = match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "lasted too long".to_owned(),
        };
        self.mailbox.ended(number, reason);
    }
}
