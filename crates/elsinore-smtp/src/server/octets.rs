//! Looking through octets in words: most of a message is letters, and nothing need be known of them.

/// Octets below this one are looked at singly: NUL, LF and CR are among them.
const FIRST_PLAIN: u8 = 0x0e;
const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// How many octets at the beginning are certainly neither NUL nor LF nor CR: up to the first one
/// below 0x0e.
pub(super) fn plain(octets: &[u8]) -> usize {
    let (blocks, rest) = octets.as_chunks::<32>();
    for (index, block) in blocks.iter().enumerate() {
        // The compiler makes vector instructions of this.
        let special = block
            .iter()
            .fold(false, |special, octet| special | (*octet < FIRST_PLAIN));
        if special {
            return index * 32 + within(block);
        }
    }
    blocks.len() * 32 + within(rest)
}

fn within(octets: &[u8]) -> usize {
    let (words, rest) = octets.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The high bit of each octet that is below the bound; a borrow can spoil only the octets
        // above the first such one.
        let below = word.wrapping_sub(ONES * u64::from(FIRST_PLAIN)) & !word & HIGHS;
        if below != 0 {
            return index * 8 + (below.trailing_zeros() / 8) as usize;
        }
    }
    let tail = rest.iter().position(|octet| *octet < FIRST_PLAIN);
    words.len() * 8 + tail.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn the_first_special_octet_is_found_at_any_place() {
        for length in 0..100 {
            for place in 0..=length {
                for special in [0, b'\t', b'\n', b'\r', 0x0d] {
                    for filler in [b' ', b'a', 0x0e, 0x7f, 0x80, 0xff] {
                        let mut octets = vec![filler; length];
                        if let Some(octet) = octets.get_mut(place) {
                            *octet = special;
                        }
                        // Another one behind it changes nothing.
                        if let Some(octet) = octets.get_mut(place + 1) {
                            *octet = b'\n';
                        }
                        assert_eq!(plain(&octets), place, "{octets:?}");
                    }
                }
            }
        }
    }
}
