//! From a next hop to a plan: which questions to ask, and what their answers oblige to.
//!
//! [`Discovery`] performs no I/O. The caller puts the questions of [`Discovery::next_asks`],
//! all at once, and hands each answer to [`Discovery::handle_reply`] in whatever order they
//! come. Hosts are decided one by one, in order of trial: as soon as [`Discovery::host`] says
//! `Decided` for the first one, mail can be delivered to it while the others are still looked up.
//!
//! File size: the whole state machine in one place; what it decides by stands in `discovery/`.

mod address;
mod ask;
pub(crate) mod flaw;
mod host;
mod mx;
mod settings;
mod shuffle;
mod sts;
mod tlsa;
mod verdict;

pub use ask::{Ask, AskFreshness, AskId, Query, Reply};
#[cfg(feature = "flaws")]
pub use flaw::Flaw;
pub use settings::{DiscoveryPolicy, Families, MessageTls, StsUse};

use crate::answer::{Answer, Question, RecordType};
use crate::finding::Finding;
use crate::mta_sts::CachedPolicy;
use crate::name::DomainName;
use crate::next_hop::{NextHop, Target};
use crate::obligation::{Obligation, SkipReason};
use crate::plan::{HostPlan, HostSource, Refusal};
use crate::policy::{self, HostFacts, TlsaOutcome};
use crate::rule::Rule;
use crate::time::UnixTime;
use flaw::Flaws;
use host::{Host, HostName, Stage, Want};
use mx::MxOutcome;
use shuffle::Shuffle;
use sts::{Sts, StsAnswer};

/// Whether there are hosts to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// Not known yet.
    Undecided,
    /// There are hosts; ask [`Discovery::host`] for each.
    Hosts {
        /// How many, those to be skipped included.
        count: usize,
    },
    /// The message is returned.
    Bounce(&'a Refusal),
    /// The message waits: no host can be tried now.
    Defer(&'a Refusal),
}

/// What is known of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostState<'a> {
    /// Questions are still open.
    Undecided,
    /// The plan; its obligation may be to skip the host.
    Decided(&'a HostPlan),
}

/// The state machine.
#[derive(Debug, Clone)]
pub struct Discovery {
    next_hop: NextHop,
    policy: DiscoveryPolicy,
    port: u16,
    now: UnixTime,
    shuffle: Shuffle,
    flaws: Flaws,
    route: RouteState,
    hosts: Vec<Host>,
    expansion: Option<DomainName>,
    sts: Sts,
    purposes: Vec<Option<Purpose>>,
    outbox: Vec<Ask>,
    findings: Vec<Finding>,
}

#[derive(Debug, Clone)]
enum RouteState {
    Undecided,
    Hosts,
    Bounce(Refusal),
    Defer(Refusal),
}

/// What an outstanding question is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Mx,
    StsRecord,
    StsPolicy,
    Address(usize, RecordType),
    Tlsa(usize, usize),
}

impl Discovery {
    /// Starts the search. `sts_cached` is the stored policy of [`Discovery::policy_domain`], if
    /// any, whatever its age; `seed` shuffles hosts of equal preference.
    #[must_use]
    pub fn new(
        next_hop: NextHop,
        policy: DiscoveryPolicy,
        sts_cached: Option<CachedPolicy>,
        seed: u64,
        now: UnixTime,
    ) -> Self {
        Self::start(next_hop, policy, sts_cached, seed, now, Flaws::default())
    }

    /// An engine with one rule broken, to show that the property tests would notice.
    #[cfg(feature = "flaws")]
    #[must_use]
    pub fn broken(
        flaw: Flaw,
        next_hop: NextHop,
        policy: DiscoveryPolicy,
        sts_cached: Option<CachedPolicy>,
        seed: u64,
        now: UnixTime,
    ) -> Self {
        Self::start(
            next_hop,
            policy,
            sts_cached,
            seed,
            now,
            Flaws::planted(flaw),
        )
    }

