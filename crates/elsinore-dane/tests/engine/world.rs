//! A small world with signed and unsigned zones, the honest answers that follow from it, and an
//! attacker who may fail anything and forge whatever no signature protects.

use crate::drive::{NOW, Oracle, data, denied, failed, name, status, via};
use elsinore_dane::answer::{Answer, DenialKind, Last, Question, RecordData, RecordType};
use elsinore_dane::discovery::AskFreshness;
use elsinore_dane::mta_sts::{CachedPolicy, StsFetch, StsFetchError, StsPolicy};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::Security;
use elsinore_dane::tlsa::TlsaRecord;

/// Whether a zone is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    Signed,
    Unsigned,
}

pub(crate) const ZONES: [Zone; 2] = [Zone::Signed, Zone::Unsigned];

impl Zone {
    const fn security(self) -> Security {
        match self {
            Self::Signed => Security::Secure,
            Self::Unsigned => Security::Insecure,
        }
    }

    fn is_signed(self) -> bool {
        self == Self::Signed
    }
}

/// What stands at a TLSA name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tlsa {
    Absent,
    Unusable,
    Usable,
    /// A usable RRset behind an alias into another zone.
    UsableVia(Zone),
}

/// Which addresses the host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Families {
    Both,
    Ipv4Only,
    /// Both, but the A RRset is insecure inside a signed zone, as a wildcard below an opt-out
    /// span can be; AAAA is secure.
    Ipv4Insecure,
}

/// The domain's MTA-STS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sts {
    None,
    Enforce,
    /// Enforced, and the MX host is not in it.
    EnforceOther,
    Testing,
}

/// `d` (alias of `e` if `next_hop_alias`) has the MX host `mx.h`, an alias by way of `aliases`.
/// `d`, `e`, `h`, `i`, `t` and `m` are zones of their own.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) d: Zone,
    pub(crate) next_hop_alias: Option<Zone>,
    pub(crate) h: Zone,
    /// The zones the host's alias leads through; the last one holds the addresses.
    pub(crate) aliases: Vec<Zone>,
    pub(crate) families: Families,
    pub(crate) tlsa_original: Tlsa,
    pub(crate) tlsa_between: Tlsa,
    pub(crate) tlsa_expanded: Tlsa,
    pub(crate) published: Sts,
    pub(crate) cached: Sts,
}

pub(crate) fn tlsa_of(owner: &str) -> TlsaRecord {
    let mut digest = [0_u8; 32];
    for (octet, byte) in digest.iter_mut().zip(owner.bytes()) {
        *octet = byte;
    }
    TlsaRecord::new(3, 1, 1, &digest)
}

fn policy_text(sts: Sts) -> Option<String> {
    let (mode, mx) = match sts {
        Sts::None => return None,
        Sts::Enforce => ("enforce", "mx.h"),
        Sts::EnforceOther => ("enforce", "other.h"),
        Sts::Testing => ("testing", "other.h"),
    };
    Some(format!(
        "version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 86400\n"
    ))
}

impl World {
    pub(crate) fn cached_policy(&self) -> Option<CachedPolicy> {
        let text = policy_text(self.cached)?;
        Some(CachedPolicy {
            domain: name("d"),
            id: format!("{:?}", self.cached),
            policy: StsPolicy::parse(text.as_bytes()).unwrap(),
            fetched_at: NOW.plus_seconds(-60),
        })
    }

    pub(crate) fn mx_is_secure(&self) -> bool {
        self.d.is_signed() && self.next_hop_alias.is_none_or(Zone::is_signed)
    }

    /// The names of the host's chain with their zones.
    fn chain(&self) -> Vec<(DomainName, Zone)> {
        let mut names = vec![(name("mx.h"), self.h)];
        let last = self.aliases.len();
        for (index, zone) in self.aliases.iter().enumerate() {
            let text = if index + 1 == last { "mx.t" } else { "mx.i" };
            names.push((name(text), *zone));
        }
        names
    }

    pub(crate) fn is_whole_secure(&self) -> bool {
        self.chain().iter().all(|(_, zone)| zone.is_signed())
    }

    pub(crate) fn expanded(&self) -> DomainName {
        self.chain().last().unwrap().0.clone()
    }

