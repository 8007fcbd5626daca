//! What became of jobs is written, several at once, each in one transaction with what senders are told
//! of it.

use super::achieved::{Achieved, Memory};
use super::verdict::Verdict;
use crate::clock::WallClock;
use crate::event::{Event, Journal, Severity};
use crate::notice::{Composed, NoticeSettings, Told, compose};
use elsinore_queue::error::StoreError;
use elsinore_queue::id::MessageId;
use elsinore_queue::job::{Lease, Leased, Rest, Settled, Settlement};
use elsinore_queue::message::NewMessage;
use elsinore_queue::store::QueueStore;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// The first pause after the store refused.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A job whose end is to be written.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    pub(super) job: Arc<Leased>,
    pub(super) verdict: Verdict,
    pub(super) achieved: Option<Achieved>,
}

/// What writing needs.
#[derive(Debug, Clone)]
pub(super) struct Pen {
    pub(super) store: Arc<dyn QueueStore>,
    pub(super) clock: Arc<dyn WallClock>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) notices: watch::Receiver<Arc<NoticeSettings>>,
    pub(super) memory: Arc<Memory>,
}

/// A notification that goes with a settlement.
struct Noticed {
    message: NewMessage,
    kind: &'static str,
}

/// What is told about one job.
#[derive(Default)]
struct Telling {
    notice: Option<Noticed>,
    /// Why nobody can be told.
    nobody: Option<String>,
    /// The content could not be read: the job is kept for the administrator.
    held: Option<String>,
}

