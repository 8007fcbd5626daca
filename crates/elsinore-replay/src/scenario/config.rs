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
        let (name, value) = option(text).ok_or_else(|| fault(line, "not an option"))?;
        let setting = Setting {
            line,
            name: name.to_owned(),
            value,
        };
        if let Some(kind) = zone_kind(name) {
            scenario.zones.push(Zone {
                line,
                kind,
                name: String::new(),
                addresses: Vec::new(),
                settings: Vec::new(),
            });
            section = Section::Zone;
        } else if name == "server" {
            section = Section::Server;
        } else if setting.value.is_empty() && is_section(name) {
            section = Section::Other;
            scenario.settings.push(setting);
        } else {
            put(&section, setting, scenario)?;
        }
    }
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

/// `name: value`, quoted or not, with a `#` beginning a comment.
fn option(text: &str) -> Option<(&str, String)> {
    let (name, rest) = text.split_once(':')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let rest = rest.trim();
    let value = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => rest[1..].split(quote).next()?,
        _ => rest.split('#').next()?.trim(),
    };
    Some((name, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        for (text, expected) in [
            ("fake-sha1: yes", Some(("fake-sha1", "yes"))),
            (
                "stub-addr: 193.0.14.129 \t# K.ROOT",
                Some(("stub-addr", "193.0.14.129")),
            ),
            (
                "target-fetch-policy: \"0 0 # 0\" # x",
                Some(("target-fetch-policy", "0 0 # 0")),
            ),
            ("server:", Some(("server", ""))),
            (
                "local-zone: test. nodefault",
                Some(("local-zone", "test. nodefault")),
            ),
            ("no option", None),
            ("no option: here", None),
        ] {
            let expected = expected.map(|(name, value)| (name, value.to_owned()));
            assert_eq!(option(text), expected, "{text}");
        }
    }
}
