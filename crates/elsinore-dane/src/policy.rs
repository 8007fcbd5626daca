//! The one place where everything that bears on a session is combined: what TLSA says (RFC 7672
//! §2.2), how far the MX can be believed (§2.2.1), MTA-STS (RFC 8461 §2, §5), the administrator's
//! level, and what the message asks for (RFC 8689 §4.2).

mod floor;

use crate::destination::{InsecureMx, Level, Mode};
use crate::discovery::flaw::{Flaw, Flaws};
use crate::discovery::{DaneUse, DiscoveryPolicy, MessageTls, StsUse};
use crate::finding::Finding;
use crate::mta_sts::{StsMode, StsPolicy};
use crate::name::DomainName;
use crate::obligation::{
    DaneRequirement, NamePattern, Obligation, Requirements, SkipReason, WebPkiReason,
    WebPkiRequirement,
};
use crate::plan::{HostSource, StsStance, TlsVersion};
use crate::rule::Rule;
use crate::tlsa::TlsaRecord;

/// What the search for TLSA records established: the four outcomes of RFC 7672 §2.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsaOutcome {
    /// A secure RRset with at least one usable record.
    Usable {
        /// The TLSA base domain.
        base: DomainName,
        /// The whole RRset.
        records: Vec<TlsaRecord>,
    },
    /// A secure RRset without a usable record.
    Unusable {
        /// The TLSA base domain.
        base: DomainName,
    },
    /// No RRset, or an insecure one, or no reason to look for one.
    Absent,
    /// A lookup failed.
    Failed,
}

/// What is known of one host when its obligation is decided.
#[derive(Debug, Clone)]
pub struct HostFacts<'a> {
    /// The host as the MX record or the administrator names it; `None` for an address literal.
    pub name: Option<&'a DomainName>,
    /// How it was found.
    pub source: HostSource,
    /// The next-hop domain (the host itself when the administrator named it).
    pub next_hop: Option<&'a DomainName>,
    /// Its expansion, when it is an alias in the MX lookup.
    pub next_hop_expansion: Option<&'a DomainName>,
    /// The outcome of the TLSA search.
    pub tlsa: TlsaOutcome,
    /// The policy that applies, whatever its mode.
    pub sts: Option<&'a StsPolicy>,
}

/// The decision about one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What the session is obliged to.
    pub obligation: Obligation,
    /// The server name to send.
    pub sni: Option<DomainName>,
    /// The host's standing under MTA-STS.
    pub sts: StsStance,
    /// The lowest TLS version.
    pub min_tls: TlsVersion,
    /// What was noticed.
    pub findings: Vec<Finding>,
}

impl DiscoveryPolicy {
    /// Whether TLSA records are looked up for hosts found this way. An exact level that does not
    /// use them, `TLS-Required: No`, and `insecure_mx = "may"` make the search pointless.
    #[must_use]
    pub const fn seeks_tlsa(&self, source: HostSource) -> bool {
        if matches!(self.dane, DaneUse::Ignore) {
            return false;
        }
        if matches!(self.level, Level::DaneOnly) {
            return source.is_trusted();
        }
        if matches!(self.message, MessageTls::Optional) {
            return false;
        }
        if matches!(self.mode, Mode::Exact) && !matches!(self.level, Level::Dane) {
            return false;
        }
        source.is_trusted() || !matches!(self.insecure_mx, InsecureMx::May)
    }

    /// Whether MTA-STS is looked up. REQUIRETLS needs it even beside an exact level, because it
    /// is what vouches for an MX host that DNSSEC does not vouch for (RFC 8689 §4.2.1).
    #[must_use]
    pub const fn honours_sts(&self) -> bool {
        if matches!(self.sts, StsUse::Ignore) {
            return false;
        }
        match self.message {
            MessageTls::Optional => false,
            MessageTls::Required => true,
            MessageTls::Unspecified => matches!(self.mode, Mode::Minimum),
        }
    }

    /// Whether MTA-STS can bear on a host with this TLSA outcome: not where DANE decides alone
    /// (RFC 8461 §2), and not where the host is skipped anyway.
    #[must_use]
    pub const fn sts_bears_on(&self, source: HostSource, tlsa: &TlsaOutcome) -> bool {
        if !self.honours_sts() || matches!(self.level, Level::DaneOnly) {
            return false;
        }
        match tlsa {
            TlsaOutcome::Usable { .. } => !source.is_trusted(),
            TlsaOutcome::Unusable { .. } | TlsaOutcome::Absent => true,
            TlsaOutcome::Failed => false,
        }
    }
}

