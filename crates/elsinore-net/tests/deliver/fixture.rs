//! A world of one recipient domain, `example`: its DNS as a table, its servers as scripts.

use crate::pki;
use crate::server::rustls_config;
use crate::table::{Table, answer};
use elsinore_dane::answer::{Answer, Question, RecordData, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::rule::Rule;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_net::clock::Clock;
use elsinore_net::deliver::{
    Envelope, Message, Prober, SendReport, Sender, SenderConfig, SpooledBytes, TlsWish,
};
use elsinore_net::dialer::{ByteStream, Datagrams, Dialer};
use elsinore_net::tls::webpki::WebPkiRoots;
use elsinore_smtp::address::{Mailbox, ReversePath};
use elsinore_smtp::client::{HeaderUtf8, Recipient};
use elsinore_smtp::command::GreetingName;
use elsinore_smtp::message::{BlindCopies, Completion};
use futures_util::future::BoxFuture;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslContext};
use openssl::x509::X509;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, duplex,
};

/// A clock that is moved by hand.
#[derive(Debug)]
struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.load(Ordering::Relaxed))
    }
}

/// What a server does with TLS.
#[derive(Clone)]
pub(crate) enum Tls {
    NotOffered,
    Modern(Arc<rustls::ServerConfig>),
    OpenSsl(SslContext),
    /// Says 220 and hangs up.
    HangsUp,
    /// Another one for each connection.
    Turns(Arc<Mutex<VecDeque<Self>>>),
    /// Offered and then refused with this reply.
    Refused(&'static str),
}

impl Tls {
    pub(crate) fn turns(each: impl IntoIterator<Item = Self>) -> Self {
        Self::Turns(Arc::new(Mutex::new(each.into_iter().collect())))
    }
}

/// How many messages a server takes on one connection.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Patience {
    Endless,
    /// It hangs up behind the answer to the last one.
    HangsUpAfter(usize),
    /// It answers MAIL of the next one so; with 421 it then hangs up.
    AnswersMailAfter(usize, &'static str),
    /// It does not answer MAIL of the next one.
    SilentAfter(usize),
    /// It takes MAIL of the next one and hangs up.
    HangsUpBehindMailAfter(usize),
    /// It does not answer the final dot of the next one.
    SilentAtDotAfter(usize),
    /// Nor does it hang up then.
    HangsAtDotAfter(usize),
    /// It does not answer QUIT, and does not hang up.
    HangsAtQuit,
}

/// What a server does.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) greeting: &'static str,
    pub(crate) tls: Tls,
    /// Sent in one piece with the 220 of STARTTLS.
    pub(crate) behind_starttls: &'static str,
    /// Replies to RCPT by the local part of the recipient; others get 250.
    pub(crate) rcpt: Vec<(&'static str, &'static str)>,
    /// The reply to the final dot; empty: the connection closes.
    pub(crate) end: &'static str,
    /// Extensions besides PIPELINING and STARTTLS.
    pub(crate) extensions: &'static str,
    pub(crate) patience: Patience,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            greeting: "220 mx.example ESMTP\r\n",
            tls: Tls::NotOffered,
            behind_starttls: "",
            rcpt: Vec::new(),
            end: "250 2.0.0 queued\r\n",
            extensions: "",
            patience: Patience::Endless,
        }
    }
}

/// What the servers saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Peers connected to, in order.
    pub(crate) connections: Vec<SocketAddr>,
    /// Recipients for whom a final dot was accepted or at least received.
    pub(crate) dots: Vec<String>,
    /// Commands received inside TLS.
    pub(crate) inside_tls: usize,
    /// Sessions that ended with QUIT.
    pub(crate) quits: usize,
}

/// Opens connections to scripts.
#[derive(Clone)]
struct Scripts {
    servers: Arc<HashMap<SocketAddr, Script>>,
    policies: Arc<HashMap<SocketAddr, (Arc<rustls::ServerConfig>, &'static str)>>,
    seen: Arc<Mutex<Seen>>,
}

impl std::fmt::Debug for Scripts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripts")
    }
}

