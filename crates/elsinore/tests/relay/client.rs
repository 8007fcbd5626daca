//! A client that sends as fast as it is answered, and remembers what was acknowledged.

use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// A session with the relay.
#[derive(Debug)]
pub(crate) struct Client {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Client {
    /// Connects and says EHLO.
    pub(crate) async fn connect(place: SocketAddr) -> io::Result<Self> {
        let (reader, writer) = TcpStream::connect(place).await?.into_split();
        let mut client = Self {
            reader: BufReader::new(reader),
            writer,
        };
        client.expect(220).await?;
        client.say("EHLO client.example\r\n").await?;
        client.expect(250).await?;
        Ok(client)
    }

    /// Sends one message; `Ok` when it was acknowledged.
    pub(crate) async fn send(&mut self, from: &str, to: &[&str], text: &str) -> io::Result<()> {
        self.say(&format!("MAIL FROM:<{from}>\r\n")).await?;
        self.expect(250).await?;
        for one in to {
            self.say(&format!("RCPT TO:<{one}>\r\n")).await?;
            self.expect(250).await?;
        }
        self.say("DATA\r\n").await?;
        self.expect(354).await?;
        self.say(&format!("{text}\r\n.\r\n")).await?;
        self.expect(250).await
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(text.as_bytes()).await
    }

    async fn expect(&mut self, code: u16) -> io::Result<()> {
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            if line.starts_with(&code.to_string()) {
                return Ok(());
            }
            return Err(io::Error::other(line));
        }
    }
}
