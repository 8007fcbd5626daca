//! The search for a path from the leaf to a DANE-TA trust anchor (RFC 7672 §3.1.2, RFC 7671 §5.2,
//! RFC 5280 §6.1).
//!
//! Depth first with backtracking over issuers of the same name, on a stack of its own. Each step
//! upwards costs one signature check, and those are bounded; no certificate occurs twice in a
//! path, so loops end.

use super::certificate::Certificate;
use super::crypto::{Digest, Key, KeyKind, SignatureAlgorithm, spells_out_its_curve};
use super::name_constraints::{Place, Verdict, permit};
use super::names::ReferenceNames;
use super::outcome::{Match, MatchedBy, Rejection};
use super::{Sha1Policy, VerifyOptions, distinguished_name, extensions, matching_record};
use crate::time::UnixTime;
use crate::tlsa::{MatchingType, Selector, UsableTlsa, Usage};

/// Longest RSA modulus of an issuer, in bits: OpenSSL verifies with none that is longer.
const LONGEST_RSA: u32 = 16_384;

/// One search, for one leaf.
pub(super) struct Search<'c, 'r> {
    leaf: Certificate<'c>,
    /// Possible issuers: presented behind the leaf, or taken from `2 0 0` records.
    candidates: Vec<Candidate<'c, 'r>>,
    /// Records with a bare key (`2 1 0`).
    bare_keys: Vec<UsableTlsa<'r>>,
    now: UnixTime,
    options: &'c VerifyOptions,
    checks_left: usize,
    effort_left: u32,
    comparisons_left: usize,
    failure: Option<Rejection>,
}

struct Candidate<'c, 'r> {
    certificate: Certificate<'c>,
    /// The DANE-TA record it matches.
    anchor: Option<UsableTlsa<'r>>,
}

/// How a path ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Top {
    /// The last certificate of the path is itself the trust anchor.
    Anchor,
    /// A bare key signed the last certificate of the path.
    BareKey,
}

