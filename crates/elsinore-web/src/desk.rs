//! Where checks are asked for: one at a time per domain, joined by whoever else asks; a fresh report
//! instead of a new check; so many checks at a time, so many in the queue, so many for one client.

use crate::budget::{Budget, Rate};
use crate::checker::{Checker, Course, End, Finished, Progress};
use crate::client::Client;
use crate::log;
use crate::settings::CheckLimits;
use crate::store::{Entry, Kept, ReportId, Store, StoreError};
use elsinore_check::report::Report;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_net::clock::Clock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// When to come again, said to those for whom there is no room in the queue.
const QUEUE_FULL: Duration = Duration::from_secs(30);
/// Octets of one report. A page with more cannot be read by anybody.
const REPORT_OCTETS: usize = 8 << 20;

/// Where checks are asked for.
#[derive(Debug, Clone)]
pub(crate) struct Desk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    checker: Arc<dyn Checker>,
    store: Store,
    clock: Arc<dyn Clock>,
    limits: CheckLimits,
    clients: Budget<Client>,
    turns: Semaphore,
    running: Mutex<HashMap<DomainName, watch::Receiver<Course>>>,
}

/// What comes of asking.
#[derive(Debug)]
pub(crate) enum Asked {
    /// There is a fresh report.
    Fresh(ReportId),
    /// It is being measured.
    Running(watch::Receiver<Course>),
    /// This client has asked for too much; when there will be room.
    TooMany(Duration),
    /// Everybody together has; when to try again.
    Full(Duration),
}

impl Desk {
    pub(crate) fn new(
        checker: Arc<dyn Checker>,
        store: Store,
        clock: Arc<dyn Clock>,
        limits: CheckLimits,
    ) -> Self {
        Self(Arc::new(Inner {
            checker,
            store,
            clock,
            clients: Budget::new(Rate::per_hour(limits.per_client_hour)),
            turns: Semaphore::new(limits.at_once.max(1)),
            running: Mutex::default(),
            limits,
        }))
    }

    /// Asks for a check of `domain` on behalf of `client`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn ask(
        &self,
        domain: &DomainName,
        client: Client,
    ) -> Result<Asked, StoreError> {
        if let Some(course) = self.0.running().get(domain) {
            return Ok(Asked::Running(course.clone()));
        }
        if let Some(entry) = self.0.fresh(domain).await? {
            return Ok(Asked::Fresh(entry.id));
        }
        let mut running = self.0.running();
        // Somebody else may have begun it meanwhile.
        if let Some(course) = running.get(domain) {
            return Ok(Asked::Running(course.clone()));
        }
        if running.len() >= self.0.limits.at_once + self.0.limits.waiting {
            return Ok(Asked::Full(QUEUE_FULL));
        }
        if let Err(wait) = self.0.clients.take(&client) {
            return Ok(Asked::TooMany(wait));
        }
        let (sender, receiver) = watch::channel(Course {
            waiting: self.0.turns.available_permits() == 0,
            ..Course::default()
        });
        running.insert(domain.clone(), receiver.clone());
        drop(running);
        let place = Place {
            inner: Arc::clone(&self.0),
            domain: domain.clone(),
            course: Arc::new(sender),
        };
        tokio::spawn(async move { place.run().await });
        Ok(Asked::Running(receiver))
    }
}

impl Inner {
    fn running(&self) -> MutexGuard<'_, HashMap<DomainName, watch::Receiver<Course>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest report of a domain.
    async fn latest(&self, domain: &DomainName) -> Result<Option<Entry>, StoreError> {
        let ever = UnixTime(i64::MAX);
        let now = self.clock.now();
        let latest = self.store.of_domain(domain.as_str(), ever, 1, now).await?;
        Ok(latest.into_iter().next())
    }

    async fn fresh(&self, domain: &DomainName) -> Result<Option<Entry>, StoreError> {
        let latest = self.latest(domain).await?;
        let now = self.clock.now();
        let recent = i64::try_from(self.limits.recent.as_secs()).unwrap_or(i64::MAX);
        Ok(latest.filter(|entry| now.0.saturating_sub(entry.measured_at.0) < recent))
    }

    /// The same, whole. Without it a check is a little poorer, and no worse: trouble is logged.
    async fn earlier(&self, domain: &DomainName) -> Option<Report> {
        let kept = async {
            let Some(entry) = self.latest(domain).await? else {
                return Ok(None);
            };
            self.store.by_id(&entry.id, self.clock.now()).await
        };
        match kept.await {
            Ok(kept) => serde_json::from_str(&kept?.json).ok(),
            Err(error) => {
                log::problem(&format!("earlier report of {domain}: {error}"));
                None
            }
        }
    }
}

/// The place of one check in the queue. It is given back however the check ends.
struct Place {
    inner: Arc<Inner>,
    domain: DomainName,
    course: Arc<watch::Sender<Course>>,
}

impl Place {
    async fn run(self) {
        let end = self.measured().await;
        self.course.send_modify(|course| {
            course.waiting = false;
            course.end = Some(end);
        });
    }

    async fn measured(&self) -> End {
        let inner = &self.inner;
        let Ok(_turn) = inner.turns.acquire().await else {
            return End::Failed("The page is being stopped.".to_owned());
        };
        self.course.send_modify(|course| course.waiting = false);
        let progress = Progress(Arc::clone(&self.course));
        let earlier = inner.earlier(&self.domain).await;
        let domain = self.domain.clone();
        let check = inner.checker.check(domain, earlier, progress);
        match tokio::time::timeout(inner.limits.deadline, check).await {
            Ok(Ok(report)) => self.kept(report).await,
            Ok(Err(sentence)) => End::Failed(sentence),
            Err(_) => End::Failed(format!(
                "The check did not end within {} seconds and was given up.",
                inner.limits.deadline.as_secs()
            )),
        }
    }

    async fn kept(&self, report: Report) -> End {
        let json = match serde_json::to_string(&report) {
            Ok(json) if json.len() <= REPORT_OCTETS => json,
            Ok(json) => {
                return End::Failed(format!(
                    "The report came to {} octets, which is more than a page can show.",
                    json.len()
                ));
            }
            Err(_) => return End::Failed("The report could not be written.".to_owned()),
        };
        let id = ReportId::random();
        let kept = Kept {
            entry: Entry {
                id: id.clone(),
                domain: self.domain.as_str().to_owned(),
                measured_at: UnixTime(report.began_at),
                state: report.state.word().to_owned(),
            },
            json: json.clone(),
        };
        let id = match self.inner.store.keep(kept, self.inner.clock.now()).await {
            Ok(()) => Some(id),
            // Whoever waits still gets to see it.
            Err(error) => {
                log::problem(&format!("report of {}: {error}", self.domain));
                None
            }
        };
        End::Report(Arc::new(Finished { id, report, json }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A check that broke off leaves nobody waiting.
        self.course.send_if_modified(|course| {
            let open = course.end.is_none();
            if open {
                course.end = Some(End::Failed("The check broke off.".to_owned()));
            }
            open
        });
        self.inner.running().remove(&self.domain);
    }
}
