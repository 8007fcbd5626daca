//! The course over the hosts of a plan, as far as it is the same for a delivery and for a forecast
//! of one: how many hosts and addresses may be contacted, what failed, and what is concluded when
//! nothing is left.

use super::config::Limits;
use elsinore_dane::ladder::{Conclusion, ConnectionFailure, exhausted};
use elsinore_dane::obligation::{Obligation, SkipReason};
use elsinore_dane::plan::HostPlan;

/// A failure of one host, for the verdict when none is left.
#[derive(Debug)]
pub(super) struct HostFailure {
    pub(super) obligation: Obligation,
    pub(super) failure: ConnectionFailure,
}

/// What is done about a host whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Its addresses are contacted.
    Contact,
    /// It is passed over.
    Skip(SkipReason),
    /// Enough hosts and addresses were contacted.
    Bound,
}

/// What has been done so far.
#[derive(Debug)]
pub(super) struct Course {
    limits: Limits,
    hosts: usize,
    addresses: usize,
    failures: Vec<HostFailure>,
}

impl Course {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            hosts: 0,
            addresses: 0,
            failures: Vec::new(),
        }
    }

    /// Begins with a host.
    pub(super) fn host(&mut self, plan: &HostPlan) -> Turn {
        if let Obligation::Skip(reason) = plan.obligation {
            self.failed(plan, ConnectionFailure::NotConnected);
            return Turn::Skip(reason);
        }
        if self.hosts >= self.limits.hosts || self.addresses >= self.limits.addresses {
            return Turn::Bound;
        }
        self.hosts += 1;
        Turn::Contact
    }

    /// Begins with an address; false when enough were contacted.
    pub(super) const fn address(&mut self) -> bool {
        if self.addresses >= self.limits.addresses {
            return false;
        }
        self.addresses += 1;
        true
    }

    /// Notes a failure of the host.
    pub(super) fn failed(&mut self, plan: &HostPlan, failure: ConnectionFailure) {
        self.failures.push(HostFailure {
            obligation: plan.obligation.clone(),
            failure,
        });
    }

    /// Every failure, in order.
    pub(super) fn failures(&self) -> &[HostFailure] {
        &self.failures
    }

    /// What follows when nothing is left to try.
    pub(super) fn conclusion(&self) -> Conclusion {
        let failures = self.failures.iter();
        exhausted(failures.map(|host| (&host.obligation, host.failure)))
    }

    /// Hosts and addresses contacted.
    pub(super) const fn contacted(&self) -> (usize, usize) {
        (self.hosts, self.addresses)
    }
}
