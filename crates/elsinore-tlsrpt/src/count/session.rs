//! One session under each policy that applied to it.

use super::{Counting, Detail, NOT_LISTED, Verdict, tlsa_policy};
use crate::terms::{PolicyType, ResultType};
use elsinore_dane::mta_sts::StsFetchError;
use elsinore_dane::plan::StsStance;
use elsinore_dane::verify::Rejection;
use elsinore_net::deliver::Attempt;
use elsinore_net::deliver::account::{StsAccount, TlsEnd};
use elsinore_net::tls::TlsFailureCause;
use elsinore_net::tls::judge::Refusal;
use elsinore_net::tls::webpki::WebPkiRefusal;

/// What TLS itself came to, whoever's policy it is held against.
enum Tls<'a> {
    /// There is nothing to count.
    Nothing,
    /// Established, though the server may have been refused for what it proved.
    Up(Option<&'a Refusal>),
    /// Not established, and why.
    Down(ResultType, Option<String>),
}

fn tls(end: &TlsEnd) -> Tls<'_> {
    let failed = |reason: &str| Tls::Down(ResultType::ValidationFailure, Some(reason.to_owned()));
    match end {
        TlsEnd::Unknown | TlsEnd::NotWanted | TlsEnd::Reused => Tls::Nothing,
        TlsEnd::NotOffered => Tls::Down(ResultType::StarttlsNotSupported, None),
        TlsEnd::Refused => Tls::Down(
            ResultType::StarttlsNotSupported,
            Some("starttls-refused".to_owned()),
        ),
        TlsEnd::LostInside => failed("connection-lost-inside-tls"),
        TlsEnd::Established => Tls::Up(None),
        TlsEnd::Failed(cause) => match cause {
            TlsFailureCause::Refused(Refusal::Signature) => failed("handshake-signature-invalid"),
            TlsFailureCause::Refused(refusal) => Tls::Up(Some(refusal)),
            TlsFailureCause::Handshake { text, .. } => failed(text),
            TlsFailureCause::TooOld(version) => failed(&format!("{version} is too old")),
            // Trouble of our own.
            TlsFailureCause::Local(_) => Tls::Nothing,
        },
    }
}

/// Counts a session under every policy that applied to it.
pub(super) fn count(counting: &mut Counting<'_>, attempt: &Attempt) {
    let account = &attempt.account;
    let tls = tls(&account.end);
    if matches!(tls, Tls::Nothing) {
        return;
    }
    let before = counting.rows.len();
    if let Some(tlsa) = &account.tlsa {
        let mut details = Vec::new();
        if !tlsa.usable {
            details.push(Detail::of(ResultType::TlsaInvalid, attempt));
        }
        details.extend(against_tlsa(&tls, attempt));
        let policy = tlsa_policy(tlsa.base_domain.as_str(), &tlsa.records);
        counting.push(policy, verdict(details));
    }
    let details = match account.sts {
        StsStance::Enforced | StsStance::TestingListed => Some(against_sts(&tls, attempt)),
        StsStance::TestingUnlisted | StsStance::Refused => {
            let unlisted = Detail::of(ResultType::ValidationFailure, attempt).because(NOT_LISTED);
            let mut details = vec![unlisted];
            details.extend(against_sts(&tls, attempt));
            Some(details)
        }
        StsStance::None => no_sts_policy(counting, attempt).map(|why| {
            let mut details = vec![why];
            details.extend(established(&tls, attempt));
            details
        }),
    };
    if let Some(details) = details {
        counting.push(counting.sts_policy(), verdict(details));
    }
    if counting.rows.len() == before {
        let details = match &tls {
            // What the administrator pinned is no concern of theirs, and no success either.
            Tls::Up(Some(Refusal::Pins(_))) => return,
            Tls::Up(Some(Refusal::WebPki(refusal))) => vec![webpki(*refusal, attempt)],
            Tls::Up(
                Some(Refusal::Dane { .. } | Refusal::DaneNoUsable | Refusal::Signature) | None,
            )
            | Tls::Down(..)
            | Tls::Nothing => established(&tls, attempt).into_iter().collect(),
        };
        let mut policy = counting.general_policy();
        policy.kind = PolicyType::NoPolicyFound;
        policy.strings.clear();
        policy.mx_hosts.clear();
        counting.push(policy, verdict(details));
    }
}

fn verdict(details: Vec<Detail>) -> Verdict {
    if details.is_empty() {
        Verdict::Success
    } else {
        Verdict::Failure(details)
    }
}

