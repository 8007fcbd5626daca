//! One job: its envelope and message made ready, sent, and the answers put in order.

use super::achieved::Achieved;
use super::surveys::{Shared, Surveys};
use super::verdict::ours;
use elsinore_net::deliver::{
    ConnectionCounters, Envelope, Message, Outcome, Recall, RecipientReport, Refreshed, SendReport,
    Sender, Spool, SpoolReader, SpooledBytes, TlsWish, UnsendableMessage,
};
use elsinore_net::sts::CacheError;
use elsinore_queue::content::{Body, BodyReader};
use elsinore_queue::error::StoreError;
use elsinore_queue::job::Leased;
use elsinore_queue::message;
use elsinore_queue::store::QueueStore;
use elsinore_smtp::address::{Mailbox, ReversePath};
use elsinore_smtp::client::{HeaderUtf8, Recipient};
use elsinore_smtp::command::{
    EnvelopeId, GreetingName, Notify, OriginalRecipient, RcptParameters, Return,
};
use elsinore_smtp::message::{BlindCopies, Completion, Survey, TlsRequired};
use futures_util::future::BoxFuture;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Messages of at most so many octets are read into memory for the time of a transaction.
const IN_MEMORY: u64 = 256 * 1024;

/// Whoever carries one message to its recipients once. [`Sender`] does; tests have others.
pub trait Courier: fmt::Debug + Send + Sync {
    /// Sends `message` to every recipient of `envelope`; the report has them in the same order.
    fn carry<'a>(
        &'a self,
        envelope: &'a Envelope,
        message: &'a Message,
    ) -> BoxFuture<'a, SendReport>;

    /// What became of its connections; a courier that keeps none has nothing to say.
    fn connections(&self) -> ConnectionCounters {
        ConnectionCounters::default()
    }

    /// Fetches stored MTA-STS policies again long before they end (RFC 8461 §3.3), until dropped;
    /// `tell` hears what each look came to. A courier without policies has nothing to do.
    fn keep_policies_fresh<'a>(
        &'a self,
        tell: &'a mut (dyn FnMut(Result<Refreshed, CacheError>) + Send),
    ) -> BoxFuture<'a, ()> {
        let _ = tell;
        Box::pin(std::future::pending())
    }
}

impl Courier for Sender {
    fn carry<'a>(
        &'a self,
        envelope: &'a Envelope,
        message: &'a Message,
    ) -> BoxFuture<'a, SendReport> {
        Box::pin(self.send(envelope, message))
    }

    fn connections(&self) -> ConnectionCounters {
        // The sender's own, not this one.
        Self::connections(self)
    }

    fn keep_policies_fresh<'a>(
        &'a self,
        tell: &'a mut (dyn FnMut(Result<Refreshed, CacheError>) + Send),
    ) -> BoxFuture<'a, ()> {
        Box::pin(Self::keep_policies_fresh(self, tell))
    }
}

/// What became of the work on a job.
#[derive(Debug)]
pub(super) enum End {
    /// It was tried.
    Tried {
        /// One entry for each recipient of the job, in its order.
        reports: Vec<RecipientReport>,
        /// What the courier reported, if it was asked at all.
        report: Option<Arc<SendReport>>,
        /// What was achieved, where the message asked for nothing else than what is announced.
        achieved: Option<Achieved>,
        /// How long it took.
        took: Duration,
    },
    /// The message could not be read for the moment.
    NotNow(String),
    /// The message cannot be read at all.
    Unreadable(String),
}

/// What the work needs besides the job.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) store: Arc<dyn QueueStore>,
    pub(super) courier: Arc<dyn Courier>,
    pub(super) greeting_name: GreetingName,
    pub(super) surveys: Surveys,
}

/// Whether all octets of the message were handed out in some transaction: from then on the final dot
/// may have been sent.
#[derive(Debug, Clone, Default)]
pub(super) struct HandedOut(Arc<AtomicBool>);

