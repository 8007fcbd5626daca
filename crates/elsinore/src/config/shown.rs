//! The configuration as it takes effect, for people to read: every key with its value and where the
//! value is from. The result is TOML again and means the same.

use super::policyd::PolicydSettings;
use super::relay::section::{LogFormat, Octets, Span};
use super::relay::{RelaySettings, StorePlace};
use super::{AdTrust, DnsMode, MinimumTls, Settings};
use crate::cli::GlobalArguments;
use clap::ValueEnum;
use elsinore_net::resolver::ResolverConfig;
use elsinore_relay::accept::UndeclaredEightBit;
use elsinore_tlsrpt::settings::TlsRptSettings;
use std::collections::HashMap;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;
use toml::Value;

/// One key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Its section, dots between the parts; empty for keys outside of any.
    pub(crate) section: &'static str,
    /// Its name.
    pub(crate) key: &'static str,
    /// What takes effect.
    pub(crate) value: Shown,
    /// Where that is from.
    pub(crate) origin: Origin,
}

impl Row {
    /// Its section and its name.
    pub(crate) fn name(&self) -> String {
        match self.section {
            "" => self.key.to_owned(),
            section => format!("{section}.{}", self.key),
        }
    }
}

/// What takes effect for a key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shown {
    /// This.
    Value(Value),
    /// Something that has no form in the file, in words.
    Words(&'static str),
    /// Something that is not to be seen.
    Hidden,
}

/// Where a value is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is what holds when nothing is said.
    Default,
    /// This line of the file.
    Line(usize),
    /// This flag.
    Flag(&'static str),
}

/// The lines of a file on which its keys stand, under their whole names.
#[derive(Debug, Default)]
pub(crate) struct Lines(HashMap<String, usize>);

impl Lines {
    /// Reads them off `text`; of a file that is no TOML, none.
    pub(crate) fn of(text: &str) -> Self {
        let mut lines = Self::default();
        if let Ok(table) = toml::de::DeTable::parse(text) {
            lines.walk(text, "", table.get_ref());
        }
        lines
    }

    fn walk(&mut self, text: &str, prefix: &str, table: &toml::de::DeTable<'_>) {
        for (key, value) in table {
            let name = match prefix {
                "" => key.get_ref().to_string(),
                prefix => format!("{prefix}.{}", key.get_ref()),
            };
            let line = 1 + text[..key.span().start].matches('\n').count();
            if let toml::de::DeValue::Table(table) = value.get_ref() {
                self.walk(text, &name, table);
            }
            self.0.insert(name, line);
        }
    }
}

/// All keys but the lists of destinations.
pub(crate) fn rows(settings: &Settings, lines: &Lines, flags: &GlobalArguments) -> Vec<Row> {
    let mut rows = Rows {
        section: "",
        lines,
        flags,
        rows: Vec::new(),
    };
    rows.path(
        "state_dir",
        settings.state_dir.as_deref(),
        "none: neither HOME nor XDG_STATE_HOME is set",
    );
    network(&mut rows, settings);
    tools(&mut rows, settings);
    relay(&mut rows, &settings.relay);
    policyd(&mut rows, &settings.policyd);
    rows.rows
}