/// Decides what the session with one host is obliged to.
#[must_use]
pub fn decide(facts: HostFacts<'_>, policy: &DiscoveryPolicy) -> Decision {
    decide_with(facts, policy, Flaws::default())
}

pub(crate) fn decide_with(
    mut facts: HostFacts<'_>,
    policy: &DiscoveryPolicy,
    flaws: Flaws,
) -> Decision {
    let tlsa = std::mem::replace(&mut facts.tlsa, TlsaOutcome::Absent);
    let mut draft = Draft::default();
    draft.take_tlsa(tlsa, &facts, policy, flaws);
    draft.take_sts(&facts, policy, flaws);
    floor::apply_level(&mut draft, &facts, policy);
    floor::apply_message(&mut draft, &facts, policy);
    draft.finish(&facts, policy)
}

/// A decision in the making: everything in it is a demand, and demands only accumulate.
#[derive(Debug, Default)]
struct Draft {
    skip: Option<SkipReason>,
    tls: TlsNeed,
    requirements: Requirements,
    sts: StsStance,
    findings: Vec<Finding>,
}

/// Whether a session without TLS will do when nothing has to be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum TlsNeed {
    /// TLS is not even tried.
    Never,
    /// TLS if it can be had.
    #[default]
    Wanted,
    /// TLS always.
    Required,
}

impl Draft {
    /// The first reason stands: it is the one that a repair has to begin with.
    fn skip(&mut self, reason: SkipReason) {
        self.skip.get_or_insert(reason);
    }

    fn note(&mut self, rule: Rule, facts: &HostFacts<'_>, evidence: impl Into<String>) {
        let subject = facts.name.map_or("address", DomainName::as_str);
        self.findings.push(Finding::new(rule, subject, evidence));
    }

    /// The four outcomes (RFC 7672 §2.2), and what an insecure MX leaves of them (§2.2.1).
    fn take_tlsa(
        &mut self,
        tlsa: TlsaOutcome,
        facts: &HostFacts<'_>,
        policy: &DiscoveryPolicy,
        flaws: Flaws,
    ) {
        //= spec: 7672-2.2.1-6
        let mx_secure = facts.source.is_trusted() || flaws.has(Flaw::InsecureMxIsVerified);
        match tlsa {
            //= spec: 7672-2.2-6
            //= spec: 7672-2.2.1-8
            TlsaOutcome::Failed => self.skip(SkipReason::TlsaLookupFailed),
            //= spec: 7672-2.2-5
            //= spec: 7672-2.2.1-9
            TlsaOutcome::Absent => {}
            //= spec: 7672-2.2-3
            //= spec: 7672-2.2.3-4
            TlsaOutcome::Unusable { .. } => self.tls = TlsNeed::Required,
            TlsaOutcome::Usable { .. }
                if !mx_secure && policy.insecure_mx == InsecureMx::Encrypt =>
            {
                self.tls = TlsNeed::Required;
                self.note(Rule::InsecureMxHost, facts, "insecure_mx = \"encrypt\"");
            }
            //= spec: 7672-2.2-1
            TlsaOutcome::Usable { base, records } => {
                if !mx_secure {
                    self.note(Rule::InsecureMxHost, facts, "insecure_mx = \"dane\"");
                }
                let reference_identifiers = reference_identifiers(&base, facts, flaws);
                self.requirements.dane = Some(DaneRequirement {
                    base_domain: base,
                    records,
                    reference_identifiers,
                    mx_secure,
                });
            }
        }
    }

