//! Keys of zones. All but RSA keys follow from a seed, so a world can be made again exactly;
//! RSA keys are slow to make and are shared by all zones of a process.

use crate::zone::{Algorithm, Fqdn};
use bytes::Bytes;
use domain::base::ToName;
use domain::base::iana::{DigestAlgorithm, SecurityAlgorithm};
use domain::crypto::sign::{SignError, SignRaw, Signature};
use domain::rdata::{Dnskey, Ds};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::sha::sha512;
use openssl::sign::Signer;
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

/// The Zone Key flag (RFC 4034 §2.1.1).
pub(crate) const ZONE_KEY: u16 = 0x0100;
/// The Secure Entry Point flag (RFC 4034 §2.1.1).
pub(crate) const SECURE_ENTRY_POINT: u16 = 0x0001;
/// The REVOKE flag (RFC 5011 §3).
pub(crate) const REVOKE: u16 = 0x0080;

/// A private key with the DNSKEY fields it is published under.
#[derive(Debug, Clone)]
pub(crate) struct ZoneKey {
    secret: PKey<Private>,
    algorithm: Algorithm,
    flags: u16,
    public: Vec<u8>,
}

/// What makes a key one of many: `seed` of the world, apex, role and number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyOrigin<'a> {
    pub(crate) seed: u64,
    pub(crate) apex: &'a Fqdn,
    pub(crate) role: &'a str,
    pub(crate) number: u32,
}

impl KeyOrigin<'_> {
    fn octets(&self) -> [u8; 64] {
        let mut input = self.seed.to_be_bytes().to_vec();
        input.extend_from_slice(self.apex.to_canonical_name::<Vec<u8>>().as_slice());
        input.extend_from_slice(self.role.as_bytes());
        input.extend_from_slice(&self.number.to_be_bytes());
        sha512(&input)
    }
}

impl ZoneKey {
    pub(crate) fn make(
        origin: &KeyOrigin<'_>,
        algorithm: Algorithm,
        flags: u16,
    ) -> Result<Self, ErrorStack> {
        let (secret, public) = match algorithm {
            Algorithm::RsaSha1(bits)
            | Algorithm::RsaSha1Nsec3(bits)
            | Algorithm::RsaSha256(bits)
            | Algorithm::RsaSha512(bits) => {
                let secret = shared_rsa(bits, origin.role)?;
                let public = rsa_public(&secret)?;
                (secret, public)
            }
            Algorithm::EcdsaP256 | Algorithm::Unknown(_) => {
                elliptic(Nid::X9_62_PRIME256V1, &origin.octets())?
            }
            Algorithm::EcdsaP384 => elliptic(Nid::SECP384R1, &origin.octets())?,
            Algorithm::Ed25519 => edwards(Id::ED25519, &origin.octets()[..32])?,
            Algorithm::Ed448 => edwards(Id::ED448, &origin.octets()[..57])?,
        };
        Ok(Self {
            secret,
            algorithm,
            flags,
            public,
        })
    }

    /// The same key under other flags.
    pub(crate) fn with_flags(&self, flags: u16) -> Self {
        Self {
            flags,
            ..self.clone()
        }
    }

    pub(crate) const fn flags(&self) -> u16 {
        self.flags
    }

    pub(crate) fn tag(&self) -> u16 {
        self.dnskey().key_tag()
    }

    /// The DNSKEY RDATA.
    pub(crate) fn record(&self) -> Dnskey<Bytes> {
        self.dnskey().convert()
    }

    /// The digest of a DS for this key (RFC 4034 §5.1.4); empty for a digest type that does not
    /// exist.
    pub(crate) fn digest(&self, apex: &Fqdn, digest_type: u8) -> Result<Vec<u8>, ErrorStack> {
        let algorithm = match digest_type {
            1 => MessageDigest::sha1(),
            2 => MessageDigest::sha256(),
            4 => MessageDigest::sha384(),
            _ => return Ok(Vec::new()),
        };
        let mut input = apex.to_canonical_name::<Vec<u8>>().as_slice().to_vec();
        input.extend_from_slice(&self.flags.to_be_bytes());
        input.extend_from_slice(&[3, self.algorithm.number()]);
        input.extend_from_slice(&self.public);
        Ok(hash(algorithm, &input)?.to_vec())
    }

