//! Certificate signing requests (RFC 2986).

use super::key::{KeyFacts, certificate_around};
use super::{MaterialError, is_der};
use crate::publish::pem;
use openssl::x509::X509Req;

/// Labels of requests in PEM (RFC 7468 §7, and the form older than it).
pub(super) const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// The certificate that the request would become as far as its key and its names go.
pub(super) fn certificate_of(octets: &[u8]) -> Result<(Vec<u8>, KeyFacts), MaterialError> {
    let damaged = || MaterialError::NotARequest("the request cannot be decoded");
    let request = if is_der(octets) {
        X509Req::from_der(octets)
            .map_err(|_| MaterialError::NotARequest("not a certificate signing request in DER"))?
    } else {
        let blocks = pem::blocks(octets, &LABELS)?;
        match blocks.as_slice() {
            [] => {
                return Err(MaterialError::NotARequest(
                    "not a request: no line -----BEGIN CERTIFICATE REQUEST-----, and not DER",
                ));
            }
            [one] => X509Req::from_der(&one.octets).map_err(|_| damaged())?,
            several => return Err(MaterialError::SeveralRequests(several.len())),
        }
    };
    let key = request.public_key().map_err(|_| damaged())?;
    // A request that its key did not sign was damaged or put together from two.
    if !request.verify(&key).unwrap_or(false) {
        return Err(MaterialError::BadRequest);
    }
    // Without extensions OpenSSL gives an empty list, or none.
    let extensions = request.extensions().ok();
    let wanted: Vec<_> = extensions.iter().flatten().collect();
    let entry = certificate_around(&key, &wanted)
        .or_else(|_| certificate_around(&key, &[]))
        .map_err(|error| MaterialError::Unusable(error.to_string()))?;
    Ok((entry, KeyFacts::new(&key)))
}
