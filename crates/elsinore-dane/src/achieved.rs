//! What a session turned out to be worth: the word for people and programs, and the word that
//! operators search their logs for.

use crate::obligation::{Obligation, WebPkiReason};

/// What security the session used for delivery had, by obligation (`security` in JSON).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecurityWord {
    /// DANE authenticated the host, and the way from the domain to the host was secure.
    Dane,
    /// DANE authenticated the MX host; which hosts serve the domain is not protected.
    DaneInsecureMx,
    /// An enforced MTA-STS policy was met (beside TLSA under an insecure MX, too).
    Sts,
    /// A pinned certificate or key.
    Pinned,
    /// The chain validated for the MX host though no announcement demanded it.
    WebPki,
    /// TLS without authentication.
    Encrypted,
    /// No TLS.
    Plaintext,
}

impl SecurityWord {
    /// The word used in JSON, logs, metrics and tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dane => "dane",
            Self::DaneInsecureMx => "dane-insecure-mx",
            Self::Sts => "sts",
            Self::Pinned => "pinned",
            Self::WebPki => "webpki",
            Self::Encrypted => "encrypted",
            Self::Plaintext => "plaintext",
        }
    }
}

/// Postfix' word at the head of its "TLS connection established" line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogWord {
    /// The server proved to be who the obligation demanded.
    Verified,
    /// A valid chain without that: not demanded, or under an insecure MX only.
    Trusted,
    /// A certificate, nothing more.
    Untrusted,
    /// No certificate.
    Anonymous,
}

impl LogWord {
    /// The word itself.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Verified => "Verified",
            Self::Trusted => "Trusted",
            Self::Untrusted => "Untrusted",
            Self::Anonymous => "Anonymous",
        }
    }
}

/// What the verifier found of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// No TLS.
    Cleartext,
    /// TLS with an anonymous cipher suite: no certificate was sent.
    Anonymous,
    /// TLS with a certificate, and whether everything the obligation demands was proven of it.
    Certificate {
        /// The verdict on the obligation.
        obligation: ObligationVerdict,
        /// What WebPKI says of the chain and the MX host, whether demanded or not.
        webpki: WebPkiVerdict,
    },
}

/// Whether every requirement of the obligation was met. Vacuously [`Met`](Self::Met) where
/// nothing is to be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObligationVerdict {
    /// All were.
    Met,
    /// At least one was not; nothing may be delivered.
    Unmet,
}

/// What WebPKI says of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebPkiVerdict {
    /// A valid chain to a public CA, and the name is covered.
    NameAndChain,
    /// A valid chain to a public CA for other names.
    ChainOnly,
    /// No valid chain.
    Invalid,
    /// Not looked at.
    NotChecked,
}

/// Both words for one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Achieved {
    /// For JSON.
    pub security: SecurityWord,
    /// For the log; `None` without TLS.
    pub log_word: Option<LogWord>,
}

/// What `channel` is worth under `obligation`. For a session that failed its obligation it still
/// says what the connection was (Postfix logs *Untrusted* before it gives up).
#[must_use]
pub fn achieved(obligation: &Obligation, channel: Channel) -> Achieved {
    let (verdict, webpki) = match channel {
        Channel::Cleartext => {
            return Achieved {
                security: SecurityWord::Plaintext,
                log_word: None,
            };
        }
        Channel::Anonymous => {
            return Achieved {
                security: SecurityWord::Encrypted,
                log_word: Some(LogWord::Anonymous),
            };
        }
        Channel::Certificate { obligation, webpki } => (obligation, webpki),
    };
    if verdict == ObligationVerdict::Met
        && let Some((security, log_word)) = proven(obligation)
    {
        return Achieved {
            security,
            log_word: Some(log_word),
        };
    }
    let security = match (obligation, webpki) {
        // What was owed is not there: a good chain for something else is not reported as one.
        (Obligation::Authenticate(_), _) => SecurityWord::Encrypted,
        (_, WebPkiVerdict::NameAndChain) => SecurityWord::WebPki,
        (_, WebPkiVerdict::ChainOnly | WebPkiVerdict::Invalid | WebPkiVerdict::NotChecked) => {
            SecurityWord::Encrypted
        }
    };
    let log_word = match webpki {
        WebPkiVerdict::NameAndChain | WebPkiVerdict::ChainOnly => LogWord::Trusted,
        WebPkiVerdict::Invalid | WebPkiVerdict::NotChecked => LogWord::Untrusted,
    };
    Achieved {
        security,
        log_word: Some(log_word),
    }
}

