//! What lints look at, in the terms they use.

use crate::report::{
    Address, Certificate, Host, Lookup, Offer, Report, Sender, SenderKind, ServerAnswer, Session,
    SessionState, Tlsa, ZoneServers,
};
use crate::sighting::{SenderSighting, Sighting};
use elsinore_dane::obligation::{DaneRequirement, Obligation};
use elsinore_dane::plan::HostPlan;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_net::doctor::triage::Blame;

/// The sighting and the report made of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) sighting: &'a Sighting,
    pub(crate) report: &'a Report,
}

/// One TLS session that says something, with its server certificate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Met<'a> {
    pub(crate) address: &'a Address,
    pub(crate) session: &'a Session,
    pub(crate) leaf_key: &'a str,
    pub(crate) leaf: &'a Certificate,
}

impl<'a> View<'a> {
    /// The moment of the check.
    pub(crate) const fn now(&self) -> i64 {
        self.report.began_at
    }

    /// Whether failing lookups may be held against the domain.
    pub(crate) const fn dns_is_theirs(&self) -> bool {
        match self.sighting.blame {
            Blame::Theirs(_) => true,
            Blame::Ours(_) | Blame::Unknown => false,
        }
    }

    /// Whether failing lookups are our own trouble.
    pub(crate) const fn dns_is_ours(&self) -> bool {
        match self.sighting.blame {
            Blame::Ours(_) => true,
            Blame::Theirs(_) | Blame::Unknown => false,
        }
    }

    pub(crate) fn lookup(&self, index: Option<usize>) -> Option<&'a Lookup> {
        self.report.lookups.get(index?)
    }

    pub(crate) fn sender(&self, kind: SenderKind) -> Option<&'a Sender> {
        self.report
            .senders
            .iter()
            .find(|sender| sender.kind == kind)
    }

    /// What each server said, asked directly: zone, server name, answer.
    pub(crate) fn answers(
        &self,
    ) -> impl Iterator<Item = (&'a ZoneServers, &'a str, &'a ServerAnswer)> + 'a {
        self.report.servers.iter().flat_map(|zone| {
            (zone.servers.iter()).flat_map(move |server| {
                let name = server.name.as_str();
                server
                    .answers
                    .iter()
                    .map(move |answer| (zone, name, answer))
            })
        })
    }

    /// Finished TLS sessions at a host that say something about it.
    pub(crate) fn met(&self, host: &'a Host) -> Vec<Met<'a>> {
        let mut met = Vec::new();
        for address in &host.addresses {
            for session in &address.sessions {
                let finished = matches!(session.state, SessionState::Met | SessionState::Refused);
                if session.inconclusive.is_some() || !finished {
                    continue;
                }
                let Some(leaf_key) = session.chain.first() else {
                    continue;
                };
                if let Some(leaf) = self.report.certificates.get(leaf_key) {
                    met.push(Met {
                        address,
                        session,
                        leaf_key,
                        leaf,
                    });
                }
            }
        }
        met
    }

    /// The plan of the DANE sender for a host.
    pub(crate) fn plan(&self, host: &Host) -> Option<&'a HostPlan> {
        let dane: &SenderSighting = self
            .sighting
            .senders
            .iter()
            .find(|sender| sender.kind == SenderKind::Dane)?;
        (dane.route.plans().iter()).find(|plan| plan.mx_host == host.mx_host)
    }

    /// What the DANE sender demands of a host by its TLSA records.
    pub(crate) fn requirement(&self, host: &Host) -> Option<&'a DaneRequirement> {
        match &self.plan(host)?.obligation {
            Obligation::Authenticate(requirements) => requirements.dane.as_ref(),
            Obligation::Skip(_)
            | Obligation::Cleartext
            | Obligation::Opportunistic
            | Obligation::Encrypt => None,
        }
    }

    /// The DER octets of a certificate of the report.
    pub(crate) fn der(&self, key: &str) -> Option<Vec<u8>> {
        let pem = &self.report.certificates.get(key)?.pem;
        let mut found = crate::publish::pem::certificates(pem.as_bytes()).ok()?;
        (!found.is_empty()).then(|| found.remove(0))
    }
}