    fn tlsa_at(&self, base: &DomainName) -> (Tlsa, Zone) {
        let chain = self.chain();
        let Some((_, zone)) = chain.iter().find(|(owner, _)| owner == base) else {
            return (Tlsa::Absent, Zone::Unsigned);
        };
        let what = match base.as_str() {
            "mx.h" => self.tlsa_original,
            "mx.i" => self.tlsa_between,
            _ => self.tlsa_expanded,
        };
        (what, *zone)
    }

    /// What is really, securely published at a base domain: `None` for nothing, an empty list
    /// for an unusable RRset.
    pub(crate) fn truth(&self, base: &DomainName) -> Option<Vec<TlsaRecord>> {
        let (what, zone) = self.tlsa_at(base);
        match what {
            Tlsa::Usable | Tlsa::UsableVia(Zone::Signed) if zone.is_signed() => {
                Some(vec![tlsa_of(base.as_str())])
            }
            Tlsa::Unusable if zone.is_signed() => Some(Vec::new()),
            Tlsa::Absent | Tlsa::Unusable | Tlsa::Usable | Tlsa::UsableVia(_) => None,
        }
    }

    /// The attacks on one answer that are within the attacker's power.
    fn attacks(&self, question: &Question) -> Vec<Attack> {
        let honest = self.honest(question);
        let record_type = question.record_type;
        let owner = &honest.question.name;
        ATTACKS
            .into_iter()
            .filter(|attack| match (attack, record_type) {
                // For addresses what is said is the same as with silence and with NODATA.
                (Attack::Bogus | Attack::ForgeNxDomain, RecordType::A | RecordType::Aaaa) => false,
                // With AAAA silenced only an insecure answer for the name would be left, which is
                // what an unsigned zone looks like: the contradiction must be seen to be acted on.
                // One version of a zone cannot hold it, since a name with AAAA records of its own
                // lies in no opt-out span and takes no wildcard; a zone in transition can.
                (attack, RecordType::Aaaa) if self.families == Families::Ipv4Insecure => {
                    *attack == Attack::None
                }
                _ => true,
            })
            .filter(|attack| owner.as_str() != "mx.evil" || *attack == Attack::None)
            .filter(|attack| attack.apply(&honest).is_some())
            .collect()
    }

    /// The honest answer.
    fn honest(&self, question: &Question) -> Answer {
        match question.record_type {
            RecordType::Mx => self.mx(question),
            RecordType::Txt => match policy_text(self.published) {
                Some(_) => {
                    let text = format!("v=STSv1; id={:?};", self.published);
                    let records = vec![RecordData::Txt(text.into_bytes())];
                    data(question, records, self.d.security())
                }
                None => denied(question, DenialKind::NxDomain, self.d.security()),
            },
            RecordType::A | RecordType::Aaaa => self.address(question, 0),
            _ => self.tlsa(question),
        }
    }

    fn mx(&self, question: &Question) -> Answer {
        let records = vec![RecordData::Mx {
            preference: 10,
            exchange: name("mx.h"),
        }];
        match self.next_hop_alias {
            None => data(question, records, self.d.security()),
            Some(zone) => {
                let target = Question::new(name("e"), RecordType::Mx);
                let rest = data(&target, records, zone.security());
                via(&question.name, self.d.security(), rest)
            }
        }
    }

    fn address(&self, question: &Question, depth: usize) -> Answer {
        let chain = self.chain();
        let is_v4 = question.record_type == RecordType::A;
        let Some((owner, zone)) = chain.get(depth) else {
            return denied(question, DenialKind::NxDomain, Security::Insecure);
        };
        if *owner != question.name {
            // A name outside the world: the attacker's own, signed by the attacker.
            return evil_address(question);
        }
        if let Some((target, _)) = chain.get(depth + 1) {
            let rest = Question::new(target.clone(), question.record_type);
            return via(owner, zone.security(), self.address(&rest, depth + 1));
        }
        if !is_v4 && self.families == Families::Ipv4Only {
            return denied(question, DenialKind::NoData, zone.security());
        }
        let security = if is_v4 && self.families == Families::Ipv4Insecure {
            Security::Insecure
        } else {
            zone.security()
        };
        let record = if is_v4 {
            RecordData::A([192, 0, 2, 1].into())
        } else {
            RecordData::Aaaa("2001:db8::1".parse().unwrap())
        };
        data(question, vec![record], security)
    }

