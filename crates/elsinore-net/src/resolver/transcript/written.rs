//! How a reply is put together from what a lookup found: sections, code, bits.

use super::{
    AuthenticBit, DnssecRecords, Recursion, RestsOn, Sections, Transcript, TranscriptQuery,
};
use crate::resolver::chain::Followed;
use crate::resolver::config::Mode;
use crate::resolver::core::{Core, Work};
use crate::resolver::evidence::{Evidence, ResourceRecord, ZoneServers};
use crate::resolver::step::{End, types_at};
use crate::resolver::trust::Trust;
use crate::resolver::validate::{Signed, verify};
use crate::resolver::wire::{Name, Question as Asked, Rcode, Record, rtype};
use elsinore_dane::answer::{AliasKind, AliasLink, DenialKind, Last, RecordData, RecordType};
use elsinore_dane::security::{Authority, Cause, Security, Status};
use std::sync::Arc;

const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const YXDOMAIN: u16 = 6;

/// Records in the order of a reply, each once.
#[derive(Debug, Default)]
struct Section(Vec<ResourceRecord>);

impl Section {
    /// Adds records that live at most for `most` seconds more: nothing outlives the signature it
    /// was judged by.
    fn add(&mut self, evidence: &Evidence, records: &[&Record], most: u32) {
        for record in records {
            let ttl = evidence.left_of(record.ttl).min(most);
            let record = ResourceRecord::new(record, ttl);
            let is_known = self.0.iter().any(|other| {
                other.owner == record.owner
                    && other.record_type == record.record_type
                    && other.rdata == record.rdata
            });
            if !is_known {
                self.0.push(record);
            }
        }
    }

    /// Leaves out what only clients that set DO want (RFC 4035 §3.2.1).
    fn finished(mut self, query: &TranscriptQuery) -> Vec<ResourceRecord> {
        if query.dnssec == DnssecRecords::Omitted {
            let asked = query.record_type.code();
            self.0.retain(|record| {
                let code = record.record_type.code();
                let is_dnssec = matches!(code, rtype::RRSIG | rtype::NSEC | rtype::NSEC3);
                !is_dnssec || code == asked || asked == rtype::ANY
            });
        }
        self.0
    }
}

impl Core {
    pub(super) async fn write_down(
        &self,
        query: &TranscriptQuery,
        followed: &Followed,
    ) -> Transcript {
        let (mut answer, mut authority) = (Section::default(), Section::default());
        for (link, evidence) in followed.answer.chain.iter().zip(&followed.links) {
            if let Some(evidence) = evidence {
                add_link(&mut answer, link, evidence);
                self.add_authority(&mut authority, evidence, Wanted::Proofs, link.ttl)
                    .await;
            }
        }
        let status = followed.answer.overall().clone();
        let denied_target = self.denied_target(query, followed).await;
        let rcode = match &followed.answer.last {
            Last::Data(_) if denied_target => NXDOMAIN,
            Last::Data(_) => 0,
            Last::Denied(denial) if denial.kind == DenialKind::NxDomain => NXDOMAIN,
            Last::Denied(_) => 0,
            Last::Failed(failure) if failure.status.cause() == Cause::AliasTooLong => YXDOMAIN,
            // Nobody vouches for it and nobody has to: it is passed on without AD
            // (RFC 4033 §5, indeterminate).
            Last::Failed(failure) if failure.status.cause() == Cause::NoAnchor => NXDOMAIN,
            Last::Failed(_) => SERVFAIL,
        };
        let end = Name::from_domain(followed.answer.final_name());
        if let Some(evidence) = &followed.end {
            match &followed.answer.last {
                Last::Data(set) => {
                    let rtype = query.record_type.code();
                    add_data(&mut answer, &end, rtype, evidence, set.ttl);
                    let is_about_it = evidence.was_asked_by(&followed.answer)
                        || evidence.is_expanded(&end, rtype);
                    let wanted = match query.sections {
                        _ if !is_about_it => Wanted::Nothing,
                        Sections::Minimal if !denied_target => Wanted::Proofs,
                        Sections::Minimal | Sections::Full => Wanted::Everything,
                    };
                    self.add_authority(&mut authority, evidence, wanted, u32::MAX)
                        .await;
                }
                Last::Denied(_) => {
                    let wanted = Wanted::Everything;
                    self.add_authority(&mut authority, evidence, wanted, u32::MAX)
                        .await;
                }
                Last::Failed(_) if rcode == YXDOMAIN => {
                    add_redirection(&mut answer, &end, evidence, u32::MAX);
                }
                Last::Failed(_) if rcode == NXDOMAIN => {
                    self.add_authority(&mut authority, evidence, Wanted::Everything, u32::MAX)
                        .await;
                }
                Last::Failed(_) => {}
            }
        }
        if rcode == SERVFAIL {
            (answer, authority) = (Section::default(), Section::default());
        }
        Transcript {
            rcode,
            authentic: understands_ad(query) && status.security() == Security::Secure,
            ede: followed.answer.extended_error(),
            answer: answer.finished(query),
            authority: authority.finished(query),
            status,
        }
    }

