//! What the administrator's level and the message (RFC 8689) add to what was announced. Nothing
//! here takes a demand away.

use super::{Draft, HostFacts, TlsNeed};
use crate::destination::{Level, MatchName, Mode};
use crate::discovery::{DiscoveryPolicy, MessageTls};
use crate::name::DomainName;
use crate::obligation::{NamePattern, PinRequirement, SkipReason, WebPkiReason, WebPkiRequirement};
use crate::plan::StsStance;
use crate::rule::Rule;

pub(super) fn apply_level(draft: &mut Draft, facts: &HostFacts<'_>, policy: &DiscoveryPolicy) {
    match policy.level {
        Level::None if policy.mode == Mode::Exact => draft.tls = TlsNeed::Never,
        Level::None | Level::May | Level::Dane => return,
        Level::Encrypt => draft.tls = TlsNeed::Required,
        Level::DaneOnly => dane_only(draft, facts),
        Level::Verify | Level::Secure => webpki(draft, facts, policy),
        Level::Fingerprint if policy.pins.is_empty() => draft.skip(SkipReason::Unverifiable),
        Level::Fingerprint => {
            draft.requirements.pins = Some(PinRequirement {
                sha256: policy.pins.clone(),
            });
        }
    }
    draft.note(
        Rule::AdministratorLevel,
        facts,
        format!("level {} ({})", policy.level, policy.mode),
    );
}

/// RFC 7672 §6 and §2.2.1: no usable records under a secure MX, no delivery.
fn dane_only(draft: &mut Draft, facts: &HostFacts<'_>) {
    //= spec: 7672-2.2.1-4
    if !facts.source.is_trusted() {
        draft.skip(SkipReason::DaneOnlyInsecureMx);
    //= spec: 7672-2.2-7
    //= spec: 7672-6-1
    } else if draft.requirements.dane.is_none() {
        draft.skip(SkipReason::DaneOnlyNoUsableTlsa);
    }
}

fn webpki(draft: &mut Draft, facts: &HostFacts<'_>, policy: &DiscoveryPolicy) {
    let defaults: &[MatchName] = match policy.level {
        Level::Verify => &[MatchName::Hostname],
        _ => &[MatchName::NextHop, MatchName::DotNextHop],
    };
    let wanted = if policy.match_names.is_empty() {
        defaults
    } else {
        &policy.match_names
    };
    let names: Vec<NamePattern> = wanted
        .iter()
        .filter_map(|name| match name {
            MatchName::Hostname => facts.name.cloned().map(NamePattern::Exact),
            MatchName::NextHop => facts.next_hop.cloned().map(NamePattern::Exact),
            MatchName::DotNextHop => facts.next_hop.cloned().map(NamePattern::Below),
            MatchName::Name(name) => Some(NamePattern::Exact(name.clone())),
            MatchName::Below(name) => Some(NamePattern::Below(name.clone())),
        })
        .collect();
    if names.is_empty() {
        draft.skip(SkipReason::Unverifiable);
        return;
    }
    // An enforced policy already demands the MX host's own name. Where that name is one of those
    // the administrator accepts, one demand meets both; a certificate for the two of them does
    // not exist in practice, and accepting either would meet neither.
    if draft.sts == StsStance::Enforced {
        let meets_both = facts.name.is_some_and(|host| covers(&names, host));
        if !meets_both {
            draft.skip(SkipReason::Unverifiable);
        }
        return;
    }
    draft.requirements.webpki = Some(WebPkiRequirement {
        names,
        because: WebPkiReason::Administrator,
    });
}

fn covers(names: &[NamePattern], host: &DomainName) -> bool {
    names.iter().any(|pattern| match pattern {
        NamePattern::Exact(name) => name == host,
        NamePattern::Below(parent) => parent != host && host.is_at_or_below(parent),
    })
}

/// RFC 8689 §4.2.1: the server is authenticated under a name that can be believed, by DANE
/// under a secure MX or by WebPKI; an insecure MX needs MTA-STS to vouch for its hosts.
pub(super) fn apply_message(draft: &mut Draft, facts: &HostFacts<'_>, policy: &DiscoveryPolicy) {
    match policy.message {
        MessageTls::Unspecified => return,
        MessageTls::Optional => {
            draft.note(Rule::TlsOptional, facts, "TLS-Required: No");
            return;
        }
        MessageTls::Required => {}
    }
    let requirements = &draft.requirements;
    let by_dane = requirements
        .dane
        .as_ref()
        .is_some_and(|dane| dane.mx_secure);
    let by_webpki = requirements
        .webpki
        .as_ref()
        .is_some_and(|webpki| match webpki.because {
            WebPkiReason::Sts | WebPkiReason::RequireTls => true,
            WebPkiReason::Administrator => vouches(facts, policy),
        });
    if by_dane || by_webpki || requirements.pins.is_some() {
        return;
    }
    // RFC 8461 §4.1, to which RFC 8689 §4.2.1 sends us, compares names and knows no modes: a policy
    // in testing that lists the host vouches for it. The certificate is demanded by the message,
    // not by the policy, which demands nothing.
    let vouched = match draft.sts {
        StsStance::Enforced | StsStance::TestingListed => true,
        StsStance::None | StsStance::Refused | StsStance::TestingUnlisted => {
            facts.source.is_trusted()
        }
    };
    match facts.name {
        Some(name) if vouched => {
            draft.require_webpki(name, WebPkiReason::RequireTls);
            draft.note(Rule::RequireTls, facts, "a valid certificate is demanded");
        }
        Some(_) | None => {
            draft.skip(SkipReason::RequireTlsUnmet);
            draft.note(Rule::RequireTlsUnmet, facts, "nothing vouches for its name");
        }
    }
}

/// Whether the administrator's names are more than a name from an insecure MX RRset.
fn vouches(facts: &HostFacts<'_>, policy: &DiscoveryPolicy) -> bool {
    let takes_hostname = match policy.level {
        Level::Verify if policy.match_names.is_empty() => true,
        _ => policy.match_names.contains(&MatchName::Hostname),
    };
    facts.source.is_trusted() || !takes_hostname
}
