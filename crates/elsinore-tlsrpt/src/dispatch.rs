//! When reports go out, and what is remembered of it (RFC 8460 §4.1, §5).
//!
//! The report about a day goes out at some time of the hours after its end that only this store,
//! this day and this domain have. An attempt that fails is repeated with growing pauses for 24 hours
//! (§5.5). Each attempt is claimed in the store before it is made, so of several relays one makes
//! it; a claim whose owner has died is passed over after a while. Counts are kept for a week, for
//! people to look at.

mod attempt;

pub use attempt::{Wanted, can_go, wanted};

use crate::day::Day;
use crate::dkim::{DkimError, Signer};
use crate::score::Score;
use crate::settings::{DkimSettings, SettingsError, TlsRptSettings};
use crate::tally::domains;
use attempt::Tried;
use elsinore_dane::name::DomainName;
use elsinore_dane::network::NetworkPolicy;
use elsinore_net::clock::Clock;
use elsinore_net::dialer::Dialer;
use elsinore_net::https::HttpsClient;
use elsinore_net::resolver::SecureResolver;
use elsinore_net::tls::webpki::WebPkiRoots;
use elsinore_queue::error::StoreError;
use elsinore_queue::record::{Change, Kind, Record};
use elsinore_queue::store::QueueStore;
use futures_util::StreamExt;
use openssl::sha::sha256;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often the store is asked what is due.
const INTERVAL: Duration = Duration::from_secs(60);
/// Reports that are on their way at once.
const AT_ONCE: usize = 8;
/// Domains read from the store at once.
const PAGE: usize = 200;
/// Seconds after the first attempt in which others follow (RFC 8460 §5.5).
const LIFETIME: i64 = 86_400;
/// Seconds before the second attempt; each further pause is twice as long.
const FIRST_PAUSE: i64 = 300;
/// Seconds after which a claim without an outcome is of a relay that died.
const CLAIM: i64 = 1_800;
/// Days whose reports may still be on their way: a day's last attempt is made less than two days
/// after its end.
const OPEN_DAYS: i64 = 2;
/// Days for which counts are kept.
const KEPT_DAYS: i64 = 7;
/// Days before those that are looked through for leftovers, of a relay that was off.
const SWEPT_DAYS: i64 = 30;
/// Octets of a collector's answer that are read.
const ANSWER: usize = 16 * 1024;

/// Sends reports.
#[derive(Debug)]
pub struct Reporter {
    settings: TlsRptSettings,
    submitter: DomainName,
    signer: Option<Signer>,
    store: Arc<dyn QueueStore>,
    resolver: Arc<dyn SecureResolver>,
    https: HttpsClient,
    clock: Arc<dyn Clock>,
    score: Arc<Score>,
    swept: Mutex<Option<Day>>,
}

/// The world in which a [`Reporter`] works.
#[derive(Debug, Clone)]
pub struct World {
    /// Looks up where reports are wanted.
    pub resolver: Arc<dyn SecureResolver>,
    /// Connects to collectors.
    pub dialer: Arc<dyn Dialer>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Authorities for the certificates of collectors.
    pub roots: WebPkiRoots,
    /// Networks that may be contacted.
    pub networks: NetworkPolicy,
}

/// Why no reports can be sent.
#[derive(Debug, thiserror::Error)]
pub enum ReporterError {
    /// The settings say nonsense.
    #[error("{0}")]
    Settings(#[from] SettingsError),
    /// The key cannot be read.
    #[error("dkim.key_file: {path}: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The key cannot sign.
    #[error("dkim: {0}")]
    Key(#[from] DkimError),
}

/// What is to be told to whoever runs the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A report was accepted, or queued as a message.
    Sent {
        /// The domain that is told.
        domain: String,
        /// The day.
        day: Day,
        /// To whom.
        to: String,
    },
    /// An attempt failed and will be repeated.
    Failed {
        /// The domain.
        domain: String,
        /// The day.
        day: Day,
        /// Why.
        why: String,
    },
    /// A report is given up.
    GivenUp {
        /// The domain.
        domain: String,
        /// The day.
        day: Day,
        /// Why.
        why: String,
    },
    /// The store does not work.
    Store(String),
}

impl News {
    /// Whether somebody may want to do something about it.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        match self {
            Self::Sent { .. } | Self::Failed { .. } => false,
            Self::GivenUp { .. } | Self::Store(_) => true,
        }
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { domain, day, to } => {
                write!(f, "report about {day} to {domain} sent to {to}")
            }
            Self::Failed { domain, day, why } => {
                write!(f, "report about {day} to {domain} is tried again: {why}")
            }
            Self::GivenUp { domain, day, why } => {
                write!(f, "report about {day} to {domain} given up: {why}")
            }
            Self::Store(why) => write!(f, "reports about TLS: {why}"),
        }
    }
}

