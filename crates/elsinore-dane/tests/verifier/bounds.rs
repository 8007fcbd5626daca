//! What a hostile chain may cost, counted: signatures by their price, names by comparisons.
//!
//! They stand outside the table because they do not fit into a certificate message of OpenSSL's.

use crate::cases::{Case, Expect, outcome, ta};
use crate::cases_ta::{inter, leaf, root};
use crate::make::{Made, Spec, dns, name_constraints, san, spki};
use elsinore_dane::verify::Rejection;
use openssl::bn::BigNum;
use openssl::dsa::Dsa;
use openssl::ec::{Asn1Flag, EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;

#[test]
fn what_a_chain_costs_is_bounded() {
    for case in costly() {
        assert_eq!(outcome(&case.verdict()), case.expected, "{}", case.id);
    }
}

/// Chains that are short and dear: what a signature costs is bounded, not only how many there
/// are. Each decoy has the name of the issuer and a key that is never the right one.
fn costly() -> Vec<Case> {
    let (leaf, inter, root) = (leaf().make(), inter().make(), root().make());
    let behind = |id: &str, count: u8, keys: &dyn Fn(u8) -> Vec<u8>, expected| {
        let decoys: Vec<Made> = (0..count)
            .map(|serial| {
                let mut decoy = Spec::authority("Inter", "other", "Root", "root");
                decoy.serial = vec![serial];
                decoy.spki = keys(serial);
                decoy.make()
            })
            .collect();
        let mut chain: Vec<&Made> = std::iter::once(&leaf).chain(&decoys).collect();
        chain.extend([&inter, &root]);
        Case::new(id, &chain, vec![root.record(2, 0, 1)], expected)
    };
    let bound = Expect::Reject(Rejection::SearchBound);
    vec![
        // 256 units each: five fit beside those of the true path.
        behind("74-rsa-16384-5", 5, &|n| rsa_spki(16_384, 64, n), ta(2)),
        behind("74-rsa-16384-6", 6, &|n| rsa_spki(16_384, 64, n), bound),
        // An exponent as long as the modulus makes a short key as dear: 432 units each.
        behind("74-rsa-exponent-3", 3, &|n| rsa_spki(3072, 3072, n), ta(2)),
        behind("74-rsa-exponent-4", 4, &|n| rsa_spki(3072, 3072, n), bound),
        // What is beyond any use costs a check and no effort.
        behind("74-rsa-32768", 40, &|n| rsa_spki(32_768, 17, n), ta(2)),
        behind("74-dsa-10000", 2, &dsa_spki, bound),
        // Curves that are spelt out are never decoded: 40 of them cost 40 checks and no effort.
        behind("74-explicit-curve", 40, &explicit_spki, ta(2)),
        behind(
            "74-p521-11",
            11,
            &|n| spki(&format!("p521-decoy{n}")),
            ta(2),
        ),
        behind(
            "74-p521-12",
            12,
            &|n| spki(&format!("p521-decoy{n}")),
            bound,
        ),
        many_names(bound),
    ]
}

/// Ten thousand names below ten thousand constraints.
fn many_names(expected: Expect) -> Case {
    let names: Vec<String> = (0..10_000).map(|n| format!("{n}.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let excluded: Vec<Vec<u8>> = (0..10_000).map(|n| dns(&format!("{n}.invalid"))).collect();
    let leaf = leaf().with(|s| s.extensions = vec![san(&names)]).make();
    let inter = inter()
        .with(|s| s.extensions.push(name_constraints(&[], &excluded)))
        .make();
    let root = root().make();
    let record = root.record(2, 0, 1);
    Case::new(
        "74-many-names",
        &[&leaf, &inter, &root],
        vec![record],
        expected,
    )
}

/// An odd number of so many bits, different for each `seed`.
fn odd(bits: u32, seed: u8) -> BigNum {
    let mut octets = vec![0xa5; usize::try_from(bits.div_ceil(8)).unwrap()];
    let last = octets.len() - 1;
    (octets[1], octets[last]) = (seed, 0x0b);
    octets[0] = 0xff;
    let mut number = BigNum::from_slice(&octets).unwrap();
    let excess = i32::try_from(bits.div_ceil(8) * 8 - bits).unwrap();
    if excess > 0 {
        let wanted = number.num_bits() - excess;
        number.mask_bits(wanted).unwrap();
    }
    number
}

/// An RSA key that nobody has the other half of.
fn rsa_spki(bits: u32, exponent: u32, seed: u8) -> Vec<u8> {
    let (modulus, exponent) = (odd(bits, seed), odd(exponent, 1));
    let key = Rsa::from_public_components(modulus, exponent).unwrap();
    key.public_key_to_der().unwrap()
}

fn dsa_spki(seed: u8) -> Vec<u8> {
    let [p, q, g, y] = [(10_000, 1), (256, 2), (9_000, 3), (9_000, 4)]
        .map(|(bits, more)| odd(bits, seed.wrapping_add(more)));
    let key = Dsa::from_public_components(p, q, g, y).unwrap();
    key.public_key_to_der().unwrap()
}

fn explicit_spki(_: u8) -> Vec<u8> {
    let mut group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    group.set_asn1_flag(Asn1Flag::EXPLICIT_CURVE);
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    key.public_key_to_der().unwrap()
}
