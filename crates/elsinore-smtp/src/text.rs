//! Text of strangers, made safe to show.

/// Turns octets of a stranger into one printable line: control characters, directional and other
/// invisible formatting characters and octets that are not UTF-8 become escapes.
#[must_use]
pub fn sanitized(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || is_invisible(character) {
                out.extend(character.escape_unicode());
            } else {
                out.push(character);
            }
        }
        for octet in chunk.invalid() {
            out.push_str(&format!("\\x{octet:02x}"));
        }
    }
    out
}

/// Characters that reorder or hide the text around them in a terminal or a page.
#[must_use]
pub const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// [`sanitized`], cut to at most `limit` characters with a mark when something was left out.
#[must_use]
pub fn excerpt(octets: &[u8], limit: usize) -> String {
    // A character takes four octets at most, so the rest can never be shown.
    let bounded = octets.get(..limit.saturating_mul(4)).unwrap_or(octets);
    let text = sanitized(bounded);
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None if bounded.len() < octets.len() => format!("{text}..."),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_text_is_one_printable_line() {
        for (octets, expected) in [
            (&b"2.1.0 Ok"[..], "2.1.0 Ok"),
            (b"\x1b[2Jgone", "\\u{1b}[2Jgone"),
            (b"a\rb\nc\0", "a\\u{d}b\\u{a}c\\u{0}"),
            (b"gr\xc3\xbcn \xff", "gr\u{fc}n \\xff"),
            ("x\u{202e}y".as_bytes(), "x\\u{202e}y"),
        ] {
            assert_eq!(sanitized(octets), expected);
        }
        assert_eq!(excerpt(b"abcdef", 3), "abc...");
        assert_eq!(excerpt(b"abc", 3), "abc");
        assert_eq!(excerpt(&[b'a'; 100], 3), "aaa...");
    }
}
