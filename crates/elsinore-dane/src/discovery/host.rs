//! One host: its addresses, its TLSA search, its plan. Hosts know nothing of each other.

use super::address::{Family, interleave};
use super::flaw::{Flaw, Flaws};
use super::tlsa::{self, Search, SearchStep};
use super::{DiscoveryPolicy, Families};
use crate::answer::{Answer, RecordType};
use crate::finding::Finding;
use crate::name::DomainName;
use crate::obligation::SkipReason;
use crate::plan::{HostPlan, HostSource};
use crate::policy::TlsaOutcome;
use crate::rule::Rule;
use std::net::{IpAddr, SocketAddr};

/// A host as it is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostName {
    /// A name to be looked up.
    Name(DomainName),
    /// An address literal, or an MX record that holds an address.
    Literal(IpAddr),
}

/// A question that a host wants put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Want {
    /// Both address families, from the cache.
    Addresses,
    /// Both address families, from the servers.
    AddressesAgain,
    /// The TLSA records of one candidate.
    Tlsa(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing was asked yet.
    Waiting,
    /// A and AAAA are outstanding, for the first time.
    Addresses,
    /// A and AAAA are outstanding, asked again because they disagreed.
    AddressesAgain,
    /// The addresses are known; TLSA is outstanding.
    Tlsa,
    /// All lookups are done.
    Resolved,
}

#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) name: HostName,
    pub(super) preference: Option<u16>,
    pub(super) source: HostSource,
    pub(super) port: u16,
    pub(super) stage: Stage,
    pub(super) is_self: bool,
    pub(super) skip: Option<SkipReason>,
    pub(super) outcome: TlsaOutcome,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) secure_expansion: Option<DomainName>,
    pub(super) findings: Vec<Finding>,
    pub(super) plan: Option<HostPlan>,
    v4: Family,
    v6: Family,
    outstanding: u8,
    search: Search,
    /// For each order of the search, the addresses it was made for.
    searched_for: Vec<AddressFamily>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AddressFamily {
    V4,
    V6,
    Both,
}

impl Host {
    pub(super) fn new(
        name: HostName,
        preference: Option<u16>,
        source: HostSource,
        port: u16,
    ) -> Self {
        Self {
            name,
            preference,
            source,
            port,
            stage: Stage::Waiting,
            is_self: false,
            skip: None,
            outcome: TlsaOutcome::Absent,
            addresses: Vec::new(),
            secure_expansion: None,
            findings: Vec::new(),
            plan: None,
            v4: Family::Pending,
            v6: Family::Pending,
            outstanding: 0,
            search: Search::default(),
            searched_for: Vec::new(),
        }
    }

    pub(super) const fn dns_name(&self) -> Option<&DomainName> {
        match &self.name {
            HostName::Name(name) => Some(name),
            HostName::Literal(_) => None,
        }
    }

    pub(super) fn tlsa_base(&self, index: usize) -> Option<&DomainName> {
        self.search.base(index)
    }

    pub(super) fn text(&self) -> String {
        match &self.name {
            HostName::Name(name) => name.as_str().to_owned(),
            HostName::Literal(address) => address.to_string(),
        }
    }

    fn note(&mut self, rule: Rule, evidence: impl Into<String>) {
        let subject = self.text();
        self.findings.push(Finding::new(rule, subject, evidence));
    }

    /// Begins: addresses first (RFC 7672 §2.2.2).
    pub(super) fn start(&mut self, policy: &DiscoveryPolicy, wants: &mut Vec<Want>) {
        if self.stage != Stage::Waiting {
            return;
        }
        match self.name {
            //= spec: 7672-2.2.2-1
            HostName::Name(_) => {
                self.stage = Stage::Addresses;
                self.outstanding = 2;
                wants.push(Want::Addresses);
            }
            //= spec: 7672-2.2-8
            //= spec: 7672-2.2-9
            HostName::Literal(address) => {
                self.stage = Stage::Resolved;
                self.is_self = self.is_own(address, policy);
                self.keep_permitted(&[address], policy);
                self.note(Rule::AddressLiteral, "no name, hence no TLSA records");
            }
        }
    }

    pub(super) fn take_address(
        &mut self,
        record_type: RecordType,
        answer: &Answer,
        policy: &DiscoveryPolicy,
        flaws: Flaws,
        wants: &mut Vec<Want>,
    ) {
        let judged = Family::judge(answer, flaws);
        match record_type {
            RecordType::Aaaa => self.v6.renew(judged),
            _ => self.v4.renew(judged),
        }
        self.outstanding = self.outstanding.saturating_sub(1);
        if self.outstanding == 0 {
            self.addresses_known(policy, flaws, wants);
        }
    }

