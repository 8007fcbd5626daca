//! Domain names as this project compares them (RFC 1034 §3.1, RFC 4343, RFC 5890).

use std::fmt;
use std::sync::Arc;

/// A fully qualified domain name in one canonical text form.
///
/// Lower case, A-labels only, no trailing dot; the root is `.`. Octets outside printable ASCII,
/// those that zone files or shells read as more than themselves, and dots or backslashes inside a
/// label are kept as `\DDD` / `\.` / `\\` (RFC 1035 §5.1).
/// Two names are equal exactly when DNS calls them equal. Wire length is at most 255 octets and
/// each label at most 63 (RFC 1035 §2.3.4); both are enforced on construction.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainName(Arc<str>);

/// Why a text or a list of labels is not a domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing between two dots, or no label at all.
    #[error("empty label")]
    EmptyLabel,
    /// A label longer than 63 octets.
    #[error("label longer than 63 octets")]
    LabelTooLong,
    /// More than 255 octets in wire form.
    #[error("name longer than 255 octets")]
    NameTooLong,
    /// A U-label that IDNA (RFC 5891, UTS #46) does not map to an A-label.
    #[error("not a valid internationalised name")]
    Idna,
    /// A backslash that is not followed by a character or three digits below 256.
    #[error("malformed escape")]
    Escape,
}

impl DomainName {
    /// Parses presentation format; U-labels become A-labels, a trailing dot is dropped.
    ///
    /// # Errors
    /// [`NameError`] says which limit the text breaks. Underscores are allowed: DNS names are not
    /// host names.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text == "." {
            return Ok(Self::root());
        }
        if !text.is_ascii() {
            let ascii = idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::EMPTY)
                .map_err(|_| NameError::Idna)?;
            return Self::parse_ascii(&ascii);
        }
        Self::parse_ascii(text)
    }

    fn parse_ascii(text: &str) -> Result<Self, NameError> {
        if let Some(canonical) = Self::already_canonical(text) {
            return Ok(canonical);
        }
        let mut labels: Vec<Vec<u8>> = vec![Vec::new()];
        let mut octets = text.bytes();
        while let Some(octet) = octets.next() {
            let Some(current) = labels.last_mut() else {
                return Err(NameError::EmptyLabel);
            };
            match octet {
                b'.' => labels.push(Vec::new()),
                b'\\' => {
                    let first = octets.next().ok_or(NameError::Escape)?;
                    if first.is_ascii_digit() {
                        let mut value = u16::from(first - b'0');
                        for _ in 0..2 {
                            let digit = octets.next().filter(u8::is_ascii_digit);
                            value = value * 10 + u16::from(digit.ok_or(NameError::Escape)? - b'0');
                        }
                        current.push(u8::try_from(value).map_err(|_| NameError::Escape)?);
                    } else {
                        current.push(first);
                    }
                }
                other => current.push(other),
            }
        }
        if labels.len() > 1 && labels.last().is_some_and(Vec::is_empty) {
            labels.pop();
        }
        Self::from_labels(labels.iter().map(Vec::as_slice))
    }

    /// The common case, in one pass: lower-case letters, digits, hyphens and underscores, within
    /// the limits of length. Anything else is `None` and takes the long way.
    fn already_canonical(text: &str) -> Option<Self> {
        let mut label = 0_usize;
        for octet in text.bytes() {
            match octet {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => label += 1,
                b'.' if (1..=63).contains(&label) => label = 0,
                _ => return None,
            }
        }
        // One length octet before the first label and the root's after the last: two more than
        // the text has.
        ((1..=63).contains(&label) && text.len() <= 253).then(|| Self(Arc::from(text)))
    }

    /// The DNS root.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::from("."))
    }

    /// Builds a name from raw labels (without the root label), as a DNS message carries them.
    ///
    /// # Errors
    /// [`NameError`] when a label is empty or too long or the whole is.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, NameError> {
        let mut text = String::new();
        let mut wire = 1_usize;
        for label in labels {
            if label.is_empty() {
                return Err(NameError::EmptyLabel);
            }
            if label.len() > 63 {
                return Err(NameError::LabelTooLong);
            }
            wire += label.len() + 1;
            if !text.is_empty() {
                text.push('.');
            }
            for octet in label {
                match octet {
                    b'.' | b'\\' => {
                        text.push('\\');
                        text.push(char::from(*octet));
                    }
                    octet if stands_for_itself(*octet) => {
                        text.push(char::from(octet.to_ascii_lowercase()));
                    }
                    other => text.push_str(&format!("\\{other:03}")),
                }
            }
        }
        if wire > 255 {
            return Err(NameError::NameTooLong);
        }
        if text.is_empty() {
            return Err(NameError::EmptyLabel);
        }
        Ok(Self(Arc::from(text)))
    }

    /// The canonical text, without a trailing dot (`.` for the root).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the DNS root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        &*self.0 == "."
    }

    /// The raw labels from the leftmost on, without the root label.
    #[must_use]
    pub fn labels(&self) -> Vec<Vec<u8>> {
        if self.is_root() {
            return Vec::new();
        }
        let mut labels = vec![Vec::new()];
        let mut octets = self.0.bytes();
        while let Some(octet) = octets.next() {
            let octet = match octet {
                b'.' => {
                    labels.push(Vec::new());
                    continue;
                }
                b'\\' => match octets.next() {
                    Some(first) if first.is_ascii_digit() => {
                        let tens = octets.next().map_or(0, |d| d - b'0');
                        let ones = octets.next().map_or(0, |d| d - b'0');
                        // The constructor wrote three digits below 256.
                        (first - b'0').wrapping_mul(100) + tens * 10 + ones
                    }
                    Some(escaped) => escaped,
                    None => break,
                },
                plain => plain,
            };
            if let Some(label) = labels.last_mut() {
                label.push(octet);
            }
        }
        labels
    }

    /// The name with its leftmost label removed; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let mut labels = self.labels();
        labels.remove(0);
        if labels.is_empty() {
            return Some(Self::root());
        }
        Self::from_labels(labels.iter().map(Vec::as_slice)).ok()
    }

    /// Whether this name is `ancestor` or lies below it.
    #[must_use]
    pub fn is_at_or_below(&self, ancestor: &Self) -> bool {
        let mine = self.labels();
        mine.ends_with(&ancestor.labels())
    }

    /// The name with `labels` (dot-separated text such as `_25._tcp`) put in front.
    ///
    /// # Errors
    /// [`NameError::NameTooLong`] when the result exceeds 255 octets: RFC 7672 §2.2.3 then knows
    /// no TLSA records for it.
    pub fn prefixed(&self, labels: &str) -> Result<Self, NameError> {
        if self.is_root() {
            return Self::parse_ascii(labels);
        }
        let mut text = String::with_capacity(labels.len() + 1 + self.0.len());
        text.push_str(labels);
        text.push('.');
        text.push_str(&self.0);
        Self::parse_ascii(&text)
    }
}

