//! A server with two certificates shows each to whoever asks for no other.

use crate::pki::{Wanted, p256, rsa};
use crate::server::{openssl_context, openssl_server};
use crate::{BOTH, connector, dane, name, tlsa_311};
use elsinore_dane::obligation::Obligation;
use elsinore_net::tls::{Backend, MinProtocol, SignatureOffer, TlsConnector, TlsDemand};
use openssl::pkey::Id;
use openssl::ssl::{SslContext, SslVersion};
use openssl::x509::X509;

async fn leaf(
    connector: &TlsConnector,
    backend: Backend,
    context: &SslContext,
    (obligation, offer): (&Obligation, SignatureOffer),
) -> Result<Id, String> {
    let sni = name("mx.example");
    let demand = TlsDemand {
        offer,
        ..TlsDemand::new(obligation, Some(&sni), "mx.example", MinProtocol::Tls12)
    };
    let stream = openssl_server(context.clone());
    let session = connector.connect(backend, Box::new(stream), &demand).await;
    let session = session.map_err(|failure| failure.to_string())?;
    let der = session.handshake.chain.first().ok_or("no certificate")?;
    let certificate = X509::from_der(der).unwrap();
    Ok(certificate.public_key().unwrap().id())
}

#[tokio::test]
async fn each_offer_brings_its_certificate() {
    let (rsa_key, ec_key, ca_key) = (rsa(2048), p256(), rsa(2048));
    let ca = Wanted::ca().issue(&ca_key, None);
    let rsa_leaf = Wanted::default().issue(&rsa_key, None);
    // The issuer of the ECDSA certificate signs with RSA, as many do.
    let ec_leaf = Wanted::default().issue(&ec_key, Some((&ca, &ca_key)));
    let obligations = [
        Obligation::Opportunistic,
        dane(vec![tlsa_311(&rsa_leaf), tlsa_311(&ec_leaf)]),
    ];
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let both = openssl_context(&rsa_key, std::slice::from_ref(&rsa_leaf), |context| {
            context.set_certificate(&ec_leaf).unwrap();
            context.set_private_key(&ec_key).unwrap();
            context.set_max_proto_version(Some(version)).unwrap();
        });
        let rsa_alone = openssl_context(&rsa_key, std::slice::from_ref(&rsa_leaf), |context| {
            context.set_max_proto_version(Some(version)).unwrap();
        });
        for backend in BOTH {
            let connector = connector(None);
            for obligation in &obligations {
                let title = format!("{version:?} {backend} {}", obligation.word());
                let ask = |context, offer| leaf(&connector, backend, context, (obligation, offer));
                // In turn: nothing of one session is used in the next.
                let rsa = ask(&both, SignatureOffer::RsaOnly).await;
                assert_eq!(rsa, Ok(Id::RSA), "{title}");
                let ecdsa = ask(&both, SignatureOffer::EcdsaOnly).await;
                assert_eq!(ecdsa, Ok(Id::EC), "{title}");
                assert!(ask(&both, SignatureOffer::Any).await.is_ok(), "{title}");
                let none = ask(&rsa_alone, SignatureOffer::EcdsaOnly).await;
                assert!(none.is_err(), "{title} {none:?}");
                let some = ask(&rsa_alone, SignatureOffer::RsaOnly).await;
                assert_eq!(some, Ok(Id::RSA), "{title}");
            }
        }
    }
}
