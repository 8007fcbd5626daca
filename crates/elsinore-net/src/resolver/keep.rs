//! For how long things are kept where their own TTL is not the whole answer: failures, and
//! delegations that outlive the one they hang from.

use super::cache::{Kept, Kind, Weigh};
use super::core::Core;
use super::iterate::{Delegation, ReferralProof, Source};
use super::trust::Cut;
use super::wire::Question;
use elsinore_dane::answer::Failure;
use elsinore_dane::security::Security;
use std::sync::Arc;

/// Seconds for which a first failure is kept; each that follows within [`REMEMBERED`] doubles them
/// (RFC 9520 §3.2).
const FIRST_FAILURE: u32 = 5;
const LONGEST_TROUBLE: u32 = 30;
/// The same for what is bogus: somebody made it so, and rarely mends it within seconds
/// (RFC 4035 §4.7).
const FIRST_BOGUS: u32 = 30;
const LONGEST_BOGUS: u32 = 60;
/// Seconds for which failures are counted.
const REMEMBERED: u32 = 300;
/// Labels from which on a zone is somebody's own and may be taken away from him. Top-level zones
/// are not.
const OWNED_LABELS: usize = 2;
/// Seconds for which a delegation is kept when the one above ended in the middle of the lookup.
const LAST_DELEGATION: u32 = 5;

/// How often in a row a question failed.
#[derive(Debug, Clone, Copy)]
struct Failures(u32);

impl Weigh for Failures {
    fn heap(&self) -> usize {
        0
    }
}

impl Kept for Failures {
    const KIND: Kind = Kind::Failures;
    type Key = Question;
}

/// Seconds for which a failure is kept that was preceded by `before` others.
fn failure_ttl(security: Security, before: u32) -> u32 {
    let (first, longest) = match security {
        Security::Bogus => (FIRST_BOGUS, LONGEST_BOGUS),
        Security::Secure | Security::Insecure | Security::Indeterminate => {
            (FIRST_FAILURE, LONGEST_TROUBLE)
        }
    };
    first
        .saturating_mul(2_u32.saturating_pow(before))
        .min(longest)
}

/// Seconds for which a delegation is kept, given its own TTL and what the delegation of the zone
/// above has left.
fn delegation_ttl(own: u32, labels_above: usize, left_above: Option<u32>) -> u32 {
    if labels_above < OWNED_LABELS {
        return own;
    }
    own.min(left_above.unwrap_or(LAST_DELEGATION))
}

impl Core {
    /// Counts a failure of `question`, and gives the seconds for which it is kept.
    pub(super) fn failure_ttl(&self, question: &Question, failure: &Failure) -> u32 {
        let known = self.cache.find::<Failures>(question);
        let before = known.map_or(0, |(failures, _)| failures.0);
        let failures = Arc::new(Failures(before.saturating_add(1)));
        self.cache.keep(question, failures, REMEMBERED);
        failure_ttl(failure.status.security(), before)
    }

    /// Keeps a delegation that a server of `above` told. It does not outlive the delegation of that
    /// zone: whoever lost a zone cannot keep what is below it alive by himself.
    pub(super) fn keep_delegation(
        &self,
        above: &Delegation,
        mut next: Delegation,
    ) -> Arc<Delegation> {
        let proof = ReferralProof(std::mem::take(&mut next.security));
        match proof.0.iter().map(|record| record.ttl).min() {
            // What is judged already needs no proof.
            _ if self.cache.find::<Cut>(&next.zone).is_some() => {}
            Some(ttl) => self.cache.keep(&next.zone, Arc::new(proof), ttl),
            None => self.cache.forget::<ReferralProof>(&next.zone),
        }
        next.shrink();
        let labels = match above.source {
            Source::Referral => above.zone.label_count(),
            Source::Hints | Source::Route(_) => 0,
        };
        let left = self.cache.find::<Delegation>(&above.zone);
        let ttl = delegation_ttl(next.ttl, labels, left.map(|(_, left)| left));
        let next = Arc::new(next);
        self.cache.keep(&next.zone, Arc::clone(&next), ttl);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures() {
        for (security, before, expected) in [
            (Security::Indeterminate, 0, 5),
            (Security::Indeterminate, 1, 10),
            (Security::Indeterminate, 2, 20),
            (Security::Indeterminate, 3, 30),
            (Security::Indeterminate, u32::MAX, 30),
            (Security::Bogus, 0, 30),
            (Security::Bogus, 1, 60),
            (Security::Bogus, u32::MAX, 60),
        ] {
            assert_eq!(
                failure_ttl(security, before),
                expected,
                "{security} {before}"
            );
        }
    }

    /// Names below a domain that was taken from its owner, whose servers still answer, end with
    /// the delegation of the domain, however long their own TTL and however deep they hang.
    #[test]
    fn delegations() {
        for (own, labels_above, left_above, expected) in [
            (86_400, 0, None, 86_400),
            (86_400, 1, Some(10), 86_400),
            (86_400, 2, Some(600), 600),
            (300, 2, Some(600), 300),
            (86_400, 5, Some(7), 7),
            (86_400, 2, Some(1), 1),
            (86_400, 2, None, 5),
        ] {
            let ttl = delegation_ttl(own, labels_above, left_above);
            assert_eq!(ttl, expected, "{own} {labels_above} {left_above:?}");
        }
    }
}