impl Dialer for Scripts {
    fn connect(&self, peer: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async move {
            self.seen.lock().unwrap().connections.push(peer);
            if let Some((config, policy)) = self.policies.get(&peer).cloned() {
                let (near, far) = duplex(64 * 1024);
                tokio::spawn(say_policy(far, config, policy));
                return Ok(Box::new(near) as Box<dyn ByteStream>);
            }
            let script = self.servers.get(&peer).cloned();
            let script = script.ok_or(io::ErrorKind::ConnectionRefused)?;
            let (near, far) = duplex(64 * 1024);
            let seen = Arc::clone(&self.seen);
            tokio::spawn(async move {
                // A client that hangs up ends the script.
                let _ = play(Box::new(far), script, seen).await;
            });
            Ok(Box::new(near) as Box<dyn ByteStream>)
        })
    }

    fn datagrams(&self, _: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The policy of a server that does not answer.
pub(crate) const SILENT: &str = "silent";

/// An HTTPS server that answers one request with `policy`.
async fn say_policy(
    stream: DuplexStream,
    config: Arc<rustls::ServerConfig>,
    policy: &'static str,
) -> io::Result<()> {
    let acceptor = tokio_rustls::TlsAcceptor::from(config);
    let mut stream = BufReader::new(acceptor.accept(stream).await?);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).await?;
    }
    if policy == SILENT {
        return std::future::pending().await;
    }
    let length = policy.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(policy.as_bytes()).await?;
    stream.flush().await
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn play(
    stream: Box<dyn Stream>,
    mut script: Script,
    seen: Arc<Mutex<Seen>>,
) -> io::Result<()> {
    if let Tls::Turns(turns) = &script.tls {
        let next = turns.lock().unwrap().pop_front();
        script.tls = next.expect("as many connections as there are turns");
    }
    let mut is_inside = false;
    let mut stream = BufReader::new(stream);
    stream.write_all(script.greeting.as_bytes()).await?;
    let mut recipients: Vec<String> = Vec::new();
    let mut messages = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        seen.lock().unwrap().inside_tls += usize::from(is_inside);
        let upper = line.to_ascii_uppercase();
        let reply = if upper.starts_with("EHLO") {
            let tls = match script.tls {
                Tls::NotOffered => "",
                _ => "250-STARTTLS\r\n",
            };
            format!(
                "250-mx.example\r\n{tls}{}250 PIPELINING\r\n",
                script.extensions
            )
        } else if let (Tls::Refused(reply), true) = (&script.tls, upper.starts_with("STARTTLS")) {
            (*reply).to_owned()
        } else if upper.starts_with("STARTTLS") {
            let reply = format!("220 go ahead\r\n{}", script.behind_starttls);
            stream.write_all(reply.as_bytes()).await?;
            let plain = stream.into_inner();
            let secured: Box<dyn Stream> = match &script.tls {
                Tls::Modern(config) => {
                    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(config));
                    Box::new(acceptor.accept(plain).await?)
                }
                Tls::OpenSsl(context) => {
                    let ssl = Ssl::new(context).unwrap();
                    let mut tls = tokio_openssl::SslStream::new(ssl, plain).unwrap();
                    let accepted = Pin::new(&mut tls).accept().await;
                    accepted.map_err(io::Error::other)?;
                    Box::new(tls)
                }
                Tls::HangsUp | Tls::NotOffered | Tls::Turns(_) | Tls::Refused(_) => return Ok(()),
            };
            script.tls = Tls::NotOffered;
            is_inside = true;
            stream = BufReader::new(secured);
            continue;
        } else if upper.starts_with("MAIL") {
            match script.patience {
                Patience::AnswersMailAfter(most, reply) if messages >= most => reply.to_owned(),
                Patience::SilentAfter(most) if messages >= most => {
                    return std::future::pending().await;
                }
                Patience::HangsUpBehindMailAfter(most) if messages >= most => {
                    stream.write_all(b"250 2.1.0 ok\r\n").await?;
                    return stream.flush().await;
                }
                _ => "250 2.1.0 ok\r\n".to_owned(),
            }
        } else if upper.starts_with("RCPT") {
            let address = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
            let local = address.split('@').next().unwrap_or_default();
            let scripted = script.rcpt.iter().find(|(name, _)| *name == local);
            let reply = scripted.map_or("250 2.1.5 ok\r\n", |(_, reply)| reply);
            if reply.starts_with("250") {
                recipients.push(address);
            }
            reply.to_owned()
        } else if upper.starts_with("DATA") {
            if recipients.is_empty() {
                "554 5.5.1 no recipients\r\n".to_owned()
            } else {
                stream.write_all(b"354 go\r\n").await?;
                loop {
                    let mut line = Vec::new();
                    if stream.read_until(b'\n', &mut line).await? == 0 {
                        return Ok(());
                    }
                    if line == b".\r\n" {
                        break;
                    }
                }
                seen.lock().unwrap().dots.append(&mut recipients);
                messages += 1;
                if script.end.is_empty()
                    || matches!(script.patience, Patience::SilentAtDotAfter(most) if messages > most)
                {
                    return Ok(());
                }
                if matches!(script.patience, Patience::HangsAtDotAfter(most) if messages > most) {
                    return std::future::pending().await;
                }
                script.end.to_owned()
            }
        } else if upper.starts_with("QUIT") {
            seen.lock().unwrap().quits += 1;
            if script.patience == Patience::HangsAtQuit {
                return std::future::pending().await;
            }
            "221 bye\r\n".to_owned()
        } else {
            "250 ok\r\n".to_owned()
        };
        stream.write_all(reply.as_bytes()).await?;
        stream.flush().await?;
        let is_end = reply.starts_with("421") || upper.starts_with("QUIT");
        if is_end || script.patience == Patience::HangsUpAfter(messages) {
            return Ok(());
        }
    }
}