/// What is remembered of one report, beside the claims of its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// When the first attempt was made, in seconds since 1970-01-01T00:00:00Z.
    pub first: i64,
    /// How many were made.
    pub attempts: u32,
    /// When the next is due.
    pub next: i64,
    /// The destinations that have it.
    #[serde(default)]
    pub accepted: Vec<String>,
    /// How it ended, when it did.
    #[serde(default)]
    pub end: Option<End>,
    /// What was said last.
    #[serde(default)]
    pub said: String,
}

/// How a report ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// At least one destination has it.
    Sent,
    /// The domain wants none, or none that we can send.
    Unwanted,
    /// No destination took it within a day.
    GivenUp,
}

impl End {
    /// In words.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Sent => "it is sent",
            Self::Unwanted => "it is not wanted, or not in a way that we can send",
            Self::GivenUp => "it is given up",
        }
    }
}

impl Progress {
    /// Sets the time of the next attempt; answers `false` where there is to be none (RFC 8460 §5.5).
    fn postpone(&mut self, now: i64) -> bool {
        let doublings = self.attempts.saturating_sub(1).min(12);
        self.next = now.saturating_add(FIRST_PAUSE << doublings);
        self.next <= self.first.saturating_add(LIFETIME)
    }
}

/// Whether a report is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Ended,
    Waits,
}

/// A claim of one attempt.
#[derive(Debug, Serialize, Deserialize)]
struct Claim {
    at: i64,
}

impl Reporter {
    /// Checks the settings and reads the key.
    ///
    /// # Errors
    /// [`ReporterError`].
    pub fn new(
        settings: TlsRptSettings,
        store: Arc<dyn QueueStore>,
        world: World,
    ) -> Result<Self, ReporterError> {
        settings.check()?;
        Ok(Self {
            submitter: settings.submitter()?,
            signer: settings.dkim.as_ref().map(signer).transpose()?,
            https: HttpsClient::new(
                Arc::clone(&world.resolver),
                world.dialer,
                Arc::clone(&world.clock),
                &world.roots,
                world.networks,
                settings.timeout,
                ANSWER,
            ),
            settings,
            store,
            resolver: world.resolver,
            clock: world.clock,
            score: Arc::default(),
            swept: Mutex::default(),
        })
    }

    /// The same, with its numbers added to `score`.
    #[must_use]
    pub fn scoring(self, score: Arc<Score>) -> Self {
        Self { score, ..self }
    }

