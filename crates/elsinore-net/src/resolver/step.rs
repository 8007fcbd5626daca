//! One name, one type: what a reply says about it and what that is worth (RFC 4035 §5.3, §5.4).

mod reading;

pub(super) use reading::{dname_above, types_at};

use super::cache::{Kept, Kind, LONGEST, LONGEST_DENIAL, LONGEST_FAILURE, Weigh};
use super::core::{Core, Found, Work};
use super::evidence::{Evidence, Records};
use super::transcript::Checking;
use super::trust::{Trust, Voucher, holder, iterations, opt_out};
use super::validate::{
    Fault, Proof, Proofs, Signed, Verified, ZoneKeys, negative_ttl, signers, verify,
};
use super::wire::presentation::mnemonic;
use super::wire::{Message, Name, Question, Rcode, record_data, rtype};
use elsinore_dane::answer::{AliasKind, Denial, DenialKind, Failure, RecordData};
use elsinore_dane::security::{Authority, Cause, Security, Status};
use reading::{is_synthesised, redirected, unchecked};
use std::sync::Arc;

/// What stands at one name, and the reply that says so (none where no reply could be had).
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) end: End,
    pub(super) evidence: Option<Arc<Evidence>>,
}

/// What stands at one name.
#[derive(Debug, Clone)]
pub(super) enum End {
    Data(Vec<RecordData>, Status, u32),
    Alias(AliasKind, Name, Status, u32),
    Denied(Denial),
    Failed(Failure),
}

impl Step {
    /// No reply.
    pub(super) const fn failed(failure: Failure) -> Self {
        Self {
            end: End::Failed(failure),
            evidence: None,
        }
    }

    pub(super) const fn is_failed(&self) -> bool {
        matches!(self.end, End::Failed(_))
    }

    /// Seconds of reuse: failures are kept for seconds only (RFC 9520 §3.2).
    pub(super) fn ttl(&self) -> u32 {
        match &self.end {
            End::Data(_, _, ttl) | End::Alias(_, _, _, ttl) => *ttl,
            End::Denied(denial) => denial.ttl,
            End::Failed(_) => 5,
        }
    }

    pub(super) fn with_ttl(mut self, left: u32) -> Self {
        match &mut self.end {
            End::Data(_, _, ttl) | End::Alias(_, _, _, ttl) => *ttl = left,
            End::Denied(denial) => denial.ttl = left,
            End::Failed(_) => {}
        }
        self
    }
}

impl Weigh for Step {
    fn heap(&self) -> usize {
        let end = match &self.end {
            End::Data(records, status, _) => records.heap() + status.heap(),
            End::Alias(_, target, status, _) => target.heap() + status.heap(),
            End::Denied(denial) => denial.heap(),
            End::Failed(failure) => failure.heap(),
        };
        end + self.evidence.as_ref().map_or(0, |evidence| evidence.heap())
    }
}

impl Kept for Step {
    const KIND: Kind = Kind::Step;
    type Key = Question;

    fn longest(&self) -> u32 {
        match self.end {
            End::Data(..) | End::Alias(..) => LONGEST,
            End::Denied(_) => LONGEST_DENIAL,
            End::Failed(_) => LONGEST_FAILURE,
        }
    }
}

fn bogus(fault: Fault) -> Failure {
    Failure {
        status: fault.bogus(),
        ede: None,
    }
}

fn malformed(text: String) -> End {
    End::Failed(bogus(Fault::new(Cause::Malformed, text)))
}

/// What is the matter with data that does not validate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// A zone on the way signed it, wrongly, or signed what does not prove it.
    Wrong,
    /// Nobody on the way signed anything.
    Unsigned,
}

impl Flaw {
    const fn of(fault: Option<&Fault>) -> Self {
        match fault {
            Some(_) => Self::Wrong,
            None => Self::Unsigned,
        }
    }
}

/// A status, and the seconds for which it holds.
type Judged = Result<(Status, u32), Failure>;

impl Core {
    /// Judges what `found` says about `question`.
    pub(super) async fn judge(&self, question: &Question, found: &Found, work: &Work) -> Step {
        let end = match work.checking {
            Checking::Enabled => self.judge_end(question, found, work).await,
            Checking::Disabled => unchecked(question, found),
        };
        let step = Step {
            end,
            evidence: match work.records {
                Records::Kept => Some(Arc::new(Evidence::new(found, question))),
                Records::Dropped => None,
            },
        };
        // Nobody is told to keep it for longer than it is kept here.
        let ttl = step.ttl().min(step.longest());
        let step = step.with_ttl(ttl);
        if let End::Alias(AliasKind::Cname, target, ..) = &step.end {
            self.keep_alias(&question.name, rtype::CNAME, target, &step);
        }
        if let Some((owner, target)) = redirected(&step.end, question, found) {
            self.keep_alias(&owner, rtype::DNAME, &target, &step);
        }
        step
    }