    fn start(
        next_hop: NextHop,
        policy: DiscoveryPolicy,
        sts_cached: Option<CachedPolicy>,
        seed: u64,
        now: UnixTime,
        flaws: Flaws,
    ) -> Self {
        let port = next_hop.port.unwrap_or(policy.port);
        let domain = Self::policy_domain(&next_hop).filter(|_| policy.honours_sts());
        let sts = Sts::new(domain.cloned(), sts_cached, now);
        let mut discovery = Self {
            next_hop,
            policy,
            port,
            now,
            shuffle: Shuffle::new(seed),
            flaws,
            route: RouteState::Undecided,
            hosts: Vec::new(),
            expansion: None,
            sts,
            purposes: Vec::new(),
            outbox: Vec::new(),
            findings: Vec::new(),
        };
        discovery.first_questions();
        discovery
    }

    /// The domain whose MTA-STS policy counts (RFC 8461 §3.4): the next-hop domain, or the name
    /// of the smart host; `None` for address literals.
    #[must_use]
    pub const fn policy_domain(next_hop: &NextHop) -> Option<&DomainName> {
        match &next_hop.target {
            Target::Domain(name) | Target::Host(name) => Some(name),
            Target::Address(_) => None,
        }
    }

    /// The questions to put now, all at once; each is returned once. Questions about hosts of a
    /// worse preference are returned when all better hosts are decided, so a caller that
    /// delivers to the first host need not call again.
    pub fn next_asks(&mut self) -> Vec<Ask> {
        std::mem::take(&mut self.outbox)
    }

    /// Of the questions to put now, the fetch of an MTA-STS policy alone: a policy that is to be
    /// refreshed holds up no host, so a caller that needs no further host asks for it here.
    pub fn next_fetch(&mut self) -> Option<Ask> {
        let is_fetch = |ask: &Ask| matches!(ask.query, Query::StsPolicy { .. });
        let position = self.outbox.iter().position(is_fetch)?;
        Some(self.outbox.remove(position))
    }

    /// Takes the answer to an earlier [`Ask`]. Unknown and repeated numbers are ignored, and so
    /// is a reply of another kind than the question's.
    pub fn handle_reply(&mut self, id: AskId, reply: Reply, now: UnixTime) {
        let Some(slot) = self.purposes.get_mut(id.0) else {
            return;
        };
        self.now = now;
        let Some(purpose) = *slot else {
            return;
        };
        match (purpose, reply) {
            (Purpose::StsPolicy, Reply::StsPolicy(fetch)) => {
                *slot = None;
                self.sts.take_policy(fetch, now, &mut self.findings);
            }
            (Purpose::StsPolicy, Reply::Dns(_)) | (_, Reply::StsPolicy(_)) => return,
            (_, Reply::Dns(answer)) => {
                *slot = None;
                self.take_answer(purpose, answer);
            }
        }
        self.settle();
    }

