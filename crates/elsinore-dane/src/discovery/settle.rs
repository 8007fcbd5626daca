//! What the answers so far allow to conclude: which hosts are this relay itself, when the MTA-STS
//! policy is needed, the plan of each host, and the verdict when none can be tried.

use super::ask::Query;
use super::host::{Host, Stage};
use super::settings::LookAhead;
use super::{Discovery, Purpose, RouteState, verdict};
use crate::finding::Finding;
use crate::next_hop::Target;
use crate::obligation::{Obligation, SkipReason};
use crate::plan::HostPlan;
use crate::policy::{self, HostFacts, TlsaOutcome};
use crate::rule::Rule;

impl Discovery {
    /// Draws every conclusion that the answers so far allow.
    pub(super) fn settle(&mut self) {
        if !matches!(self.route, RouteState::Hosts) {
            return;
        }
        let mut all_decided = true;
        let decides_ahead = self.decides_ahead();
        if self.policy.look_ahead == LookAhead::AllHosts {
            self.begin(0..self.hosts.len());
            self.consider_sts(0..self.hosts.len());
        }
        let mut begin = 0;
        while let Some(first) = self.hosts.get(begin) {
            let preference = first.preference;
            let length = self.hosts[begin..]
                .iter()
                .take_while(|host| host.preference == preference)
                .count();
            let group = begin..begin + length;
            self.begin(group.clone());
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
                if !decides_ahead {
                    return;
                }
                all_decided = false;
            }
            begin = group.end;
        }
        if all_decided {
            self.conclude();
        }
    }

    /// Whether a host can be decided before those of better preference: nobody needs to know yet
    /// whether one of them is this relay itself.
    fn decides_ahead(&self) -> bool {
        self.policy.look_ahead == LookAhead::AllHosts
            && self.policy.own_names.is_empty()
            && self.policy.own_addresses.is_empty()
    }

    /// Puts the first questions about these hosts, where that has not been done.
    fn begin(&mut self, hosts: std::ops::Range<usize>) {
        for index in hosts {
            let mut wants = Vec::new();
            if let Some(host) = self.hosts.get_mut(index)
                && host.plan.is_none()
                && !host.is_self
            {
                host.start(&self.policy, &mut wants);
            }
            self.put(index, wants);
        }
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
