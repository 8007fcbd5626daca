//! The committed fuzzing corpora, replayed, and small changes of them made at random.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../../../fuzz/checks/smtp.rs"]
mod checks;
#[path = "../../../../fuzz/checks/server.rs"]
mod server;

use proptest::prelude::*;
use std::path::Path;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 8, "the corpus of {target} is nearly empty");
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

#[test]
fn smtp_reply() {
    for octets in corpus("smtp_reply") {
        checks::check_smtp_reply(&octets);
    }
}

#[test]
fn message() {
    for octets in corpus("message") {
        checks::check_message(&octets);
    }
}

#[test]
fn smtp_server() {
    for octets in corpus("smtp_server") {
        server::check_smtp_server(&octets);
    }
}

#[test]
fn smtp_framing() {
    for octets in corpus("smtp_framing") {
        server::check_smtp_framing(&octets);
    }
}

/// A change of a few octets: place, octets taken out, octets put in.
type Change = (usize, usize, Vec<u8>);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let fresh = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..4),
        Just(b"\r\n".to_vec()),
        Just(b"\n\n".to_vec()),
        Just(b"--b\n".to_vec()),
        Just(b"Content-Type: message/rfc822\n".to_vec()),
        Just(b"250 ok\r\n".to_vec()),
        Just(b"354 go\r\n".to_vec()),
        Just(b"\r\n.\r\n".to_vec()),
        Just(b"DATA\r\n".to_vec()),
        Just(b"BDAT 9 LAST\r\n".to_vec()),
    ];
    proptest::collection::vec((any::<usize>(), 0_usize..6, fresh), 1..6)
}

fn changed(octets: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    for (place, out, fresh) in changes {
        let from = place % (octets.len() + 1);
        let to = (from + out).min(octets.len());
        octets.splice(from..to, fresh.iter().copied());
    }
    octets
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn smtp_reply_changed(seed in any::<usize>(), changes in changes()) {
        let corpus = corpus("smtp_reply");
        checks::check_smtp_reply(&changed(&corpus[seed % corpus.len()], &changes));
    }

    #[test]
    fn message_changed(seed in any::<usize>(), changes in changes()) {
        let corpus = corpus("message");
        checks::check_message(&changed(&corpus[seed % corpus.len()], &changes));
    }

    #[test]
    fn smtp_server_changed(seed in any::<usize>(), changes in changes()) {
        let corpus = corpus("smtp_server");
        server::check_smtp_server(&changed(&corpus[seed % corpus.len()], &changes));
    }

    #[test]
    fn smtp_framing_changed(seed in any::<usize>(), changes in changes()) {
        let corpus = corpus("smtp_framing");
        server::check_smtp_framing(&changed(&corpus[seed % corpus.len()], &changes));
    }
}
