//! The two MIME fields that matter for conversion (RFC 2045 §5, §6).

/// Octets of a boundary that are accepted; RFC 2046 §5.1.1 allows 70.
const MAX_BOUNDARY: usize = 200;

/// What kind of content a part has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaKind {
    Text,
    /// Anything that base64 carries.
    Other,
    Multipart,
    /// `multipart/signed` (RFC 1847 §2.1).
    Signed,
    /// `multipart/digest`, whose parts are messages unless they say otherwise (RFC 2046 §5.1.5).
    Digest,
    /// `message/rfc822`.
    Message,
    /// `message/partial`, `message/external-body`.
    Fragment,
}

/// A transfer encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    SevenBit,
    EightBit,
    Binary,
    QuotedPrintable,
    Base64,
    Unknown,
}

impl Transfer {
    pub(super) fn parse(value: &[u8]) -> Self {
        let value = value.trim_ascii();
        let word = value
            .split(|octet| matches!(octet, b' ' | b'\t' | b'(' | b';'))
            .next()
            .unwrap_or_default();
        match word.to_ascii_lowercase().as_slice() {
            b"7bit" => Self::SevenBit,
            b"8bit" => Self::EightBit,
            b"binary" => Self::Binary,
            b"quoted-printable" => Self::QuotedPrintable,
            b"base64" => Self::Base64,
            _ => Self::Unknown,
        }
    }

    /// Whether the octets stand for themselves.
    pub(super) const fn is_identity(self) -> bool {
        matches!(self, Self::SevenBit | Self::EightBit | Self::Binary)
    }
}

/// A Content-Type as far as it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContentType {
    pub(super) kind: MediaKind,
    pub(super) boundary: Option<Vec<u8>>,
}

impl ContentType {
    pub(super) const fn plain_text() -> Self {
        Self {
            kind: MediaKind::Text,
            boundary: None,
        }
    }

    pub(super) const fn enclosed_message() -> Self {
        Self {
            kind: MediaKind::Message,
            boundary: None,
        }
    }

    pub(super) fn parse(value: &[u8]) -> Self {
        let end = value
            .iter()
            .position(|octet| *octet == b';')
            .unwrap_or(value.len());
        let (media, parameters) = value.split_at(end);
        let mut media = media.trim_ascii().to_ascii_lowercase();
        media.retain(|octet| !octet.is_ascii_whitespace());
        let kind = match media.as_slice() {
            b"multipart/signed" => MediaKind::Signed,
            b"multipart/digest" => MediaKind::Digest,
            b"message/rfc822" => MediaKind::Message,
            b"message/partial" | b"message/external-body" => MediaKind::Fragment,
            media if media.starts_with(b"multipart/") => MediaKind::Multipart,
            media if media.starts_with(b"text/") => MediaKind::Text,
            _ => MediaKind::Other,
        };
        Self {
            kind,
            boundary: boundary(parameters),
        }
    }
}

/// The value of the `boundary` parameter.
fn boundary(mut rest: &[u8]) -> Option<Vec<u8>> {
    // Each turn takes at least the semicolon.
    while let Some(parameter) = rest.strip_prefix(b";") {
        let equals = parameter
            .iter()
            .position(|octet| matches!(octet, b'=' | b';'))?;
        let (name, value) = parameter.split_at(equals);
        let Some(value) = value.strip_prefix(b"=") else {
            rest = value;
            continue;
        };
        let (value, behind) = parameter_value(value.trim_ascii_start());
        if name.trim_ascii().eq_ignore_ascii_case(b"boundary") {
            let fits = (1..=MAX_BOUNDARY).contains(&value.len());
            return fits.then_some(value);
        }
        let next = behind.iter().position(|octet| *octet == b';')?;
        rest = behind.get(next..)?;
    }
    None
}

/// A token or a quoted string, and what follows it.
fn parameter_value(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text
            .iter()
            .position(|octet| matches!(octet, b';' | b' ' | b'\t' | b'('))
            .unwrap_or(text.len());
        let (value, behind) = text.split_at(end);
        return (value.to_vec(), behind);
    };
    let mut value = Vec::new();
    let mut octets = quoted.iter().enumerate();
    while let Some((at, octet)) = octets.next() {
        match octet {
            b'"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            b'\\' => value.extend(octets.next().map(|(_, octet)| *octet)),
            other => value.push(*other),
        }
    }
    (value, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries() {
        let check = |value: &str, kind: MediaKind, boundary: Option<&str>| {
            let parsed = ContentType::parse(value.as_bytes());
            assert_eq!(parsed.kind, kind, "{value}");
            let found = parsed.boundary.map(|it| String::from_utf8(it).unwrap());
            assert_eq!(found.as_deref(), boundary, "{value}");
        };
        check(" text/plain; charset=utf-8", MediaKind::Text, None);
        check(
            " multipart/mixed; boundary=abc",
            MediaKind::Multipart,
            Some("abc"),
        );
        check(
            " Multipart/Signed; micalg=\"x;boundary=no\";\tBOUNDARY = \"a\\\"b c\" ; x",
            MediaKind::Signed,
            Some("a\"b c"),
        );
        check(" multipart/digest; boundary", MediaKind::Digest, None);
        check(
            " multipart/mixed; boundary=\"\"",
            MediaKind::Multipart,
            None,
        );
        check(
            " multipart/mixed;;;boundary=x(c)",
            MediaKind::Multipart,
            Some("x"),
        );
        check(" message/rfc822", MediaKind::Message, None);
        check("", MediaKind::Other, None);
    }
}
