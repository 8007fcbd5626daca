//! What the engine's plan for a destination becomes in the words of Postfix'
//! `smtp_tls_policy_maps`. Pure: the plan goes in, the answer comes out.
//!
//! Postfix looks up MX, addresses and TLSA records by itself and asks for the policy per
//! destination, after it has found a host. One level holds for all hosts, and whichever it is, it is
//! final: at `secure`, TLSA records are not consulted; at `dane`, MTA-STS is not. So the level is
//! chosen by two rules, in this order: never weaker for any host than what the recipient securely
//! announced, and never stopped by broken DNS that could not have protected anything.
//!
//! # Limitations
//! `docs/policyd.md` lists what one level cannot express. Where mail is relayed to is decided by
//! Postfix' own transport, so `relay` and `port` of an override are not looked at.

mod row;
mod words;

pub use row::{Row, table};
pub use words::{Answer, Mapped, PolicyWord, StsAttributes};

use elsinore_dane::destination::{Level, MatchName, Mode};
use elsinore_dane::discovery::DiscoveryPolicy;
use elsinore_dane::mta_sts::{CachedPolicy, StsMode};
use elsinore_dane::next_hop::{NextHop, Target};
use elsinore_dane::obligation::{Obligation, Requirements, SkipReason, WebPkiReason};
use elsinore_dane::plan::{HostPlan, StsStance};
use elsinore_dane::rule::Rule;
use elsinore_net::deliver::{PlanSighting, RouteSighting};

/// Names in one answer, so that it stays below what Postfix takes; fewer names are stricter.
const MOST_NAMES: usize = 200;

/// The answer that needs no lookup: the administrator's level decides alone, or the destination is
/// an address and nothing can be announced for it.
#[must_use]
pub fn without_lookup(next_hop: &NextHop, policy: &DiscoveryPolicy) -> Option<Mapped> {
    let exact = policy.mode == Mode::Exact;
    let word = match policy.level {
        Level::None if exact => PolicyWord::None,
        Level::May if exact => PolicyWord::May,
        Level::Encrypt if exact => PolicyWord::Encrypt,
        Level::DaneOnly => PolicyWord::DaneOnly,
        Level::Verify if exact || names_of_its_own(policy) => {
            PolicyWord::Verify(match_names(policy, &["hostname"]))
        }
        Level::Secure => PolicyWord::Secure(match_names(policy, &["nexthop", "dot-nexthop"])),
        Level::Fingerprint if policy.pins.is_empty() => {
            let reason = "level fingerprint without a pin".to_owned();
            return Some(mapped(Row::Level, Answer::Temporary(reason)));
        }
        Level::Fingerprint => PolicyWord::Fingerprint(policy.pins.clone()),
        Level::None | Level::May | Level::Encrypt | Level::Dane | Level::Verify => {
            return match (&next_hop.target, policy.level) {
                (Target::Address(_), Level::Encrypt) => {
                    Some(level(Row::EncryptFloor, PolicyWord::Encrypt))
                }
                // An address has no name that a certificate could be checked for.
                (Target::Address(_), Level::Verify) => {
                    let reason = "level verify for an address".to_owned();
                    Some(mapped(Row::Level, Answer::Temporary(reason)))
                }
                (Target::Address(_), _) => Some(level(Row::Nothing, PolicyWord::May)),
                (Target::Domain(_) | Target::Host(_), _) => None,
            };
        }
    };
    Some(level(Row::Level, word))
}

/// The answer that `plan`, made under `policy`, comes to.
#[must_use]
pub fn map(policy: &DiscoveryPolicy, plan: &PlanSighting) -> Mapped {
    let enforced = plan
        .sts
        .as_ref()
        .filter(|sts| sts.policy.mode == StsMode::Enforce && policy.honours_sts());
    match &plan.route {
        RouteSighting::Bounce(_) => return gone(enforced),
        RouteSighting::Defer(refusal) => return deferred(refusal.reason.clone()),
        RouteSighting::TimedOut if plan.hosts.is_empty() => {
            return deferred("the questions about the domain took too long".to_owned());
        }
        RouteSighting::TimedOut | RouteSighting::Hosts => {}
    }
    let hosts = Hosts::of(plan);
    if hosts.any(Stand::Dane) {
        return some_dane(policy, &hosts);
    }
    if let Some(sts) = enforced.filter(|_| hosts.bound_by_sts()) {
        return by_sts(plan, &hosts, sts);
    }
    let floor = hosts.any(Stand::Named) || policy.level == Level::Encrypt;
    if floor && hosts.not_known() {
        return level(Row::FloorNotKnown, PolicyWord::DaneOnly);
    }
    if hosts.any(Stand::Named) {
        let names = vec!["hostname".to_owned()];
        return level(Row::VerifyFloor, PolicyWord::Verify(names));
    }
    if policy.level == Level::Encrypt {
        return if hosts.all(Stand::DaneInsecureMx) {
            level(Row::InsecureMxDane, PolicyWord::Dane)
        } else {
            level(Row::EncryptFloor, PolicyWord::Encrypt)
        };
    }
    if hosts.any(Stand::DaneInsecureMx) {
        return level(Row::InsecureMxDane, PolicyWord::Dane);
    }
    if hosts.not_known() {
        return level(Row::NotKnown, PolicyWord::Dane);
    }
    if hosts.all(Stand::Encrypt) {
        return level(Row::Unusable, PolicyWord::Encrypt);
    }
    if hosts.any(Stand::Encrypt) {
        return level(Row::SomeUnusable, PolicyWord::Dane);
    }
    level(Row::Nothing, PolicyWord::May)
}

