//! The canonical order of names (RFC 4034 §6.1) as octets that compare like any others.

use crate::resolver::cache::weight::{Weigh, shared_block};
use crate::resolver::wire::Name;
use std::sync::Arc;

/// A name with its labels from the right. A zero octet ends a label, and a zero octet inside one
/// is followed by a one, so that a label sorts before those it is the beginning of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Order(Arc<[u8]>);

impl Order {
    pub(super) fn of(name: &Name) -> Self {
        let labels: Vec<&[u8]> = name.labels().collect();
        let mut octets = Vec::with_capacity(name.wire().len() * 2);
        for label in labels.into_iter().rev() {
            for octet in label {
                octets.push(*octet);
                if *octet == 0 {
                    octets.push(1);
                }
            }
            octets.extend([0, 0]);
        }
        Self(octets.into())
    }
}

impl Weigh for Order {
    fn heap(&self) -> usize {
        shared_block(self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> impl Strategy<Value = Name> {
        let octet = prop_oneof![Just(0), Just(1), Just(b'a'), Just(b'b'), Just(255)];
        let label = prop::collection::vec(octet, 1..4);
        prop::collection::vec(label, 0..4).prop_map(|labels| {
            Name::from_labels(labels.iter().map(Vec::as_slice)).unwrap_or_else(Name::root)
        })
    }

    proptest! {
        #[test]
        fn as_names_compare(a in names(), b in names()) {
            prop_assert_eq!(Order::of(&a).cmp(&Order::of(&b)), a.cmp(&b));
        }
    }
}
