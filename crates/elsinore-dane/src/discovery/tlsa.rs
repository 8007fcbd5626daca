//! The search for the TLSA base domain of one host (RFC 7672 §2.2.3) and its four outcomes
//! (§2.2).

use super::flaw::{Flaw, Flaws};
use crate::answer::{Answer, Last, RecordData};
use crate::finding::Finding;
use crate::name::DomainName;
use crate::policy::TlsaOutcome;
use crate::rule::Rule;
use crate::security::Security;
use crate::tlsa::TlsaRecord;

/// The most unusable records that get a finding of their own.
const MAX_RECORD_FINDINGS: usize = 8;

/// The candidates of a host with what is known of each, and in which order each address family
/// tries them. The families nearly always agree, and then there is one order.
#[derive(Debug, Clone, Default)]
pub(super) struct Search {
    lookups: Vec<Lookup>,
    orders: Vec<Vec<usize>>,
}

#[derive(Debug, Clone)]
struct Lookup {
    base: DomainName,
    state: LookupState,
}

#[derive(Debug, Clone)]
enum LookupState {
    NotAsked,
    Asked,
    Answered(TlsaOutcome),
}

/// What to do next in a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SearchStep {
    /// Ask for the TLSA records of these candidates.
    Ask(Vec<usize>),
    /// Answers are outstanding.
    Wait,
    /// The outcome of each order, in the order in which orders were given.
    Done(Vec<TlsaOutcome>),
}

impl Search {
    /// A search along one or two orders of candidates.
    pub(super) fn new(orders: impl IntoIterator<Item = Vec<DomainName>>) -> Self {
        let mut search = Self::default();
        for order in orders {
            let mut indices = Vec::with_capacity(order.len());
            for base in order {
                let known = search.lookups.iter().position(|lookup| lookup.base == base);
                indices.push(known.unwrap_or_else(|| {
                    search.lookups.push(Lookup {
                        base,
                        state: LookupState::NotAsked,
                    });
                    search.lookups.len() - 1
                }));
            }
            search.orders.push(indices);
        }
        search
    }

    pub(super) fn base(&self, index: usize) -> Option<&DomainName> {
        self.lookups.get(index).map(|lookup| &lookup.base)
    }

    pub(super) fn answered(&mut self, index: usize, outcome: TlsaOutcome) {
        if let Some(lookup) = self.lookups.get_mut(index) {
            lookup.state = LookupState::Answered(outcome);
        }
    }

    pub(super) fn step(&mut self, flaws: Flaws) -> SearchStep {
        let mut to_ask = Vec::new();
        let mut outcomes = Vec::with_capacity(self.orders.len());
        let mut is_waiting = false;
        for order in &self.orders {
            match along(order, &mut self.lookups, flaws) {
                Along::Ask(index) => to_ask.push(index),
                Along::Wait => is_waiting = true,
                Along::Done(outcome) => outcomes.push(outcome),
            }
        }
        if !to_ask.is_empty() {
            SearchStep::Ask(to_ask)
        } else if is_waiting {
            SearchStep::Wait
        } else {
            SearchStep::Done(outcomes)
        }
    }
}

enum Along {
    Ask(usize),
    Wait,
    Done(TlsaOutcome),
}

/// The first candidate with an RRset decides; a failed lookup ends the search, and the next
/// candidate is not tried then (RFC 7672 §2.2.3, §2.1.2).
fn along(order: &[usize], lookups: &mut [Lookup], flaws: Flaws) -> Along {
    for index in order {
        let Some(lookup) = lookups.get_mut(*index) else {
            continue;
        };
        match &lookup.state {
            LookupState::NotAsked => {
                lookup.state = LookupState::Asked;
                return Along::Ask(*index);
            }
            LookupState::Asked => return Along::Wait,
            //= spec: 7672-2.2.3-5
            LookupState::Answered(TlsaOutcome::Absent) => {}
            LookupState::Answered(TlsaOutcome::Failed)
                if flaws.has(Flaw::ExpandedFailureTriesOriginal) && order.last() != Some(index) => {
            }
            //= spec: 7672-2.2.3-2
            LookupState::Answered(outcome) => return Along::Done(outcome.clone()),
        }
    }
    Along::Done(TlsaOutcome::Absent)
}

