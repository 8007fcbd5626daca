//! What reports about TLS (RFC 8460) are made of, beside what senders and administrators are told:
//! the policies that were applied, what the lookups behind them ran into, and how far each session
//! came on its way to TLS. Facts only; counting is done elsewhere.

use super::evidence;
use crate::session::SessionResult;
use crate::tls::TlsFailureCause;
use crate::tls::webpki::{WebPkiRefusal, WebPkiRoots};
use elsinore_dane::answer::{Answer, Last, Question, RecordData, RecordType};
use elsinore_dane::finding::Finding;
use elsinore_dane::ladder::ConnectionFailure;
use elsinore_dane::mta_sts::{StsFetch, StsFetchError, StsPolicy};
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::{NamePattern, Obligation};
use elsinore_dane::plan::{HostPlan, StsStance};
use elsinore_dane::rule::Rule;
use elsinore_dane::security::Security;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_smtp::client::{Cause, Event, Phase};
use std::net::IpAddr;
use std::sync::Arc;

/// TLSA sets and failed lookups that are kept of one domain: more hosts than this are not tried.
const KEPT: usize = 200;

/// What was learnt about a domain as a whole.
#[derive(Debug, Clone, Default)]
pub struct DomainAccount {
    /// The domain whose mail it is: the recipients' domain, or the smart host (RFC 8460 §1.1).
    /// `None` for address literals, about which nobody can be told.
    pub policy_domain: Option<DomainName>,
    /// What is known of its MTA-STS policy.
    pub sts: StsAccount,
    /// Lookups of MX, A, AAAA and TLSA records that failed.
    pub failed_lookups: Vec<FailedLookup>,
}

/// What is known of a domain's MTA-STS policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StsAccount {
    /// There is none, none was looked for, or it could not be found out whether there is one.
    #[default]
    None,
    /// This one applies, whatever its mode.
    Policy(StsPolicy),
    /// A record announces one, it could not be fetched, and none was stored.
    NotFetched(StsFetchError),
    /// What was fetched is not a policy, and none was stored.
    Invalid {
        /// What was fetched.
        body: Arc<[u8]>,
        /// What is wrong with it.
        why: String,
    },
    /// The record itself is malformed, and no policy was stored.
    RecordInvalid(String),
}

/// A lookup that failed: not an absence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedLookup {
    /// What was asked.
    pub question: Question,
    /// Bogus, or indeterminate.
    pub security: Security,
    /// The resolver's reason, in one line.
    pub reason: String,
}

/// How one attempt stood to TLS.
#[derive(Debug, Clone)]
pub struct TlsAccount {
    /// Where the host stands under the domain's MTA-STS policy.
    pub sts: StsStance,
    /// The TLSA records that decided about the session.
    pub tlsa: Option<TlsaAccount>,
    /// How far the session came. Of several connections to the address, the one that came furthest.
    pub end: TlsEnd,
    /// Whether the certificate is valid for the MX host, where an MTA-STS policy asks for that and a
    /// certificate was seen (RFC 8461 §4.2).
    pub webpki: Option<Result<(), WebPkiRefusal>>,
    /// The address of ours that the connection was made from, as far as it is known.
    pub sending_address: Option<IpAddr>,
    /// The name by which the server answered EHLO; a stranger's text, bounded and printable.
    pub receiving_helo: Option<String>,
}

/// The TLSA records that decided about a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsaAccount {
    /// The TLSA base domain (RFC 7672 §2.2.3).
    pub base_domain: DomainName,
    /// The whole RRset.
    pub records: Vec<TlsaRecord>,
    /// Whether one of the records is usable.
    pub usable: bool,
}

/// How far a session came on its way to TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsEnd {
    /// The host was not contacted, no connection was made, or the session ended before STARTTLS:
    /// nothing is known of its TLS.
    Unknown,
    /// Our side wanted none.
    NotWanted,
    /// The server does not offer STARTTLS.
    NotOffered,
    /// The server refused STARTTLS.
    Refused,
    /// The handshake failed, or the server did not prove what it must.
    Failed(TlsFailureCause),
    /// TLS was established, and the connection broke inside it before a transaction could begin.
    LostInside,
    /// TLS was established, and the server proved what it must.
    Established,
    /// The session of an earlier transaction was used again, which has counted it.
    Reused,
}

impl TlsAccount {
    /// The account of a host that was not contacted.
    pub(super) fn of_plan(plan: &HostPlan, sets: &[TlsaAccount]) -> Self {
        Self {
            sts: plan.sts,
            tlsa: tlsa_of(plan, sets),
            end: TlsEnd::Unknown,
            webpki: None,
            sending_address: None,
            receiving_helo: None,
        }
    }

    /// Takes in one session of the climb at an address.
    pub(super) fn take(
        &mut self,
        plan: &HostPlan,
        result: &SessionResult,
        (roots, now): (&WebPkiRoots, UnixTime),
    ) {
        let end = end_of(plan, result);
        let keep = match (&self.end, &end) {
            // Cleartext after a failure: the failure is the news.
            (TlsEnd::Unknown, _) => false,
            (_, TlsEnd::Unknown | TlsEnd::NotWanted) => true,
            (_, _) => false,
        };
        if !keep {
            self.end = end;
        }
        if let Some(offered) = &result.outcome.capabilities {
            self.receiving_helo = Some(offered.greeting_name.clone());
        }
        let asks = match self.sts {
            StsStance::None => false,
            StsStance::Enforced
            | StsStance::Refused
            | StsStance::TestingListed
            | StsStance::TestingUnlisted => true,
        };
        if asks
            && let Some(handshake) = result.handshake()
            && let Ok(name) = DomainName::parse(&plan.mx_host)
        {
            let names = [NamePattern::Exact(name)];
            let verdict = roots.validate(&handshake.chain, &names, now);
            self.webpki = Some(verdict.map(drop));
        }
    }
}

