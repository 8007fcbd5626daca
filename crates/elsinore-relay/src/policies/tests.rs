//! Policies in the embedded store: what was kept is found under the same trust only, also after a
//! restart.

use super::*;
use elsinore_queue::sqlite::{SqliteSettings, SqliteStore};

fn domain(text: &str) -> DomainName {
    DomainName::parse(text).expect("a name")
}

fn policy(id: &str) -> StoredPolicy {
    StoredPolicy {
        id: id.to_owned(),
        fetched: UnixTime(1_795_000_000),
        body: b"version: STSv1\r\nmode: enforce\r\nmx: *.example\r\nmax_age: 600\r\n".to_vec(),
    }
}

fn open(folder: &std::path::Path) -> Arc<dyn QueueStore> {
    let settings = SqliteSettings {
        reserve_octets: 0,
        ..SqliteSettings::new(folder.join("queue"))
    };
    Arc::new(SqliteStore::open(settings).expect("opens"))
}

#[tokio::test]
async fn policies_are_kept_beside_the_mail() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let policies = RecordedPolicies::under(Arc::clone(&store), &[1; 32], &[0; 32]);
    // The first name begins like the second.
    let names = ["a.example", "a.example.org", "b.example"].map(domain);
    for name in &names {
        assert_eq!(policies.load(name).await.expect("answers"), None);
    }
    policies.save(&names[1], policy("1")).await.expect("keeps");
    assert_eq!(policies.load(&names[0]).await.expect("answers"), None);
    for (name, id) in [(&names[1], "2"), (&names[0], "3"), (&names[2], "4")] {
        policies.save(name, policy(id)).await.expect("keeps");
    }
    let other = RecordedPolicies::under(Arc::clone(&store), &[2; 32], &[0; 32]);
    assert_eq!(other.load(&names[0]).await.expect("answers"), None);
    assert!(other.domains(None, 10).await.expect("lists").is_empty());
    policies
        .note_use(&names[1], UnixTime(7))
        .await
        .expect("kept");
    policies
        .note_use(&names[1], UnixTime(8))
        .await
        .expect("kept");
    store.close().await.expect("closes");
    drop((policies, other, store));

    let store = open(folder.path());
    let policies = RecordedPolicies::under(Arc::clone(&store), &[1; 32], &[0; 32]);
    for (name, id) in [(&names[1], "2"), (&names[0], "3"), (&names[2], "4")] {
        let found = policies.load(name).await.expect("answers");
        assert_eq!(found, Some(policy(id)));
    }
    let mut listed = Vec::new();
    while let page = policies.domains(listed.last(), 1).await.expect("lists")
        && !page.is_empty()
    {
        listed.extend(page);
    }
    assert_eq!(listed, names);
    let used = async |name| policies.last_use(name).await.expect("answers");
    assert_eq!(used(&names[0]).await, None);
    assert_eq!(used(&names[1]).await, Some(UnixTime(8)));
    policies.remove(&names[1]).await.expect("removes");
    assert_eq!(used(&names[1]).await, None);
    policies.remove(&names[1]).await.expect("removes");
    assert_eq!(policies.load(&names[1]).await.expect("answers"), None);
    store.close().await.expect("closes");
}

#[tokio::test]
async fn damage_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let policies = RecordedPolicies::under(Arc::clone(&store), &[1; 32], &[0; 32]);
    let name = domain("a.example");
    let record = Record {
        key: policies.key(&name),
        value: b"{".to_vec(),
    };
    let change = Change::Put(Kind::StsPolicy, record);
    store.record(vec![change]).await.expect("writes");
    let error = policies.load(&name).await.expect_err("damaged");
    assert!(matches!(error, CacheError::Damaged { .. }), "{error}");
    let mut bad = policy("1");
    bad.body = vec![0xff];
    assert!(policies.save(&name, bad).await.is_err());
    store.close().await.expect("closes");
}