/// Whether a host has a usable TLSA record in force.
pub(crate) fn has_dane(host: &Host) -> bool {
    usable(host).next().is_some()
}

/// The usable records in force.
pub(crate) fn usable(host: &Host) -> impl Iterator<Item = &Tlsa> {
    host.tlsa.iter().filter(|record| record.unusable.is_none())
}

/// Whether a host could have TLSA records that count: its addresses are secure.
pub(crate) fn is_signed(host: &Host) -> bool {
    host.address_security == crate::report::Security::Secure && !host.addresses.is_empty()
}

/// What a certificate is called: its common name, else its first name, else that it has none.
pub(crate) fn title(certificate: &Certificate) -> &str {
    let names = [certificate.subject.as_str()].into_iter();
    names
        .chain(certificate.names.iter().map(String::as_str))
        .find(|name| !name.is_empty())
        .unwrap_or("a certificate without a name")
}

/// A number of TLSA records in words.
pub(crate) fn counted(records: usize) -> String {
    match records {
        1 => "1 record".to_owned(),
        many => format!("{many} records"),
    }
}

/// The base domain of a host's records: the one in force, else the name in the MX record.
pub(crate) fn base(host: &Host) -> &str {
    host.tlsa_base_domain.as_deref().unwrap_or(&host.mx_host)
}

/// A line of a zone file with a TLSA record.
pub(crate) fn tlsa_line(base: &str, rdata: &str) -> String {
    format!("_25._tcp.{base}. 3600 IN TLSA {rdata}")
}

/// The recommended record for a certificate.
pub(crate) fn recommended(base: &str, leaf: &Certificate) -> String {
    tlsa_line(base, &format!("3 1 1 {}", leaf.spki_sha256))
}

/// The recommended records of all server certificates that a host presents.
pub(crate) fn recommended_all(view: &View<'_>, host: &Host) -> Vec<String> {
    let mut lines = Vec::new();
    for met in view.met(host) {
        let named = matches!(met.session.offer, Offer::Sender | Offer::Rsa | Offer::Ecdsa);
        let line = recommended(base(host), met.leaf);
        if named && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// A record of the report as the engine knows it; `None` when it is too short for its fields.
pub(crate) fn record(tlsa: &Tlsa) -> Option<TlsaRecord> {
    let association = octets(&tlsa.association)?;
    Some(TlsaRecord::new(
        tlsa.usage?,
        tlsa.selector?,
        tlsa.matching_type?,
        &association,
    ))
}

fn octets(hexadecimal: &str) -> Option<Vec<u8>> {
    if !hexadecimal.len().is_multiple_of(2) || !hexadecimal.is_ascii() {
        return None;
    }
    (0..hexadecimal.len() / 2)
        .map(|at| u8::from_str_radix(hexadecimal.get(2 * at..2 * at + 2)?, 16).ok())
        .collect()
}

/// The three fields of a record, and the beginning of its data.
pub(crate) fn short(tlsa: &Tlsa) -> String {
    let mut parts = tlsa.text.splitn(4, ' ');
    let fields: Vec<&str> = parts.by_ref().take(3).collect();
    let data: String = parts.next().unwrap_or("").chars().take(16).collect();
    match data.chars().count() {
        0 => fields.join(" "),
        16 => format!("{} {data}…", fields.join(" ")),
        _ => format!("{} {data}", fields.join(" ")),
    }
}

/// Usage, selector and matching type.
pub(crate) fn fields(tlsa: &Tlsa) -> (Option<u8>, Option<u8>, Option<u8>) {
    (tlsa.usage, tlsa.selector, tlsa.matching_type)
}

/// Whether a record is accepted somewhere.
pub(crate) fn accepted(tlsa: &Tlsa) -> bool {
    tlsa.wires.iter().any(|wire| wire.accepted)
}

/// Names joined by commas, at most ten of them.
pub(crate) fn list<'s>(names: impl IntoIterator<Item = &'s str>) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for name in names {
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    let further = kept.len().saturating_sub(10);
    kept.truncate(10);
    match further {
        0 => kept.join(", "),
        further => format!("{} and {further} more", kept.join(", ")),
    }
}
