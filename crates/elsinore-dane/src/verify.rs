//! Whether a presented certificate chain meets an obligation (RFC 7671, RFC 7672 §3).
//!
//! Everything works on the octets that the server sent. [`verify_dane`] judges a chain by TLSA
//! records, [`verify_pins`] by digests the administrator pinned, and
//! [`verify_handshake_signature`] shows that the peer holds the key of the very certificate that
//! was judged; only together do they authenticate a server.
//!
//! # What is decided here
//! * DANE-EE(3): the record decides alone. Names, dates, version, extensions, key size and
//!   signature of the leaf and the whole rest of the chain are ignored (RFC 7672 §3.1.1).
//! * DANE-TA(2): a path from the leaf to the trust anchor must stand up to RFC 5280 §6.1 in the
//!   parts that [`Rejection`] lists, and the leaf must carry a reference identifier.
//! * Selector Cert(0) covers the whole entry of the certificate message, so octets behind a
//!   leaf belong to what is matched. An entry with such octets is never an issuer.
//!
//! # Limitations
//! Revocation is not consulted, certificate policies are not evaluated, and authority key
//! identifiers are only hints in RFC 5280, hence ignored: the signature decides.

mod association;
pub(crate) mod certificate;
mod chain;
pub(crate) mod crypto;
mod der;
mod distinguished_name;
mod extensions;
mod handshake;
mod inspect;
mod name_constraints;
mod names;
mod outcome;

pub use association::record_for;
pub use handshake::{HandshakeSignatureError, scheme_uses_sha1, verify_handshake_signature};
pub use inspect::{CertificateSummary, Undecodable, inspect};
pub use outcome::{DaneVerdict, Match, MatchedBy, PinMatch, PinnedPart, Rejection};

use crate::obligation::{DaneRequirement, PinRequirement};
use crate::time::UnixTime;
use crate::tlsa::{MatchingType, Selector, UsableTlsa, Usage, effective};
use certificate::Certificate;
use names::ReferenceNames;

/// Settings of the verifier that are not part of the requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifyOptions {
    /// Whether a DANE-EE match also asks for a name.
    pub ee_name_checks: EeNameChecks,
    /// Whether certificates signed with SHA-1 count inside a DANE-TA chain.
    pub sha1: Sha1Policy,
    /// Bounds of the search for a chain.
    pub limits: Limits,
}

impl VerifyOptions {
    /// What an SMTP client uses (RFC 7672 §3.1.1, §3.2.1).
    #[must_use]
    pub const fn smtp() -> Self {
        Self {
            ee_name_checks: EeNameChecks::Skip,
            sha1: Sha1Policy::Refuse,
            limits: Limits {
                depth: 10,
                signature_checks: 100,
                signature_effort: 1500,
                comparisons: 1 << 18,
                issuer_rsa_bits: 1024,
            },
        }
    }
}

/// Whether a DANE-EE match also asks for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EeNameChecks {
    /// No: RFC 7672 §3.2.1, the rule for SMTP.
    Skip,
    /// Yes: RFC 6698 without the update of RFC 7671 §5.1, for comparison with other software.
    Check,
}

/// Whether certificates signed with SHA-1 count inside a DANE-TA chain. MD5 never does. The
/// signature of the trust anchor itself is not looked at, and DANE-EE knows no chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sha1Policy {
    /// A SHA-1 signature is as good as none.
    Refuse,
    /// A SHA-1 signature counts.
    Accept,
}

/// Bounds of the search for a chain, so that a hostile chain costs milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Certificates above the leaf.
    pub depth: usize,
    /// Signatures verified for one chain.
    pub signature_checks: usize,
    /// What those signatures may cost together, in units of about one RSA-2048 verification with
    /// the exponent 65537: DSA with 10,000 bits, or RSA with an exponent as long as its modulus,
    /// costs hundreds of times as much.
    pub signature_effort: u32,
    /// Names compared with name constraints, all paths together. Reading a path once more counts
    /// too.
    pub comparisons: usize,
    /// Smallest RSA modulus, in bits, of a key that signs certificates. The leaf's key may have
    /// any size.
    pub issuer_rsa_bits: u32,
}

