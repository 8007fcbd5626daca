//! Keys of certificates.

use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// RSA of that many bits. Slow to make, so keys of the same length and number are shared by
    /// the whole process.
    Rsa {
        /// Modulus length.
        bits: u32,
        /// Which of the shared keys of that length.
        number: u32,
    },
    /// ECDSA on NIST P-256.
    P256,
    /// ECDSA on NIST P-384.
    P384,
    /// ECDSA on NIST P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
}

impl KeyType {
    /// RSA of that many bits, the first shared key.
    #[must_use]
    pub const fn rsa(bits: u32) -> Self {
        Self::Rsa { bits, number: 0 }
    }

    /// A key of this kind; a new one except for RSA.
    ///
    /// # Errors
    /// What OpenSSL refuses, such as an RSA modulus under 512 bits.
    pub fn make(self) -> Result<PKey<Private>, ErrorStack> {
        let elliptic =
            |curve| PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(curve)?)?);
        match self {
            Self::Rsa { bits, number } => shared_rsa(bits, number),
            Self::P256 => elliptic(Nid::X9_62_PRIME256V1),
            Self::P384 => elliptic(Nid::SECP384R1),
            Self::P521 => elliptic(Nid::SECP521R1),
            Self::Ed25519 => PKey::generate_ed25519(),
            Self::Ed448 => PKey::generate_ed448(),
        }
    }
}

type SharedKeys = HashMap<(u32, u32), PKey<Private>>;

fn shared_rsa(bits: u32, number: u32) -> Result<PKey<Private>, ErrorStack> {
    static KEYS: OnceLock<Mutex<SharedKeys>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| Mutex::new(HashMap::new()));
    // A poisoned lock only means that another thread failed while making a key.
    let mut keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = keys.get(&(bits, number)) {
        return Ok(key.clone());
    }
    let key = PKey::from_rsa(Rsa::generate(bits)?)?;
    keys.insert((bits, number), key.clone());
    Ok(key)
}