    fn tlsa(&self, question: &Question) -> Answer {
        let text = question.name.as_str();
        let base = name(text.strip_prefix("_25._tcp.").unwrap());
        let (what, zone) = self.tlsa_at(&base);
        let usable = vec![RecordData::Tlsa(tlsa_of(base.as_str()))];
        match what {
            Tlsa::Absent => denied(question, DenialKind::NxDomain, zone.security()),
            Tlsa::Usable => data(question, usable, zone.security()),
            Tlsa::Unusable => {
                let record = TlsaRecord::new(1, 1, 1, &[1; 32]);
                data(question, vec![RecordData::Tlsa(record)], zone.security())
            }
            Tlsa::UsableVia(other) => {
                let target = Question::new(name("tlsa.m"), RecordType::Tlsa);
                let rest = data(&target, usable, other.security());
                via(&question.name, zone.security(), rest)
            }
        }
    }
}

fn evil_address(question: &Question) -> Answer {
    let record = match question.record_type {
        RecordType::Aaaa => RecordData::Aaaa("2001:db8:666::1".parse().unwrap()),
        _ => RecordData::A([203, 0, 113, 66].into()),
    };
    data(question, vec![record], Security::Secure)
}

fn evil_records(record_type: RecordType) -> Vec<RecordData> {
    match record_type {
        RecordType::Mx => vec![RecordData::Mx {
            preference: 0,
            exchange: name("mx.evil"),
        }],
        RecordType::Txt => vec![RecordData::Txt(b"v=STSv1; id=evil;".to_vec())],
        RecordType::Tlsa => vec![RecordData::Tlsa(tlsa_of("evil"))],
        RecordType::Aaaa => vec![RecordData::Aaaa("2001:db8:666::1".parse().unwrap())],
        _ => vec![RecordData::A([203, 0, 113, 66].into())],
    }
}

/// What the attacker does to the answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attack {
    /// Nothing.
    None,
    /// Silence.
    Silence,
    /// A forgery that does not validate.
    Bogus,
    /// The first alias link arrives, the rest fails.
    FailAfterFirstLink,
    /// A resolver that gives one verdict for the whole chain, and whose question for the first
    /// zone's status is answered by nobody.
    HideFirstStatus,
    /// From the first unprotected piece on: records of the attacker.
    ForgeData,
    /// From the first unprotected piece on: no such records.
    ForgeNoData,
    /// From the first unprotected piece on: no such name.
    ForgeNxDomain,
    /// From the first unprotected piece on: an alias to a zone that the attacker signed.
    ForgeAlias,
}

const ATTACKS: [Attack; 9] = [
    Attack::None,
    Attack::Silence,
    Attack::Bogus,
    Attack::FailAfterFirstLink,
    Attack::HideFirstStatus,
    Attack::ForgeData,
    Attack::ForgeNoData,
    Attack::ForgeNxDomain,
    Attack::ForgeAlias,
];

impl Attack {
    /// Whether only failures are caused.
    const fn is_failure(self) -> bool {
        match self {
            Self::None
            | Self::Silence
            | Self::Bogus
            | Self::FailAfterFirstLink
            | Self::HideFirstStatus => true,
            Self::ForgeData | Self::ForgeNoData | Self::ForgeNxDomain | Self::ForgeAlias => false,
        }
    }

    /// The answer after the attack; `None` when it is not within the attacker's power.
    fn apply(self, honest: &Answer) -> Option<Answer> {
        let question = &honest.question;
        let keep = |count: usize| honest.chain[..count].to_vec();
        match self {
            Self::None => Some(honest.clone()),
            Self::Silence => Some(failed(question, Security::Indeterminate)),
            Self::Bogus => Some(failed(question, Security::Bogus)),
            Self::FailAfterFirstLink => (!honest.chain.is_empty()).then(|| Answer {
                chain: keep(1),
                ..failed(question, Security::Bogus)
            }),
            Self::HideFirstStatus => {
                let is_insecure = honest.overall().security() == Security::Insecure;
                (is_insecure && !honest.chain.is_empty()).then(|| {
                    let mut answer = honest.clone();
                    for link in &mut answer.chain {
                        link.status = status(Security::Insecure);
                    }
                    answer.chain[0].status = status(Security::Indeterminate);
                    if let Last::Data(set) = &mut answer.last {
                        set.status = status(Security::Insecure);
                    }
                    answer
                })
            }
            Self::ForgeData | Self::ForgeNoData | Self::ForgeNxDomain | Self::ForgeAlias => {
                let first_open = honest
                    .chain
                    .iter()
                    .map(|link| &link.status)
                    .chain([honest.last.status()])
                    .position(|status| status.security() == Security::Insecure)?;
                let at = match first_open.checked_sub(1) {
                    Some(before) => honest.chain[before].target.clone(),
                    None => question.name.clone(),
                };
                let open = Question::new(at.clone(), question.record_type);
                let forged = match self {
                    Self::ForgeNoData => denied(&open, DenialKind::NoData, Security::Insecure),
                    Self::ForgeNxDomain => denied(&open, DenialKind::NxDomain, Security::Insecure),
                    Self::ForgeAlias => {
                        let target = Question::new(name("mx.evil"), question.record_type);
                        let records = evil_records(question.record_type);
                        via(
                            &at,
                            Security::Insecure,
                            data(&target, records, Security::Secure),
                        )
                    }
                    _ => data(
                        &open,
                        evil_records(question.record_type),
                        Security::Insecure,
                    ),
                };
                let mut chain = keep(first_open);
                chain.extend(forged.chain);
                Some(Answer {
                    question: question.clone(),
                    chain,
                    last: forged.last,
                    oddities: Vec::new(),
                })
            }
        }
    }
}

