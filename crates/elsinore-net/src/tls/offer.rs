//! Which certificates a ClientHello asks for: a server that has an RSA and an ECDSA certificate shows
//! one of them to whoever offers both.

use rustls::crypto::CryptoProvider;
use rustls::{SignatureScheme, SupportedCipherSuite};

/// The certificate keys that a ClientHello can make use of: `signature_algorithms` (RFC 8446
/// §4.2.3) and, up to TLS 1.2, the cipher suites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum SignatureOffer {
    /// All that the back end knows: what mail is sent with.
    #[default]
    Any,
    /// RSA keys alone.
    RsaOnly,
    /// ECDSA keys, and the Edwards curves, which share their cipher suites (RFC 8422 §5.10). The
    /// issuers of such a certificate may still sign with RSA.
    EcdsaOnly,
}

/// What a scheme can sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signs {
    /// A handshake with an RSA key.
    Rsa,
    /// A handshake with an RSA key up to TLS 1.2; above, certificates only.
    RsaPkcs1,
    /// A handshake with a key on an elliptic curve.
    Curve,
    /// Something else.
    Other,
}

const fn signs(scheme: u16) -> Signs {
    match scheme {
        0x0201 | 0x0401 | 0x0501 | 0x0601 => Signs::RsaPkcs1,
        0x0804..=0x0806 | 0x0809..=0x080b => Signs::Rsa,
        0x0203 | 0x0403 | 0x0503 | 0x0603 | 0x0807 | 0x0808 => Signs::Curve,
        _ => Signs::Other,
    }
}

impl SignatureOffer {
    /// The word used in JSON and in progress lines.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::RsaOnly => "rsa",
            Self::EcdsaOnly => "ecdsa",
        }
    }

    /// Whether `scheme` is named in the ClientHello. Beside ECDSA, RSASSA-PKCS1-v1_5 stays: TLS 1.3
    /// uses it for certificates only, TLS 1.2 is held to curves by its suites, and without it a
    /// strict server withholds an ECDSA certificate that an RSA key has signed.
    pub(crate) fn includes(self, scheme: SignatureScheme) -> bool {
        let signs = signs(u16::from(scheme));
        match self {
            Self::Any => true,
            Self::RsaOnly => matches!(signs, Signs::Rsa | Signs::RsaPkcs1),
            Self::EcdsaOnly => matches!(signs, Signs::Curve | Signs::RsaPkcs1),
        }
    }

    /// Whether a cipher suite can be used with such a certificate; those of TLS 1.3 say nothing
    /// about it.
    fn admits(self, suite: &SupportedCipherSuite) -> bool {
        let SupportedCipherSuite::Tls12(suite) = suite else {
            return true;
        };
        let with_curve =
            (suite.sign.iter()).any(|scheme| signs(u16::from(*scheme)) == Signs::Curve);
        match self {
            Self::Any => true,
            Self::RsaOnly => !with_curve,
            Self::EcdsaOnly => with_curve,
        }
    }

    /// `provider` with the cipher suites of this offer.
    pub(crate) fn narrow(self, provider: &CryptoProvider) -> CryptoProvider {
        let mut narrowed = provider.clone();
        narrowed.cipher_suites.retain(|suite| self.admits(suite));
        narrowed
    }

    /// The same for OpenSSL: cipher suites up to TLS 1.2, as its cipher string.
    #[cfg(feature = "legacy-tls")]
    pub(crate) const fn openssl_ciphers(self) -> Option<&'static str> {
        match self {
            Self::Any => None,
            Self::RsaOnly => Some("aRSA:!eNULL:@SECLEVEL=0"),
            Self::EcdsaOnly => Some("aECDSA:!eNULL:@SECLEVEL=0"),
        }
    }

    /// The signature algorithms for OpenSSL.
    #[cfg(feature = "legacy-tls")]
    pub(crate) const fn openssl_signatures(self) -> Option<&'static str> {
        match self {
            Self::Any => None,
            Self::RsaOnly => Some(
                "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:\
                 rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:\
                 RSA+SHA256:RSA+SHA384:RSA+SHA512",
            ),
            Self::EcdsaOnly => Some(
                "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:\
                 RSA+SHA256:RSA+SHA384:RSA+SHA512",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::webpki::provider;

    #[test]
    fn an_offer_is_narrowed_in_suites_and_schemes() {
        let whole = provider();
        for (offer, kept, dropped) in [
            (SignatureOffer::RsaOnly, "ECDHE_RSA", "ECDHE_ECDSA"),
            (SignatureOffer::EcdsaOnly, "ECDHE_ECDSA", "ECDHE_RSA"),
        ] {
            let narrowed = offer.narrow(&whole);
            let names: Vec<String> = (narrowed.cipher_suites.iter())
                .map(|suite| format!("{:?}", suite.suite()))
                .collect();
            assert!(names.iter().any(|name| name.contains(kept)), "{names:?}");
            assert!(
                !names.iter().any(|name| name.contains(dropped)),
                "{names:?}"
            );
            assert!(names.iter().any(|name| name.starts_with("TLS13")));
        }
        let all = SignatureOffer::Any.narrow(&whole);
        assert_eq!(all.cipher_suites.len(), whole.cipher_suites.len());
        let ecdsa = SignatureScheme::ECDSA_NISTP256_SHA256;
        let pss = SignatureScheme::RSA_PSS_SHA256;
        let pkcs1 = SignatureScheme::RSA_PKCS1_SHA256;
        for (offer, scheme, expected) in [
            (SignatureOffer::Any, ecdsa, true),
            (SignatureOffer::RsaOnly, ecdsa, false),
            (SignatureOffer::RsaOnly, pss, true),
            (SignatureOffer::EcdsaOnly, pss, false),
            (SignatureOffer::EcdsaOnly, pkcs1, true),
            (SignatureOffer::EcdsaOnly, SignatureScheme::ED25519, true),
        ] {
            assert_eq!(offer.includes(scheme), expected, "{offer:?} {scheme:?}");
        }
    }
}