fn network(rows: &mut Rows<'_>, settings: &Settings) {
    let usual = ResolverConfig::default();
    let dns = &settings.dns;
    rows.section = "dns";
    rows.text("mode", mode_word(dns.mode));
    rows.path(
        "root_hints",
        dns.root_hints.as_deref(),
        "those that come with the program",
    );
    rows.path(
        "trust_anchor",
        dns.trust_anchor.as_deref(),
        "those that come with the program, and followed",
    );
    rows.list("upstream", &dns.upstream);
    rows.list("allow_nets", &dns.networks.allowed);
    rows.list("nta", &dns.nta);
    rows.text(
        "ad_trust",
        match dns.ad_trust {
            AdTrust::Loopback => "loopback",
            AdTrust::Any => "any",
        },
    );
    rows.seconds("timeout", dns.timeout.unwrap_or(usual.deadline));
    rows.flag("sha1", dns.sha1);
    rows.number(
        "cache_megabytes",
        dns.cache_octets.unwrap_or(usual.cache_octets) >> 20,
    );
    rows.section = "tls";
    rows.path(
        "ca_file",
        settings.tls.ca_file.as_deref(),
        "the built-in authorities alone",
    );
    rows.flag("legacy", settings.tls.legacy);
    rows.text(
        "min_authenticated",
        match settings.tls.min_authenticated {
            MinimumTls::Tls12 => "1.2",
            MinimumTls::Tls13 => "1.3",
        },
    );
    let smtp = &settings.smtp;
    rows.section = "smtp";
    rows.name("helo", smtp.helo.as_ref(), "the machine's name");
    rows.number("port", smtp.port);
    rows.list("allow_nets", &smtp.networks.allowed);
    rows.section = "smtp.timeouts";
    let times = &smtp.timeouts;
    for (key, time) in [
        ("connect", times.connect),
        ("greeting", times.smtp.greeting),
        ("hello", times.smtp.hello),
        ("handshake", times.smtp.handshake),
        ("mail", times.smtp.mail),
        ("recipient", times.smtp.recipient),
        ("data_start", times.smtp.data_start),
        ("data_block", times.smtp.data_block),
        ("data_end", times.smtp.data_end),
        ("quit", times.smtp.quit),
        ("sts_fetch", times.sts_fetch),
        ("discovery", times.discovery),
        ("domain", times.domain),
    ] {
        rows.seconds(key, time);
    }
    rows.section = "policy";
    rows.text("insecure_mx", settings.insecure_mx.word());
}

fn tools(rows: &mut Rows<'_>, settings: &Settings) {
    rows.section = "check";
    rows.number("sessions", settings.check.sessions);
    rows.time("pause", settings.check.pause, "as long as is polite");
    rows.time("patience", settings.check.patience, "20 seconds");
    let doctor = &settings.doctor;
    rows.section = "doctor";
    rows.path("resolv_conf", Some(&doctor.resolv_conf), "");
    rows.list("secure", &doctor.names.secure);
    rows.list("bogus", &doctor.names.bogus);
    rows.list("insecure", &doctor.names.insecure);
    rows.list("mail", &doctor.mail);
    rows.time("timeout", doctor.timeout, "6 seconds");
    rows.section = "lab";
    rows.path("map", settings.lab_map.as_deref(), "no lab");
    let page = &settings.web.page;
    rows.section = "web";
    rows.text("listen", page.listen);
    rows.flag("public", settings.web.public);
    rows.name(
        "url",
        page.url.as_ref().map(|url| url.as_str()),
        "the address it listens on",
    );
    rows.list("trusted_proxies", &page.trusted_proxies);
    rows.number("connections", page.connections.total);
    rows.number("connections_per_client", page.connections.per_client);
    rows.number("checks_at_once", page.checks.at_once);
    rows.number("checks_waiting", page.checks.waiting);
    rows.number("checks_per_client_hour", page.checks.per_client_hour);
    rows.number(
        "visits_per_address_hour",
        settings.web.visits_per_address_hour,
    );
    rows.seconds("recent", page.checks.recent);
    rows.seconds("check_timeout", page.checks.deadline);
    rows.number("reports", page.store.reports);
    rows.number("report_days", page.store.age.as_secs() / 86_400);
    rows.number("report_megabytes", page.store.octets >> 20);
}

fn policyd(rows: &mut Rows<'_>, policyd: &PolicydSettings) {
    let service = &policyd.service;
    rows.section = "policyd";
    rows.list("listen", &service.listen);
    rows.path("socket", service.socket.as_deref(), "none");
    rows.text("socket_mode", format_args!("{:04o}", policyd.socket_mode));
    match service.http {
        Some(address) => rows.text("http", address),
        None => rows.text("http", "off"),
    }
    rows.list("hosts", &service.hosts);
    rows.flag("public", policyd.public);
    rows.number("connections", service.connections.most);
    rows.number("lookups", service.work.at_once);
    rows.number("cache_megabytes", service.cache.octets >> 20);
}

