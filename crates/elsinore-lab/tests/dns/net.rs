//! A network in memory: every address answers as a function says, and every query is written down.

use elsinore_dane::answer::{Answer, DenialKind, Last, Question, RecordType};
use elsinore_dane::security::Security;
use elsinore_lab::authority::{Reaction, Transport};
use elsinore_lab::simulated::Delayed;
use elsinore_net::dialer::{ByteStream, Datagrams, Dialer};
use futures_util::future::BoxFuture;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Flood = dyn Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync;
type React = dyn Fn(SocketAddr, Transport, &[u8]) -> Reaction + Send + Sync;

/// The network.
#[derive(Clone)]
pub(crate) struct MemoryNet {
    react: Arc<React>,
    asked: Arc<Mutex<Vec<String>>>,
    /// Virtual time between a datagram and its reply.
    round_trip: Duration,
    /// Datagrams that arrive before the reply to a query, from somebody who forges the sender.
    flood: Option<Arc<Flood>>,
    /// Connections ever opened, datagram sockets open, and the most of them at one time.
    connections: Arc<AtomicUsize>,
    sockets: Arc<AtomicUsize>,
    most_sockets: Arc<AtomicUsize>,
}

impl fmt::Debug for MemoryNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryNet")
    }
}

impl MemoryNet {
    pub(crate) fn new(
        react: impl Fn(SocketAddr, Transport, &[u8]) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        Self {
            react: Arc::new(react),
            asked: Arc::default(),
            round_trip: Duration::ZERO,
            connections: Arc::default(),
            sockets: Arc::default(),
            most_sockets: Arc::default(),
            flood: None,
        }
    }

    /// The same network with somebody on the path who changes replies.
    pub(crate) fn altered(
        self,
        alter: impl Fn(&[u8], &mut Vec<u8>) + Send + Sync + 'static,
    ) -> Self {
        let react = Arc::clone(&self.react);
        Self {
            react: Arc::new(move |server, transport, query| {
                match react(server, transport, query) {
                    Reaction::Reply(mut reply) => {
                        alter(query, &mut reply);
                        Reaction::Reply(reply)
                    }
                    other => other,
                }
            }),
            ..self
        }
    }

    /// The same network, where these datagrams arrive before each reply.
    pub(crate) fn flooded(
        self,
        flood: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            flood: Some(Arc::new(flood)),
            ..self
        }
    }

    /// The same network, far away.
    pub(crate) fn with_round_trip(self, round_trip: Duration) -> Self {
        Self { round_trip, ..self }
    }

    /// Connections that were opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The most datagram sockets that were open at one time.
    pub(crate) fn most_sockets(&self) -> usize {
        self.most_sockets.load(Ordering::Relaxed)
    }

    /// The queries since the last call, as `NAME TYPE @SERVER`.
    pub(crate) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no test panics while logging"))
    }

    fn ask(&self, server: SocketAddr, transport: Transport, query: &[u8]) -> Reaction {
        if let Some(question) = question_of(query) {
            let line = format!("{question} @{}", server.ip());
            self.asked
                .lock()
                .expect("no test panics while logging")
                .push(line);
        }
        (self.react)(server, transport, query)
    }
}

/// The question in a query.
pub(crate) fn question_of(query: &[u8]) -> Option<Question> {
    let mut labels: Vec<&[u8]> = Vec::new();
    let mut rest = query.get(12..)?;
    loop {
        let (length, tail) = rest.split_first()?;
        rest = tail;
        if *length == 0 {
            break;
        }
        labels.push(rest.get(..usize::from(*length))?);
        rest = rest.get(usize::from(*length)..)?;
    }
    let name = elsinore_dane::name::DomainName::from_labels(labels)
        .unwrap_or_else(|_| elsinore_dane::name::DomainName::root());
    let code = u16::from_be_bytes([*rest.first()?, *rest.get(1)?]);
    Some(Question::new(name, RecordType::from_code(code)))
}

impl Dialer for MemoryNet {
    fn connect(&self, peer: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn ByteStream>>> {
        let net = self.clone();
        net.connections.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let (near, mut far) = tokio::io::duplex(1 << 17);
            tokio::spawn(async move {
                while let Ok(length) = far.read_u16().await {
                    let mut query = vec![0; length.into()];
                    if far.read_exact(&mut query).await.is_err() {
                        return;
                    }
                    match net.ask(peer, Transport::Tcp, &query) {
                        Reaction::Reply(reply) => {
                            let length = u16::try_from(reply.len()).expect("a DNS reply");
                            let _ = far.write_u16(length).await;
                            let _ = far.write_all(&reply).await;
                        }
                        Reaction::Silence => std::future::pending().await,
                        Reaction::Close => return,
                    }
                }
            });
            Ok(Box::new(near) as Box<dyn ByteStream>)
        })
    }

    fn datagrams(&self, peer: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let open = self.sockets.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_sockets.fetch_max(open, Ordering::Relaxed);
        Ok(Box::new(MemorySocket {
            net: self.clone(),
            peer,
            replies: Delayed::default(),
        }))
    }
}

#[derive(Debug)]
struct MemorySocket {
    net: MemoryNet,
    peer: SocketAddr,
    replies: Delayed,
}

impl Drop for MemorySocket {
    fn drop(&mut self) {
        self.net.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Datagrams for MemorySocket {
    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        for forged in self.net.flood.iter().flat_map(|flood| flood(datagram)) {
            self.replies.push(tokio::time::Instant::now(), forged);
        }
        match self.net.ask(self.peer, Transport::Udp, datagram) {
            Reaction::Reply(reply) => {
                let arrives = tokio::time::Instant::now() + self.net.round_trip;
                self.replies.push(arrives, reply);
            }
            Reaction::Close => return Err(io::ErrorKind::ConnectionRefused.into()),
            Reaction::Silence => {}
        }
        Ok(())
    }

    fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.replies.poll(context, buffer)
    }
}

/// An answer in a few letters: the security of each alias link, what stands at the end, and its
/// security: `SI data I`, `- nxdomain S`, `S failed B`.
pub(crate) fn summary(answer: &Answer) -> String {
    let letter = |security: Security| match security {
        Security::Secure => 'S',
        Security::Insecure => 'I',
        Security::Indeterminate => '?',
        Security::Bogus => 'B',
    };
    let mut links: String = answer
        .chain
        .iter()
        .map(|link| letter(link.status.security()))
        .collect();
    if links.is_empty() {
        links.push('-');
    }
    let kind = match &answer.last {
        Last::Data(_) => "data",
        Last::Denied(denial) if denial.kind == DenialKind::NxDomain => "nxdomain",
        Last::Denied(_) => "nodata",
        Last::Failed(_) => "failed",
    };
    format!("{links} {kind} {}", letter(answer.last.status().security()))
}