    /// A DS record of these fields.
    pub(crate) fn ds(&self, algorithm: u8, digest_type: u8, digest: Vec<u8>) -> Option<Ds<Bytes>> {
        Ds::new(
            self.tag(),
            SecurityAlgorithm::from_int(algorithm),
            DigestAlgorithm::from_int(digest_type),
            Bytes::from(digest),
        )
        .ok()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        match self.algorithm {
            Algorithm::RsaSha1(_) | Algorithm::RsaSha1Nsec3(_) => {
                Signer::new(MessageDigest::sha1(), &self.secret)?.sign_oneshot_to_vec(message)
            }
            Algorithm::RsaSha256(_) => {
                Signer::new(MessageDigest::sha256(), &self.secret)?.sign_oneshot_to_vec(message)
            }
            Algorithm::RsaSha512(_) => {
                Signer::new(MessageDigest::sha512(), &self.secret)?.sign_oneshot_to_vec(message)
            }
            Algorithm::EcdsaP256 | Algorithm::Unknown(_) => {
                self.sign_ecdsa(MessageDigest::sha256(), 32, message)
            }
            Algorithm::EcdsaP384 => self.sign_ecdsa(MessageDigest::sha384(), 48, message),
            Algorithm::Ed25519 | Algorithm::Ed448 => {
                Signer::new_without_digest(&self.secret)?.sign_oneshot_to_vec(message)
            }
        }
    }

    /// ECDSA in the fixed form of RFC 6605 §4: r and s, each of `width` octets.
    fn sign_ecdsa(
        &self,
        digest: MessageDigest,
        width: i32,
        message: &[u8],
    ) -> Result<Vec<u8>, ErrorStack> {
        let der = Signer::new(digest, &self.secret)?.sign_oneshot_to_vec(message)?;
        let pair = EcdsaSig::from_der(&der)?;
        let mut fixed = pair.r().to_vec_padded(width)?;
        fixed.extend(pair.s().to_vec_padded(width)?);
        Ok(fixed)
    }
}

impl SignRaw for ZoneKey {
    fn algorithm(&self) -> SecurityAlgorithm {
        SecurityAlgorithm::from_int(self.algorithm.number())
    }

    fn dnskey(&self) -> Dnskey<Vec<u8>> {
        let (flags, algorithm) = (self.flags, SignRaw::algorithm(self));
        Dnskey::new(flags, 3, algorithm, self.public.clone()).unwrap_or_else(|_| {
            // Only a public key beyond 65 535 octets is refused; none of ours is.
            Dnskey::new(flags, 3, algorithm, Vec::new()).unwrap_or_else(|_| unreachable!())
        })
    }

    /// The variant of [`Signature`] only carries octets here: the signer copies them.
    fn sign_raw(&self, data: &[u8]) -> Result<Signature, SignError> {
        let octets = self.sign(data).map_err(|_| SignError)?;
        Ok(Signature::RsaSha256(octets.into_boxed_slice()))
    }
}

fn elliptic(curve: Nid, seed: &[u8]) -> Result<(PKey<Private>, Vec<u8>), ErrorStack> {
    let group = EcGroup::from_curve_name(curve)?;
    let mut context = BigNumContext::new()?;
    let mut order = BigNum::new()?;
    group.order(&mut order, &mut context)?;
    order.sub_word(1)?;
    let wide = BigNum::from_slice(seed)?;
    let mut scalar = BigNum::new()?;
    scalar.nnmod(&wide, &order, &mut context)?;
    scalar.add_word(1)?;
    let mut point = EcPoint::new(&group)?;
    point.mul_generator2(&group, &scalar, &mut context)?;
    let octets = point.to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context)?;
    let key = EcKey::from_private_components(&group, &scalar, &point)?;
    // The first octet only says that the point is not compressed (RFC 6605 §4).
    Ok((PKey::from_ec_key(key)?, octets[1..].to_vec()))
}

fn edwards(id: Id, seed: &[u8]) -> Result<(PKey<Private>, Vec<u8>), ErrorStack> {
    let secret = PKey::private_key_from_raw_bytes(seed, id)?;
    let public = secret.raw_public_key()?;
    Ok((secret, public))
}

/// RFC 3110 §2: exponent length, exponent, modulus.
fn rsa_public(secret: &PKey<Private>) -> Result<Vec<u8>, ErrorStack> {
    let rsa = secret.rsa()?;
    let exponent = rsa.e().to_vec();
    let mut public = vec![u8::try_from(exponent.len()).unwrap_or(0)];
    public.extend(exponent);
    public.extend(rsa.n().to_vec());
    Ok(public)
}

/// RSA keys by modulus length in bits and role.
type SharedKeys = HashMap<(u32, String), PKey<Private>>;

fn shared_rsa(bits: u32, role: &str) -> Result<PKey<Private>, ErrorStack> {
    static KEYS: OnceLock<Mutex<SharedKeys>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| Mutex::new(HashMap::new()));
    // A poisoned lock only means that another thread failed while making a key.
    let mut keys = keys
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let wanted = (bits, role.to_owned());
    if let Some(key) = keys.get(&wanted) {
        return Ok(key.clone());
    }
    let key = PKey::from_rsa(Rsa::generate(bits)?)?;
    keys.insert(wanted, key.clone());
    Ok(key)
}