/// Judges the answer to the TLSA question of one candidate.
pub(super) fn judge(
    base: &DomainName,
    answer: Answer,
    findings: &mut Vec<Finding>,
    flaws: Flaws,
) -> TlsaOutcome {
    let overall = if flaws.has(Flaw::TlsaAliasesUnchecked) {
        answer.last.status()
    } else {
        answer.overall()
    };
    let security = overall.security();
    //= spec: 7672-2.1.2-4
    if matches!(security, Security::Bogus | Security::Indeterminate) {
        findings.push(Finding::new(
            Rule::TlsaLookupFailed,
            base.as_str(),
            overall.reason(),
        ));
        return if flaws.has(Flaw::TlsaFailureIsAbsence) {
            TlsaOutcome::Absent
        } else {
            TlsaOutcome::Failed
        };
    }
    let is_data = matches!(answer.last, Last::Data(_));
    //= spec: 7672-2.2.3-3
    if is_data && security == Security::Insecure && !flaws.has(Flaw::InsecureTlsaUsed) {
        findings.push(Finding::new(
            Rule::TlsaInsecure,
            base.as_str(),
            overall.reason(),
        ));
        return TlsaOutcome::Absent;
    }
    let records: Vec<TlsaRecord> = match answer.last {
        Last::Data(set) => set.records.into_iter().filter_map(tlsa_of).collect(),
        //= spec: 7672-2.1.1-7
        Last::Denied(denial) => {
            findings.push(Finding::new(
                Rule::TlsaAbsent,
                base.as_str(),
                format!("{} {}", denial.status.security(), denial.status.reason()),
            ));
            return TlsaOutcome::Absent;
        }
        Last::Failed(_) => return TlsaOutcome::Failed,
    };
    classify(base, records, findings, flaws)
}

fn tlsa_of(record: RecordData) -> Option<TlsaRecord> {
    match record {
        RecordData::Tlsa(tlsa) => Some(tlsa),
        RecordData::A(_)
        | RecordData::Aaaa(_)
        | RecordData::Mx { .. }
        | RecordData::Txt(_)
        | RecordData::Name(_)
        | RecordData::Other(_) => None,
    }
}

fn classify(
    base: &DomainName,
    records: Vec<TlsaRecord>,
    findings: &mut Vec<Finding>,
    flaws: Flaws,
) -> TlsaOutcome {
    if records.is_empty() {
        // An answer without one record of the type asked for is no answer.
        findings.push(Finding::new(
            Rule::TlsaLookupFailed,
            base.as_str(),
            "the answer holds no TLSA record",
        ));
        return TlsaOutcome::Failed;
    }
    let mut usable = 0_usize;
    let mut unusable = 0_usize;
    for record in &records {
        match record.usability() {
            Ok(_) => usable += 1,
            Err(why) => {
                unusable += 1;
                if unusable <= MAX_RECORD_FINDINGS {
                    findings.push(Finding::new(
                        Rule::TlsaRecordUnusable,
                        base.as_str(),
                        format!("{}: {why}", shortened(record)),
                    ));
                }
            }
        }
    }
    if usable > 0 {
        findings.push(Finding::new(
            Rule::TlsaUsable,
            base.as_str(),
            format!("{usable} usable of {} records", records.len()),
        ));
        return TlsaOutcome::Usable {
            base: base.clone(),
            records,
        };
    }
    findings.push(Finding::new(
        Rule::TlsaUnusable,
        base.as_str(),
        format!("none of {} records is usable", records.len()),
    ));
    if flaws.has(Flaw::UnusableIsAbsent) {
        return TlsaOutcome::Absent;
    }
    TlsaOutcome::Unusable { base: base.clone() }
}

/// The record in at most 40 characters.
fn shortened(record: &TlsaRecord) -> String {
    const LONGEST: usize = 40;
    let text = record.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