impl<'c, 'r: 'c> Search<'c, 'r> {
    pub(super) fn new(
        leaf: Certificate<'c>,
        presented: impl Iterator<Item = &'c [u8]>,
        records: &[UsableTlsa<'r>],
        now: UnixTime,
        options: &'c VerifyOptions,
    ) -> Self {
        let published = records
            .iter()
            .filter(|record| is_full_anchor(record, Selector::Cert))
            .map(UsableTlsa::association);
        let mut candidates = Vec::new();
        let mut seen = std::collections::BTreeSet::from([leaf.entry()]);
        // Published ones first: a path that ends at one is the shortest.
        for entry in published.chain(presented) {
            // A copy of the leaf is no issuer: a trust anchor stands above the leaf.
            if !seen.insert(entry) {
                continue;
            }
            let Ok(certificate) = Certificate::parse(entry) else {
                continue;
            };
            if !certificate.has_trailing_octets() {
                candidates.push(Candidate {
                    anchor: matching_record(&certificate, records, Usage::DaneTa),
                    certificate,
                });
            }
        }
        let bare_keys = records
            .iter()
            .filter(|record| is_full_anchor(record, Selector::Spki))
            .copied()
            .collect();
        Self {
            leaf,
            candidates,
            bare_keys,
            now,
            options,
            checks_left: options.limits.signature_checks,
            effort_left: options.limits.signature_effort,
            comparisons_left: options.limits.comparisons,
            failure: None,
        }
    }

    /// Searches; the first path that holds wins.
    ///
    /// When none does, the failure reported is that of the first path that reached a trust
    /// anchor, else of the first obstacle on the way, else [`Rejection::NoTrustedPath`].
    pub(super) fn run(mut self, references: &ReferenceNames<'_>) -> Result<Match, Rejection> {
        if self.candidates.iter().all(|issuer| issuer.anchor.is_none()) && self.bare_keys.is_empty()
        {
            return Err(Rejection::NoTrustedPath);
        }
        let mut obstacle = None;
        let mut path: Vec<usize> = Vec::new();
        let mut next: Vec<usize> = vec![0];
        while let Some(cursor) = next.last_mut() {
            let start = *cursor;
            let top = path
                .last()
                .map_or(self.leaf, |index| self.candidates[*index].certificate);
            let issuer = if path.len() < self.options.limits.depth {
                self.issuer_of(&top, &path, start)
            } else {
                None
            };
            if let Some(index) = issuer {
                *cursor = index + 1;
                let issuer = self.candidates[index].certificate.public_key_info();
                match self.signed_by(&top, issuer, path.len()) {
                    Ok(()) => {}
                    Err(Rejection::SearchBound) => {
                        return Err(self.failure.unwrap_or(Rejection::SearchBound));
                    }
                    Err(other) => {
                        // A bad signature only means that this was not the issuer.
                        if other != Rejection::NoTrustedPath {
                            obstacle.get_or_insert(other);
                        }
                        continue;
                    }
                }
                path.push(index);
                next.push(0);
                if let Some(record) = self.candidates[index].anchor {
                    match self.judge(&path, Top::Anchor, references) {
                        Ok(name) => {
                            let depth = path.len();
                            let by = MatchedBy::Certificate;
                            return Ok(Match::assertion(record, depth, by, Some(name)));
                        }
                        Err(Rejection::SearchBound) => {
                            return Err(self.failure.unwrap_or(Rejection::SearchBound));
                        }
                        Err(failure) => self.failure = self.failure.or(Some(failure)),
                    }
                }
                continue;
            }
            for record in self.bare_keys.clone() {
                if self.presents_key(&top, record.association()) {
                    continue;
                }
                match self.signed_by(&top, record.association(), path.len()) {
                    Ok(()) => match self.judge(&path, Top::BareKey, references) {
                        Ok(name) => {
                            let depth = path.len();
                            let by = MatchedBy::BareKey;
                            return Ok(Match::assertion(record, depth, by, Some(name)));
                        }
                        Err(Rejection::SearchBound) => {
                            return Err(self.failure.unwrap_or(Rejection::SearchBound));
                        }
                        Err(failure) => self.failure = self.failure.or(Some(failure)),
                    },
                    Err(Rejection::SearchBound) => {
                        return Err(self.failure.unwrap_or(Rejection::SearchBound));
                    }
                    Err(Rejection::NoTrustedPath) => {}
                    Err(other) => {
                        obstacle.get_or_insert(other);
                    }
                }
            }
            next.pop();
            path.pop();
        }
        Err(self
            .failure
            .or(obstacle)
            .unwrap_or(Rejection::NoTrustedPath))
    }

    /// The next candidate, from `start` on, whose subject is the issuer of `below`.
    fn issuer_of(&self, below: &Certificate<'_>, path: &[usize], start: usize) -> Option<usize> {
        (start..self.candidates.len()).find(|index| {
            let subject = self.candidates[*index].certificate.subject();
            !path.contains(index) && distinguished_name::same(subject, below.issuer())
        })
    }

    /// Whether the certificate with this bare key was presented as the issuer of `below`. Then
    /// its dates and constraints count, and the key alone is not enough.
    fn presents_key(&self, below: &Certificate<'_>, key: &[u8]) -> bool {
        self.candidates.iter().any(|candidate| {
            candidate.certificate.public_key_info() == key
                && distinguished_name::same(candidate.certificate.subject(), below.issuer())
        })
    }

    /// Verifies the signature of a certificate at `depth`; `NoTrustedPath` when it is not by
    /// this key.
    fn signed_by(
        &mut self,
        certificate: &Certificate<'_>,
        public_key_info: &[u8],
        depth: usize,
    ) -> Result<(), Rejection> {
        let Ok(signature) = certificate.signature() else {
            return Err(Rejection::Malformed { depth });
        };
        let Ok(algorithm) = SignatureAlgorithm::decode(signature.algorithm) else {
            return Err(Rejection::Malformed { depth });
        };
        match (algorithm.digest(), self.options.sha1) {
            (Some(Digest::Md5), _) | (Some(Digest::Sha1), Sha1Policy::Refuse) => {
                return Err(Rejection::ObsoleteDigest { depth });
            }
            _ => {}
        }
        let Some(left) = self.checks_left.checked_sub(1) else {
            return Err(Rejection::SearchBound);
        };
        self.checks_left = left;
        if spells_out_its_curve(public_key_info).unwrap_or(true) {
            return Err(Rejection::NoTrustedPath);
        }
        let Some(key) = Key::decode(public_key_info) else {
            return Err(Rejection::NoTrustedPath);
        };
        let rsa = matches!(key.kind(), KeyKind::Rsa | KeyKind::RsaPss);
        if rsa && key.bits() < self.options.limits.issuer_rsa_bits {
            return Err(Rejection::ShortIssuerKey { depth: depth + 1 });
        }
        if rsa && key.bits() > LONGEST_RSA {
            return Err(Rejection::NoTrustedPath);
        }
        // Hashing 16 KiB costs about as much as one unit.
        let hashing = u32::try_from(certificate.tbs().len() / 16_384).unwrap_or(u32::MAX);
        let Some(left) = self
            .effort_left
            .checked_sub(key.cost().saturating_add(hashing))
        else {
            return Err(Rejection::SearchBound);
        };
        self.effort_left = left;
        key.verify(algorithm, certificate.tbs(), signature.value)
            .map_err(|_| Rejection::NoTrustedPath)
    }

    /// Everything about a complete path but its signatures.
    fn judge(
        &mut self,
        path: &[usize],
        top: Top,
        references: &ReferenceNames<'_>,
    ) -> Result<crate::name::DomainName, Rejection> {
        let certificates: Vec<Certificate<'c>> = std::iter::once(self.leaf)
            .chain(path.iter().map(|index| self.candidates[*index].certificate))
            .collect();
        // No name is shorter than this many octets with its place in the list.
        let reading: usize = certificates.iter().map(|c| c.tbs().len() / 16).sum();
        let Some(left) = self.comparisons_left.checked_sub(reading) else {
            return Err(Rejection::SearchBound);
        };
        self.comparisons_left = left;
        // Intermediates seen so far that are not self-issued (RFC 5280 §6.1.4 (l)).
        let mut intermediates = 0;
        for (depth, certificate) in certificates.iter().enumerate() {
            let malformed = |_| Rejection::Malformed { depth };
            let (first, last) = certificate.validity().map_err(malformed)?;
            if self.now.0 < first {
                return Err(Rejection::NotYetValid { depth });
            }
            if self.now.0 > last {
                return Err(Rejection::Expired { depth });
            }
            let extensions = certificate.extensions().map_err(malformed)?;
            if extensions.unknown_critical {
                return Err(Rejection::UnknownCriticalExtension { depth });
            }
            if !extensions.admits_server().map_err(malformed)? {
                return Err(Rejection::WrongPurpose { depth });
            }
            if depth == 0 {
                continue;
            }
            let is_anchor = top == Top::Anchor && depth + 1 == certificates.len();
            may_issue(certificate, &extensions, is_anchor, depth)?;
            //= spec: 7672-3.1.2-1
            if let Some(limit) = extensions
                .basic_constraints
                .and_then(|constraints| constraints.path_length)
                && intermediates > limit
            {
                return Err(Rejection::PathTooLong { depth });
            }
            if let Some(constraints) = extensions.name_constraints {
                for (below, constrained) in certificates[..depth].iter().enumerate() {
                    let place = if below == 0 {
                        Place::Leaf
                    } else {
                        Place::Issuer
                    };
                    if place == Place::Issuer && is_self_issued(constrained) {
                        continue;
                    }
                    let left = &mut self.comparisons_left;
                    match permit(constraints, constrained, place, left).map_err(malformed)? {
                        Verdict::Permitted => {}
                        Verdict::Violated => return Err(Rejection::NameConstraints { depth }),
                        Verdict::Unsettled => return Err(Rejection::SearchBound),
                    }
                }
            }
            if !is_self_issued(certificate) {
                intermediates += 1;
            }
        }
        //= spec: 7672-3.2.2-1
        references.covered_by(&self.leaf)
    }
}

