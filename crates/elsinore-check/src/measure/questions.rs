//! Questions to DNS: each is put once, whoever wants to know, and kept with all that its answer
//! rests on.

use crate::sighting::LookupSighting;
use crate::world::World;
use elsinore_dane::answer::{Answer, Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_net::resolver::{Explained, Freshness, SecureResolver};
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// Questions of one check that are put; the engine's own number is bounded by its hosts.
const MOST: usize = 2_000;

/// What was asked.
#[derive(Debug)]
pub(super) struct Questions {
    world: Arc<dyn World>,
    asked: Mutex<HashMap<Question, Arc<Entry>>>,
    put: AtomicU32,
}

#[derive(Debug, Default)]
struct Entry {
    first: OnceCell<(Explained, u64)>,
    /// What came when the cache was passed over.
    again: OnceCell<(Explained, u64)>,
    by_engine: AtomicBool,
}

impl Questions {
    pub(super) fn new(world: Arc<dyn World>) -> Self {
        Self {
            world,
            asked: Mutex::new(HashMap::new()),
            put: AtomicU32::new(0),
        }
    }

    fn entry(&self, question: &Question) -> Option<Arc<Entry>> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= MOST && !asked.contains_key(question) {
            return None;
        }
        Some(Arc::clone(asked.entry(question.clone()).or_default()))
    }

    async fn explain(&self, question: &Question, freshness: Freshness) -> (Explained, u64) {
        self.put.fetch_add(1, Ordering::SeqCst);
        let begun = Instant::now();
        let explained = self.world.resolver().explain(question, freshness).await;
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        (explained, took)
    }

    /// The answer, put for comparison: no sender needs it.
    pub(super) async fn ask(&self, question: &Question) -> Option<Answer> {
        let entry = self.entry(question)?;
        let (explained, _) = entry
            .first
            .get_or_init(|| self.explain(question, Freshness::Cached))
            .await;
        Some(explained.answer.clone())
    }

    /// The answer, where it is known.
    pub(super) fn known(&self, question: &Question) -> Option<Answer> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = asked.get(question)?;
        let (explained, _) = entry.again.get().or_else(|| entry.first.get())?;
        Some(explained.answer.clone())
    }

    /// Whether a sender's engine put the question.
    pub(super) fn is_by_engine(&self, question: &Question) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        (asked.get(question)).is_some_and(|entry| entry.by_engine.load(Ordering::SeqCst))
    }

    /// How many questions were put to the resolver.
    pub(super) fn count(&self) -> u32 {
        self.put.load(Ordering::SeqCst)
    }

    /// Everything that was asked and answered, in an order that does not depend on the order of
    /// answers: by kind of question, then by name.
    pub(super) fn sightings(&self, domain: &DomainName) -> Vec<LookupSighting> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<LookupSighting> = (asked.iter())
            .filter_map(|(question, entry)| {
                let (explained, elapsed_ms) = entry.again.get().or_else(|| entry.first.get())?;
                Some(LookupSighting {
                    question: question.clone(),
                    purpose: purpose(question, domain),
                    explained: explained.clone(),
                    elapsed_ms: *elapsed_ms,
                })
            })
            .collect();
        all.sort_by(|a, b| {
            let key = |it: &LookupSighting| {
                let code = it.question.record_type.code();
                (rank(it.purpose), it.question.name.to_string(), code)
            };
            key(a).cmp(&key(b))
        });
        all
    }
}

impl SecureResolver for Questions {
    fn lookup<'a>(&'a self, question: &'a Question, freshness: Freshness) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let Some(entry) = self.entry(question) else {
                return self.world.resolver().lookup(question, freshness).await;
            };
            entry.by_engine.store(true, Ordering::SeqCst);
            let cell = match freshness {
                Freshness::Cached => &entry.first,
                Freshness::Fresh => &entry.again,
            };
            let (explained, _) = cell.get_or_init(|| self.explain(question, freshness)).await;
            explained.answer.clone()
        })
    }
}

/// In the order in which they are shown.
const PURPOSES: [&str; 8] = [
    "mail servers of the domain",
    "MTA-STS record",
    "addresses of a mail server",
    "TLSA records of a mail server",
    "TLS-RPT record",
    "TLSA records at the domain itself",
    "whether the name above TLSA records exists",
    "something else",
];

fn rank(purpose: &str) -> usize {
    PURPOSES
        .iter()
        .position(|it| *it == purpose)
        .unwrap_or(PURPOSES.len())
}

fn purpose(question: &Question, domain: &DomainName) -> &'static str {
    let name = question.name.as_str();
    let first = name.split('.').next().unwrap_or_default();
    let at_domain = || {
        name.split_once("._tcp.")
            .is_some_and(|(_, base)| base == domain.as_str())
    };
    let index = match question.record_type {
        RecordType::Mx => 0,
        RecordType::Txt if first == "_mta-sts" => 1,
        RecordType::Txt => 4,
        RecordType::A if first == "_tcp" => 6,
        RecordType::A | RecordType::Aaaa => 2,
        RecordType::Tlsa if at_domain() => 5,
        RecordType::Tlsa => 3,
        RecordType::Ns
        | RecordType::Cname
        | RecordType::Soa
        | RecordType::Ds
        | RecordType::Dnskey
        | RecordType::Other(_) => 7,
    };
    PURPOSES[index]
}
