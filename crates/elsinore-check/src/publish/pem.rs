//! PEM (RFC 7468) without looking inside: what stands between the armour may be anything, so its
//! octets are handed on as they are.

/// Why a file is not PEM of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No octets at all.
    #[error("the file is empty")]
    Empty,
    /// No block with that label.
    #[error("no line -----BEGIN {0}-----")]
    Absent(&'static str),
    /// A block, counted from 1 among those of its label, without its END line.
    #[error("{0} {1} has no END line")]
    Unfinished(String, usize),
    /// A block, counted from 1 among those of its label, whose body is not base64.
    #[error("{0} {1} is not base64")]
    Base64(String, usize),
}

/// One block of a PEM file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What stands behind BEGIN.
    pub label: &'static str,
    /// Whether header lines say that the body is encrypted (RFC 1421 §4.6.1.1), as OpenSSL writes
    /// them into keys of the old form.
    pub encrypted: bool,
    /// The body.
    pub octets: Vec<u8>,
}

/// The certificates, in the order of the file.
///
/// # Errors
/// [`PemError`].
pub fn certificates(text: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    const LABEL: &str = "CERTIFICATE";
    let found = blocks(text, &[LABEL])?;
    if found.is_empty() {
        return Err(PemError::Absent(LABEL));
    }
    Ok(found.into_iter().map(|block| block.octets).collect())
}

/// The blocks with one of these labels, in the order of the file; other text and other armour (a
/// private key, say) is passed over.
///
/// # Errors
/// [`PemError`], but never [`PemError::Absent`].
pub fn blocks(text: &[u8], labels: &[&'static str]) -> Result<Vec<Block>, PemError> {
    if text.is_empty() {
        return Err(PemError::Empty);
    }
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<Open> = None;
    for line in text.split(|octet| matches!(octet, b'\n' | b'\r')) {
        let line = line.trim_ascii();
        match &mut open {
            None => {
                let begun = labels.iter().find(|label| is_armour(line, b"BEGIN", label));
                open = begun.map(|label| Open::new(label));
            }
            Some(block) if line.starts_with(b"-----BEGIN") => {
                return Err(PemError::Unfinished(
                    block.noun(),
                    number(&found, block.label),
                ));
            }
            Some(block) if is_armour(line, b"END", block.label) => {
                let Some(octets) = decode(&block.base64) else {
                    return Err(PemError::Base64(block.noun(), number(&found, block.label)));
                };
                found.push(Block {
                    label: block.label,
                    encrypted: block.encrypted,
                    octets,
                });
                open = None;
            }
            Some(block) => block.take(line),
        }
    }
    match open {
        Some(block) => Err(PemError::Unfinished(
            block.noun(),
            number(&found, block.label),
        )),
        None => Ok(found),
    }
}

/// A block whose END line has not come yet.
struct Open {
    label: &'static str,
    encrypted: bool,
    base64: Vec<u8>,
}

impl Open {
    const fn new(label: &'static str) -> Self {
        Self {
            label,
            encrypted: false,
            base64: Vec::new(),
        }
    }

    /// Header lines have a colon, which base64 has not.
    fn take(&mut self, line: &[u8]) {
        if self.base64.is_empty() && line.contains(&b':') {
            let says = |word: &[u8]| line.windows(word.len()).any(|part| part == word);
            self.encrypted |= line.starts_with(b"Proc-Type") && says(b"ENCRYPTED");
        } else {
            let body = line.iter().filter(|octet| !octet.is_ascii_whitespace());
            self.base64.extend(body);
        }
    }

    fn noun(&self) -> String {
        self.label.to_ascii_lowercase()
    }
}

/// Which block of that label comes next, counted from 1.
fn number(found: &[Block], label: &str) -> usize {
    found.iter().filter(|block| block.label == label).count() + 1
}

fn is_armour(line: &[u8], word: &[u8], label: &str) -> bool {
    let inside = line
        .strip_prefix(b"-----")
        .and_then(|rest| rest.strip_suffix(b"-----"))
        .and_then(|rest| rest.strip_prefix(word))
        .and_then(|rest| rest.strip_prefix(b" "));
    inside == Some(label.as_bytes())
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
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn armour() {
        let block = |body: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        };
        let noun = || "certificate".to_owned();
        let (one, two) = (block("AAEC"), block("/w=="));
        let both = Ok(vec![vec![0, 1, 2], vec![0xff]]);
        for (text, expected) in [
            (String::new(), Err(PemError::Empty)),
            ("hello".to_owned(), Err(PemError::Absent("CERTIFICATE"))),
            ("x".repeat(100_000), Err(PemError::Absent("CERTIFICATE"))),
            (format!("{one}{two}"), both.clone()),
            (format!("{one}{two}").replace('\n', "\r\n"), both.clone()),
            (format!("subject=x\n{one}\n\n{two}tail"), both.clone()),
            (block("AA\nEC"), Ok(vec![vec![0, 1, 2]])),
            (block(""), Ok(vec![vec![]])),
            (block("AAE"), Err(PemError::Base64(noun(), 1))),
            (block("????"), Err(PemError::Base64(noun(), 1))),
            (
                format!("{one}{}", block("A\u{e9}==")),
                Err(PemError::Base64(noun(), 2)),
            ),
            (
                format!("{one}{}", &two[..30]),
                Err(PemError::Unfinished(noun(), 2)),
            ),
            (
                format!("{}{two}", &one[..28]),
                Err(PemError::Unfinished(noun(), 1)),
            ),
        ] {
            assert_eq!(certificates(text.as_bytes()), expected, "{text:.80}");
        }
    }

    #[test]
    fn several_labels_and_headers() {
        let text = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n\
            -----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n\
            /w==\n-----END RSA PRIVATE KEY-----\n";
        let keys = ["PRIVATE KEY", "RSA PRIVATE KEY"];
        let found = blocks(text.as_bytes(), &keys).unwrap();
        let expected = Block {
            label: "RSA PRIVATE KEY",
            encrypted: true,
            octets: vec![0xff],
        };
        assert_eq!(found, [expected]);
        assert_eq!(blocks(text.as_bytes(), &["X"]), Ok(vec![]));
    }
}