/// What meeting the requirements proves; `None` when there are none. The strongest claim wins,
/// and an insecure MX is never called more than it is (RFC 7672 §2.2.1).
fn proven(obligation: &Obligation) -> Option<(SecurityWord, LogWord)> {
    let Obligation::Authenticate(requirements) = obligation else {
        return None;
    };
    let dane = requirements.dane.as_ref();
    let webpki = requirements.webpki.as_ref().map(|webpki| webpki.because);
    if dane.is_some_and(|dane| dane.mx_secure) {
        return Some((SecurityWord::Dane, LogWord::Verified));
    }
    if webpki == Some(WebPkiReason::Sts) {
        return Some((SecurityWord::Sts, LogWord::Verified));
    }
    if requirements.pins.is_some() {
        return Some((SecurityWord::Pinned, LogWord::Verified));
    }
    if webpki.is_some() {
        return Some((SecurityWord::WebPki, LogWord::Verified));
    }
    dane.map(|_| (SecurityWord::DaneInsecureMx, LogWord::Trusted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::DomainName;
    use crate::obligation::{DaneRequirement, PinRequirement, Requirements, WebPkiRequirement};

    fn requirements(dane: Option<bool>, webpki: Option<WebPkiReason>, pins: bool) -> Obligation {
        Obligation::Authenticate(Requirements {
            dane: dane.map(|mx_secure| DaneRequirement {
                base_domain: DomainName::parse("mx.example").unwrap(),
                records: Vec::new(),
                reference_identifiers: Vec::new(),
                mx_secure,
            }),
            webpki: webpki.map(|because| WebPkiRequirement {
                names: Vec::new(),
                because,
            }),
            pins: pins.then(|| PinRequirement { sha256: Vec::new() }),
        })
    }

    #[test]
    fn words() {
        use LogWord::{Trusted, Untrusted, Verified};
        use ObligationVerdict::{Met, Unmet};
        use WebPkiReason::{Administrator, Sts};
        use WebPkiVerdict::{ChainOnly, Invalid, NameAndChain, NotChecked};
        let dane = requirements(Some(true), None, false);
        let half = requirements(Some(false), None, false);
        let half_sts = requirements(Some(false), Some(Sts), false);
        let half_verify = requirements(Some(false), Some(Administrator), false);
        let pinned = requirements(Some(false), None, true);
        for (obligation, verdict, webpki, security, log_word) in [
            (&dane, Met, NotChecked, SecurityWord::Dane, Verified),
            (&dane, Unmet, NameAndChain, SecurityWord::Encrypted, Trusted),
            (&dane, Unmet, Invalid, SecurityWord::Encrypted, Untrusted),
            (
                &half,
                Met,
                NameAndChain,
                SecurityWord::DaneInsecureMx,
                Trusted,
            ),
            (&half_sts, Met, NameAndChain, SecurityWord::Sts, Verified),
            (
                &half_verify,
                Met,
                NameAndChain,
                SecurityWord::WebPki,
                Verified,
            ),
            (&pinned, Met, Invalid, SecurityWord::Pinned, Verified),
            (
                &Obligation::Opportunistic,
                Met,
                NameAndChain,
                SecurityWord::WebPki,
                Trusted,
            ),
            (
                &Obligation::Opportunistic,
                Met,
                ChainOnly,
                SecurityWord::Encrypted,
                Trusted,
            ),
            (
                &Obligation::Encrypt,
                Met,
                Invalid,
                SecurityWord::Encrypted,
                Untrusted,
            ),
        ] {
            let channel = Channel::Certificate {
                obligation: verdict,
                webpki,
            };
            let found = achieved(obligation, channel);
            assert_eq!(found.security, security, "{obligation:?} {channel:?}");
            assert_eq!(found.log_word, Some(log_word), "{obligation:?} {channel:?}");
        }
        let clear = achieved(&Obligation::Opportunistic, Channel::Cleartext);
        assert_eq!(
            (clear.security, clear.log_word),
            (SecurityWord::Plaintext, None)
        );
        let anonymous = achieved(&Obligation::Encrypt, Channel::Anonymous);
        assert_eq!(anonymous.log_word, Some(LogWord::Anonymous));
    }
}
