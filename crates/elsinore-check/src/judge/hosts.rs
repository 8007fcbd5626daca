//! MX hosts: names, TLSA records, addresses, sessions.

use super::labels::{self, Context};
use super::presented::{Matcher, Presented, presented, session_state};
use super::{JudgeOptions, lookups, text};
use crate::report::{
    Address, AddressState, Candidate, CandidateEnd, Host, MatchedAt, Offer, Security, SenderKind,
    Session, SessionState, TlsFacts,
};
use crate::sighting::{AddressSighting, HostSighting, SessionSighting, Sighting, StartTlsSeen};
use elsinore_dane::answer::{Answer, Last, RecordData};
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::{DaneRequirement, Obligation};
use elsinore_dane::plan::HostPlan;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_dane::verify::{DaneVerdict, verify_dane};
use elsinore_net::deliver::obligation_word;

/// Lines of a dialogue that are kept.
const DIALOGUE: usize = 100;

/// All that judging one host needs.
#[derive(Debug, Clone, Copy)]
struct View<'a> {
    sighting: &'a Sighting,
    seen: &'a HostSighting,
    /// The DANE sender's plan.
    plan: Option<&'a HostPlan>,
    options: &'a JudgeOptions<'a>,
}

/// The plan that one kind of sender has for a host.
pub(super) fn plan_of<'a>(
    sighting: &'a Sighting,
    kind: SenderKind,
    mx_host: &str,
) -> Option<&'a HostPlan> {
    let sender = sighting.senders.iter().find(|sender| sender.kind == kind)?;
    sender
        .route
        .plans()
        .iter()
        .find(|plan| plan.mx_host == mx_host)
}

/// What the plan demands by DANE.
fn requirement(plan: Option<&HostPlan>) -> Option<&DaneRequirement> {
    match &plan?.obligation {
        Obligation::Authenticate(requirements) => requirements.dane.as_ref(),
        Obligation::Skip(_)
        | Obligation::Cleartext
        | Obligation::Opportunistic
        | Obligation::Encrypt => None,
    }
}

/// One host of the report.
pub(super) fn host(
    sighting: &Sighting,
    seen: &HostSighting,
    options: &JudgeOptions<'_>,
    context: Context<'_>,
) -> Host {
    let plan = plan_of(sighting, SenderKind::Dane, &seen.mx_host);
    let view = View {
        sighting,
        seen,
        plan,
        options,
    };
    let presented = presented(seen);
    let base = view.base_in_force();
    let records = base.map(|base| view.records_at(base)).unwrap_or_default();
    let tlsa = match base {
        None => Vec::new(),
        Some(base) => {
            let mut matcher = Matcher::new(
                &records,
                base,
                requirement(plan),
                sighting.began,
                options.verify,
            );
            labels::tlsa(&records, &mut matcher, &presented, &context)
        }
    };
    let (address_security, address_reason) = view.address_security();
    Host {
        mx_host: text::line(&seen.mx_host),
        preference: view.preference(),
        zone: seen.zone.as_deref().map(text::line),
        aliases: view
            .address_answers()
            .find(|answer| !answer.chain.is_empty())
            .map(lookups::links)
            .unwrap_or_default(),
        address_security,
        address_reason,
        address_lookups: seen.address_lookups.clone(),
        obligation: obligation(plan),
        skipped: plan.and_then(|plan| match &plan.obligation {
            Obligation::Skip(reason) => Some(reason.sentence().to_owned()),
            Obligation::Cleartext
            | Obligation::Opportunistic
            | Obligation::Encrypt
            | Obligation::Authenticate(_) => None,
        }),
        candidates: view.candidates(base, &presented),
        tlsa_base_domain: base.map(|base| text::line(base.as_str())),
        tlsa,
        addresses: seen
            .addresses
            .iter()
            .map(|address| view.address(address, &records))
            .collect(),
        notes: plan
            .map(|plan| text::findings(&plan.findings))
            .unwrap_or_default(),
    }
}

/// The word of `send`; `skip` where no plan was made.
pub(super) fn obligation(plan: Option<&HostPlan>) -> String {
    plan.map_or("skip", |plan| obligation_word(&plan.obligation).word())
        .to_owned()
}