    /// RFC 8461 §2: DANE under a secure MX decides alone; otherwise an enforced policy is demanded
    /// on top of whatever TLSA demands.
    fn take_sts(&mut self, facts: &HostFacts<'_>, policy: &DiscoveryPolicy, flaws: Flaws) {
        let decides_alone = self.requirements.dane.as_ref().is_some_and(|d| d.mx_secure);
        let Some(sts) = facts.sts.filter(|sts| sts.mode != StsMode::None) else {
            return;
        };
        if !policy.honours_sts() || policy.level == Level::DaneOnly {
            return;
        }
        if decides_alone {
            self.note(Rule::DaneBeforeSts, facts, "TLSA records under a secure MX");
            return;
        }
        let listed = facts.name.filter(|name| sts.lists(name));
        match (sts.mode, listed) {
            (StsMode::Enforce, Some(name)) => {
                self.sts = StsStance::Enforced;
                self.require_webpki(name, WebPkiReason::Sts);
                if flaws.has(Flaw::StsReplacesDane) {
                    self.requirements.dane = None;
                }
                self.note(Rule::StsEnforced, facts, "listed in the policy");
            }
            (StsMode::Enforce, None) => {
                self.sts = StsStance::Refused;
                self.note(Rule::StsMismatch, facts, patterns(sts));
                if !flaws.has(Flaw::StsMismatchIgnored) {
                    self.skip(SkipReason::StsMismatch);
                }
            }
            (StsMode::Testing, Some(_)) => self.sts = StsStance::TestingListed,
            (StsMode::Testing, None) => {
                self.sts = StsStance::TestingUnlisted;
                self.note(Rule::StsTesting, facts, patterns(sts));
            }
            (StsMode::None, _) => {}
        }
    }

    fn require_webpki(&mut self, name: &DomainName, because: WebPkiReason) {
        self.requirements.webpki = Some(WebPkiRequirement {
            names: vec![NamePattern::Exact(name.clone())],
            because,
        });
    }

    fn finish(self, facts: &HostFacts<'_>, policy: &DiscoveryPolicy) -> Decision {
        let Requirements { dane, webpki, pins } = &self.requirements;
        let has_requirements = dane.is_some() || webpki.is_some() || pins.is_some();
        //= spec: 7672-8.1-1
        let sni = dane.as_ref().map(|dane| &dane.base_domain).or(facts.name);
        let sni = sni.cloned();
        let obligation = match self.skip {
            //= spec: 7672-2.1.2-5
            Some(reason) => Obligation::Skip(reason),
            //= spec: 7672-3.2-1
            None if has_requirements => Obligation::Authenticate(self.requirements),
            None => match self.tls {
                TlsNeed::Never => Obligation::Cleartext,
                TlsNeed::Wanted => Obligation::Opportunistic,
                TlsNeed::Required => Obligation::Encrypt,
            },
        };
        let min_tls = match &obligation {
            Obligation::Authenticate(_) => policy.min_authenticated,
            Obligation::Skip(_)
            | Obligation::Cleartext
            | Obligation::Opportunistic
            | Obligation::Encrypt => TlsVersion::Tls10,
        };
        Decision {
            obligation,
            sni,
            sts: self.sts,
            min_tls,
            findings: self.findings,
        }
    }
}

/// The names that a DANE-TA certificate may carry (RFC 7672 §3.2.2), the base domain first.
fn reference_identifiers(
    base: &DomainName,
    facts: &HostFacts<'_>,
    flaws: Flaws,
) -> Vec<DomainName> {
    //= spec: 7672-3.2.2-2
    let mut names = vec![base.clone()];
    let believes_next_hop = match facts.source {
        //= spec: 7672-3.2.2-3
        HostSource::SecureMx => true,
        //= spec: 7672-3.2.2-5
        HostSource::InsecureMx => flaws.has(Flaw::NextHopNameUnderInsecureMx),
        // Only where the base is the secure expansion; otherwise the two are the same name.
        //= spec: 7672-3.2.2-6
        HostSource::SecureImplicit | HostSource::Configured => true,
        HostSource::InsecureImplicit => false,
    };
    if believes_next_hop {
        //= spec: 7672-3.2.2-4
        let further = facts.next_hop.into_iter().chain(facts.next_hop_expansion);
        for name in further {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}

/// The patterns of a policy in one bounded line.
fn patterns(policy: &StsPolicy) -> String {
    const SHOWN: usize = 5;
    let mut text = String::from("mx:");
    for pattern in policy.mx.iter().take(SHOWN) {
        text.push(' ');
        text.push_str(&pattern.to_string());
    }
    if policy.mx.len() > SHOWN {
        text.push_str(" ...");
    }
    text
}