    fn addresses_known(&mut self, policy: &DiscoveryPolicy, flaws: Flaws, wants: &mut Vec<Want>) {
        let HostName::Name(name) = self.name.clone() else {
            return;
        };
        let v4 = self.v4.seen().map(|seen| seen.candidates(&name, flaws));
        let v6 = self.v6.seen().map(|seen| seen.candidates(&name, flaws));
        let disagree = v4.is_some() && v6.is_some() && v4 != v6;
        let ignores_it = flaws.has(Flaw::FirstFamilyDecides);
        // Whatever differs without changing a candidate can change nothing else either, so
        // unsigned zones that answer A and AAAA by different aliases are not asked again.
        if disagree && self.stage == Stage::Addresses && !ignores_it {
            self.stage = Stage::AddressesAgain;
            self.outstanding = 2;
            self.note(Rule::AddressFamiliesDisagree, "asked again");
            wants.push(Want::AddressesAgain);
            return;
        }
        if !self.judge_addresses(policy, flaws) {
            self.stage = Stage::Resolved;
            return;
        }
        let mut orders = Vec::with_capacity(2);
        self.searched_for.clear();
        match (v4, v6) {
            (Some(v4), Some(_)) if ignores_it => {
                orders.push(v4);
                self.searched_for.push(AddressFamily::Both);
            }
            (Some(v4), Some(v6)) if disagree => {
                self.note(Rule::AddressFamiliesDisagree, "both are searched for TLSA");
                orders.extend([v4, v6]);
                self.searched_for
                    .extend([AddressFamily::V4, AddressFamily::V6]);
            }
            (Some(order), _) | (None, Some(order)) => {
                orders.push(order);
                self.searched_for.push(AddressFamily::Both);
            }
            (None, None) => {}
        }
        self.note_search(&orders, policy, &name);
        self.stage = Stage::Tlsa;
        //= spec: 7672-2.1.2-3
        //= spec: 7672-2.2.1-7
        if policy.seeks_tlsa(self.source) {
            self.search = Search::new(orders);
        }
        self.advance_search(flaws, wants);
    }

    /// Whether there is an address to talk to; otherwise the reason to skip is set.
    fn judge_addresses(&mut self, policy: &DiscoveryPolicy, flaws: Flaws) -> bool {
        let mut has_failure = false;
        for (family, word) in [(&self.v4, "A"), (&self.v6, "AAAA")] {
            let (rule, reason) = match family {
                Family::Failed(reason) => (Rule::AddressLookupFailed, reason),
                Family::Unjudged(reason) => (Rule::ZoneStatusUnknown, reason),
                Family::Pending | Family::Seen(_) => continue,
            };
            let finding = Finding::new(rule, self.text(), format!("{word}: {reason}"));
            if rule == Rule::ZoneStatusUnknown {
                self.skip = Some(SkipReason::ZoneStatusUnknown);
            }
            has_failure = true;
            self.findings.push(finding);
        }
        if self.skip.is_some() {
            return false;
        }
        let of = |family: &Family| -> Vec<IpAddr> {
            family
                .seen()
                .map(|seen| seen.addresses.clone())
                .unwrap_or_default()
        };
        let all = interleave(&of(&self.v6), &of(&self.v4));
        //= spec: 7672-2.1.2-2
        //= spec: 7672-2.2.2-3
        //= spec: 7672-2.2.2-7
        let fails_as_one = flaws.has(Flaw::FamiliesShareTheirFate) && has_failure;
        if all.is_empty() || fails_as_one {
            let is_absence = !has_failure || flaws.has(Flaw::AddressFailureIsAbsence);
            self.skip = Some(if is_absence {
                self.note(Rule::NoAddress, "neither A nor AAAA records");
                SkipReason::NoAddress
            } else {
                SkipReason::AddressLookupFailed
            });
            return false;
        }
        self.is_self = all.iter().any(|address| self.is_own(*address, policy));
        self.keep_permitted(&all, policy);
        self.skip.is_none()
    }

    fn is_own(&self, address: IpAddr, policy: &DiscoveryPolicy) -> bool {
        policy
            .own_addresses
            .contains(&SocketAddr::new(address, self.port))
    }

    fn keep_permitted(&mut self, all: &[IpAddr], policy: &DiscoveryPolicy) {
        for address in all {
            let is_usable = match policy.families {
                Families::Both => true,
                Families::Ipv4 => address.is_ipv4(),
                Families::Ipv6 => address.is_ipv6(),
            };
            if !is_usable {
                continue;
            }
            match policy.networks.refusal(*address) {
                None => self.addresses.push(*address),
                Some(reason) => self.note(Rule::AddressRefused, format!("{address}: {reason}")),
            }
        }
        if self.addresses.is_empty() {
            self.skip = Some(SkipReason::AddressesRefused);
        }
    }

