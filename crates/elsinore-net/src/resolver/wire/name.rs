//! Domain names in wire form, lower case, ordered as DNSSEC orders them.

use elsinore_dane::name::DomainName;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// An uncompressed name in lower case; at most 255 octets, ends with the root label.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::resolver) struct Name(Arc<[u8]>);

impl Name {
    pub(in crate::resolver) fn root() -> Self {
        Self(Arc::from([0_u8].as_slice()))
    }

    /// Takes labels from the leftmost on; `None` when one is empty or too long or the name is.
    pub(in crate::resolver) fn from_labels<'a>(
        labels: impl IntoIterator<Item = &'a [u8]>,
    ) -> Option<Self> {
        let mut wire = Vec::with_capacity(32);
        for label in labels {
            let length = u8::try_from(label.len())
                .ok()
                .filter(|l| (1..64).contains(l))?;
            wire.push(length);
            wire.extend(label.iter().map(u8::to_ascii_lowercase));
        }
        wire.push(0);
        (wire.len() <= 255).then(|| Self(wire.into()))
    }

    pub(in crate::resolver) fn from_domain(name: &DomainName) -> Self {
        let labels = name.labels();
        // A DomainName obeys the same limits.
        Self::from_labels(labels.iter().map(Vec::as_slice)).unwrap_or_else(Self::root)
    }

    pub(in crate::resolver) fn to_domain(&self) -> DomainName {
        // The same limits hold here, so the only name that is refused is the root: it has no label.
        DomainName::from_labels(self.labels()).unwrap_or_else(|_| DomainName::root())
    }

    pub(in crate::resolver) fn wire(&self) -> &[u8] {
        &self.0
    }

    pub(in crate::resolver) fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// Labels from the leftmost on, without the root.
    pub(in crate::resolver) fn labels(&self) -> Labels<'_> {
        Labels(&self.0)
    }

    /// Number of labels without the root; a `*` counts.
    pub(in crate::resolver) fn label_count(&self) -> usize {
        self.labels().count()
    }

    pub(in crate::resolver) fn parent(&self) -> Option<Self> {
        let first = usize::from(*self.0.first()?);
        (first > 0).then(|| Self(self.0[first + 1..].into()))
    }

    /// The ancestor-or-self of `count` labels; the name itself when it has no more than that.
    pub(in crate::resolver) fn suffix(&self, count: usize) -> Self {
        let mut rest: &[u8] = &self.0;
        for _ in count..self.label_count() {
            let first = usize::from(rest[0]);
            rest = &rest[first + 1..];
        }
        Self(rest.into())
    }

    pub(in crate::resolver) fn is_at_or_below(&self, ancestor: &Self) -> bool {
        let (mine, theirs) = (self.label_count(), ancestor.label_count());
        mine >= theirs && self.suffix(theirs) == *ancestor
    }

    pub(in crate::resolver) fn is_below(&self, ancestor: &Self) -> bool {
        self != ancestor && self.is_at_or_below(ancestor)
    }

    /// `label.self`; `None` when too long.
    pub(in crate::resolver) fn prefixed(&self, label: &[u8]) -> Option<Self> {
        Self::from_labels(std::iter::once(label).chain(self.labels()))
    }

    /// The wildcard directly below this name.
    pub(in crate::resolver) fn wildcard(&self) -> Option<Self> {
        self.prefixed(b"*")
    }

    pub(in crate::resolver) fn is_wildcard(&self) -> bool {
        self.labels().next() == Some(b"*")
    }

    /// The deepest name that is an ancestor of (or equal to) both.
    pub(in crate::resolver) fn common_ancestor(&self, other: &Self) -> Self {
        let (mine, theirs) = (reversed(self), reversed(other));
        self.suffix(mine.iter().zip(&theirs).take_while(|(a, b)| a == b).count())
    }

    /// This name with its ancestor `from` replaced by `to` (DNAME, RFC 6672 §2.2).
    pub(in crate::resolver) fn rebased(&self, from: &Self, to: &Self) -> Option<Self> {
        let kept = self.label_count().checked_sub(from.label_count())?;
        Self::from_labels(self.labels().take(kept).chain(to.labels()))
    }
}

fn reversed(name: &Name) -> Vec<&[u8]> {
    let mut labels: Vec<&[u8]> = name.labels().collect();
    labels.reverse();
    labels
}

/// Iterates over labels.
#[derive(Debug, Clone)]
pub(in crate::resolver) struct Labels<'a>(&'a [u8]);

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first()?;
        let length = usize::from(*length);
        if length == 0 || rest.len() < length {
            return None;
        }
        let (label, rest) = rest.split_at(length);
        self.0 = rest;
        Some(label)
    }
}

/// Canonical order (RFC 4034 §6.1): label by label from the right, as octet strings.
impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        reversed(self).cmp(&reversed(other))
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_domain().fmt(f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_domain().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::from_domain(&DomainName::parse(text).unwrap())
    }

    #[test]
    fn canonical_order_of_rfc_4034() {
        let sorted = [
            "example",
            "a.example",
            "yljkjljk.a.example",
            "z.a.example",
            "zabc.a.example",
            "z.example",
            "\\001.z.example",
            "*.z.example",
            "\\200.z.example",
        ];
        for pair in sorted.windows(2) {
            assert!(name(pair[0]) < name(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn relations() {
        let mx = name("mx.Example.org");
        assert_eq!(mx.label_count(), 3);
        assert_eq!(mx.parent(), Some(name("example.org")));
        assert_eq!(mx.suffix(1), name("org"));
        assert_eq!(mx.suffix(0), Name::root());
        assert!(mx.is_below(&name("org")) && !name("org").is_below(&name("org")));
        assert!(!name("badexample.org").is_at_or_below(&name("example.org")));
        assert_eq!(
            mx.common_ancestor(&name("a.b.example.org")),
            name("example.org")
        );
        assert_eq!(mx.common_ancestor(&name("mx.example.net")), Name::root());
        assert_eq!(
            name("a.b.example.org").rebased(&name("example.org"), &name("example.net")),
            Some(name("a.b.example.net"))
        );
        assert_eq!(name("org").wildcard(), Some(name("*.org")));
        assert_eq!(Name::root().to_domain(), DomainName::root());
        assert_eq!(Name::root().parent(), None);
    }
}
