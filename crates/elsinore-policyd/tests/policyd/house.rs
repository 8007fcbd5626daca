//! Plans made by hand: a letter for each host, by how it stands.

use elsinore_dane::discovery::DiscoveryPolicy;
use elsinore_dane::mta_sts::{CachedPolicy, MxPattern, StsMode, StsPolicy};
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::{
    DaneRequirement, NamePattern, Obligation, Requirements, SkipReason, WebPkiReason,
    WebPkiRequirement,
};
use elsinore_dane::plan::{EnhancedCode, HostPlan, HostSource, Refusal, StsStance, TlsVersion};
use elsinore_dane::time::UnixTime;
use elsinore_net::deliver::{PlanSighting, RouteSighting};
use std::time::Duration;

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// The MX host at `index`.
pub(crate) fn host_name(index: usize) -> String {
    format!("mx{index}.example.org")
}

/// A policy for `*.example.org`.
pub(crate) fn sts(mode: StsMode) -> CachedPolicy {
    CachedPolicy {
        domain: name("example.org"),
        id: "1".to_owned(),
        policy: StsPolicy {
            mode,
            max_age: 86_400,
            mx: vec![MxPattern::parse("*.example.org").unwrap()],
        },
        fetched_at: UnixTime(0),
    }
}

fn authenticate(index: usize, dane: Option<bool>, webpki: Option<WebPkiReason>) -> Obligation {
    let host = name(&host_name(index));
    Obligation::Authenticate(Requirements {
        dane: dane.map(|mx_secure| DaneRequirement {
            base_domain: host.clone(),
            records: Vec::new(),
            reference_identifiers: vec![host.clone()],
            mx_secure,
        }),
        webpki: webpki.map(|because| WebPkiRequirement {
            names: vec![NamePattern::Exact(host)],
            because,
        }),
        pins: None,
    })
}

/// One host. `P` usable TLSA under a secure MX, `I` under an insecure one, `B` that and MTA-STS, `S`
/// MTA-STS, `U` not listed, `V` verify, `E` encrypt, `O` opportunistic; skipped: `F` TLSA failed, `Z`
/// zone unknown, `A` addresses failed, `R` addresses refused, `N` no address.
pub(crate) fn host(letter: char, index: usize, secure: bool) -> HostPlan {
    use WebPkiReason::{Administrator, Sts};
    let (obligation, stance) = match letter {
        'P' => (authenticate(index, Some(true), None), StsStance::None),
        'I' => (authenticate(index, Some(false), None), StsStance::None),
        'B' => (
            authenticate(index, Some(false), Some(Sts)),
            StsStance::Enforced,
        ),
        'S' => (authenticate(index, None, Some(Sts)), StsStance::Enforced),
        'V' => (
            authenticate(index, None, Some(Administrator)),
            StsStance::None,
        ),
        'U' => (
            Obligation::Skip(SkipReason::StsMismatch),
            StsStance::Refused,
        ),
        'E' => (Obligation::Encrypt, StsStance::None),
        'O' => (Obligation::Opportunistic, StsStance::None),
        'F' => (
            Obligation::Skip(SkipReason::TlsaLookupFailed),
            StsStance::None,
        ),
        'Z' => (
            Obligation::Skip(SkipReason::ZoneStatusUnknown),
            StsStance::None,
        ),
        'A' => (
            Obligation::Skip(SkipReason::AddressLookupFailed),
            StsStance::None,
        ),
        'R' => (
            Obligation::Skip(SkipReason::AddressesRefused),
            StsStance::None,
        ),
        'N' => (Obligation::Skip(SkipReason::NoAddress), StsStance::None),
        other => panic!("{other}"),
    };
    let mx_host = match letter {
        // A policy that lists `*.example.org` does not list this one.
        'U' => format!("mx{index}.elsewhere.example"),
        _ => host_name(index),
    };
    HostPlan {
        sni: Some(name(&mx_host)),
        mx_host,
        preference: Some(10),
        source: if secure {
            HostSource::SecureMx
        } else {
            HostSource::InsecureMx
        },
        secure_expansion: None,
        addresses: Vec::new(),
        port: 25,
        obligation,
        min_tls: TlsVersion::Tls12,
        sts: stance,
        findings: Vec::new(),
    }
}

/// A plan of these hosts.
pub(crate) fn plan(letters: &str, secure: bool, sts: Option<CachedPolicy>) -> PlanSighting {
    let hosts = letters.chars().enumerate();
    let hosts: Vec<HostPlan> = hosts
        .map(|(index, letter)| host(letter, index, secure))
        .collect();
    PlanSighting {
        route: RouteSighting::Hosts,
        complete: true,
        weaker: hosts.iter().map(|_| None).collect(),
        hosts,
        findings: Vec::new(),
        sts,
        fetch: None,
        holds: Duration::from_secs(60),
    }
}

pub(crate) fn refusal(class: u8) -> Refusal {
    Refusal {
        code: EnhancedCode::new(class, 4, 4),
        reason: "the reason".to_owned(),
    }
}

pub(crate) fn policy() -> DiscoveryPolicy {
    DiscoveryPolicy::default()
}