/// At least one host has usable TLSA records under a secure MX.
fn some_dane(policy: &DiscoveryPolicy, hosts: &Hosts) -> Mapped {
    // MTA-STS is not even asked about while every host that could be judged has TLSA records, so
    // a host of which nothing is known must not be left to Postfix' `dane`.
    let rest_unknown = hosts.stands.iter().all(|stand| match stand {
        Stand::Dane | Stand::NotKnown | Stand::Untried => true,
        Stand::DaneInsecureMx
        | Stand::DaneAndSts
        | Stand::Sts
        | Stand::Unlisted
        | Stand::Named
        | Stand::Encrypt
        | Stand::Open => false,
    });
    if rest_unknown {
        return level(Row::EveryHostDane, PolicyWord::DaneOnly);
    }
    let bound = hosts.bound_by_sts() || hosts.any(Stand::Named) || policy.level == Level::Encrypt;
    if bound {
        return level(Row::SomeDaneRestBound, PolicyWord::DaneOnly);
    }
    level(Row::SomeDane, PolicyWord::Dane)
}

/// An enforced policy binds the hosts and DANE decides for none of them.
fn by_sts(plan: &PlanSighting, hosts: &Hosts, sts: &CachedPolicy) -> Mapped {
    let names: Vec<String> = plan
        .hosts
        .iter()
        .filter(|host| !left_out(host) && lists(sts, host))
        .map(|host| host.mx_host.clone())
        .collect();
    if names.is_empty() {
        return deferred("the MTA-STS policy lists no host that can be tried".to_owned());
    }
    // Postfix 3.10.5 and later go by the patterns when they are told them, and would let a host in
    // again that is left out here.
    let some_left_out = !plan.complete
        || plan
            .hosts
            .iter()
            .any(|host| left_out(host) && lists(sts, host));
    let row = if hosts.any(Stand::DaneAndSts) {
        Row::InsecureMxDaneAndSts
    } else {
        Row::Sts
    };
    let attributes = (!some_left_out).then(|| StsAttributes {
        domain: sts.domain.clone(),
        policy: sts.policy.clone(),
    });
    let answer = Answer::Policy {
        word: PolicyWord::Secure(names),
        sts: attributes,
    };
    mapped(row, answer)
}

/// Whether the policy lists the host, and its name can stand in a list of Postfix: that is split at
/// colons, and what follows one could be a keyword of its own (`hostname`, `nexthop`).
fn lists(sts: &CachedPolicy, host: &HostPlan) -> bool {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    host.mx_host.bytes().all(is_plain)
        && elsinore_dane::name::DomainName::parse(&host.mx_host)
            .is_ok_and(|name| sts.policy.lists(&name))
}

/// Whether a host must not be reached by way of the policy's names: it may have TLSA records that
/// decide alone (secure MX), or records that were looked for in vain.
fn left_out(host: &HostPlan) -> bool {
    match &host.obligation {
        Obligation::Skip(SkipReason::TlsaLookupFailed | SkipReason::ZoneStatusUnknown) => true,
        Obligation::Skip(SkipReason::AddressLookupFailed | SkipReason::AddressesRefused) => {
            host.mx_secure()
        }
        Obligation::Skip(_)
        | Obligation::Cleartext
        | Obligation::Opportunistic
        | Obligation::Encrypt
        | Obligation::Authenticate(_) => false,
    }
}

fn gone(enforced: Option<&CachedPolicy>) -> Mapped {
    match enforced {
        Some(sts) => {
            let names = sts.policy.mx.iter();
            let names = names.take(MOST_NAMES).map(words::pattern_name).collect();
            let answer = Answer::Policy {
                word: PolicyWord::Secure(names),
                sts: Some(StsAttributes {
                    domain: sts.domain.clone(),
                    policy: sts.policy.clone(),
                }),
            };
            mapped(Row::GoneButSts, answer)
        }
        None => mapped(Row::Gone, Answer::NotFound),
    }
}

