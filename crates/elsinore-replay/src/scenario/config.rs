//! The server options at the beginning of a file: those of `unbound.conf(5)`, one to a line.

use super::lines::Lines;
use super::{AnchorFile, Fault, Scenario, fault, keyword, parse_address};
use std::net::IpAddr;

/// An option of the section `server:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The line it stands on, from 1.
    pub(crate) line: usize,
    /// Its name.
    pub(crate) name: String,
    /// Its value without quotation marks.
    pub(crate) value: String,
}

/// Whether the servers of a zone are authoritative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ZoneKind {
    /// They are (`stub-zone`).
    Stub,
    /// They look things up (`forward-zone`).
    Forward,
}

/// Servers that are asked in place of those that a referral names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Zone {
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    /// Stub or forward.
    pub(crate) kind: ZoneKind,
    /// The zone.
    pub(crate) name: String,
    /// Where to ask.
    pub(crate) addresses: Vec<IpAddr>,
    /// Other options of the zone.
    pub(crate) settings: Vec<Setting>,
}

enum Section {
    Server,
    Zone,
    /// A part of the server that this resolver does not have.
    Other,
}

/// Reads up to `CONFIG_END`.
pub(super) fn read(lines: &mut Lines<'_>, scenario: &mut Scenario) -> Result<(), Fault> {
    let mut section = Section::Server;
    loop {
        let (line, text) = lines.next_required("CONFIG_END")?;
        let (word, _) = keyword(text);
        match word {
            "CONFIG_END" => return Ok(()),
            "AUTOTRUST_FILE" => {
                let block = lines.block("AUTOTRUST_END")?;
                scenario.autotrust.push(AnchorFile {
                    line,
                    lines: block.into_iter().map(str::to_owned).collect(),
                });
                continue;
            }
            "TEMPFILE_NAME" => continue,
            "TEMPFILE_CONTENTS" => {
                // Who refers to such a file is refused for it.
                lines.block("TEMPFILE_END")?;
                continue;
            }
            _ => {}
        }
        for (name, value) in options(text).ok_or_else(|| fault(line, "not an option"))? {
            let setting = Setting {
                line,
                name: name.to_owned(),
                value,
            };
            take(&mut section, setting, scenario)?;
        }
    }
}

fn take(section: &mut Section, setting: Setting, scenario: &mut Scenario) -> Result<(), Fault> {
    let name = setting.name.as_str();
    if let Some(kind) = zone_kind(name) {
        scenario.zones.push(Zone {
            line: setting.line,
            kind,
            name: String::new(),
            addresses: Vec::new(),
            settings: Vec::new(),
        });
        *section = Section::Zone;
    } else if name == "server" {
        *section = Section::Server;
    } else if setting.value.is_empty() && is_section(name) {
        *section = Section::Other;
        scenario.settings.push(setting);
    } else {
        put(section, setting, scenario)?;
    }
    Ok(())
}

fn put(section: &Section, setting: Setting, scenario: &mut Scenario) -> Result<(), Fault> {
    match section {
        Section::Server => scenario.settings.push(setting),
        // The section itself is reported.
        Section::Other => {}
        Section::Zone => {
            let Some(zone) = scenario.zones.last_mut() else {
                return Ok(());
            };
            match setting.name.as_str() {
                "name" => zone.name = setting.value,
                "stub-addr" | "forward-addr" => {
                    zone.addresses
                        .push(parse_address(&setting.value, setting.line)?);
                }
                _ => zone.settings.push(setting),
            }
        }
    }
    Ok(())
}

fn zone_kind(name: &str) -> Option<ZoneKind> {
    match name {
        "stub-zone" => Some(ZoneKind::Stub),
        "forward-zone" => Some(ZoneKind::Forward),
        _ => None,
    }
}

fn is_section(name: &str) -> bool {
    matches!(
        name,
        "remote-control"
            | "auth-zone"
            | "view"
            | "python"
            | "dynlib"
            | "dnscrypt"
            | "cachedb"
            | "rpz"
            | "dnstap"
    )
}

/// The options of a line, each a `name:` and its value: words up to the next name, quoted or not,
/// with a `#` beginning a comment.
fn options(text: &str) -> Option<Vec<(&str, String)>> {
    let mut options: Vec<(&str, String)> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() && !rest.starts_with('#') {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (word, after) = match quote {
            Some(quote) => rest[1..].split_once(quote)?,
            None => rest
                .split_once(char::is_whitespace)
                .map_or((rest, ""), |(word, after)| (word, after)),
        };
        rest = after.trim_start();
        match (
            word.strip_suffix(':').filter(|name| is_name(name)),
            options.last_mut(),
        ) {
            (Some(name), _) if quote.is_none() => options.push((name, String::new())),
            (_, Some((_, value))) => {
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(word);
            }
            (_, None) => return None,
        }
    }
    Some(options)
}

fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !text.is_empty() && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_lines() {
        for (text, expected) in [
            ("fake-sha1: yes", &[("fake-sha1", "yes")][..]),
            (
                "stub-addr: 193.0.14.129 \t# K.ROOT",
                &[("stub-addr", "193.0.14.129")],
            ),
            (
                "target-fetch-policy: \"0 0 # 0\" # x",
                &[("target-fetch-policy", "0 0 # 0")],
            ),
            ("server:", &[("server", "")]),
            (
                "local-zone: test. nodefault",
                &[("local-zone", "test. nodefault")],
            ),
            (
                "forward-zone: name: \".\" forward-addr: 2001:db8::",
                &[
                    ("forward-zone", ""),
                    ("name", "."),
                    ("forward-addr", "2001:db8::"),
                ],
            ),
            ("directory: \"\"", &[("directory", "")]),
            ("trust-anchor: \"a: DS 1\"", &[("trust-anchor", "a: DS 1")]),
        ] {
            let expected: Vec<(&str, String)> = expected
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect();
            assert_eq!(options(text), Some(expected), "{text}");
        }
        for text in ["no option", "\"no\" option: here", "a: \"open"] {
            assert_eq!(options(text), None, "{text}");
        }
    }
}
