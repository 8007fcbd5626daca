//! The names that are asked for, of which it is known what they are.

use elsinore_dane::answer::{Question, RecordType};
use elsinore_dane::name::DomainName;
use std::fmt;
use std::str::FromStr;

/// A name to ask for and the type, A unless given: `example.org` or `example.org MX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeName(pub Question);

impl FromStr for ProbeName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let name = DomainName::parse(name).map_err(|error| format!("{error}"))?;
        let record_type = match words.next() {
            None => RecordType::A,
            Some(word) => (1..=64)
                .map(RecordType::from_code)
                .find(|known| known.to_string().eq_ignore_ascii_case(word))
                .ok_or_else(|| format!("{word:?} is not a record type"))?,
        };
        match words.next() {
            None => Ok(Self(Question::new(name, record_type))),
            Some(word) => Err(format!("{word:?} is more than a name and a type")),
        }
    }
}

impl fmt::Display for ProbeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names by what is known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeNames {
    /// Signed, and the signatures are good.
    pub secure: Vec<ProbeName>,
    /// Signed wrongly, on purpose and for good.
    pub bogus: Vec<ProbeName>,
    /// Not signed.
    pub insecure: Vec<ProbeName>,
}

/// Names of each kind that are asked for, at most.
pub(super) const MOST: usize = 3;

impl Default for ProbeNames {
    /// Names of the open Internet that have been what they are for ten years and more. Of each
    /// kind there are several, by different operators, so that trouble of one is not taken for
    /// trouble here.
    fn default() -> Self {
        let names = |texts: &[&str]| {
            // Constants, which a test parses.
            texts.iter().filter_map(|text| text.parse().ok()).collect()
        };
        Self {
            // The IETF, the maker of Unbound and NSD, and the maker of BIND: signed since 2010 to
            // 2011, under three top-level domains, and none of them will ever give it up.
            secure: names(&["ietf.org", "nlnetlabs.nl", "isc.org"]),
            // Kept broken to test validators: by Comcast since 2012 (DS records that fit no key),
            // by CZ.NIC (a signature that does not verify).
            bogus: names(&["dnssec-failed.org", "www.rhybar.cz"]),
            // Large, always up and never signed since there is DNSSEC. Should one change its mind,
            // our own validator sees it and the next is taken.
            insecure: names(&["google.com", "amazon.com", "wikipedia.org"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for (text, expected) in [
            ("ietf.org", Some("ietf.org A")),
            (" mx.example  mx ", Some("mx.example MX")),
            (". DNSKEY", Some(". DNSKEY")),
            ("", None),
            ("a..b", None),
            ("example NOPE", None),
            ("example A A", None),
        ] {
            let parsed = text.parse::<ProbeName>().ok();
            assert_eq!(
                parsed.map(|name| name.to_string()).as_deref(),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn every_default_parses() {
        let names = ProbeNames::default();
        assert_eq!(
            (names.secure.len(), names.bogus.len(), names.insecure.len()),
            (3, 2, 3)
        );
    }
}
