//! The message from stdin: into a file without a name, what matters of its header noticed.

use super::options::Options;
use elsinore_smtp::address::ReversePath;
use std::fs::File;
use std::io::{self, BufRead, Read, Write as _};

/// Octets of a header that are looked at; recipients beyond are an error, not left out.
const MAX_HEADER: usize = 4 * 1024 * 1024;

/// A message, its header apart.
#[derive(Debug)]
pub(super) struct Intake {
    header: Vec<u8>,
    body: File,
    recipients: Vec<(Field, String)>,
    resent: bool,
    has_from: bool,
}

/// A field that names recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Plain,
    Resent,
}

impl Intake {
    /// Reads to the end, which a dot alone on a line is too unless it is said to be text.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::InvalidData`] for a header without end.
    pub(super) fn take(mut source: impl BufRead, options: &Options) -> io::Result<Self> {
        let mut intake = Self {
            header: Vec::new(),
            body: tempfile::tempfile()?,
            recipients: Vec::new(),
            resent: false,
            has_from: false,
        };
        let mut lines = Lines {
            dots_are_text: options.dots_are_text,
            ended: false,
            line: Vec::new(),
            at_start: true,
        };
        let mut field: Option<Vec<u8>> = None;
        loop {
            if !lines.next(&mut source)? {
                break;
            }
            let text = lines.text();
            let folded = matches!(text.first(), Some(b' ' | b'\t'));
            let is_mark = intake.header.is_empty() && text.starts_with(b"From ");
            let is_field = !folded && name_of(text).is_some();
            let goes_on = folded && field.is_some();
            if !(is_mark || is_field || goes_on) {
                intake.body.write_all(&lines.line)?;
                break;
            }
            if intake.header.len().saturating_add(lines.line.len()) > MAX_HEADER {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a header without end",
                ));
            }
            if is_mark {
                // The mark of an mbox file is no part of the message.
                continue;
            }
            if folded {
                if let Some(field) = &mut field {
                    field.extend_from_slice(text);
                }
            } else {
                intake.notice(field.replace(text.to_vec()));
            }
            intake.header.extend_from_slice(&lines.line);
        }
        intake.notice(field);
        while lines.next(&mut source)? {
            intake.body.write_all(&lines.line)?;
        }
        Ok(intake)
    }

    fn notice(&mut self, field: Option<Vec<u8>>) {
        let Some(field) = field else { return };
        let Some(name) = name_of(&field) else { return };
        let value = || {
            let start = field.iter().position(|octet| *octet == b':').unwrap_or(0) + 1;
            String::from_utf8_lossy(&field[start..]).into_owned()
        };
        match name.to_ascii_lowercase().as_str() {
            "from" => self.has_from = true,
            "to" | "cc" | "bcc" => self.recipients.push((Field::Plain, value())),
            "resent-to" | "resent-cc" | "resent-bcc" => {
                self.resent = true;
                self.recipients.push((Field::Resent, value()));
            }
            _ => {}
        }
    }

    /// The fields that name recipients: those of the resending when it is resent (RFC 5322 §3.6.6).
    pub(super) fn recipient_fields(&self) -> impl Iterator<Item = &str> {
        let wanted = if self.resent {
            Field::Resent
        } else {
            Field::Plain
        };
        self.recipients
            .iter()
            .filter(move |(field, _)| *field == wanted)
            .map(|(_, value)| value.as_str())
    }

    /// The whole message in a file, with a From field of the given name where it has none.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn message(&self, options: &Options, sender: &ReversePath) -> io::Result<File> {
        use std::io::{Seek as _, SeekFrom};
        let mut file = tempfile::tempfile()?;
        if let (false, Some(name), ReversePath::Mailbox(mailbox)) =
            (self.has_from, &options.full_name, sender)
        {
            file.write_all(format!("From: {} <{mailbox}>\n", phrase(name)).as_bytes())?;
        }
        file.write_all(&self.header)?;
        let mut body = self.body.try_clone()?;
        body.seek(SeekFrom::Start(0))?;
        io::copy(&mut body, &mut file)?;
        Ok(file)
    }
}

