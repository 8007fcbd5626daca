//! The corpus of the fuzz target `segment`.

#[path = "../../../../fuzz/checks/segment.rs"]
mod checks;

use proptest::prelude::*;

#[test]
fn the_corpus_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/segment");
    let mut entries = 0;
    for entry in std::fs::read_dir(folder).expect("a corpus") {
        let path = entry.expect("an entry").path();
        checks::check_segment(&std::fs::read(&path).expect("reads"));
        entries += 1;
    }
    assert!(entries > 3);
}

proptest! {
    #[test]
    fn whatever_is_damaged_the_rest_is_found(
        changes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        checks::check_segment(&[&[1][..], &changes].concat());
        checks::check_segment(&[&[0][..], &changes].concat());
    }
}
