//! Where the mail ends: an SMTP server that counts messages and keeps none, with or without TLS.

use rustls::ServerConfig;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the sink has seen.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Final dots.
    pub(crate) messages: AtomicU64,
    /// Connections.
    pub(crate) connections: AtomicU64,
    /// Completed handshakes.
    pub(crate) handshakes: AtomicU64,
    /// Messages that came in the clear.
    pub(crate) in_the_clear: AtomicU64,
}

/// Listens on a port of its own; offers STARTTLS when it has a certificate.
pub(crate) async fn listen(
    tls: Option<Arc<ServerConfig>>,
    counts: Arc<Counts>,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let place = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let _ = stream.set_nodelay(true);
            let (tls, counts) = (tls.clone(), Arc::clone(&counts));
            counts.connections.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut stream = stream;
                let is_over = dialogue(&mut stream, tls.is_some(), true, &counts).await;
                let (Ok(End::StartTls), Some(tls)) = (is_over, tls) else {
                    return;
                };
                let Ok(mut stream) = TlsAcceptor::from(tls).accept(stream).await else {
                    return;
                };
                counts.handshakes.fetch_add(1, Ordering::Relaxed);
                // However it ends, what was counted is counted.
                let _ = dialogue(&mut stream, false, false, &counts).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    Ok(place)
}

/// How a dialogue ended.
enum End {
    StartTls,
    Closed,
}

async fn dialogue(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    offers_tls: bool,
    is_clear: bool,
    counts: &Counts,
) -> io::Result<End> {
    let mut buffer: Vec<u8> = Vec::with_capacity(16 * 1024);
    let mut replies = Vec::new();
    let mut in_message = false;
    if is_clear {
        stream.write_all(b"220 sink ESMTP\r\n").await?;
    }
    loop {
        let mut done = 0;
        if in_message {
            // Commands behind the dot wait for the next turn of this loop.
            if let Some(end) = end_of_message(&buffer) {
                counts.messages.fetch_add(1, Ordering::Relaxed);
                if is_clear {
                    counts.in_the_clear.fetch_add(1, Ordering::Relaxed);
                }
                replies.extend_from_slice(b"250 2.0.0 taken\r\n");
                in_message = false;
                done = end;
            } else {
                // The last four octets may be the beginning of the end.
                done = buffer.len().saturating_sub(4);
            }
        }
        while !in_message {
            let Some(length) = buffer[done..].iter().position(|octet| *octet == b'\n') else {
                break;
            };
            let line = &buffer[done..done + length];
            let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            done += length + 1;
            let reply: &[u8] = match &verb[..] {
                b"EHLO" if offers_tls => {
                    b"250-sink\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n250-8BITMIME\r\n250 STARTTLS\r\n"
                }
                b"EHLO" => b"250-sink\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n250 8BITMIME\r\n",
                b"MAIL" | b"RCPT" | b"RSET" | b"NOOP" | b"HELO" => b"250 2.0.0 fine\r\n",
                b"DATA" => {
                    in_message = true;
                    b"354 go on\r\n"
                }
                b"STAR" if offers_tls => {
                    stream.write_all(b"220 2.0.0 go on\r\n").await?;
                    return Ok(End::StartTls);
                }
                b"QUIT" => {
                    replies.extend_from_slice(b"221 2.0.0 bye\r\n");
                    stream.write_all(&replies).await?;
                    return Ok(End::Closed);
                }
                _ => b"502 5.5.1 what?\r\n",
            };
            replies.extend_from_slice(reply);
        }
        buffer.drain(..done);
        if !replies.is_empty() {
            stream.write_all(&replies).await?;
            stream.flush().await?;
            replies.clear();
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(End::Closed);
        }
    }
}

/// Where the message ends, the dot included. An empty message does not occur.
fn end_of_message(buffer: &[u8]) -> Option<usize> {
    const END: &[u8] = b"\r\n.\r\n";
    let found = buffer.windows(END.len()).rposition(|five| five == END)?;
    Some(found + END.len())
}
