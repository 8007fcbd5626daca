//! Which of the two stops a sender that honours both DANE and MTA-STS.

use elsinore_dane::obligation::{Requirements, SkipReason, WebPkiReason};

/// What stands between a sender that honours both and a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Barrier {
    /// DANE (RFC 7672).
    Dane,
    /// An enforced MTA-STS policy (RFC 8461 §5); a sender that honours DANE alone is not held up.
    Sts,
    /// Both demand what is missing.
    Both,
    /// Neither: whoever comes fails, or the administrator of the sender demands it.
    Neither,
}

impl Barrier {
    /// What a failed session is due to: what was demanded, and the reason as the judge of
    /// sessions writes it.
    pub(super) fn of_failure(dane: bool, sts: bool, reason: Option<&str>) -> Self {
        let reason = reason.unwrap_or_default();
        match (dane, sts) {
            (false, false) => Self::Neither,
            (true, false) => Self::Dane,
            (false, true) => Self::Sts,
            (true, true) if reason.starts_with("TLSA: ") => Self::Dane,
            (true, true) if reason.starts_with("certificate: ") => Self::Sts,
            (true, true) => Self::Both,
        }
    }

    /// What a host that is not contacted is skipped for.
    pub(super) const fn of_skip(reason: SkipReason) -> Self {
        match reason {
            SkipReason::StsMismatch => Self::Sts,
            SkipReason::ZoneStatusUnknown
            | SkipReason::TlsaLookupFailed
            | SkipReason::DaneOnlyInsecureMx
            | SkipReason::DaneOnlyNoUsableTlsa => Self::Dane,
            SkipReason::AddressLookupFailed
            | SkipReason::NoAddress
            | SkipReason::AddressesRefused
            | SkipReason::Loop
            | SkipReason::Unverifiable
            | SkipReason::RequireTlsUnmet => Self::Neither,
        }
    }

    /// Several together.
    pub(super) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Neither, one) | (one, Self::Neither) => one,
            (Self::Dane, Self::Dane) => Self::Dane,
            (Self::Sts, Self::Sts) => Self::Sts,
            (Self::Both, _)
            | (_, Self::Both)
            | (Self::Dane, Self::Sts)
            | (Self::Sts, Self::Dane) => Self::Both,
        }
    }
}

/// Whether an enforced MTA-STS policy is among those who demand a certificate.
pub(super) fn owes_sts(owed: &Requirements) -> bool {
    (owed.webpki.as_ref()).is_some_and(|webpki| webpki.because == WebPkiReason::Sts)
}
