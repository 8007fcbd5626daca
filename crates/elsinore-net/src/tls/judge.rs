//! The judge: one pure function that says whether a presented chain meets an obligation. Both
//! back ends call it, and nothing else decides.

use crate::tls::webpki::{WebPkiChain, WebPkiProof, WebPkiRefusal};
use elsinore_dane::obligation::Requirements;
use elsinore_dane::time::UnixTime;
use elsinore_dane::verify::{
    CertificateSummary, DaneVerdict, Match, PinMatch, Rejection, VerifyOptions, inspect,
    verify_dane, verify_pins,
};
use std::fmt;

/// What a server proved. Each part comes from the one place that checks it.
#[derive(Debug, Clone, Default)]
pub struct Proofs {
    /// The TLSA record that matched.
    pub dane: Option<Match>,
    /// The WebPKI chain and name.
    pub webpki: Option<WebPkiProof>,
    /// A WebPKI chain for another name; looked for where nothing was demanded.
    pub webpki_chain: Option<WebPkiChain>,
    /// The pin that matched.
    pub pins: Option<PinMatch>,
}

/// Why a chain does not meet the obligation: the first requirement that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The TLSA records and the chain do not agree.
    Dane {
        /// What does not hold.
        rejection: Rejection,
        /// The server's own certificate, for people to read; `None` when there is none that can
        /// be decoded.
        leaf: Option<Box<CertificateSummary>>,
    },
    /// No TLSA record could be used: discovery should have said "encrypt".
    DaneNoUsable,
    /// WebPKI validation was demanded and failed.
    WebPki(WebPkiRefusal),
    /// None of the pins matches.
    Pins(Rejection),
    /// The handshake signature was not made with the key of the presented certificate.
    Signature,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dane { rejection, .. } => write!(f, "TLSA: {rejection}"),
            Self::DaneNoUsable => f.write_str("TLSA: no usable record"),
            Self::WebPki(refusal) => write!(f, "certificate: {refusal}"),
            Self::Pins(rejection) => write!(f, "pinned fingerprint: {rejection}"),
            Self::Signature => {
                f.write_str("the handshake is not signed with the key of the certificate")
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// Judges `chain` (DER, leaf first, as sent) at `now`. `webpki` is the result of WebPKI
/// validation, asked for only when it was demanded.
///
/// # Errors
/// The first requirement that is not met; all of them must be (they are a conjunction).
pub fn judge<C: AsRef<[u8]>>(
    requirements: &Requirements,
    chain: &[C],
    now: UnixTime,
    options: &VerifyOptions,
    webpki: impl FnOnce() -> Result<WebPkiProof, WebPkiRefusal>,
) -> Result<Proofs, Refusal> {
    let mut proofs = Proofs::default();
    if let Some(requirement) = &requirements.dane {
        match verify_dane(chain, requirement, now, options) {
            DaneVerdict::Authenticated(matched) => proofs.dane = Some(matched),
            DaneVerdict::Rejected(rejection) => {
                let leaf = chain.first().and_then(|leaf| inspect(leaf.as_ref()).ok());
                return Err(Refusal::Dane {
                    rejection,
                    leaf: leaf.map(Box::new),
                });
            }
            DaneVerdict::NoUsable => return Err(Refusal::DaneNoUsable),
        }
    }
    if let Some(requirement) = &requirements.pins {
        proofs.pins = Some(verify_pins(chain, requirement).map_err(Refusal::Pins)?);
    }
    if requirements.webpki.is_some() {
        proofs.webpki = Some(webpki().map_err(Refusal::WebPki)?);
    }
    Ok(proofs)
}
