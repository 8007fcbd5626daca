//! The attachments of a message that may be reports (RFC 2045, RFC 2046, RFC 8460 §5.3). Line ends may
//! be LF: messages come out of mailboxes.

/// How deep parts may be nested: a report is the second part of a message that somebody may have
/// forwarded, signed and sent through a list.
const DEPTH: usize = 6;
/// Parts that are looked at.
const PARTS: usize = 200;

/// The decoded contents of the parts that may be reports, at most `at_most`.
pub(super) fn attachments(message: &[u8], at_most: usize) -> Vec<Vec<u8>> {
    let mut search = Search {
        found: Vec::new(),
        at_most,
        parts: 0,
    };
    // A line of mbox before the first field.
    let message = match message.strip_prefix(b"From ") {
        Some(rest) => split_line(rest).1,
        None => message,
    };
    search.part(message, 0);
    search.found
}

struct Search {
    found: Vec<Vec<u8>>,
    at_most: usize,
    parts: usize,
}

impl Search {
    fn part(&mut self, part: &[u8], depth: usize) {
        self.parts += 1;
        if depth > DEPTH || self.parts > PARTS || self.found.len() >= self.at_most {
            return;
        }
        let (fields, body) = split_header(part);
        let field = |name: &str| {
            let found = fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
            found.map_or("", |(_, value)| value.as_str())
        };
        let content_type = field("Content-Type");
        let media_type = content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        if media_type.starts_with("multipart/") {
            if let Some(boundary) = parameter(content_type, "boundary") {
                for inner in parts_of(body, &boundary) {
                    self.part(inner, depth + 1);
                }
            }
            return;
        }
        if media_type == "message/rfc822" {
            self.part(body, depth + 1);
            return;
        }
        let name = parameter(field("Content-Disposition"), "filename")
            .or_else(|| parameter(content_type, "name"))
            .unwrap_or_default()
            .to_ascii_lowercase();
        let by_type = matches!(
            media_type.as_str(),
            "application/tlsrpt+gzip" | "application/tlsrpt+json"
        );
        let by_name = name.ends_with(".json") || name.ends_with(".json.gz");
        if by_type || by_name {
            let encoding = field("Content-Transfer-Encoding").trim();
            self.found.push(decoded(body, encoding));
        }
    }
}

/// The line at the beginning, without its end, and what follows.
fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|octet| *octet == b'\n') {
        Some(end) => {
            let line = &text[..end];
            (line.strip_suffix(b"\r").unwrap_or(line), &text[end + 1..])
        }
        None => (text, &text[text.len()..]),
    }
}

/// The fields, unfolded, and the body. Of a part without fields everything is the body.
fn split_header(part: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut rest = part;
    loop {
        let (line, after) = split_line(rest);
        if line.is_empty() {
            return (fields, after);
        }
        let text = String::from_utf8_lossy(line);
        if let (Some((_, value)), true) = (
            fields.last_mut(),
            line.starts_with(b" ") || line.starts_with(b"\t"),
        ) {
            value.push(' ');
            value.push_str(text.trim());
        } else {
            match text.split_once(':') {
                Some((name, value)) => {
                    fields.push((name.trim().to_owned(), value.trim().to_owned()));
                }
                None => return (fields, rest),
            }
        }
        rest = after;
    }
}

/// A parameter of a structured field, quoted or not.
fn parameter(field: &str, wanted: &str) -> Option<String> {
    let mut rest = field.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_matches([' ', '\t', ';']);
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let mut value = String::new();
                let mut letters = quoted.char_indices();
                let mut end = quoted.len();
                while let Some((at, letter)) = letters.next() {
                    match letter {
                        '"' => {
                            end = at + 1;
                            break;
                        }
                        '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
                        other => value.push(other),
                    }
                }
                (value, quoted.get(end..).unwrap_or_default())
            }
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = next;
    }
}

/// The parts between the delimiters (RFC 2046 §5.1.1).
fn parts_of<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut begin = None;
    let mut at = 0;
    while at < body.len() && parts.len() < PARTS {
        let (line, after) = split_line(&body[at..]);
        let next = body.len() - after.len();
        let delimiter = line
            .strip_prefix(b"--")
            .and_then(|line| line.strip_prefix(boundary.as_bytes()));
        if let Some(tail) = delimiter.map(<[u8]>::trim_ascii_end)
            && (tail.is_empty() || tail == b"--")
        {
            if let Some(begin) = begin {
                // The line end before a delimiter belongs to it.
                let part = &body[begin..at];
                let part = part.strip_suffix(b"\n").unwrap_or(part);
                parts.push(part.strip_suffix(b"\r").unwrap_or(part));
            }
            begin = Some(next);
            if tail == b"--" {
                return parts;
            }
        }
        at = next;
    }
    // A message that was cut off ends its last part.
    if let Some(begin) = begin
        && begin < body.len()
        && parts.len() < PARTS
    {
        parts.push(&body[begin..]);
    }
    parts
}

