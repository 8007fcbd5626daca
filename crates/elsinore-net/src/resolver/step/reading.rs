//! What stands in a reply, before anything is judged.

use super::{End, malformed};
use crate::resolver::core::Found;
use crate::resolver::validate::{Signed, negative_ttl};
use crate::resolver::wire::{Message, Name, Question, Rcode, Record, record_data, rtype};
use elsinore_dane::answer::{AliasKind, Denial, DenialKind};
use elsinore_dane::security::{Cause, Status};

/// Types of one name that an answer to ANY is judged with, and shows; each costs a signature.
const MOST_TYPES: usize = 24;

/// What a reply says, without any judgement (CD, RFC 4035 §3.2.2).
pub(super) fn unchecked(question: &Question, found: &Found) -> End {
    let (message, name): (&Message, _) = (&found.message, &question.name);
    let status =
        || Status::indeterminate("not validated, as was asked for").because(Cause::Unchecked);
    let set = data_of(message, question);
    if !set.is_empty() {
        let ttl = set.iter().map(|record| record.ttl).min().unwrap_or(0);
        let data = set.iter().map(|r| record_data(r.rtype, &r.rdata));
        return End::Data(data.collect(), status(), ttl);
    }
    if let Some(record) = Message::rrset(&message.answer, name, rtype::CNAME).first() {
        return match record.target() {
            Some(target) => End::Alias(AliasKind::Cname, target, status(), record.ttl),
            None => malformed(format!("{name}: malformed CNAME")),
        };
    }
    End::Denied(Denial {
        kind: match message.rcode {
            Rcode::NXDOMAIN => DenialKind::NxDomain,
            _ => DenialKind::NoData,
        },
        status: status(),
        ttl: negative_ttl(message),
    })
}

/// The records that answer `question` itself; for ANY all that stand at the name.
fn data_of<'a>(message: &'a Message, question: &Question) -> Vec<&'a Record> {
    if question.rtype != rtype::ANY {
        return Message::rrset(&message.answer, &question.name, question.rtype);
    }
    let owner = &question.name;
    let records = message.answer.iter();
    records.filter(|record| record.owner == *owner).collect()
}

/// The DNAME, and its target, that `end` was judged from.
pub(super) fn redirected(end: &End, question: &Question, found: &Found) -> Option<(Name, Name)> {
    let (answer, name) = (&found.message.answer, &question.name);
    let dname = dname_above(answer, name, &found.bailiwick)?;
    let is_judged = match end {
        End::Alias(kind, ..) => *kind == AliasKind::Dname,
        End::Data(..) => {
            question.rtype == rtype::CNAME
                && Signed::find(answer, name, rtype::CNAME)
                    .is_none_or(|cname| is_synthesised(&cname, Some(&dname)))
        }
        End::Denied(_) | End::Failed(_) => false,
    };
    let [record] = dname.records.as_slice() else {
        return None;
    };
    let target = record.target().filter(|_| is_judged)?;
    Some((dname.owner, target))
}

/// The types that stand at `name`, as far as an answer to ANY goes.
pub(in crate::resolver) fn types_at(answer: &[Record], name: &Name) -> Vec<u16> {
    let mut types: Vec<u16> = Vec::new();
    for record in answer {
        let is_new =
            record.owner == *name && record.rtype != rtype::RRSIG && !types.contains(&record.rtype);
        if is_new && types.len() < MOST_TYPES {
            types.push(record.rtype);
        }
    }
    types
}

/// Whether a CNAME is what a server made of the DNAME above it.
pub(super) fn is_synthesised(cname: &Signed<'_>, dname: Option<&Signed<'_>>) -> bool {
    dname.is_some() && cname.signatures.is_empty()
}

/// The deepest DNAME above `name` that the speaking zone has a say in.
pub(in crate::resolver) fn dname_above<'a>(
    answer: &'a [Record],
    name: &Name,
    bailiwick: &Name,
) -> Option<Signed<'a>> {
    answer
        .iter()
        .filter(|record| record.rtype == rtype::DNAME && name.is_below(&record.owner))
        .filter(|record| record.owner.is_at_or_below(bailiwick))
        .max_by_key(|record| record.owner.label_count())
        .and_then(|record| Signed::find(answer, &record.owner, rtype::DNAME))
}