/// Why there is no TLS, where there is none.
fn established(tls: &Tls<'_>, attempt: &Attempt) -> Option<Detail> {
    let Tls::Down(result, reason) = tls else {
        return None;
    };
    let detail = Detail::of(*result, attempt);
    Some(match reason {
        Some(reason) => detail.because(reason),
        None => detail,
    })
}

fn against_tlsa(tls: &Tls<'_>, attempt: &Attempt) -> Option<Detail> {
    let refusal = match tls {
        Tls::Up(refusal) => (*refusal)?,
        Tls::Nothing | Tls::Down(..) => return established(tls, attempt),
    };
    match refusal {
        Refusal::Dane { rejection, .. } => {
            let detail = Detail::of(of_rejection(rejection), attempt);
            Some(detail.because(&rejection.to_string()))
        }
        Refusal::DaneNoUsable => Some(Detail::of(ResultType::TlsaInvalid, attempt)),
        // TLSA is looked at first: whoever was refused for these had matched it.
        Refusal::WebPki(_) | Refusal::Pins(_) | Refusal::Signature => None,
    }
}

/// RFC 8460 §4.3.1: names and dates have types of their own; whatever else is wrong with a
/// certificate under DANE, a mismatch with the records included, is one that is not trusted.
const fn of_rejection(rejection: &Rejection) -> ResultType {
    match rejection {
        Rejection::NameMismatch => ResultType::CertificateHostMismatch,
        Rejection::Expired { .. } | Rejection::NotYetValid { .. } => ResultType::CertificateExpired,
        Rejection::SearchBound => ResultType::ValidationFailure,
        Rejection::NoCertificate
        | Rejection::LeafUndecodable
        | Rejection::NoMatch
        | Rejection::NoTrustedPath
        | Rejection::NoPinMatches
        | Rejection::Malformed { .. }
        | Rejection::UnknownCriticalExtension { .. }
        | Rejection::NotAnAuthority { .. }
        | Rejection::PathTooLong { .. }
        | Rejection::NameConstraints { .. }
        | Rejection::WrongPurpose { .. }
        | Rejection::ObsoleteDigest { .. }
        | Rejection::ShortIssuerKey { .. } => ResultType::CertificateNotTrusted,
    }
}

fn against_sts(tls: &Tls<'_>, attempt: &Attempt) -> Vec<Detail> {
    match tls {
        Tls::Nothing | Tls::Down(..) => established(tls, attempt).into_iter().collect(),
        // The certificate is judged as the policy wants it, whatever it was refused for.
        Tls::Up(_) => match attempt.account.webpki {
            Some(Err(refusal)) => vec![webpki(refusal, attempt)],
            Some(Ok(())) | None => Vec::new(),
        },
    }
}

fn webpki(refusal: WebPkiRefusal, attempt: &Attempt) -> Detail {
    let result = match refusal {
        WebPkiRefusal::Expired => ResultType::CertificateExpired,
        WebPkiRefusal::HostMismatch => ResultType::CertificateHostMismatch,
        WebPkiRefusal::NotTrusted | WebPkiRefusal::Malformed | WebPkiRefusal::NoCertificate => {
            ResultType::CertificateNotTrusted
        }
    };
    Detail::of(result, attempt).because(&format!("certificate: {refusal}"))
}

/// Why a policy that is announced does not apply (RFC 8460 §4.3.2.2).
fn no_sts_policy(counting: &Counting<'_>, attempt: &Attempt) -> Option<Detail> {
    // Where DANE decides alone, nobody asked for the policy.
    if attempt
        .account
        .tlsa
        .as_ref()
        .is_some_and(|tlsa| tlsa.usable)
    {
        return None;
    }
    let (result, reason) = match &counting.account.sts {
        StsAccount::None | StsAccount::Policy(_) => return None,
        StsAccount::NotFetched(why @ StsFetchError::Certificate(_)) => {
            (ResultType::StsWebpkiInvalid, why.to_string())
        }
        StsAccount::NotFetched(why @ StsFetchError::TooLarge) => {
            (ResultType::StsPolicyInvalid, why.to_string())
        }
        StsAccount::NotFetched(why) => (ResultType::StsPolicyFetchError, why.to_string()),
        StsAccount::Invalid { why, .. } => (ResultType::StsPolicyInvalid, why.clone()),
        StsAccount::RecordInvalid(why) => (ResultType::StsPolicyInvalid, why.clone()),
    };
    Some(Detail::of(result, attempt).because(&reason))
}
