//! One name, one type: what a reply says about it and what that is worth (RFC 4035 §5.3, §5.4).

use super::cache::{Kept, Kind, LONGEST, LONGEST_DENIAL, LONGEST_FAILURE, Weigh};
use super::core::{Core, Found, Work};
use super::trust::{Trust, holder};
use super::validate::{Proof, Proofs, Signed, Verified, ZoneKeys, negative_ttl, signers, verify};
use super::wire::{Message, Name, Question, Rcode, Record, record_data, rtype};
use elsinore_dane::answer::{AliasKind, Denial, DenialKind, Failure, RecordData};
use elsinore_dane::security::{Authority, Security, Status};

/// What stands at one name.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Data(Vec<RecordData>, Status, u32),
    Alias(AliasKind, Name, Status, u32),
    Denied(Denial),
    Failed(Failure),
}

impl Step {
    fn bogus(text: impl Into<String>) -> Self {
        Self::Failed(Failure {
            status: Status::bogus(text),
            ede: None,
        })
    }

    /// Seconds of reuse: failures are kept for seconds only (RFC 9520 §3.2).
    pub(super) fn ttl(&self) -> u32 {
        match self {
            Self::Data(_, _, ttl) | Self::Alias(_, _, _, ttl) => *ttl,
            Self::Denied(denial) => denial.ttl,
            Self::Failed(_) => 5,
        }
    }

    pub(super) fn with_ttl(mut self, left: u32) -> Self {
        match &mut self {
            Self::Data(_, _, ttl) | Self::Alias(_, _, _, ttl) => *ttl = left,
            Self::Denied(denial) => denial.ttl = left,
            Self::Failed(_) => {}
        }
        self
    }
}

impl Weigh for Step {
    fn heap(&self) -> usize {
        match self {
            Self::Data(records, status, _) => records.heap() + status.heap(),
            Self::Alias(_, target, status, _) => target.heap() + status.heap(),
            Self::Denied(denial) => denial.heap(),
            Self::Failed(failure) => failure.heap(),
        }
    }
}

impl Kept for Step {
    const KIND: Kind = Kind::Step;
    type Key = Question;

    fn longest(&self) -> u32 {
        match self {
            Self::Data(..) | Self::Alias(..) => LONGEST,
            Self::Denied(_) => LONGEST_DENIAL,
            Self::Failed(_) => LONGEST_FAILURE,
        }
    }
}

/// A status, and the seconds for which it holds.
type Judged = Result<(Status, u32), Failure>;

impl Core {
    /// Judges what `found` says about `question`.
    pub(super) async fn judge(&self, question: &Question, found: &Found, work: &Work) -> Step {
        let message: &Message = &found.message;
        let name = &question.name;
        if let Some(set) = Signed::find(&message.answer, name, question.rtype) {
            let records = &set.records;
            let data = records
                .iter()
                .map(|r| record_data(question.rtype, &r.rdata))
                .collect();
            return match self.judge_set(&set, message, work).await {
                Ok((status, ttl)) => Step::Data(data, status, ttl),
                Err(failure) => Step::Failed(failure),
            };
        }
        let cname = Signed::find(&message.answer, name, rtype::CNAME);
        let dname = dname_above(&message.answer, name, &found.bailiwick);
        match (cname, dname) {
            // A CNAME without signature below a DNAME is synthesised (RFC 6672 §5.3.1).
            (Some(set), None) => self.judge_cname(&set, message, work).await,
            (Some(set), Some(_)) if !set.signatures.is_empty() => {
                self.judge_cname(&set, message, work).await
            }
            (_, Some(set)) => self.judge_dname(name, &set, message, work).await,
            (None, None) => self.judge_denial(question, message, work).await,
        }
    }

    async fn judge_cname(&self, set: &Signed<'_>, message: &Message, work: &Work) -> Step {
        let owner = &set.owner;
        let [record] = set.records.as_slice() else {
            return Step::bogus(format!("{owner} has {} CNAME records", set.records.len()));
        };
        let Some(target) = record.target() else {
            return Step::bogus(format!("{owner}: malformed CNAME"));
        };
        match self.judge_set(set, message, work).await {
            Ok((status, ttl)) => Step::Alias(AliasKind::Cname, target, status, ttl),
            Err(failure) => Step::Failed(failure),
        }
    }