    async fn judge_end(&self, question: &Question, found: &Found, work: &Work) -> End {
        let message: &Message = &found.message;
        let name = &question.name;
        if question.rtype == rtype::ANY
            && let Some(end) = self.judge_any(name, message, work).await
        {
            return end;
        }
        let dname = dname_above(&message.answer, name, &found.bailiwick);
        let set = Signed::find(&message.answer, name, question.rtype)
            // A CNAME without signature below a DNAME is synthesised (RFC 6672 §5.3.1).
            .filter(|set| set.rtype != rtype::CNAME || !is_synthesised(set, dname.as_ref()));
        if let Some(set) = set {
            let records = &set.records;
            let data = records
                .iter()
                .map(|r| record_data(question.rtype, &r.rdata))
                .collect();
            return match self.judge_set(&set, message, work).await {
                Ok((status, ttl)) => End::Data(data, status, ttl),
                Err(failure) => End::Failed(failure),
            };
        }
        let cname = Signed::find(&message.answer, name, rtype::CNAME);
        match (cname, dname) {
            (Some(set), dname) if !is_synthesised(&set, dname.as_ref()) => {
                self.judge_cname(&set, message, work).await
            }
            (_, Some(set)) => {
                let end = self.judge_dname(name, &set, message, work).await;
                match end {
                    // Who asks for the CNAME itself is answered by the synthesised one.
                    End::Alias(_, target, status, ttl) if question.rtype == rtype::CNAME => {
                        End::Data(vec![RecordData::Name(target.to_domain())], status, ttl)
                    }
                    end => end,
                }
            }
            (_, None) => self.judge_denial(question, message, work).await,
        }
    }

    /// All that stands at `name`, as one: as secure as its weakest RRset. Nothing when the answer
    /// has no record there.
    async fn judge_any(&self, name: &Name, message: &Message, work: &Work) -> Option<End> {
        let (mut data, mut worst): (Vec<RecordData>, Option<(Status, u32)>) = (Vec::new(), None);
        for rtype in types_at(&message.answer, name) {
            let set = Signed::find(&message.answer, name, rtype)?;
            let (status, ttl) = match self.judge_set(&set, message, work).await {
                Ok(judged) => judged,
                Err(failure) => return Some(End::Failed(failure)),
            };
            data.extend(set.records.iter().map(|r| record_data(rtype, &r.rdata)));
            worst = Some(match worst {
                Some((before, until)) if before.security() >= status.security() => {
                    (before, until.min(ttl))
                }
                Some((_, until)) => (status, until.min(ttl)),
                None => (status, ttl),
            });
        }
        worst.map(|(status, ttl)| End::Data(data, status, ttl))
    }

    async fn judge_cname(&self, set: &Signed<'_>, message: &Message, work: &Work) -> End {
        let owner = &set.owner;
        let [record] = set.records.as_slice() else {
            return malformed(format!("{owner} has {} CNAME records", set.records.len()));
        };
        let Some(target) = record.target() else {
            return malformed(format!("{owner}: malformed CNAME"));
        };
        match self.judge_set(set, message, work).await {
            Ok((status, ttl)) => End::Alias(AliasKind::Cname, target, status, ttl),
            Err(failure) => End::Failed(failure),
        }
    }

    async fn judge_dname(
        &self,
        name: &Name,
        set: &Signed<'_>,
        message: &Message,
        work: &Work,
    ) -> End {
        let owner = &set.owner;
        let [record] = set.records.as_slice() else {
            return malformed(format!("{owner} has {} DNAME records", set.records.len()));
        };
        let Some(target) = record.target() else {
            return malformed(format!("{owner}: malformed DNAME"));
        };
        match self.judge_set(set, message, work).await {
            Ok((status, ttl)) => match name.rebased(owner, &target) {
                Some(target) => End::Alias(AliasKind::Dname, target, status, ttl),
                None => {
                    let text =
                        format!("the DNAME of {owner} makes of {name} a name that is too long");
                    let status = Status::indeterminate(text).because(Cause::AliasTooLong);
                    End::Failed(Failure { status, ede: None })
                }
            },
            Err(failure) => End::Failed(failure),
        }
    }

