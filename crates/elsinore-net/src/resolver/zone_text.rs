//! The little of zone-file text (RFC 1035 §5.1) that anchors and hints need: one record per line
//! or per pair of parentheses, TTL and class optional, comments, `$TTL` ignored.

use elsinore_dane::name::DomainName;

/// One record of the text, its data still as words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextRecord {
    /// First line of the record, counted from 1.
    pub(super) line: usize,
    /// Owner, taken over from the record before where the line starts with blank space.
    pub(super) owner: DomainName,
    /// Type mnemonic, upper case.
    pub(super) rtype: String,
    /// The words of the data.
    pub(super) words: Vec<String>,
}

/// Splits `text` into records.
///
/// # Errors
/// One line that names the line of the text and what is wrong there.
pub(super) fn parse(text: &str) -> Result<Vec<TextRecord>, String> {
    let mut records: Vec<TextRecord> = Vec::new();
    let mut pending: Option<(usize, bool, Vec<String>)> = None;
    let mut open = false;
    for (index, raw) in text.lines().enumerate() {
        let line = index + 1;
        let code = raw.split(';').next().unwrap_or_default();
        let indented = code.starts_with([' ', '\t']);
        let entry = pending.get_or_insert_with(|| (line, indented, Vec::new()));
        for word in code
            .replace('(', " ( ")
            .replace(')', " ) ")
            .split_whitespace()
        {
            match word {
                "(" => open = true,
                ")" => open = false,
                word => entry.2.push(word.to_owned()),
            }
        }
        if open {
            continue;
        }
        if let Some((start, indented, words)) = pending.take()
            && !words.is_empty()
        {
            let owner = records.last().map(|record| record.owner.clone());
            records.extend(record(start, indented, words, owner)?);
        }
    }
    if open {
        return Err("a parenthesis is not closed".to_owned());
    }
    Ok(records)
}

fn record(
    line: usize,
    indented: bool,
    words: Vec<String>,
    before: Option<DomainName>,
) -> Result<Option<TextRecord>, String> {
    let mut words = words.into_iter().peekable();
    if words.peek().is_some_and(|word| word.starts_with('$')) {
        let directive = words.next().unwrap_or_default();
        if directive.eq_ignore_ascii_case("$TTL") {
            return Ok(None);
        }
        return Err(format!("line {line}: {directive} is not supported here"));
    }
    let owner = if indented {
        before.ok_or_else(|| format!("line {line}: no owner name"))?
    } else {
        let word = words.next().unwrap_or_default();
        DomainName::parse(&word).map_err(|error| format!("line {line}: {word}: {error}"))?
    };
    let is_ttl = |word: &String| word.bytes().all(|octet| octet.is_ascii_digit());
    while words
        .peek()
        .is_some_and(|word| is_ttl(word) || word.eq_ignore_ascii_case("IN"))
    {
        words.next();
    }
    let rtype = words
        .next()
        .ok_or_else(|| format!("line {line}: no record type"))?
        .to_ascii_uppercase();
    Ok(Some(TextRecord {
        line,
        owner,
        rtype,
        words: words.collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let text = "; note\n$TTL 5\n. 3600 IN NS a.example. ; x\n  ( NS\n b.example. )\na.example A 192.0.2.1\n";
        let got: Vec<String> = parse(text)
            .unwrap()
            .iter()
            .map(|r| format!("{} {} {} {}", r.line, r.owner, r.rtype, r.words.join(" ")))
            .collect();
        assert_eq!(
            got,
            [
                "3 . NS a.example.",
                "4 . NS b.example.",
                "6 a.example A 192.0.2.1"
            ]
        );
    }

    #[test]
    fn refused() {
        for (text, part) in [
            ("a..b A 1", "line 1: a..b"),
            ("  A 192.0.2.1", "no owner"),
            (". ( DS", "not closed"),
            ("$INCLUDE x", "$INCLUDE"),
            (". 5 IN", "no record type"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
