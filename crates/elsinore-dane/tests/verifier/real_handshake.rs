//! The oracle itself is checked: OpenSSL gives the same answer at the end of a real handshake
//! between two connections in memory. Cases whose certificates OpenSSL cannot parse, and leaves
//! whose key is another than the server's, cannot be served and are left out.

use crate::cases::{Case, all};
use crate::differential::{names_of, openssl, settings};
use crate::make::{key, spki};
use crate::oracle::{self, Answer};
use openssl::ssl::{
    HandshakeError, MidHandshakeSslStream, Ssl, SslContext, SslMethod, SslMode, SslStream,
    SslVerifyMode,
};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;

type Octets = Rc<RefCell<VecDeque<u8>>>;

/// One end of a connection in memory.
#[derive(Debug)]
struct Wire {
    incoming: Octets,
    outgoing: Octets,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut incoming = self.incoming.borrow_mut();
        if incoming.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        incoming.read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.outgoing.borrow_mut().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One side of a handshake.
enum Side {
    Waiting(MidHandshakeSslStream<Wire>),
    Finished(SslStream<Wire>),
    Failed(MidHandshakeSslStream<Wire>),
}

impl Side {
    fn of(result: Result<SslStream<Wire>, HandshakeError<Wire>>) -> Self {
        match result {
            Ok(stream) => Self::Finished(stream),
            Err(HandshakeError::WouldBlock(stream)) => Self::Waiting(stream),
            Err(HandshakeError::Failure(stream)) => Self::Failed(stream),
            Err(HandshakeError::SetupFailure(error)) => panic!("{error}"),
        }
    }

    fn step(self) -> Self {
        match self {
            Self::Waiting(stream) => Self::of(stream.handshake()),
            ended => ended,
        }
    }
}

fn server(case: &Case) -> Option<Ssl> {
    let (leaf, _) = oracle::parse(&case.chain)?;
    if leaf.public_key().ok()?.public_key_to_der().ok()? != spki("leaf") {
        return None;
    }
    let mut builder = SslContext::builder(SslMethod::tls_server()).unwrap();
    builder.set_security_level(0);
    builder.set_mode(SslMode::NO_AUTO_CHAIN);
    builder.set_certificate(&leaf).ok()?;
    builder.set_private_key(&key("leaf")).unwrap();
    for entry in &case.chain[1..] {
        let certificate = openssl::x509::X509::from_der(entry).unwrap();
        builder.add_extra_chain_cert(certificate).unwrap();
    }
    Some(Ssl::new(&builder.build()).unwrap())
}

/// The client's answer after the handshake; `None` when the case cannot be served.
fn handshake(case: &Case) -> Option<Answer> {
    let server = server(case)?;
    let names = names_of(case);
    let settings = settings(case, &names);
    let (mut client, usable) = oracle::connection(&oracle::context(), &settings);
    if usable == 0 {
        return Some(Answer::NoUsable);
    }
    client.set_verify(SslVerifyMode::PEER);
    // A handshake takes the level from the connection rather than from its parameters.
    client.set_security_level(u32::try_from(settings.security_level).unwrap());
    let (up, down) = (Octets::default(), Octets::default());
    let near = Wire {
        incoming: Rc::clone(&down),
        outgoing: Rc::clone(&up),
    };
    let far = Wire {
        incoming: up,
        outgoing: down,
    };
    let mut client = Side::of(client.connect(near));
    let mut server = Side::of(server.accept(far));
    for _ in 0..20 {
        match client {
            Side::Finished(stream) => return Some(oracle::matched(stream.ssl())),
            Side::Failed(stream) => {
                let error = stream.ssl().verify_result().as_raw();
                assert_ne!(error, 0, "{}: {}", case.id, stream.error());
                return Some(Answer::Reject(error));
            }
            Side::Waiting(_) => {}
        }
        server = server.step();
        client = client.step();
    }
    panic!("{}: the handshake does not end", case.id);
}

#[test]
fn the_oracle_answers_as_a_handshake_does() {
    let mut served = 0;
    for case in all() {
        if let Some(answer) = handshake(&case) {
            served += 1;
            assert_eq!(answer, openssl(&case), "{}", case.id);
        }
    }
    // Nearly all of the table; if certificates stopped being served this test would be empty.
    assert!(served > 200, "{served} cases were served");
}
