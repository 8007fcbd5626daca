//! Postfix' socketmap protocol (`socketmap_table(5)`): requests and replies are netstrings, a
//! request is the name of the map, a blank and the key.
//!
//! Pure: octets in, requests out. Every map name is served; `QUERYwithTLSRPT`, in any case, is
//! answered with the policy attributes that Postfix 3.10 and later understand.

use crate::lookup_key::LONGEST_KEY;

/// Longest name of a map.
const LONGEST_MAP: usize = 255;
/// Longest content of a request, in octets; Postfix sends at most 10,000, which no key needs.
pub const LONGEST_REQUEST: usize = LONGEST_MAP + 1 + LONGEST_KEY;
/// Digits of a length that can stand before the colon.
const DIGITS: usize = 5;

/// Which answer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// The level alone.
    Plain,
    /// With policy attributes.
    WithTlsrpt,
}

/// What stands at the beginning of the octets received so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received<'a> {
    /// Not all of it is there yet.
    Incomplete,
    /// A request.
    Request {
        /// Octets taken.
        length: usize,
        /// Which answer is asked for.
        form: Form,
        /// The key.
        key: &'a [u8],
    },
    /// A netstring without a blank: there is no key in it.
    NoKey {
        /// Octets taken.
        length: usize,
    },
    /// Not a netstring, or a longer one than any request can be: nothing behind it can be read.
    Broken,
}

/// Reads the first request in `octets`.
#[must_use]
pub fn receive(octets: &[u8]) -> Received<'_> {
    let head = octets.iter().take(DIGITS + 1);
    let Some(colon) = head.clone().position(|octet| *octet == b':') else {
        let digits = head.take_while(|octet| octet.is_ascii_digit()).count();
        return if digits == octets.len() && digits <= DIGITS {
            Received::Incomplete
        } else {
            Received::Broken
        };
    };
    let digits = &octets[..colon];
    // No sign, no blank, no leading zero: a netstring has one form.
    let is_length = !digits.is_empty()
        && digits.iter().all(u8::is_ascii_digit)
        && (digits.len() == 1 || digits[0] != b'0');
    if !is_length {
        return Received::Broken;
    }
    let count = digits.iter().fold(0_usize, |count, digit| {
        count * 10 + usize::from(digit - b'0')
    });
    if count > LONGEST_REQUEST {
        return Received::Broken;
    }
    let begin = colon + 1;
    let end = begin + count;
    let Some(content) = octets.get(begin..end) else {
        return Received::Incomplete;
    };
    match octets.get(end) {
        None => return Received::Incomplete,
        Some(b',') => {}
        Some(_) => return Received::Broken,
    }
    let length = end + 1;
    let Some(blank) = content.iter().position(|octet| *octet == b' ') else {
        return Received::NoKey { length };
    };
    let (map, key) = (&content[..blank], &content[blank + 1..]);
    let form = if map.eq_ignore_ascii_case(b"QUERYwithTLSRPT") {
        Form::WithTlsrpt
    } else {
        Form::Plain
    };
    Received::Request { length, form, key }
}

/// `reply` as a netstring.
#[must_use]
pub fn netstring(reply: &str) -> Box<[u8]> {
    format!("{}:{reply},", reply.len()).into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(length: usize, form: Form, key: &'a str) -> Received<'a> {
        Received::Request {
            length,
            form,
            key: key.as_bytes(),
        }
    }

    #[test]
    fn requests() {
        let too_long = format!("{}:", LONGEST_REQUEST + 1);
        for (octets, expected) in [
            ("", Received::Incomplete),
            ("1", Received::Incomplete),
            ("17:QUERY example.org", Received::Incomplete),
            (
                "17:QUERY example.org,",
                request(21, Form::Plain, "example.org"),
            ),
            (
                "27:QUERYwithTLSRPT example.org,5:x y",
                request(31, Form::WithTlsrpt, "example.org"),
            ),
            (
                "27:querywithtlsrpt example.org,",
                request(31, Form::WithTlsrpt, "example.org"),
            ),
            ("5:any x,rest", request(8, Form::Plain, "x")),
            ("4:any ,", request(7, Form::Plain, "")),
            ("7:any x y,", request(10, Form::Plain, "x y")),
            ("5:QUERY,", Received::NoKey { length: 8 }),
            ("0:,", Received::NoKey { length: 3 }),
            ("5:QUERY;", Received::Broken),
            ("05:QUERY,", Received::Broken),
            (":,", Received::Broken),
            ("-1:,", Received::Broken),
            (" 1:x,", Received::Broken),
            ("GET / HTTP/1.1\r\n", Received::Broken),
            ("999999", Received::Broken),
            ("99999", Received::Incomplete),
            ("99999:", Received::Broken),
            (&too_long, Received::Broken),
            ("12x", Received::Broken),
        ] {
            assert_eq!(receive(octets.as_bytes()), expected, "{octets:?}");
        }
    }

    #[test]
    fn every_split_is_incomplete_until_the_end() {
        let whole = b"27:QUERYwithTLSRPT example.org,";
        for end in 0..whole.len() {
            assert_eq!(receive(&whole[..end]), Received::Incomplete, "{end}");
        }
        assert!(matches!(receive(whole), Received::Request { .. }));
    }

    #[test]
    fn replies() {
        assert_eq!(&*netstring("OK may"), b"6:OK may,");
        assert_eq!(&*netstring("NOTFOUND "), b"9:NOTFOUND ,");
    }
}