/// Whether an octet of a label is written as it is. Names of strangers are printed in lines that
/// people paste into zone files and shells, so what is special there (RFC 1035 §5.1: quotes, brackets,
/// `;`, `$`; POSIX shells: `|`, `&`, `<`, `` ` `` and more) is written as a number.
const fn stands_for_itself(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(
            octet,
            b'-' | b'_' | b'*' | b'/' | b'+' | b':' | b'=' | b',' | b'@' | b'%' | b'^'
        )
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for DomainName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms() {
        for (text, expected) in [
            ("Example.ORG.", "example.org"),
            (".", "."),
            ("_25._tcp.mx.example", "_25._tcp.mx.example"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("a\\.b.example", "a\\.b.example"),
            ("a\\000b.example", "a\\000b.example"),
            ("*.0/26.example", "*.0/26.example"),
            (
                "$(ID|sh);`x`.example",
                "\\036\\040id\\124sh\\041\\059\\096x\\096.example",
            ),
            (
                "a&b<c>'d'\"e\".example",
                "a\\038b\\060c\\062\\039d\\039\\034e\\034.example",
            ),
        ] {
            let name = DomainName::parse(text).unwrap();
            assert_eq!(name.as_str(), expected);
            let again = DomainName::parse(name.as_str()).unwrap();
            assert_eq!(again, name, "{text}");
            if !name.is_root() {
                let labels = name.labels();
                let back = DomainName::from_labels(labels.iter().map(Vec::as_slice)).unwrap();
                assert_eq!(back, name);
            }
        }
    }

    #[test]
    fn refused() {
        let long = "a".repeat(64);
        let many = ["abcdefgh"; 29].join(".");
        for (text, expected) in [
            ("", NameError::EmptyLabel),
            ("a..b", NameError::EmptyLabel),
            (long.as_str(), NameError::LabelTooLong),
            (many.as_str(), NameError::NameTooLong),
            ("a\\25", NameError::Escape),
            ("a\\999", NameError::Escape),
        ] {
            assert_eq!(DomainName::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn limits_are_the_same_on_the_short_and_the_long_way() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        let too_long = format!("{label}.{label}.{label}.{}", "a".repeat(62));
        let upper = |text: &str| text.to_ascii_uppercase();
        for (text, expected) in [
            (label.clone(), Ok(())),
            (format!("{label}a.example"), Err(NameError::LabelTooLong)),
            (longest, Ok(())),
            (too_long, Err(NameError::NameTooLong)),
            ("a..b".to_owned(), Err(NameError::EmptyLabel)),
            (".a".to_owned(), Err(NameError::EmptyLabel)),
        ] {
            let short = DomainName::parse(&text);
            assert_eq!(short, DomainName::parse(&upper(&text)), "{text}");
            assert_eq!(short.map(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn relations() {
        let name = DomainName::parse("mx.example.org").unwrap();
        let parent = DomainName::parse("example.org").unwrap();
        assert_eq!(name.parent(), Some(parent.clone()));
        assert!(name.is_at_or_below(&parent) && !parent.is_at_or_below(&name));
        assert!(name.is_at_or_below(&DomainName::root()));
        assert!(
            !DomainName::parse("badexample.org")
                .unwrap()
                .is_at_or_below(&parent)
        );
        assert_eq!(
            parent.prefixed("_25._tcp").unwrap().as_str(),
            "_25._tcp.example.org"
        );
    }
}
