//! Distinguished names: comparison (RFC 5280 §7.1) and the strings inside.

use super::der::{DerError, Element, Reader, tag};

/// `id-at-commonName`, 2.5.4.3, as encoded.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// `emailAddress` of PKCS #9, 1.2.840.113549.1.9.1, as encoded.
const EMAIL_ADDRESS: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01];

/// Whether two names (contents of the SEQUENCE) are the same: octet by octet, or else with case
/// of ASCII letters, runs of white space and the kind of string ignored. A name that does not
/// decode equals only itself.
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    left == right || matches!((canonical(left), canonical(right)), (Ok(a), Ok(b)) if a == b)
}

/// Whether `name` lies in the subtree `base`: it begins with all of its relative names.
pub(crate) fn is_within(name: &[u8], base: &[u8]) -> Result<bool, DerError> {
    Ok(canonical(name)?.starts_with(&canonical(base)?))
}

/// Every common name, in the order of the name; `None` for one that is not ASCII text.
pub(crate) fn common_names(name: &[u8]) -> Result<Vec<Option<Vec<u8>>>, DerError> {
    let mut found = Vec::new();
    each_attribute(name, |kind, value| {
        if kind.contents == COMMON_NAME {
            found.push(
                text(value)
                    .filter(|text| text.is_ascii())
                    .map(String::into_bytes),
            );
        }
    })?;
    Ok(found)
}

/// Every common name as text for people, replacement characters where it does not decode.
pub(crate) fn common_names_for_display(name: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    // A name that breaks off half-way still shows what stood before.
    let _ = each_attribute(name, |kind, value| {
        if kind.contents == COMMON_NAME {
            found.push(
                text(value).unwrap_or_else(|| String::from_utf8_lossy(value.contents).into_owned()),
            );
        }
    });
    found
}

/// Whether the name holds an e-mail address attribute.
pub(crate) fn has_email_address(name: &[u8]) -> Result<bool, DerError> {
    let mut found = false;
    each_attribute(name, |kind, _| found |= kind.contents == EMAIL_ADDRESS)?;
    Ok(found)
}

fn each_attribute<'a>(
    name: &'a [u8],
    mut visit: impl FnMut(Element<'a>, Element<'a>),
) -> Result<(), DerError> {
    let mut relative_names = Reader::new(name);
    while !relative_names.is_empty() {
        let mut attributes = relative_names.expect(tag::SET)?.reader();
        while !attributes.is_empty() {
            let (kind, value) = attribute(&mut attributes)?;
            visit(kind, value);
        }
    }
    Ok(())
}

fn attribute<'a>(attributes: &mut Reader<'a>) -> Result<(Element<'a>, Element<'a>), DerError> {
    let mut fields = attributes.expect(tag::SEQUENCE)?.reader();
    let kind = fields.expect(tag::OID)?;
    let value = fields.element()?;
    fields.finish()?;
    Ok((kind, value))
}

/// A relative name: kind and folded value of each attribute, sorted.
type RelativeName<'a> = Vec<(&'a [u8], FoldedValue<'a>)>;

/// One value per relative name: its attributes sorted, each as kind and folded text.
fn canonical(name: &[u8]) -> Result<Vec<RelativeName<'_>>, DerError> {
    let mut relative_names = Reader::new(name);
    let mut canonical = Vec::new();
    while !relative_names.is_empty() {
        let mut attributes = relative_names.expect(tag::SET)?.reader();
        let mut folded = Vec::new();
        while !attributes.is_empty() {
            let (kind, value) = attribute(&mut attributes)?;
            let value = text(value).map_or(FoldedValue::Other(value.whole), |text| {
                FoldedValue::Text(fold(&text))
            });
            folded.push((kind.contents, value));
        }
        folded.sort_unstable();
        canonical.push(folded);
    }
    Ok(canonical)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum FoldedValue<'a> {
    Text(String),
    Other(&'a [u8]),
}

fn fold(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_ascii_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").to_ascii_lowercase()
}

/// The text of a DirectoryString or IA5String; T61 is read as Latin-1, as everybody does.
fn text(value: Element<'_>) -> Option<String> {
    let octets = value.contents;
    match value.tag {
        tag::UTF8_STRING => String::from_utf8(octets.to_vec()).ok(),
        tag::PRINTABLE_STRING
        | tag::IA5_STRING
        | tag::VISIBLE_STRING
        | tag::NUMERIC_STRING
        | tag::T61_STRING => Some(octets.iter().copied().map(char::from).collect()),
        tag::BMP_STRING if octets.len().is_multiple_of(2) => {
            let units = octets.chunks_exact(2);
            let units = units.map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        tag::UNIVERSAL_STRING if octets.len().is_multiple_of(4) => octets
            .chunks_exact(4)
            .map(|four| char::from_u32(u32::from_be_bytes([four[0], four[1], four[2], four[3]])))
            .collect(),
        _ => None,
    }
}