/// A change of the sender's settings.
type Adjust = Box<dyn Fn(&mut SenderConfig)>;

fn mx_records(hosts: &[(u16, &str)]) -> Vec<RecordData> {
    let records = hosts.iter().map(|(preference, host)| RecordData::Mx {
        preference: *preference,
        exchange: name(host),
    });
    records.collect()
}

/// The world under construction.
pub(crate) struct World {
    table: Table,
    servers: HashMap<SocketAddr, Script>,
    pub(crate) key: PKey<Private>,
    pub(crate) certificate: X509,
    adjust: Vec<Adjust>,
    policies: HashMap<SocketAddr, (Arc<rustls::ServerConfig>, &'static str)>,
}

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        let key = pki::p256();
        let certificate = pki::Wanted::default().issue(&key, None);
        Self {
            table: Table::default(),
            servers: HashMap::new(),
            key,
            certificate,
            adjust: Vec::new(),
            policies: HashMap::new(),
        }
    }

    fn secure(self, owner: &str, record_type: RecordType, records: Vec<RecordData>) -> Self {
        self.known(answer(owner, record_type, records, true))
    }

    fn known(self, answer: Answer) -> Self {
        let question = answer.question.clone();
        self.table.known.lock().unwrap().insert(question, answer);
        self
    }

    /// MX hosts of `example` with their preferences; everything secure.
    pub(crate) fn mx(self, hosts: &[(u16, &str)]) -> Self {
        self.mx_of("example", hosts)
    }

    /// MX hosts of any domain.
    pub(crate) fn mx_of(self, domain: &str, hosts: &[(u16, &str)]) -> Self {
        self.known(answer(domain, RecordType::Mx, mx_records(hosts), true))
    }

    /// MX hosts of a domain that is not signed.
    pub(crate) fn unsigned_mx_of(self, domain: &str, hosts: &[(u16, &str)]) -> Self {
        self.known(answer(domain, RecordType::Mx, mx_records(hosts), false))
    }

    /// The MTA-STS record of any domain.
    pub(crate) fn sts_record_of(self, domain: &str, id: &str) -> Self {
        let text = format!("v=STSv1; id={id};").into_bytes();
        let owner = format!("_mta-sts.{domain}");
        self.secure(&owner, RecordType::Txt, vec![RecordData::Txt(text)])
    }

    /// A host with one IPv4 address and what answers there on port 25.
    pub(crate) fn host(mut self, host: &str, address: &str, script: Option<Script>) -> Self {
        if let Some(script) = script {
            self.servers
                .insert(SocketAddr::new(address.parse().unwrap(), 25), script);
        }
        let records = vec![RecordData::A(address.parse().unwrap())];
        self.secure(host, RecordType::A, records)
    }

    pub(crate) fn tlsa(self, host: &str, records: Vec<TlsaRecord>) -> Self {
        let owner = format!("_25._tcp.{host}");
        let records = records.into_iter().map(RecordData::Tlsa).collect();
        self.secure(&owner, RecordType::Tlsa, records)
    }

    /// The MTA-STS record of `example`, as cached and as asked anew.
    pub(crate) fn sts_record(mut self, cached: &str, fresh: &str) -> Self {
        let owner = "_mta-sts.example";
        let record = |id: &str| vec![RecordData::Txt(format!("v=STSv1; id={id};").into_bytes())];
        self = self.secure(owner, RecordType::Txt, record(fresh));
        let question = Question::new(name(owner), RecordType::Txt);
        let answer = self.table.known.lock().unwrap().remove(&question);
        let answer = answer.unwrap();
        self.table.fresh.insert(question, answer);
        self.secure(owner, RecordType::Txt, record(cached))
    }

    /// The policy host of `example` with what it says.
    pub(crate) fn policy_host(mut self, address: &str, policy: &'static str) -> Self {
        let (ca_key, key) = (pki::p256(), pki::p256());
        let ca = pki::Wanted::ca().issue(&ca_key, None);
        let leaf = pki::Wanted::named("mta-sts.example").issue(&key, Some((&ca, &ca_key)));
        let config = rustls_config(&key, &[leaf.to_der().unwrap()]);
        let peer = SocketAddr::new(address.parse().unwrap(), 443);
        self.policies.insert(peer, (config, policy));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), ca.to_pem().unwrap()).unwrap();
        let roots = WebPkiRoots::new(Some(file.path())).unwrap();
        self.host("mta-sts.example", address, None)
            .adjust(move |config| config.roots = roots.clone())
    }

    pub(crate) fn adjust(mut self, adjust: impl Fn(&mut SenderConfig) + 'static) -> Self {
        self.adjust.push(Box::new(adjust));
        self
    }

    /// A server with the world's certificate on a modern library.
    pub(crate) fn modern(&self) -> Tls {
        let chain = [self.certificate.to_der().unwrap()];
        Tls::Modern(rustls_config(&self.key, &chain))
    }

    /// `3 1 1` of the world's certificate.
    pub(crate) fn good_tlsa(&self) -> TlsaRecord {
        let spki = self.key.public_key_to_der().unwrap();
        TlsaRecord::new(3, 1, 1, &openssl::sha::sha256(&spki))
    }

    pub(crate) fn build(self) -> Running {
        let greeting_name = GreetingName::parse("client.example").unwrap();
        let mut config = SenderConfig::new(greeting_name).unwrap();
        for adjust in &self.adjust {
            adjust(&mut config);
        }
        let seen = Arc::new(Mutex::new(Seen::default()));
        let dialer = Scripts {
            servers: Arc::new(self.servers),
            policies: Arc::new(self.policies),
            seen: Arc::clone(&seen),
        };
        let clock = HandClock(AtomicI64::new(pki::NOW));
        let (table, dialer, clock) = (Arc::new(self.table), Arc::new(dialer), Arc::new(clock));
        let (dns, net, time) = (table.clone(), dialer.clone(), clock.clone());
        Running {
            prober: Prober::new(config.clone(), dns, net, time),
            sender: Sender::new(config, table.clone(), dialer, clock.clone()),
            seen,
            table,
            clock,
        }
    }
}

