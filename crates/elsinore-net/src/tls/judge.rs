//! The judge: one pure function that says whether a presented chain meets an obligation. Both
//! back ends call it, and nothing else decides.

use crate::tls::webpki::{WebPkiChain, WebPkiProof, WebPkiRefusal, WebPkiRoots};
use crate::tls::{Handshake, KeyProof, MinProtocol, TlsDemand, TlsFailureCause, TlsVersion};
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::{NamePattern, Obligation, Requirements};
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

/// The one place where a server is judged: on a session just made, and on a recorded one under any
/// other demand or at any other time.
#[derive(Debug, Clone)]
pub struct Judge {
    roots: WebPkiRoots,
    options: VerifyOptions,
}

impl Judge {
    /// A judge that trusts `roots` for WebPKI.
    #[must_use]
    pub const fn new(roots: WebPkiRoots, options: VerifyOptions) -> Self {
        Self { roots, options }
    }

    /// The authorities trusted for WebPKI.
    #[must_use]
    pub const fn roots(&self) -> &WebPkiRoots {
        &self.roots
    }

    /// Whether the server of `handshake` gave the proofs that `demand` asks for, at `now`. It reads
    /// the handshake and the arguments and nothing else, so a recorded handshake is judged as the
    /// session was. `demand.sni` and `demand.offer` are not looked at: they were for the handshake.
    ///
    /// # Errors
    /// [`TlsFailureCause::TooOld`] or [`TlsFailureCause::Refused`].
    pub fn verdict(
        &self,
        handshake: &Handshake,
        demand: &TlsDemand<'_>,
        now: UnixTime,
    ) -> Result<Proofs, TlsFailureCause> {
        let Handshake {
            facts,
            chain,
            omitted: _,
            key_proof,
        } = handshake;
        let enough = match demand.min_protocol {
            MinProtocol::Any => true,
            MinProtocol::Tls12 => facts.version >= TlsVersion::Tls12,
            MinProtocol::Tls13 => facts.version >= TlsVersion::Tls13,
        };
        if !enough {
            return Err(TlsFailureCause::TooOld(facts.version));
        }
        match demand.obligation {
            Obligation::Authenticate(requirements) => {
                if *key_proof == KeyProof::Missing {
                    return Err(TlsFailureCause::Refused(Refusal::Signature));
                }
                let names = requirements.webpki.as_ref().map(|w| w.names.as_slice());
                judge(requirements, chain, now, &self.options, || {
                    self.roots.validate(chain, names.unwrap_or_default(), now)
                })
                .map_err(TlsFailureCause::Refused)
            }
            Obligation::Skip(_)
            | Obligation::Cleartext
            | Obligation::Opportunistic
            | Obligation::Encrypt => {
                // Nothing was demanded: say what happened to be true, if the key was proven.
                let mut by_chance = Proofs::default();
                if *key_proof == KeyProof::Given
                    && let Ok(name) = DomainName::parse(demand.mx_host)
                {
                    let names = [NamePattern::Exact(name)];
                    match self.roots.validate(chain, &names, now) {
                        Ok(proof) => by_chance.webpki = Some(proof),
                        Err(WebPkiRefusal::HostMismatch) => {
                            by_chance.webpki_chain = self.roots.validate_chain(chain, now);
                        }
                        Err(_) => {}
                    }
                }
                Ok(by_chance)
            }
        }
    }
}

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