/// Judges a certificate chain by TLSA records (RFC 7672 §3).
///
/// `chain` is what the server sent, one DER entry per certificate, leaf first. Entries behind the
/// leaf may be anything; those that do not decode are ignored. DANE-EE records are tried before
/// DANE-TA records, after digest agility (RFC 7671 §9) for each of them.
#[must_use]
pub fn verify_dane(
    chain: &[impl AsRef<[u8]>],
    requirement: &DaneRequirement,
    now: UnixTime,
    options: &VerifyOptions,
) -> DaneVerdict {
    //= spec: 7672-3.2-1
    //= spec: 7672-5-1
    let records = effective(&requirement.records);
    if records.is_empty() {
        return DaneVerdict::NoUsable;
    }
    let Some(entry) = chain.first() else {
        return DaneVerdict::Rejected(Rejection::NoCertificate);
    };
    let Ok(leaf) = Certificate::parse(entry.as_ref()) else {
        return DaneVerdict::Rejected(Rejection::LeafUndecodable);
    };
    let references = ReferenceNames::new(&requirement.reference_identifiers);
    let mut rejection = None;
    if let Some(record) = matching_record(&leaf, &records, Usage::DaneEe) {
        match options.ee_name_checks {
            //= spec: 7672-3.1.1-1
            //= spec: 7672-3.1.1-2
            //= spec: 7672-3.2.1-1
            EeNameChecks::Skip => {
                return DaneVerdict::Authenticated(Match::assertion(
                    record,
                    0,
                    MatchedBy::Certificate,
                    None,
                ));
            }
            EeNameChecks::Check => match references.covered_by(&leaf) {
                Ok(name) => {
                    return DaneVerdict::Authenticated(Match::assertion(
                        record,
                        0,
                        MatchedBy::Certificate,
                        Some(name),
                    ));
                }
                Err(mismatch) => rejection = Some(mismatch),
            },
        }
    }
    if records.iter().any(|record| record.usage() == Usage::DaneTa) {
        let presented = chain.iter().skip(1).map(AsRef::as_ref);
        let search = chain::Search::new(leaf, presented, &records, now, options);
        return match search.run(&references) {
            Ok(found) => DaneVerdict::Authenticated(found),
            Err(failure) => DaneVerdict::Rejected(rejection.unwrap_or(failure)),
        };
    }
    DaneVerdict::Rejected(rejection.unwrap_or(Rejection::NoMatch))
}

/// Judges the leaf of a chain by SHA-256 digests that the administrator pinned: of the whole
/// certificate as sent, or of its SubjectPublicKeyInfo. Nothing else is looked at.
///
/// # Errors
/// [`Rejection::NoCertificate`], [`Rejection::LeafUndecodable`] or [`Rejection::NoPinMatches`].
pub fn verify_pins(
    chain: &[impl AsRef<[u8]>],
    requirement: &PinRequirement,
) -> Result<PinMatch, Rejection> {
    let entry = chain.first().ok_or(Rejection::NoCertificate)?.as_ref();
    let leaf = Certificate::parse(entry).map_err(|_| Rejection::LeafUndecodable)?;
    for (part, octets) in [
        (PinnedPart::Certificate, leaf.entry()),
        (PinnedPart::PublicKey, leaf.public_key_info()),
    ] {
        let digest = crypto::sha256(octets);
        if requirement.sha256.contains(&digest) {
            return Ok(PinMatch::assertion(part, digest));
        }
    }
    Err(Rejection::NoPinMatches)
}

/// Whether the data of a record is that of this certificate, by selector and matching type alone:
/// the usage and the place in the chain are not looked at, so this is no verdict. It is for showing
/// what a record was made from, also where [`verify_dane`] does not accept it.
#[must_use]
pub fn data_matches(record: &UsableTlsa<'_>, entry: &[u8]) -> bool {
    Certificate::parse(entry)
        .is_ok_and(|certificate| Digests::default().matches(&certificate, record))
}

/// The first record of this usage that the certificate matches.
fn matching_record<'r>(
    certificate: &Certificate<'_>,
    records: &[UsableTlsa<'r>],
    usage: Usage,
) -> Option<UsableTlsa<'r>> {
    let mut digests = Digests::default();
    records
        .iter()
        .find(|record| record.usage() == usage && digests.matches(certificate, record))
        .copied()
}

/// The digests of one certificate, each computed when a record first asks for it.
#[derive(Default)]
struct Digests {
    sha256: [Option<[u8; 32]>; 2],
    sha512: [Option<[u8; 64]>; 2],
}

impl Digests {
    fn matches(&mut self, certificate: &Certificate<'_>, record: &UsableTlsa<'_>) -> bool {
        let (slot, selected) = match record.selector() {
            Selector::Cert => (0, certificate.entry()),
            Selector::Spki => (1, certificate.public_key_info()),
        };
        match record.matching_type() {
            MatchingType::Full => record.association() == selected,
            MatchingType::Sha256 => {
                let digest = self.sha256[slot].get_or_insert_with(|| crypto::sha256(selected));
                record.association() == digest.as_slice()
            }
            MatchingType::Sha512 => {
                let digest = self.sha512[slot].get_or_insert_with(|| crypto::sha512(selected));
                record.association() == digest.as_slice()
            }
        }
    }
}