    /// Keeps the NS RRsets beside an answer, for referrals.
    pub(in crate::resolver) fn remember_servers(&self, evidence: &Evidence) {
        for set in evidence.authority() {
            if let Some(first) = set.first().filter(|first| first.rtype == rtype::NS) {
                let servers = ZoneServers(Evidence::clone(evidence));
                self.cache.keep(&first.owner, Arc::new(servers), first.ttl);
            }
        }
    }

    /// What a server says that may not ask others and does not know: who is to be asked
    /// (RFC 1034 §4.3.2).
    pub(super) async fn refer(&self, query: &TranscriptQuery) -> Option<Transcript> {
        let name = Name::from_domain(&query.name);
        let is_ds = query.record_type.code() == rtype::DS;
        let deepest = name.label_count().checked_sub(usize::from(is_ds))?;
        let (zone, evidence) = (0..=deepest).rev().find_map(|count| {
            let zone = name.suffix(count);
            let (servers, _) = self.cache.find::<ZoneServers>(&zone)?;
            Some((zone, servers))
        })?;
        let (evidence, mut authority) = (&evidence.0, Section::default());
        let set = Signed::find(&evidence.message().authority, &zone, rtype::NS)?;
        let (status, _) = self.status_of(&set).await;
        for set in evidence.authority() {
            let is_it = |first: &&Record| first.rtype == rtype::NS && first.owner == zone;
            if set.first().is_some_and(is_it) {
                authority.add(evidence, &set, u32::MAX);
            }
        }
        let is_known = matches!(status.security(), Security::Secure | Security::Insecure);
        is_known.then(|| Transcript {
            rcode: 0,
            authentic: understands_ad(query) && status.security() == Security::Secure,
            status,
            answer: Vec::new(),
            authority: authority.finished(query),
            ede: None,
        })
    }

    pub(super) async fn show(&self, followed: &Followed) -> (Vec<RestsOn>, RestsOn) {
        let mut links = Vec::new();
        for (link, evidence) in followed.answer.chain.iter().zip(&followed.links) {
            let (mut records, mut proofs) = (Section::default(), Section::default());
            if let Some(evidence) = evidence {
                add_link(&mut records, link, evidence);
                self.add_authority(&mut proofs, evidence, Wanted::Proofs, u32::MAX)
                    .await;
            }
            links.push(RestsOn {
                records: records.0,
                proofs: proofs.0,
            });
        }
        let (mut records, mut proofs) = (Section::default(), Section::default());
        if let Some(evidence) = &followed.end {
            let end = Name::from_domain(followed.answer.final_name());
            let rtype = followed.answer.question.record_type.code();
            match &followed.answer.last {
                Last::Data(set) => {
                    add_data(&mut records, &end, rtype, evidence, set.ttl);
                    self.add_authority(&mut proofs, evidence, Wanted::Proofs, u32::MAX)
                        .await;
                }
                Last::Denied(_) => {
                    self.add_authority(&mut proofs, evidence, Wanted::Denial, u32::MAX)
                        .await;
                }
                Last::Failed(_) => {
                    let most = u32::MAX;
                    add_data(&mut records, &end, rtype, evidence, most);
                    records.add(evidence, &evidence.answer(&end, rtype::CNAME), most);
                    add_redirection(&mut records, &end, evidence, most);
                    for set in evidence.authority() {
                        if set
                            .first()
                            .is_some_and(|first| Wanted::Denial.takes(first.rtype))
                        {
                            proofs.add(evidence, &set, most);
                        }
                    }
                }
            }
        }
        let end = RestsOn {
            records: records.0,
            proofs: proofs.0,
        };
        (links, end)
    }

    /// Whether the reply to a question for an alias itself also showed that there is nothing at its
    /// end, as a server may that holds both zones; the code is about the end then (RFC 6604 §3).
    async fn denied_target(&self, query: &TranscriptQuery, followed: &Followed) -> bool {
        let (Last::Data(set), Some(evidence)) = (&followed.answer.last, &followed.end) else {
            return false;
        };
        let [RecordData::Name(target)] = set.records.as_slice() else {
            return false;
        };
        let is_about_it = query.record_type == RecordType::Cname
            && evidence.was_asked_by(&followed.answer)
            && evidence.message().rcode == Rcode::NXDOMAIN;
        if !is_about_it {
            return false;
        }
        let asked = Asked {
            name: Name::from_domain(target),
            rtype: rtype::CNAME,
        };
        let work = Work::beside(self.config.limits, query.recursion);
        let step = self.judge(&asked, &evidence.found(), &work).await;
        matches!(&step.end, End::Denied(denial)
            if denial.kind == DenialKind::NxDomain
                && denial.status.security() <= Security::Insecure)
    }

