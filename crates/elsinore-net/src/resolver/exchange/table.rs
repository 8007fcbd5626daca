//! Queries that wait on one socket or connection, and the replies that are theirs.

use crate::resolver::wire::Query;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Replies with the right identifier and a wrong question, after which the query goes over TCP:
/// somebody may be guessing (RFC 5452 §9.2).
const MOST_STRANGERS: usize = 8;

/// What a waiting query gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivery {
    /// A reply that repeats the question.
    Reply(Vec<u8>),
    /// A reply in another letter case than that of the query: a guess, or a server that does not
    /// preserve it. Proves nothing over UDP.
    OtherCase,
    /// Too many replies that repeat something else.
    Strangers,
    /// The socket or connection has ended; the text says why.
    Closed(String),
    /// The socket was needed for others.
    GivenUp,
}

/// How much of the letter case of a name a reply has to repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// All of it: the datagram may come from anybody.
    Exact,
    /// None: the connection is to the server itself.
    Any,
}

#[derive(Debug)]
struct Expected {
    query: Arc<[u8]>,
    /// Where the question section ends.
    end: usize,
    strangers: usize,
    caller: oneshot::Sender<Delivery>,
}

/// The queries waiting on one socket or connection, by identifier.
#[derive(Debug, Default)]
pub(super) struct Table {
    waiting: HashMap<u16, Expected>,
    closed: bool,
    /// Queries that were ever entered.
    pub(super) entered: u32,
}

/// A table shared by those who ask and the one who reads.
pub(super) type SharedTable = Arc<Mutex<Table>>;

pub(super) fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    // No step in between leaves the table unsound.
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A query on its way. Dropping it takes the query out of its table.
#[derive(Debug)]
pub(super) struct Waiting {
    table: SharedTable,
    id: u16,
    reply: oneshot::Receiver<Delivery>,
    /// The octets to send.
    pub(super) wire: Arc<[u8]>,
    /// Whether queries were entered before this one.
    pub(super) reused: bool,
}

impl Waiting {
    /// Waits for the reply.
    pub(super) async fn delivery(&mut self) -> Delivery {
        (&mut self.reply).await.unwrap_or(Delivery::GivenUp)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        lock(&self.table).waiting.remove(&self.id);
    }
}

impl Table {
    /// Enters `query` under an identifier that no other query of the table has.
    pub(super) fn enter(shared: &SharedTable, query: &Query) -> Option<Waiting> {
        let mut table = lock(shared);
        // The table holds far fewer queries than there are identifiers.
        if table.closed || table.waiting.len() > usize::from(u16::MAX) / 2 {
            return None;
        }
        let mut id: u16 = rand::random();
        while table.waiting.contains_key(&id) {
            id = rand::random();
        }
        let wire: Arc<[u8]> = Query {
            id,
            ..query.clone()
        }
        .to_wire()
        .into();
        let (caller, reply) = oneshot::channel();
        let expected = Expected {
            query: Arc::clone(&wire),
            end: 12 + query.question.name.wire().len() + 4,
            strangers: 0,
            caller,
        };
        table.waiting.insert(id, expected);
        let reused = table.entered > 0;
        table.entered += 1;
        Some(Waiting {
            table: Arc::clone(shared),
            id,
            reply,
            wire,
            reused,
        })
    }

    /// Queries that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Gives a message to the query it answers, if there is one.
    pub(super) fn deliver(&mut self, message: &[u8], case: Case) {
        let Some(id) = message.first_chunk::<2>() else {
            return;
        };
        let id = u16::from_be_bytes(*id);
        let Some(expected) = self.waiting.get_mut(&id) else {
            return;
        };
        let delivery = match expected.heard(message, case) {
            Some(delivery) => delivery,
            None if expected.strangers + 1 < MOST_STRANGERS => {
                expected.strangers += 1;
                return;
            }
            None => Delivery::Strangers,
        };
        if let Some(expected) = self.waiting.remove(&id) {
            // Who no longer waits has dropped the receiver.
            let _ = expected.caller.send(delivery);
        }
    }

    /// Ends it: nothing is entered any more, and whoever waits gets `last`.
    pub(super) fn close(&mut self, last: &Delivery) {
        self.closed = true;
        for (_, expected) in self.waiting.drain() {
            let _ = expected.caller.send(last.clone());
        }
    }
}

