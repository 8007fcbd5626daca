//! The TLSA record that a certificate would meet: what publishing needs, and advice about a record
//! that is missing.

use super::certificate::Certificate;
use super::crypto;
use super::inspect::Undecodable;
use crate::tlsa::{MatchingType, Selector, TlsaRecord, Usage};

/// The record with these parameters that the certificate in `entry` meets (RFC 6698 §2.1): `entry`
/// is the DER of one certificate as the server sends it, its own for usage 3, that of an authority
/// for usage 2. Over the same octets as the verifier: a key is taken as it stands in the
/// certificate, never encoded again.
///
/// Whether a server that presents it would be accepted is for [`verify_dane`](super::verify_dane)
/// to say.
///
/// # Errors
/// [`Undecodable`] when no public key can be found in `entry`.
pub fn record_for(
    entry: &[u8],
    usage: Usage,
    selector: Selector,
    matching_type: MatchingType,
) -> Result<TlsaRecord, Undecodable> {
    let certificate = Certificate::parse(entry).map_err(|_| Undecodable)?;
    let selected = match selector {
        Selector::Cert => certificate.entry(),
        Selector::Spki => certificate.public_key_info(),
    };
    let record = |association: &[u8]| {
        TlsaRecord::new(
            usage.code(),
            selector.code(),
            matching_type.code(),
            association,
        )
    };
    Ok(match matching_type {
        MatchingType::Full => record(selected),
        MatchingType::Sha256 => record(&crypto::sha256(selected)),
        MatchingType::Sha512 => record(&crypto::sha512(selected)),
    })
}
