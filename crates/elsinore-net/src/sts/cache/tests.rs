//! The store of policies: what is kept, what is shared, what is never believed.

use super::*;

fn policy(id: &str) -> StoredPolicy {
    StoredPolicy {
        id: id.to_owned(),
        fetched: UnixTime(1_700_000_000),
        body: b"version: STSv1\r\nmode: enforce\r\nmx: mx.example\r\nmax_age: 600\r\n".to_vec(),
    }
}

fn folder(path: &std::path::Path, trust: u8) -> StateFolder {
    StateFolder {
        path: path.to_owned(),
        trust: [trust; 32],
    }
}

#[test]
fn what_was_stored_is_loaded_under_the_same_trust_only() {
    let dir = tempfile::tempdir().unwrap();
    let state = folder(dir.path(), 1);
    let domain = DomainName::parse("example.org").unwrap();
    let cache = PolicyCache::new(Some(&state), [0; 32]);
    assert_eq!(cache.load(&domain).unwrap(), None);
    cache.store(&domain, &policy("a")).unwrap();
    cache.store(&domain, &policy("b")).unwrap();
    let again = PolicyCache::new(Some(&state), [0; 32]);
    assert_eq!(again.load(&domain).unwrap(), Some(policy("b")));
    let other_anchor = PolicyCache::new(Some(&folder(dir.path(), 2)), [0; 32]);
    assert_eq!(other_anchor.load(&domain).unwrap(), None);
    let other_authority = PolicyCache::new(Some(&state), [9; 32]);
    assert_eq!(other_authority.load(&domain).unwrap(), None);
    let other_domain = DomainName::parse("example.net").unwrap();
    assert_eq!(again.load(&other_domain).unwrap(), None);
}

#[test]
fn every_policy_is_listed_until_it_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let state = folder(dir.path(), 1);
    for cache in [
        PolicyCache::new(Some(&state), [0; 32]),
        PolicyCache::new(None, [0; 32]),
    ] {
        assert!(cache.domains().unwrap().is_empty());
        let names = ["example.org", "a\\/b.example", &["abcdefgh"; 28].join(".")];
        let mut domains = names.map(|name| DomainName::parse(name).unwrap());
        for domain in &domains {
            cache.store(domain, &policy("a")).unwrap();
        }
        if let Place::Folder(folder) = &cache.place {
            fs::write(folder.join("notes.txt"), "mine").unwrap();
            fs::write(folder.join("%ab.policy"), "nothing").unwrap();
        }
        let mut listed = cache.domains().unwrap();
        listed.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        domains.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        assert_eq!(listed, domains);
        for domain in &domains {
            cache.remove(domain).unwrap();
            cache.remove(domain).unwrap();
        }
        assert!(cache.domains().unwrap().is_empty());
    }
}

#[test]
fn every_damage_is_noticed() {
    let domain = DomainName::parse("example.org").unwrap();
    let whole = encode(&domain, &policy("a"));
    assert_eq!(decode(&whole, &domain).unwrap(), policy("a"));
    for cut in 0..whole.len() {
        assert!(decode(&whole[..cut], &domain).is_err(), "cut at {cut}");
    }
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        assert!(decode(&flipped, &domain).is_err(), "flipped at {at}");
    }
    let other = DomainName::parse("example.net").unwrap();
    assert!(decode(&whole, &other).is_err());
}

#[test]
fn file_names_stay_in_the_folder() {
    for name in [
        "example.org",
        "a\\/b.example",
        "\\.\\..example",
        "_x.example",
        &["abcdefgh"; 28].join("."),
    ] {
        let file = file_name(&DomainName::parse(name).unwrap());
        assert!(
            !file.contains('/') && !file.starts_with('.') && file.len() <= 255,
            "{file}"
        );
    }
}

#[test]
fn writers_side_by_side_leave_a_whole_file() {
    let dir = tempfile::tempdir().unwrap();
    let state = folder(dir.path(), 1);
    let domain = DomainName::parse("example.org").unwrap();
    std::thread::scope(|scope| {
        for id in ["a", "b", "c", "d"] {
            let (state, domain) = (&state, &domain);
            scope.spawn(move || {
                let cache = PolicyCache::new(Some(state), [0; 32]);
                for _ in 0..10 {
                    cache.store(domain, &policy(id)).unwrap();
                    assert!(cache.load(domain).unwrap().is_some());
                }
            });
        }
    });
    let left = fs::read_dir(dir.path().join("mta-sts"))
        .unwrap()
        .flat_map(|trust| fs::read_dir(trust.unwrap().path()).unwrap())
        .count();
    assert_eq!(left, 1);
}
