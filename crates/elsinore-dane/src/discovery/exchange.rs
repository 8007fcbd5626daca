//! Questions out and answers in: what is asked first, what each answer is for, and what a host
//! wants to know next.

use super::ask::{Ask, AskFreshness, AskId, Query};
use super::host::{Host, HostName, Want};
use super::mx::{self, MxOutcome};
use super::sts::StsAnswer;
use super::{Discovery, Purpose, RouteState, verdict};
use crate::answer::{Answer, Question, RecordType};
use crate::finding::Finding;
use crate::name::DomainName;
use crate::next_hop::Target;
use crate::plan::HostSource;
use crate::rule::Rule;
use std::net::IpAddr;

impl Discovery {
    pub(super) fn ask(&mut self, purpose: Purpose, query: Query) {
        let id = AskId(self.purposes.len());
        self.purposes.push(Some(purpose));
        self.outbox.push(Ask { id, query });
    }

    fn ask_dns(&mut self, purpose: Purpose, question: Question, freshness: AskFreshness) {
        self.ask(
            purpose,
            Query::Dns {
                question,
                freshness,
            },
        );
    }

    /// The MX and `_mta-sts` questions do not depend on each other and are put together.
    pub(super) fn first_questions(&mut self) {
        match self.next_hop.target.clone() {
            Target::Domain(domain) => {
                let question = Question::new(domain, RecordType::Mx);
                self.ask_dns(Purpose::Mx, question, AskFreshness::Cached);
            }
            Target::Host(name) => {
                self.set_hosts(HostSource::Configured, [(None, HostName::Name(name))])
            }
            Target::Address(address) => {
                self.set_hosts(HostSource::Configured, [(None, HostName::Literal(address))])
            }
        }
        if let Some(name) = self.sts.record_name() {
            let question = Question::new(name, RecordType::Txt);
            self.ask_dns(Purpose::StsRecord, question, self.policy.sts_freshness);
        }
        self.settle();
    }

    pub(super) fn take_answer(&mut self, purpose: Purpose, answer: Answer) {
        let mut wants = Vec::new();
        let index = match purpose {
            Purpose::Mx => {
                self.take_mx(&answer);
                return;
            }
            Purpose::StsRecord => {
                if self
                    .sts
                    .take_record(&answer, self.now, &mut self.findings, self.flaws)
                    == StsAnswer::Broken
                {
                    self.route = RouteState::Defer(verdict::sts_broken());
                }
                return;
            }
            Purpose::StsPolicy => return,
            Purpose::Address(index, record_type) => {
                if let Some(host) = self.hosts.get_mut(index) {
                    host.take_address(record_type, &answer, &self.policy, self.flaws, &mut wants);
                }
                index
            }
            Purpose::Tlsa(index, candidate) => {
                if let Some(host) = self.hosts.get_mut(index) {
                    host.take_tlsa(candidate, answer, self.flaws, &mut wants);
                }
                index
            }
        };
        self.put(index, wants);
    }

    fn take_mx(&mut self, answer: &Answer) {
        let Target::Domain(domain) = self.next_hop.target.clone() else {
            return;
        };
        let outcome = mx::judge(
            &domain,
            answer,
            &mut self.shuffle,
            &mut self.findings,
            self.flaws,
        );
        match outcome {
            MxOutcome::Bounce(refusal) => self.route = RouteState::Bounce(refusal),
            MxOutcome::Defer(refusal) => self.route = RouteState::Defer(refusal),
            MxOutcome::Implicit { source } => {
                self.set_hosts(source, [(None, HostName::Name(domain))]);
            }
            MxOutcome::Hosts {
                source,
                hosts,
                expansion,
            } => {
                self.expansion = expansion;
                for (_, name) in &hosts {
                    if literal(name).is_some() {
                        let subject = name.as_str();
                        self.findings.push(Finding::new(
                            Rule::MxIsAddress,
                            subject,
                            "an MX record must name a host",
                        ));
                    }
                }
                let hosts = hosts.into_iter().map(|(preference, name)| {
                    let name = literal(&name).map_or(HostName::Name(name), HostName::Literal);
                    (Some(preference), name)
                });
                self.set_hosts(source, hosts);
            }
        }
    }

    //= spec: 7672-2.2.1-7
    fn set_hosts(
        &mut self,
        source: HostSource,
        hosts: impl IntoIterator<Item = (Option<u16>, HostName)>,
    ) {
        for (preference, name) in hosts {
            let mut host = Host::new(name, preference, source, self.port);
            host.is_self = source != HostSource::Configured
                && host
                    .dns_name()
                    .is_some_and(|name| self.policy.own_names.contains(name));
            self.hosts.push(host);
        }
        self.route = RouteState::Hosts;
    }

    /// Turns what a host wants into questions.
    pub(super) fn put(&mut self, index: usize, wants: Vec<Want>) {
        let mut wants = wants;
        // A name that is too long is answered on the spot, which may lead to another want; a
        // host has at most four candidates, and each is answered once.
        while let Some(want) = wants.pop() {
            let Some(host) = self.hosts.get_mut(index) else {
                return;
            };
            let Some(name) = host.dns_name().cloned() else {
                return;
            };
            let freshness = match want {
                Want::Addresses => AskFreshness::Cached,
                Want::AddressesAgain => AskFreshness::Fresh,
                Want::Tlsa(candidate) => {
                    //= spec: 7672-2.2.3-1
                    let prefix = format!("_{}._tcp", self.port);
                    let asked = host.tlsa_base(candidate).map(|base| base.prefixed(&prefix));
                    match asked {
                        Some(Ok(tlsa_name)) => {
                            let question = Question::new(tlsa_name, RecordType::Tlsa);
                            let purpose = Purpose::Tlsa(index, candidate);
                            self.ask_dns(purpose, question, AskFreshness::Cached);
                        }
                        Some(Err(_)) => {
                            host.tlsa_name_too_long(candidate, self.flaws, &mut wants);
                        }
                        None => {}
                    }
                    continue;
                }
            };
            for record_type in [RecordType::A, RecordType::Aaaa] {
                let question = Question::new(name.clone(), record_type);
                self.ask_dns(Purpose::Address(index, record_type), question, freshness);
            }
        }
    }
}

/// The address that stands where a name belongs.
fn literal(name: &DomainName) -> Option<IpAddr> {
    let text = name.as_str();
    let is_candidate = text
        .bytes()
        .all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':'));
    is_candidate.then(|| text.parse().ok()).flatten()
}
