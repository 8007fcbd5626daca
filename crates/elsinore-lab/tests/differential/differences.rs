//! Where Unbound and we differ, and why. A difference without an entry fails the test, and so
//! does an entry without a difference.

use crate::contents::{Asked, code};
use crate::outcome::{Outcome, Verdict};
use crate::plan::{Denial, Kind, Plan};
use std::ops::RangeInclusive;

/// A question with both outcomes, and every zone on its way.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) asked: &'a Asked,
    pub(crate) ours: &'a Outcome,
    pub(crate) theirs: &'a Outcome,
    /// The zones of all names of the chain, and those above them.
    pub(crate) zones: Vec<&'a Plan>,
}

impl Case<'_> {
    fn crosses(&self, kind: impl Fn(Kind) -> bool) -> bool {
        self.zones.iter().any(|plan| kind(plan.kind))
    }

    /// Whether a zone on the way hashes its names that often.
    fn hashes(&self, iterations: RangeInclusive<u16>) -> bool {
        self.zones
            .iter()
            .filter_map(|plan| plan.signing.as_ref()?.denial.iterations())
            .any(|count| iterations.contains(&count))
    }

    /// Whether a zone on the way has denials that leave open what is below it.
    fn leaves_open(&self) -> bool {
        self.hashes(101..=2500)
            || self.zones.iter().any(|plan| {
                plan.signing.as_ref().is_some_and(|signing| {
                    matches!(signing.denial, Denial::Nsec3 { opt_out: true, .. })
                })
            })
    }

    fn asks(&self, rtype: &str) -> bool {
        self.asked.rtype == code(rtype)
    }
}

/// Whether a full run must show a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occurs {
    EveryRun,
    /// Only when Unbound happened to be asked for something else before.
    InSomeOrder,
}

/// A known difference.
pub(crate) struct Difference {
    pub(crate) occurs: Occurs,
    pub(crate) ours: &'static [Verdict],
    pub(crate) theirs: &'static [Verdict],
    pub(crate) applies: fn(&Case<'_>) -> bool,
    pub(crate) reason: &'static str,
}

use Verdict::{Bogus, Failed, Insecure, Secure};

pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        occurs: Occurs::EveryRun,
        ours: &[Insecure],
        theirs: &[Secure],
        applies: |case| case.hashes(101..=150),
        reason: "Unbound 1.17.1 computes up to 150 NSEC3 iterations, we up to 100 (RFC 9276 §3.2)",
    },
    Difference {
        occurs: Occurs::EveryRun,
        ours: &[Bogus],
        theirs: &[Insecure],
        applies: |case| case.hashes(501..=2500),
        reason: "above 500 iterations a proof is refused here (RFC 9276 §3.2 leaves both open)",
    },
    Difference {
        occurs: Occurs::EveryRun,
        ours: &[Bogus],
        theirs: &[Secure, Insecure],
        applies: |case| case.crosses(|kind| kind == Kind::WeakDs),
        reason: "Unbound takes any digest that fits; RFC 4509 §3 ignores SHA-1 beside SHA-256",
    },
    Difference {
        occurs: Occurs::EveryRun,
        ours: &[Bogus],
        theirs: &[Secure, Insecure],
        applies: |case| case.crosses(|kind| kind == Kind::Revoked),
        reason: "Unbound heeds the REVOKE bit in trust anchors only; RFC 5011 §2.1 has such a key \
                 invalid",
    },
    Difference {
        occurs: Occurs::EveryRun,
        ours: &[Secure, Insecure],
        theirs: &[Bogus],
        applies: |case| {
            case.crosses(|kind| {
                matches!(
                    kind,
                    Kind::BadSignature("SOA") | Kind::ExpiredType("SOA") | Kind::NoSignature("SOA")
                )
            })
        },
        reason: "Unbound wants the SOA beside a denial signed; the proof is the NSEC or NSEC3 \
                 (RFC 4035 §5.4)",
    },
    Difference {
        occurs: Occurs::EveryRun,
        ours: &[Failed],
        theirs: &[Secure, Insecure, Bogus],
        applies: |case| case.ours.chain.len() >= 11,
        reason: "we follow 11 aliases and then give up, Unbound 1.17.1 follows more",
    },
    Difference {
        occurs: Occurs::EveryRun,
        ours: &[Bogus, Failed],
        theirs: &[Bogus, Failed],
        applies: |case| case.asked.name.starts_with("loop") || case.theirs.verdict == Failed,
        reason: "an endless chain of aliases, or one to a dead end, in a broken zone: it is seen to be broken, \
                 or given up before",
    },
    Difference {
        occurs: Occurs::EveryRun,
        ours: &[Bogus, Secure, Insecure],
        theirs: &[Secure, Insecure, Bogus],
        applies: |case| case.crosses(|kind| kind == Kind::Collide(20)),
        reason: "21 keys of one tag: both stop trying after a few (KeyTrap), and the order of the \
                 keys decides",
    },
    Difference {
        occurs: Occurs::EveryRun,
        ours: &[Insecure],
        theirs: &[Bogus],
        applies: |case| case.leaves_open(),
        reason: "where an opt-out span or too many iterations are shown, a name may lie below an \
                 unsigned delegation, and what fails to validate there is insecure (RFC 5155 §9.2, \
                 RFC 9276 §3.2); Unbound rejects as soon as anything in the message is bad",
    },
    Difference {
        occurs: Occurs::EveryRun,
        ours: &[Secure],
        theirs: &[Bogus],
        applies: |case| {
            [".ww.", ".wt.", ".wx."]
                .iter()
                .any(|part| case.asked.name.contains(part))
                && case.theirs.reason.contains("nodata proof failed")
        },
        reason: "a wildcard that is an empty non-terminal: Unbound 1.17.1 does not always see the \
                 proof (RFC 4592 §4.9)",
    },
    Difference {
        occurs: Occurs::EveryRun,
        ours: &[Secure],
        theirs: &[Bogus, Insecure],
        applies: |case| {
            let words = ["DS between.", "key for validation between."];
            words.iter().any(|word| case.theirs.reason.contains(word))
                || case.theirs.verdict == Insecure
                    && case
                        .zones
                        .iter()
                        .any(|plan| plan.apex.contains(".between."))
        },
        reason: "Unbound wants the denial of a zone cut at an empty non-terminal even where the \
                 signed DS below it shows that there is none",
    },
    Difference {
        occurs: Occurs::EveryRun,
        ours: &[Secure],
        theirs: &[Insecure, Bogus],
        applies: |case| case.asks("CNAME"),
        reason: "asked for a CNAME, Unbound judges what it leads to as well",
    },
    Difference {
        occurs: Occurs::InSomeOrder,
        ours: &[Bogus],
        theirs: &[Secure],
        applies: |case| case.asks("DS") && case.crosses(|kind| kind == Kind::Holes),
        reason: "a name that an NSEC covers has no DS, says Unbound from its cache if it has seen \
                 that NSEC before, without the proof about the wildcard that the zone has lost",
    },
    Difference {
        occurs: Occurs::InSomeOrder,
        ours: &[Secure, Insecure],
        theirs: &[Failed],
        applies: |case| ["rcode 2", "no reply"].contains(&case.theirs.reason.trim()),
        reason: "Unbound found nothing out in the time it gives itself (a busy machine): there is \
                 no verdict to compare with",
    },
];
