//! What the server options of a file mean for this resolver: a setting of its own, nothing, or a
//! reason why the file cannot be replayed. An option that is not listed here is an error.

mod keysize;
mod meanings;

use self::meanings::Meaning;
use crate::clock::FileClock;
use crate::scenario::{Record, Scenario, Setting, Zone, ZoneKind};
use crate::verifier::OldAlgorithms;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_net::resolver::{
    AggressiveDenial, AlgorithmDowngrade, Limits, Minimisation, Mode, Net, ResolverConfig,
    RootHints, Route, RouteKind, Sections, TrustAnchors,
};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Why a file is not replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It asks for something that this resolver or this runner lacks: the file fails.
    Unsupported(String),
    /// It is about a part of the server that is no resolver: the file is skipped.
    Foreign(String),
}

/// A resolver as the file sets it up.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: ResolverConfig,
    pub(crate) clock: FileClock,
    pub(crate) sections: Sections,
    /// Whether name servers are reached over IPv4 and IPv6.
    pub(crate) reach: Reach,
}

/// Which ways to name servers are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
    pub(crate) udp: bool,
    pub(crate) tcp: bool,
}

/// How long one lookup may take: the scripts know no bound, and time costs nothing here.
const DEADLINE: Duration = Duration::from_secs(120);

/// NSEC3 iterations beyond which a zone is insecure: Unbound's default for keys of any size
/// (`val-nsec3-keysize-iterations`); the files were written for more than RFC 9276 §3.2 advises.
const ITERATIONS: u16 = 150;

/// An anchor for files that have none, at a name that no file asks for: the resolver wants one.
const NO_ANCHOR: &str = "anchor.of.no.use.invalid. DS 1 8 2 \
    0000000000000000000000000000000000000000000000000000000000000000\n";

/// Sets up a resolver as the file wants it.
pub(crate) fn read(scenario: &Scenario) -> Result<Setup, Unfit> {
    let mut reading = Reading {
        config: ResolverConfig {
            mode: Mode::Recursive,
            hints: RootHints::shipped(),
            allow_nets: everywhere(),
            cryptography: Arc::new(OldAlgorithms::default()),
            deadline: DEADLINE,
            limits: Limits {
                nsec3_iterations_insecure: ITERATIONS,
                ..Limits::default()
            },
            ..ResolverConfig::default()
        },
        clock: FileClock::Running(Instant::now()),
        // Unbound's own default since 1.9 (2019).
        sections: Sections::Minimal,
        reach: Reach {
            ipv4: true,
            ipv6: true,
            udp: true,
            tcp: true,
        },
        anchors: String::new(),
        iterations: None,
        validates: true,
    };
    // What is foreign tells more than what is not supported: it is looked for first.
    for setting in &scenario.settings {
        if let Some(Meaning::Foreign(reason)) = meanings::of(&setting.name) {
            return Err(foreign(setting, reason));
        }
    }
    for setting in &scenario.settings {
        reading.setting(setting)?;
    }
    for file in &scenario.autotrust {
        let lines = (file.line + 1..).zip(&file.lines);
        for (line, text) in lines.filter(|(_, text)| !text.trim_start().starts_with(';')) {
            if !text.trim().is_empty() {
                reading.anchor(text, line)?;
            }
        }
    }
    for zone in &scenario.zones {
        reading.zone(zone)?;
    }
    if let Some(setting) = reading.iterations.take() {
        reading.config.limits.nsec3_iterations_insecure =
            keysize::bound(&setting.value, scenario).ok_or_else(|| unsupported(&setting))?;
    }
    reading.finish()
}

fn foreign(setting: &Setting, reason: &str) -> Unfit {
    Unfit::Foreign(format!("line {}: {}: {reason}", setting.line, setting.name))
}

fn unsupported(setting: &Setting) -> Unfit {
    let Setting { line, name, value } = setting;
    Unfit::Unsupported(format!(
        "line {line}: option {name}: {value} is not supported"
    ))
}