/// A name as a quoted string (RFC 5322 §3.2.4); control characters are left out.
fn phrase(name: &str) -> String {
    let mut quoted = String::from("\"");
    for character in name.chars().filter(|character| !character.is_control()) {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

/// The name of a field, when the line begins one.
fn name_of(line: &[u8]) -> Option<&str> {
    let end = line.iter().position(|octet| *octet == b':')?;
    let name = line.get(..end)?.trim_ascii_end();
    let fine = !name.is_empty() && name.iter().all(|octet| octet.is_ascii_graphic());
    if !fine {
        return None;
    }
    std::str::from_utf8(name).ok()
}

/// Lines with their ends, a long one in pieces.
struct Lines {
    dots_are_text: bool,
    ended: bool,
    line: Vec<u8>,
    at_start: bool,
}

impl Lines {
    /// Reads the next one into `line`; false at the end.
    fn next(&mut self, source: &mut impl BufRead) -> io::Result<bool> {
        const PIECE: u64 = 64 * 1024;
        self.line.clear();
        if self.ended {
            return Ok(false);
        }
        let length = source
            .by_ref()
            .take(PIECE)
            .read_until(b'\n', &mut self.line)?;
        let is_dot = self.at_start && matches!(self.line.as_slice(), b".\n" | b".\r\n" | b".");
        if length == 0 || (is_dot && !self.dots_are_text) {
            self.ended = true;
            return Ok(false);
        }
        self.at_start = self.line.ends_with(b"\n");
        Ok(true)
    }

    fn text(&self) -> &[u8] {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, SeekFrom};

    fn take(message: &str, dots_are_text: bool, full_name: Option<&str>) -> (String, Vec<String>) {
        let options = Options {
            dots_are_text,
            full_name: full_name.map(ToOwned::to_owned),
            ..Options::default()
        };
        let intake = Intake::take(message.as_bytes(), &options).unwrap();
        let sender = ReversePath::parse("a@b.example").unwrap();
        let mut file = intake.message(&options, &sender).unwrap();
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_string(&mut text).unwrap();
        (
            text,
            intake.recipient_fields().map(ToOwned::to_owned).collect(),
        )
    }

    #[test]
    fn headers_and_bodies() {
        for (message, kept, recipients) in [
            ("To: a@b\nSubject: x\n\nbody\n", None, &[" a@b"][..]),
            (
                "To: a@b,\n c@d\nBcc: e@f\r\nCC : g\n\nTo: h@i\n",
                None,
                &[" a@b, c@d", " e@f", " g"],
            ),
            ("To: a@b\nResent-To: c@d\n\n", None, &[" c@d"]),
            (
                "From cron Sun\nTo: a@b\n\nx",
                Some("To: a@b\n\nx"),
                &[" a@b"],
            ),
            ("no header at all\nTo: a@b\n", None, &[]),
            (" folded first\n", None, &[]),
            ("", None, &[]),
        ] {
            let (text, fields) = take(message, true, None);
            assert_eq!(text, kept.unwrap_or(message), "{message:?}");
            assert_eq!(fields, recipients, "{message:?}");
        }
    }

    #[test]
    fn a_dot_ends_the_message_unless_it_is_text() {
        let message = "To: a@b\n\none\n.\ntwo\n..\n";
        assert_eq!(take(message, true, None).0, message);
        assert_eq!(take(message, false, None).0, "To: a@b\n\none\n");
        assert_eq!(take(".\nTo: a@b\n", false, None).0, "");
    }

    #[test]
    fn a_full_name_makes_a_from_field() {
        let from = "From: \"Cron \\\"x\\\" Daemon\" <a@b.example>\n";
        let name = Some("Cron \"x\"\n Daemon");
        assert_eq!(
            take("To: c@d\n\n", true, name).0,
            format!("{from}To: c@d\n\n")
        );
        assert_eq!(take("FROM: e@f\n\n", true, name).0, "FROM: e@f\n\n");
    }
}
