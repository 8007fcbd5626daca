//! What must hold of the resolver for any octets that servers send. The fuzz target calls this,
//! and so does `cargo test` with the committed corpus.

use elsinore_dane::answer::{Answer, Last, Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::{Authority, Security};
use elsinore_dane::time::UnixTime;
use elsinore_net::clock::FixedClock;
use elsinore_net::dialer::{ByteStream, Datagrams, Dialer};
use elsinore_net::resolver::{
    Freshness, Limits, Mode, Net, Resolver, ResolverConfig, SecureResolver,
};
use futures_util::future::BoxFuture;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// Every server there is: it repeats the question and sends the same octets behind it.
#[derive(Debug, Clone)]
struct Parrot {
    /// Flags (2), then the number of records per section (1 each), then the records.
    octets: Arc<[u8]>,
    pending: Arc<Mutex<Pending>>,
}

/// Replies that were not read yet, and who waits for one.
type Pending = (VecDeque<Vec<u8>>, Option<Waker>);

impl Dialer for Parrot {
    fn connect(&self, _: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn datagrams(&self, _: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        Ok(Box::new(Self {
            pending: Arc::default(),
            ..self.clone()
        }))
    }
}

impl Datagrams for Parrot {
    fn send(&self, query: &[u8]) -> io::Result<()> {
        let reply = self.reply(query);
        if let Ok(mut pending) = self.pending.lock() {
            pending.0.push_back(reply);
            if let Some(reader) = pending.1.take() {
                reader.wake();
            }
        }
        Ok(())
    }

    fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Ok(mut pending) = self.pending.lock() else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let Some(reply) = pending.0.pop_front() else {
            pending.1 = Some(context.waker().clone());
            return Poll::Pending;
        };
        let length = reply.len().min(buffer.len());
        buffer[..length].copy_from_slice(&reply[..length]);
        Poll::Ready(Ok(length))
    }
}

impl Parrot {
    fn reply(&self, query: &[u8]) -> Vec<u8> {
        let octet = |index: usize| self.octets.get(index).copied().unwrap_or(0);
        let mut end = 12;
        while let Some(length) = query.get(end).filter(|length| **length > 0) {
            end += usize::from(*length) + 1;
        }
        let mut reply = query[..2].to_vec();
        // RA is turned round: the corpus comes from authoritative servers, and an upstream without
        // recursion is not listened to.
        reply.extend([octet(0) & 0x07 | 0x80, octet(1) ^ 0x80, 0, 1]);
        reply.extend([0, octet(2), 0, octet(3), 0, octet(4)]);
        reply.extend(query.get(12..end + 5).unwrap_or_default());
        reply.extend(self.octets.get(5..).unwrap_or_default());
        reply
    }
}

/// The first octet chooses the mode, the second the type asked for, the others are the reply of
/// every server. Nobody here has the root's keys, so nothing may come out as secure or as shown
/// to be insecure; in AD mode nothing may be secure without the AD bit.
pub(crate) fn check_dns_answer(octets: &[u8]) {
    let [mode, rtype, octets @ ..] = octets else {
        return;
    };
    let types = [
        RecordType::A,
        RecordType::Mx,
        RecordType::Tlsa,
        RecordType::Ds,
    ];
    let mode = [Mode::Recursive, Mode::Forward, Mode::Ad][usize::from(*mode) % 3];
    let Ok(name) = DomainName::parse("mx.nsec.test") else {
        unreachable!("a plain name");
    };
    let question = Question::new(name, types[usize::from(*rtype) % types.len()]);
    let answer = lookup(mode, &question, octets);
    assert_eq!(answer.question, question);
    if mode == Mode::Ad {
        let authentic = octets.get(1).is_some_and(|flags| flags & 0x20 != 0);
        let links = answer.chain.iter().map(|link| &link.status);
        for status in links.chain([answer.last.status()]) {
            assert!(
                status.security() != Security::Secure || authentic,
                "{answer:?}"
            );
            assert!(
                matches!(status.authority(), None | Some(Authority::AdBit)),
                "{answer:?}"
            );
        }
    } else {
        assert!(matches!(answer.last, Last::Failed(_)), "{answer:?}");
        assert!(answer.chain.is_empty(), "{answer:?}");
        assert!(
            answer.last.status().security() > Security::Insecure,
            "{answer:?}"
        );
    }
    assert!(!answer.last.status().reason().is_empty());
}

fn lookup(mode: Mode, question: &Question, octets: &[u8]) -> Answer {
    let everywhere: Result<Vec<Net>, _> =
        ["0.0.0.0/0", "::/0"].into_iter().map(str::parse).collect();
    let (Ok(everywhere), Ok(upstream)) = (everywhere, "127.0.0.1:53".parse()) else {
        unreachable!("plain addresses");
    };
    let config = ResolverConfig {
        mode,
        upstreams: vec![upstream],
        allow_nets: everywhere,
        limits: Limits {
            queries: 40,
            ..Limits::default()
        },
        ..ResolverConfig::default()
    };
    let dialer = Arc::new(Parrot {
        octets: octets.into(),
        pending: Arc::default(),
    });
    let clock = Arc::new(FixedClock(UnixTime(1_780_000_000)));
    let Ok(resolver) = Resolver::new(config, dialer, clock) else {
        unreachable!("a configuration that works");
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let Ok(runtime) = runtime else {
        unreachable!("no thread is started");
    };
    runtime.block_on(resolver.lookup(question, Freshness::Cached))
}