/// A sender in its world, and a prober with the same settings.
pub(crate) struct Running {
    pub(crate) sender: Sender,
    pub(crate) prober: Prober,
    pub(crate) seen: Arc<Mutex<Seen>>,
    table: Arc<Table>,
    clock: Arc<HandClock>,
}

impl Running {
    pub(crate) async fn send(&self, recipients: &[&str]) -> SendReport {
        self.send_with(recipients, TlsWish::AsAnnounced).await
    }

    pub(crate) async fn send_with(&self, recipients: &[&str], tls: TlsWish) -> SendReport {
        self.send_until(recipients, tls, std::future::pending())
            .await
    }

    /// The same, called back when `until` resolves.
    pub(crate) async fn send_until(
        &self,
        recipients: &[&str],
        tls: TlsWish,
        until: impl Future<Output = ()>,
    ) -> SendReport {
        let reverse_path = ReversePath::Mailbox(Mailbox::parse("from@client.example").unwrap());
        let completion = Completion {
            now: pki::NOW,
            token: [1; 16],
            host: GreetingName::parse("client.example").unwrap(),
            sender: reverse_path.clone(),
            blind_copies: BlindCopies::Remove,
        };
        let text: &[u8] = b"Subject: test\r\n\r\n.hello\r\n";
        let message = Message::survey(Arc::new(SpooledBytes(text.into())), completion).unwrap();
        let envelope = Envelope {
            reverse_path,
            recipients: recipients
                .iter()
                .map(|text| Recipient::new(Mailbox::parse(text).unwrap()))
                .collect(),
            header_utf8: HeaderUtf8::Declared,
            tls,
            ret: None,
            envelope_id: None,
        };
        let sending = self.sender.send(&envelope, &message);
        let calling = async {
            until.await;
            message.recall.call();
        };
        tokio::pin!(sending, calling);
        tokio::select! {
            report = &mut sending => return report,
            () = calling => {}
        }
        sending.await
    }

