//! Domain names in wire form, lower case, ordered as DNSSEC orders them.

use elsinore_dane::name::DomainName;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Octets that a name may have to be kept in place. Nearly every host name fits; names of NSEC3
/// records and long TLSA owners do not and are shared.
const INLINE: usize = 38;

/// An uncompressed name in lower case; at most 255 octets, ends with the root label.
#[derive(Clone)]
pub(in crate::resolver) struct Name(Octets);

/// The length decides the form, so equal names have equal forms.
#[derive(Clone)]
enum Octets {
    Inline(u8, [u8; INLINE]),
    Shared(Arc<[u8]>),
}

/// A name being put together, label by label.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameBuilder {
    wire: [u8; 255],
    length: usize,
}

impl NameBuilder {
    pub(super) const fn new() -> Self {
        Self {
            wire: [0; 255],
            length: 0,
        }
    }

    /// Appends a label in lower case; `None` when it is empty or too long or the name becomes so.
    pub(super) fn push(&mut self, label: &[u8]) -> Option<()> {
        let length = u8::try_from(label.len())
            .ok()
            .filter(|length| (1..64).contains(length))?;
        let end = self.length + 1 + label.len();
        // The root label has to fit behind it.
        if end >= self.wire.len() {
            return None;
        }
        self.wire[self.length] = length;
        let place = &mut self.wire[self.length + 1..end];
        place.copy_from_slice(label);
        place.make_ascii_lowercase();
        self.length = end;
        Some(())
    }

    pub(super) fn finish(mut self) -> Name {
        // What follows is the root label: `push` leaves room for it.
        self.wire[self.length] = 0;
        Name::of(&self.wire[..=self.length])
    }
}

impl Name {
    /// `wire` is a valid name in lower case.
    fn of(wire: &[u8]) -> Self {
        let mut inline = [0; INLINE];
        match (inline.get_mut(..wire.len()), u8::try_from(wire.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(wire);
                Self(Octets::Inline(length, inline))
            }
            _ => Self(Octets::Shared(wire.into())),
        }
    }

    pub(in crate::resolver) fn root() -> Self {
        Self::of(&[0])
    }

    /// Takes labels from the leftmost on; `None` when one is empty or too long or the name is.
    pub(in crate::resolver) fn from_labels<'a>(
        labels: impl IntoIterator<Item = &'a [u8]>,
    ) -> Option<Self> {
        let mut name = NameBuilder::new();
        for label in labels {
            name.push(label)?;
        }
        Some(name.finish())
    }

    pub(in crate::resolver) fn from_domain(name: &DomainName) -> Self {
        let text = name.as_str();
        let made = if name.is_root() {
            None
        } else if text.contains('\\') {
            let labels = name.labels();
            Self::from_labels(labels.iter().map(Vec::as_slice))
        } else {
            // Without escapes the octets of the text are those of the labels.
            Self::from_labels(text.as_bytes().split(|octet| *octet == b'.'))
        };
        // A DomainName obeys the same limits.
        made.unwrap_or_else(Self::root)
    }

    pub(in crate::resolver) fn to_domain(&self) -> DomainName {
        // The same limits hold here, so the only name that is refused is the root: it has no label.
        DomainName::from_labels(self.labels()).unwrap_or_else(|_| DomainName::root())
    }

    pub(in crate::resolver) fn wire(&self) -> &[u8] {
        match &self.0 {
            // The length is that of what was put in.
            Octets::Inline(length, octets) => &octets[..usize::from(*length)],
            Octets::Shared(octets) => octets,
        }
    }

    /// Octets on the heap, shared with its clones; none for a name that is kept in place.
    pub(in crate::resolver) fn shared_octets(&self) -> usize {
        match &self.0 {
            Octets::Inline(..) => 0,
            Octets::Shared(octets) => octets.len(),
        }
    }

    pub(in crate::resolver) fn is_root(&self) -> bool {
        self.wire().len() == 1
    }

    /// Labels from the leftmost on, without the root.
    pub(in crate::resolver) fn labels(&self) -> Labels<'_> {
        Labels(self.wire())
    }

    /// Number of labels without the root; a `*` counts.
    pub(in crate::resolver) fn label_count(&self) -> usize {
        self.labels().count()
    }

    pub(in crate::resolver) fn parent(&self) -> Option<Self> {
        let wire = self.wire();
        let first = usize::from(*wire.first()?);
        (first > 0).then(|| Self::of(&wire[first + 1..]))
    }

    /// The ancestor-or-self of `count` labels; the name itself when it has no more than that.
    pub(in crate::resolver) fn suffix(&self, count: usize) -> Self {
        let mut rest = self.wire();
        for _ in count..self.label_count() {
            let first = usize::from(rest[0]);
            rest = &rest[first + 1..];
        }
        Self::of(rest)
    }

    pub(in crate::resolver) fn is_at_or_below(&self, ancestor: &Self) -> bool {
        let (mut rest, theirs) = (self.wire(), ancestor.wire());
        // Ends at a label boundary: an equal tail that begins inside a label is no ancestor.
        while rest.len() > theirs.len() {
            let first = usize::from(rest[0]);
            rest = &rest[first + 1..];
        }
        rest == theirs
    }

    pub(in crate::resolver) fn is_below(&self, ancestor: &Self) -> bool {
        self.wire().len() > ancestor.wire().len() && self.is_at_or_below(ancestor)
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
        let (mine, theirs) = (Reversed::new(self), Reversed::new(other));
        self.suffix(mine.zip(theirs).take_while(|(a, b)| a == b).count())
    }

    /// This name with its ancestor `from` replaced by `to` (DNAME, RFC 6672 §2.2).
    pub(in crate::resolver) fn rebased(&self, from: &Self, to: &Self) -> Option<Self> {
        let kept = self.label_count().checked_sub(from.label_count())?;
        Self::from_labels(self.labels().take(kept).chain(to.labels()))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.wire() == other.wire()
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The root label ends it, so no length is needed to tell it from what follows.
        state.write(self.wire());
    }
}