/// What is said of a settlement when it was written: the notice with its kind, and the rest.
type Said = (Option<(MessageId, &'static str)>, Telling);

impl Pen {
    /// Writes what became of `batch`, for as long as it takes; the answer names the leases that need no
    /// longer be thought of.
    ///
    /// # Errors
    /// [`StoreError::Failed`]: the store takes nothing any more.
    pub(super) async fn write(self, batch: Vec<Finished>) -> Result<Vec<Lease>, StoreError> {
        let jobs = batch.iter().map(|finished| finished.job.lease).collect();
        let mut open = batch.clone();
        if self.persist(&mut open).await?.is_err() {
            // One settlement that the store refuses must not keep the others from being written. Its
            // own lease runs out, and the job is tried again.
            for finished in open {
                let mut alone = vec![finished.clone()];
                if let Err(error) = self.persist(&mut alone).await? {
                    self.complain(format!(
                        "the end of {} for {} cannot be written: {error}",
                        finished.job.message.id, finished.job.destination
                    ));
                }
            }
        }
        self.compare(&batch).await;
        Ok(jobs)
    }

    /// Writes what is `open`, for as long as it takes; what is left there was refused for good, for the
    /// reason that is answered.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    async fn persist(
        &self,
        open: &mut Vec<Finished>,
    ) -> Result<Result<(), StoreError>, StoreError> {
        let mut pause = FIRST_PAUSE;
        let mut is_told = false;
        let mut sent = Vec::new();
        loop {
            let refused = match self.attempt(open, &mut sent).await {
                Ok(()) => return Ok(Ok(())),
                Err(error) => error,
            };
            if matches!(refused, StoreError::Failed(_)) {
                return Err(refused);
            }
            if is_lasting(&refused) {
                return Ok(Err(refused));
            }
            if !is_told {
                self.complain(format!("the ends of {} jobs wait: {refused}", open.len()));
                is_told = true;
            }
            loop {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                match self.find_settled(open, &mut sent).await {
                    Ok(()) => break,
                    Err(error @ StoreError::Failed(_)) => return Err(error),
                    Err(_) => {}
                }
            }
            if open.is_empty() {
                return Ok(Ok(()));
            }
        }
    }

    /// Takes out of `open` what was written though the answer did not come. `sent` is what would have
    /// been said of each.
    ///
    /// # Errors
    /// The store's: it is not known yet.
    async fn find_settled(
        &self,
        open: &mut Vec<Finished>,
        sent: &mut Vec<Said>,
    ) -> Result<(), StoreError> {
        if sent.is_empty() {
            return Ok(());
        }
        let leases = open.iter().map(|finished| finished.job.lease).collect();
        let known = self.store.settled(leases).await?;
        let all = std::mem::take(open).into_iter().zip(sent.drain(..));
        for ((finished, (kind, telling)), settled) in all.zip(known) {
            match settled {
                Some(settled) => self.say(&finished, kind, telling, settled),
                None => open.push(finished),
            }
        }
        Ok(())
    }

    /// Compares what was achieved with what was before. Mail does not depend on it: what cannot be
    /// looked up now is compared another time.
    async fn compare(&self, batch: &[Finished]) {
        for finished in batch {
            let Some(achieved) = &finished.achieved else {
                continue;
            };
            let (destination, now) = (&finished.job.destination, self.clock.now());
            let compared = self.memory.take(&self.store, destination, achieved, now);
            match compared.await {
                Ok(Some(event)) => self.journal.note(&event),
                Ok(None) => {}
                Err(error) => {
                    self.complain(format!("what {destination} achieved before: {error}"));
                    return;
                }
            }
        }
    }

    /// Settles `batch` once; `sent` is then what is said of each when it was written.
    async fn attempt(&self, batch: &[Finished], sent: &mut Vec<Said>) -> Result<(), StoreError> {
        sent.clear();
        let mut settlements = Vec::with_capacity(batch.len());
        let mut tellings = Vec::with_capacity(batch.len());
        for finished in batch {
            let mut telling = self.telling(finished).await?;
            let mut rest = finished.verdict.rest.clone();
            if let Some(why) = &telling.held {
                rest = Some(kept(&finished.job, rest, &finished.verdict.told, why));
            }
            let mut notices = Vec::new();
            let mut kind = None;
            if let Some(noticed) = telling.notice.take() {
                kind = Some((noticed.message.id, noticed.kind));
                notices.push(noticed.message);
            }
            settlements.push(Settlement {
                lease: finished.job.lease,
                rest,
                notices,
            });
            tellings.push((kind, telling));
        }
        *sent = tellings;
        let answers = self.store.settle(settlements).await?;
        for ((finished, (kind, telling)), settled) in batch.iter().zip(sent.drain(..)).zip(answers)
        {
            self.say(finished, kind, telling, settled);
        }
        Ok(())
    }

    /// Composes what is told of a job; the content is read on a thread where blocking is allowed.
    async fn telling(&self, finished: &Finished) -> Result<Telling, StoreError> {
        if finished.verdict.told.is_empty() {
            return Ok(Telling::default());
        }
        let head = Arc::clone(&finished.job.message);
        let body = match self.store.body(head.id).await {
            Ok(body) => body,
            Err(error @ (StoreError::Unknown | StoreError::Damaged(_))) => {
                return Ok(Telling {
                    held: Some(error.to_string()),
                    ..Telling::default()
                });
            }
            Err(StoreError::Content(error)) if passes(&error) => {
                return Err(StoreError::Unavailable(error.to_string()));
            }
            Err(StoreError::Content(error)) => {
                return Ok(Telling {
                    held: Some(format!("its content cannot be read: {error}")),
                    ..Telling::default()
                });
            }
            Err(error) => return Err(error),
        };
        let told = finished.verdict.told.clone();
        let settings = Arc::clone(&self.notices.borrow());
        let (folder, now) = (self.store.spool_folder().to_path_buf(), self.clock.now());
        let composing = move || compose(&settings, &head, told, &*body, &folder, now);
        let composed = match tokio::task::spawn_blocking(composing).await {
            Ok(composed) => composed,
            Err(error) => {
                return Ok(Telling {
                    held: Some(format!("no notice could be written: {error}")),
                    ..Telling::default()
                });
            }
        };
        Ok(match composed {
            Ok(Composed::Notice { message, kind }) => Telling {
                notice: Some(Noticed { message, kind }),
                ..Telling::default()
            },
            Ok(Composed::Unasked) => Telling::default(),
            Ok(Composed::Nobody(why)) => Telling {
                nobody: Some(why),
                ..Telling::default()
            },
            Err(error) if !passes(&error) => Telling {
                held: Some(format!("its content cannot be read: {error}")),
                ..Telling::default()
            },
            Err(error) => return Err(StoreError::Unavailable(error.to_string())),
        })
    }

    fn say(
        &self,
        finished: &Finished,
        notice: Option<(MessageId, &'static str)>,
        telling: Telling,
        settled: Settled,
    ) {
        let job = &finished.job;
        let about = job.message.id;
        match settled {
            Settled::Lost => {
                self.journal.note(&Event::LeaseLost {
                    message: about,
                    destination: job.destination.clone(),
                });
                return;
            }
            Settled::Done => {}
        }
        if let Some((notice, kind)) = notice {
            self.journal.note(&Event::Notified {
                about,
                notice,
                kind,
            });
        }
        if let Some(reason) = telling.nobody {
            self.journal.note(&Event::Dropped { about, reason });
        }
        if let Some(why) = telling.held {
            self.complain(format!(
                "{about} for {} is held: its sender should be told of it, but {why}",
                job.destination
            ));
        }
    }

    fn complain(&self, text: String) {
        self.journal.note(&Event::Notice {
            severity: Severity::Error,
            part: "store",
            text,
        });
    }
}

/// Whether asking again would come to the same.
fn is_lasting(error: &StoreError) -> bool {
    match error {
        StoreError::Damaged(_)
        | StoreError::Unknown
        | StoreError::Content(_)
        | StoreError::Refused(_) => true,
        StoreError::Full(_)
        | StoreError::Failed(_)
        | StoreError::Newer { .. }
        | StoreError::InUse(_)
        | StoreError::ReadOnly(_)
        | StoreError::Unavailable(_) => false,
    }
}

/// Whether a fault of the file system may pass by itself.
fn passes(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, OutOfMemory, QuotaExceeded, StorageFull};
    /// No file descriptor is left, in the system or in this process.
    const NO_FILES: [i32; 2] = [23, 24];
    matches!(
        error.kind(),
        Interrupted | OutOfMemory | QuotaExceeded | StorageFull
    ) || error
        .raw_os_error()
        .is_some_and(|code| NO_FILES.contains(&code))
}

/// What is left for the administrator when nobody could be told: the recipients that wait, and those
/// of whom somebody should have been told. Who has the message is not among them.
fn kept(job: &Leased, rest: Option<Rest>, told: &[Told], why: &str) -> Rest {
    let mut kept = rest.unwrap_or_else(|| Rest {
        due: job.message.arrived,
        recipients: Vec::new(),
        standing: job.standing.clone(),
        held: None,
    });
    let waits = |address: &str| kept.recipients.iter().any(|one| one.address == address);
    let owed =
        |address: &str| (told.iter()).any(|one| one.address() == address && !one.has_the_message());
    let recipients = job.recipients.iter();
    kept.recipients = recipients
        .filter(|one| waits(&one.address) || owed(&one.address))
        .cloned()
        .collect();
    // Only a receipt is missing: there is nobody left to try, and the administrator decides.
    if kept.recipients.is_empty() {
        kept.recipients.clone_from(&job.recipients);
    }
    kept.standing.warned = job.standing.warned;
    kept.held = Some(why.to_owned());
    kept
}
