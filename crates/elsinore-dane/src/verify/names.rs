//! Reference identifiers against the names a leaf carries (RFC 7672 §3.2.2, §3.2.3; RFC 6125 §6).

use super::certificate::Certificate;
use super::der::{DerError, Element, Reader, tag};
use super::distinguished_name;
use super::outcome::Rejection;
use crate::name::DomainName;

/// The names of which the leaf must carry one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReferenceNames<'a> {
    names: &'a [DomainName],
}

impl<'a> ReferenceNames<'a> {
    pub(crate) const fn new(names: &'a [DomainName]) -> Self {
        Self { names }
    }

    /// The first reference identifier that the certificate carries: as a DNS-ID, or as a CN-ID
    /// when it has no DNS-ID at all.
    pub(crate) fn covered_by(&self, leaf: &Certificate<'_>) -> Result<DomainName, Rejection> {
        let malformed = |_: DerError| Rejection::Malformed { depth: 0 };
        let presented = presented_names(leaf).map_err(malformed)?;
        self.names
            .iter()
            .find(|reference| presented.iter().any(|name| covers(name, reference)))
            .cloned()
            .ok_or(Rejection::NameMismatch)
    }
}

/// DNS-IDs of the leaf, or its CN-IDs when there are none.
pub(crate) fn presented_names(leaf: &Certificate<'_>) -> Result<Vec<Vec<u8>>, DerError> {
    let extensions = leaf.extensions()?;
    let mut names = Vec::new();
    if let Some(list) = extensions.subject_alt_name {
        for name in general_names(list)? {
            if name.tag == DNS_NAME {
                names.push(name.contents.to_vec());
            }
        }
    }
    //= spec: 7672-3.2.3-1
    if names.is_empty() {
        let common_names = distinguished_name::common_names(leaf.subject())?;
        names = common_names.into_iter().flatten().collect();
    }
    Ok(names)
}

/// GeneralName choices (RFC 5280 §4.2.1.6).
pub(crate) const RFC822_NAME: u8 = tag::context(1);
pub(crate) const DNS_NAME: u8 = tag::context(2);
pub(crate) const DIRECTORY_NAME: u8 = tag::context_constructed(4);
pub(crate) const IP_ADDRESS: u8 = tag::context(7);

/// The elements of a SubjectAltName list.
pub(crate) fn general_names(list: &[u8]) -> Result<Vec<Element<'_>>, DerError> {
    let mut reader = Reader::new(list);
    let mut names = Vec::new();
    while !reader.is_empty() {
        names.push(reader.element()?);
    }
    Ok(names)
}

/// Whether a presented name covers a reference identifier.
///
/// ASCII without regard to case, a trailing dot of either ignored. A wildcard is the whole
/// leftmost label, stands for exactly one label, and must have two labels behind it: `*.example`
/// covers nothing, because nobody owns the names below a top-level domain. Octets that no A-label has (NUL, space,
/// anything above 126) make a presented name cover nothing.
fn covers(presented: &[u8], reference: &DomainName) -> bool {
    let reference = reference.as_str().as_bytes();
    let presented = presented.strip_suffix(b".").unwrap_or(presented);
    // An escape in the reference means octets that no certificate name may have.
    if presented.is_empty()
        || !presented.iter().all(u8::is_ascii_graphic)
        || reference.contains(&b'\\')
    {
        return false;
    }
    //= spec: 7672-3.2.3-2
    let Some(tail) = presented.strip_prefix(b"*.") else {
        return !presented.contains(&b'*') && presented.eq_ignore_ascii_case(reference);
    };
    if tail.contains(&b'*') || !tail.contains(&b'.') {
        return false;
    }
    let Some(dot) = reference.iter().position(|octet| *octet == b'.') else {
        return false;
    };
    //= spec: 7672-3.2.3-3
    tail.eq_ignore_ascii_case(&reference[dot + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage() {
        //= spec-test: 7672-3.2.3-2
        //= spec-test: 7672-3.2.3-3
        for (presented, reference, expected) in [
            ("mx.example.org", "mx.example.org", true),
            ("MX.Example.ORG", "mx.example.org", true),
            ("mx.example.org.", "mx.example.org", true),
            ("mx.example.org", "mx.example.org.", true),
            ("example.org", "mx.example.org", false),
            ("*.example.org", "mx.example.org", true),
            ("*.EXAMPLE.org", "mx.example.org", true),
            ("*.example.org", "a.mx.example.org", false),
            ("*.example.org", "example.org", false),
            ("*.example.org", "my_mx.example.org", true),
            ("*.org", "example.org", false),
            ("*.org.", "example.org", false),
            ("*", "example", false),
            ("*.", "example", false),
            ("m*.example.org", "mx.example.org", false),
            ("*x.example.org", "mx.example.org", false),
            ("mx.*.org", "mx.example.org", false),
            ("*.*.org", "mx.example.org", false),
            ("mx.example.org\0.evil.test", "mx.example.org", false),
            ("mx.example.org\0", "mx.example.org", false),
            ("", "mx.example.org", false),
            (".", "mx.example.org", false),
            ("..", "mx.example.org", false),
            ("mx_1.example.org", "mx_1.example.org", true),
            ("b\u{fc}cher.example.org", "b\u{fc}cher.example.org", false),
            ("xn--bcher-kva.example.org", "b\u{fc}cher.example.org", true),
            ("*.example.org", "xn--bcher-kva.example.org", true),
            ("a\\.b.example.org", "a\\.b.example.org", false),
        ] {
            let name = DomainName::parse(reference).unwrap();
            assert_eq!(
                covers(presented.as_bytes(), &name),
                expected,
                "{presented:?} against {reference:?}"
            );
        }
    }
}