fn relay(rows: &mut Rows<'_>, relay: &RelaySettings) {
    const NO_TLS: &str = "STARTTLS is not offered to clients";
    let accept = &relay.accept;
    rows.section = "relay";
    rows.text("name", &accept.host);
    rows.list("own_names", &relay.own_names);
    rows.list("own_addresses", &relay.own_addresses);
    rows.list("listen", &accept.listen);
    rows.path("socket", accept.socket.as_deref(), "none");
    rows.text("socket_mode", format_args!("{:04o}", accept.socket_mode));
    rows.list("allow_clients", &accept.allow_clients);
    let (folder, shared) = match &relay.store {
        Some(StorePlace::Folder(folder)) => (Some(folder.as_path()), Shown::Words("not shared")),
        Some(StorePlace::Postgres(_)) => (None, Shown::Hidden),
        None => (None, Shown::Words("not shared")),
    };
    rows.path("store", folder, "no folder of this machine");
    let of_file = rows.lines.0.contains_key("relay.postgres_file");
    let (other, key) = match of_file {
        true => ("postgres", "postgres_file"),
        false => ("postgres_file", "postgres"),
    };
    rows.add(key, shared);
    rows.add(other, Shown::Words("not set"));
    match &relay.store {
        Some(StorePlace::Postgres(shared)) => {
            rows.text("postgres_schema", &shared.schema);
            rows.number("postgres_pool", shared.pool);
            rows.path("postgres_ca", shared.ca.as_deref(), "those of the system");
        }
        Some(StorePlace::Folder(_)) | None => {
            for key in ["postgres_schema", "postgres_pool", "postgres_ca"] {
                rows.add(key, Shown::Words("not shared"));
            }
        }
    }
    rows.span("lifetime", relay.schedule.retry.lifetime);
    rows.span("warn_after", relay.schedule.warn_after.unwrap_or_default());
    rows.name(
        "postmaster",
        accept.postmaster.as_ref(),
        "nobody is told of bounces that bounce",
    );
    rows.text(
        "undeclared_8bit",
        match accept.undeclared_eight_bit {
            UndeclaredEightBit::Refused => "refuse",
            UndeclaredEightBit::Taken => "take",
        },
    );
    rows.text(
        "log",
        match relay.log {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        },
    );
    rows.section = "relay.tls";
    let tls = accept.tls.as_ref();
    rows.path(
        "certificate",
        tls.map(|tls| tls.certificate.as_path()),
        NO_TLS,
    );
    rows.path("key", tls.map(|tls| tls.key.as_path()), NO_TLS);
    let limits = &accept.limits;
    rows.section = "relay.limits";
    rows.number("connections", limits.connections);
    rows.number("connections_per_client", limits.connections_per_client);
    rows.number("connections_per_minute", limits.connections_per_minute);
    rows.number("recipients", limits.recipients);
    rows.text("size", Octets::text(limits.message_octets));
    rows.number("errors", limits.errors);
    rows.number("idle_commands", limits.idle_commands);
    rows.number("received_fields", limits.received_fields);
    rows.number("slowest", accept.times.slowest);
    rows.section = "relay.timeouts";
    rows.span("command", accept.times.command);
    rows.span("line", accept.times.line);
    rows.span("block", accept.times.block);
    rows.span("handshake", accept.times.handshake);
    rows.span("reply", accept.times.reply);
    rows.span("without_message", accept.times.without_message);
    rows.span("stop", relay.stop);
    let retry = &relay.schedule.retry;
    rows.section = "relay.retry";
    rows.span("first", retry.first);
    rows.span("longest", retry.longest);
    rows.span("dns", retry.dns);
    let limits = &relay.schedule.limits;
    rows.section = "relay.delivery";
    rows.number("concurrency", relay.schedule.sessions);
    rows.number("per_destination_first", limits.first);
    rows.number("per_destination", limits.most);
    rows.count("messages_per_minute", limits.per_minute, "no bound");
    rows.span("lease", relay.schedule.lease);
    reports(rows, &relay.tlsrpt);
    rows.section = "relay.admin";
    rows.name(
        "listen",
        relay.admin.listen.as_ref(),
        "the unix socket in state_dir alone",
    );
    rows.flag("public", relay.admin.public);
    rows.list("hosts", &relay.admin.hosts);
    rows.path(
        "token_file",
        relay.admin.token_file.as_deref(),
        "the queue is not to be had over TCP",
    );
}

