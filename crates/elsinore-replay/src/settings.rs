//! What the server options of a file mean for this resolver: a setting of its own, nothing, or a
//! reason why the file cannot be replayed. An option that is not listed here is an error.

mod keysize;

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

/// What a `yes` or a `no` of an option means.
enum Meaning {
    /// Both are fine: it does not change what a client gets to see.
    Neutral,
    /// This resolver always does as if it were this; the other is not supported.
    Always(&'static str),
    /// Whatever the value: a part of the server that is no resolver.
    Foreign(&'static str),
}

const MEANINGS: &[(&str, Meaning)] = &[
    // Logging, files, memory, threads, sockets, and how clients reach the server.
    ("verbosity", Meaning::Neutral),
    ("val-log-level", Meaning::Neutral),
    ("val-log-squelch", Meaning::Neutral),
    ("log-servfail", Meaning::Neutral),
    ("log-queries", Meaning::Neutral),
    ("log-replies", Meaning::Neutral),
    ("directory", Meaning::Neutral),
    ("num-threads", Meaning::Neutral),
    ("msg-cache-size", Meaning::Neutral),
    ("rrset-cache-size", Meaning::Neutral),
    ("key-cache-size", Meaning::Neutral),
    ("outgoing-range", Meaning::Neutral),
    ("interface", Meaning::Neutral),
    ("discard-timeout", Meaning::Neutral),
    ("wait-limit", Meaning::Neutral),
    ("log-local-actions", Meaning::Neutral),
    ("log-tag-queryreply", Meaning::Neutral),
    ("log-time-ascii", Meaning::Neutral),
    ("log-identity", Meaning::Neutral),
    ("log-destaddr", Meaning::Neutral),
    ("log-thread-id", Meaning::Neutral),
    ("statistics-interval", Meaning::Neutral),
    ("extended-statistics", Meaning::Neutral),
    ("statistics-cumulative", Meaning::Neutral),
    ("shm-enable", Meaning::Neutral),
    ("hide-identity", Meaning::Neutral),
    ("hide-version", Meaning::Neutral),
    ("hide-trustanchor", Meaning::Neutral),
    ("hide-http-user-agent", Meaning::Neutral),
    ("http-user-agent", Meaning::Neutral),
    ("do-daemonize", Meaning::Neutral),
    ("username", Meaning::Neutral),
    ("chroot", Meaning::Neutral),
    ("pidfile", Meaning::Neutral),
    ("logfile", Meaning::Neutral),
    ("use-syslog", Meaning::Neutral),
    ("use-systemd", Meaning::Neutral),
    ("msg-cache-slabs", Meaning::Neutral),
    ("rrset-cache-slabs", Meaning::Neutral),
    ("key-cache-slabs", Meaning::Neutral),
    ("infra-cache-slabs", Meaning::Neutral),
    ("infra-cache-numhosts", Meaning::Neutral),
    ("neg-cache-size", Meaning::Neutral),
    ("msg-buffer-size", Meaning::Neutral),
    ("num-queries-per-thread", Meaning::Neutral),
    ("jostle-timeout", Meaning::Neutral),
    ("delay-close", Meaning::Neutral),
    ("udp-connect", Meaning::Neutral),
    ("outgoing-port-permit", Meaning::Neutral),
    ("outgoing-port-avoid", Meaning::Neutral),
    ("outgoing-num-tcp", Meaning::Neutral),
    ("incoming-num-tcp", Meaning::Neutral),
    ("outgoing-interface", Meaning::Neutral),
    ("tcp-idle-timeout", Meaning::Neutral),
    ("tcp-reuse-timeout", Meaning::Neutral),
    ("tcp-auth-query-timeout", Meaning::Neutral),
    ("max-reuse-tcp-queries", Meaning::Neutral),
    ("so-rcvbuf", Meaning::Neutral),
    ("so-sndbuf", Meaning::Neutral),
    ("so-reuseport", Meaning::Neutral),
    ("ip-transparent", Meaning::Neutral),
    ("ip-freebind", Meaning::Neutral),
    ("ip-dscp", Meaning::Neutral),
    ("tcp-mss", Meaning::Neutral),
    ("outgoing-tcp-mss", Meaning::Neutral),
    ("port", Meaning::Neutral),
    ("interface-automatic", Meaning::Neutral),
    ("prefer-ip4", Meaning::Neutral),
    ("prefer-ip6", Meaning::Neutral),
    ("edns-buffer-size", Meaning::Neutral),
    ("max-udp-size", Meaning::Neutral),
    ("unwanted-reply-threshold", Meaning::Neutral),
    ("wait-limit-cookie", Meaning::Neutral),
    ("wait-limit-netblock", Meaning::Neutral),
    ("wait-limit-cookie-netblock", Meaning::Neutral),
    ("fast-server-num", Meaning::Neutral),
    ("fast-server-permil", Meaning::Neutral),
    ("low-rtt", Meaning::Neutral),
    ("low-rtt-pct", Meaning::Neutral),
    ("infra-keep-probing", Meaning::Neutral),
    ("iter-scrub-ns", Meaning::Neutral),
    ("iter-scrub-cname", Meaning::Neutral),
    ("max-global-quota", Meaning::Neutral),
    ("max-query-restarts", Meaning::Neutral),
    // Which order records come in; sections are compared as sets.
    ("rrset-roundrobin", Meaning::Neutral),
    // How many questions are asked ahead of need.
    ("target-fetch-policy", Meaning::Neutral),
    ("prefetch", Meaning::Neutral),
    ("prefetch-key", Meaning::Neutral),
    // SHA-1 and DSA are verified here for real.
    ("fake-sha1", Meaning::Neutral),
    ("fake-dsa", Meaning::Neutral),
    // Extended errors are always given.
    ("ede", Meaning::Neutral),
    ("ede-serve-expired", Meaning::Always("no")),
    // This resolver answers itself for no zone, so none has to be opened.
    ("unblock-lan-zones", Meaning::Neutral),
    ("insecure-lan-zones", Meaning::Always("no")),
    // Every address is open to a replay.
    ("do-not-query-localhost", Meaning::Neutral),
    // RFC 8145 and RFC 8509 tell others which anchors are in use.
    ("trust-anchor-signaling", Meaning::Always("no")),
    ("root-key-sentinel", Meaning::Always("no")),
    // Authority and additional records of a positive answer are not passed on.
    ("iter-scrub-promiscuous", Meaning::Neutral),
    ("harden-unknown-additional", Meaning::Neutral),
    ("harden-referral-path", Meaning::Always("no")),
    ("harden-short-bufsize", Meaning::Neutral),
    ("harden-large-queries", Meaning::Neutral),
    ("harden-glue", Meaning::Always("yes")),
    ("harden-dnssec-stripped", Meaning::Always("yes")),
    ("qname-minimisation-strict", Meaning::Always("no")),
    // Letter case is always varied; the scripted servers repeat it.
    ("use-caps-for-id", Meaning::Neutral),
    ("val-permissive-mode", Meaning::Always("no")),
    ("val-sig-skew-min", Meaning::Always("0")),
    ("val-sig-skew-max", Meaning::Always("0")),
    ("disable-edns-do", Meaning::Always("no")),
    ("dns-error-reporting", Meaning::Always("no")),
    ("harden-below-nxdomain", Meaning::Neutral),
    ("val-clean-additional", Meaning::Neutral),
    ("ignore-cd-flag", Meaning::Always("no")),
    ("disable-dnssec-lame-check", Meaning::Always("no")),
    ("serve-expired", Meaning::Always("no")),
    ("serve-original-ttl", Meaning::Always("no")),
    // Parts of the server that are no resolver.
    (
        "local-data",
        Meaning::Foreign("it answers from data of its own"),
    ),
    (
        "local-data-ptr",
        Meaning::Foreign("it answers from data of its own"),
    ),
    (
        "local-zone-tag",
        Meaning::Foreign("tags choose answers by client"),
    ),
    (
        "define-tag",
        Meaning::Foreign("tags choose answers by client"),
    ),
    (
        "access-control-tag",
        Meaning::Foreign("tags choose answers by client"),
    ),
    (
        "access-control-tag-action",
        Meaning::Foreign("tags choose answers by client"),
    ),
    (
        "access-control-tag-data",
        Meaning::Foreign("tags choose answers by client"),
    ),
    (
        "access-control-view",
        Meaning::Foreign("views choose answers by client"),
    ),
    ("view", Meaning::Foreign("views choose answers by client")),
    (
        "rpz",
        Meaning::Foreign("response policy zones rewrite answers"),
    ),
    ("auth-zone", Meaning::Foreign("it serves zones of its own")),
    ("response-ip", Meaning::Foreign("it rewrites answers")),
    ("response-ip-data", Meaning::Foreign("it rewrites answers")),
    ("response-ip-tag", Meaning::Foreign("it rewrites answers")),
    ("python", Meaning::Foreign("it runs a Python module")),
    ("python-script", Meaning::Foreign("it runs a Python module")),
    (
        "dynlib",
        Meaning::Foreign("it runs a module of machine code"),
    ),
    (
        "dynlib-file",
        Meaning::Foreign("it runs a module of machine code"),
    ),
    (
        "remote-control",
        Meaning::Foreign("it is about remote control"),
    ),
    (
        "dnscrypt",
        Meaning::Foreign("it is about encrypted clients"),
    ),
    (
        "cachedb",
        Meaning::Foreign("it keeps its cache in a database"),
    ),
    (
        "dnstap",
        Meaning::Foreign("it is about logging to a socket"),
    ),
    (
        "ratelimit",
        Meaning::Foreign("it bounds queries of clients"),
    ),
    (
        "ip-ratelimit",
        Meaning::Foreign("it bounds queries of clients"),
    ),
    (
        "ip-ratelimit-cookie",
        Meaning::Foreign("it bounds queries of clients"),
    ),
    ("answer-cookie", Meaning::Foreign("cookies of clients")),
    ("cookie-secret", Meaning::Foreign("cookies of clients")),
    ("deny-any", Meaning::Foreign("it shortens answers to ANY")),
    (
        "dns64-prefix",
        Meaning::Foreign("it rewrites answers (DNS64)"),
    ),
    (
        "dns64-synthall",
        Meaning::Foreign("it rewrites answers (DNS64)"),
    ),
    (
        "dns64-ignore-aaaa",
        Meaning::Foreign("it rewrites answers (DNS64)"),
    ),
    (
        "send-client-subnet",
        Meaning::Foreign("client subnets are not passed on"),
    ),
    (
        "client-subnet-zone",
        Meaning::Foreign("client subnets are not passed on"),
    ),
    (
        "client-subnet-always-forward",
        Meaning::Foreign("client subnets are not passed on"),
    ),
    (
        "max-client-subnet-ipv4",
        Meaning::Foreign("client subnets are not passed on"),
    ),
    (
        "max-client-subnet-ipv6",
        Meaning::Foreign("client subnets are not passed on"),
    ),
    ("nsid", Meaning::Foreign("the server's identity")),
    ("identity", Meaning::Foreign("the server's identity")),
    ("version", Meaning::Foreign("the server's identity")),
    (
        "edns-tcp-keepalive",
        Meaning::Foreign("connections of clients"),
    ),
    (
        "edns-tcp-keepalive-timeout",
        Meaning::Foreign("connections of clients"),
    ),
];

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
        if let Some((_, Meaning::Foreign(reason))) = meaning(&setting.name) {
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

fn meaning(name: &str) -> Option<&'static (&'static str, Meaning)> {
    MEANINGS.iter().find(|(known, _)| *known == name)
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
            name => match meaning(name) {
                Some((_, Meaning::Neutral)) => {}
                Some((_, Meaning::Always(only))) if *only == value => {}
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
