//! What must hold for requests of any client of `elsinore policyd`.

use elsinore_policyd::lookup_key::{LONGEST_KEY, LookupKey, canonical};
use elsinore_policyd::socketmap::{LONGEST_REQUEST, Received, receive};

/// Requests are read within bounds and the same in any split, and every key means the same as its
/// canonical form.
pub(crate) fn check_socketmap(octets: &[u8]) {
    let mut rest = octets;
    // Each turn takes at least three octets.
    loop {
        let received = receive(rest);
        let length = match received {
            Received::Incomplete => {
                assert!(rest.len() <= LONGEST_REQUEST + 8, "waits for ever");
                return;
            }
            Received::Broken => return,
            Received::NoKey { length } => length,
            Received::Request { length, key, .. } => {
                check_key(key);
                length
            }
        };
        assert!((3..=rest.len()).contains(&length));
        // Until the last octet is there it is not taken for anything else.
        for end in [0, length / 2, length - 1] {
            assert_eq!(receive(&rest[..end]), Received::Incomplete);
        }
        assert_eq!(receive(&rest[..length]), received);
        rest = &rest[length..];
    }
}

fn check_key(key: &[u8]) {
    let parsed = LookupKey::parse(key);
    let mut buffer = [0; LONGEST_KEY];
    let Some(one_form) = canonical(key, &mut buffer) else {
        assert_eq!(parsed, LookupKey::Unknown);
        return;
    };
    let LookupKey::Destination(next_hop) = LookupKey::parse(one_form) else {
        return;
    };
    // What it is called leads to itself, and what it is called on the wire is text.
    let name = next_hop.to_string();
    assert!(
        name.bytes().all(|octet| octet.is_ascii_graphic()),
        "{name:?}"
    );
    assert_eq!(
        LookupKey::parse(name.as_bytes()),
        LookupKey::Destination(next_hop)
    );
}
