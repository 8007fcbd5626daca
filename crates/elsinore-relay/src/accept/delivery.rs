//! One message on its way from a client into the store.

use super::received::Trace;
use super::terms::Terms;
use crate::event::{Event, Journal, Severity};
use elsinore_queue::content::Incoming;
use elsinore_queue::error::StoreError;
use elsinore_queue::id::MessageId;
use elsinore_queue::message::{Envelope, MessageHead, NewJob, NewMessage, Recipient, TlsWish};
use elsinore_queue::moment::Moment;
use elsinore_queue::store::QueueStore;
use elsinore_smtp::address::Mailbox;
use elsinore_smtp::server::{ReceivedFields, Refusal, Transaction};
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the store may take to keep a message. A client waits ten minutes (RFC 5321 §4.5.3.2.6).
const LONGEST_COMMIT: Duration = Duration::from_secs(300);

/// The time by the wall clock.
pub(super) fn now() -> Moment {
    let millis = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    Moment(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// A message that is arriving.
#[derive(Debug)]
pub(super) struct Delivery {
    id: MessageId,
    arrived: Moment,
    octets: u64,
    incoming: Incoming,
    received: ReceivedFields,
}

impl Delivery {
    /// A message with its Received field, which `trace` makes of its name and the time.
    pub(super) fn begin(
        store: &dyn QueueStore,
        in_memory: usize,
        trace: impl FnOnce(MessageId, Moment) -> String,
    ) -> io::Result<Self> {
        let arrived = now();
        let id = MessageId::draw(arrived);
        let mut incoming = Incoming::new(store.spool_folder().to_path_buf(), in_memory);
        let field = trace(id, arrived);
        incoming.push(field.as_bytes())?;
        Ok(Self {
            id,
            arrived,
            octets: field.len() as u64,
            incoming,
            received: ReceivedFields::new(),
        })
    }

    /// Takes the next block. What goes to a file is written by a thread that may block.
    pub(super) async fn push(mut self, block: &[u8]) -> io::Result<Self> {
        self.received.push(block);
        self.octets = self.octets.saturating_add(block.len() as u64);
        if !self.incoming.spills(block.len()) {
            self.incoming.push(block)?;
            return Ok(self);
        }
        let block = block.to_vec();
        tokio::task::spawn_blocking(move || {
            self.incoming.push(&block)?;
            Ok(self)
        })
        .await
        .map_err(io::Error::other)?
    }

    /// Received fields that it came with.
    pub(super) const fn received_fields(&self) -> usize {
        self.received.count()
    }

    /// Keeps the message for good: the reply is what the client is told.
    pub(super) async fn commit(
        self,
        store: &dyn QueueStore,
        journal: &dyn Journal,
        transaction: Transaction,
        origin: &str,
        tls: Option<&str>,
    ) -> Result<String, Refusal> {
        let Transaction { sender, recipients } = transaction;
        let envelope = Envelope {
            reverse_path: sender.reverse_path.to_string(),
            ret: sender.ret,
            envelope_id: sender.envelope_id,
            tls: if sender.require_tls {
                TlsWish::Required
            } else {
                TlsWish::Unspecified
            },
            smtp_utf8: sender.smtp_utf8,
            origin: origin.to_owned(),
        };
        let (jobs, count) = jobs(recipients, self.arrived);
        let head = MessageHead {
            id: self.id,
            arrived: self.arrived,
            envelope: envelope.clone(),
            octets: self.octets,
        };
        let message = NewMessage {
            id: self.id,
            arrived: self.arrived,
            envelope,
            jobs,
            content: self.incoming.finish(),
        };
        let kept = match tokio::time::timeout(LONGEST_COMMIT, store.enqueue(message)).await {
            Ok(kept) => kept,
            Err(_) => Err(StoreError::Unavailable(
                "no answer within five minutes".to_owned(),
            )),
        };
        match kept {
            Ok(()) => {
                journal.note(&Event::Accepted {
                    message: Arc::new(head),
                    recipients: count,
                    tls: tls.map(ToOwned::to_owned),
                });
                Ok(format!("queued as {}", self.id))
            }
            Err(error) => Err(unkept(&error, journal)),
        }
    }
}

/// One job for each domain, each recipient once.
fn jobs(recipients: Vec<elsinore_smtp::server::Recipient>, due: Moment) -> (Vec<NewJob>, usize) {
    let mut seen: HashSet<Mailbox> = HashSet::with_capacity(recipients.len());
    let mut of: BTreeMap<String, Vec<Recipient>> = BTreeMap::new();
    for recipient in recipients {
        let destination = recipient.mailbox.domain().to_string();
        let address = recipient.mailbox.to_string();
        if seen.insert(recipient.mailbox) {
            of.entry(destination).or_default().push(Recipient {
                address,
                notify: recipient.notify,
                original: recipient.original,
            });
        }
    }
    let jobs = of.into_iter().map(|(destination, recipients)| NewJob {
        destination,
        recipients,
        due,
        held: None,
    });
    (jobs.collect(), seen.len())
}

/// What a client is told when the store does not take its message: come again (RFC 5321 §4.2.3), and
/// what the administrator is told.
pub(super) fn unkept(error: &StoreError, journal: &dyn Journal) -> Refusal {
    journal.note(&Event::Notice {
        severity: Severity::Error,
        part: "store",
        text: format!("a message was put off: {error}"),
    });
    match error {
        StoreError::Full(_) => full(),
        StoreError::Content(error) => unwritten(error),
        StoreError::Failed(_)
        | StoreError::Newer { .. }
        | StoreError::InUse(_)
        | StoreError::ReadOnly(_)
        | StoreError::Damaged(_)
        | StoreError::Unavailable(_)
        | StoreError::Unknown => not_now(),
        StoreError::Refused(_) => {
            Refusal::permanent(554, (3, 0), "the queue does not take this message")
        }
    }
}

/// What a client is told when its message cannot be written.
pub(super) fn unwritten(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => full(),
        _ => not_now(),
    }
}

fn full() -> Refusal {
    Refusal::temporary(452, (3, 1), "no room for the message now")
}

fn not_now() -> Refusal {
    Refusal::temporary(451, (3, 0), "the queue cannot take a message now")
}

/// What the trace of a message is made of.
pub(super) fn trace<'a>(
    terms: &'a Terms,
    hello: Option<(&'a str, bool)>,
    client: Option<std::net::IpAddr>,
    tls: Option<&'a str>,
    smtp_utf8: bool,
    only: Option<&'a Mailbox>,
) -> impl FnOnce(MessageId, Moment) -> String + 'a {
    let (hello, extended) = hello.unwrap_or_default();
    move |id, now| {
        Trace {
            hello,
            extended,
            client,
            host: &terms.settings.host,
            tls,
            smtp_utf8,
            id,
            only,
            now,
        }
        .field()
    }
}