    /// The security of an RRset that exists.
    async fn judge_set(&self, set: &Signed<'_>, message: &Message, work: &Work) -> Judged {
        // RFC 4035 §2.2: signatures are not signed, so nobody can tell.
        if set.rtype == rtype::RRSIG {
            let text = format!("{}: signatures are not signed themselves", set.owner);
            let status = Status::indeterminate(text).because(Cause::Unchecked);
            return Ok((status, set.ttl()));
        }
        let holder = holder(&set.owner, set.rtype);
        if let Some(fault) = self.never_signed(&holder) {
            return Ok((fault.insecure(), set.ttl()));
        }
        let mut fault = None;
        for signer in set.signers() {
            let voucher = self.voucher(&signer, &set.owner, set.rtype);
            if voucher == Voucher::Stranger {
                continue;
            }
            match self.trust(&signer, work).await {
                Trust::Secure(keys) if keys.zone == signer => {
                    match verify(set, &keys, self.now(), &work.budget) {
                        Ok(verified) => {
                            return self.judge_expansion(set, &verified, &keys, message, work);
                        }
                        Err(wrong) => fault = fault.or(Some(wrong)),
                    }
                }
                Trust::Secure(_) => {}
                _ if voucher == Voucher::AnotherChain => {}
                Trust::Insecure(fault) => return Ok((fault.insecure(), set.ttl())),
                Trust::Failed(failure) => return Err(failure),
            }
        }
        let flaw = Flaw::of(fault.as_ref());
        let fault = fault.unwrap_or_else(|| {
            let rtype = mnemonic(set.rtype);
            let text = format!("{} {rtype}: no signature", set.owner);
            Fault::new(Cause::SignatureMissing, text)
        });
        self.must_be_insecure(&set.owner, set.rtype, work, flaw, fault)
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
            // Proofs that come unasked, as beside an alias into an unsigned zone, save questions
            // later on; here they decide nothing.
            if message.has_proof() {
                self.proofs_of(message, keys, &work.budget);
            }
            return Ok((
                Status::assertion(Authority::Validator, signed),
                verified.ttl,
            ));
        };
        // Which names a DNAME made from a wildcard redirects depends on what the server looked up
        // first (RFC 4592 §4.4).
        if set.rtype == rtype::DNAME {
            let text = format!("{}: a DNAME made from a wildcard", set.owner);
            return Err(bogus(Fault::new(Cause::BadSignature, text)));
        }
        let proofs = self.proofs_of(message, keys, &work.budget);
        let ttl = verified.ttl.min(proofs.ttl);
        match proofs.expansion(&set.owner, encloser) {
            Ok(Proof::Shown) => {
                let reason = format!("{signed}, as the wildcard *.{encloser}");
                Ok((Status::assertion(Authority::Validator, reason), ttl))
            }
            Ok(proof) => Ok((weak(&proof, &set.owner, zone).insecure(), ttl)),
            // Data was there: what is missing is not its denial (RFC 8914 §4.13).
            Err(Fault { text, cause }) => {
                let text = format!("{}: {text}", set.owner);
                let cause = match cause {
                    Cause::DenialMissing => Cause::DenialWrong,
                    cause => cause,
                };
                Err(bogus(Fault::new(cause, text)))
            }
        }
    }

    async fn judge_denial(&self, question: &Question, message: &Message, work: &Work) -> End {
        match self.denial(question, message, work).await {
            Ok(denial) => End::Denied(denial),
            Err(failure) => End::Failed(failure),
        }
    }

    async fn denial(
        &self,
        question: &Question,
        message: &Message,
        work: &Work,
    ) -> Result<Denial, Failure> {
        let claimed = match message.rcode {
            Rcode::NXDOMAIN => DenialKind::NxDomain,
            _ => DenialKind::NoData,
        };
        let (name, rtype) = (&question.name, question.rtype);
        let negative = negative_ttl(message);
        if let Some(fault) = self.never_signed(&holder(name, rtype)) {
            return Ok(denied(claimed, fault.insecure(), negative));
        }
        let mut fault = None;
        for signer in signers(&message.authority) {
            let voucher = self.voucher(&signer, name, rtype);
            let has_say = voucher != Voucher::Stranger
                && (rtype != rtype::DS || name.is_root() || *name != signer);
            if !has_say {
                continue;
            }
            let keys = match self.trust(&signer, work).await {
                Trust::Secure(keys) if keys.zone == signer => keys,
                Trust::Secure(_) => continue,
                _ if voucher == Voucher::AnotherChain => continue,
                Trust::Insecure(fault) => return Ok(denied(claimed, fault.insecure(), negative)),
                Trust::Failed(failure) => return Err(failure),
            };
            let proofs = self.proofs_of(message, &keys, &work.budget);
            let ttl = negative.min(proofs.ttl);
            match shown(&proofs, claimed, question) {
                Ok((kind, Proof::Shown)) => {
                    let reason = format!("denied by {signer}, which is signed");
                    let status = Status::assertion(Authority::Validator, reason);
                    return Ok(denied(kind, status, ttl));
                }
                Ok(_) if voucher == Voucher::AnotherChain => {}
                Ok((kind, proof)) => {
                    return Ok(denied(kind, weak(&proof, name, &signer).insecure(), ttl));
                }
                Err(wrong) => fault = fault.or(Some(wrong)),
            }
        }
        // Who stands under no anchor can neither be believed nor refuted when he denies that there is
        // an anchored zone at all (RFC 4033 §5, indeterminate).
        let above = signers(&message.authority)
            .into_iter()
            .find(|signer| self.is_above_anchors(signer, name));
        if let Some(zone) = above.filter(|_| claimed == DenialKind::NxDomain) {
            let text =
                format!("{question}: denied by {zone}, which stands above the trust anchors");
            return Err(Failure {
                status: Status::indeterminate(text).because(Cause::NoAnchor),
                ede: None,
            });
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
            return Err(bogus(Fault::new(Cause::DenialWrong, text)));
        }
        let flaw = Flaw::of(fault.as_ref());
        let fault = match fault {
            Some(fault) => {
                fault.told(|text| format!("{question}: the denial does not hold: {text}"))
            }
            None if message.is_empty_answer() => Fault::new(
                Cause::Malformed,
                format!("{question}: the answer is neither data nor a denial"),
            ),
            None if message.is_unsigned() => Fault::new(
                Cause::SignatureMissing,
                format!("{question}: denied without any signature"),
            ),
            None => Fault::new(
                Cause::DenialMissing,
                format!("{question}: denied without proof"),
            ),
        };
        self.must_be_insecure(name, rtype, work, flaw, fault)
            .await
            .map(|status| denied(claimed, status, negative))
    }

    /// For what bears no valid signature: fine where the zone is shown to be unsigned, else bogus.
    async fn must_be_insecure(
        &self,
        name: &Name,
        rtype: u16,
        work: &Work,
        flaw: Flaw,
        otherwise: Fault,
    ) -> Result<Status, Failure> {
        match self.trust(&holder(name, rtype), work).await {
            Trust::Insecure(fault) => Ok(fault.insecure()),
            Trust::Failed(failure) if failure.status.security() == Security::Bogus => {
                // What broke above is the reason that counts.
                let text = format!("{otherwise} ({})", failure.status.reason());
                Err(Failure {
                    status: Status::bogus(text).because(failure.status.cause()),
                    ede: failure.ede,
                })
            }
            // What a zone above signed wrongly is wrong, whatever lies below.
            Trust::Failed(_) if flaw == Flaw::Wrong => Err(bogus(otherwise)),
            Trust::Failed(failure) => Err(failure),
            Trust::Secure(keys) => {
                Err(bogus(otherwise.told(|text| {
                    format!("{text}, though {} is signed", keys.zone)
                })))
            }
        }
    }
}

const fn denied(kind: DenialKind, status: Status, ttl: u32) -> Denial {
    Denial { kind, status, ttl }
}

/// What the records show of the denial that the reply claims. A server that denies an empty
/// non-terminal as a whole, or a name whose records show only that the type is absent, is taken by
/// its records and not by its code.
fn shown(
    proofs: &Proofs<'_>,
    claimed: DenialKind,
    question: &Question,
) -> Result<(DenialKind, Proof), Fault> {
    let (name, rtype) = (&question.name, question.rtype);
    let no_data = || proofs.no_data(name, rtype);
    match claimed {
        DenialKind::NoData => no_data().map(|proof| (claimed, proof)),
        DenialKind::NxDomain => match proofs.no_name(name) {
            Ok(proof) => Ok((claimed, proof)),
            Err(wrong) => match no_data() {
                Ok(Proof::Shown) => Ok((DenialKind::NoData, Proof::Shown)),
                Ok(_) | Err(_) => Err(wrong),
            },
        },
    }
}

fn weak(proof: &Proof, name: &Name, zone: &Name) -> Fault {
    match proof {
        Proof::Iterations(count) => iterations(zone, *count),
        Proof::OptOut | Proof::Shown => opt_out(name, zone),
    }
}
