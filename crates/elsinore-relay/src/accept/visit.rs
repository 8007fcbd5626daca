//! One connection: drives a [`ServerSession`], with a deadline for every wait.

use super::certificate;
use super::delivery::{self, Delivery};
use super::terms::Terms;
use crate::event::{Event, Journal};
use elsinore_queue::error::StoreError;
use elsinore_queue::store::QueueStore;
use elsinore_smtp::server::{Action, Phase, Refusal, ServerSession};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

/// Octets that are read at once.
const READ: usize = 32 * 1024;
/// How long a client has to take note of the end.
const LINGER: Duration = Duration::from_secs(2);
/// Octets that are thrown away meanwhile.
const MAX_UNREAD: usize = 1024 * 1024;

/// When sessions inside a transaction must have ended; nothing while the relay runs.
pub(super) type Stopped = watch::Receiver<Option<Instant>>;

/// One connection of a client.
#[derive(Debug)]
pub(super) struct Visit {
    /// Its address; none on the unix socket.
    pub(super) client: Option<IpAddr>,
    pub(super) terms: Arc<Terms>,
    pub(super) store: Arc<dyn QueueStore>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) stopped: Stopped,
}

/// How a conversation ended.
enum Ending {
    /// It is over.
    Over,
    /// TLS is to begin.
    StartTls,
}

struct Conversation {
    visit: Visit,
    session: ServerSession,
    buffer: Box<[u8]>,
    delivery: Option<Delivery>,
    /// TLS, in words.
    tls: Option<String>,
    /// When the command line began that is not yet complete.
    line_began: Option<Instant>,
    /// When the session must have brought a message.
    message_by: Instant,
    /// Time spent waiting for the message under way, and its octets.
    waited: Duration,
    octets: u64,
}

impl Visit {
    /// Talks to the client until it has gone, or must.
    pub(super) async fn run<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let session = ServerSession::new(Arc::clone(&self.terms.session));
        self.talk(session, stream).await;
    }

    /// Tells the client that its mail is not taken, and waits for its QUIT (RFC 5321 §3.1).
    pub(super) async fn turn_away<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let text = format!("relaying denied for {}", self.origin());
        let refusal = Refusal::permanent(554, (7, 1), text);
        let session = ServerSession::turned_away(Arc::clone(&self.terms.session), &refusal);
        self.talk(session, stream).await;
    }

    async fn talk<S>(self, session: ServerSession, mut stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let terms = Arc::clone(&self.terms);
        let mut conversation = Conversation {
            session,
            buffer: vec![0; READ].into_boxed_slice(),
            delivery: None,
            tls: None,
            line_began: None,
            message_by: Instant::now() + terms.settings.times.without_message,
            waited: Duration::ZERO,
            octets: 0,
            visit: self,
        };
        match conversation.converse(&mut stream).await {
            Ending::Over => leave(&mut stream).await,
            Ending::StartTls => {
                let Some(tls) = &terms.tls else { return };
                let acceptor = TlsAcceptor::from(Arc::clone(tls));
                let handshake = timeout(terms.settings.times.handshake, acceptor.accept(stream));
                // Who fails here has learnt why from the alert.
                let Ok(Ok(mut stream)) = handshake.await else {
                    return;
                };
                conversation.tls = Some(certificate::described(stream.get_ref().1));
                conversation.session.tls_established();
                conversation.converse(&mut stream).await;
                leave(&mut stream).await;
            }
        }
    }
}

/// Ends a connection so that the last reply arrives: where octets are left unread, the system cuts the
/// connection off, and what the client has not read by then may be lost. A client that has gone is no
/// trouble.
async fn leave<S>(stream: &mut S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let _ = timeout(LINGER, async {
        stream.shutdown().await?;
        let mut buffer = vec![0; 4096];
        let mut left = MAX_UNREAD;
        while left > 0 {
            match stream.read(&mut buffer).await? {
                0 => break,
                length => left = left.saturating_sub(length),
            }
        }
        std::io::Result::Ok(())
    })
    .await;
}

