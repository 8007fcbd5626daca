//! The chain of trust: from the anchors down to the zone that holds a name, cut by cut
//! (RFC 4035 §5.2, RFC 6840 §4.4). Every step is what the parent *shows*: keys vouched for by a
//! signed DS, a signed denial of DS, or a signed absence of any cut.

use super::anchors::{Anchor, Start};
use super::cache::{Kept, Kind, LONGEST, LONGEST_DENIAL, LONGEST_FAILURE, Weigh};
use super::config::Mode;
use super::core::{Core, Found, Work};
use super::evidence::{Evidence, Records};
use super::iterate::ReferralProof;
use super::retry::Bogus;
use super::transcript::Recursion;
use super::validate::{
    DsProof, Fault, KeyOutcome, Policy, Proof, Signed, ZoneKeys, signers, verify,
};
use super::wire::{Message, Name, Question, Record, rtype};
use elsinore_dane::answer::Failure;
use elsinore_dane::security::{Cause, Security};
use futures_util::future::join;
use std::sync::Arc;

/// Seconds for which a bogus step and a failed one are kept.
const BOGUS_FOR: u32 = 30;
const FAILED_FOR: u32 = 5;

/// What the zone that holds a name is.
#[derive(Debug, Clone)]
pub(super) enum Trust {
    /// Signed; these are its keys.
    Secure(Arc<ZoneKeys>),
    /// Shown to be unsigned; the reason names the zone that shows it.
    Insecure(Fault),
    /// Bogus or not found out.
    Failed(Failure),
}

/// What stands at one name on the way down.
#[derive(Debug, Clone)]
pub(super) enum Cut {
    /// A signed delegation.
    Keys(Arc<ZoneKeys>),
    /// No delegation: the name belongs to the zone above.
    None,
    Insecure(Fault),
    Failed(Failure),
}

impl Weigh for Cut {
    fn heap(&self) -> usize {
        match self {
            Self::Keys(keys) => keys.heap(),
            Self::None => 0,
            Self::Insecure(fault) => fault.text.heap(),
            Self::Failed(failure) => failure.heap(),
        }
    }
}

impl Kept for Cut {
    const KIND: Kind = Kind::Cut;
    type Key = Name;

    fn longest(&self) -> u32 {
        match self {
            Self::Keys(_) => LONGEST,
            Self::None | Self::Insecure(..) => LONGEST_DENIAL,
            Self::Failed(_) => LONGEST_FAILURE,
        }
    }
}

/// What the word of a signer counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voucher {
    /// It stands on the chain that starts deepest.
    Chain,
    /// It stands on a chain that starts further up: what it proves is secure, and else it proves
    /// nothing.
    AnotherChain,
    /// Nothing.
    Stranger,
}

/// The outcome of one step, before it is kept.
enum Step {
    Cut(Cut, u32),
    /// The records are signed by a zone in between that has not been visited yet.
    Between(Name),
}

/// What DS records, or their absence, make of one name.
enum Shown {
    Step(Step),
    /// A signed delegation, by these DS records, in canonical order.
    Delegated(Vec<Vec<u8>>, u32),
}

impl Shown {
    const fn is_failed(&self) -> bool {
        matches!(self, Self::Step(Step::Cut(Cut::Failed(_), _)))
    }
}

/// What a wildcard expansion at `name` says about a cut there.
fn cut_of(proof: &Proof, name: &Name, zone: &Name) -> Cut {
    match proof {
        Proof::Shown => Cut::None,
        Proof::OptOut => Cut::Insecure(opt_out(name, zone)),
        Proof::Iterations(count) => Cut::Insecure(iterations(zone, *count)),
    }
}

/// What the parent's denial of a DS at `name` makes of it.
fn cut_without_ds(proof: &DsProof, name: &Name, zone: &Name) -> Cut {
    match proof {
        DsProof::NoCut => Cut::None,
        DsProof::Unsigned => {
            let text = format!("{zone} shows {name} delegated unsigned, without DS");
            Cut::Insecure(Fault::new(Cause::UnsignedDelegation, text))
        }
        DsProof::OptOut => Cut::Insecure(opt_out(name, zone)),
        DsProof::Iterations(count) => Cut::Insecure(iterations(zone, *count)),
    }
}

/// Reasons for which something counts as insecure.
pub(super) fn opt_out(name: &Name, zone: &Name) -> Fault {
    let text = format!("{name} lies in an opt-out span of {zone}");
    Fault::new(Cause::OptOut, text)
}