    /// Sends what is due, every minute until `stop`. An attempt that is interrupted is repeated.
    pub async fn run(&self, stop: impl Future<Output = ()>, tell: &(dyn Fn(News) + Send + Sync)) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let round = async {
                if let Err(error) = self.round(tell).await {
                    tell(News::Store(error.to_string()));
                }
                tokio::time::sleep(INTERVAL).await;
            };
            tokio::select! {
                () = &mut stop => return,
                () = round => {}
            }
        }
    }

    /// Sends what is due now.
    ///
    /// # Errors
    /// [`StoreError`]; what was not reached is due the next time.
    pub async fn round(&self, tell: &(dyn Fn(News) + Send + Sync)) -> Result<(), StoreError> {
        let now = self.clock.now().0;
        let salt = self.salt().await?;
        let tell = &|news: News| {
            self.score.heard(&news);
            tell(news);
        };
        let mut waiting = 0_u64;
        for back in 1..=OPEN_DAYS {
            let day = Day::of(now).before(back);
            let mut after: Option<String> = None;
            loop {
                let page = domains(&*self.store, day, after.as_deref(), PAGE).await?;
                let is_last = page.len() < PAGE;
                after = page.last().cloned();
                let (due, later): (Vec<String>, Vec<String>) =
                    page.into_iter().partition(|domain| {
                        now >= due(&self.settings, &self.submitter, day, domain, &salt)
                    });
                waiting = waiting.saturating_add(later.len() as u64);
                // Collected, so that no closure is held while they run: any thread may poll this.
                let work: Vec<_> = due
                    .iter()
                    .map(|domain| self.serve(day, domain, &salt, tell))
                    .collect();
                let mut served = futures_util::stream::iter(work).buffer_unordered(AT_ONCE);
                while let Some(outcome) = served.next().await {
                    match outcome? {
                        Standing::Ended => {}
                        Standing::Waits => waiting = waiting.saturating_add(1),
                    }
                }
                if is_last {
                    break;
                }
            }
        }
        self.score.waits(waiting);
        self.sweep(Day::of(now)).await
    }

    /// Makes an attempt at one report, if one is due and nobody else makes it.
    async fn serve(
        &self,
        day: Day,
        domain: &str,
        salt: &str,
        tell: &(dyn Fn(News) + Send + Sync),
    ) -> Result<Standing, StoreError> {
        let now = self.clock.now().0;
        let mut progress = progress(&*self.store, day, domain)
            .await?
            .unwrap_or_default();
        if progress.end.is_some() {
            return Ok(Standing::Ended);
        }
        if progress.next > now {
            return Ok(Standing::Waits);
        }
        if !self.claim(day, domain, progress.attempts, now).await? {
            let at = self.claimed(day, domain, progress.attempts).await?;
            if at.is_some_and(|at| now >= at.saturating_add(CLAIM)) {
                progress.attempts += 1;
                progress.first = if progress.first == 0 {
                    now
                } else {
                    progress.first
                };
                "an attempt was interrupted".clone_into(&mut progress.said);
                self.keep(day, domain, &progress).await?;
            }
            return Ok(Standing::Waits);
        }
        if progress.first == 0 {
            progress.first = now;
        }
        let tried = self
            .attempt(day, domain, salt, &progress.accepted, now)
            .await?;
        progress.attempts += 1;
        match tried {
            Tried::Unwanted(why) => {
                progress.end = Some(End::Unwanted);
                progress.said = why;
            }
            // Most domains want no reports: where nobody can say, that is no news.
            Tried::Unknown(why) => {
                progress.said = why;
                if !progress.postpone(now) {
                    progress.end = Some(End::Unwanted);
                }
            }
            Tried::Went { accepted, refused } => {
                for to in accepted {
                    tell(News::Sent {
                        domain: domain.to_owned(),
                        day,
                        to: to.clone(),
                    });
                    progress.accepted.push(to);
                }
                if let Some(why) = refused {
                    progress.said.clone_from(&why);
                    let domain = domain.to_owned();
                    if progress.postpone(now) {
                        tell(News::Failed { domain, day, why });
                    } else {
                        progress.end = Some(if progress.accepted.is_empty() {
                            End::GivenUp
                        } else {
                            End::Sent
                        });
                        tell(News::GivenUp { domain, day, why });
                    }
                } else {
                    progress.end = Some(End::Sent);
                    progress.said.clear();
                }
            }
        }
        self.keep(day, domain, &progress).await?;
        Ok(match progress.end {
            Some(_) => Standing::Ended,
            None => Standing::Waits,
        })
    }

    async fn claim(
        &self,
        day: Day,
        domain: &str,
        attempt: u32,
        now: i64,
    ) -> Result<bool, StoreError> {
        let record = Record {
            key: claim_key(day, domain, attempt),
            value: serde_json::to_vec(&Claim { at: now }).unwrap_or_default(),
        };
        self.store.record_first(Kind::TlsReport, record).await
    }

    async fn claimed(
        &self,
        day: Day,
        domain: &str,
        attempt: u32,
    ) -> Result<Option<i64>, StoreError> {
        let key = claim_key(day, domain, attempt);
        let record = exact(&*self.store, Kind::TlsReport, key).await?;
        let claim = record.and_then(|record| serde_json::from_slice::<Claim>(&record.value).ok());
        Ok(claim.map(|claim| claim.at))
    }

    async fn keep(&self, day: Day, domain: &str, progress: &Progress) -> Result<(), StoreError> {
        let record = Record {
            key: progress_key(day, domain),
            value: serde_json::to_vec(progress).unwrap_or_default(),
        };
        let changes = vec![Change::Put(Kind::TlsReport, record)];
        self.store.record(changes).await
    }

    /// What tells the reports of this store from those of another of the same submitter.
    async fn salt(&self) -> Result<String, StoreError> {
        if let Some(known) = known_salt(&*self.store).await? {
            return Ok(known);
        }
        let drawn = format!("{:016x}", rand::random::<u64>());
        let record = Record {
            key: SALT.to_owned(),
            value: drawn.clone().into_bytes(),
        };
        if self.store.record_first(Kind::TlsReport, record).await? {
            return Ok(drawn);
        }
        Ok(known_salt(&*self.store).await?.unwrap_or(drawn))
    }

    /// Once a day, forgets what is older than a week.
    async fn sweep(&self, today: Day) -> Result<(), StoreError> {
        let is_done = |swept: Option<Day>| swept == Some(today);
        if is_done(*self.swept.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        for back in KEPT_DAYS + 1..=KEPT_DAYS + SWEPT_DAYS {
            let prefix = format!("{}/", today.before(back));
            let forget = Change::Forget(Kind::TlsCount, prefix.clone());
            self.store.record(vec![forget]).await?;
            for kind in [Kind::TlsCount, Kind::TlsReport] {
                loop {
                    let page = self.store.records(kind, prefix.clone(), None, PAGE).await?;
                    if page.is_empty() {
                        break;
                    }
                    let remove = page
                        .into_iter()
                        .map(|record| Change::Remove(kind, record.key));
                    self.store.record(remove.collect()).await?;
                }
            }
        }
        *self.swept.lock().unwrap_or_else(PoisonError::into_inner) = Some(today);
        Ok(())
    }
}

