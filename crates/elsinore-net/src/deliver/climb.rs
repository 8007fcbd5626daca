//! The way down the ladder at one address, each rung on a new connection: which rung and which
//! server name come next after what a session came to. It connects to nobody; a delivery and a
//! probe walk the same way.

use super::evidence;
use crate::session::SessionResult;
use elsinore_dane::ladder::{ConnectionFailure, LegacyRung, NextStep, Rung, first_rung, next_step};
use elsinore_dane::obligation::Obligation;
use elsinore_dane::plan::HostPlan;
use std::borrow::Cow;

/// Where the climb at one address stands.
#[derive(Debug)]
pub(super) struct Climb<'a> {
    plan: Cow<'a, HostPlan>,
    rung: Rung,
    /// Beginning below the first rung is a guess from an earlier session; where it fails, the
    /// ladder is climbed down from its top once, whoever taught us otherwise.
    guessed: bool,
}

/// What follows a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The server spoke to us, and its answers stand.
    Answered,
    /// Connect again, as [`Climb::rung`] and [`Climb::plan`] now say.
    Again,
    /// The same, and the rung that the climb began with is to be forgotten.
    AgainFromTheTop,
    /// This address is given up.
    GivenUp(ConnectionFailure),
}

/// Whether there is time, and anybody, left for another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    Allowed,
    Over,
}

/// The rung to begin with for an obligation; `None` when the host is not contacted.
pub(super) const fn begin(obligation: &Obligation, known: Option<Rung>) -> Option<Rung> {
    match (first_rung(obligation), known) {
        (Some(Rung::Modern), Some(rung)) => Some(rung),
        (first, _) => first,
    }
}

impl<'a> Climb<'a> {
    /// A climb that begins on `rung`.
    pub(super) fn new(plan: &'a HostPlan, rung: Rung) -> Self {
        Self {
            guessed: first_rung(&plan.obligation) != Some(rung),
            plan: Cow::Borrowed(plan),
            rung,
        }
    }

    /// The plan, with the server name that is now to be sent.
    pub(super) fn plan(&self) -> &HostPlan {
        &self.plan
    }

    /// The rung to use now.
    pub(super) const fn rung(&self) -> Rung {
        self.rung
    }

    /// Whether a session on this rung taught that the address needs it.
    pub(super) fn teaches(&self, result: &SessionResult) -> bool {
        result.tls.is_some() && self.rung == Rung::Legacy && !self.guessed
    }

    /// What follows a session on the current rung.
    pub(super) fn after(&mut self, result: &SessionResult, legacy: LegacyRung, more: More) -> Then {
        let Some(failure) = evidence::connection_failure(result) else {
            return Then::Answered;
        };
        let again = more == More::Allowed;
        if self.guessed && again && result.tls_failure.is_some() {
            self.guessed = false;
            self.rung = Rung::Modern;
            return Then::AgainFromTheTop;
        }
        if self.plan.sni.is_some()
            && again
            && evidence::refuses_sni(result)
            && evidence::may_withhold_sni(&self.plan.obligation)
        {
            self.plan.to_mut().sni = None;
            return Then::Again;
        }
        match next_step(&self.plan.obligation, self.rung, failure, legacy) {
            NextStep::Reconnect(next) if again => {
                self.rung = next;
                Then::Again
            }
            NextStep::Reconnect(_)
            | NextStep::StayInCleartext
            | NextStep::NextAddress
            | NextStep::Conclude(_) => Then::GivenUp(failure),
        }
    }
}
