//! The delivery of one message: per recipient domain the discovery, per host and address a
//! session, per recipient an outcome.
//!
//! Domains are served side by side. Within one domain the questions to DNS are in flight
//! together, and delivery to the first host begins as soon as that host is decided.
//!
//! # Limitations
//! Recipients are grouped by domain. Domains that are sent through the same relay host are served
//! in sessions of their own, each with its own copy of the message: they may owe different
//! proofs (an MTA-STS policy is the recipient domain's, an override too), and one transaction can
//! be given one verdict only.

pub mod account;
pub mod config;
pub mod envelope;
pub mod inconclusive;
pub mod prober;
pub mod report;
pub mod sounding;

mod climb;
mod contact;
mod course;
mod domain;
mod evidence;
mod inquiry;
mod mismatch;
mod pool;
mod recall;
mod refresh;

pub use crate::session::{Heard, PhaseTimes, SessionResult, TlsRecord};
pub use config::{LegacyTls, Limits, Reuse, SenderConfig, StateFolder, Timeouts};
pub use contact::NoConnection;
pub use envelope::{
    Envelope, Message, Spool, SpoolReader, SpooledBytes, SpooledFile, TlsWish, UnsendableMessage,
};
pub use evidence::obligation_word;
pub use inconclusive::{Inconclusive, InconclusiveReason};
pub use pool::ConnectionCounters;
pub use prober::{Look, PlanSighting, Prober, RouteSighting};
pub use recall::Recall;
pub use refresh::Refreshed;
pub use report::{
    Attempt, Decided, MatchedTlsa, ObligationWord, Outcome, RecipientReport, ReplyText, SaidBy,
    SendReport, SessionFacts, SessionSecurity,
};
pub use sounding::{Approach, Assessed, Assessor, Ended, Foreseen, Passage, Sounding};

use crate::clock::Clock;
use crate::dialer::Dialer;
use crate::doctor::triage::Triage;
use crate::resolver::SecureResolver;
use crate::sts::store::Policies;
use crate::sts::{PolicyCache, PolicyFetcher, PolicySource, PolicyStore};
use crate::tls::TlsConnector;
use domain::DomainRun;
use elsinore_dane::destination;
use elsinore_dane::discovery::{DiscoveryPolicy, MessageTls};
use elsinore_dane::finding::Finding;
use elsinore_dane::ladder::{LegacyRung, Rung};
use elsinore_dane::mta_sts::{StsFetch, StsFetchError};
use elsinore_dane::name::DomainName;
use elsinore_dane::next_hop::{NextHop, Target};
use elsinore_dane::obligation::Obligation;
use elsinore_dane::rule::Rule;
use elsinore_dane::verify::VerifyOptions;
use elsinore_smtp::address::{MailDomain, ReversePath};
use elsinore_smtp::client::Recipient;
use elsinore_smtp::message::TlsRequired;
use futures_util::StreamExt;
use pool::Pool;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Domains of one message that are served at the same time.
const DOMAINS_AT_ONCE: usize = 20;
/// Entries of the small memories below.
const REMEMBERED: usize = 10_000;
/// How long the rung that an address needed is begun with. Anybody on the path can make the first
/// rung fail, so what was learnt from that must wear off.
const RUNG_KEPT: Duration = Duration::from_secs(3600);
/// After a failed fetch the same version of a policy is left alone for this long (RFC 8461 §3.3).
const FETCH_AGAIN: Duration = Duration::from_secs(300);

/// Sends messages. One per process: it remembers TLS sessions, the rung each address needs, policies,
/// and connections that wait for another message.
#[derive(Debug)]
pub struct Sender {
    config: SenderConfig,
    resolver: Arc<dyn SecureResolver>,
    dialer: Arc<dyn Dialer>,
    clock: Arc<dyn Clock>,
    tls: TlsConnector,
    policies: Arc<Policies>,
    fetcher: Arc<dyn PolicySource>,
    failed_fetches: Mutex<HashMap<(DomainName, String), Instant>>,
    /// Stored policies that could not be fetched again, and when.
    failed_refreshes: Mutex<HashMap<DomainName, Instant>>,
    /// Behind which stored policy the next look begins.
    refresh_from: Mutex<Option<DomainName>>,
    /// After a failed fetch the same version of a policy is left alone for this long.
    fetch_again: Duration,
    triage: Option<Arc<Triage>>,
    pool: Arc<Pool>,
    rungs: Mutex<HashMap<SocketAddr, (Rung, Instant)>>,
}