/// One attack on everything that is asked, chosen question by question.
///
/// [`Attacked::next`] turns it into the following one, so that every combination of attacks on
/// questions that are really put comes up exactly once.
#[derive(Debug)]
pub(crate) struct Attacked<'a> {
    world: &'a World,
    choices: Vec<Choice>,
    used: usize,
}

#[derive(Debug, Clone)]
struct Choice {
    /// `None` for the policy host: honest, or failing; its certificate keeps it from forging.
    question: Option<Question>,
    options: Vec<Attack>,
    chosen: usize,
}

impl<'a> Attacked<'a> {
    pub(crate) const fn new(world: &'a World) -> Self {
        Self {
            world,
            choices: Vec::new(),
            used: 0,
        }
    }

    /// Moves on to the next combination; `false` after the last.
    pub(crate) fn next(&mut self) -> bool {
        self.choices.truncate(self.used);
        self.used = 0;
        while let Some(last) = self.choices.last_mut() {
            last.chosen += 1;
            if last.chosen < last.options.len() {
                return true;
            }
            self.choices.pop();
        }
        false
    }

    /// The attack on a question of this run; the same question is attacked in the same way
    /// when it is asked again.
    fn choose(&mut self, question: Option<&Question>) -> Attack {
        let taken = &self.choices[..self.used];
        if let Some(choice) = taken.iter().find(|c| c.question.as_ref() == question) {
            return choice.options[choice.chosen];
        }
        if self.used == self.choices.len() {
            let options = match question {
                Some(question) => self.world.attacks(question),
                None => vec![Attack::None, Attack::Silence],
            };
            self.choices.push(Choice {
                question: question.cloned(),
                options,
                chosen: 0,
            });
        }
        let choice = &self.choices[self.used];
        self.used += 1;
        choice.options[choice.chosen]
    }

    /// What was done to the question of this type, if it was asked.
    pub(crate) fn attack_on(&self, record_type: RecordType) -> Option<Attack> {
        self.choices[..self.used]
            .iter()
            .find(|choice| {
                let question = choice.question.as_ref();
                question
                    .is_some_and(|q| q.record_type == record_type && q.name.as_str() != "mx.evil")
            })
            .map(|choice| choice.options[choice.chosen])
    }

    /// Whether only failures were caused.
    pub(crate) fn is_failure(&self) -> bool {
        self.choices[..self.used]
            .iter()
            .all(|choice| choice.options[choice.chosen].is_failure())
    }

    /// The attacks of this run, for a message.
    pub(crate) fn describe(&self) -> String {
        self.choices[..self.used]
            .iter()
            .map(|choice| {
                let question = choice.question.as_ref().map(ToString::to_string);
                let attack = choice.options[choice.chosen];
                format!("{}: {attack:?}\n", question.as_deref().unwrap_or("https"))
            })
            .collect()
    }
}

impl Oracle for Attacked<'_> {
    fn dns(&mut self, question: &Question, _: AskFreshness) -> Answer {
        let honest = self.world.honest(question);
        self.choose(Some(question)).apply(&honest).unwrap_or(honest)
    }

    fn policy(&mut self, _: &DomainName) -> StsFetch {
        match (self.choose(None), policy_text(self.world.published)) {
            (Attack::None, Some(text)) => StsFetch::Fetched(text.into_bytes()),
            _ => StsFetch::Failed(StsFetchError::Timeout),
        }
    }
}
