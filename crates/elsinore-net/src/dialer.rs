//! How connections leave this process: directly, through the address map of a lab, or, in tests
//! and benchmarks, into a simulated network.

use futures_util::future::BoxFuture;
use rustix::io::Errno;
use rustix::net::SendFlags;
use std::collections::HashMap;
use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdSocket};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UdpSocket};

/// A byte stream, whatever carries it.
pub trait ByteStream: AsyncRead + AsyncWrite + Debug + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Debug + Send + Unpin> ByteStream for T {}

/// A datagram socket connected to one peer.
pub trait Datagrams: Debug + Send + Sync {
    /// Sends one datagram to the peer without waiting. What the kernel has no room for is lost, as
    /// any datagram may be.
    ///
    /// # Errors
    /// What the network said, of this datagram or of one before it.
    fn send(&self, datagram: &[u8]) -> io::Result<()>;

    /// Receives one datagram from the peer into `buffer` and gives its length; what does not fit is
    /// cut off. Only the task that polled last is woken.
    fn poll_receive(&self, context: &mut Context<'_>, buffer: &mut [u8])
    -> Poll<io::Result<usize>>;
}

/// Opens connections. Timeouts are the caller's.
pub trait Dialer: Debug + Send + Sync {
    /// Opens a TCP connection to `peer`.
    fn connect(&self, peer: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn ByteStream>>>;

    /// Opens a UDP socket connected to `peer`, on a fresh unpredictable local port. Called within
    /// a tokio runtime.
    ///
    /// # Errors
    /// No file left, no route to the peer.
    fn datagrams(&self, peer: SocketAddr) -> io::Result<Box<dyn Datagrams>>;

    /// The address of this machine that connections to `peer` leave from, where that can be told
    /// without sending anything: reports about TLS name it (RFC 8460 §4.4).
    fn local_address(&self, _peer: SocketAddr) -> Option<IpAddr> {
        None
    }
}

/// Dials the addresses as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct DirectDialer;

impl Dialer for DirectDialer {
    fn connect(&self, peer: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async move {
            let stream = TcpStream::connect(peer).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        })
    }

    fn datagrams(&self, peer: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let socket = bind_somewhere(peer)?;
        socket.connect(peer)?;
        socket.set_nonblocking(true)?;
        Ok(Box::new(DirectDatagrams(UdpSocket::from_std(socket)?)))
    }

    fn local_address(&self, peer: SocketAddr) -> Option<IpAddr> {
        // Connecting a datagram socket asks the routing table and sends nothing.
        let any: IpAddr = match peer {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = StdSocket::bind((any, 0)).ok()?;
        socket.connect(peer).ok()?;
        let own = socket.local_addr().ok()?.ip();
        (!own.is_unspecified()).then_some(own)
    }
}

/// Ports tried before the kernel may choose one.
const PORTS_TRIED: usize = 4;

/// A socket on a port drawn from all that are not reserved (RFC 5452 §9.2): the kernel would draw
/// from less than half of them.
fn bind_somewhere(peer: SocketAddr) -> io::Result<StdSocket> {
    let local: IpAddr = if peer.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    for _ in 0..PORTS_TRIED {
        match StdSocket::bind((local, rand::random_range(1_024..=u16::MAX))) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            outcome => return outcome,
        }
    }
    StdSocket::bind((local, 0))
}

/// A socket whose readiness tokio watches and whose calls go straight to the kernel.
#[derive(Debug)]
struct DirectDatagrams(UdpSocket);

impl Datagrams for DirectDatagrams {
    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        // tokio's own sending would wait for the first readiness of a fresh socket.
        match rustix::net::send(&self.0, datagram, SendFlags::DONTWAIT) {
            Ok(_) | Err(Errno::WOULDBLOCK) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut unfilled = ReadBuf::new(buffer);
        ready!(self.0.poll_recv(context, &mut unfilled))?;
        Poll::Ready(Ok(unfilled.filled().len()))
    }
}

/// Dials through the address map of a lab: an address outside the map is unreachable, so nothing
/// of a lab run ever leaves the machine.
#[derive(Debug, Clone, Default)]
pub struct MappedDialer {
    /// Where each TCP address of the lab really listens.
    pub tcp: HashMap<SocketAddr, SocketAddr>,
    /// Where each UDP address of the lab really listens.
    pub udp: HashMap<SocketAddr, SocketAddr>,
}

/// Why a text is not an address map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct AddressMapError {
    /// Line of the text, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl MappedDialer {
    /// Reads an address map: a line each of `tcp ADDRESS:PORT REAL:PORT` or `udp …`; empty lines
    /// and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// [`AddressMapError`] names the first line that is none of these.
    pub fn from_text(text: &str) -> Result<Self, AddressMapError> {
        let mut dialer = Self::default();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let fault = |problem| AddressMapError {
                line: index + 1,
                problem,
            };
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [transport, name, real] = fields.as_slice() else {
                return Err(fault("not three fields"));
            };
            let name = name.parse().map_err(|_| fault("not an address and port"))?;
            let real = real.parse().map_err(|_| fault("not an address and port"))?;
            match *transport {
                "tcp" => dialer.tcp.insert(name, real),
                "udp" => dialer.udp.insert(name, real),
                _ => return Err(fault("neither tcp nor udp")),
            };
        }
        Ok(dialer)
    }

    /// The map as text that [`MappedDialer::from_text`] reads, sorted.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut lines: Vec<String> = Vec::with_capacity(self.tcp.len() + self.udp.len());
        lines.extend(self.tcp.iter().map(|(n, r)| format!("tcp {n} {r}\n")));
        lines.extend(self.udp.iter().map(|(n, r)| format!("udp {n} {r}\n")));
        lines.sort();
        lines.concat()
    }
}

fn real(map: &HashMap<SocketAddr, SocketAddr>, peer: SocketAddr) -> io::Result<SocketAddr> {
    map.get(&peer).copied().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::HostUnreachable,
            format!("{peer} is not part of the lab"),
        )
    })
}

impl Dialer for MappedDialer {
    fn connect(&self, peer: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async move { DirectDialer.connect(real(&self.tcp, peer)?).await })
    }

    fn datagrams(&self, peer: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        DirectDialer.datagrams(real(&self.udp, peer)?)
    }

    fn local_address(&self, peer: SocketAddr) -> Option<IpAddr> {
        DirectDialer.local_address(real(&self.tcp, peer).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_map_text() {
        let text = "tcp 192.0.2.1:25 127.0.0.1:4000\nudp [2001:db8::53]:53 127.0.0.1:4001\n";
        let dialer = MappedDialer::from_text(&format!("# lab\n\n{text}")).unwrap();
        assert_eq!(dialer.to_text(), text);
        for (bad, line) in [
            ("tcp 192.0.2.1:25\n", 1),
            ("\nsctp 192.0.2.1:25 127.0.0.1:1\n", 2),
            ("tcp 192.0.2.1 127.0.0.1:1\n", 1),
        ] {
            let error = MappedDialer::from_text(bad).unwrap_err();
            assert_eq!(error.line, line, "{bad}");
        }
    }
}