pub(super) fn iterations(zone: &Name, count: u16) -> Fault {
    let text = format!("{zone} uses {count} NSEC3 iterations");
    Fault::new(Cause::Nsec3Iterations, text)
}

fn bogus(fault: Fault) -> Failure {
    Failure {
        status: fault.bogus(),
        ede: None,
    }
}

/// The name whose zone holds the records of `name` and `rtype`: a DS stands in the zone above
/// (RFC 4035 §2.4).
pub(super) fn holder(name: &Name, rtype: u16) -> Name {
    match name.parent() {
        Some(parent) if rtype == rtype::DS => parent,
        _ => name.clone(),
    }
}

impl Core {
    /// The trust in the zone that holds `name`.
    pub(super) async fn trust(&self, name: &Name, work: &Work) -> Trust {
        let (start, anchors) = match self.starts().of(name) {
            Start::Keys(start, anchors) => (start, anchors),
            Start::Never(fault) => return Trust::Insecure(fault),
        };
        let mut keys = match self.anchored_keys(&start, &anchors, work).await {
            Cut::Keys(keys) => keys,
            Cut::Insecure(fault) => return Trust::Insecure(fault),
            Cut::Failed(failure) => return Trust::Failed(failure),
            Cut::None => {
                let text = format!("{start} has no keys");
                return Trust::Failed(bogus(Fault::new(Cause::KeyMissing, text)));
            }
        };
        let mut every_label = self.config.mode != Mode::Recursive;
        let mut passed_over = false;
        let mut count = start.label_count() + 1;
        while count <= name.label_count() {
            let cut = name.suffix(count);
            count += 1;
            if !every_label && self.is_passed_over(&cut, name) {
                passed_over = true;
                continue;
            }
            let step = if passed_over {
                self.cut_or_between(&cut, &keys, work).await
            } else {
                self.cut(&cut, &keys, work).await
            };
            match step {
                Step::Cut(Cut::Keys(below), _) => keys = below,
                Step::Cut(Cut::None, _) => {}
                Step::Cut(Cut::Insecure(fault), _) => return Trust::Insecure(fault),
                Step::Cut(Cut::Failed(failure), _) => return Trust::Failed(failure),
                Step::Between(_) if !every_label => {
                    (every_label, passed_over) = (true, false);
                    count = keys.zone.label_count() + 1;
                }
                Step::Between(zone) => {
                    let text = format!("{cut}: signed by {zone}, which is not a zone of its own");
                    return Trust::Failed(bogus(Fault::new(Cause::BadSignature, text)));
                }
            }
        }
        Trust::Secure(keys)
    }

    /// Whether iteration went from a zone above `cut` straight to one below it on the way to
    /// `name`, so that no cut is to be expected here. Nor is it known whether there is one.
    fn is_passed_over(&self, cut: &Name, name: &Name) -> bool {
        if self.known_delegation(cut).is_some() || self.cache.find::<Cut>(cut).is_some() {
            return false;
        }
        let above = cut.label_count();
        (above + 1..=name.label_count()).any(|count| {
            self.known_delegation(&name.suffix(count))
                .is_some_and(|known| known.parent.label_count() < above)
        })
    }

    /// Why nothing at `name` needs a signature, if so: no chain of trust begins above it.
    pub(super) fn never_signed(&self, name: &Name) -> Option<Fault> {
        match self.starts().of(name) {
            Start::Never(fault) => Some(fault),
            Start::Keys(..) => None,
        }
    }

    /// What a signature by `signer` could say about `name`. Where anchors are nested any of them may
    /// show data secure, but only the chain that starts deepest may show it insecure
    /// (RFC 6840 §5.10).
    pub(super) fn voucher(&self, signer: &Name, name: &Name, rtype: u16) -> Voucher {
        if !name.is_at_or_below(signer) {
            return Voucher::Stranger;
        }
        match self.starts().of(&holder(name, rtype)) {
            Start::Keys(start, _) if signer.is_at_or_below(&start) => Voucher::Chain,
            Start::Keys(..) => match self.starts().of(signer) {
                Start::Keys(..) => Voucher::AnotherChain,
                Start::Never(_) => Voucher::Stranger,
            },
            Start::Never(_) => Voucher::Stranger,
        }
    }

    /// Whether `signer` stands under no anchor, above a zone with one that holds `name`.
    pub(super) fn is_above_anchors(&self, signer: &Name, name: &Name) -> bool {
        match (self.starts().of(name), self.starts().of(signer)) {
            (Start::Keys(start, _), Start::Never(fault)) => {
                start.is_below(signer) && fault.cause == Cause::NoAnchor
            }
            _ => false,
        }
    }

