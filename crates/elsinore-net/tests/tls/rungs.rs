//! Which rung takes a server: keys and certificates of every oddity, in TLS 1.2 and 1.3, where
//! DANE-EE is owed and where nothing is.

use crate::pki::{Wanted, ec_key, p256, rsa};
use crate::server::{openssl_context, openssl_server};
use crate::{BOTH, connect, connector, dane, tlsa_311};
use elsinore_dane::obligation::Obligation;
use elsinore_net::tls::Backend;
use openssl::bn::BigNum;
use openssl::dh::Dh;
use openssl::dsa::Dsa;
use openssl::ec::{Asn1Flag, EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Rsa;
use openssl::ssl::SslVersion;

/// The first rung that reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Rustls,
    OpenSsl,
    /// Deferred where TLS is owed, cleartext where it is not.
    Nobody,
}

use Taken::{Nobody, OpenSsl, Rustls};

pub(crate) type Make = fn() -> (PKey<Private>, Wanted);

fn plain(key: PKey<Private>) -> (PKey<Private>, Wanted) {
    (key, Wanted::default())
}

fn rsa_pss() -> PKey<Private> {
    let mut context = PkeyCtx::new_id(Id::RSA_PSS).unwrap();
    context.keygen_init().unwrap();
    context.set_rsa_keygen_bits(2048).unwrap();
    context.keygen().unwrap()
}

fn explicit_curve() -> PKey<Private> {
    let mut group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    group.set_asn1_flag(Asn1Flag::EXPLICIT_CURVE);
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// 2^35 + 1 is beyond what some libraries take for an exponent.
fn long_exponent() -> PKey<Private> {
    let exponent = BigNum::from_dec_str("34359738369").unwrap();
    PKey::from_rsa(Rsa::generate_with_e(2048, &exponent).unwrap()).unwrap()
}

fn many_names(count: usize) -> (PKey<Private>, Wanted) {
    let wanted = Wanted {
        dns: (0..count)
            .map(|n| format!("mx{n}.example-{n}.example"))
            .collect(),
        ..Wanted::default()
    };
    (p256(), wanted)
}

fn v1_sha1() -> (PKey<Private>, Wanted) {
    let wanted = Wanted {
        version: 0,
        dns: Vec::new(),
        digest: Some(MessageDigest::sha1()),
        ..Wanted::default()
    };
    (rsa(1024), wanted)
}

/// Server; with TLS 1.2 under DANE, and under no obligation; the same with TLS 1.3.
pub(crate) const SERVERS: &[(&str, Make, [Taken; 2], [Taken; 2])] = &[
    (
        "RSA-512",
        || plain(rsa(512)),
        [OpenSsl, OpenSsl],
        [Nobody, Nobody],
    ),
    (
        "RSA-768",
        || plain(rsa(768)),
        [Rustls, Rustls],
        [Rustls, Rustls],
    ),
    (
        "RSA-1024",
        || plain(rsa(1024)),
        [Rustls, Rustls],
        [Rustls, Rustls],
    ),
    (
        "RSA-1536",
        || plain(rsa(1536)),
        [Rustls, Rustls],
        [Rustls, Rustls],
    ),
    (
        "RSA-2047",
        || plain(rsa(2047)),
        [Rustls, Rustls],
        [Rustls, Rustls],
    ),
    (
        "version 1, RSA-1024, SHA-1",
        v1_sha1,
        [Rustls, Rustls],
        [Rustls, Rustls],
    ),
    (
        "RSA exponent 2^35+1",
        || plain(long_exponent()),
        [Rustls, Rustls],
        [Rustls, Rustls],
    ),
    (
        "RSASSA-PSS key",
        || plain(rsa_pss()),
        [OpenSsl, OpenSsl],
        [Rustls, Rustls],
    ),
    (
        "DSA",
        || plain(PKey::from_dsa(Dsa::generate(1024).unwrap()).unwrap()),
        [OpenSsl, OpenSsl],
        [Nobody, Nobody],
    ),
    (
        "Ed25519",
        || plain(PKey::generate_ed25519().unwrap()),
        [Rustls, Rustls],
        [Rustls, Rustls],
    ),
    (
        "Ed448",
        || plain(PKey::generate_ed448().unwrap()),
        [OpenSsl, OpenSsl],
        [OpenSsl, OpenSsl],
    ),
    (
        "P-521",
        || plain(ec_key(Nid::SECP521R1)),
        [OpenSsl, OpenSsl],
        [Rustls, Rustls],
    ),
    (
        "explicit curve",
        || plain(explicit_curve()),
        [Rustls, Rustls],
        [Rustls, Rustls],
    ),
    (
        "brainpoolP256r1",
        || plain(ec_key(Nid::BRAINPOOL_P256R1)),
        [OpenSsl, OpenSsl],
        [OpenSsl, OpenSsl],
    ),
    (
        "secp256k1",
        || plain(ec_key(Nid::SECP256K1)),
        [OpenSsl, OpenSsl],
        [Nobody, Nobody],
    ),
    (
        "1500 names, 45 KB",
        || many_names(1500),
        [Rustls, Rustls],
        [Rustls, Rustls],
    ),
    (
        "2500 names, 80 KB",
        || many_names(2500),
        [OpenSsl, OpenSsl],
        [OpenSsl, OpenSsl],
    ),
    (
        "4000 names, 130 KB",
        || many_names(4000),
        [Nobody, Nobody],
        [Nobody, Nobody],
    ),
];

#[tokio::test]
async fn which_rung_takes_which_certificate() {
    let connector = connector(None);
    let mut failures = Vec::new();
    for (title, make, with_12, with_13) in SERVERS {
        let (key, wanted) = make();
        let certificate = wanted.issue(&key, None);
        let owed = dane(vec![tlsa_311(&certificate)]);
        for (version, expected) in [(SslVersion::TLS1_2, with_12), (SslVersion::TLS1_3, with_13)] {
            for (obligation, expected) in [&owed, &Obligation::Opportunistic].iter().zip(expected) {
                let mut taken = Nobody;
                for backend in BOTH {
                    let chain = std::slice::from_ref(&certificate);
                    let context = openssl_context(&key, chain, |context| {
                        context.set_min_proto_version(Some(version)).unwrap();
                        context.set_max_proto_version(Some(version)).unwrap();
                        // DSA keys sign finite-field exchanges only.
                        context.set_tmp_dh(&Dh::get_2048_256().unwrap()).unwrap();
                    });
                    let stream = openssl_server(context);
                    let session = connect(&connector, backend, stream, obligation).await;
                    // An anonymous suite says nothing of the certificate.
                    if session.is_ok_and(|session| !session.handshake.chain.is_empty()) {
                        taken = match backend {
                            Backend::Rustls => Rustls,
                            Backend::OpenSsl => OpenSsl,
                        };
                        break;
                    }
                }
                if taken != *expected {
                    let word = obligation.word();
                    failures.push(format!(
                        "{title}, {version:?}, {word}: {taken:?}, not {expected:?}"
                    ));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