    /// The authority section of one reply, without what its zone's signatures do not cover.
    async fn add_authority(
        &self,
        section: &mut Section,
        evidence: &Evidence,
        wanted: Wanted,
        most: u32,
    ) {
        for set in evidence.authority() {
            let Some(first) = set.first() else { continue };
            if wanted.takes(first.rtype)
                && let Some(ttl) = self.fit_for(first, evidence).await
            {
                section.add(evidence, &set, ttl.min(most));
            }
        }
    }

    /// For how many seconds an RRset of the authority section may be shown, if at all: signed
    /// where its zone is, and elsewhere from a server that has a say in it.
    async fn fit_for(&self, first: &Record, evidence: &Evidence) -> Option<u32> {
        let authority = &evidence.message().authority;
        let set = Signed::find(authority, &first.owner, first.rtype)?;
        let (status, ttl) = self.status_of(&set).await;
        match status.security() {
            Security::Secure => Some(ttl),
            Security::Insecure => evidence.is_from(&first.owner).then_some(ttl),
            Security::Indeterminate | Security::Bogus => None,
        }
    }

    /// The security of an RRset beside the answer, by what is in the cache, and the seconds for
    /// which it holds.
    async fn status_of(&self, set: &Signed<'_>) -> (Status, u32) {
        if self.config.mode == Mode::Ad {
            let text = "the resolver that is believed vouches for answers only";
            return (Status::insecure(text).because(Cause::NoAdBit), set.ttl());
        }
        let work = Work::beside(self.config.limits, Recursion::CacheOnly);
        let signer = set.signers().into_iter().next();
        let trust = self.trust(signer.as_ref().unwrap_or(&set.owner), &work);
        let status = match trust.await {
            Trust::Secure(keys) => match verify(set, &keys, self.now(), &work.budget) {
                Ok(verified) => {
                    let reason = format!("signed by {}, key {}", keys.zone, verified.key_tag);
                    let status = Status::assertion(Authority::Validator, reason);
                    return (status, verified.ttl);
                }
                Err(fault) => fault.bogus(),
            },
            Trust::Insecure(fault) => fault.insecure(),
            Trust::Failed(failure) => failure.status,
        };
        (status, set.ttl())
    }
}

/// Whether the client understands the AD bit: only then it is set (RFC 6840 §5.7, §5.8).
fn understands_ad(query: &TranscriptQuery) -> bool {
    query.dnssec == DnssecRecords::Included || query.authentic == AuthenticBit::Wanted
}

/// What is taken over from an authority section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Nothing,
    /// NSEC and NSEC3 records.
    Proofs,
    /// These and the SOA.
    Denial,
    Everything,
}

impl Wanted {
    const fn takes(self, rtype: u16) -> bool {
        match self {
            Self::Nothing => false,
            Self::Proofs => matches!(rtype, rtype::NSEC | rtype::NSEC3),
            Self::Denial => matches!(rtype, rtype::NSEC | rtype::NSEC3 | rtype::SOA),
            Self::Everything => true,
        }
    }
}

fn add_link(section: &mut Section, link: &AliasLink, evidence: &Evidence) {
    let owner = Name::from_domain(&link.owner);
    match link.kind {
        AliasKind::Cname => {
            section.add(evidence, &evidence.answer(&owner, rtype::CNAME), link.ttl);
        }
        AliasKind::Dname => add_redirection(section, &owner, evidence, link.ttl),
    }
}

/// Adds the DNAME above `name`, and the CNAME made from it, which lives as long (RFC 6672 §3.1)
/// and is left out where it would be too long.
fn add_redirection(section: &mut Section, name: &Name, evidence: &Evidence, most: u32) {
    let Some(owner) = evidence.dname_above(name) else {
        return;
    };
    let records = evidence.answer(&owner, rtype::DNAME);
    section.add(evidence, &records, most);
    let Some(dname) = records.first() else { return };
    let target = dname.target().and_then(|to| name.rebased(&owner, &to));
    if let Some(target) = target {
        section.0.push(ResourceRecord {
            owner: name.to_domain(),
            record_type: RecordType::Cname,
            ttl: evidence.left_of(dname.ttl).min(most),
            rdata: target.wire().to_vec(),
        });
    }
}

fn add_data(section: &mut Section, name: &Name, rtype: u16, evidence: &Evidence, most: u32) {
    if rtype == rtype::ANY {
        for rtype in types_at(&evidence.message().answer, name) {
            section.add(evidence, &evidence.answer(name, rtype), most);
        }
        return;
    }
    let records = evidence.answer(name, rtype);
    let is_signed = records.iter().any(|record| record.rtype == rtype::RRSIG);
    if rtype == rtype::CNAME && !is_signed && evidence.dname_above(name).is_some() {
        return add_redirection(section, name, evidence, most);
    }
    section.add(evidence, &records, most);
}