impl Expected {
    fn heard(&self, reply: &[u8], case: Case) -> Option<Delivery> {
        let is_reply = reply.len() >= 12 && reply[2] & 0xf8 == 0x80;
        // Old servers answer EDNS with a header and an error code alone.
        let is_bare_error = reply.len() == 12 && matches!(reply[3] & 0x0f, 1 | 4);
        if is_reply && is_bare_error {
            return Some(Delivery::Reply(reply.to_vec()));
        }
        let (asked, repeated) = (self.query.get(12..self.end)?, reply.get(12..self.end)?);
        let (name, rest) = asked.split_at(asked.len() - 4);
        let (their_name, their_rest) = repeated.split_at(repeated.len() - 4);
        let is_mine = is_reply
            && reply[4..6] == [0, 1]
            && rest == their_rest
            && name.eq_ignore_ascii_case(their_name);
        match is_mine {
            true if case == Case::Any || name == their_name => {
                Some(Delivery::Reply(reply.to_vec()))
            }
            true => Some(Delivery::OtherCase),
            false => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::wire::{Name, QueryBits, Question, rtype};

    fn query() -> Query {
        let name = elsinore_dane::name::DomainName::parse("mx.example").unwrap();
        Query {
            question: Question {
                name: Name::from_domain(&name),
                rtype: rtype::A,
            },
            bits: QueryBits::Iterative,
            edns: true,
            id: 0,
            case: u64::MAX,
        }
    }

    fn reply_to(wire: &[u8]) -> Vec<u8> {
        let mut reply = wire.to_vec();
        reply[2] |= 0x80;
        reply
    }

    type Change = fn(&mut Vec<u8>);

    #[tokio::test]
    async fn what_is_a_reply() {
        let cases: [(&str, Change, Case, Option<&str>); 10] = [
            ("as it was asked", |_| {}, Case::Exact, Some("reply")),
            ("identifier", |r| r[0] ^= 1, Case::Exact, None),
            ("a query", |r| r[2] &= 0x7f, Case::Exact, None),
            ("opcode", |r| r[2] |= 0x08, Case::Exact, None),
            ("name", |r| r[13] ^= 1, Case::Exact, None),
            (
                "case over UDP",
                |r| r[13] ^= 0x20,
                Case::Exact,
                Some("case"),
            ),
            ("case over TCP", |r| r[13] ^= 0x20, Case::Any, Some("reply")),
            ("no question", |r| r[5] = 0, Case::Exact, None),
            ("cut off", |r| r.truncate(14), Case::Exact, None),
            (
                "a bare error",
                |r| {
                    r.truncate(12);
                    r[3] = 1;
                },
                Case::Exact,
                Some("reply"),
            ),
        ];
        for (label, change, case, expected) in cases {
            let table = SharedTable::default();
            let mut waiting = Table::enter(&table, &query()).unwrap();
            let mut reply = reply_to(&waiting.wire);
            change(&mut reply);
            lock(&table).deliver(&reply, case);
            lock(&table).close(&Delivery::GivenUp);
            let got = match waiting.delivery().await {
                Delivery::Reply(_) => Some("reply"),
                Delivery::OtherCase => Some("case"),
                _ => None,
            };
            assert_eq!(got, expected, "{label}");
        }
    }

    #[tokio::test]
    async fn each_query_gets_its_own_reply() {
        let table = SharedTable::default();
        let mut waiting: Vec<Waiting> = (0..50)
            .map(|_| Table::enter(&table, &query()).unwrap())
            .collect();
        for query in waiting.iter().rev() {
            lock(&table).deliver(&reply_to(&query.wire), Case::Exact);
        }
        for query in &mut waiting {
            let expected = reply_to(&query.wire);
            assert_eq!(query.delivery().await, Delivery::Reply(expected));
        }
        assert_eq!(lock(&table).len(), 0);
    }

    #[tokio::test]
    async fn guessers_and_those_who_leave() {
        let table = SharedTable::default();
        let mut waiting = Table::enter(&table, &query()).unwrap();
        let mut wrong = reply_to(&waiting.wire);
        wrong[13] ^= 1;
        for _ in 0..MOST_STRANGERS {
            lock(&table).deliver(&wrong, Case::Exact);
        }
        assert_eq!(waiting.delivery().await, Delivery::Strangers);
        drop(Table::enter(&table, &query()));
        assert_eq!(lock(&table).len(), 0);
        lock(&table).close(&Delivery::GivenUp);
        assert!(Table::enter(&table, &query()).is_none());
    }
}
