//! What the terminal can show.

use clap::ValueEnum;
use elsinore_check::terminal::{Colour, Glyphs, Style};
use std::io::{IsTerminal, stdout};

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColourFlag {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Most columns that are filled: longer lines are hard to follow.
const WIDEST: usize = 120;
/// Columns where there is no terminal.
const USUAL: usize = 80;

/// How stdout is written to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    pub(super) style: Style,
}

impl Screen {
    /// From flags, the environment and the terminal.
    pub(super) fn of(colour: ColourFlag, ascii: bool, columns: Option<u16>) -> Self {
        let terminal = stdout().is_terminal();
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let coloured = match colour {
            ColourFlag::Always => true,
            ColourFlag::Never => false,
            ColourFlag::Auto => {
                let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
                terminal && !dumb && !set("NO_COLOR")
            }
        };
        let columns = match columns {
            Some(columns) => usize::from(columns),
            None if terminal => rustix::termios::tcgetwinsize(stdout())
                .ok()
                .filter(|size| size.ws_col > 0)
                .map_or(USUAL, |size| usize::from(size.ws_col).min(WIDEST)),
            None => USUAL,
        };
        let plain = ascii || !speaks_utf8(|name| std::env::var(name).ok());
        Self {
            style: Style {
                columns,
                glyphs: if plain {
                    Glyphs::Ascii
                } else {
                    Glyphs::Unicode
                },
                colour: if coloured { Colour::On } else { Colour::Off },
            },
        }
    }
}

/// Whether the locale's characters are UTF-8: the first of the variables that is set says so
/// (POSIX.1-2024, Base Definitions §8.2).
fn speaks_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    (["LC_ALL", "LC_CTYPE", "LANG"].into_iter())
        .filter_map(variable)
        .find(|value| !value.is_empty())
        .is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales() {
        for (variables, expected) in [
            (&[][..], false),
            (&[("LANG", "C.UTF-8")], true),
            (&[("LANG", "de_DE.utf8")], true),
            (&[("LANG", "C")], false),
            (&[("LC_ALL", "C"), ("LANG", "C.UTF-8")], false),
            (
                &[("LC_ALL", ""), ("LC_CTYPE", "en_GB.UTF-8"), ("LANG", "C")],
                true,
            ),
        ] {
            let value = |name: &str| {
                let found = variables.iter().find(|(one, _)| *one == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(speaks_utf8(value), expected, "{variables:?}");
        }
    }
}
