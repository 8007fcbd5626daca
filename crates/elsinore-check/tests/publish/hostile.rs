//! Files of any content: refused or read, never a panic.

use elsinore_check::publish::material::Material;
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::{X509, X509Req};
use proptest::prelude::*;
use std::sync::OnceLock;

/// A certificate, a private key, a public key and a request of one key, PEM and DER of each.
fn good() -> &'static Vec<Vec<u8>> {
    static GOOD: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    GOOD.get_or_init(|| {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut certificate = X509::builder().unwrap();
        certificate.set_pubkey(&key).unwrap();
        let end = Asn1Time::days_from_now(90).unwrap();
        certificate.set_not_after(&end).unwrap();
        certificate.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = certificate.build();
        let mut request = X509Req::builder().unwrap();
        request.set_pubkey(&key).unwrap();
        request.sign(&key, MessageDigest::sha256()).unwrap();
        let request = request.build();
        vec![
            certificate.to_pem().unwrap(),
            certificate.to_der().unwrap(),
            key.private_key_to_pem_pkcs8().unwrap(),
            key.private_key_to_der().unwrap(),
            key.public_key_to_pem().unwrap(),
            key.public_key_to_der().unwrap(),
            request.to_pem().unwrap(),
            request.to_der().unwrap(),
        ]
    })
}

fn read_all_ways(octets: &[u8]) -> usize {
    [
        Material::from_certificates("file", octets).is_ok(),
        Material::from_key("file", octets).is_ok(),
        Material::from_request("file", octets).is_ok(),
        Material::from_any("file", octets).is_ok(),
    ]
    .into_iter()
    .filter(|read| *read)
    .count()
}

/// Each is read as what it is, and as anything, and as nothing else; all have the same key.
#[test]
fn one_key_in_eight_forms() {
    let digests: Vec<[u8; 32]> = good()
        .iter()
        .map(|octets| {
            assert_eq!(read_all_ways(octets), 2);
            *Material::from_any("file", octets).unwrap().key_digest()
        })
        .collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_octets(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_all_ways(&octets);
    }

    #[test]
    fn damaged_files(
        which in 0..8_usize,
        place in any::<prop::sample::Index>(),
        octet in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let mut octets = good()[which].clone();
        let at = place.index(octets.len());
        if cut {
            octets.truncate(at);
        } else {
            octets[at] = octet;
        }
        read_all_ways(&octets);
    }
}
