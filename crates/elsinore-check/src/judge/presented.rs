//! What a host presents, and which TLSA record is made of what of it.
//!
//! Acceptance is the verifier's word ([`verify_dane`]), asked once per record; the comparison of
//! data alone is the verifier's, too ([`data_matches`]).

use super::certificates::{CHAIN, key};
use crate::report::{Offer, SessionState, Wire};
use crate::sighting::{AddressSighting, HostSighting, SessionSighting};
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::DaneRequirement;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::{MatchingType, TlsaRecord, Usage, effective};
use elsinore_dane::verify::{DaneVerdict, Rejection, VerifyOptions, data_matches, verify_dane};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// One chain that one address presents to one offer.
#[derive(Debug)]
pub(super) struct Presented<'a> {
    /// The address.
    pub(super) address: IpAddr,
    /// Which certificates were asked for.
    pub(super) offer: Offer,
    /// The chain, leaf first; not empty.
    pub(super) chain: &'a [Vec<u8>],
    /// The keys of the chain's certificates in the report.
    pub(super) keys: Vec<String>,
}

/// Every chain that a host presents: per address and offer the one presented last, because of the
/// rungs of a climb the last decides.
pub(super) fn presented(host: &HostSighting) -> Vec<Presented<'_>> {
    host.addresses.iter().flat_map(of_address).collect()
}

fn of_address(address: &AddressSighting) -> Vec<Presented<'_>> {
    let mut last: BTreeMap<Offer, &SessionSighting> = BTreeMap::new();
    for session in address
        .sessions
        .iter()
        .filter(|session| !session.chain.is_empty())
    {
        last.insert(session.offer, session);
    }
    let chains = last.into_iter().map(|(offer, session)| {
        let chain = &session.chain[..session.chain.len().min(CHAIN)];
        Presented {
            address: address.address,
            offer,
            chain,
            keys: chain.iter().map(|entry| key(entry)).collect(),
        }
    });
    chains.collect()
}

/// How one record fares with one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    /// Index in the chain; `None` when what matched was not sent.
    pub(super) index: Option<usize>,
    /// Place in the chain, or in the verified path when it was not sent.
    pub(super) depth: usize,
    /// Why the verifier does not accept the chain by this record; `None` when it does.
    pub(super) refused: Option<Refused>,
}

/// Why a match of data is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// A stronger digest of the same usage and selector is published (RFC 7671 §9).
    WeakerDigest,
    /// Usage 3 names the server's own certificate, and this is one above it; or usage 2 one above
    /// it, and this is the server's own.
    Place,
    /// The chain does not hold.
    Chain(Rejection),
}

/// Chains that are searched for one RRset: a set of hundreds of whole keys, and a chain to match,
/// cannot make a check last. Real ones need a search per record and chain.
const SEARCHES: u32 = 64;

/// Compares every record of one RRset with chains; the same chain is judged once.
#[derive(Debug)]
pub(super) struct Matcher<'a> {
    records: &'a [TlsaRecord],
    /// Names that a DANE-TA certificate may carry.
    names: Vec<DomainName>,
    base: DomainName,
    now: UnixTime,
    options: VerifyOptions,
    known: BTreeMap<(usize, Vec<String>), Vec<Match>>,
    /// For each record whether it takes part in matching (RFC 7671 §9).
    counts: Vec<bool>,
    searches_left: u32,
}

impl<'a> Matcher<'a> {
    /// For the records of `base`. `requirement` is that of the sender, if these records oblige it.
    pub(super) fn new(
        records: &'a [TlsaRecord],
        base: &DomainName,
        requirement: Option<&DaneRequirement>,
        now: UnixTime,
        options: VerifyOptions,
    ) -> Self {
        let names = requirement.map_or_else(
            || vec![base.clone()],
            |one| one.reference_identifiers.clone(),
        );
        let effective = effective(records);
        let counts = |record: &TlsaRecord| effective.iter().any(|one| one.record() == record);
        Self {
            records,
            names,
            base: base.clone(),
            now,
            options,
            known: BTreeMap::new(),
            counts: records.iter().map(counts).collect(),
            searches_left: SEARCHES,
        }
    }

    /// What the record at `index` matches in `presented`.
    pub(super) fn matches(&mut self, index: usize, presented: &Presented<'_>) -> Vec<Match> {
        let question = (index, presented.keys.clone());
        if let Some(known) = self.known.get(&question) {
            return known.clone();
        }
        let found = self.compare(index, presented.chain);
        self.known.insert(question, found.clone());
        found
    }

