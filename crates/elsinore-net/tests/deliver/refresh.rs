//! Stored policies are refreshed few at a time, and only as long as mail goes to their domains.

use crate::fixture::{Script, World, name};
use crate::pki::NOW;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_net::sts::{PolicyStore, Stored, StoredPolicy};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

const DAY: i64 = 86_400;
const POLICY: &str = "version: STSv1\nmode: enforce\nmx: *.example\nmax_age: 31536000\n";

/// Policies in memory, each with its last use.
#[derive(Debug, Default)]
struct Shelf {
    policies: Mutex<BTreeMap<String, StoredPolicy>>,
    used: Mutex<BTreeMap<String, UnixTime>>,
}

impl Shelf {
    /// Keeps a policy that is so old and was last used so long ago.
    fn put(&self, domain: &str, age: i64, unused: Option<i64>) {
        let policy = StoredPolicy {
            id: "1".to_owned(),
            fetched: UnixTime(NOW - age),
            body: POLICY.into(),
        };
        let domain = domain.to_owned();
        if let Some(unused) = unused {
            let mut used = self.used.lock().unwrap();
            used.insert(domain.clone(), UnixTime(NOW - unused));
        }
        self.policies.lock().unwrap().insert(domain, policy);
    }

    fn used(&self, domain: &str) -> Option<i64> {
        let used = self.used.lock().unwrap();
        used.get(domain).map(|at| NOW - at.0)
    }
}

impl PolicyStore for Shelf {
    fn load<'a>(&'a self, domain: &'a DomainName) -> Stored<'a, Option<StoredPolicy>> {
        let found = self.policies.lock().unwrap().get(domain.as_str()).cloned();
        Box::pin(async move { Ok(found) })
    }

    fn save<'a>(&'a self, domain: &'a DomainName, policy: StoredPolicy) -> Stored<'a, ()> {
        let mut policies = self.policies.lock().unwrap();
        policies.insert(domain.to_string(), policy);
        Box::pin(async { Ok(()) })
    }

    fn remove<'a>(&'a self, domain: &'a DomainName) -> Stored<'a, ()> {
        self.policies.lock().unwrap().remove(domain.as_str());
        Box::pin(async { Ok(()) })
    }

    fn domains<'a>(
        &'a self,
        after: Option<&'a DomainName>,
        at_most: usize,
    ) -> Stored<'a, Vec<DomainName>> {
        let policies = self.policies.lock().unwrap();
        let behind = policies
            .keys()
            .filter(|key| after.is_none_or(|after| key.as_str() > after.as_str()));
        let page = behind.take(at_most).map(|key| name(key)).collect();
        Box::pin(async move { Ok(page) })
    }

    fn note_use<'a>(&'a self, domain: &'a DomainName, now: UnixTime) -> Stored<'a, ()> {
        self.used.lock().unwrap().insert(domain.to_string(), now);
        Box::pin(async { Ok(()) })
    }

    fn last_use<'a>(&'a self, domain: &'a DomainName) -> Stored<'a, Option<UnixTime>> {
        let used = self.used.lock().unwrap().get(domain.as_str()).copied();
        Box::pin(async move { Ok(used) })
    }
}

#[tokio::test(start_paused = true)]
async fn many_policies_are_refreshed_few_at_a_time_and_each_has_its_turn() {
    let shelf = Arc::new(Shelf::default());
    for number in 0..750 {
        shelf.put(&format!("d{number:03}.example"), 2 * DAY, Some(DAY));
    }
    let sender = World::new().build().sender;
    let sender = sender.with_policy_store(Arc::<Shelf>::clone(&shelf));
    // No policy host answers, and what failed rests for two hours.
    let mut tried = BTreeSet::new();
    for (wanted, rest) in [(300, 0), (300, 0), (150, 600), (0, 750)] {
        let look = sender.refresh_policies().await.unwrap();
        assert_eq!(look.failed.len(), wanted, "after {} policies", tried.len());
        assert_eq!(look.current, rest, "after {} policies", tried.len());
        tried.extend(
            look.failed
                .into_iter()
                .map(|(domain, _)| domain.to_string()),
        );
    }
    assert_eq!(tried.len(), 750, "each once");
}

#[tokio::test(start_paused = true)]
async fn a_policy_without_mail_is_left_to_its_end() {
    // Age, time without use; how it counts: fetched (in vain), left alone, ended.
    for (age, unused, counts) in [
        (2 * DAY, Some(DAY), (1, 0, 0)),
        (2 * DAY, Some(39 * DAY), (1, 0, 0)),
        (2 * DAY, Some(41 * DAY), (0, 1, 0)),
        // Nothing is known: it counts from now.
        (2 * DAY, None, (1, 0, 0)),
        (366 * DAY, Some(41 * DAY), (0, 0, 1)),
    ] {
        let shelf = Arc::new(Shelf::default());
        shelf.put("a.example", age, unused);
        let sender = World::new().build().sender;
        let sender = sender.with_policy_store(Arc::<Shelf>::clone(&shelf));
        let look = sender.refresh_policies().await.unwrap();
        let found = (look.failed.len(), look.unused, look.dropped.len());
        assert_eq!(found, counts, "{age} {unused:?}");
        assert_eq!(shelf.used("a.example"), Some(unused.unwrap_or(0)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_uses_the_policy() {
    let shelf = Arc::new(Shelf::default());
    shelf.put("example", DAY / 4, Some(41 * DAY));
    let mut running = World::new()
        .mx(&[(10, "mx.example")])
        .host("mx.example", "192.0.2.1", Some(Script::default()))
        .build();
    let sender = running.sender;
    running.sender = sender.with_policy_store(Arc::<Shelf>::clone(&shelf));
    running.send(&["a@example"]).await;
    tokio::task::yield_now().await;
    assert_eq!(shelf.used("example"), Some(0));
}
