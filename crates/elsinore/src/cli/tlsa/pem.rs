//! PEM (RFC 7468) without looking inside: the certificates may be anything, so the octets between
//! the armour go to the verifier as they are.

/// Why a file is not a PEM chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PemError {
    /// No octets at all.
    Empty,
    /// No `-----BEGIN CERTIFICATE-----`.
    NoCertificate,
    /// A certificate, counted from 1, without its END line.
    Unfinished(usize),
    /// A certificate, counted from 1, whose body is not base64.
    Base64(usize),
}

impl std::fmt::Display for PemError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => write!(f, "the file is empty"),
            Self::NoCertificate => write!(f, "no line -----BEGIN CERTIFICATE-----"),
            Self::Unfinished(number) => write!(f, "certificate {number} has no END line"),
            Self::Base64(number) => write!(f, "certificate {number} is not base64"),
        }
    }
}

/// The octets of each certificate, in the order of the file; other text and other armour (a
/// private key, say) is passed over.
pub(super) fn certificates(text: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    const END: &[u8] = b"-----END CERTIFICATE-----";
    if text.is_empty() {
        return Err(PemError::Empty);
    }
    let mut found = Vec::new();
    let mut body: Option<Vec<u8>> = None;
    for line in text.split(|octet| matches!(octet, b'\n' | b'\r')) {
        let line = line.trim_ascii();
        let number = found.len() + 1;
        match &mut body {
            None if line == BEGIN => body = Some(Vec::new()),
            None => {}
            Some(_) if line.starts_with(b"-----BEGIN") => return Err(PemError::Unfinished(number)),
            Some(base64) if line == END => {
                found.push(decode(base64).ok_or(PemError::Base64(number))?);
                body = None;
            }
            Some(base64) => base64.extend(line.iter().filter(|octet| !octet.is_ascii_whitespace())),
        }
    }
    match body {
        Some(_) => Err(PemError::Unfinished(found.len() + 1)),
        None if found.is_empty() => Err(PemError::NoCertificate),
        None => Ok(found),
    }
}

fn decode(base64: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(base64).ok()?;
    // OpenSSL takes whole groups only, and nothing for nothing.
    if text.is_empty() {
        return Some(Vec::new());
    }
    openssl::base64::decode_block(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armour() {
        let block = |body: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        };
        let (one, two) = (block("AAEC"), block("/w=="));
        let both = Ok(vec![vec![0, 1, 2], vec![0xff]]);
        for (text, expected) in [
            (String::new(), Err(PemError::Empty)),
            ("hello".to_owned(), Err(PemError::NoCertificate)),
            ("x".repeat(100_000), Err(PemError::NoCertificate)),
            (format!("{one}{two}"), both.clone()),
            (format!("{one}{two}").replace('\n', "\r\n"), both.clone()),
            (format!("subject=x\n{one}\n\n{two}tail"), both.clone()),
            (block("AA\nEC"), Ok(vec![vec![0, 1, 2]])),
            (block(""), Ok(vec![vec![]])),
            (block("AAE"), Err(PemError::Base64(1))),
            (block("????"), Err(PemError::Base64(1))),
            (
                format!("{one}{}", block("A\u{e9}==")),
                Err(PemError::Base64(2)),
            ),
            (format!("{one}{}", &two[..30]), Err(PemError::Unfinished(2))),
            (format!("{}{two}", &one[..28]), Err(PemError::Unfinished(1))),
        ] {
            assert_eq!(certificates(text.as_bytes()), expected, "{text:.80}");
        }
    }
}