impl HandedOut {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What is kept of work under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Reins {
    /// Whether the final dot may have been sent.
    pub(super) handed_out: HandedOut,
    /// Ends it with what is known.
    pub(super) recall: Recall,
}

/// Tries `job` once.
pub(super) async fn work(tools: Tools, job: Arc<Leased>, reins: Reins) -> End {
    let begun = Instant::now();
    let (envelope, mut places) = envelope(&job);
    let mut asks_for_nothing = false;
    let report = if envelope.recipients.is_empty() {
        None
    } else {
        // Held until the attempt is over, for other jobs of the message.
        let shared = tools.surveys.of(job.message.id);
        let sender = &envelope.reverse_path;
        let message = match message(&tools, &job, sender, reins, &shared).await {
            Ok(message) => message,
            Err(Unusable::NotNow(why)) => return End::NotNow(why),
            Err(Unusable::Unreadable(why)) => return End::Unreadable(why),
            Err(Unusable::Content(why)) => {
                let refused = |recipient: &message::Recipient| {
                    let reply = (554, "5.6.0", why.clone());
                    ours(&recipient.address, Outcome::Bounced, reply)
                };
                return End::Tried {
                    reports: job.recipients.iter().map(refused).collect(),
                    report: None,
                    achieved: None,
                    took: begun.elapsed(),
                };
            }
        };
        asks_for_nothing = envelope.tls == TlsWish::AsAnnounced
            && message.survey.tls_required() == TlsRequired::Unsaid;
        Some(tools.courier.carry(&envelope, &message).await)
    };
    let mut answers = report.iter().flat_map(|report| report.recipients.iter());
    let reports = places
        .iter_mut()
        .zip(&job.recipients)
        .map(|(place, recipient)| match place.take() {
            Some(refused) => refused,
            None => answers.next().cloned().unwrap_or_else(|| {
                let text = "no answer about this recipient was reported".to_owned();
                ours(&recipient.address, Outcome::Deferred, (451, "4.3.0", text))
            }),
        })
        .collect();
    End::Tried {
        reports,
        achieved: report
            .as_ref()
            .filter(|_| asks_for_nothing)
            .and_then(Achieved::by),
        report: report.map(Arc::new),
        took: begun.elapsed(),
    }
}

/// The envelope in the terms of a session, and for each recipient of the job the answer that it has
/// already because its address is none.
fn envelope(job: &Leased) -> (Envelope, Vec<Option<RecipientReport>>) {
    let kept = &job.message.envelope;
    let mut recipients = Vec::with_capacity(job.recipients.len());
    let places = job
        .recipients
        .iter()
        .map(|recipient| match Mailbox::parse(&recipient.address) {
            Ok(mailbox) => {
                let parameters = RcptParameters {
                    notify: (recipient.notify.as_deref()).and_then(|text| Notify::parse(text).ok()),
                    original: (recipient.original.as_deref())
                        .and_then(|text| OriginalRecipient::parse(text).ok()),
                };
                recipients.push(Recipient {
                    mailbox,
                    parameters,
                });
                None
            }
            Err(error) => {
                let reply = (553, "5.1.3", error.to_string());
                Some(ours(&recipient.address, Outcome::Bounced, reply))
            }
        })
        .collect();
    // What was accepted was parsed then; a path that is none any more is served as the null path.
    let reverse_path = ReversePath::parse(&kept.reverse_path).unwrap_or(ReversePath::Null);
    let envelope = Envelope {
        reverse_path,
        recipients,
        header_utf8: if kept.smtp_utf8 {
            HeaderUtf8::Declared
        } else {
            HeaderUtf8::Undeclared
        },
        tls: match kept.tls {
            message::TlsWish::Unspecified => TlsWish::AsAnnounced,
            message::TlsWish::Required => TlsWish::Require,
            message::TlsWish::Optional => TlsWish::NotRequired,
        },
        ret: (kept.ret.as_deref()).and_then(|text| Return::parse(text).ok()),
        envelope_id: (kept.envelope_id.as_deref())
            .and_then(|text| EnvelopeId::from_xtext(text).ok()),
    };
    (envelope, places)
}

/// Why a message cannot be sent.
enum Unusable {
    NotNow(String),
    Unreadable(String),
    Content(String),
}

impl From<StoreError> for Unusable {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::Unknown | StoreError::Damaged(_) => Self::Unreadable(text),
            StoreError::Content(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Unreadable(text)
            }
            StoreError::Content(_)
            | StoreError::Full(_)
            | StoreError::Failed(_)
            | StoreError::Newer { .. }
            | StoreError::InUse(_)
            | StoreError::ReadOnly(_)
            | StoreError::Unavailable(_)
            | StoreError::Refused(_) => Self::NotNow(text),
        }
    }
}

