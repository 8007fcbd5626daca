//! What stands between a machine and a good resolver in the field: boxes that take something out,
//! put something in, or do nothing at all.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long the resolver behind may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// What a box does with a question: its answer, or `None` for silence.
pub(crate) type Manner = dyn Fn(Transport, &[u8]) -> Option<Vec<u8>> + Send + Sync;

/// Starts a box on a free port of loopback. It lives as long as the test.
pub(crate) fn start(
    manner: impl Fn(Transport, &[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> SocketAddr {
    let manner: Arc<Manner> = Arc::new(manner);
    let (udp, tcp) = loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().expect("an address")) {
            break (Arc::new(udp), tcp);
        }
    };
    let at = udp.local_addr().expect("an address");
    let asked = Arc::clone(&manner);
    thread::spawn(move || {
        let mut buffer = vec![0; 65_535];
        while let Ok((length, peer)) = udp.recv_from(&mut buffer) {
            let (query, asked, udp) = (
                buffer[..length].to_vec(),
                Arc::clone(&asked),
                Arc::clone(&udp),
            );
            thread::spawn(move || {
                if let Some(reply) = asked(Transport::Udp, &query) {
                    // A client that has gone is none of our business.
                    let _ = udp.send_to(&reply, peer);
                }
            });
        }
    });
    thread::spawn(move || {
        for stream in tcp.incoming().flatten() {
            let manner = Arc::clone(&manner);
            thread::spawn(move || converse(stream, manner.as_ref()));
        }
    });
    at
}

fn converse(mut stream: TcpStream, manner: &Manner) -> io::Result<()> {
    loop {
        let query = framed(&mut stream)?;
        match manner(Transport::Tcp, &query) {
            Some(reply) => send_framed(&mut stream, &reply)?,
            // Open and mute, as a box that forgot the connection.
            None => thread::sleep(PATIENCE),
        }
    }
}

fn framed(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

fn send_framed(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat())
}

/// The answer of the resolver behind.
pub(crate) fn behind(resolver: SocketAddr, transport: Transport, query: &[u8]) -> Option<Vec<u8>> {
    match transport {
        Transport::Udp => {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
            socket.set_read_timeout(Some(PATIENCE)).ok()?;
            socket.send_to(query, resolver).ok()?;
            let mut buffer = vec![0; 65_535];
            let (length, _) = socket.recv_from(&mut buffer).ok()?;
            buffer.truncate(length);
            Some(buffer)
        }
        Transport::Tcp => {
            let mut stream = TcpStream::connect(resolver).ok()?;
            stream.set_read_timeout(Some(PATIENCE)).ok()?;
            send_framed(&mut stream, query).ok()?;
            framed(&mut stream).ok()
        }
    }
}

/// An error reply to `query`, header and question.
pub(crate) fn refusal(query: &[u8], rcode: u8) -> Vec<u8> {
    let mut reply = query.to_vec();
    reply.truncate(question_end(query));
    reply[2] |= 0x80;
    reply[3] = 0x80 | rcode;
    reply[6..12].fill(0);
    reply
}

/// Where the question section of a query ends.
fn question_end(query: &[u8]) -> usize {
    let mut position = 12;
    while let Some(length) = query.get(position).filter(|length| **length > 0) {
        position += usize::from(*length) + 1;
    }
    position + 5
}

/// The type that a query asks for.
pub(crate) fn asked_type(query: &[u8]) -> u16 {
    let end = question_end(query);
    u16::from_be_bytes([query[end - 4], query[end - 3]])
}

/// Whether a query has EDNS.
pub(crate) fn has_edns(query: &[u8]) -> bool {
    query[11] > 0
}

/// The query without the DO bit: what a box makes of it that knows EDNS and no DNSSEC.
pub(crate) fn without_do(query: &[u8]) -> Vec<u8> {
    let mut query = query.to_vec();
    if has_edns(&query) {
        let flags = query.len() - 4;
        query[flags] &= 0x7f;
    }
    query
}