impl Conversation {
    async fn converse<S>(&mut self, stream: &mut S) -> Ending
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let times = self.visit.terms.settings.times;
        loop {
            let action = self.session.next();
            self.tell();
            match action {
                Action::Send(octets) => {
                    // A whole line was answered.
                    self.line_began = None;
                    let written = timeout(times.reply, async {
                        stream.write_all(&octets).await?;
                        stream.flush().await
                    });
                    if !matches!(written.await, Ok(Ok(()))) {
                        return Ending::Over;
                    }
                }
                Action::Receive(phase) => {
                    if !self.receive(stream, phase).await {
                        return Ending::Over;
                    }
                }
                Action::StartTls => return Ending::StartTls,
                Action::Mail => self.mail(),
                Action::Recipient(_) => self.recipient(),
                Action::Content => self.content(),
                Action::Block => self.block().await,
                Action::Commit => self.commit().await,
                Action::Discard => self.delivery = None,
                Action::Close => return Ending::Over,
            }
        }
    }

    /// Waits for octets; false when there will be none.
    async fn receive<S: AsyncRead + Unpin>(&mut self, stream: &mut S, phase: Phase) -> bool {
        let times = self.visit.terms.settings.times;
        let began = Instant::now();
        let mut deadline = match phase {
            Phase::Command => {
                self.line_began = None;
                (began + times.command).min(self.message_by)
            }
            // Counted from the line's first octet: one octet at a time does not prolong it.
            Phase::Line => *self.line_began.get_or_insert(began) + times.line,
            Phase::Block => {
                self.line_began = None;
                began + times.block
            }
        };
        loop {
            let stopped = *self.visit.stopped.borrow_and_update();
            if let Some(last) = stopped {
                if !self.session.in_transaction() {
                    let text = "the relay stops; come again";
                    self.session.end(&Refusal::temporary(421, (3, 2), text));
                    return true;
                }
                deadline = deadline.min(last);
            }
            let read = timeout_at(deadline, stream.read(&mut self.buffer));
            tokio::select! {
                biased;
                read = read => match read {
                    Ok(Ok(length)) if length > 0 => {
                        let octets = self.buffer.get(..length).unwrap_or_default();
                        self.session.received(octets);
                        if phase == Phase::Block {
                            self.keep_pace(began.elapsed(), length);
                        }
                        return true;
                    }
                    // Closed or broken: a message without its end is forgotten.
                    Ok(_) => return false,
                    Err(_) => {
                        let refusal = match stopped {
                            Some(_) => Refusal::temporary(421, (3, 2), "the relay stops; come again"),
                            None => Refusal::temporary(421, (4, 2), "too slow"),
                        };
                        self.session.end(&refusal);
                        return true;
                    }
                },
                // An error means that the relay is gone already: the next look sees the same.
                changed = self.visit.stopped.changed(), if stopped.is_none() => {
                    if changed.is_err() {
                        return false;
                    }
                }
            }
        }
    }

    /// A message that comes too slowly on the average does not hold its place for ever.
    fn keep_pace(&mut self, waited: Duration, length: usize) {
        let times = self.visit.terms.settings.times;
        self.waited += waited;
        self.message_by += waited;
        self.octets = self.octets.saturating_add(length as u64);
        let counted = self.waited.saturating_sub(times.grace).as_secs();
        if self.octets < counted.saturating_mul(times.slowest) {
            self.session
                .end(&Refusal::temporary(421, (4, 2), "too slow"));
        }
    }

    /// Whether there is room for the message, by the size that was declared. What does not stay in memory
    /// is written twice, into a file of its own and from there into the store.
    fn room(&self) -> Result<(), StoreError> {
        let sender = self.session.sender();
        let size = sender.and_then(|sender| sender.size).unwrap_or(0);
        let in_memory = self.visit.terms.settings.in_memory as u64;
        let times = if size > in_memory { 2 } else { 1 };
        self.visit.store.room(size.saturating_mul(times))
    }

    fn mail(&mut self) {
        match self.room() {
            Ok(()) => self.session.accept(),
            Err(error) => {
                let refusal = delivery::unkept(&error, &*self.visit.journal);
                self.session.refuse(refusal);
            }
        }
    }

    /// There is no local mail here: whoever is taken as a recipient is relayed to. A client that is not
    /// allowed does not come as far as this; it is asked here again all the same, where it counts.
    fn recipient(&mut self) {
        let refused = self
            .visit
            .client
            .filter(|address| !self.visit.terms.settings.allows(*address));
        match refused {
            None => self.session.accept(),
            Some(address) => {
                let text = format!("relaying denied for {address}");
                self.session.refuse(Refusal::permanent(550, (7, 1), text));
            }
        }
    }

    fn content(&mut self) {
        let sender = self.session.sender();
        let smtp_utf8 = sender.is_some_and(|sender| sender.smtp_utf8);
        let visit = &self.visit;
        if let Err(error) = self.room() {
            let refusal = delivery::unkept(&error, &*visit.journal);
            return self.session.refuse(refusal);
        }
        let only = match self.session.recipients() {
            [only] => Some(&only.mailbox),
            _ => None,
        };
        let trace = delivery::trace(
            &visit.terms,
            self.session.hello(),
            visit.client,
            self.tls.as_deref(),
            smtp_utf8,
            only,
        );
        let begun = Delivery::begin(&*visit.store, visit.terms.settings.in_memory, trace);
        self.waited = Duration::ZERO;
        self.octets = 0;
        match begun {
            Ok(delivery) => {
                self.delivery = Some(delivery);
                self.session.accept();
            }
            Err(error) => self.session.refuse(delivery::unwritten(&error)),
        }
    }

    async fn block(&mut self) {
        let Some(delivery) = self.delivery.take() else {
            return;
        };
        match delivery.push(self.session.block()).await {
            Ok(delivery) => {
                let most = self.visit.terms.settings.limits.received_fields;
                if delivery.received_fields() > most {
                    let text = format!("more than {most} Received fields: a loop");
                    return self.session.refuse(Refusal::permanent(554, (4, 6), text));
                }
                self.delivery = Some(delivery);
            }
            Err(error) => {
                let refusal = delivery::unkept(&error.into(), &*self.visit.journal);
                self.session.refuse(refusal);
            }
        }
    }

    async fn commit(&mut self) {
        let (Some(delivery), Some(transaction)) =
            (self.delivery.take(), self.session.take_transaction())
        else {
            let refusal = Refusal::temporary(451, (3, 0), "the message was lost here");
            return self.session.refuse(refusal);
        };
        let origin = self.visit.origin();
        let visit = &self.visit;
        let kept = delivery
            .commit(
                &*visit.store,
                &*visit.journal,
                transaction,
                &origin,
                self.tls.as_deref(),
            )
            .await;
        match kept {
            Ok(text) => {
                self.message_by = Instant::now() + visit.terms.settings.times.without_message;
                self.session.accept_as(&text);
            }
            Err(refusal) => self.session.refuse(refusal),
        }
    }

    /// Hands the session's refusals to the journal.
    fn tell(&mut self) {
        for (code, text) in self.session.told() {
            self.visit.journal.note(&Event::Refused {
                client: self.visit.origin(),
                code,
                text,
            });
        }
    }
}

impl Visit {
    /// The client's address, or `local`.
    pub(super) fn origin(&self) -> String {
        match self.client {
            Some(address) => address.to_canonical().to_string(),
            None => "local".to_owned(),
        }
    }
}

#[cfg(test)]
#[path = "../../tests/accept/store.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests on sockets, which look at more of it"
)]
mod store;
#[cfg(test)]
mod tests;
