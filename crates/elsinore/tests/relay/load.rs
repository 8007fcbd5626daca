//! Load on a relay: clients that remember what was acknowledged, and what became of that.

use crate::client::Client;
use crate::world::World;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where a message goes, and the server that must have it or be told of it.
const WAYS: [(&str, &str); 4] = [
    ("dane.example", "dane"),
    ("plain.example", "plain"),
    ("grey.example", "grey"),
    ("gone.example", "home"),
];

/// Tokens of acknowledged messages with the server that must have each.
pub(crate) type Acknowledged = Arc<Mutex<BTreeMap<String, &'static str>>>;

/// How many copies each expected message has at the server that must have it.
pub(crate) fn copies(
    world: &World,
    expected: &BTreeMap<String, &'static str>,
) -> BTreeMap<String, usize> {
    let mut copies: BTreeMap<String, usize> = BTreeMap::new();
    for server in ["dane", "plain", "grey", "home"] {
        for text in world.taken(server) {
            // The first mention: a bounce goes to `token@home.example`, everything else comes from it.
            let Some(token) = text.find("token-").and_then(|at| text.get(at..at + 24)) else {
                continue;
            };
            if expected.get(token) == Some(&server) {
                *copies.entry(token.to_owned()).or_default() += 1;
            }
        }
    }
    copies
}

/// Sends until it is told to stop, on a new connection whenever the one before is of no more use.
pub(crate) async fn load(
    place: SocketAddr,
    round: u32,
    client: usize,
    stop: Arc<AtomicBool>,
    acknowledged: Acknowledged,
) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut session = None;
    while !stop.load(Ordering::Relaxed) {
        let open = match session.take() {
            Some(open) => Ok(open),
            None => Client::connect(place).await,
        };
        let Ok(mut open) = open else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let token = format!("token-{round:04}-{client:04}-{count:08}");
        let (domain, server) = WAYS[usize::try_from(count).expect("few") % WAYS.len()];
        // Now and then one that does not fit into memory.
        let filler = if count % 50 == 49 { 300_000 } else { 1_000 };
        let text = format!(
            "Subject: {token}\r\nFrom: {token}@home.example\r\n\r\n{}",
            "0123456789abcdef0123456789abcdef0123456789abcdef\r\n".repeat(filler / 50)
        );
        let (from, to) = (format!("{token}@home.example"), format!("{token}@{domain}"));
        if open.send(&from, &[&to], &text).await.is_err() {
            continue;
        }
        session = Some(open);
        let mut acknowledged = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        acknowledged.insert(token, server);
    }
}

/// The end of a log.
pub(crate) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
