//! Bounds on NSEC3 iterations by the size of a zone's keys (`val-nsec3-keysize-iterations`). The
//! resolver knows one bound; it is taken from the keys that the file itself holds, where all of them
//! have the same.

use crate::scenario::Scenario;
use domain::base::iana::Rtype;

/// The one bound that holds for every key of the scenario; `None` when there are several, or the
/// value is not pairs of a size in bits and a number of iterations, sizes ascending.
pub(super) fn bound(value: &str, scenario: &Scenario) -> Option<u16> {
    let numbers: Vec<u16> = value
        .split_whitespace()
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let (pairs, rest) = numbers.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let of = |bits: usize| {
        let fits = pairs.iter().find(|[size, _]| bits <= usize::from(*size));
        fits.or(pairs.last()).map(|[_, iterations]| *iterations)
    };
    let mut bounds: Vec<u16> = scenario
        .ranges
        .iter()
        .flat_map(|range| &range.entries)
        .flat_map(|entry| &entry.packets)
        .flat_map(|packet| &packet.answer)
        .filter(|record| record.rtype == Rtype::DNSKEY)
        .filter_map(|record| bits(&record.rdata))
        .map(of)
        .collect::<Option<_>>()?;
    bounds.sort_unstable();
    bounds.dedup();
    match bounds.as_slice() {
        [one] => Some(*one),
        // Without a key nothing is validated.
        [] => of(0),
        _ => None,
    }
}

/// The size of the key in DNSKEY RDATA, in bits.
fn bits(rdata: &[u8]) -> Option<usize> {
    let [_, _, _, algorithm, key @ ..] = rdata else {
        return None;
    };
    Some(match algorithm {
        // RFC 2536 §2: T says how long the prime is.
        3 | 6 => (64 + 8 * usize::from(*key.first()?)) * 8,
        13 => 256,
        14 => 384,
        15 => 256,
        16 => 456,
        // RFC 3110 §2: exponent length, exponent, modulus.
        _ => match key {
            [0, high, low, rest @ ..] => {
                rest.len()
                    .checked_sub(usize::from(u16::from_be_bytes([*high, *low])))?
                    * 8
            }
            [length, rest @ ..] => rest.len().checked_sub(usize::from(*length))? * 8,
            [] => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound_for(value: &str, keys: &[&str]) -> Option<u16> {
        let mut text =
            "CONFIG_END\nSCENARIO_BEGIN x\nRANGE_BEGIN 0 1\nENTRY_BEGIN\nSECTION ANSWER\n"
                .to_owned();
        for key in keys {
            text.push_str(&format!("a. DNSKEY {key}\n"));
        }
        text.push_str("ENTRY_END\nRANGE_END\nSCENARIO_END\n");
        bound(value, &Scenario::parse(&text).unwrap())
    }

    #[test]
    fn bounds() {
        // RSA with a modulus of 8 octets, Ed25519.
        let (rsa, edwards) = ("256 3 8 AQMAAAAAAAAAAA==", "256 3 15 AAAA");
        for (value, keys, expected) in [
            ("1024 100 2048 200", &[rsa][..], Some(100)),
            ("32 50 64 100 2048 200", &[rsa], Some(100)),
            ("32 50", &[rsa], Some(50)),
            ("64 100 1024 200", &[rsa, edwards], None),
            ("1024 100", &[rsa, edwards], Some(100)),
            ("1024 100", &[], Some(100)),
            ("1024", &[rsa], None),
            ("1024 many", &[rsa], None),
        ] {
            assert_eq!(bound_for(value, keys), expected, "{value} {keys:?}");
        }
    }
}