fn decoded(body: &[u8], encoding: &str) -> Vec<u8> {
    if encoding.eq_ignore_ascii_case("base64") {
        base64(body)
    } else if encoding.eq_ignore_ascii_case("quoted-printable") {
        quoted_printable(body)
    } else {
        body.to_vec()
    }
}

/// RFC 2045 §6.8: characters outside the alphabet are ignored, padding ends it.
fn base64(body: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(body.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for octet in body {
        let value = match octet {
            b'A'..=b'Z' => octet - b'A',
            b'a'..=b'z' => octet - b'a' + 26,
            b'0'..=b'9' => octet - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ => continue,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            octets.push(u8::try_from((bits >> held) & 0xFF).unwrap_or(0));
            bits &= (1 << held) - 1;
        }
    }
    octets
}

/// RFC 2045 §6.7; what is not an escape stands for itself.
fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'=' {
            octets.push(*first);
            continue;
        }
        let digit = |at: usize| {
            let octet = after.get(at)?;
            char::from(*octet).to_digit(16)
        };
        if let (Some(high), Some(low)) = (digit(0), digit(1)) {
            octets.push(u8::try_from(high * 16 + low).unwrap_or(0));
            rest = &after[2..];
        } else if after.starts_with(b"\r\n") {
            rest = &after[2..];
        } else if after.starts_with(b"\n") {
            rest = &after[1..];
        } else {
            octets.push(b'=');
        }
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let field = "multipart/report; report-type=tlsrpt; boundary=\"a;\\\"b\" ; x = y";
        for (name, expected) in [
            ("report-type", Some("tlsrpt")),
            ("BOUNDARY", Some("a;\"b")),
            ("x", Some("y")),
            ("z", None),
        ] {
            assert_eq!(parameter(field, name).as_deref(), expected, "{name}");
        }
        assert_eq!(parameter("text/plain", "x"), None);
        assert_eq!(
            parameter("a; x=\"unclosed", "x").as_deref(),
            Some("unclosed")
        );
    }

    #[test]
    fn encodings() {
        assert_eq!(base64(b"e30\r\nK"), b"{}\n");
        assert_eq!(base64(b"e30="), b"{}");
        assert_eq!(base64(b"-----"), b"");
        assert_eq!(quoted_printable(b"a=3D=\r\nb=zz=\nc="), b"a=b=zzc=");
    }

    #[test]
    fn messages() {
        let part = "Content-Type: application/tlsrpt+json\r\n\r\n{}";
        let whole = |boundary: &str, inner: &str| {
            format!(
                "Content-Type: multipart/mixed;\r\n\tboundary=\"{boundary}\"\r\n\r\nx\r\n\
                 --{boundary}\r\n\r\n--{boundary}x\r\n--{boundary} \r\n{inner}\r\n--{boundary}--\r\n{part}"
            )
        };
        let forwarded = format!("Content-Type: message/rfc822\r\n\r\n{}", whole("b", part));
        let named = "Content-Type: application/gzip; name=\"a!b!1!2.JSON.gz\"\n\nx";
        for (message, expected) in [
            (part.to_owned(), vec![&b"{}"[..]]),
            (whole("a", part), vec![b"{}"]),
            (whole("a", part).replace("\r\n", "\n"), vec![b"{}"]),
            (whole("a", &forwarded), vec![b"{}"]),
            (format!("From x\n{part}"), vec![b"{}"]),
            (named.to_owned(), vec![b"x"]),
            ("Content-Type: text/plain\r\n\r\n{}".to_owned(), vec![]),
            ("no fields at all".to_owned(), vec![]),
            // Cut off within the part.
            (
                whole("a", part)
                    .split("\r\n--a--")
                    .next()
                    .unwrap()
                    .to_owned(),
                vec![b"{}"],
            ),
        ] {
            assert_eq!(attachments(message.as_bytes(), 10), expected, "{message}");
        }
        // Nested without end.
        let mut deep = part.to_owned();
        for level in 0..50 {
            deep = whole(&format!("n{level}"), &deep);
        }
        assert_eq!(attachments(deep.as_bytes(), 10), Vec::<Vec<u8>>::new());
    }
}
