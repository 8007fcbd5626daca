//! Numbers and codes of the report in words.

use crate::report::{Offer, Security};

/// The day of a moment, UTC.
pub(crate) fn date(at: i64) -> String {
    jiff::Timestamp::from_second(at).map_or_else(
        |_| format!("second {at}"),
        |moment| moment.strftime("%Y-%m-%d").to_string(),
    )
}

/// Day and minute of a moment, UTC.
pub(crate) fn moment(at: i64) -> String {
    jiff::Timestamp::from_second(at).map_or_else(
        |_| format!("second {at}"),
        |moment| moment.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// A TLSA record with its data cut to both ends.
pub(crate) fn shortened(record: &str) -> String {
    match record.rsplit_once(' ') {
        Some((front, digits)) if digits.is_ascii() && digits.len() > 20 => {
            let (head, tail) = (&digits[..8], &digits[digits.len() - 8..]);
            format!("{front} {head}…{tail}")
        }
        Some((front, digits)) if digits.chars().count() > 20 => {
            let head: String = digits.chars().take(16).collect();
            format!("{front} {head}…")
        }
        _ => record.to_owned(),
    }
}

/// What the three numbers of a TLSA record say (RFC 7671 §2).
pub(super) fn decoded(usage: Option<u8>, selector: Option<u8>, kind: Option<u8>) -> Option<String> {
    let whose = match usage? {
        0 | 2 => "a CA's",
        1 | 3 => "the server's",
        _ => return None,
    };
    let what = match selector? {
        0 => "certificate",
        1 => "key",
        _ => return None,
    };
    let how = match kind? {
        0 => "in full",
        1 => "by SHA-256",
        2 => "by SHA-512",
        _ => return None,
    };
    Some(format!("{whose} {what} {how}"))
}

pub(super) const fn security(security: Security) -> &'static str {
    match security {
        Security::Secure => "secure",
        Security::Insecure => "insecure",
        Security::Indeterminate => "could not tell",
        Security::Bogus => "bogus",
    }
}

pub(super) const fn offer(offer: Offer) -> &'static str {
    match offer {
        Offer::Sender => "as a sender",
        Offer::Rsa => "RSA only",
        Offer::Ecdsa => "ECDSA only",
        Offer::NoName => "without a name",
        Offer::OtherName => "with another name",
    }
}

/// The mnemonic of a DNSSEC algorithm (IANA registry).
pub(super) fn algorithm(number: u8) -> String {
    let name = match number {
        5 => "RSA/SHA-1",
        7 => "RSA/SHA-1 (NSEC3)",
        8 => "RSA/SHA-256",
        10 => "RSA/SHA-512",
        13 => "ECDSA P-256",
        14 => "ECDSA P-384",
        15 => "Ed25519",
        16 => "Ed448",
        other => return format!("algorithm {other}"),
    };
    name.to_owned()
}

/// The mnemonic of a DS digest type (IANA registry).
pub(super) fn digest(number: u8) -> String {
    match number {
        1 => "SHA-1".to_owned(),
        2 => "SHA-256".to_owned(),
        4 => "SHA-384".to_owned(),
        other => format!("digest type {other}"),
    }
}

/// The security words of `send`, for people.
pub(super) fn achieved(word: &str) -> &str {
    match word {
        "dane" => "authenticated by DANE",
        "dane-insecure-mx" => "authenticated, MX insecure",
        "sts" => "authenticated by MTA-STS",
        "pinned" => "authenticated by a pin",
        "webpki" => "encrypted, WebPKI valid",
        "encrypted" => "encrypted only",
        "plaintext" => "cleartext",
        other => other,
    }
}

/// A TTL or another span in the largest unit that divides it well.
pub(crate) fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..=119 => (seconds, "s"),
        120..=7_199 => (seconds / 60, "min"),
        7_200..=172_799 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{count} {unit}")
}
