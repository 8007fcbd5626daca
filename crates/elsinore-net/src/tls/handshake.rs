//! What a completed handshake showed, kept as plain data: it can be judged at once, under another
//! obligation, or long after.

use crate::tls::TlsFacts;
use openssl::pkey::Id;
use openssl::x509::X509;
use std::sync::Arc;

/// Certificates of a chain that are kept.
const CERTIFICATES: usize = 1_000;
/// Octets of a chain that are kept, all certificates together: more than either back end takes in
/// (64 and 100 KiB).
const OCTETS: usize = 256 * 1024;

/// A completed handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// What was negotiated.
    pub facts: TlsFacts,
    /// The certificates as sent, DER, leaf first; empty for an anonymous cipher suite. At most 1,000
    /// certificates and 256 KiB.
    pub chain: Arc<[Vec<u8>]>,
    /// How many certificates at the end were left out.
    pub omitted: usize,
    /// Whether the server showed that it holds the key of its certificate.
    pub key_proof: KeyProof,
}

/// Whether the handshake was signed with the key of the presented certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyProof {
    /// It was.
    Given,
    /// It was not, or could not be checked; tolerated only where no identity is claimed.
    Missing,
}

/// What kind of key the server's own certificate has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeafKey {
    /// RSA, RSASSA-PSS included.
    Rsa,
    /// On an elliptic curve, the Edwards curves included.
    Curve,
    /// Another, or none that can be read.
    Other,
}

impl Handshake {
    /// What kind of key the server's own certificate has.
    #[must_use]
    pub fn leaf_key(&self) -> LeafKey {
        let leaf = self.chain.first().and_then(|der| X509::from_der(der).ok());
        let key = leaf.and_then(|leaf| leaf.public_key().ok());
        match key.map(|key| key.id()) {
            Some(Id::RSA | Id::RSA_PSS) => LeafKey::Rsa,
            Some(Id::EC | Id::ED25519 | Id::ED448) => LeafKey::Curve,
            Some(_) | None => LeafKey::Other,
        }
    }

    /// Keeps what a back end saw.
    pub(crate) fn new(facts: TlsFacts, mut chain: Vec<Vec<u8>>, key_proof: KeyProof) -> Self {
        let sent = chain.len();
        let mut octets = 0_usize;
        let fits = chain.iter().take(CERTIFICATES).take_while(|certificate| {
            octets = octets.saturating_add(certificate.len());
            octets <= OCTETS
        });
        chain.truncate(fits.count());
        Self {
            facts,
            omitted: sent.saturating_sub(chain.len()),
            chain: chain.into(),
            key_proof,
        }
    }

    /// A handshake put together from a record of it.
    #[must_use]
    pub fn recorded(facts: TlsFacts, chain: Vec<Vec<u8>>, key_proof: KeyProof) -> Self {
        Self::new(facts, chain, key_proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{Backend, Resumption, TlsVersion};

    #[test]
    fn a_chain_is_kept_within_bounds() {
        for (certificates, octets, kept) in
            [(3, 10, 3), (1_100, 1, 1_000), (5, 100_000, 2), (0, 0, 0)]
        {
            let facts = TlsFacts {
                version: TlsVersion::Tls13,
                cipher: String::new(),
                cipher_bits: 256,
                group: None,
                backend: Backend::Rustls,
                resumption: Resumption::Full,
            };
            let chain = vec![vec![0; octets]; certificates];
            let handshake = Handshake::recorded(facts, chain, KeyProof::Given);
            assert_eq!(handshake.chain.len(), kept);
            assert_eq!(handshake.omitted, certificates - kept);
        }
    }
}
