//! What was negotiated, in the words of logs and JSON.

use std::fmt;

/// The library that spoke TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// rustls with aws-lc-rs: TLS 1.2 and 1.3.
    Rustls,
    /// OpenSSL: the second rung, TLS 1.0 to 1.3.
    OpenSsl,
}

impl Backend {
    /// The word used in JSON and logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rustls => "rustls",
            Self::OpenSsl => "openssl",
        }
    }
}

/// A TLS protocol version. The order is from oldest to newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.0 (RFC 2246).
    Tls10,
    /// TLS 1.1 (RFC 4346).
    Tls11,
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl TlsVersion {
    /// The word operators know: `TLSv1`, `TLSv1.1`, `TLSv1.2`, `TLSv1.3`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tls10 => "TLSv1",
            Self::Tls11 => "TLSv1.1",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What was negotiated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// The protocol version.
    pub version: TlsVersion,
    /// The cipher suite, in OpenSSL's words (`TLS_AES_256_GCM_SHA384`,
    /// `ECDHE-RSA-AES256-GCM-SHA384`), which are those of Postfix' logs.
    pub cipher: String,
    /// Bits of the cipher's key.
    pub cipher_bits: u16,
    /// The key exchange group, if the version has one.
    pub group: Option<String>,
    /// The library that spoke.
    pub backend: Backend,
    /// Whether the session was resumed.
    pub resumption: Resumption,
}

/// Whether a session began anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resumption {
    /// A full handshake.
    Full,
    /// Resumed under the same obligation.
    Resumed,
}

/// The oldest protocol version that will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MinProtocol {
    /// Whatever the back end speaks: nothing is authenticated.
    Any,
    /// TLS 1.2 or better.
    Tls12,
    /// TLS 1.3.
    Tls13,
}
