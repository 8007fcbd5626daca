//! What is kept of a rollover between two runs, and what becomes of it when it is damaged.

use super::{Keys, cryptography, day};
use crate::resolver::anchors::TrustAnchors;
use crate::resolver::rollover::state::RootAnchors;
use crate::resolver::rollover::{AnchorStore, Origin, Recorded, StoreError, text};
use crate::resolver::validate::key_tag;
use std::fs::{self, File};

fn record_set(store: &AnchorStore, keys: &Keys, published: &str, signers: &str, at: i64) -> String {
    let seen = keys.set(published, signers, day(at));
    match store.record(&seen, day(at), &cryptography()) {
        Ok(Recorded::Done { anchors, .. }) => keys.summary(&anchors),
        Ok(Recorded::Busy) => "busy".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// The file carries a rollover over restarts, one process or two.
#[test]
fn kept_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::new();
    let store = || AnchorStore::starting_from(folder.path(), keys.shipped());
    assert_eq!(store().load().origin, Origin::Shipped);
    assert_eq!(store().load().problem, None);
    assert_eq!(
        record_set(&store(), &keys, "A B", "A", 0),
        "A valid, B add-pending"
    );
    let (one, other) = (store(), store());
    assert_eq!(record_set(&one, &keys, "A B", "A", 31), "A valid, B valid");
    // The other process had seen nothing of it, and undoes nothing.
    assert_eq!(
        record_set(&other, &keys, "A! B", "A! B", 32),
        "A revoked, B valid"
    );
    let loaded = store().load();
    assert_eq!(loaded.origin, Origin::Kept(store().path()));
    assert_eq!(keys.summary(&loaded.anchors), "A revoked, B valid");
    assert_eq!(loaded.anchors.checked(), Some(day(32)));
    // A failure is remembered, so that nobody asks again at once.
    store().record_failure(day(34)).unwrap();
    assert!(!store().load().anchors.is_due(day(34)));
    assert_eq!(store().load().anchors.checked(), Some(day(32)));
}

/// A process that dies between writing and renaming leaves the state as it was.
#[test]
fn killed_while_writing() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::new();
    let store = AnchorStore::starting_from(folder.path(), keys.shipped());
    record_set(&store, &keys, "A B", "A", 0);
    let before = store.load();
    let text = fs::read_to_string(store.path()).unwrap();
    fs::write(
        folder.path().join("root-anchors.new"),
        &text[..text.len() / 2],
    )
    .unwrap();
    assert_eq!(store.load(), before);
    assert_eq!(
        record_set(&store, &keys, "A B", "A", 31),
        "A valid, B valid"
    );
}

#[test]
fn another_process_holds_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::new();
    let store = AnchorStore::starting_from(folder.path(), keys.shipped());
    let lock = File::create(folder.path().join("root-anchors.lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(record_set(&store, &keys, "A B", "A", 0), "busy");
    // Reading needs no lock.
    assert_eq!(keys.summary(&store.load().anchors), "A valid");
    drop(lock);
    assert_eq!(
        record_set(&store, &keys, "A B", "A", 0),
        "A valid, B add-pending"
    );
}

/// Whatever is wrong with the file, the shipped anchors are in force and the reason is given.
#[test]
fn damaged_files() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let store = AnchorStore::starting_from(folder.path(), keys.shipped());
    record_set(&store, &keys, "A B", "A", 0);
    record_set(&store, &keys, "A B", "A", 31);
    let good = fs::read_to_string(store.path()).unwrap();
    let fresh = RootAnchors::new(&keys.shipped());
    for (text, part) in [
        (String::new(), "damaged (it is cut off)"),
        ("\n\n\n".to_owned(), "not that of a state file"),
        (
            good[..good.len() - 10].to_owned(),
            "the digest does not match",
        ),
        (
            good.replace("add-pending", "valid")
                .replace("retry", "Retry"),
            "digest",
        ),
        (
            good.replacen("anchors 1", "anchors 2", 1),
            "another version",
        ),
    ] {
        fs::write(store.path(), &text).unwrap();
        let loaded = store.load();
        assert_eq!(
            (&loaded.anchors, loaded.origin),
            (&fresh, Origin::Shipped),
            "{text}"
        );
        let problem = loaded.problem.unwrap();
        assert!(problem.contains(part), "{problem}");
        assert!(
            problem.contains("the shipped anchors are used"),
            "{problem}"
        );
    }
    // That of another version is left alone, a damaged one is put aside.
    let error = store.record_failure(day(40)).unwrap_err();
    assert!(matches!(error, StoreError::Version(_)), "{error}");
    fs::write(store.path(), [0xff, 0xfe]).unwrap();
    assert!(store.load().problem.unwrap().contains("not text"));
    assert_eq!(
        record_set(&store, &keys, "A B", "A", 41),
        "A valid, B add-pending"
    );
    assert_eq!(
        fs::read(folder.path().join("root-anchors.damaged")).unwrap(),
        [0xff, 0xfe]
    );
    assert_eq!(store.load().problem, None);
    // Learnt from other anchors: not used, not even when every line of it is right.
    let stranger = Keys::new();
    let other = AnchorStore::starting_from(folder.path(), stranger.shipped());
    let loaded = other.load();
    assert_eq!(loaded.anchors, RootAnchors::new(&stranger.shipped()));
    assert!(loaded.problem.unwrap().contains("other shipped anchors"));
    // A folder in place of the file.
    fs::remove_file(store.path()).unwrap();
    fs::create_dir(store.path()).unwrap();
    assert!(store.load().problem.unwrap().contains("cannot be read"));
    assert!(store.record_failure(day(42)).is_err());
}

