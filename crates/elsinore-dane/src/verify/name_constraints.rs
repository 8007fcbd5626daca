//! Name constraints of an issuer on the certificates below it (RFC 5280 §4.2.1.10).
//!
//! DNS names, addresses and directory names are judged. A constraint on any other form is
//! violated by every certificate that carries a name of that form, so nothing slips through
//! unjudged.

use super::certificate::Certificate;
use super::der::{DerError, Element, Reader, small_integer, tag};
use super::distinguished_name;
use super::names::{
    DIRECTORY_NAME, DNS_NAME, IP_ADDRESS, RFC822_NAME, general_names, presented_names,
};

/// Where a certificate stands in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The server's certificate: its common name may serve as a DNS name.
    Leaf,
    /// Any certificate above it.
    Issuer,
}

/// What the constraints of an issuer say of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Permitted,
    Violated,
    /// More comparisons would be needed than are left.
    Unsettled,
}

/// Whether `certificate` satisfies `constraints` (contents of NameConstraints). The comparisons
/// are taken off `left`, every one of them in advance.
pub(crate) fn permit(
    constraints: &[u8],
    certificate: &Certificate<'_>,
    place: Place,
    left: &mut usize,
) -> Result<Verdict, DerError> {
    let mut fields = Reader::new(constraints);
    let permitted = subtrees(&mut fields, tag::context_constructed(0))?;
    let excluded = subtrees(&mut fields, tag::context_constructed(1))?;
    fields.finish()?;
    let names = names_of(certificate, place)?;
    let bases = permitted.len() + excluded.len();
    // Reading the lists is work too, even when one of them is empty.
    let work = names.len().saturating_mul(bases) + names.len() + bases;
    let Some(rest) = left.checked_sub(work) else {
        return Ok(Verdict::Unsettled);
    };
    *left = rest;
    for name in &names {
        let mut constrained = false;
        let mut inside = false;
        for base in permitted.iter().filter(|base| base.tag == name.form()) {
            constrained = true;
            inside |= name.lies_in(base, Kind::Permitted)?;
        }
        if constrained && !inside {
            return Ok(Verdict::Violated);
        }
        for base in excluded.iter().filter(|base| base.tag == name.form()) {
            if name.lies_in(base, Kind::Excluded)? {
                return Ok(Verdict::Violated);
            }
        }
    }
    Ok(Verdict::Permitted)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Permitted,
    Excluded,
}

enum Name<'a> {
    Dns(Vec<u8>),
    Address(&'a [u8]),
    /// Contents of the Name's SEQUENCE.
    Directory(&'a [u8]),
    /// A form that is not judged, by its tag.
    Other(u8),
}

impl Name<'_> {
    const fn form(&self) -> u8 {
        match self {
            Self::Dns(_) => DNS_NAME,
            Self::Address(_) => IP_ADDRESS,
            Self::Directory(_) => DIRECTORY_NAME,
            Self::Other(tag) => *tag,
        }
    }

    fn lies_in(&self, base: &Element<'_>, kind: Kind) -> Result<bool, DerError> {
        match self {
            Self::Dns(name) => Ok(dns_lies_in(name, base.contents, kind)),
            Self::Address(octets) => address_lies_in(octets, base.contents),
            Self::Directory(name) => distinguished_name::is_within(name, directory(base)?),
            Self::Other(_) => Ok(kind == Kind::Excluded),
        }
    }
}

fn names_of<'a>(certificate: &Certificate<'a>, place: Place) -> Result<Vec<Name<'a>>, DerError> {
    let mut names = Vec::new();
    if !certificate.subject().is_empty() {
        names.push(Name::Directory(certificate.subject()));
        if distinguished_name::has_email_address(certificate.subject())? {
            names.push(Name::Other(RFC822_NAME));
        }
    }
    let extensions = certificate.extensions()?;
    if let Some(list) = extensions.subject_alt_name {
        for name in general_names(list)? {
            names.push(match name.tag {
                // Taken below, together with the common names that may stand in for them.
                DNS_NAME if place == Place::Leaf => continue,
                DNS_NAME => Name::Dns(name.contents.to_vec()),
                IP_ADDRESS => Name::Address(name.contents),
                DIRECTORY_NAME => Name::Directory(directory(&name)?),
                other => Name::Other(other),
            });
        }
    }
    if place == Place::Leaf {
        // A common name with a space or the like can never serve as a host name.
        let usable = presented_names(certificate)?
            .into_iter()
            .filter(|name| name.iter().all(u8::is_ascii_graphic));
        names.extend(usable.map(Name::Dns));
    }
    Ok(names)
}