    fn policy(&self) -> Policy<'_> {
        Policy {
            cryptography: &self.config.cryptography,
            downgrade: self.config.algorithm_downgrade,
        }
    }

    async fn anchored_keys(&self, zone: &Name, anchors: &[Anchor], work: &Work) -> Cut {
        if let Some((cut, _)) = self.cache.find::<Cut>(zone) {
            return Cut::clone(&cut);
        }
        let outcome = self
            .keys_of(zone, work, |set| {
                ZoneKeys::from_anchors(set, anchors, self.policy(), self.now(), &work.budget)
            })
            .await;
        let (cut, ttl) = outcome;
        self.keep(zone, &cut, ttl, work);
        cut
    }

    fn keep(&self, name: &Name, cut: &Cut, ttl: u32, work: &Work) {
        // A lookup that ran out of budget on its own chain, or was to ask nobody, must not make a
        // shared zone fail.
        let is_own_fault = work.budget.is_overdrawn() || work.recursion == Recursion::CacheOnly;
        if matches!(cut, Cut::Failed(_)) && is_own_fault {
            return;
        }
        let question = |rtype| Question {
            name: name.clone(),
            rtype,
        };
        let ttl = match cut {
            Cut::Failed(failure) => self.failure_ttl(&question(rtype::DS), failure),
            _ => ttl,
        };
        self.cache.keep(name, Arc::new(cut.clone()), ttl);
        if !matches!(cut, Cut::Failed(_)) {
            // Judged: the cut is what counts from now on.
            self.cache.forget::<ReferralProof>(name);
            self.cache.forget::<Found>(&question(rtype::DS));
            self.cache.forget::<Found>(&question(rtype::DNSKEY));
        }
    }

    async fn cut(&self, name: &Name, parent: &Arc<ZoneKeys>, work: &Work) -> Step {
        if let Some((cut, ttl)) = self.cache.find::<Cut>(name) {
            return Step::Cut(Cut::clone(&cut), ttl);
        }
        let step = self.find_cut(name, parent, work).await;
        if let Step::Cut(cut, ttl) = &step {
            self.keep(name, cut, *ttl, work);
        }
        step
    }

    /// As [`cut`](Self::cut), below names that were passed over. A server that has both a zone and
    /// one below it refers past the lower one: what then is not of the upper zone may be of the
    /// lower, and nothing is held against the name.
    async fn cut_or_between(&self, name: &Name, parent: &Arc<ZoneKeys>, work: &Work) -> Step {
        let known = self.cache.find::<Cut>(name);
        let step = match &known {
            Some((cut, ttl)) => Step::Cut(Cut::clone(cut), *ttl),
            None => self.find_cut(name, parent, work).await,
        };
        if matches!(step, Step::Cut(Cut::Failed(_), _)) {
            return Step::Between(name.clone());
        }
        if let (Step::Cut(cut, ttl), None) = (&step, known) {
            self.keep(name, cut, *ttl, work);
        }
        step
    }

    async fn find_cut(&self, name: &Name, parent: &Arc<ZoneKeys>, work: &Work) -> Step {
        // What came with the referral saves a question; when it does not hold, the parent is
        // asked before anything is concluded. A DS query that fails then shows nothing: the
        // status is indeterminate, not bogus.
        let referral = match self.config.mode {
            Mode::Recursive => self.cache.find::<ReferralProof>(name),
            Mode::Forward | Mode::Ad => None,
        };
        let referral = referral.filter(|(proof, _)| {
            let shows = [rtype::DS, rtype::NSEC, rtype::NSEC3];
            proof.0.iter().any(|record| shows.contains(&record.rtype))
        });
        let (mut first, mut tried) = (None, None);
        if let Some((proof, left)) = referral {
            let records = proof.aged(left);
            let shown = self.judge_cut(name, &records, &records, parent, work);
            match shown {
                Shown::Step(step) if !matches!(&step, Step::Cut(Cut::Failed(_), _)) => return step,
                Shown::Step(step) => first = Some(step),
                Shown::Delegated(ds, ttl) => {
                    let (cut, ttl) = self.delegated_keys(name, &ds, ttl, work).await;
                    // Other DS records may make bogus keys good, but not bring missing ones.
                    let is_bogus = matches!(&cut, Cut::Failed(failure)
                        if failure.status.security() == Security::Bogus);
                    if !is_bogus {
                        return Step::Cut(cut, ttl);
                    }
                    first = Some(Step::Cut(cut, ttl));
                    tried = Some(ds);
                }
            }
        }
        if let Some((found, left)) = self.no_ds_from_cache(name, &parent.zone, work) {
            let proofs = self.proofs_of(&found.message, parent, &work.budget);
            if let Ok(proof) = proofs.no_ds(name) {
                let cut = cut_without_ds(&proof, name, &parent.zone);
                return Step::Cut(cut, proofs.ttl.min(left));
            }
        }
        let question = Question {
            name: name.clone(),
            rtype: rtype::DS,
        };
        let shown = match self.fetch(&question, work).await {
            Ok(found) => self.judge_cuts(name, found, &question, parent, work).await,
            Err(trouble) => {
                let step = Step::Cut(Cut::Failed(trouble.into_failure()), FAILED_FOR);
                return first.unwrap_or(step);
            }
        };
        match (shown, first) {
            // What is wrong with the referral tells more than that asking did not help.
            (Shown::Step(Step::Cut(Cut::Failed(_), _)), Some(first)) => first,
            (Shown::Step(step), _) => step,
            // The keys were put to these records already.
            (Shown::Delegated(ds, _), Some(first)) if tried.as_ref() == Some(&ds) => first,
            (Shown::Delegated(ds, ttl), _) => {
                let (cut, ttl) = self.delegated_keys(name, &ds, ttl, work).await;
                Step::Cut(cut, ttl)
            }
        }
    }

    /// What a reply to a DS query shows, and those of other servers while that is bogus.
    async fn judge_cuts(
        &self,
        name: &Name,
        mut found: Found,
        question: &Question,
        parent: &Arc<ZoneKeys>,
        work: &Work,
    ) -> Shown {
        let mut bogus = Bogus::default();
        loop {
            let message: &Message = &found.message;
            let shown = self.judge_cut(name, &message.answer, &message.authority, parent, work);
            if !shown.is_failed() {
                return shown;
            }
            match bogus.other_than(&found, question, self, work).await {
                Some(other) => found = other,
                None => return shown,
            }
        }
    }

    /// The keys of a zone by the DS records that its parent signed.
    async fn delegated_keys(
        &self,
        name: &Name,
        ds: &[Vec<u8>],
        ttl: u32,
        work: &Work,
    ) -> (Cut, u32) {
        let ds: Vec<&[u8]> = ds.iter().map(Vec::as_slice).collect();
        let (cut, left) = self
            .keys_of(name, work, |set| {
                ZoneKeys::from_ds(set, &ds, self.policy(), self.now(), &work.budget)
            })
            .await;
        (cut, left.min(ttl))
    }

    /// Judges DS records, or their denial, by the keys of the parent.
    fn judge_cut(
        &self,
        name: &Name,
        answer: &[Record],
        authority: &[Record],
        parent: &Arc<ZoneKeys>,
        work: &Work,
    ) -> Shown {
        let (zone, now) = (&parent.zone, self.now());
        let between = |signers: Vec<Name>| {
            signers
                .into_iter()
                .find(|signer| signer.is_below(zone) && name.is_below(signer))
        };
        let cut = |cut: Cut, ttl: u32| Shown::Step(Step::Cut(cut, ttl));
        let failed = |fault: Fault| cut(Cut::Failed(bogus(fault)), BOGUS_FOR);
        let via = |zone: Name| Shown::Step(Step::Between(zone));
        if let Some(set) = Signed::find(answer, name, rtype::DS) {
            let verified = match verify(&set, parent, now, &work.budget) {
                Ok(verified) if verified.expanded_from.is_none() => verified,
                Ok(_) => {
                    let text = format!("{name}: a DS made from a wildcard");
                    return failed(Fault::new(Cause::BadSignature, text));
                }
                Err(fault) => {
                    return between(set.signers()).map_or_else(|| failed(fault), via);
                }
            };
            let ds: Vec<&[u8]> = set
                .records
                .iter()
                .map(|record| record.rdata.as_slice())
                .collect();
            if let Err(fault) = ZoneKeys::usable_ds(name, &ds, &*self.config.cryptography) {
                return cut(Cut::Insecure(fault), verified.ttl);
            }
            let mut ds: Vec<Vec<u8>> = ds.into_iter().map(<[u8]>::to_vec).collect();
            ds.sort_unstable();
            return Shown::Delegated(ds, verified.ttl);
        }
        // A signed alias, or a DNAME above, leaves no room for a delegation.
        if let Some(set) = Signed::find(answer, name, rtype::CNAME)
            && let Ok(verified) = verify(&set, parent, now, &work.budget)
        {
            // One made from a wildcard leaves no room only where the name is shown not to exist;
            // an opt-out span that holds it may hold a delegation as well.
            let Some(encloser) = &verified.expanded_from else {
                return cut(Cut::None, verified.ttl);
            };
            let proofs = self.proofs(authority, parent, &work.budget);
            let ttl = verified.ttl.min(proofs.ttl);
            return match proofs.expansion(name, encloser) {
                Ok(proof) => cut(cut_of(&proof, name, zone), ttl),
                Err(fault) => failed(fault.told(|text| format!("{name}: {text}"))),
            };
        }
        for above in (zone.label_count()..name.label_count()).rev() {
            if let Some(set) = Signed::find(answer, &name.suffix(above), rtype::DNAME)
                && let Ok(verified) = verify(&set, parent, now, &work.budget)
                && verified.expanded_from.is_none()
            {
                return cut(Cut::None, verified.ttl);
            }
        }
        let proofs = self.proofs(authority, parent, &work.budget);
        let ttl = proofs.ttl;
        match proofs.no_ds(name) {
            Ok(proof) => cut(cut_without_ds(&proof, name, zone), ttl),
            Err(fault) => between(signers(authority)).map_or_else(
                || {
                    failed(fault.told(|text| {
                        format!("{name}: neither a DS nor its denial by {zone} holds: {text}")
                    }))
                },
                via,
            ),
        }
    }

    /// Fetches the DNSKEY RRset of `zone` and judges it.
    async fn keys_of(
        &self,
        zone: &Name,
        work: &Work,
        judge: impl Fn(&Signed<'_>) -> KeyOutcome,
    ) -> (Cut, u32) {
        let question = Question {
            name: zone.clone(),
            rtype: rtype::DNSKEY,
        };
        let mut found = match self.fetch(&question, work).await {
            Ok(found) => found,
            Err(trouble) => {
                // Without the keys nothing of the zone can be judged (RFC 8914 §4.10).
                let cause = match trouble.cause {
                    Cause::ServerFailed => Cause::KeyMissing,
                    cause => cause,
                };
                let failure = trouble.because(cause).into_failure();
                return (Cut::Failed(failure), FAILED_FOR);
            }
        };
        let mut bogus_from = Bogus::default();
        loop {
            let outcome = match Signed::find(&found.message.answer, zone, rtype::DNSKEY) {
                Some(set) => (judge(&set), set.ttl()),
                None => {
                    let text = format!("{zone} publishes no DNSKEY, though it is to be signed");
                    let fault = Fault::new(Cause::KeyMissing, text);
                    (KeyOutcome::Bogus(fault), BOGUS_FOR)
                }
            };
            let fault = match outcome {
                (KeyOutcome::Secure(keys), _) => {
                    if work.records == Records::Kept {
                        self.remember_servers(&Evidence::new(&found, &question));
                    }
                    let ttl = keys.ttl;
                    return (Cut::Keys(Arc::new(keys)), ttl);
                }
                (KeyOutcome::Insecure(fault), ttl) => return (Cut::Insecure(fault), ttl),
                (KeyOutcome::Bogus(fault), _) => fault,
            };
            match bogus_from.other_than(&found, &question, self, work).await {
                Some(other) => found = other,
                None => return (Cut::Failed(bogus(fault)), BOGUS_FOR),
            }
        }
    }

    /// Fetches what `name` needs if it is a signed zone, ahead of its use: the DS RRset and, without
    /// waiting for it, the keys.
    pub(super) async fn fetch_cut(&self, name: Name, work: &Work) {
        if self.cache.find::<Cut>(&name).is_some() || self.is_without_ds(&name, work) {
            return;
        }
        let question = Question {
            name: name.clone(),
            rtype: rtype::DS,
        };
        // A failure shows again, with its reason, when the records are needed.
        let _ = join(self.fetch(&question, work), self.fetch_keys(name, work)).await;
    }

    /// Fetches the keys of `zone` ahead of their use.
    pub(super) async fn fetch_keys(&self, zone: Name, work: &Work) {
        if self.cache.find::<Cut>(&zone).is_some() {
            return;
        }
        let question = Question {
            name: zone,
            rtype: rtype::DNSKEY,
        };
        // A failure shows again, with its reason, when the keys are needed.
        let _ = self.fetch(&question, work).await;
    }
}
