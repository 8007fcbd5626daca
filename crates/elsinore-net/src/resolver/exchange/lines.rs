//! Lines to servers: UDP sockets and TCP connections, each carrying many queries, kept for a short
//! while and bounded in number. A line lives in a task of its own that reads what comes.
//!
//! Sockets are connected: the kernel drops what others send, and tells of a refusal at once. Where
//! the bound on lines is reached, an idle line is closed for a new one; where none is idle, the
//! oldest, which as a rule waits for a server that is dead.

use super::table::{Delivery, SharedTable, Table, Waiting, lock};
use crate::resolver::wire::Query;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use tokio::task::AbortHandle;
use tokio::time::{Duration, Instant};

/// Lines looked at in search of an idle one.
const LOOKED_AT: usize = 16;

/// How lines of one kind are used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    /// Queries that wait on one line at a time.
    pub(super) at_once: usize,
    /// Queries in all, after which a line is used no more.
    pub(super) in_all: u32,
    /// Time after which a line is used no more.
    pub(super) age: Duration,
    /// Time without a query after which a line is closed.
    pub(super) idle: Duration,
}

/// One line. `W` is what queries are sent by.
#[derive(Debug)]
pub(super) struct Line<W> {
    pub(super) peer: SocketAddr,
    pub(super) way: W,
    pub(super) table: SharedTable,
    opened: Instant,
    task: OnceLock<AbortHandle>,
    _counted: Counted,
}

/// One line in the count of lines.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct State<W> {
    by_server: HashMap<SocketAddr, Vec<Arc<Line<W>>>>,
    /// In the order in which they were opened; some may be closed already.
    opened: VecDeque<Weak<Line<W>>>,
}

/// The lines of one kind.
#[derive(Debug)]
pub(super) struct Lines<W> {
    state: Mutex<State<W>>,
    count: Arc<AtomicUsize>,
    most: AtomicUsize,
    pub(super) usage: Use,
}

impl<W> Lines<W> {
    pub(super) fn new(most: usize, usage: Use) -> Self {
        Self {
            state: Mutex::new(State {
                by_server: HashMap::new(),
                opened: VecDeque::new(),
            }),
            count: Arc::default(),
            most: AtomicUsize::new(most.max(1)),
            usage,
        }
    }

    fn state(&self) -> MutexGuard<'_, State<W>> {
        // No step in between leaves the lists unsound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters `query` on an open line to `peer` that has room, if there is one.
    pub(super) fn enter(&self, peer: SocketAddr, query: &Query) -> Option<(Arc<Line<W>>, Waiting)> {
        let mut state = self.state();
        let lines = state.by_server.get_mut(&peer)?;
        lines.retain(|line| line.is_useful(&self.usage));
        let found = lines.iter().find_map(|line| {
            let waiting = lock(&line.table).len();
            if waiting >= self.usage.at_once {
                return None;
            }
            let waiting = Table::enter(&line.table, query)?;
            Some((Arc::clone(line), waiting))
        });
        if lines.is_empty() {
            state.by_server.remove(&peer);
        }
        found
    }

    /// Takes up a new line to `peer`, with `query` on it; its task is to be given by
    /// [`Line::lives_in`].
    pub(super) fn add(
        &self,
        peer: SocketAddr,
        way: W,
        query: &Query,
    ) -> Option<(Arc<Line<W>>, Waiting)> {
        self.make_room();
        self.count.fetch_add(1, Ordering::Relaxed);
        let line = Arc::new(Line {
            peer,
            way,
            table: SharedTable::default(),
            opened: Instant::now(),
            task: OnceLock::new(),
            _counted: Counted(Arc::clone(&self.count)),
        });
        let waiting = Table::enter(&line.table, query)?;
        let mut state = self.state();
        state
            .by_server
            .entry(peer)
            .or_default()
            .push(Arc::clone(&line));
        state.opened.push_back(Arc::downgrade(&line));
        if state.opened.len() > 2 * self.count.load(Ordering::Relaxed) + LOOKED_AT {
            state.opened.retain(|line| line.strong_count() > 0);
        }
        Some((line, waiting))
    }

    /// Lowers the bound to the lines there are: the system grants no more.
    pub(super) fn that_was_all(&self) {
        let count = self.count.load(Ordering::Relaxed);
        self.most
            .fetch_min((count * 9 / 10).max(1), Ordering::Relaxed);
        self.make_room();
    }

