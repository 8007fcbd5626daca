//! Addresses out of To, Cc and Bcc (RFC 5322 §3.4): names, comments and groups are left out.

/// The addresses of a list, as they stand in it without white space; those of a group one by one.
///
/// # Errors
/// The text, when quotes, comments or brackets do not close.
pub(super) fn addresses(text: &str) -> Result<Vec<String>, String> {
    let mut list = Vec::new();
    let mut reader = Reader::default();
    for character in text.chars() {
        reader.take(character, &mut list);
    }
    if reader.quoted || reader.comment > 0 || reader.angle == Angle::Open {
        return Err(text.to_owned());
    }
    reader.address_ends(&mut list);
    Ok(list)
}

/// What is in angle brackets is the address, and nothing else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Angle {
    #[default]
    None,
    Open,
    Closed,
}

#[derive(Debug, Default)]
struct Reader {
    address: String,
    quoted: bool,
    escaped: bool,
    comment: usize,
    literal: bool,
    angle: Angle,
}

impl Reader {
    fn take(&mut self, character: char, list: &mut Vec<String>) {
        if std::mem::take(&mut self.escaped) {
            if self.comment == 0 {
                self.push(character);
            }
            return;
        }
        match character {
            '\\' if self.quoted || self.comment > 0 => {
                self.escaped = true;
                if self.comment == 0 {
                    self.push('\\');
                }
            }
            '"' if self.comment == 0 => {
                self.quoted = !self.quoted;
                self.push('"');
            }
            _ if self.quoted => self.push(character),
            '(' => self.comment += 1,
            ')' => self.comment = self.comment.saturating_sub(1),
            _ if self.comment > 0 => {}
            '[' | ']' => {
                self.literal = character == '[';
                self.push(character);
            }
            '<' => {
                self.address.clear();
                self.angle = Angle::Open;
            }
            '>' => self.angle = Angle::Closed,
            ',' | ';' => self.address_ends(list),
            // The name of a group; a source route has its colon inside brackets.
            ':' if !self.literal && self.angle == Angle::None => self.address.clear(),
            ':' if !self.literal && self.address.starts_with('@') => self.address.clear(),
            character if character.is_whitespace() => {}
            character => self.push(character),
        }
    }

    fn push(&mut self, character: char) {
        if self.angle != Angle::Closed {
            self.address.push(character);
        }
    }

    fn address_ends(&mut self, list: &mut Vec<String>) {
        // A comma of a source route ends nothing.
        if self.angle == Angle::Open {
            self.address.push(',');
            return;
        }
        let address = std::mem::take(&mut self.address);
        self.angle = Angle::None;
        if !address.is_empty() {
            list.push(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::addresses;

    #[test]
    fn lists() {
        for (text, expected) in [
            ("a@b.example", &["a@b.example"][..]),
            (" a@b , c@d ,, e", &["a@b", "c@d", "e"]),
            ("Anna <a@b>, \"B, C\" <c@d>", &["a@b", "c@d"]),
            (
                "\"a b\"@c.example, d@e (a comment, (nested\\) ) here)",
                &["\"a b\"@c.example", "d@e"],
            ),
            ("\"x\\\"y\" <a@b>", &["a@b"]),
            ("Friends: a@b, Carl <c@d>; , e@f", &["a@b", "c@d", "e@f"]),
            ("undisclosed-recipients:;", &[]),
            ("Undisclosed: ;", &[]),
            (
                "a@[IPv6:2001:db8::1], <b@[192.0.2.1]>",
                &["a@[IPv6:2001:db8::1]", "b@[192.0.2.1]"],
            ),
            ("<@one,@two:a@b>", &["a@b"]),
            ("J\u{f6}rg <j\u{f6}rg@b.example>", &["j\u{f6}rg@b.example"]),
            ("<a@b> trailing", &["a@b"]),
            ("", &[]),
        ] {
            assert_eq!(addresses(text).unwrap(), expected, "{text}");
        }
        for text in ["\"a@b", "a@b (", "<a@b"] {
            assert!(addresses(text).is_err(), "{text}");
        }
    }
}