impl From<UnsendableMessage> for Unusable {
    fn from(error: UnsendableMessage) -> Self {
        match error {
            UnsendableMessage::Unreadable(error) => Self::from(StoreError::Content(error)),
            UnsendableMessage::Content(error) => Self::Content(error.to_string()),
        }
    }
}

/// The message, surveyed, by whoever comes first. What is added to a message without Date or Message-ID
/// is the same at every attempt and for every recipient.
async fn message(
    tools: &Tools,
    job: &Leased,
    sender: &ReversePath,
    reins: Reins,
    shared: &Shared,
) -> Result<Message, Unusable> {
    let head = &job.message;
    let body = tools.store.body(head.id).await?;
    let is_small = body.octets() <= IN_MEMORY;
    let inner: Arc<dyn Spool> = if is_small {
        // Written a moment ago as a rule, and so in the page cache.
        let octets = match body.in_memory() {
            Some(octets) => octets,
            None => read_whole(&*body).map_err(StoreError::Content)?,
        };
        Arc::new(SpooledBytes(octets))
    } else {
        Arc::new(SpooledBody(body))
    };
    let survey = async || -> Result<Arc<Survey>, Unusable> {
        let mut token = [0; 16];
        token[..10].copy_from_slice(&head.id.octets());
        let completion = Completion {
            now: head.arrived.seconds(),
            token,
            host: tools.greeting_name.clone(),
            sender: sender.clone(),
            blind_copies: BlindCopies::Keep,
        };
        let spool = Arc::clone(&inner);
        let survey = move || Message::survey(spool, completion);
        let surveyed = if is_small {
            survey()
        } else {
            tokio::task::spawn_blocking(survey)
                .await
                .map_err(|error| Unusable::NotNow(error.to_string()))?
        };
        Ok(surveyed?.survey)
    };
    let survey = shared.get_or_try_init(survey).await?;
    Ok(Message {
        survey: Arc::clone(survey),
        spool: Arc::new(Observed {
            inner,
            handed_out: reins.handed_out,
        }),
        recall: reins.recall,
    })
}

fn read_whole(body: &dyn Body) -> io::Result<Arc<[u8]>> {
    let mut octets = Vec::with_capacity(usize::try_from(body.octets()).unwrap_or(0));
    body.open()?.read_to_end(&mut octets)?;
    Ok(octets.into())
}

/// A body of the store as a spool.
#[derive(Debug)]
struct SpooledBody(Arc<dyn Body>);

impl Spool for SpooledBody {
    fn open(&self) -> io::Result<Box<dyn SpoolReader>> {
        Ok(Box::new(OpenBody(self.0.open()?)))
    }
}

struct OpenBody(Box<dyn BodyReader>);

impl Read for OpenBody {
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        self.0.read(block)
    }
}

impl Seek for OpenBody {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.0.seek(position)
    }
}

/// A spool of which is known whether it was read to its end.
#[derive(Debug)]
struct Observed {
    inner: Arc<dyn Spool>,
    handed_out: HandedOut,
}

impl Spool for Observed {
    fn open(&self) -> io::Result<Box<dyn SpoolReader>> {
        self.inner.open()
    }

    fn in_memory(&self) -> Option<Arc<[u8]>> {
        self.inner.in_memory()
    }

    fn reached_end(&self) {
        self.handed_out.0.store(true, Ordering::Release);
    }
}