impl Sender {
    /// A sender that asks `resolver`, connects through `dialer` and tells time by `clock`.
    #[must_use]
    pub fn new(
        config: SenderConfig,
        resolver: Arc<dyn SecureResolver>,
        dialer: Arc<dyn Dialer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let tls = TlsConnector::new(
            config.roots.clone(),
            Arc::clone(&clock),
            VerifyOptions::smtp(),
        );
        let fetcher = PolicyFetcher::new(
            Arc::clone(&resolver),
            Arc::clone(&dialer),
            Arc::clone(&clock),
            &config.roots,
            config.policy.networks.clone(),
            config.timeouts.sts_fetch,
            config.limits.sts_policy,
        );
        let policies = PolicyCache::new(config.state.as_ref(), config.roots.fingerprint());
        let policies = Arc::new(Policies::new(Arc::new(policies)));
        let pool = Pool::new(config.reuse, config.timeouts.smtp, Arc::clone(&clock));
        Self {
            config,
            resolver,
            dialer,
            clock,
            tls,
            policies,
            fetcher: Arc::new(fetcher),
            failed_fetches: Mutex::new(HashMap::new()),
            failed_refreshes: Mutex::new(HashMap::new()),
            refresh_from: Mutex::new(None),
            fetch_again: FETCH_AGAIN,
            triage: None,
            pool,
            rungs: Mutex::new(HashMap::new()),
        }
    }

    /// The same sender, which says of a lookup that failed whether it is the domain's fault. It is
    /// asked only about recipients for whom nothing is left to try, so no mail that can go waits for
    /// it.
    #[must_use]
    pub fn with_triage(self, triage: Arc<Triage>) -> Self {
        Self {
            triage: Some(triage),
            ..self
        }
    }

    /// The same sender, which keeps MTA-STS policies in `store` instead of in the state folder.
    #[must_use]
    pub fn with_policy_store(self, store: Arc<dyn PolicyStore>) -> Self {
        Self {
            policies: Arc::new(Policies::new(store)),
            ..self
        }
    }

    /// How often connections were opened, and used again.
    #[must_use]
    pub fn connections(&self) -> ConnectionCounters {
        self.pool.counters()
    }

    /// Leaves every connection that waits for another message, with QUIT, and waits for that: as long
    /// as a QUIT may take. To be called before a sender is dropped that keeps connections.
    pub async fn leave_connections(&self) {
        self.pool.drain().await;
    }

    /// Sends `message` to every recipient of `envelope` and says what became of each. A recipient
    /// named twice is served once.
    pub async fn send(&self, envelope: &Envelope, message: &Message) -> SendReport {
        let mut domains: Vec<(&MailDomain, Vec<(usize, Recipient)>)> = Vec::new();
        // The place where each recipient's report is found: its own, or its first mention's.
        let mut places: Vec<usize> = Vec::with_capacity(envelope.recipients.len());
        for (index, recipient) in envelope.recipients.iter().enumerate() {
            let first = envelope
                .recipients
                .iter()
                .take(index)
                .position(|other| other.mailbox == recipient.mailbox);
            places.push(first.unwrap_or(index));
            if first.is_some() {
                continue;
            }
            let domain = recipient.mailbox.domain();
            match domains.iter_mut().find(|(known, _)| *known == domain) {
                Some((_, members)) => members.push((index, recipient.clone())),
                None => domains.push((domain, vec![(index, recipient.clone())])),
            }
        }
        // Collected, so that no closure is held while they run: the future stays one that any thread
        // may poll.
        let runs: Vec<_> = domains
            .into_iter()
            .map(|(domain, members)| self.send_to_domain(envelope, message, domain, members))
            .collect();
        let mut reports: HashMap<usize, RecipientReport> = futures_util::stream::iter(runs)
            .buffer_unordered(DOMAINS_AT_ONCE)
            .concat()
            .await
            .into_iter()
            .collect();
        let recipients = places
            .iter()
            .enumerate()
            .filter_map(|(index, place)| {
                if places[index + 1..].contains(place) {
                    reports.get(place).cloned()
                } else {
                    reports.remove(place)
                }
            })
            .collect();
        SendReport {
            recipients,
            finished: self.clock.now(),
        }
    }

    async fn send_to_domain(
        &self,
        envelope: &Envelope,
        message: &Message,
        domain: &MailDomain,
        members: Vec<(usize, Recipient)>,
    ) -> Vec<(usize, RecipientReport)> {
        let mut findings = Vec::new();
        let mut policy = self.config.policy.clone();
        policy.message = message_tls(envelope, message);
        let next_hop = match domain {
            MailDomain::Literal(address) => NextHop {
                target: Target::Address(*address),
                port: None,
            },
            MailDomain::Name(name) => match DomainName::parse(name) {
                Ok(name) => self.destination(&name, &mut policy, &mut findings),
                Err(error) => return unsendable(&members, &error.to_string()),
            },
        };
        DomainRun::new(
            self,
            envelope,
            message,
            (next_hop, policy),
            members,
            findings,
        )
        .run()
        .await
    }

