//! Lines and octets from a client, with limits.

use elsinore_net::dialer::ByteStream;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The longest command or message line taken, octets. RFC 5321 §4.5.3.1 has 512 and 1000; more is
/// taken so that a client's mistake shows in the stored message instead of in an error.
const LONGEST_LINE: usize = 1024 * 1024;

/// A connection with what was read of it and not used yet.
#[derive(Debug)]
pub(super) struct Lines {
    stream: Box<dyn ByteStream>,
    buffer: Vec<u8>,
    used: usize,
}

impl Lines {
    pub(super) const fn new(stream: Box<dyn ByteStream>) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            used: 0,
        }
    }

    /// The bare stream; what was buffered is dropped (RFC 3207 §4.2).
    pub(super) fn into_stream(self) -> Box<dyn ByteStream> {
        self.stream
    }

    async fn fill(&mut self) -> io::Result<bool> {
        if self.used > 0 {
            self.buffer.drain(..self.used);
            self.used = 0;
        }
        let mut chunk = [0; 16 * 1024];
        let length = self.stream.read(&mut chunk).await?;
        self.buffer.extend_from_slice(&chunk[..length]);
        Ok(length > 0)
    }

    /// The next line without its line end (LF, with or without CR); `None` at the end.
    pub(super) async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut searched = self.used;
        loop {
            let rest = self.buffer.get(searched..).unwrap_or_default();
            if let Some(at) = rest.iter().position(|octet| *octet == b'\n') {
                let mut line = self.buffer[self.used..searched + at].to_vec();
                self.used = searched + at + 1;
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Some(line));
            }
            if self.buffer.len() - self.used > LONGEST_LINE {
                return Err(io::Error::other("line too long"));
            }
            searched = self.buffer.len() - self.used;
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Exactly `length` octets appended to `target`.
    pub(super) async fn octets(&mut self, length: usize, target: &mut Vec<u8>) -> io::Result<()> {
        let mut missing = length;
        while missing > 0 {
            let available = self.buffer.len() - self.used;
            if available == 0 {
                if !self.fill().await? {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                continue;
            }
            let taken = available.min(missing);
            target.extend_from_slice(&self.buffer[self.used..self.used + taken]);
            self.used += taken;
            missing -= taken;
        }
        Ok(())
    }

    /// The octets of a message up to the line that is a single dot, which is not part of it;
    /// dot-stuffing is undone (RFC 5321 §4.5.2). Only CRLF ends a line here, so that a bare LF of
    /// a client shows in what is stored.
    pub(super) async fn dotted(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        let mut octets: Vec<u8> = Vec::new();
        let mut line_start = 0;
        loop {
            if self.used == self.buffer.len() && !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let octet = self.buffer[self.used];
            self.used += 1;
            octets.push(octet);
            if octets.len() > limit {
                return Err(io::Error::other("message too large to keep"));
            }
            if !octets.ends_with(b"\r\n") {
                continue;
            }
            let line = &octets[line_start..];
            if line == b".\r\n" {
                octets.truncate(line_start);
                return Ok(octets);
            }
            if line.starts_with(b".") {
                octets.remove(line_start);
            }
            line_start = octets.len();
        }
    }

    pub(super) async fn write(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await?;
        self.stream.flush().await
    }

    /// Reads until the client closes.
    pub(super) async fn drain(&mut self) -> io::Result<()> {
        while self.fill().await? {
            self.used = self.buffer.len();
        }
        Ok(())
    }

    pub(super) async fn close(mut self) {
        // The client may have closed first; there is nothing left to lose.
        let _ = self.stream.shutdown().await;
    }
}
