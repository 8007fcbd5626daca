//! A relay's front door on loopback, and clients that come to it.

use crate::store::MemoryStore;
use elsinore_queue::store::QueueStore;
use elsinore_relay::accept::{AcceptSettings, Listeners, Rebind, serve};
use elsinore_relay::event::{Event, Journal};
use elsinore_smtp::command::GreetingName;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Generous: it is only reached when something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Keeps all events.
#[derive(Debug, Default)]
pub(crate) struct Diary(pub(crate) Mutex<Vec<Event>>);

impl Journal for Diary {
    fn note(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

pub(crate) struct House<S = MemoryStore> {
    pub(crate) store: Arc<S>,
    pub(crate) diary: Arc<Diary>,
    pub(crate) settings: watch::Sender<Arc<AcceptSettings>>,
    pub(crate) changes: mpsc::Sender<Rebind>,
    pub(crate) address: SocketAddr,
    pub(crate) folder: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

/// Settings for a test: a port of the kernel's choice, a name.
pub(crate) fn settings() -> AcceptSettings {
    AcceptSettings {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        host: GreetingName::parse("relay.example").unwrap(),
        ..AcceptSettings::default()
    }
}

impl House {
    pub(crate) async fn open(settings: AcceptSettings) -> Self {
        Self::on(MemoryStore::new(), settings).await
    }
}

impl<S: QueueStore + 'static> House<S> {
    /// On a store of one's own.
    pub(crate) async fn on(store: Arc<S>, mut settings: AcceptSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        settings.socket = Some(folder.path().join("smtp.sock"));
        let mut listeners = Listeners::bind(&settings).unwrap();
        let changes = listeners.changes();
        let address = listeners.addresses()[0];
        let diary = Arc::new(Diary::default());
        let (sender, receiver) = watch::channel(Arc::new(settings));
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = serve(
            receiver,
            listeners,
            Arc::clone(&store) as _,
            Arc::clone(&diary) as _,
            async {
                let _ = stopped.await;
            },
        );
        let server = tokio::spawn(async { serving.await.unwrap() });
        Self {
            store,
            diary,
            settings: sender,
            changes,
            address,
            folder,
            stop: Some(stop),
            server,
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("smtp.sock")
    }

    pub(crate) async fn connect(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.address).await.unwrap())
    }

    pub(crate) async fn connect_locally(&self) -> Client<UnixStream> {
        Client::new(UnixStream::connect(self.socket()).await.unwrap())
    }

    /// Begins to stop.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits for the end.
    pub(crate) async fn closed(self) {
        tokio::time::timeout(PATIENCE, self.server)
            .await
            .unwrap()
            .unwrap();
    }

    pub(crate) fn refusals(&self) -> Vec<String> {
        let events = self.diary.0.lock().unwrap();
        let refusals = events.iter().filter_map(|event| match event {
            Event::Refused { client, code, text } => Some(format!("{client} {code} {text}")),
            _ => None,
        });
        refusals.collect()
    }

    /// Who was not let in, and why.
    pub(crate) fn turned_away(&self) -> Vec<String> {
        let events = self.diary.0.lock().unwrap();
        let away = events.iter().filter_map(|event| match event {
            Event::TurnedAway { client, why } => Some(format!("{client} {why}")),
            _ => None,
        });
        away.collect()
    }
}

/// A client that writes octets and reads replies.
pub(crate) struct Client<S> {
    pub(crate) stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(crate) async fn write(&mut self, octets: &[u8]) {
        tokio::time::timeout(PATIENCE, self.stream.write_all(octets))
            .await
            .unwrap()
            .unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next reply, its lines joined by `|`; `closed` at the end.
    pub(crate) async fn reply(&mut self) -> String {
        let mut lines = Vec::new();
        loop {
            while let Some(end) = self.buffer.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let line = String::from_utf8(line).unwrap().trim_end().to_owned();
                let last = line.as_bytes().get(3) != Some(&b'-');
                lines.push(line);
                if last {
                    return lines.join("|");
                }
            }
            let mut block = [0; 4096];
            let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut block))
                .await
                .unwrap();
            match read {
                Ok(length) if length > 0 => self.buffer.extend_from_slice(&block[..length]),
                Ok(_) | Err(_) => return "closed".to_owned(),
            }
        }
    }

    pub(crate) async fn ask(&mut self, line: &str) -> String {
        self.write(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    /// Greeting and EHLO.
    pub(crate) async fn greet(&mut self) {
        assert_eq!(self.reply().await, "220 relay.example ESMTP");
        let offers = self.ask("EHLO client.example").await;
        assert!(
            offers.starts_with("250-relay.example|250-PIPELINING"),
            "{offers}"
        );
    }

    /// Up to the 354.
    pub(crate) async fn begin(&mut self, recipients: &[&str]) {
        assert!(
            self.ask("MAIL FROM:<a@sender.example>")
                .await
                .starts_with("250 2.1.0")
        );
        for recipient in recipients {
            let reply = self.ask(&format!("RCPT TO:<{recipient}>")).await;
            assert!(reply.starts_with("250 2.1.5"), "{reply}");
        }
        assert!(self.ask("DATA").await.starts_with("354"));
    }
}

/// A certificate and its key in `folder`, for `name`.
pub(crate) fn certificate(folder: &Path, name: &str) -> elsinore_relay::accept::TlsFiles {
    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::PKey;
    use openssl::x509::{X509, X509NameBuilder};
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let number = BigNum::from_u32(rand::random::<u32>() | 1).unwrap();
    builder
        .set_serial_number(&number.to_asn1_integer().unwrap())
        .unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(7).unwrap())
        .unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    let files = elsinore_relay::accept::TlsFiles {
        certificate: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    };
    std::fs::write(&files.certificate, builder.build().to_pem().unwrap()).unwrap();
    std::fs::write(&files.key, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    files
}