/// Labels from the right, without the root.
struct Reversed<'a> {
    wire: &'a [u8],
    /// Where the labels begin; a name has at most 127.
    starts: [u8; 127],
    left: usize,
}

impl<'a> Reversed<'a> {
    fn new(name: &'a Name) -> Self {
        let wire = name.wire();
        let mut starts = [0; 127];
        let (mut count, mut start) = (0, 0_u8);
        while wire[usize::from(start)] != 0 {
            starts[count] = start;
            count += 1;
            start += 1 + wire[usize::from(start)];
        }
        Self {
            wire,
            starts,
            left: count,
        }
    }
}

impl<'a> Iterator for Reversed<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let start = usize::from(self.starts[self.left]);
        let length = usize::from(self.wire[start]);
        Some(&self.wire[start + 1..][..length])
    }
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
        Reversed::new(self).cmp(Reversed::new(other))
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

    /// Names on both sides of the border between the two forms, up to the longest there is.
    #[test]
    fn every_length() {
        let hash = |name: &Name| {
            let mut hasher = std::hash::DefaultHasher::new();
            name.hash(&mut hasher);
            hasher.finish()
        };
        let mut labels: Vec<Vec<u8>> = Vec::new();
        for length in 1..=255_usize {
            match labels.last_mut() {
                Some(last) if last.len() < 63 && length % 7 != 0 => last.push(b'A'),
                _ if length > 2 && length < 255 && length % 7 == 0 => labels.push(Vec::new()),
                _ => {}
            }
            if labels.last().is_some_and(Vec::is_empty) {
                continue;
            }
            let name = Name::from_labels(labels.iter().map(Vec::as_slice)).unwrap();
            let again = Name::from_domain(&name.to_domain());
            assert_eq!(name, again);
            assert_eq!(hash(&name), hash(&again));
            assert_eq!(name.shared_octets() > 0, name.wire().len() > INLINE);
            assert!(name.is_at_or_below(&Name::root()));
            if let Some(longer) = name.prefixed(b"a") {
                assert!(longer.is_below(&name) && longer.parent() == Some(name.clone()));
                assert!(longer > name && longer.common_ancestor(&name) == name);
            }
        }
        let longest = [
            vec![b'a'; 63],
            vec![b'b'; 63],
            vec![b'c'; 63],
            vec![b'd'; 61],
        ];
        let name = Name::from_labels(longest.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(name.wire().len(), 255);
        assert_eq!(name.prefixed(b"e"), None);
        let deepest = Name::from_labels(std::iter::repeat_n(&b"a"[..], 127)).unwrap();
        assert_eq!((deepest.wire().len(), deepest.label_count()), (255, 127));
        assert_eq!(deepest.cmp(&deepest), Ordering::Equal);
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