    async fn judge_dname(
        &self,
        name: &Name,
        set: &Signed<'_>,
        message: &Message,
        work: &Work,
    ) -> Step {
        let owner = &set.owner;
        let [record] = set.records.as_slice() else {
            return Step::bogus(format!("{owner} has {} DNAME records", set.records.len()));
        };
        let target = record
            .target()
            .and_then(|target| name.rebased(owner, &target));
        let Some(target) = target else {
            return Step::bogus(format!(
                "the DNAME of {owner} makes a name that is too long"
            ));
        };
        match self.judge_set(set, message, work).await {
            Ok((status, ttl)) => Step::Alias(AliasKind::Dname, target, status, ttl),
            Err(failure) => Step::Failed(failure),
        }
    }

    /// The security of an RRset that exists.
    async fn judge_set(&self, set: &Signed<'_>, message: &Message, work: &Work) -> Judged {
        let holder = holder(&set.owner, set.rtype);
        if let Some(reason) = self.never_signed(&holder) {
            return Ok((Status::insecure(reason), set.ttl()));
        }
        let mut fault = None;
        for signer in set.signers() {
            if !self.may_vouch(&signer, &set.owner, set.rtype) {
                continue;
            }
            match self.trust(&signer, work).await {
                Trust::Secure(keys) if keys.zone == signer => {
                    match verify(set, &keys, self.now(), &work.budget) {
                        Ok(verified) => {
                            return self.judge_expansion(set, &verified, &keys, message, work);
                        }
                        Err(text) => fault = fault.or(Some(text)),
                    }
                }
                Trust::Secure(_) => {}
                Trust::Insecure(reason) => return Ok((Status::insecure(reason), set.ttl())),
                Trust::Failed(failure) => return Err(failure),
            }
        }
        let text = fault.unwrap_or_else(|| {
            let rtype = elsinore_dane::answer::RecordType::from_code(set.rtype);
            format!("{} {rtype}: no signature", set.owner)
        });
        self.must_be_insecure(&set.owner, set.rtype, work, text)
            .await
            .map(|status| (status, set.ttl()))
    }

    /// A wildcard answers only for names that do not exist themselves (RFC 4035 §5.3.4).
    fn judge_expansion(
        &self,
        set: &Signed<'_>,
        verified: &Verified,
        keys: &ZoneKeys,
        message: &Message,
        work: &Work,
    ) -> Judged {
        let zone = &keys.zone;
        let signed = format!("signed by {zone}, key {}", verified.key_tag);
        let Some(encloser) = &verified.expanded_from else {
            return Ok((
                Status::assertion(Authority::Validator, signed),
                verified.ttl,
            ));
        };
        let proofs = Proofs::collect(&message.authority, keys, self.now(), &work.budget);
        let ttl = verified.ttl.min(proofs.ttl);
        match proofs.expansion(&set.owner, encloser) {
            Ok(Proof::Shown) => {
                let reason = format!("{signed}, as the wildcard *.{encloser}");
                Ok((Status::assertion(Authority::Validator, reason), ttl))
            }
            Ok(proof) => Ok((Status::insecure(weak(&proof, &set.owner, zone)), ttl)),
            Err(text) => Err(Failure {
                status: Status::bogus(format!("{}: {text}", set.owner)),
                ede: None,
            }),
        }
    }

    async fn judge_denial(&self, question: &Question, message: &Message, work: &Work) -> Step {
        let kind = match message.rcode {
            Rcode::NXDOMAIN => DenialKind::NxDomain,
            _ => DenialKind::NoData,
        };
        match self.denial_status(question, kind, message, work).await {
            Ok((status, ttl)) => Step::Denied(Denial { kind, status, ttl }),
            Err(failure) => Step::Failed(failure),
        }
    }