    /// Whether there are hosts to try. `Hosts` can turn into `Bounce` or `Defer` when the last
    /// host is decided and every one is to be skipped.
    #[must_use]
    pub const fn route(&self) -> Route<'_> {
        match &self.route {
            RouteState::Undecided => Route::Undecided,
            RouteState::Hosts => Route::Hosts {
                count: self.hosts.len(),
            },
            RouteState::Bounce(refusal) => Route::Bounce(refusal),
            RouteState::Defer(refusal) => Route::Defer(refusal),
        }
    }

    /// What is known of the host at `index`, in order of trial. Hosts keep their plans when the
    /// route turns into a refusal.
    #[must_use]
    pub fn host(&self, index: usize) -> HostState<'_> {
        self.hosts
            .get(index)
            .and_then(|host| host.plan.as_ref())
            .map_or(HostState::Undecided, HostState::Decided)
    }

    /// The plans of all hosts that are decided, in order of trial.
    pub fn plans(&self) -> impl Iterator<Item = &HostPlan> {
        self.hosts.iter().filter_map(|host| host.plan.as_ref())
    }

    /// Whether nothing is left to ask or to decide.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match self.route {
            RouteState::Undecided => false,
            RouteState::Hosts => self.hosts.iter().all(|host| host.plan.is_some()),
            RouteState::Bounce(_) | RouteState::Defer(_) => true,
        }
    }

    /// What was noticed about the domain as a whole.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// A newly fetched policy, to be stored.
    #[must_use]
    pub const fn sts_update(&self) -> Option<&CachedPolicy> {
        self.sts.fetched()
    }

    /// The policy that applies: the fetched one, else an unexpired cached one.
    #[must_use]
    pub fn sts_policy(&self) -> Option<&CachedPolicy> {
        self.sts.current(self.now)
    }

    /// To be asked before the host at `index` is used: the finding that it is weaker than what a
    /// host of better preference promised, or might have promised had its TLSA lookup not failed
    /// (RFC 7672 §2.2.1 demands the order, this project demands that it be said).
    #[must_use]
    pub fn weaker_than_better(&self, index: usize) -> Option<Finding> {
        let host = self.hosts.get(index)?;
        let plan = host.plan.as_ref()?;
        let own = verdict::promised(&plan.obligation);
        let better = self
            .plans()
            .take_while(|other| other.mx_host != plan.mx_host)
            .find(|other| verdict::promised(&other.obligation) > own)?;
        Some(Finding::new(
            Rule::WeakerHostUsed,
            plan.mx_host.as_str(),
            format!(
                "{} instead of what {} was obliged to ({})",
                plan.obligation.word(),
                better.mx_host,
                verdict::words(&better.obligation),
            ),
        ))
    }

    fn ask(&mut self, purpose: Purpose, query: Query) {
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
    fn first_questions(&mut self) {
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

    fn take_answer(&mut self, purpose: Purpose, answer: Answer) {
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
    fn put(&mut self, index: usize, wants: Vec<Want>) {
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

    /// Draws every conclusion that the answers so far allow.
    fn settle(&mut self) {
        if !matches!(self.route, RouteState::Hosts) {
            return;
        }
        let mut begin = 0;
        while let Some(first) = self.hosts.get(begin) {
            let preference = first.preference;
            let length = self.hosts[begin..]
                .iter()
                .take_while(|host| host.preference == preference)
                .count();
            let group = begin..begin + length;
            for index in group.clone() {
                let mut wants = Vec::new();
                if let Some(host) = self.hosts.get_mut(index)
                    && host.plan.is_none()
                    && !host.is_self
                {
                    host.start(&self.policy, &mut wants);
                }
                self.put(index, wants);
            }
            if self.hosts[group.clone()].iter().any(|host| host.is_self) {
                self.drop_from(begin);
            } else if self.may_still_be_self(group.clone()) {
                self.consider_sts(group);
                return;
            } else {
                self.consider_sts(group.clone());
                for index in group.clone() {
                    self.decide(index);
                }
            }
            if self.hosts[group.clone()]
                .iter()
                .any(|host| host.plan.is_none())
            {
                return;
            }
            begin = group.end;
        }
        self.conclude();
    }

    /// Whether a host of the group could still turn out to be this relay: it has addresses of
    /// its own to compare with, and lookups are outstanding.
    fn may_still_be_self(&self, group: std::ops::Range<usize>) -> bool {
        !self.policy.own_addresses.is_empty()
            && self.hosts[group].iter().any(|host| {
                matches!(
                    host.stage,
                    Stage::Waiting | Stage::Addresses | Stage::AddressesAgain
                )
            })
    }

    /// RFC 5321 §5.1: this preference and all worse ones are dropped.
    fn drop_from(&mut self, begin: usize) {
        let own = self.hosts[begin..].iter().find(|host| host.is_self);
        if let Some(own) = own.map(Host::text) {
            let findings = &mut self.findings;
            if !findings.iter().any(|f| f.rule == Rule::OwnHost) {
                findings.push(Finding::new(Rule::OwnHost, own, "this host itself"));
            }
        }
        for index in begin..self.hosts.len() {
            if let Some(host) = self.hosts.get_mut(index) {
                host.skip = Some(SkipReason::Loop);
                host.stage = Stage::Resolved;
                host.outcome = TlsaOutcome::Absent;
            }
            self.decide(index);
        }
    }

    /// Fetches the policy as soon as one host turns out to need it (RFC 8461 §5.1).
    fn consider_sts(&mut self, group: std::ops::Range<usize>) {
        let needs_it = self.hosts[group].iter().any(|host| {
            host.skip.is_none()
                && match host.stage {
                    // Nothing that TLSA can say makes DANE decide alone here.
                    Stage::Waiting | Stage::Addresses | Stage::AddressesAgain | Stage::Tlsa => {
                        self.policy.sts_bears_on(host.source, &TlsaOutcome::Absent)
                            && !(host.source.is_trusted() && host.dns_name().is_some())
                    }
                    Stage::Resolved => self.policy.sts_bears_on(host.source, &host.outcome),
                }
        });
        if needs_it && let Some((domain, id)) = self.sts.want_policy(self.now) {
            self.ask(Purpose::StsPolicy, Query::StsPolicy { domain, id });
        }
    }

    /// Decides one host, if everything that bears on it is known.
    fn decide(&mut self, index: usize) {
        let Some(host) = self.hosts.get_mut(index) else {
            return;
        };
        if host.plan.is_some() || host.stage != Stage::Resolved {
            return;
        }
        let bears = self.policy.sts_bears_on(host.source, &host.outcome);
        if host.skip.is_none() && bears && !self.sts.is_settled(self.now) {
            return;
        }
        let tlsa = std::mem::replace(&mut host.outcome, TlsaOutcome::Absent);
        let next_hop = match &self.next_hop.target {
            Target::Domain(name) | Target::Host(name) => Some(name),
            Target::Address(_) => None,
        };
        let sts = if host.skip.is_none() {
            self.sts.current(self.now)
        } else {
            None
        };
        let facts = HostFacts {
            name: host.dns_name(),
            source: host.source,
            next_hop,
            next_hop_expansion: self.expansion.as_ref(),
            tlsa,
            sts: sts.map(|cached| &cached.policy),
        };
        let decision = policy::decide_with(facts, &self.policy, self.flaws);
        let obligation = match host.skip {
            Some(reason) => Obligation::Skip(reason),
            None => decision.obligation,
        };
        let mut findings = std::mem::take(&mut host.findings);
        findings.extend(decision.findings);
        let is_skipped = matches!(obligation, Obligation::Skip(_));
        host.plan = Some(HostPlan {
            //= spec: 7672-2.2.1-5
            mx_host: host.text(),
            preference: host.preference,
            source: host.source,
            secure_expansion: host.secure_expansion.take(),
            addresses: if is_skipped {
                Vec::new()
            } else {
                std::mem::take(&mut host.addresses)
            },
            port: host.port,
            obligation,
            min_tls: decision.min_tls,
            sni: decision.sni,
            sts: decision.sts,
            findings,
        });
    }

    /// Every host is decided: if none can be tried, the route is a refusal.
    fn conclude(&mut self) {
        let skipped: Option<Vec<(String, SkipReason)>> = self
            .plans()
            .map(|plan| match &plan.obligation {
                Obligation::Skip(reason) => Some((plan.mx_host.clone(), *reason)),
                Obligation::Cleartext
                | Obligation::Opportunistic
                | Obligation::Encrypt
                | Obligation::Authenticate(_) => None,
            })
            .collect();
        let Some(skipped) = skipped else {
            return;
        };
        //= spec: 7672-2.1.2-6
        let refusal = verdict::refusal(&skipped);
        self.route = if refusal.code.class == 5 {
            RouteState::Bounce(refusal)
        } else {
            RouteState::Defer(refusal)
        };
    }
}

/// The address that stands where a name belongs.
fn literal(name: &DomainName) -> Option<std::net::IpAddr> {
    let text = name.as_str();
    let is_candidate = text
        .bytes()
        .all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':'));
    is_candidate.then(|| text.parse().ok()).flatten()
}