    fn compare(&mut self, index: usize, chain: &[Vec<u8>]) -> Vec<Match> {
        let Some(record) = self.records.get(index) else {
            return Vec::new();
        };
        let Ok(usable) = record.usability() else {
            return Vec::new();
        };
        let places: Vec<usize> = (chain.iter().enumerate())
            .filter(|(_, entry)| data_matches(&usable, entry))
            .map(|(place, _)| place)
            .collect();
        // Only what a record carries whole can match without having been sent.
        let may_be_unsent =
            usable.usage() == Usage::DaneTa && usable.matching_type() == MatchingType::Full;
        if places.is_empty() && !may_be_unsent {
            return Vec::new();
        }
        let counts = self.counts.get(index).copied().unwrap_or_default();
        let verdict = self.verdict(record, usable.usage(), chain);
        let mut found = Vec::new();
        for place in places {
            let right = match usable.usage() {
                Usage::DaneEe => place == 0,
                Usage::DaneTa => place > 0,
            };
            let refused = match (&verdict, right, counts) {
                (_, false, _) => Some(Refused::Place),
                (_, true, false) => Some(Refused::WeakerDigest),
                (DaneVerdict::Authenticated(_), true, true) => None,
                (DaneVerdict::Rejected(rejection), true, true) => Some(Refused::Chain(*rejection)),
                (DaneVerdict::NoUsable, true, true) => Some(Refused::Chain(Rejection::NoMatch)),
            };
            found.push(Match {
                index: Some(place),
                depth: place,
                refused,
            });
        }
        let all_misplaced = (found.iter()).all(|one| one.refused == Some(Refused::Place));
        if may_be_unsent
            && all_misplaced
            && let DaneVerdict::Authenticated(matched) = &verdict
        {
            found.push(Match {
                index: None,
                depth: matched.depth(),
                refused: None,
            });
        }
        found
    }

    /// What the verifier says of the chain by that one record alone.
    fn verdict(&mut self, record: &TlsaRecord, usage: Usage, chain: &[Vec<u8>]) -> DaneVerdict {
        if usage == Usage::DaneTa {
            let Some(left) = self.searches_left.checked_sub(1) else {
                return DaneVerdict::Rejected(Rejection::SearchBound);
            };
            self.searches_left = left;
        }
        verify_dane(chain, &self.requirement(record), self.now, &self.options)
    }

    /// That one record alone, under the names of the whole set.
    fn requirement(&self, record: &TlsaRecord) -> DaneRequirement {
        DaneRequirement {
            base_domain: self.base.clone(),
            records: vec![record.clone()],
            reference_identifiers: self.names.clone(),
            mx_secure: true,
        }
    }

    /// The wires of the record at `index` to everything presented.
    pub(super) fn wires(&mut self, index: usize, presented: &[Presented<'_>]) -> Vec<Wire> {
        let mut wires = Vec::new();
        for one in presented {
            for found in self.matches(index, one) {
                wires.push(Wire {
                    address: one.address.to_string(),
                    offer: one.offer,
                    certificate: found.index.and_then(|place| one.keys.get(place).cloned()),
                    depth: u32::try_from(found.depth).unwrap_or(u32::MAX),
                    accepted: found.refused.is_none(),
                });
            }
        }
        wires
    }
}

/// How far a session came. `requires_tls` is the obligation of the DANE sender.
pub(super) const fn session_state(session: &SessionSighting, requires_tls: bool) -> SessionState {
    use crate::sighting::StartTlsSeen;
    if session.no_connection.is_some() {
        return SessionState::NoConnection;
    }
    match (&session.tls, &session.tls_failure) {
        (Some(_), Some(_)) => return SessionState::Refused,
        (Some(_), None) if session.failure.is_none() => return SessionState::Met,
        // EHLO inside the session was not answered well.
        (Some(_), None) => return SessionState::NoGreeting,
        (None, Some(_)) if session.no_such_certificate => return SessionState::NoSuchCertificate,
        (None, Some(_)) => return SessionState::HandshakeFailed,
        (None, None) => {}
    }
    match &session.starttls {
        StartTlsSeen::NotOffered | StartTlsSeen::Refused(_) if requires_tls => SessionState::NoTls,
        StartTlsSeen::NotOffered | StartTlsSeen::Refused(_) if session.failure.is_none() => {
            SessionState::Cleartext
        }
        StartTlsSeen::NotOffered | StartTlsSeen::Refused(_) => SessionState::NoGreeting,
        StartTlsSeen::Accepted => SessionState::HandshakeFailed,
        StartTlsSeen::NotReached if session.failure.is_none() && session.greeting.is_some() => {
            SessionState::Cleartext
        }
        StartTlsSeen::NotReached => SessionState::NoGreeting,
    }
}