impl<'a> View<'a> {
    fn answer(&self, index: usize) -> Option<&'a Answer> {
        Some(&self.sighting.lookups.get(index)?.explained.answer)
    }

    fn address_answers(&self) -> impl Iterator<Item = &'a Answer> {
        let view = *self;
        self.seen
            .address_lookups
            .iter()
            .filter_map(move |index| view.answer(*index))
    }

    /// Of the families that have addresses the worst; where none has, of both.
    fn address_security(&self) -> (Security, Option<String>) {
        let has_data = |answer: &&Answer| matches!(answer.last, Last::Data(_));
        let any = self.address_answers().any(|answer| has_data(&answer));
        let counting = self
            .address_answers()
            .filter(|answer| !any || has_data(answer));
        let worst = counting
            .map(Answer::overall)
            .max_by_key(|status| status.security());
        match worst {
            Some(status) => (lookups::security(status), lookups::reason(status)),
            None => (
                Security::Insecure,
                Some("an address stands in the MX record itself".to_owned()),
            ),
        }
    }

    fn preference(&self) -> Option<u16> {
        if let Some(plan) = self.plan {
            return plan.preference;
        }
        let name = self.seen.name.as_ref()?;
        let answers = self
            .sighting
            .lookups
            .iter()
            .map(|lookup| &lookup.explained.answer);
        let mut records = answers
            .filter(|answer| answer.question.name == self.sighting.domain)
            .flat_map(|answer| match &answer.last {
                Last::Data(rrset) => rrset.records.as_slice(),
                Last::Denied(_) | Last::Failed(_) => &[],
            });
        records.find_map(|record| match record {
            RecordData::Mx {
                preference,
                exchange,
            } if exchange == name => Some(*preference),
            RecordData::Mx { .. }
            | RecordData::A(_)
            | RecordData::Aaaa(_)
            | RecordData::Tlsa(_)
            | RecordData::Txt(_)
            | RecordData::Name(_)
            | RecordData::Other(_) => None,
        })
    }

    /// Where the records stand that oblige the sender: those it authenticates by, or those that are
    /// all unusable and demand encryption.
    fn base_in_force(&self) -> Option<&'a DomainName> {
        if let Some(requirement) = requirement(self.plan) {
            return Some(&requirement.base_domain);
        }
        let plan = self.plan?;
        if matches!(plan.obligation, Obligation::Skip(_)) {
            return None;
        }
        let mut asked = self
            .seen
            .tlsa_lookups
            .iter()
            .filter(|lookup| lookup.asked_by_sender);
        let found = asked.find(|lookup| {
            self.answer(lookup.lookup).is_some_and(|answer| {
                matches!(answer.last, Last::Data(_))
                    && lookups::security(answer.overall()) == Security::Secure
            })
        })?;
        Some(&found.base)
    }

    fn records_at(&self, base: &DomainName) -> Vec<TlsaRecord> {
        if let Some(requirement) = requirement(self.plan)
            && requirement.base_domain == *base
        {
            return requirement.records.clone();
        }
        let found = self
            .seen
            .tlsa_lookups
            .iter()
            .find(|lookup| lookup.base == *base);
        found
            .and_then(|lookup| self.answer(lookup.lookup))
            .map(records)
            .unwrap_or_default()
    }

    /// The name at which the aliases of the host end.
    fn expanded(&self) -> Option<&'a DomainName> {
        let answer = self
            .address_answers()
            .find(|answer| !answer.chain.is_empty())?;
        Some(answer.final_name())
    }

    fn candidates(
        &self,
        in_force: Option<&DomainName>,
        presented: &[Presented<'_>],
    ) -> Vec<Candidate> {
        let Some(original) = &self.seen.name else {
            return Vec::new();
        };
        let mut candidates: Vec<Candidate> = (self.seen.tlsa_lookups.iter())
            .map(|lookup| {
                let is_in_force = in_force == Some(&lookup.base);
                let reason = self.reason_of(lookup.asked_by_sender, lookup.lookup, is_in_force);
                Candidate {
                    base: text::line(lookup.base.as_str()),
                    end: self.end_of(&lookup.base, original),
                    lookup: Some(lookup.lookup),
                    asked_by_sender: lookup.asked_by_sender,
                    in_force: is_in_force,
                    reason,
                    other_records: match is_in_force {
                        true => Vec::new(),
                        false => self.other_records(&lookup.base, lookup.lookup, presented),
                    },
                }
            })
            .collect();
        let expanded = self.expanded().filter(|name| *name != original);
        for name in expanded.into_iter().chain([original]) {
            if self
                .seen
                .tlsa_lookups
                .iter()
                .any(|lookup| lookup.base == *name)
            {
                continue;
            }
            candidates.push(Candidate {
                base: text::line(name.as_str()),
                end: self.end_of(name, original),
                lookup: None,
                asked_by_sender: false,
                in_force: false,
                reason: Some(self.why_not_asked(name, original)),
                other_records: Vec::new(),
            });
        }
        candidates
    }

    fn end_of(&self, base: &DomainName, original: &DomainName) -> CandidateEnd {
        match self.expanded() {
            Some(expanded) if expanded != original => match base == original {
                true => CandidateEnd::Original,
                false => CandidateEnd::Expanded,
            },
            Some(_) | None => CandidateEnd::Only,
        }
    }

    /// Why a question that was put has no effect.
    fn reason_of(&self, asked_by_sender: bool, index: usize, is_in_force: bool) -> Option<String> {
        if is_in_force {
            return None;
        }
        let answer = self.answer(index)?;
        let reason = match &answer.last {
            Last::Failed(failure) => format!("the lookup failed: {}", failure.status.reason()),
            Last::Denied(_) => "there are no TLSA records".to_owned(),
            Last::Data(_) if lookups::security(answer.overall()) == Security::Insecure => {
                "the records are not signed, so they do not count".to_owned()
            }
            Last::Data(_) if asked_by_sender => "another base is in force".to_owned(),
            Last::Data(_) => "not needed; asked for comparison only".to_owned(),
        };
        Some(text::line(&reason))
    }

    fn why_not_asked(&self, base: &DomainName, original: &DomainName) -> String {
        let (security, _) = self.address_security();
        let first_link = self
            .address_answers()
            .find_map(|answer| answer.chain.first());
        match security {
            Security::Indeterminate | Security::Bogus => {
                "not asked: the address lookup failed".to_owned()
            }
            Security::Insecure
                if base == original
                    && first_link.is_some_and(|link| {
                        lookups::security(&link.status) == Security::Secure
                    }) =>
            {
                "not asked".to_owned()
            }
            Security::Insecure if base != original => {
                "not asked: the alias chain is not secure to its end".to_owned()
            }
            Security::Insecure => "not asked: the zone of the host is not signed".to_owned(),
            Security::Secure if self.plan.is_none() => {
                "not asked: the check came to no end".to_owned()
            }
            Security::Secure => "not asked: the other end of the alias decides".to_owned(),
        }
    }

    /// The records at a base that is not in force, and whether a server of the host would be
    /// accepted by each alone.
    fn other_records(
        &self,
        base: &DomainName,
        index: usize,
        presented: &[Presented<'_>],
    ) -> Vec<(String, bool)> {
        let records = self.answer(index).map(records).unwrap_or_default();
        let mut matcher = Matcher::new(
            &records,
            base,
            requirement(self.plan),
            self.sighting.began,
            self.options.verify,
        );
        let shown = records.iter().enumerate().take(text::MANY);
        shown
            .map(|(index, record)| {
                let accepted = matcher
                    .wires(index, presented)
                    .iter()
                    .any(|wire| wire.accepted);
                (labels::shown(record), accepted)
            })
            .collect()
    }

    fn address(&self, seen: &AddressSighting, records: &[TlsaRecord]) -> Address {
        let requires_tls = self.plan.is_some_and(|plan| plan.obligation.requires_tls());
        let sessions: Vec<Session> = seen
            .sessions
            .iter()
            .map(|session| self.session(session, requires_tls, records))
            .collect();
        let verdict = seen
            .verdicts
            .iter()
            .find(|verdict| verdict.kind == SenderKind::Dane);
        let (state, reason) = match verdict {
            None => (AddressState::NotTried, None),
            Some(verdict) => match (&verdict.security, &verdict.inconclusive) {
                (Some(_), _) => self.met(&sessions),
                (None, Some(why)) => (AddressState::Inconclusive, Some(text::line(why))),
                (None, None) => (
                    AddressState::Failed,
                    verdict.failure.as_deref().map(text::line),
                ),
            },
        };
        Address {
            address: seen.address.to_string(),
            state,
            reason,
            security: verdict
                .and_then(|verdict| verdict.security)
                .map(|word| word.word().to_owned()),
            sessions,
        }
    }

    /// The sender's own session met the obligation; with a certificate of one algorithm it may be
    /// otherwise. Only where the server has to prove something: elsewhere no certificate matters.
    fn met(&self, sessions: &[Session]) -> (AddressState, Option<String>) {
        let authenticates = self
            .plan
            .is_some_and(|plan| matches!(plan.obligation, Obligation::Authenticate(_)));
        let refused = sessions.iter().find(|session| {
            authenticates
                && matches!(session.offer, Offer::Rsa | Offer::Ecdsa)
                && session.state == SessionState::Refused
                && session.inconclusive.is_none()
        });
        match refused {
            None => (AddressState::Met, None),
            Some(session) => {
                let algorithm = match session.offer {
                    Offer::Rsa => "RSA",
                    Offer::Ecdsa | Offer::Sender | Offer::NoName | Offer::OtherName => "ECDSA",
                };
                let why = session.reason.as_deref().unwrap_or("it is refused");
                (
                    AddressState::MetInPart,
                    Some(format!("with its {algorithm} certificate: {why}")),
                )
            }
        }
    }

    fn session(
        &self,
        seen: &SessionSighting,
        requires_tls: bool,
        records: &[TlsaRecord],
    ) -> Session {
        let state = session_state(seen, requires_tls);
        Session {
            offer: seen.offer,
            sni: seen.sni.as_ref().map(|name| text::line(name.as_str())),
            state,
            reason: session_reason(seen, state),
            inconclusive: seen.inconclusive.as_deref().map(text::line),
            tls: seen.tls.as_ref().map(|facts| TlsFacts {
                version: facts.version.word().to_owned(),
                cipher: text::line(&facts.cipher),
                group: facts.group.as_deref().map(text::line),
                backend: facts.backend.word().to_owned(),
            }),
            chain: (seen.chain.iter().take(super::certificates::CHAIN))
                .map(|entry| super::certificates::key(entry))
                .collect(),
            matched: self.matched(seen, records),
            notes: text::findings(&seen.findings),
            transcript: seen
                .transcript
                .iter()
                .take(DIALOGUE)
                .map(|one| text::line(one))
                .collect(),
            connect_ms: seen.connect_ms,
            elapsed_ms: seen.elapsed_ms,
        }
    }

    /// The record by which the verifier accepts the chain of a session that was not refused.
    fn matched(&self, seen: &SessionSighting, records: &[TlsaRecord]) -> Option<MatchedAt> {
        let requirement = requirement(self.plan)?;
        if seen.tls_failure.is_some() || seen.chain.is_empty() {
            return None;
        }
        let verdict = verify_dane(
            &seen.chain,
            requirement,
            self.sighting.began,
            &self.options.verify,
        );
        let DaneVerdict::Authenticated(found) = verdict else {
            return None;
        };
        Some(MatchedAt {
            record: records.iter().position(|record| record == found.record())?,
            depth: u32::try_from(found.depth()).unwrap_or(u32::MAX),
            name: found.matched_name().map(|name| text::line(name.as_str())),
        })
    }
}

/// What stood in the way, in one line.
fn session_reason(seen: &SessionSighting, state: SessionState) -> Option<String> {
    if state == SessionState::NoSuchCertificate {
        let algorithm = match seen.offer {
            Offer::Rsa => "RSA",
            Offer::Ecdsa | Offer::Sender | Offer::NoName | Offer::OtherName => "ECDSA",
        };
        return Some(format!("the server has no {algorithm} certificate"));
    }
    let reason = (seen.no_connection.as_ref())
        .or(seen.tls_failure.as_ref())
        .or(seen.failure.as_ref());
    match (reason, &seen.starttls) {
        (Some(reason), _) => Some(text::line(reason)),
        (None, StartTlsSeen::NotOffered) => Some("STARTTLS is not offered".to_owned()),
        (None, StartTlsSeen::Refused(reply)) => {
            Some(text::line(&format!("STARTTLS is refused: {reply}")))
        }
        (None, StartTlsSeen::NotReached | StartTlsSeen::Accepted) => None,
    }
}

/// The TLSA records of an answer.
fn records(answer: &Answer) -> Vec<TlsaRecord> {
    let Last::Data(rrset) = &answer.last else {
        return Vec::new();
    };
    let records = rrset.records.iter().filter_map(|record| match record {
        RecordData::Tlsa(record) => Some(record.clone()),
        RecordData::A(_)
        | RecordData::Aaaa(_)
        | RecordData::Mx { .. }
        | RecordData::Txt(_)
        | RecordData::Name(_)
        | RecordData::Other(_) => None,
    });
    records.collect()
}