fn reports(rows: &mut Rows<'_>, reports: &TlsRptSettings) {
    const UNSIGNED: &str = "reports go by HTTPS alone";
    let dkim = reports.dkim.as_ref();
    rows.section = "relay.tlsrpt";
    rows.flag("enabled", reports.enabled);
    rows.text("organisation", &reports.organisation);
    rows.text("contact", &reports.contact);
    rows.name("from", reports.from.as_ref(), "contact");
    rows.name("dkim_domain", dkim.map(|dkim| &dkim.domain), UNSIGNED);
    rows.name("dkim_selector", dkim.map(|dkim| &dkim.selector), UNSIGNED);
    rows.path(
        "dkim_key",
        dkim.map(|dkim| dkim.key_file.as_path()),
        UNSIGNED,
    );
    rows.number("hours", reports.hours);
    rows.flag("host_reports", reports.host_reports);
}

fn mode_word(mode: DnsMode) -> String {
    mode.to_possible_value()
        .map_or_else(String::new, |word| word.get_name().to_owned())
}

/// Rows as they are made.
struct Rows<'a> {
    section: &'static str,
    lines: &'a Lines,
    flags: &'a GlobalArguments,
    rows: Vec<Row>,
}

impl Rows<'_> {
    fn add(&mut self, key: &'static str, value: Shown) {
        let name = match self.section {
            "" => key.to_owned(),
            section => format!("{section}.{key}"),
        };
        let line = self.lines.0.get(&name).copied();
        let origin = (flag(self.flags, &name).map(Origin::Flag))
            .or_else(|| line.map(Origin::Line))
            .unwrap_or(Origin::Default);
        self.rows.push(Row {
            section: self.section,
            key,
            value,
            origin,
        });
    }

    fn text(&mut self, key: &'static str, value: impl Display) {
        self.add(key, Shown::Value(Value::String(value.to_string())));
    }

    fn name(&mut self, key: &'static str, value: Option<impl Display>, none: &'static str) {
        match value {
            Some(value) => self.text(key, value),
            None => self.add(key, Shown::Words(none)),
        }
    }

    fn path(&mut self, key: &'static str, value: Option<&Path>, none: &'static str) {
        self.name(key, value.map(Path::display), none);
    }

    fn flag(&mut self, key: &'static str, value: bool) {
        self.add(key, Shown::Value(Value::Boolean(value)));
    }

    fn number(&mut self, key: &'static str, value: impl TryInto<i64>) {
        let value = value.try_into().unwrap_or(i64::MAX);
        self.add(key, Shown::Value(Value::Integer(value)));
    }

    fn count(&mut self, key: &'static str, value: Option<u32>, none: &'static str) {
        match value {
            Some(value) => self.number(key, value),
            None => self.add(key, Shown::Words(none)),
        }
    }

    fn seconds(&mut self, key: &'static str, value: Duration) {
        self.number(key, value.as_secs());
    }

    fn time(&mut self, key: &'static str, value: Option<Duration>, none: &'static str) {
        match value {
            Some(value) if value.subsec_nanos() == 0 => self.seconds(key, value),
            Some(value) => self.add(key, Shown::Value(Value::Float(value.as_secs_f64()))),
            None => self.add(key, Shown::Words(none)),
        }
    }

    fn span(&mut self, key: &'static str, value: Duration) {
        self.text(key, Span::text(value));
    }

    fn list<T: Display>(&mut self, key: &'static str, values: &[T]) {
        let values = values.iter().map(|one| Value::String(one.to_string()));
        self.add(key, Shown::Value(Value::Array(values.collect())));
    }
}

/// The flag that sets `name`, if it was given.
fn flag(flags: &GlobalArguments, name: &str) -> Option<&'static str> {
    match name {
        "dns.mode" => flags.dns_mode.map(|_| "--dns-mode"),
        "dns.root_hints" => flags.root_hints.as_ref().map(|_| "--root-hints"),
        "dns.trust_anchor" => flags.trust_anchor.as_ref().map(|_| "--trust-anchor"),
        "dns.upstream" => (!flags.upstream.is_empty()).then_some("--upstream"),
        "dns.nta" => (!flags.nta.is_empty()).then_some("--nta"),
        "tls.ca_file" => flags.ca_file.as_ref().map(|_| "--ca-file"),
        "state_dir" => flags.state_dir.as_ref().map(|_| "--state-dir"),
        _ => None,
    }
}