struct Reading {
    config: ResolverConfig,
    clock: FileClock,
    sections: Sections,
    reach: Reach,
    anchors: String,
    /// The option that bounds NSEC3 iterations by the size of the keys.
    iterations: Option<Setting>,
    validates: bool,
}

impl Reading {
    fn setting(&mut self, setting: &Setting) -> Result<(), Unfit> {
        let value = setting.value.as_str();
        match setting.name.as_str() {
            "trust-anchor" => self.anchor(value, setting.line)?,
            "val-override-date" => {
                if let Some(time) = date(value).ok_or_else(|| unsupported(setting))? {
                    self.clock = FileClock::Fixed(time);
                }
            }
            "domain-insecure" => {
                let name = DomainName::parse(value).map_err(|_| unsupported(setting))?;
                self.config.negative_anchors.push(name);
            }
            "qname-minimisation" => {
                self.config.minimisation = if switch(setting)? {
                    Minimisation::Relaxed
                } else {
                    Minimisation::Off
                };
            }
            "aggressive-nsec" => {
                self.config.aggressive_denial = if switch(setting)? {
                    AggressiveDenial::Synthesised
                } else {
                    AggressiveDenial::Asked
                };
            }
            "harden-algo-downgrade" => {
                self.config.algorithm_downgrade = if switch(setting)? {
                    AlgorithmDowngrade::Refused
                } else {
                    AlgorithmDowngrade::Accepted
                };
            }
            "minimal-responses" => {
                self.sections = if switch(setting)? {
                    Sections::Minimal
                } else {
                    Sections::Full
                };
            }
            "do-ip4" => self.reach.ipv4 = switch(setting)?,
            "do-ip6" => self.reach.ipv6 = switch(setting)?,
            "do-udp" => self.reach.udp = switch(setting)?,
            "do-tcp" => self.reach.tcp = switch(setting)?,
            "module-config" => self.modules(setting)?,
            "val-nsec3-keysize-iterations" => self.iterations = Some(setting.clone()),
            "access-control" => match value.split_whitespace().nth(1) {
                Some("allow" | "allow_snoop") => {}
                _ => return Err(foreign(setting, "it turns clients away")),
            },
            "local-zone" => match value.split_whitespace().nth(1) {
                Some("nodefault" | "transparent") => {}
                _ => return Err(foreign(setting, "it answers from data of its own")),
            },
            name => match meanings::of(name) {
                Some(Meaning::Neutral) => {}
                Some(Meaning::Always(only)) if *only == value => {}
                _ => return Err(unsupported(setting)),
            },
        }
        Ok(())
    }

    /// Adds a trust anchor, written as a record; the resolver wants algorithms by number.
    fn anchor(&mut self, text: &str, line: usize) -> Result<(), Unfit> {
        let record = Record::parse_alone(text)
            .map_err(|problem| Unfit::Unsupported(format!("line {line}: {problem}")))?;
        self.anchors.push_str(&format!("{record}\n"));
        Ok(())
    }

    fn modules(&mut self, setting: &Setting) -> Result<(), Unfit> {
        self.validates = false;
        for module in setting.value.split_whitespace() {
            match module {
                "iterator" => {}
                "validator" => self.validates = true,
                _ => return Err(foreign(setting, "a module that is no resolver")),
            }
        }
        Ok(())
    }

    fn zone(&mut self, zone: &Zone) -> Result<(), Unfit> {
        for setting in &zone.settings {
            match (setting.name.as_str(), setting.value.as_str()) {
                ("stub-prime" | "stub-first" | "forward-first", "no") => {}
                _ => return Err(unsupported(setting)),
            }
        }
        let name = DomainName::parse(&zone.name).map_err(|_| {
            Unfit::Unsupported(format!("line {}: {:?} is no zone", zone.line, zone.name))
        })?;
        if name.is_root() && zone.kind == ZoneKind::Stub {
            self.config.hints = hints(&zone.addresses)
                .map_err(|error| Unfit::Unsupported(format!("line {}: {error}", zone.line)))?;
            return Ok(());
        }
        self.config.routes.push(Route {
            zone: name,
            kind: match zone.kind {
                ZoneKind::Stub => RouteKind::Stub,
                ZoneKind::Forward => RouteKind::Forward,
            },
            servers: zone
                .addresses
                .iter()
                .map(|address| SocketAddr::new(*address, 53))
                .collect(),
        });
        Ok(())
    }

