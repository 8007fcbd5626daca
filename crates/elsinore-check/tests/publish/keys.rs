//! Keys and certificates for the tests, made once per process.

use elsinore_check::publish::material::Material;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::X509;
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

/// The key of that name; `rsa…` is RSA, anything else ECDSA.
pub(crate) fn key(name: &str) -> PKey<Private> {
    static KEYS: OnceLock<Mutex<HashMap<String, PKey<Private>>>> = OnceLock::new();
    let mut keys = KEYS.get_or_init(Mutex::default).lock().unwrap();
    keys.entry(name.to_owned())
        .or_insert_with(|| {
            if name.starts_with("rsa") {
                return PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
            }
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
            PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
        })
        .clone()
}

/// The certificate of that key with that serial number, signed with itself.
pub(crate) fn certificate(name: &str, serial: u32) -> Material {
    static MADE: OnceLock<Mutex<HashMap<(String, u32), Material>>> = OnceLock::new();
    let key = key(name);
    let mut made = MADE.get_or_init(Mutex::default).lock().unwrap();
    made.entry((name.to_owned(), serial))
        .or_insert_with(|| {
            let mut builder = X509::builder().unwrap();
            let number = BigNum::from_u32(serial).unwrap();
            let number = number.to_asn1_integer().unwrap();
            builder.set_serial_number(&number).unwrap();
            builder.set_pubkey(&key).unwrap();
            let begin = Asn1Time::from_unix(0).unwrap();
            builder.set_not_before(&begin).unwrap();
            let end = Asn1Time::from_unix(2_000_000_000).unwrap();
            builder.set_not_after(&end).unwrap();
            builder.sign(&key, MessageDigest::sha256()).unwrap();
            let der = builder.build().to_der().unwrap();
            Material::from_presented(name, &[der]).unwrap()
        })
        .clone()
}

/// The bare key of that name.
pub(crate) fn bare(name: &str) -> Material {
    let der = key(name).public_key_to_der().unwrap();
    Material::from_key(name, &der).unwrap()
}