    fn make_room(&self) {
        if self.count.load(Ordering::Relaxed) < self.most.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.state();
        let mut busy: VecDeque<Arc<Line<W>>> = VecDeque::new();
        let mut idle = None;
        while idle.is_none() && busy.len() < LOOKED_AT {
            let Some(line) = state.opened.pop_front() else {
                break;
            };
            match line.upgrade() {
                Some(line) if lock(&line.table).len() == 0 => idle = Some(line),
                Some(line) => busy.push_back(line),
                None => {}
            }
        }
        let given_up = idle.or_else(|| busy.pop_front());
        for line in busy.iter().rev() {
            state.opened.push_front(Arc::downgrade(line));
        }
        if let Some(line) = given_up {
            state.forget(&line);
            drop(state);
            line.end();
        }
    }

    /// Closes the line when nobody waits on it and nobody has used it since `entered` queries.
    pub(super) fn close_if_idle(&self, line: &Arc<Line<W>>, entered: u32) -> bool {
        let mut state = self.state();
        let mut table = lock(&line.table);
        if table.len() > 0 || (table.entered != entered && !table.is_closed()) {
            return false;
        }
        table.close(&Delivery::GivenUp);
        drop(table);
        state.forget(line);
        true
    }

    /// Closes the line; who waits on it is told why.
    pub(super) fn close(&self, line: &Arc<Line<W>>, reason: String) {
        self.state().forget(line);
        lock(&line.table).close(&Delivery::Closed(reason));
    }
}

impl<W> Drop for Lines<W> {
    fn drop(&mut self) {
        let state = self.state();
        for line in state.opened.iter().filter_map(Weak::upgrade) {
            line.end();
        }
    }
}

impl<W> State<W> {
    fn forget(&mut self, line: &Arc<Line<W>>) {
        if let Some(lines) = self.by_server.get_mut(&line.peer) {
            lines.retain(|other| !Arc::ptr_eq(other, line));
            if lines.is_empty() {
                self.by_server.remove(&line.peer);
            }
        }
    }
}

impl<W> Line<W> {
    /// Says which task reads the line.
    pub(super) fn lives_in(&self, task: AbortHandle) {
        // A line has one task.
        let _ = self.task.set(task);
    }

    fn is_useful(&self, usage: &Use) -> bool {
        let table = lock(&self.table);
        let is_over = self.task.get().is_some_and(AbortHandle::is_finished);
        !is_over
            && !table.is_closed()
            && table.entered < usage.in_all
            && self.opened.elapsed() < usage.age
    }

    fn end(&self) {
        lock(&self.table).close(&Delivery::GivenUp);
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::wire::{Name, QueryBits, Question, rtype};

    const USE: Use = Use {
        at_once: 2,
        in_all: 3,
        age: Duration::from_secs(10),
        idle: Duration::from_secs(1),
    };

    fn query() -> Query {
        Query {
            question: Question {
                name: Name::root(),
                rtype: rtype::NS,
            },
            bits: QueryBits::Iterative,
            edns: true,
            id: 0,
            case: 0,
        }
    }

    fn peer(number: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, number], 53))
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_is_shared_and_then_retired() {
        let lines = Lines::new(10, USE);
        assert!(lines.enter(peer(1), &query()).is_none());
        let (line, first) = lines.add(peer(1), (), &query()).unwrap();
        let (same, second) = lines.enter(peer(1), &query()).unwrap();
        assert!(Arc::ptr_eq(&line, &same));
        // Full, and with one query less not.
        assert!(lines.enter(peer(1), &query()).is_none());
        drop(first);
        let third = lines.enter(peer(1), &query()).unwrap();
        drop((second, third));
        // Three queries are all that it carries.
        assert!(lines.enter(peer(1), &query()).is_none());
        let (_, _waiting) = lines.add(peer(2), (), &query()).unwrap();
        tokio::time::advance(USE.age).await;
        assert!(lines.enter(peer(2), &query()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_bound_closes_idle_lines_first_and_then_the_oldest() {
        let lines = Lines::new(3, USE);
        let (_, mut first) = lines.add(peer(1), (), &query()).unwrap();
        let (idle, waiting) = lines.add(peer(2), (), &query()).unwrap();
        drop(waiting);
        let (_, _third) = lines.add(peer(3), (), &query()).unwrap();
        let (_, _fourth) = lines.add(peer(4), (), &query()).unwrap();
        assert!(lock(&idle.table).is_closed());
        drop(idle);
        let (_, _fifth) = lines.add(peer(5), (), &query()).unwrap();
        assert_eq!(first.delivery().await, Delivery::GivenUp);
        assert_eq!(lines.count.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_lines_end() {
        let lines = Lines::new(3, USE);
        let (line, waiting) = lines.add(peer(1), (), &query()).unwrap();
        assert!(!lines.close_if_idle(&line, 1));
        drop(waiting);
        assert!(!lines.close_if_idle(&line, 0));
        assert!(lines.close_if_idle(&line, 1));
        assert!(lines.enter(peer(1), &query()).is_none());
        drop(line);
        assert_eq!(lines.count.load(Ordering::Relaxed), 0);
    }
}
