//! Folding of header lines that are too long for DATA (RFC 5322 §2.2.3).

use super::MAX_LINE;

/// Where to break a line so that no piece exceeds 998 octets: each break lies before a space or
/// tab, and no piece is white space only. `None` when there is no such place.
pub(super) fn breaks(line: &[u8]) -> Option<Vec<usize>> {
    let most = MAX_LINE as usize;
    let mut found = Vec::new();
    let mut start = 0;
    while line.len() - start > most {
        let window = line.get(start..=start + most)?;
        let text_begins = window
            .iter()
            .position(|octet| !matches!(octet, b' ' | b'\t'))?;
        let at = window
            .iter()
            .rposition(|octet| matches!(octet, b' ' | b'\t'))
            .filter(|at| *at > text_begins)?;
        start += at;
        found.push(start);
    }
    // The last piece must hold text, too.
    let rest = line.get(start..)?;
    (start == 0 || !rest.trim_ascii().is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let words = "word ".repeat(500);
        let check = |line: &str, expected: Option<Vec<usize>>| {
            assert_eq!(breaks(line.as_bytes()), expected);
        };
        check("short", Some(vec![]));
        check(&"x".repeat(998), Some(vec![]));
        check(&"x".repeat(999), None);
        check(&format!("{} {}", "x".repeat(998), "y"), Some(vec![998]));
        check(&format!(" {}", "x".repeat(998)), None);
        check(&format!("x{}", " ".repeat(998)), None);
        check(words.trim_end(), Some(vec![994, 1989]));
    }
}