/// The hosts of a plan, each by how it stands.
struct Hosts {
    stands: Vec<Stand>,
}

/// How one host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// Usable TLSA records under a secure MX.
    Dane,
    /// Usable TLSA records, insecure MX.
    DaneInsecureMx,
    /// The same, and an enforced policy.
    DaneAndSts,
    /// An enforced policy lists it.
    Sts,
    /// An enforced policy does not list it.
    Unlisted,
    /// The administrator wants a certificate for its name.
    Named,
    /// TLS, unauthenticated.
    Encrypt,
    /// TLS if it can be had.
    Open,
    /// What it announces could not be found out.
    NotKnown,
    /// Nobody will try it: it is shown to have no address.
    Untried,
}

impl Hosts {
    fn of(plan: &PlanSighting) -> Self {
        let mut stands: Vec<Stand> = plan.hosts.iter().map(Stand::of).collect();
        let cut = plan.findings.iter().any(|f| f.rule == Rule::TooManyHosts);
        if cut || !plan.complete {
            stands.push(Stand::NotKnown);
        }
        Self { stands }
    }

    fn any(&self, stand: Stand) -> bool {
        self.stands.contains(&stand)
    }

    /// Whether every host that can be tried stands like this.
    fn all(&self, stand: Stand) -> bool {
        self.any(stand)
            && self
                .stands
                .iter()
                .all(|other| *other == stand || *other == Stand::Untried)
    }

    fn not_known(&self) -> bool {
        self.any(Stand::NotKnown)
    }

    fn bound_by_sts(&self) -> bool {
        self.any(Stand::Sts) || self.any(Stand::DaneAndSts) || self.any(Stand::Unlisted)
    }
}

impl Stand {
    fn of(host: &HostPlan) -> Self {
        match &host.obligation {
            Obligation::Skip(SkipReason::NoAddress | SkipReason::Loop) => Self::Untried,
            Obligation::Skip(SkipReason::StsMismatch) => Self::Unlisted,
            Obligation::Skip(
                SkipReason::AddressLookupFailed
                | SkipReason::AddressesRefused
                | SkipReason::ZoneStatusUnknown
                | SkipReason::TlsaLookupFailed
                | SkipReason::DaneOnlyInsecureMx
                | SkipReason::DaneOnlyNoUsableTlsa
                | SkipReason::Unverifiable
                | SkipReason::RequireTlsUnmet,
            ) => Self::NotKnown,
            Obligation::Cleartext | Obligation::Opportunistic => Self::Open,
            Obligation::Encrypt => Self::Encrypt,
            Obligation::Authenticate(requirements) => Self::authenticated(requirements, host.sts),
        }
    }

    fn authenticated(requirements: &Requirements, stance: StsStance) -> Self {
        let by = requirements.webpki.as_ref().map(|webpki| webpki.because);
        let sts = stance == StsStance::Enforced || by == Some(WebPkiReason::Sts);
        match &requirements.dane {
            Some(dane) if dane.mx_secure => Self::Dane,
            Some(_) if sts => Self::DaneAndSts,
            None if sts => Self::Sts,
            Some(_) if by.is_none() => Self::DaneInsecureMx,
            Some(_) | None => Self::Named,
        }
    }
}

/// Whether certificates are accepted for other names than the MX host's own.
fn names_of_its_own(policy: &DiscoveryPolicy) -> bool {
    policy
        .match_names
        .iter()
        .any(|name| *name != MatchName::Hostname)
}

fn match_names(policy: &DiscoveryPolicy, usual: &[&str]) -> Vec<String> {
    if policy.match_names.is_empty() {
        return usual.iter().map(|&name| name.to_owned()).collect();
    }
    policy
        .match_names
        .iter()
        .map(|name| match name {
            MatchName::Hostname => "hostname".to_owned(),
            MatchName::NextHop => "nexthop".to_owned(),
            MatchName::DotNextHop => "dot-nexthop".to_owned(),
            MatchName::Name(name) => name.to_string(),
            MatchName::Below(parent) => format!(".{parent}"),
        })
        .collect()
}

const fn mapped(row: Row, answer: Answer) -> Mapped {
    Mapped { row, answer }
}

const fn level(row: Row, word: PolicyWord) -> Mapped {
    mapped(row, Answer::Policy { word, sts: None })
}

const fn deferred(reason: String) -> Mapped {
    mapped(Row::Deferred, Answer::Temporary(reason))
}
