//! Pinned digests of the leaf or its key (case 87).

use crate::make::Spec;
use elsinore_dane::obligation::PinRequirement;
use elsinore_dane::verify::{PinnedPart, Rejection, verify_pins};
use openssl::sha::sha256;

#[test]
fn pins() {
    let leaf = Spec::server(&["mx.example.org"], "leaf", "Root", "root").make();
    let root = Spec::authority("Root", "root", "Root", "root").make();
    let chain = vec![leaf.der.clone(), root.der.clone()];
    let (certificate, key) = (sha256(&leaf.der), sha256(&leaf.spki));
    let other = sha256(&root.der);
    let no_match = Err(Rejection::NoPinMatches);
    for (pins, chain, expected) in [
        (
            vec![certificate],
            chain.clone(),
            Ok(PinnedPart::Certificate),
        ),
        (vec![key], chain.clone(), Ok(PinnedPart::PublicKey)),
        (vec![other, key], chain.clone(), Ok(PinnedPart::PublicKey)),
        (vec![other], chain.clone(), no_match),
        (vec![], chain.clone(), no_match),
        (
            vec![sha256(b"")],
            vec![vec![]],
            Err(Rejection::LeafUndecodable),
        ),
        (vec![key], vec![], Err(Rejection::NoCertificate)),
    ] {
        let requirement = PinRequirement { sha256: pins };
        let found = verify_pins(&chain, &requirement);
        if let Ok(found) = &found {
            assert!(requirement.sha256.contains(found.sha256()));
        }
        assert_eq!(found.map(|found| found.part()), expected);
    }
}