    /// The next hop of `domain`, and its override applied to `policy`.
    fn destination(
        &self,
        domain: &DomainName,
        policy: &mut DiscoveryPolicy,
        findings: &mut Vec<Finding>,
    ) -> NextHop {
        let found = destination::find(&self.config.destinations, domain, self.clock.now());
        for expired in &found.expired {
            findings.push(Finding::new(
                Rule::DestinationExpired,
                domain.as_str(),
                match &expired.reason {
                    Some(reason) => {
                        format!("the override for {} ({reason}) has run out", expired.domain)
                    }
                    None => format!("the override for {} has run out", expired.domain),
                },
            ));
        }
        match found.current {
            Some(current) => {
                policy.apply(current);
                current.next_hop(domain)
            }
            None => NextHop::domain(domain.clone()),
        }
    }

    /// Fetches a policy, unless the same version failed a short while ago.
    async fn fetch_policy(&self, domain: &DomainName, version: &str) -> StsFetch {
        let key = (domain.clone(), version.to_owned());
        {
            let failed = self.failed_fetches.lock();
            let failed = failed.unwrap_or_else(PoisonError::into_inner);
            if failed
                .get(&key)
                .is_some_and(|at| at.elapsed() < self.fetch_again)
            {
                return StsFetch::Failed(StsFetchError::Throttled);
            }
        }
        match self.fetcher.fetch(domain).await {
            Ok(octets) => StsFetch::Fetched(octets),
            Err(error) => {
                let failed = self.failed_fetches.lock();
                let mut failed = failed.unwrap_or_else(PoisonError::into_inner);
                failed.retain(|_, at| at.elapsed() < self.fetch_again);
                if failed.len() < REMEMBERED {
                    failed.insert(key, Instant::now());
                }
                StsFetch::Failed(error)
            }
        }
    }

    const fn legacy_rung(&self) -> LegacyRung {
        sounding::legacy_rung(self.config.legacy)
    }

    /// The rung to begin with at `peer`: the one that worked a while ago, which is never
    /// cleartext.
    fn known_rung(&self, peer: SocketAddr, obligation: &Obligation) -> Option<Rung> {
        let rungs = self.rungs.lock().unwrap_or_else(PoisonError::into_inner);
        let known = rungs
            .get(&peer)
            .filter(|(_, learnt)| learnt.elapsed() < RUNG_KEPT)
            .map(|(rung, _)| *rung);
        climb::begin(obligation, known)
    }

    fn remember_rung(&self, peer: SocketAddr, rung: Rung) {
        let mut rungs = self.rungs.lock().unwrap_or_else(PoisonError::into_inner);
        if rungs.len() >= REMEMBERED {
            rungs.retain(|_, (_, learnt)| learnt.elapsed() < RUNG_KEPT);
        }
        if rungs.len() < REMEMBERED || rungs.contains_key(&peer) {
            rungs.insert(peer, (rung, Instant::now()));
        }
    }

    fn forget_rung(&self, peer: SocketAddr) {
        let mut rungs = self.rungs.lock().unwrap_or_else(PoisonError::into_inner);
        rungs.remove(&peer);
    }
}

/// What the message asks of TLS: the ESMTP parameter beats the header field (RFC 8689 §4.1), and
/// a notification with an empty return path is not stopped by REQUIRETLS (§5).
fn message_tls(envelope: &Envelope, message: &Message) -> MessageTls {
    match (envelope.tls, &envelope.reverse_path) {
        (TlsWish::Require, ReversePath::Mailbox(_)) => MessageTls::Required,
        (TlsWish::Require, ReversePath::Null) => MessageTls::Unspecified,
        (TlsWish::NotRequired, _) => MessageTls::Optional,
        (TlsWish::AsAnnounced, _) => match message.survey.tls_required() {
            TlsRequired::No => MessageTls::Optional,
            TlsRequired::Unsaid => MessageTls::Unspecified,
        },
    }
}

fn unsendable(members: &[(usize, Recipient)], reason: &str) -> Vec<(usize, RecipientReport)> {
    let attempts = Arc::new(Vec::new());
    let findings = Arc::new(Vec::new());
    members
        .iter()
        .map(|(index, recipient)| {
            let report = RecipientReport {
                recipient: recipient.mailbox.to_string(),
                outcome: Outcome::Bounced,
                session: None,
                reply: Some(domain::ours(550, "5.1.2", reason)),
                decided: Decided::Answer,
                attempts: Arc::clone(&attempts),
                findings: Arc::clone(&findings),
                account: Arc::default(),
            };
            (*index, report)
        })
        .collect()
}
