//! What a server offers in its answer to EHLO (RFC 5321 §4.1.1.1).

use crate::reply::Reply;

/// The extensions one EHLO announced. Forgotten at STARTTLS (RFC 3207 §4.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The name by which the server greets, as sent.
    pub greeting_name: String,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// SIZE (RFC 1870).
    pub size: Option<SizeLimit>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtp_utf8: bool,
    /// CHUNKING (RFC 3030 §2).
    pub chunking: bool,
    /// BINARYMIME (RFC 3030 §3); counts only together with CHUNKING.
    pub binary_mime: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub enhanced_status_codes: bool,
    /// REQUIRETLS (RFC 8689); counts only when announced inside TLS.
    pub require_tls: bool,
    /// Every line that is none of these, as sent and escaped. AUTH is among them: this client
    /// does not authenticate itself.
    pub others: Vec<String>,
}

/// The value of SIZE (RFC 1870 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeLimit {
    /// No number, or 0: no fixed limit is announced.
    Unlimited,
    /// The largest message accepted, in octets.
    Octets(u64),
    /// The value is no number. Treated as no limit.
    Malformed,
}

impl Capabilities {
    /// Reads a positive reply to EHLO. Keywords are compared without regard to case; the first
    /// line is the greeting. Nothing in it can fail: what is not understood is kept in `others`.
    #[must_use]
    pub fn from_reply(reply: &Reply) -> Self {
        let mut lines = reply.lines().iter();
        let greeting = lines.next().map(String::as_str).unwrap_or_default();
        let mut offered = Self {
            greeting_name: greeting
                .split_ascii_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned(),
            ..Self::default()
        };
        for line in lines {
            offered.add(line);
        }
        offered
    }

    fn add(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        match keyword.as_str() {
            "STARTTLS" => self.starttls = true,
            "PIPELINING" => self.pipelining = true,
            "SIZE" => self.size = Some(SizeLimit::from_word(words.next())),
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtp_utf8 = true,
            "CHUNKING" => self.chunking = true,
            "BINARYMIME" => self.binary_mime = true,
            "DSN" => self.dsn = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "REQUIRETLS" => self.require_tls = true,
            "" => {}
            _ => self.others.push(line.to_owned()),
        }
    }
}

impl SizeLimit {
    fn from_word(word: Option<&str>) -> Self {
        match word {
            None | Some("0") => Self::Unlimited,
            // RFC 1870 §4 allows up to 20 digits, which exceeds 64 bits: then there is no limit
            // that a message could reach.
            Some(digits) if digits.bytes().all(|octet| octet.is_ascii_digit()) => digits
                .parse()
                .map_or(Self::Unlimited, |limit: u64| match limit {
                    0 => Self::Unlimited,
                    limit => Self::Octets(limit),
                }),
            Some(_) => Self::Malformed,
        }
    }

    /// Whether a message of that many octets may be offered.
    #[must_use]
    pub const fn admits(self, octets: u64) -> bool {
        match self {
            Self::Unlimited | Self::Malformed => true,
            Self::Octets(limit) => octets <= limit,
        }
    }
}
