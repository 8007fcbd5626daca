//! The odd certificates against a server that is not ours: `openssl s_server`.

use crate::pki::odd_certificates;
use crate::rungs::{SERVERS, Taken};
use crate::skipped::skipped;
use crate::{BOTH, connect, connector, dane, tlsa_311};
use elsinore_net::tls::Backend;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tokio::net::TcpStream;

/// A running `openssl s_server`; ends with the test.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `None` when there is no such program.
fn serve(folder: &Path, key: &PKey<Private>, certificate: &X509, more: &[&str]) -> Option<Server> {
    let (key_file, certificate_file) = (folder.join("key.pem"), folder.join("cert.pem"));
    fs::write(&key_file, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    fs::write(&certificate_file, certificate.to_pem().unwrap()).unwrap();
    let mut child = Command::new("openssl")
        .args([
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-cipher",
            "ALL:@SECLEVEL=0",
        ])
        .args(more)
        .arg("-key")
        .arg(&key_file)
        .arg("-cert")
        .arg(&certificate_file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("ACCEPT ")?.parse().ok())
        .expect("s_server says where it listens");
    // Its chatter is read on, so that it never blocks or breaks on a full or closed pipe.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    Some(Server { child, address })
}

async fn check(title: &str, server: &Server, backend: Backend, certificate: &X509) {
    let connector = connector(None);
    let good = dane(vec![tlsa_311(certificate)]);
    let stream = TcpStream::connect(server.address).await.unwrap();
    let result = connect(&connector, backend, stream, &good).await;
    let session = result.unwrap_or_else(|failure| panic!("{title}, {backend}: {failure}"));
    assert!(session.proofs.dane.is_some(), "{title}, {backend}");
    // The server serves one connection at a time.
    drop(session);
    let mut digest = openssl::sha::sha256(b"another key");
    digest[0] ^= 1;
    let wrong = dane(vec![elsinore_dane::tlsa::TlsaRecord::new(3, 1, 1, &digest)]);
    let stream = TcpStream::connect(server.address).await.unwrap();
    let result = connect(&connector, backend, stream, &wrong).await;
    assert!(result.is_err(), "{title}, {backend}: the wrong key matched");
}

#[tokio::test]
async fn openssl_s_server_with_odd_certificates() {
    let folder = tempfile::tempdir().unwrap();
    for (title, key, certificate) in odd_certificates() {
        for protocol in ["-tls1_3", "-tls1_2"] {
            // The server itself finds no cipher suite for such a certificate below TLS 1.3.
            if ["garbage SAN", "CA:TRUE"].contains(&title) && protocol == "-tls1_2" {
                continue;
            }
            let Some(server) = serve(folder.path(), &key, &certificate, &[protocol]) else {
                skipped("openssl s_server", "there is no openssl command");
                return;
            };
            for backend in BOTH {
                check(
                    &format!("{title} {protocol}"),
                    &server,
                    backend,
                    &certificate,
                )
                .await;
            }
        }
    }
}

/// Where a program of another age may differ from the library of the table's own test: server,
/// protocol, who takes it then. Before OpenSSL 3.2 a server has no brainpool in TLS 1.3 (RFC 8734).
const OTHERWISE: &[(&str, &str, Taken)] = &[("brainpoolP256r1", "-tls1_3", Taken::Nobody)];

#[tokio::test]
async fn openssl_s_server_is_taken_by_the_same_rung() {
    let folder = tempfile::tempdir().unwrap();
    let connector = connector(None);
    let mut failures = Vec::new();
    for (title, make, [with_12, _], [with_13, _]) in SERVERS {
        let (key, wanted) = make();
        let certificate = wanted.issue(&key, None);
        let owed = dane(vec![tlsa_311(&certificate)]);
        for (protocol, expected) in [("-tls1_2", with_12), ("-tls1_3", with_13)] {
            let Some(server) = serve(folder.path(), &key, &certificate, &[protocol]) else {
                skipped("openssl s_server", "there is no openssl command");
                return;
            };
            let mut taken = Taken::Nobody;
            for backend in BOTH {
                let stream = TcpStream::connect(server.address).await.unwrap();
                let session = connect(&connector, backend, stream, &owed).await;
                if session.is_ok_and(|session| session.proofs.dane.is_some()) {
                    taken = match backend {
                        Backend::Rustls => Taken::Rustls,
                        Backend::OpenSsl => Taken::OpenSsl,
                    };
                    break;
                }
            }
            if taken != *expected && !OTHERWISE.contains(&(*title, protocol, taken)) {
                failures.push(format!("{title}, {protocol}: {taken:?}, not {expected:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
