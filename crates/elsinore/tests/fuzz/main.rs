//! Corpora of fuzz targets replayed, each entry as it is and with a few hundred small changes, so
//! that plain `cargo test` already meets broken input. cargo-fuzz goes on from there (`cargo xtask
//! fuzz-smoke`). The other targets' corpora are replayed by the crates that they are about.
#![allow(
    clippy::unwrap_used,
    reason = "a test binary: a failed precondition is a failed test"
)]

#[path = "../../../../fuzz/checks/session.rs"]
mod session;
#[path = "../../../../fuzz/checks/socketmap.rs"]
mod socketmap;
#[path = "../../../../fuzz/checks/sts.rs"]
mod sts;
#[path = "../../../../fuzz/checks/tlsrpt.rs"]
mod tlsrpt;

use std::path::{Path, PathBuf};

/// Changed copies of each corpus entry.
const VARIANTS: u32 = 300;

/// Every file of a target's corpus, with its octets.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut entries: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    entries.sort();
    assert!(!entries.is_empty(), "no corpus in {}", folder.display());
    entries
}

/// Small deterministic changes: an octet set, bits flipped, a piece cut out or doubled.
fn changed(octets: &[u8], seed: u32) -> Vec<u8> {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % (below.max(1) as u64)).unwrap()
    };
    let mut out = octets.to_vec();
    for _ in 0..=next(4) {
        let at = next(out.len());
        match next(5) {
            0 if at < out.len() => out[at] = [0, 0x0a, 0x0d, 0x7f, 0x80, 0xff][next(6)],
            1 if at < out.len() => out[at] ^= 1 << next(8),
            2 => out.truncate(at),
            3 => {
                let end = (at + next(16)).min(out.len());
                out.drain(at..end);
            }
            _ => {
                let end = (at + next(64)).min(out.len());
                let piece = out[at..end].to_vec();
                out.splice(at..at, piece);
            }
        }
    }
    out
}

fn replay(target: &str, check: fn(&[u8])) {
    check(&[]);
    for (path, octets) in corpus(target) {
        eprintln!("{}", path.display());
        check(&octets);
        for seed in 0..VARIANTS {
            check(&changed(&octets, seed));
        }
    }
}

#[test]
fn smtp_session() {
    replay("smtp_session", session::check_smtp_session);
}

#[test]
fn socketmap() {
    replay("socketmap", socketmap::check_socketmap);
}

#[test]
fn tlsrpt() {
    replay("tlsrpt", tlsrpt::check_tlsrpt);
}

#[test]
fn sts_policy() {
    replay("sts_policy", sts::check_sts_policy);
}
