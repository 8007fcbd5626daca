//! What follows for the message when no host can be tried, and how promises compare.

use crate::obligation::{Obligation, SkipReason};
use crate::plan::{EnhancedCode, Refusal};

/// How much an obligation promised. A host that was skipped because its lookups failed may have
/// promised anything.
pub(super) const fn promised(obligation: &Obligation) -> u8 {
    match obligation {
        Obligation::Cleartext => 0,
        Obligation::Opportunistic => 1,
        Obligation::Encrypt => 2,
        Obligation::Authenticate(requirements) => match &requirements.dane {
            Some(dane) if !dane.mx_secure && requirements.webpki.is_none() => 3,
            Some(_) | None => 4,
        },
        Obligation::Skip(reason) => match reason {
            SkipReason::AddressLookupFailed
            | SkipReason::ZoneStatusUnknown
            | SkipReason::TlsaLookupFailed
            | SkipReason::StsMismatch
            | SkipReason::DaneOnlyInsecureMx
            | SkipReason::DaneOnlyNoUsableTlsa
            | SkipReason::Unverifiable
            | SkipReason::RequireTlsUnmet => 4,
            SkipReason::NoAddress | SkipReason::AddressesRefused | SkipReason::Loop => 0,
        },
    }
}

/// An obligation in words, the reason of a skip included.
pub(super) fn words(obligation: &Obligation) -> &'static str {
    match obligation {
        Obligation::Skip(reason) => reason.word(),
        other => other.word(),
    }
}

/// The code for one host, as if it were the only one.
const fn code(reason: SkipReason) -> EnhancedCode {
    match reason {
        SkipReason::NoAddress => EnhancedCode::new(5, 4, 4),
        SkipReason::Loop => EnhancedCode::new(5, 4, 6),
        SkipReason::RequireTlsUnmet => EnhancedCode::new(5, 7, 10),
        SkipReason::AddressLookupFailed => EnhancedCode::new(4, 4, 3),
        SkipReason::AddressesRefused => EnhancedCode::new(4, 4, 4),
        SkipReason::ZoneStatusUnknown
        | SkipReason::TlsaLookupFailed
        | SkipReason::StsMismatch
        | SkipReason::DaneOnlyInsecureMx
        | SkipReason::DaneOnlyNoUsableTlsa
        | SkipReason::Unverifiable => EnhancedCode::new(4, 7, 5),
    }
}

/// The verdict when every host is skipped. Anything that may pass by itself defers; only where
/// every host is out for good is the message returned. Of the permanent reasons REQUIRETLS comes
/// first, because the sender can act on it (RFC 8689 §4.2.1), then the loop.
//= spec: 7672-2.1.2-6
pub(super) fn refusal(skipped: &[(String, SkipReason)]) -> Refusal {
    let first_where =
        |wanted: &dyn Fn(SkipReason) -> bool| skipped.iter().find(|(_, reason)| wanted(*reason));
    let decisive = first_where(&|reason| code(reason).class == 4)
        .or_else(|| first_where(&|reason| reason == SkipReason::RequireTlsUnmet))
        .or_else(|| first_where(&|reason| reason == SkipReason::Loop))
        .or_else(|| skipped.first());
    match decisive {
        Some((host, reason)) => Refusal {
            code: code(*reason),
            reason: format!("{host} cannot be used: {}", reason.sentence()),
        },
        None => Refusal {
            code: EnhancedCode::new(4, 4, 4),
            reason: "there is no host to try".to_owned(),
        },
    }
}

/// Only an engine broken on purpose gets here.
pub(super) fn sts_broken() -> Refusal {
    Refusal {
        code: EnhancedCode::new(4, 7, 5),
        reason: "the _mta-sts lookup failed".to_owned(),
    }
}