    fn finish(mut self) -> Result<Setup, Unfit> {
        let anchors = if self.validates && !self.anchors.trim().is_empty() {
            self.anchors.as_str()
        } else {
            NO_ANCHOR
        };
        self.config.anchors =
            TrustAnchors::parse(anchors).map_err(|error| Unfit::Unsupported(error.to_string()))?;
        Ok(Setup {
            config: self.config,
            clock: self.clock,
            sections: self.sections,
            reach: self.reach,
        })
    }
}

fn switch(setting: &Setting) -> Result<bool, Unfit> {
    match setting.value.as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(unsupported(setting)),
    }
}

/// Every address.
fn everywhere() -> Vec<Net> {
    ["0.0.0.0/0", "::/0"]
        .iter()
        .filter_map(|net| net.parse().ok())
        .collect()
}

fn hints(addresses: &[IpAddr]) -> Result<RootHints, String> {
    let mut text = String::new();
    for (index, address) in addresses.iter().enumerate() {
        let rtype = if address.is_ipv4() { "A" } else { "AAAA" };
        text.push_str(&format!(". NS s{index}.\ns{index}. {rtype} {address}\n"));
    }
    RootHints::parse(&text).map_err(|error| error.to_string())
}

/// A date as 14 digits (UTC) or in seconds since 1970; an empty one or 0 sets none. Signatures of
/// any date (-1) are not supported.
fn date(text: &str) -> Option<Option<UnixTime>> {
    if text.is_empty() || text == "0" {
        return Some(None);
    }
    if text.len() != 14 {
        let seconds: u32 = text.parse().ok()?;
        return Some(Some(UnixTime(seconds.into())));
    }
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let (hour, minute, second) = (part(8..10)?, part(10..12)?, part(12..14)?);
    if !(1970..=2105).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    // Years that begin with March put the leap day last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = 365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(Some(UnixTime(
        days * 86_400 + hour * 3600 + minute * 60 + second,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (text, expected) in [
            ("20070916134226", Some(Some(1_189_950_146))),
            ("20000229000000", Some(Some(951_782_400))),
            ("19700101000000", Some(Some(0))),
            ("1189950146", Some(Some(1_189_950_146))),
            ("", Some(None)),
            ("0", Some(None)),
            ("-1", None),
            ("2007091613422x", None),
        ] {
            assert_eq!(
                date(text),
                expected.map(|date| date.map(UnixTime)),
                "{text}"
            );
        }
    }

    fn set_up(options: &str) -> Result<Setup, Unfit> {
        let text = format!("{options}\nCONFIG_END\nSCENARIO_BEGIN x\nSCENARIO_END\n");
        read(&Scenario::parse(&text).unwrap())
    }

    #[test]
    fn refused() {
        for (options, expected) in [
            (
                "server:\n nonsense: 1",
                Unfit::Unsupported("line 2: option nonsense: 1 is not supported".to_owned()),
            ),
            (
                "server:\n harden-glue: no",
                Unfit::Unsupported("line 2: option harden-glue: no is not supported".to_owned()),
            ),
            (
                "server:\n qname-minimisation: maybe",
                Unfit::Unsupported(
                    "line 2: option qname-minimisation: maybe is not supported".to_owned(),
                ),
            ),
            (
                "server:\n nonsense: 1\n access-control: 127.0.0.1 refuse",
                Unfit::Unsupported("line 2: option nonsense: 1 is not supported".to_owned()),
            ),
            (
                "server:\n access-control: 127.0.0.1 refuse",
                Unfit::Foreign("line 2: access-control: it turns clients away".to_owned()),
            ),
            (
                "server:\n nonsense: 1\nrpz:\n name: x.",
                Unfit::Foreign("line 3: rpz: response policy zones rewrite answers".to_owned()),
            ),
        ] {
            assert_eq!(set_up(options).unwrap_err(), expected, "{options}");
        }
    }
}
