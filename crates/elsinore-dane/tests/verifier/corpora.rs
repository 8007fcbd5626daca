//! The committed fuzzing corpora, replayed by `cargo test`.

#[path = "../../../../fuzz/checks/verifier.rs"]
mod checks;

use crate::{cases, make};
use std::path::Path;

pub(crate) use checks::{check_certificate, check_chain, check_tlsa_rdata};

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
    {
        check(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 4, "the corpus of {target} is nearly empty");
}

#[test]
fn tlsa_rdata() {
    replay("tlsa_rdata", check_tlsa_rdata);
}

#[test]
fn certificate() {
    replay("certificate", check_certificate);
}

#[test]
fn chain() {
    replay("chain", check_chain);
}

/// The cases of the table in the form of the corpus of `chain`.
fn as_input(case: &cases::Case) -> Vec<u8> {
    let mut input = vec![u8::try_from(case.records.len()).unwrap()];
    let records = case
        .records
        .iter()
        .map(elsinore_dane::tlsa::TlsaRecord::rdata);
    for piece in records.chain(case.chain.iter().map(Vec::as_slice)) {
        let length = u16::try_from(piece.len()).unwrap();
        input.extend_from_slice(&length.to_be_bytes());
        input.extend_from_slice(piece);
    }
    input
}

/// What holds for any input holds for the cases of the table, among which there are real matches.
#[test]
fn the_table_as_input() {
    for case in cases::all() {
        check_chain(&as_input(&case));
        for record in &case.records {
            check_tlsa_rdata(record.rdata());
        }
        for certificate in case.chain.iter().take(2) {
            check_certificate(certificate);
        }
    }
}

/// Writes small seeds into the corpora; run it by name after the formats change.
#[test]
#[ignore = "writes into the corpora"]
fn write_seeds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let small = [
        "1",
        "45-sent-201",
        "51-absent-210",
        "73-two-issuers",
        "83-malformed-stronger",
    ];
    for case in cases::all() {
        if small.contains(&case.id.as_str()) {
            std::fs::write(root.join("chain").join(&case.id), as_input(&case)).unwrap();
            let record = case.records[0].rdata();
            std::fs::write(root.join("tlsa_rdata").join(&case.id), record).unwrap();
        }
    }
    let odd = [
        "12-expired-311",
        "18-version-1-311",
        "24-garbage-san-311",
        "39-trailing-octets-311",
        "34-rsa-pss-key-311",
    ];
    for case in cases::all() {
        if odd.contains(&case.id.as_str()) {
            std::fs::write(root.join("certificate").join(&case.id), &case.chain[0]).unwrap();
        }
    }
    let made = make::Spec::authority("Root", "root", "Root", "root")
        .with(|s| {
            s.extensions
                .push(make::name_constraints(&[make::dns("example.org")], &[]))
        })
        .make();
    std::fs::write(root.join("certificate/name-constraints"), made.der).unwrap();
}