    async fn denial_status(
        &self,
        question: &Question,
        kind: DenialKind,
        message: &Message,
        work: &Work,
    ) -> Judged {
        let (name, rtype) = (&question.name, question.rtype);
        let negative = negative_ttl(message);
        if let Some(reason) = self.never_signed(&holder(name, rtype)) {
            return Ok((Status::insecure(reason), negative));
        }
        let mut fault = None;
        for signer in signers(&message.authority) {
            let has_say = self.may_vouch(&signer, name, rtype)
                && (rtype != rtype::DS || name.is_root() || *name != signer);
            if !has_say {
                continue;
            }
            let keys = match self.trust(&signer, work).await {
                Trust::Secure(keys) if keys.zone == signer => keys,
                Trust::Secure(_) => continue,
                Trust::Insecure(reason) => return Ok((Status::insecure(reason), negative)),
                Trust::Failed(failure) => return Err(failure),
            };
            let proofs = Proofs::collect(&message.authority, &keys, self.now(), &work.budget);
            let proof = match kind {
                DenialKind::NxDomain => proofs.no_name(name),
                DenialKind::NoData => proofs.no_data(name, rtype),
            };
            let ttl = negative.min(proofs.ttl);
            match proof {
                Ok(Proof::Shown) => {
                    let reason = format!("denied by {signer}, which is signed");
                    return Ok((Status::assertion(Authority::Validator, reason), ttl));
                }
                Ok(proof) => return Ok((Status::insecure(weak(&proof, name, &signer)), ttl)),
                Err(text) => fault = fault.or(Some(text)),
            }
        }
        // Whoever denies without proof must at least claim a zone that holds the name.
        let stranger = message
            .authority
            .iter()
            .find(|record| record.rtype == rtype::SOA && !name.is_at_or_below(&record.owner));
        if let Some(soa) = stranger {
            let text = format!(
                "{question}: denied by {}, which does not hold the name",
                soa.owner
            );
            return Err(Failure {
                status: Status::bogus(text),
                ede: None,
            });
        }
        let text = match fault {
            Some(text) => format!("{question}: the denial does not hold: {text}"),
            None => format!("{question}: denied without proof"),
        };
        self.must_be_insecure(name, rtype, work, text)
            .await
            .map(|status| (status, negative))
    }

    /// For what bears no valid signature: fine where the zone is shown to be unsigned, else bogus.
    async fn must_be_insecure(
        &self,
        name: &Name,
        rtype: u16,
        work: &Work,
        otherwise: String,
    ) -> Result<Status, Failure> {
        match self.trust(&holder(name, rtype), work).await {
            Trust::Insecure(reason) => Ok(Status::insecure(reason)),
            Trust::Failed(failure) if failure.status.security() == Security::Bogus => {
                Err(Failure {
                    status: Status::bogus(format!("{otherwise} ({})", failure.status.reason())),
                    ede: failure.ede,
                })
            }
            Trust::Failed(failure) => Err(failure),
            Trust::Secure(keys) => Err(Failure {
                status: Status::bogus(format!("{otherwise}, though {} is signed", keys.zone)),
                ede: None,
            }),
        }
    }
}

fn weak(proof: &Proof, name: &Name, zone: &Name) -> String {
    match proof {
        Proof::Iterations(count) => format!("{zone} uses {count} NSEC3 iterations"),
        Proof::OptOut | Proof::Shown => format!("{name} lies in an opt-out span of {zone}"),
    }
}

/// The deepest DNAME above `name` that the speaking zone has a say in.
fn dname_above<'a>(answer: &'a [Record], name: &Name, bailiwick: &Name) -> Option<Signed<'a>> {
    answer
        .iter()
        .filter(|record| record.rtype == rtype::DNAME && name.is_below(&record.owner))
        .filter(|record| record.owner.is_at_or_below(bailiwick))
        .max_by_key(|record| record.owner.label_count())
        .and_then(|record| Signed::find(answer, &record.owner, rtype::DNAME))
}