/// Which TLSA records decide about `plan`: those to be matched, or those of which none is usable.
fn tlsa_of(plan: &HostPlan, sets: &[TlsaAccount]) -> Option<TlsaAccount> {
    if let Obligation::Authenticate(requirements) = &plan.obligation
        && let Some(dane) = &requirements.dane
    {
        return Some(TlsaAccount {
            base_domain: dane.base_domain.clone(),
            records: dane.records.clone(),
            usable: true,
        });
    }
    let unusable = |finding: &&Finding| finding.rule == Rule::TlsaUnusable;
    let base = &plan.findings.iter().find(unusable)?.subject;
    let set = sets.iter().find(|set| set.base_domain.as_str() == base)?;
    Some(TlsaAccount {
        usable: false,
        ..set.clone()
    })
}

fn end_of(plan: &HostPlan, result: &SessionResult) -> TlsEnd {
    if let Some(failure) = &result.tls_failure {
        return TlsEnd::Failed(failure.cause.clone());
    }
    if result.tls.is_some() {
        let lost = evidence::connection_failure(result) == Some(ConnectionFailure::LostInsideTls);
        let early = |phase| phase < Phase::Mail;
        let failure = result.outcome.failure.as_ref();
        return if lost && failure.is_some_and(|failure| early(failure.phase)) {
            TlsEnd::LostInside
        } else {
            TlsEnd::Established
        };
    }
    let refused = |event: &Event| matches!(event, Event::StartTlsRefused { .. });
    match &result.outcome.failure {
        Some(failure) if matches!(failure.cause, Cause::TlsNotOffered) => TlsEnd::NotOffered,
        Some(failure) if matches!(failure.cause, Cause::TlsRefused) => TlsEnd::Refused,
        _ if result.outcome.events.iter().any(refused) => TlsEnd::Refused,
        Some(failure) if failure.phase < Phase::Mail => TlsEnd::Unknown,
        Some(_) | None => match &plan.obligation {
            Obligation::Cleartext => TlsEnd::NotWanted,
            // A server that offers it was asked, unless an earlier connection has shown that its
            // TLS does not work.
            Obligation::Skip(_)
            | Obligation::Opportunistic
            | Obligation::Encrypt
            | Obligation::Authenticate(_) => match &result.outcome.capabilities {
                Some(offered) if offered.starttls => TlsEnd::NotWanted,
                Some(_) | None => TlsEnd::NotOffered,
            },
        },
    }
}

/// The answers to the questions of one domain, as far as reports speak of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Overheard {
    pub(super) failed: Vec<FailedLookup>,
    pub(super) sets: Vec<TlsaAccount>,
}

impl Overheard {
    /// Notes an answer.
    pub(super) fn hear(&mut self, answer: &Answer) {
        let of_interest = matches!(
            answer.question.record_type,
            RecordType::Mx | RecordType::A | RecordType::Aaaa | RecordType::Tlsa
        );
        let overall = answer.overall();
        let security = overall.security();
        if of_interest
            && self.failed.len() < KEPT
            && matches!(security, Security::Bogus | Security::Indeterminate)
        {
            self.failed.push(FailedLookup {
                question: answer.question.clone(),
                security,
                reason: overall.reason().to_owned(),
            });
        }
        let (RecordType::Tlsa, Last::Data(set)) = (answer.question.record_type, &answer.last)
        else {
            return;
        };
        // The owner is _PORT._tcp.BASE (RFC 6698 §3).
        let base = answer.question.name.parent().and_then(|name| name.parent());
        let Some(base_domain) = base.filter(|_| self.sets.len() < KEPT) else {
            return;
        };
        let records = set.records.iter().filter_map(|record| match record {
            RecordData::Tlsa(tlsa) => Some(tlsa.clone()),
            RecordData::A(_)
            | RecordData::Aaaa(_)
            | RecordData::Mx { .. }
            | RecordData::Txt(_)
            | RecordData::Name(_)
            | RecordData::Other(_) => None,
        });
        self.sets.push(TlsaAccount {
            base_domain,
            records: records.collect(),
            usable: false,
        });
    }
}

/// What is known of a policy: the one that applies, else why there is none.
pub(super) fn sts_account(
    policy: Option<&StsPolicy>,
    fetch: Option<&StsFetch>,
    findings: &[Finding],
) -> StsAccount {
    if let Some(policy) = policy {
        return StsAccount::Policy(policy.clone());
    }
    match fetch {
        Some(StsFetch::Failed(StsFetchError::Disabled)) => StsAccount::None,
        Some(StsFetch::Failed(why)) => StsAccount::NotFetched(why.clone()),
        Some(StsFetch::Fetched(body)) => match StsPolicy::parse(body) {
            Ok(_) => StsAccount::None,
            Err(why) => StsAccount::Invalid {
                body: Arc::from(body.as_slice()),
                why: why.to_string(),
            },
        },
        None => {
            let invalid = |finding: &&Finding| finding.rule == Rule::StsRecordInvalid;
            let found = findings.iter().find(invalid);
            found.map_or(StsAccount::None, |finding| {
                StsAccount::RecordInvalid(finding.evidence.clone())
            })
        }
    }
}