/// Whether the record carries a trust anchor whole.
fn is_full_anchor(record: &UsableTlsa<'_>, selector: Selector) -> bool {
    record.usage() == Usage::DaneTa
        && record.matching_type() == MatchingType::Full
        && record.selector() == selector
}

fn is_self_issued(certificate: &Certificate<'_>) -> bool {
    distinguished_name::same(certificate.subject(), certificate.issuer())
}

/// Whether a certificate may sign others (RFC 5280 §6.1.4 (k), (n)).
///
/// For a trust anchor the TLSA record says so, hence version 1 and missing basicConstraints are
/// no obstacle; what it does say of itself still counts.
fn may_issue(
    certificate: &Certificate<'_>,
    extensions: &extensions::Extensions<'_>,
    is_anchor: bool,
    depth: usize,
) -> Result<(), Rejection> {
    let not_an_authority = Rejection::NotAnAuthority { depth };
    let version = certificate
        .version()
        .map_err(|_| Rejection::Malformed { depth })?;
    match extensions.basic_constraints {
        Some(constraints) if !constraints.authority => return Err(not_an_authority),
        None if !is_anchor => return Err(not_an_authority),
        _ => {}
    }
    if !is_anchor && version != 3 {
        return Err(not_an_authority);
    }
    match extensions.key_usage {
        Some(bits) if bits & extensions::KEY_CERT_SIGN == 0 => Err(not_an_authority),
        _ => Ok(()),
    }
}
