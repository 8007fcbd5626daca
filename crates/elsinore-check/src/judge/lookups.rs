//! Questions to DNS, with what their answers rest on.

use super::text;
use crate::report::{AliasLink, AnswerKind, Lookup, Security, Signature};
use crate::sighting::LookupSighting;
use elsinore_dane::answer::{AliasKind, Answer, DenialKind, Last, RecordData, RecordType};
use elsinore_dane::security::{Security as Dane, Status};
use elsinore_dane::time::UnixTime;
use elsinore_net::resolver::{Explained, ResourceRecord};

/// One question.
pub(super) fn lookup(seen: &LookupSighting, now: UnixTime) -> Lookup {
    let answer = &seen.explained.answer;
    let overall = answer.overall();
    Lookup {
        name: text::line(seen.question.name.as_str()),
        record_type: seen.question.record_type.to_string(),
        purpose: seen.purpose.to_owned(),
        kind: kind(&answer.last),
        security: security(overall),
        reason: reason(overall),
        chain: links(answer),
        records: records(&seen.explained),
        ttl_s: ttl(&answer.last),
        signatures: signatures(&seen.explained, now),
        evidence: evidence(&seen.explained),
        elapsed_ms: seen.elapsed_ms,
    }
}

/// What DNSSEC says, in the word of the report.
pub(super) const fn security(status: &Status) -> Security {
    match status.security() {
        Dane::Secure => Security::Secure,
        Dane::Insecure => Security::Insecure,
        Dane::Indeterminate => Security::Indeterminate,
        Dane::Bogus => Security::Bogus,
    }
}

/// Why, unless it is secure.
pub(super) fn reason(status: &Status) -> Option<String> {
    (status.security() != Dane::Secure).then(|| text::line(status.reason()))
}

/// The alias links, each with its own security.
pub(super) fn links(answer: &Answer) -> Vec<AliasLink> {
    let links = answer.chain.iter().take(text::MANY).map(|link| AliasLink {
        owner: text::line(link.owner.as_str()),
        record_type: match link.kind {
            AliasKind::Cname => "CNAME",
            AliasKind::Dname => "DNAME",
        }
        .to_owned(),
        target: text::line(link.target.as_str()),
        security: security(&link.status),
        reason: reason(&link.status),
    });
    links.collect()
}

pub(super) const fn kind(last: &Last) -> AnswerKind {
    match last {
        Last::Data(_) => AnswerKind::Data,
        Last::Denied(denial) => match denial.kind {
            DenialKind::NoData => AnswerKind::NoData,
            DenialKind::NxDomain => AnswerKind::NxDomain,
        },
        Last::Failed(_) => AnswerKind::Failed,
    }
}

const fn ttl(last: &Last) -> Option<u32> {
    match last {
        Last::Data(rrset) => Some(rrset.ttl),
        Last::Denied(denial) => Some(denial.ttl),
        Last::Failed(_) => None,
    }
}

/// The records at the end of the chain. Of the reply itself where it was kept, because there the
/// strings of a TXT record are still apart.
fn records(explained: &Explained) -> Vec<String> {
    let answer = &explained.answer;
    let Last::Data(rrset) = &answer.last else {
        return Vec::new();
    };
    let wanted = answer.question.record_type;
    let of_reply = explained.end.iter().flat_map(|end| &end.records);
    let of_reply: Vec<String> = of_reply
        .filter(|one| one.record_type == wanted && one.owner == rrset.owner)
        .map(|one| text::record(&one.rdata_text()))
        .take(text::MANY)
        .collect();
    if !of_reply.is_empty() {
        return of_reply;
    }
    let of_answer = rrset.records.iter().take(text::MANY);
    of_answer
        .map(|one| text::record(&presentation(one)))
        .collect()
}

fn presentation(data: &RecordData) -> String {
    match data {
        RecordData::A(address) => address.to_string(),
        RecordData::Aaaa(address) => address.to_string(),
        RecordData::Mx {
            preference,
            exchange,
        } => format!("{preference} {}", absolute(exchange.as_str())),
        RecordData::Tlsa(record) => record.to_string(),
        RecordData::Txt(octets) => format!("\"{}\"", String::from_utf8_lossy(octets)),
        RecordData::Name(name) => absolute(name.as_str()),
        RecordData::Other(text) => text.clone(),
    }
}

fn absolute(name: &str) -> String {
    match name {
        "" | "." => ".".to_owned(),
        name => format!("{name}."),
    }
}

/// All records that the answer rests on: links, end, proofs.
fn rests_on(explained: &Explained) -> impl Iterator<Item = &ResourceRecord> {
    let parts = explained.links.iter().chain(&explained.end);
    parts.flat_map(|part| part.records.iter().chain(&part.proofs))
}

fn evidence(explained: &Explained) -> Vec<String> {
    let shown = rests_on(explained).take(text::MANY);
    let mut lines: Vec<String> = shown.map(|one| text::record(&one.to_string())).collect();
    lines.dedup();
    lines
}

fn signatures(explained: &Explained, now: UnixTime) -> Vec<Signature> {
    let read =
        rests_on(explained).filter_map(|one| elsinore_net::resolver::Signature::read(one, now));
    let mut signatures: Vec<Signature> = read
        .take(text::MANY)
        .map(|one| Signature {
            owner: text::line(one.owner.as_str()),
            covers: one.covered.to_string(),
            signer: text::line(one.signer.as_str()),
            tag: one.key_tag,
            algorithm: one.algorithm,
            inception_at: one.inception.0,
            expiration_at: one.expiration.0,
            original_ttl_s: one.original_ttl,
        })
        .collect();
    signatures.dedup();
    signatures
}

/// The octets of the TXT records of an answer.
pub(super) fn texts(answer: &Answer) -> Vec<&[u8]> {
    let Last::Data(rrset) = &answer.last else {
        return Vec::new();
    };
    if answer.question.record_type != RecordType::Txt {
        return Vec::new();
    }
    let texts = rrset.records.iter().filter_map(|record| match record {
        RecordData::Txt(octets) => Some(octets.as_slice()),
        RecordData::A(_)
        | RecordData::Aaaa(_)
        | RecordData::Mx { .. }
        | RecordData::Tlsa(_)
        | RecordData::Name(_)
        | RecordData::Other(_) => None,
    });
    texts.collect()
}