/// A newer version of the program ships another key: it is an anchor beside what was learnt, but
/// not if the root has revoked it.
#[test]
fn newly_shipped() {
    let keys = Keys::new();
    let ds = |word: &str| {
        let text = keys.rdata(word);
        let digest = openssl::sha::sha256(&[&[0], text.as_slice()].concat());
        let digest = crate::resolver::anchors::hex_text(&digest);
        format!(". DS {} 15 2 {digest}\n", key_tag(&text))
    };
    let newer = TrustAnchors::parse(&[ds("A"), ds("B"), ds("C")].concat()).unwrap();
    let mut anchors = RootAnchors::new(&keys.shipped());
    let _ = anchors.observe(&keys.set("A B", "A", day(0)), day(0), &cryptography());
    let mut pending = anchors.clone();
    pending.add_shipped(&newer);
    assert_eq!(keys.summary(&pending), "A valid, B valid, C valid");
    for (at, published, signers) in [(0, "A B", "A"), (1, "A! B", "A A!")] {
        let _ = anchors.observe(
            &keys.set(published, signers, day(at)),
            day(at),
            &cryptography(),
        );
    }
    // Nobody who is trusted vouches for B any more.
    assert_eq!(keys.summary(&anchors), "A revoked");
    anchors.add_shipped(&newer);
    assert_eq!(keys.summary(&anchors), "A revoked, B valid, C valid");
}

/// Any octet of the file that is another one shows, or makes no difference; no text makes a panic.
#[test]
fn every_damage_shows() {
    let keys = Keys::new();
    let mut anchors = RootAnchors::new(&keys.shipped());
    for (at, published, signers) in [(0, "A B", "A"), (31, "A B", "A"), (32, "A! B C", "B A!")] {
        let _ = anchors.observe(
            &keys.set(published, signers, day(at)),
            day(at),
            &cryptography(),
        );
    }
    assert_eq!(keys.summary(&anchors), "A revoked, B valid, C add-pending");
    let starts = ["0011223344556677".to_owned()];
    let good = text::encode(&anchors, &starts[0]);
    assert_eq!(text::decode(&good, &starts), Ok(anchors.clone()));
    for place in 0..good.len() {
        let mut octets = good.clone().into_bytes();
        octets[place] ^= 1;
        let changed = String::from_utf8(octets).unwrap();
        assert!(text::decode(&changed, &starts).is_err(), "{place}");
        assert!(text::decode(&good[..place], &starts).is_err(), "{place}");
    }
}

proptest::proptest! {
    /// Lines that follow the digest but make no sense.
    #[test]
    fn no_line_makes_a_panic(
        word in "(start|checked|attempted|next|retry|key|voucher|#|[a-z]{0,5})",
        rest in "[ -~]{0,80}",
    ) {
        let body = format!("{word} {rest}\n");
        let digest = crate::resolver::anchors::hex_text(&openssl::sha::sha256(body.as_bytes()));
        let text = format!("elsinore root anchors 1\nsha256 {digest}\n{body}");
        let decoded = text::decode(&text, &["0".to_owned()]);
        proptest::prop_assert!(decoded.is_err());
    }
}
