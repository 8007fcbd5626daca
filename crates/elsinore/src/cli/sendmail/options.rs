//! Sendmail's flags: single letters, their values beside them or in the next word.

use crate::exit::Refusal;
use anyhow::Result;
use elsinore_smtp::command::{Asked, EnvelopeId, Notify, Return};
use std::ffi::OsString;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    /// Send what comes on stdin.
    #[default]
    Message,
    /// Speak SMTP on stdin and stdout.
    Smtp,
    /// Something that there is nothing to do for, such as to rebuild aliases.
    Nothing,
}

/// The flags that mean something here.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) mode: Mode,
    pub(super) from_header: bool,
    pub(super) dots_are_text: bool,
    pub(super) sender: Option<String>,
    pub(super) full_name: Option<String>,
    pub(super) notify: Option<Notify>,
    pub(super) ret: Option<Return>,
    pub(super) envelope_id: Option<EnvelopeId>,
    pub(super) recipients: Vec<String>,
}

/// Letters that take a value, beside them or in the next word.
const WITH_VALUE: &str = "fFrNRVBbhLCOopXAD";

/// Reads the words behind the program's name.
///
/// # Errors
/// [`Refusal::usage`] for a flag that is not known, or that would change what is sent and is not
/// done here.
pub(super) fn parse(words: Vec<OsString>) -> Result<Options> {
    let mut options = Options::default();
    let mut words = words.into_iter();
    let mut flags_end = false;
    while let Some(word) = words.next() {
        let word = word
            .into_string()
            .map_err(|_| Refusal::usage("sendmail: a word that is no UTF-8"))?;
        let letters = match word.strip_prefix('-') {
            Some("-") if !flags_end => {
                flags_end = true;
                continue;
            }
            Some(letters) if !flags_end && !letters.is_empty() => letters,
            Some(_) | None => {
                options.recipients.push(word);
                continue;
            }
        };
        let mut rest = letters;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            if !WITH_VALUE.contains(letter) {
                flag(&mut options, letter, &word)?;
                // These take the rest of their word, if there is one, and mean nothing.
                if matches!(letter, 'q' | 'd') {
                    break;
                }
                continue;
            }
            let value = if rest.is_empty() {
                let next = words.next().and_then(|next| next.into_string().ok());
                next.ok_or_else(|| Refusal::usage(format!("sendmail: -{letter} needs a value")))?
            } else {
                rest.to_owned()
            };
            with_value(&mut options, letter, value)?;
            break;
        }
    }
    Ok(options)
}

fn flag(options: &mut Options, letter: char, word: &str) -> Result<()> {
    match letter {
        't' => options.from_header = true,
        'i' => options.dots_are_text = true,
        'I' => options.mode = Mode::Nothing,
        'q' => options.mode = Mode::Nothing,
        'G' | 'U' | 'v' | 'n' | 'm' | 'd' | 'E' | 'x' | 's' => {}
        _ => return Err(Refusal::usage(format!("sendmail: {word}: no such flag"))),
    }
    Ok(())
}

fn with_value(options: &mut Options, letter: char, value: String) -> Result<()> {
    match letter {
        'f' | 'r' => options.sender = Some(value),
        'F' => options.full_name = Some(value),
        'N' => options.notify = Some(notify(&value)?),
        'R' => {
            options.ret = Some(match value.to_ascii_lowercase().as_str() {
                "full" => Return::Full,
                "hdrs" => Return::Headers,
                _ => return Err(Refusal::usage("sendmail: -R is full or hdrs")),
            });
        }
        'V' => {
            let id = EnvelopeId::new(&value)
                .map_err(|error| Refusal::usage(format!("sendmail: -V: {error}")))?;
            options.envelope_id = Some(id);
        }
        'b' => match value.as_str() {
            "m" => options.mode = Mode::Message,
            "s" => options.mode = Mode::Smtp,
            "i" => options.mode = Mode::Nothing,
            "p" => {
                return Err(Refusal::usage(
                    "sendmail: -bp is not done here: elsinore queue list",
                ));
            }
            _ => {
                return Err(Refusal::usage(format!(
                    "sendmail: -b{value} is not done here"
                )));
            }
        },
        // -oi and its long form; the others say how a daemon of long ago should work.
        'o' if value == "i" => options.dots_are_text = true,
        'O' if value.eq_ignore_ascii_case("IgnoreDots=true") => options.dots_are_text = true,
        _ => {}
    }
    Ok(())
}

/// RFC 3461 §4.1, as sendmail's -N has it.
fn notify(value: &str) -> Result<Notify> {
    if value.eq_ignore_ascii_case("never") {
        return Ok(Notify::Never);
    }
    let (mut success, mut failure, mut delay) = (Asked::No, Asked::No, Asked::No);
    for word in value.split(',') {
        match word.trim().to_ascii_lowercase().as_str() {
            "success" => success = Asked::Yes,
            "failure" => failure = Asked::Yes,
            "delay" => delay = Asked::Yes,
            _ => {
                return Err(Refusal::usage(
                    "sendmail: -N is never, or any of success,failure,delay",
                ));
            }
        }
    }
    Ok(Notify::On {
        success,
        failure,
        delay,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Options> {
        parse(words.iter().map(OsString::from).collect())
    }

    #[test]
    fn words_of_programs_that_send_mail() {
        for (words, shown) in [
            // PHP, cron (Debian), git, mutt, Perl.
            (&["-t", "-i"][..], "Message t=true i=true f=None []"),
            (
                &["-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root"],
                "Message t=false i=true f=None [\"root\"]",
            ),
            (
                &["-i", "a@b.example"],
                "Message t=false i=true f=None [\"a@b.example\"]",
            ),
            (
                &["-oem", "-oi", "-f", "x@y", "--", "-a@b"],
                "Message t=false i=true f=Some(\"x@y\") [\"-a@b\"]",
            ),
            (
                &["-ti", "-fx@y"],
                "Message t=true i=true f=Some(\"x@y\") []",
            ),
            (
                &["-f", "", "a@b"],
                "Message t=false i=false f=Some(\"\") [\"a@b\"]",
            ),
            (&["-bs"], "Smtp t=false i=false f=None []"),
            (
                &["-bm", "-v", "-OIgnoreDots=true", "a"],
                "Message t=false i=true f=None [\"a\"]",
            ),
            (&["-bi"], "Nothing t=false i=false f=None []"),
            (&["-q30m"], "Nothing t=false i=false f=None []"),
            (&["a", "-t"], "Message t=true i=false f=None [\"a\"]"),
            (&["-"], "Message t=false i=false f=None [\"-\"]"),
        ] {
            let options = read(words).unwrap();
            let got = format!(
                "{:?} t={} i={} f={:?} {:?}",
                options.mode,
                options.from_header,
                options.dots_are_text,
                options.sender,
                options.recipients
            );
            assert_eq!(got, shown, "{words:?}");
        }
        for (words, part) in [
            (&["-f"][..], "-f needs a value"),
            (&["-Z"], "-Z: no such flag"),
            (&["-bp"], "elsinore queue list"),
            (&["-bd"], "-bd is not done here"),
            (&["-N", "sometimes"], "-N is never"),
            (&["-R", "some"], "-R is full"),
            (&["-V", ""], "-V: an envelope"),
        ] {
            let error = read(words).unwrap_err().to_string();
            assert!(error.contains(part), "{words:?}: {error}");
        }
    }
}
