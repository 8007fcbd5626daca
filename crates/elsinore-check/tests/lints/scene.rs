//! A domain in good order, to be broken in one place at a time.

use elsinore_check::lint::{self, Lint};
use elsinore_check::report::{
    AnswerKind, Finding, Host, Lookup, NameServer, Report, Security, ServerAnswer, Session,
    SessionState, Tlsa, Wire,
};
use elsinore_check::sighting::{Sighting, StsSighting};
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_net::doctor::triage::Blame;

/// What was seen, and the report made of it.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) sighting: Sighting,
    pub(crate) report: Report,
}

/// `example.org`: four hosts, DANE and an enforced MTA-STS policy, all in order.
pub(crate) fn quiet() -> Scene {
    let text = include_str!("../samples/protected.json");
    let mut report: Report = serde_json::from_str(text).unwrap();
    report.findings = Vec::new();
    let sighting = Sighting {
        domain: DomainName::parse("example.org").unwrap(),
        began: UnixTime(report.began_at),
        elapsed_ms: 0,
        senders: Vec::new(),
        hosts: Vec::new(),
        lookups: Vec::new(),
        zones: Vec::new(),
        servers: Vec::new(),
        sts: StsSighting::default(),
        overrides: Vec::new(),
        blame: Blame::Theirs(DomainName::parse("good.example").unwrap()),
        replayed: false,
        measured: elsinore_check::report::Measured::default(),
    };
    Scene { sighting, report }
}

impl Scene {
    pub(crate) fn findings(&self) -> Vec<Finding> {
        lint::run(&self.sighting, &self.report)
    }

    pub(crate) fn host(&mut self, index: usize) -> &mut Host {
        &mut self.report.hosts[index]
    }

    pub(crate) fn lookup(&mut self, name: &str, record_type: &str) -> &mut Lookup {
        let mut lookups = self.report.lookups.iter_mut();
        lookups
            .find(|one| one.name == name && one.record_type == record_type)
            .unwrap()
    }

    /// The TLSA lookup of the first host.
    pub(crate) fn tlsa_lookup(&mut self) -> &mut Lookup {
        self.lookup("_25._tcp.mx1.example.org", "TLSA")
    }

    pub(crate) fn zone(&mut self, apex: &str) -> &mut elsinore_check::report::Zone {
        let mut zones = self.report.zones.iter_mut();
        zones.find(|zone| zone.apex == apex).unwrap()
    }

    pub(crate) fn server(&mut self, index: usize) -> &mut NameServer {
        &mut self.report.servers[0].servers[index]
    }

    /// Makes both servers answer a question with `records` under `results`.
    pub(crate) fn ask(&mut self, name: &str, record_type: &str, results: [&str; 2]) {
        for (index, result) in results.into_iter().enumerate() {
            let records = match (result, record_type) {
                ("NOERROR", "A") => Vec::new(),
                ("NOERROR", _) => vec!["record".to_owned()],
                _ => Vec::new(),
            };
            self.server(index).answers.push(ServerAnswer {
                address: format!("198.51.100.{}", index + 1),
                name: name.to_owned(),
                record_type: record_type.to_owned(),
                result: result.to_owned(),
                authoritative: true,
                records,
                octets: Some(300),
                tcp: None,
                differs: None,
                elapsed_ms: 1,
            });
        }
    }

    /// Keeps only the first host, so that findings are about it.
    pub(crate) fn alone(&mut self) {
        self.report.hosts.truncate(1);
        for sender in &mut self.report.senders {
            sender.hosts.truncate(1);
        }
    }

    /// Every session of one address.
    pub(crate) fn sessions(&mut self, host: usize, address: usize) -> &mut Vec<Session> {
        &mut self.report.hosts[host].addresses[address].sessions
    }

    /// The server is refused in every session at one address, and no record matches there.
    pub(crate) fn refuse(&mut self, host: usize, address: usize) {
        let name = self.report.hosts[host].addresses[address].address.clone();
        for session in self.sessions(host, address) {
            session.state = SessionState::Refused;
            session.matched = None;
        }
        for record in &mut self.report.hosts[host].tlsa {
            record.wires.retain(|wire: &Wire| wire.address != name);
        }
    }

    /// A usable record of the first host that matches nothing.
    pub(crate) fn record(
        &mut self,
        usage: u8,
        selector: u8,
        matching: u8,
        data: &str,
    ) -> &mut Tlsa {
        let model = self.host(0).tlsa.last().unwrap().clone();
        let record = Tlsa {
            text: format!("{usage} {selector} {matching} {data}"),
            usage: Some(usage),
            selector: Some(selector),
            matching_type: Some(matching),
            association: data.to_owned(),
            wires: Vec::new(),
            label: elsinore_check::report::TlsaLabel::Next,
            ..model
        };
        self.host(0).tlsa.push(record);
        self.host(0).tlsa.last_mut().unwrap()
    }

    pub(crate) fn certificate(&mut self, key: &str) -> &mut elsinore_check::report::Certificate {
        self.report.certificates.get_mut(key).unwrap()
    }

    /// The key of the certificate that the first host presents to the sender.
    pub(crate) fn leaf(&self) -> String {
        self.report.hosts[0].addresses[0].sessions[0].chain[0].clone()
    }
}

/// Makes a lookup fail.
pub(crate) fn fail(lookup: &mut Lookup, security: Security) {
    lookup.kind = AnswerKind::Failed;
    lookup.security = security;
    lookup.reason = Some("SERVFAIL".to_owned());
    lookup.records = Vec::new();
    lookup.evidence = Vec::new();
}

/// A row: the lint, what triggers it, and what is like that and must not.
pub(crate) type Row = (&'static Lint, fn(&mut Scene), fn(&mut Scene));

/// Holds every row to its word.
pub(crate) fn hold(rows: &[Row]) {
    for (lint, trigger, neighbour) in rows {
        let id = lint.id;
        let mut scene = quiet();
        trigger(&mut scene);
        let findings = scene.findings();
        let found: Vec<&Finding> = findings.iter().filter(|one| one.id == id).collect();
        let ids: Vec<&str> = findings.iter().map(|one| one.id.as_str()).collect();
        assert!(!found.is_empty(), "{id} does not fire; there are {ids:?}");
        for one in found {
            assert!(
                !one.subject.is_empty() && !one.evidence.is_empty(),
                "{one:?}"
            );
            assert!(one.advice.is_some(), "{one:?}");
        }
        let mut scene = quiet();
        neighbour(&mut scene);
        let findings = scene.findings();
        let found: Vec<&Finding> = findings.iter().filter(|one| one.id == id).collect();
        assert!(found.is_empty(), "{id} fires for its neighbour: {found:?}");
    }
}