    /// The TLSA records of a host from now on; none are absent without protection.
    pub(crate) fn change_tlsa(&self, host: &str, records: Vec<TlsaRecord>) {
        let owner = format!("_25._tcp.{host}");
        let question = Question::new(name(&owner), RecordType::Tlsa);
        let mut known = self.table.known.lock().unwrap();
        if records.is_empty() {
            known.remove(&question);
        } else {
            let records = records.into_iter().map(RecordData::Tlsa).collect();
            known.insert(question, answer(&owner, RecordType::Tlsa, records, true));
        }
    }

    /// Lets the clock on the wall jump ahead.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// The addresses connected to, in order.
    pub(crate) fn connections(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.connections
            .iter()
            .map(|peer| peer.ip().to_string())
            .collect()
    }

    /// Forgets what the servers saw so far.
    pub(crate) fn forget(&self) {
        *self.seen.lock().unwrap() = Seen::default();
    }

    /// The recipients for whom a final dot was received.
    pub(crate) fn dots(&self) -> Vec<String> {
        self.seen.lock().unwrap().dots.clone()
    }
}

/// Whether any attempt of the first recipient carries `rule`.
pub(crate) fn has(report: &SendReport, rule: Rule) -> bool {
    let recipient = &report.recipients[0];
    recipient
        .attempts
        .iter()
        .flat_map(|attempt| &attempt.findings)
        .chain(recipient.findings.iter())
        .any(|finding| finding.rule == rule)
}