    /// Says which base domains are searched, and why (RFC 7672 §2.2.2).
    fn note_search(
        &mut self,
        orders: &[Vec<DomainName>],
        policy: &DiscoveryPolicy,
        name: &DomainName,
    ) {
        let seen = self.v4.seen().or_else(|| self.v6.seen());
        let secure = [&self.v4, &self.v6]
            .into_iter()
            .filter_map(|family| family.seen())
            .find(|seen| seen.is_whole_secure);
        self.secure_expansion = secure.and_then(|seen| seen.expansion.clone());
        let Some(seen) = seen else {
            return;
        };
        if let Some(expansion) = &seen.expansion {
            let evidence = format!("stands for {expansion}");
            self.note(Rule::MxHostAlias, evidence);
        }
        if !policy.seeks_tlsa(self.source) {
            return;
        }
        let (rule, evidence) = match orders.first().map(Vec::as_slice) {
            None | Some([]) => {
                let reason = seen_reason(&self.v4, &self.v6);
                (Rule::TlsaNotAsked, reason)
            }
            Some([only]) if self.secure_expansion.is_none() && is_alias(&self.v4, &self.v6) => (
                Rule::BaseOriginalOnly,
                format!("{only}: the alias is secure, what it leads to is not"),
            ),
            Some([_]) => return,
            Some([expanded, ..]) => (
                Rule::BaseExpandedFirst,
                format!("{expanded}, then {name}: the whole alias chain is secure"),
            ),
        };
        self.note(rule, evidence);
    }

    pub(super) fn take_tlsa(
        &mut self,
        index: usize,
        answer: Answer,
        flaws: Flaws,
        wants: &mut Vec<Want>,
    ) {
        let Some(base) = self.search.base(index).cloned() else {
            return;
        };
        let outcome = tlsa::judge(&base, answer, &mut self.findings, flaws);
        self.search.answered(index, outcome);
        self.advance_search(flaws, wants);
    }

    /// The name under which TLSA records would stand exceeds 255 octets: there are none.
    pub(super) fn tlsa_name_too_long(&mut self, index: usize, flaws: Flaws, wants: &mut Vec<Want>) {
        self.note(
            Rule::TlsaNameTooLong,
            "no room for the port and protocol labels",
        );
        self.search.answered(index, TlsaOutcome::Absent);
        self.advance_search(flaws, wants);
    }

    fn advance_search(&mut self, flaws: Flaws, wants: &mut Vec<Want>) {
        match self.search.step(flaws) {
            SearchStep::Ask(indices) => wants.extend(indices.into_iter().map(Want::Tlsa)),
            SearchStep::Wait => {}
            SearchStep::Done(outcomes) => {
                self.outcome = self.combine(outcomes);
                self.stage = Stage::Resolved;
            }
        }
    }

    /// One outcome for the host. Where the families led to different candidates, a failure of
    /// either skips the host and the stronger result binds every address; where both found
    /// usable records at different names, only the family whose records are kept is used.
    fn combine(&mut self, outcomes: Vec<TlsaOutcome>) -> TlsaOutcome {
        let mut pairs: Vec<(AddressFamily, TlsaOutcome)> =
            self.searched_for.iter().copied().zip(outcomes).collect();
        if pairs.len() < 2 {
            return pairs.pop().map_or(TlsaOutcome::Absent, |(_, only)| only);
        }
        let mut strongest = TlsaOutcome::Absent;
        for (family, outcome) in pairs {
            match (&strongest, &outcome) {
                (TlsaOutcome::Failed, _) => {}
                (
                    TlsaOutcome::Usable { base: kept, .. },
                    TlsaOutcome::Usable { base: other, .. },
                ) if kept != other => self.drop_family(family),
                (TlsaOutcome::Usable { .. }, TlsaOutcome::Usable { .. }) => {}
                (held, new) if rank(new) > rank(held) => strongest = outcome,
                _ => {}
            }
        }
        strongest
    }

    fn drop_family(&mut self, family: AddressFamily) {
        let is_kept = |address: &IpAddr| match family {
            AddressFamily::V4 => address.is_ipv6(),
            AddressFamily::V6 => address.is_ipv4(),
            AddressFamily::Both => true,
        };
        if self.addresses.iter().any(is_kept) {
            self.addresses.retain(is_kept);
        } else {
            // The records that are kept belong to a family without a usable address.
            self.skip = Some(SkipReason::AddressesRefused);
        }
        self.note(
            Rule::AddressFamiliesDisagree,
            "each leads to usable TLSA records of its own; one family is used",
        );
    }
}

/// A failure outranks everything: it could have been anything.
const fn rank(outcome: &TlsaOutcome) -> u8 {
    match outcome {
        TlsaOutcome::Absent => 0,
        TlsaOutcome::Unusable { .. } => 1,
        TlsaOutcome::Usable { .. } => 2,
        TlsaOutcome::Failed => 3,
    }
}

fn is_alias(v4: &Family, v6: &Family) -> bool {
    [v4, v6]
        .into_iter()
        .filter_map(Family::seen)
        .any(|seen| seen.expansion.is_some())
}

fn seen_reason(v4: &Family, v6: &Family) -> String {
    [v4, v6]
        .into_iter()
        .filter_map(Family::seen)
        .map(|seen| seen.reason.clone())
        .next()
        .unwrap_or_default()
}
