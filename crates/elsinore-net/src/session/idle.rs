//! A connection between two transactions.

use super::{Driven, SessionSettings, TlsRecord, go_on};
use crate::deliver::Spool;
use crate::dialer::ByteStream;
use elsinore_smtp::client::{Action, ClientSession, Phase, Timeouts, Transaction};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use tokio::io::{AsyncRead as _, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

/// An open connection whose server waits for MAIL. To be left with [`quit`](Self::quit).
#[derive(Debug)]
pub struct IdleConnection {
    stream: Box<dyn ByteStream>,
    session: ClientSession,
    tls: Option<TlsRecord>,
    buffer: Vec<u8>,
}

impl IdleConnection {
    pub(super) const fn new(
        stream: Box<dyn ByteStream>,
        session: ClientSession,
        tls: Option<TlsRecord>,
        buffer: Vec<u8>,
    ) -> Self {
        Self {
            stream,
            session,
            tls,
            buffer,
        }
    }

    /// The TLS session, when there is one.
    #[must_use]
    pub const fn tls(&self) -> Option<&TlsRecord> {
        self.tls.as_ref()
    }

    /// Whether the server has neither hung up nor said anything since, as far as has arrived here. It
    /// may still be gone: the next transaction finds out.
    pub fn is_quiet(&mut self) -> bool {
        let mut unfilled = ReadBuf::new(&mut self.buffer);
        let mut nobody = Context::from_waker(Waker::noop());
        // Inside TLS this also takes in messages of TLS itself, such as tickets.
        Pin::new(&mut self.stream)
            .poll_read(&mut nobody, &mut unfilled)
            .is_pending()
    }

    /// Does another transaction. `settings` must demand what they demanded when the connection was
    /// made.
    pub async fn transact(
        mut self,
        transaction: Arc<Transaction>,
        settings: &SessionSettings<'_>,
        spool: &Arc<dyn Spool>,
    ) -> Driven {
        self.session.next_transaction(transaction);
        go_on(
            self.stream,
            self.session,
            self.tls,
            self.buffer,
            settings,
            spool,
        )
        .await
    }

    /// Says QUIT and closes.
    pub async fn quit(mut self, timeouts: &Timeouts) {
        let patience = timeouts.of(Phase::Quit);
        // The end of a session: nothing depends on how it goes.
        let _ = timeout(patience, self.say_quit()).await;
        let _ = timeout(super::PARTING, self.stream.shutdown()).await;
    }

    async fn say_quit(&mut self) -> std::io::Result<()> {
        self.session.leave();
        loop {
            match self.session.next() {
                Action::Send { octets, .. } => {
                    self.stream.write_all(&octets).await?;
                    self.stream.flush().await?;
                }
                Action::Receive { .. } => match self.stream.read(&mut self.buffer).await? {
                    0 => self.session.connection_lost(),
                    length => self.session.received(&self.buffer[..length]),
                },
                Action::Close | Action::Idle | Action::StartTls | Action::PullMessage { .. } => {
                    return Ok(());
                }
            }
        }
    }
}