fn directory<'a>(name: &Element<'a>) -> Result<&'a [u8], DerError> {
    let mut reader = name.reader();
    let inner = reader.expect(tag::SEQUENCE)?;
    reader.finish()?;
    Ok(inner.contents)
}

/// The bases of one list; minimum and maximum must have their defaults (RFC 5280 §4.2.1.10).
fn subtrees<'a>(fields: &mut Reader<'a>, list: u8) -> Result<Vec<Element<'a>>, DerError> {
    let mut bases = Vec::new();
    if let Some(list) = fields.optional(list)? {
        let mut entries = list.reader();
        while !entries.is_empty() {
            let mut subtree = entries.expect(tag::SEQUENCE)?.reader();
            bases.push(subtree.element()?);
            if let Some(minimum) = subtree.optional(tag::context(0))?
                && small_integer(minimum.contents)? != 0
            {
                return Err(DerError);
            }
            subtree.finish()?;
        }
    }
    Ok(bases)
}

/// A base covers itself and all names below; with a leading dot only the names below. An excluded
/// base also hits a wildcard that would cover it.
fn dns_lies_in(name: &[u8], base: &[u8], kind: Kind) -> bool {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let base = base.strip_suffix(b".").unwrap_or(base);
    if base.is_empty() {
        return true;
    }
    if let Some(tail) = name.strip_prefix(b"*")
        && kind == Kind::Excluded
        && base.len() > tail.len()
        && base[base.len() - tail.len()..].eq_ignore_ascii_case(tail)
        && !base[..base.len() - tail.len()].contains(&b'.')
    {
        return true;
    }
    let Some(boundary) = name.len().checked_sub(base.len()) else {
        return false;
    };
    if !name[boundary..].eq_ignore_ascii_case(base) {
        return false;
    }
    base[0] == b'.' && boundary > 0
        || base[0] != b'.' && (boundary == 0 || name[boundary - 1] == b'.')
}

/// The base is an address and a mask of the same length.
fn address_lies_in(address: &[u8], base: &[u8]) -> Result<bool, DerError> {
    if !matches!(base.len(), 8 | 32) {
        return Err(DerError);
    }
    let (network, mask) = base.split_at(base.len() / 2);
    Ok(address.len() == network.len()
        && address
            .iter()
            .zip(network)
            .zip(mask)
            .all(|((octet, network), mask)| octet & mask == network & mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_subtrees() {
        for (name, base, permitted, excluded) in [
            ("mx.example.org", "example.org", true, true),
            ("example.org", "example.org", true, true),
            ("EXAMPLE.org.", "example.ORG", true, true),
            ("badexample.org", "example.org", false, false),
            ("example.org", ".example.org", false, false),
            ("mx.example.org", ".example.org", true, true),
            ("anything.test", "", true, true),
            ("*.example.org", "example.org", true, true),
            ("*.example.org", "mx.example.org", false, true),
            ("*.example.org", "a.mx.example.org", false, false),
            ("org", "example.org", false, false),
        ] {
            let inside = |kind| dns_lies_in(name.as_bytes(), base.as_bytes(), kind);
            assert_eq!(inside(Kind::Permitted), permitted, "{name} in {base}");
            assert_eq!(inside(Kind::Excluded), excluded, "{name} in {base}");
        }
    }

    #[test]
    fn address_subtrees() {
        let net = [192, 0, 2, 0, 255, 255, 255, 0];
        assert_eq!(address_lies_in(&[192, 0, 2, 9], &net), Ok(true));
        assert_eq!(address_lies_in(&[192, 0, 3, 9], &net), Ok(false));
        assert_eq!(address_lies_in(&[0; 16], &net), Ok(false));
        assert_eq!(address_lies_in(&[192, 0, 2, 9], &[1, 2, 3]), Err(DerError));
    }
}
