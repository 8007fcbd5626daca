//! What is counted, in the text format of Prometheus. Label sets are fixed: no name of a stranger
//! becomes one.

use crate::cache::KINDS;
use crate::mapping::Row;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;
use std::time::Duration;

type Labels = [(&'static str, &'static str); 1];

/// The counters. Those on the way of a cached answer are plain fields.
pub struct Metrics {
    registry: Registry,
    /// Requests by socketmap.
    pub socketmap: Counter,
    /// Lookups by HTTP.
    pub http: Counter,
    /// Requests by HTTP under a name that is not ours.
    pub misdirected: Counter,
    /// Requests answered from the cache.
    pub cached: Counter,
    /// Requests that waited for an answer to be found out.
    pub waited: Counter,
    /// Requests refused because too much was under way, or that waited too long.
    pub given_up: Counter,
    /// What could not be read as a request.
    pub malformed: Counter,
    /// Answers given, in the order of [`KINDS`].
    answers: [Counter; KINDS.len()],
    rows: Family<Labels, Counter>,
    ahead: Counter,
    took: Histogram,
    /// Connections open now, socketmap and HTTP together.
    pub connections: Gauge,
    /// Connections closed at once because too many were open.
    pub refused: Counter,
    entries: Gauge,
    octets: Gauge,
    ready: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("elsinore_policyd");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let socketmap = counter("socketmap_requests", "Requests by socketmap");
        let http = counter("http_requests", "Lookups by HTTP");
        let misdirected = counter("misdirected", "Requests by HTTP under a foreign name");
        let cached = counter("cached", "Requests answered from the cache");
        let waited = counter(
            "waited",
            "Requests that waited for an answer to be found out",
        );
        let given_up = counter("given_up", "Requests refused or that waited too long");
        let malformed = counter("malformed", "What could not be read as a request");
        let ahead = counter("ahead", "Answers made ahead of their need");
        let refused = counter("refused_connections", "Connections above the bound");
        let answers = Family::<Labels, Counter>::default();
        registry.register("answers", "Answers given by kind", answers.clone());
        let rows = Family::<Labels, Counter>::default();
        registry.register("found_out", "Answers found out by row", rows.clone());
        for row in Row::ALL {
            drop(rows.get_or_create(&[("row", row.word())]));
        }
        let took = Histogram::new([0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 90.0]);
        registry.register(
            "found_out_seconds",
            "Time to find an answer out",
            took.clone(),
        );
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        Self {
            connections: gauge("connections", "Connections open now"),
            entries: gauge("cache_entries", "Answers kept"),
            octets: gauge("cache_octets", "Octets of answers kept"),
            ready: gauge("ready", "1 while our own DNS works"),
            answers: KINDS.map(|kind| answers.get_or_create(&[("kind", kind)]).clone()),
            registry,
            socketmap,
            http,
            misdirected,
            cached,
            waited,
            given_up,
            malformed,
            rows,
            ahead,
            took,
            refused,
        }
    }

    /// Counts an answer given.
    pub fn answered(&self, kind: &'static str) {
        let known = KINDS.iter().zip(&self.answers);
        if let Some((_, counter)) = known.into_iter().find(|(name, _)| **name == kind) {
            counter.inc();
        }
    }

    /// Counts an answer found out.
    pub fn found_out(&self, row: &'static str, took: Duration, is_ahead: bool) {
        self.rows.get_or_create(&[("row", row)]).inc();
        self.took.observe(took.as_secs_f64());
        if is_ahead {
            self.ahead.inc();
        }
    }

    /// The text, with the sizes as they are now.
    #[must_use]
    pub fn text(&self, size: (usize, usize), ready: bool) -> String {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.entries.set(number(size.0));
        self.octets.set(number(size.1));
        self.ready.set(i64::from(ready));
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