/// Reads the key that signs reports.
///
/// # Errors
/// [`ReporterError`] when it cannot be read or cannot sign.
pub fn signer(dkim: &DkimSettings) -> Result<Signer, ReporterError> {
    let pem = std::fs::read(&dkim.key_file).map_err(|error| {
        let path = dkim.key_file.display().to_string();
        ReporterError::Unreadable { path, error }
    })?;
    Ok(Signer::new(dkim.domain.clone(), &dkim.selector, &pem)?)
}

/// The key of what tells the reports of a store from those of another.
const SALT: &str = "salt";

/// What tells the reports of this store from those of another, once it was drawn.
pub(crate) async fn known_salt(store: &dyn QueueStore) -> Result<Option<String>, StoreError> {
    let record = exact(store, Kind::TlsReport, SALT.to_owned()).await?;
    Ok(record.map(|record| String::from_utf8_lossy(&record.value).into_owned()))
}

/// When the first attempt at a report is made, in seconds since 1970-01-01T00:00:00Z.
#[must_use]
pub fn due(
    settings: &TlsRptSettings,
    submitter: &DomainName,
    day: Day,
    domain: &str,
    salt: &str,
) -> i64 {
    let digest = sha256(format!("{salt} {submitter} {day} {domain}").as_bytes());
    let drawn = digest
        .iter()
        .take(6)
        .fold(0_i64, |drawn, octet| (drawn << 8) | i64::from(*octet));
    let seconds = i64::from(settings.hours).saturating_mul(3_600).max(1);
    day.end() + 1 + drawn % seconds
}

fn progress_key(day: Day, domain: &str) -> String {
    format!("{}state", crate::tally::prefix(day, domain))
}

fn claim_key(day: Day, domain: &str, attempt: u32) -> String {
    format!("{}claim/{attempt}", crate::tally::prefix(day, domain))
}

/// What is remembered of the report to `domain` about `day`.
///
/// # Errors
/// [`StoreError`].
pub async fn progress(
    store: &dyn QueueStore,
    day: Day,
    domain: &str,
) -> Result<Option<Progress>, StoreError> {
    let record = exact(store, Kind::TlsReport, progress_key(day, domain)).await?;
    Ok(record.and_then(|record| serde_json::from_slice(&record.value).ok()))
}

async fn exact(
    store: &dyn QueueStore,
    kind: Kind,
    key: String,
) -> Result<Option<Record>, StoreError> {
    let found = store.records(kind, key.clone(), None, 1).await?;
    Ok(found.into_iter().next().filter(|record| record.key == key))
}
