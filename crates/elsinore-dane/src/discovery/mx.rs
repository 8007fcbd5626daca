//! From the answer to the MX question to hosts in order of trial (RFC 5321 §5.1, RFC 7672
//! §2.2.1, RFC 7505).

use super::flaw::{Flaw, Flaws};
use super::shuffle::Shuffle;
use crate::answer::{Answer, DenialKind, Last, RecordData};
use crate::finding::Finding;
use crate::name::DomainName;
use crate::plan::{EnhancedCode, HostSource, Refusal};
use crate::rule::Rule;
use crate::security::Security;
use std::net::Ipv4Addr;

/// The most MX hosts that are considered; further ones are dropped with a finding.
const MAX_HOSTS: usize = 50;

/// What the MX lookup established.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MxOutcome {
    /// Hosts by preference, equal ones shuffled; at least one.
    Hosts {
        /// Whether the whole way to the RRset is secure.
        source: HostSource,
        /// Preference and name.
        hosts: Vec<(u16, DomainName)>,
        /// The end of the alias chain, when the domain is an alias.
        expansion: Option<DomainName>,
    },
    /// There are no MX records: the domain is its own host.
    Implicit {
        /// Whether the denial is secure.
        source: HostSource,
    },
    /// The message is returned.
    Bounce(Refusal),
    /// The message waits.
    Defer(Refusal),
}

/// The worst security of the whole chain; a flawed engine looks at the end only.
fn overall(answer: &Answer, flaws: Flaws) -> Security {
    if flaws.has(Flaw::MxAliasesUnchecked) {
        return answer.last.status().security();
    }
    answer.overall().security()
}

pub(super) fn judge(
    domain: &DomainName,
    answer: &Answer,
    shuffle: &mut Shuffle,
    findings: &mut Vec<Finding>,
    flaws: Flaws,
) -> MxOutcome {
    let security = overall(answer, flaws);
    //= spec: 7672-2.1.2-1
    //= spec: 7672-2.1.1-4
    let is_failure = matches!(security, Security::Bogus | Security::Indeterminate);
    if is_failure && !flaws.has(Flaw::MxFailureIsAbsence) {
        let reason = answer.overall().reason();
        findings.push(Finding::new(Rule::MxLookupFailed, domain.as_str(), reason));
        return MxOutcome::Defer(Refusal {
            code: EnhancedCode::new(4, 4, 3),
            reason: format!("the MX lookup of {domain} failed: {reason}"),
        });
    }
    let is_secure = security == Security::Secure;
    if let Some(last) = answer.chain.last() {
        findings.push(Finding::new(
            Rule::NextHopAlias,
            domain.as_str(),
            format!("stands for {}, {security}", last.target),
        ));
    }
    match &answer.last {
        Last::Denied(denial) if denial.kind == DenialKind::NxDomain => {
            let name = answer.final_name();
            let reason = format!("{name} does not exist{}", literal_hint(name));
            findings.push(Finding::new(
                Rule::DomainNotFound,
                domain.as_str(),
                &*reason,
            ));
            MxOutcome::Bounce(Refusal {
                code: EnhancedCode::new(5, 1, 2),
                reason,
            })
        }
        Last::Denied(_) | Last::Failed(_) => {
            findings.push(Finding::new(
                Rule::ImplicitMx,
                domain.as_str(),
                format!("no MX records, {security}"),
            ));
            MxOutcome::Implicit {
                source: if is_secure {
                    HostSource::SecureImplicit
                } else {
                    HostSource::InsecureImplicit
                },
            }
        }
        Last::Data(set) => {
            let source = if is_secure {
                HostSource::SecureMx
            } else {
                let reason = answer.overall().reason();
                findings.push(Finding::new(Rule::MxInsecure, domain.as_str(), reason));
                HostSource::InsecureMx
            };
            let expansion = answer.chain.last().map(|link| link.target.clone());
            sort(domain, &set.records, source, expansion, shuffle, findings)
        }
    }
}

/// Four numbers are a domain as far as the grammar goes (RFC 5321 §4.1.2); whoever writes them
/// means the address literal of §4.1.3.
fn literal_hint(name: &DomainName) -> String {
    match name.as_str().parse::<Ipv4Addr>() {
        Ok(address) => format!("; if the address is meant, write [{address}]"),
        Err(_) => String::new(),
    }
}

fn sort(
    domain: &DomainName,
    records: &[RecordData],
    source: HostSource,
    expansion: Option<DomainName>,
    shuffle: &mut Shuffle,
    findings: &mut Vec<Finding>,
) -> MxOutcome {
    let mut hosts: Vec<(u16, DomainName)> = Vec::with_capacity(records.len().min(MAX_HOSTS));
    let mut has_null = false;
    for record in records {
        let RecordData::Mx {
            preference,
            exchange,
        } = record
        else {
            continue;
        };
        if exchange.is_root() {
            has_null = true;
        } else {
            hosts.push((*preference, exchange.clone()));
        }
    }
    if hosts.is_empty() {
        if has_null {
            findings.push(Finding::new(Rule::NullMx, domain.as_str(), "MX 0 ."));
            return MxOutcome::Bounce(Refusal {
                code: EnhancedCode::new(5, 1, 10),
                reason: format!("{domain} receives no mail (null MX)"),
            });
        }
        // An answer without one record of the type asked for is no answer.
        return MxOutcome::Defer(Refusal {
            code: EnhancedCode::new(4, 4, 3),
            reason: format!("the MX answer for {domain} holds no MX record"),
        });
    }
    if has_null {
        findings.push(Finding::new(
            Rule::NullMxBesideOthers,
            domain.as_str(),
            format!("a null MX beside {} other records", hosts.len()),
        ));
    }
    //= spec: 7672-2.2.1-1
    //= spec: 7672-2.2.1-2
    //= spec: 7672-2.2.1-3
    if hosts.len() > 1 {
        // By name first, so that the order of the records never matters.
        hosts.sort_unstable_by(|a, b| a.1.cmp(&b.1).then(a.0.cmp(&b.0)));
        hosts.dedup_by(|later, earlier| later.1 == earlier.1);
        hosts.sort_by_key(|(preference, _)| *preference);
        for group in hosts.chunk_by_mut(|a, b| a.0 == b.0) {
            shuffle.apply(group);
        }
    }
    if hosts.len() > MAX_HOSTS {
        findings.push(Finding::new(
            Rule::TooManyHosts,
            domain.as_str(),
            format!("{} MX hosts, the best {MAX_HOSTS} are used", hosts.len()),
        ));
        hosts.truncate(MAX_HOSTS);
    }
    MxOutcome::Hosts {
        source,
        hosts,
        expansion,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_brackets_is_told_how_to_be_one() {
        for (name, expected) in [
            ("127.0.0.1", "; if the address is meant, write [127.0.0.1]"),
            ("127.0.0.256", ""),
            ("1.2.3", ""),
            ("a.example", ""),
        ] {
            let name = DomainName::parse(name).unwrap();
            assert_eq!(literal_hint(&name), expected);
        }
    }
}
