//! DNS of the worlds: a table.

use crate::fixture::name;
use elsinore_dane::answer::{
    Answer, Denial, DenialKind, Last, Question, RecordData, RecordType, RrSet,
};
use elsinore_dane::security::{Authority, Status};
use elsinore_net::resolver::{Freshness, SecureResolver};
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::sync::Mutex;

/// DNS as a table; what is not in it is shown absent, without protection.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) known: Mutex<HashMap<Question, Answer>>,
    /// What is answered instead when the cache is passed over.
    pub(crate) fresh: HashMap<Question, Answer>,
}

/// An answer protected by DNSSEC, or shown not to be.
pub(crate) fn answer(
    owner: &str,
    record_type: RecordType,
    records: Vec<RecordData>,
    signed: bool,
) -> Answer {
    let question = Question::new(name(owner), record_type);
    Answer {
        question: question.clone(),
        chain: Vec::new(),
        last: Last::Data(RrSet {
            owner: question.name,
            records,
            status: if signed {
                Status::assertion(Authority::Fixture, "fixture")
            } else {
                Status::insecure("fixture")
            },
            ttl: 300,
        }),
        oddities: Vec::new(),
    }
}

impl SecureResolver for Table {
    fn lookup<'a>(&'a self, question: &'a Question, freshness: Freshness) -> BoxFuture<'a, Answer> {
        let known = self.known.lock().unwrap();
        let newer = match freshness {
            Freshness::Fresh => self.fresh.get(question),
            Freshness::Cached => None,
        };
        let answer = newer
            .or_else(|| known.get(question))
            .cloned()
            .unwrap_or_else(|| Answer {
                question: question.clone(),
                chain: Vec::new(),
                last: Last::Denied(Denial {
                    kind: DenialKind::NoData,
                    status: Status::insecure("fixture"),
                    ttl: 60,
                }),
                oddities: Vec::new(),
            });
        Box::pin(async move { answer })
    }
}
