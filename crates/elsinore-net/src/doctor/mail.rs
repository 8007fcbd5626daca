//! Port 25 to the world: a connection to a mail server, its greeting, and goodbye.

mod target;

use target::SMTP;
pub use target::{MailTarget, default_targets};

use super::ask::Obstacle;
use super::check::{Area, Check, Verdict};
use crate::dialer::Dialer;
use crate::resolver::{Freshness, SecureResolver};
use elsinore_dane::answer::{Last, Question, RecordData, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::network::NetworkPolicy;
use futures_util::future::join;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// Octets of a greeting that are read.
const LONGEST: usize = 512;
/// Servers that are tried at most.
const MOST: usize = 6;

/// What came of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Knock {
    /// A greeting of SMTP: the code and the line.
    Greeted(u16, String),
    /// Octets that are no greeting.
    Strange(String),
    /// Connected, and no word.
    Mute,
    /// No connection in time.
    Silent,
    /// The network said no.
    Obstacle(Obstacle),
    /// No address: why.
    NoAddress(String),
}

/// One server that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tried {
    /// `mx.example.org[192.0.2.1]`.
    pub(crate) server: String,
    pub(crate) knock: Knock,
}

/// How knocking is done.
#[derive(Debug)]
pub(crate) struct Knocker<'a> {
    pub(crate) dialer: &'a Arc<dyn Dialer>,
    pub(crate) resolver: &'a dyn SecureResolver,
    /// Where nobody is sent by somebody else's DNS.
    pub(crate) networks: &'a NetworkPolicy,
    /// For the greeting; half of it for the connection.
    pub(crate) patience: Duration,
}

impl Knocker<'_> {
    /// Tries the targets in their order until one greets.
    pub(crate) async fn knock(&self, targets: &[MailTarget]) -> Vec<Tried> {
        let mut tried = Vec::new();
        for target in targets.iter().take(MOST) {
            let found = self.one(target).await;
            let greeted = |tried: &Tried| matches!(tried.knock, Knock::Greeted(220, _));
            let done = found.iter().any(greeted);
            tried.extend(found);
            if done {
                break;
            }
        }
        tried
    }

    /// Tries the first address of each family.
    async fn one(&self, target: &MailTarget) -> Vec<Tried> {
        let (host, port) = match target {
            MailTarget::Address(address) => {
                let knock = self.connect(*address).await;
                let server = match address.port() {
                    SMTP => address.ip().to_string(),
                    _ => address.to_string(),
                };
                return vec![Tried { server, knock }];
            }
            MailTarget::Host(host, port) => (host.clone(), *port),
            MailTarget::Domain(domain) => match self.mx(domain).await {
                Ok(host) => (host, SMTP),
                Err(reason) => {
                    return vec![Tried {
                        server: domain.to_string(),
                        knock: Knock::NoAddress(reason),
                    }];
                }
            },
        };
        let (v4, v6) = join(
            self.address(&host, RecordType::A),
            self.address(&host, RecordType::Aaaa),
        )
        .await;
        let knock = async |address: Result<IpAddr, String>| match address {
            Ok(address) => Tried {
                server: match port {
                    SMTP => format!("{host}[{address}]"),
                    _ => format!("{host}[{address}]:{port}"),
                },
                knock: self.connect((address, port).into()).await,
            },
            Err(reason) => Tried {
                server: host.to_string(),
                knock: Knock::NoAddress(reason),
            },
        };
        let (v4, v6) = join(knock(v4), knock(v6)).await;
        vec![v4, v6]
    }

    async fn mx(&self, domain: &DomainName) -> Result<DomainName, String> {
        let question = Question::new(domain.clone(), RecordType::Mx);
        let answer = self.resolver.lookup(&question, Freshness::Cached).await;
        match &answer.last {
            Last::Data(set) => (set.records.iter())
                .filter_map(|record| match record {
                    RecordData::Mx {
                        preference,
                        exchange,
                    } if !exchange.is_root() => Some((*preference, exchange)),
                    _ => None,
                })
                .min_by_key(|(preference, _)| *preference)
                .map(|(_, host)| host.clone())
                .ok_or_else(|| format!("{domain} receives no mail")),
            Last::Denied(_) => Ok(domain.clone()),
            Last::Failed(failure) => Err(failure.status.reason().to_owned()),
        }
    }

    async fn address(&self, host: &DomainName, record_type: RecordType) -> Result<IpAddr, String> {
        let question = Question::new(host.clone(), record_type);
        let answer = self.resolver.lookup(&question, Freshness::Cached).await;
        match &answer.last {
            Last::Data(set) => {
                let addresses = set.records.iter().filter_map(|record| match record {
                    RecordData::A(address) => Some(IpAddr::V4(*address)),
                    RecordData::Aaaa(address) => Some(IpAddr::V6(*address)),
                    _ => None,
                });
                let mut refused = None;
                for address in addresses {
                    match self.networks.refusal(address) {
                        None => return Ok(address),
                        Some(reason) => refused = Some(format!("{address} is {reason}")),
                    }
                }
                Err(refused.unwrap_or_else(|| format!("{host} has no {record_type} record")))
            }
            Last::Denied(_) => Err(format!("{host} has no {record_type} record")),
            Last::Failed(failure) => Err(failure.status.reason().to_owned()),
        }
    }

    async fn connect(&self, address: SocketAddr) -> Knock {
        let mut stream = match timeout(self.patience / 2, self.dialer.connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Knock::Obstacle(Obstacle::of(&error)),
            Err(_) => return Knock::Silent,
        };
        let mut greeting = Vec::with_capacity(LONGEST);
        let read = async {
            let mut buffer = [0; LONGEST];
            while greeting.len() < LONGEST && !greeting.contains(&b'\n') {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => {
                        greeting.extend_from_slice(buffer.get(..count).unwrap_or_default())
                    }
                }
            }
        };
        // What came before the time was up is looked at all the same.
        let _ = timeout(self.patience, read).await;
        // The server learns that nothing more comes; whether it hears it changes nothing here.
        let goodbye = async {
            stream.write_all(b"QUIT\r\n").await?;
            stream.flush().await
        };
        let _ = timeout(Duration::from_secs(1), goodbye).await;
        greeting_of(&greeting)
    }
}

/// A reply line of SMTP (RFC 5321 §4.2) or not.
fn greeting_of(octets: &[u8]) -> Knock {
    if octets.is_empty() {
        return Knock::Mute;
    }
    let line = octets
        .split(|octet| *octet == b'\n')
        .next()
        .unwrap_or_default();
    let text: String = (String::from_utf8_lossy(line).chars())
        .filter(|character| !character.is_control())
        .take(80)
        .collect();
    let digits = octets.get(..3).unwrap_or_default();
    let separated = matches!(octets.get(3), Some(b' ' | b'-' | b'\r' | b'\n') | None);
    match std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
    {
        Some(code @ 200..=599) if separated => Knock::Greeted(code, text),
        _ => Knock::Strange(text),
    }
}

/// The line about port 25.
pub(crate) fn judge(tried: &[Tried]) -> Check {
    let new = |verdict, finding, text: String| Check::new(verdict, Area::Mail, finding, text);
    let find = |wanted: &dyn Fn(&Knock) -> bool| tried.iter().find(|tried| wanted(&tried.knock));
    if let Some(tried) = find(&|knock| matches!(knock, Knock::Greeted(220, _))) {
        return new(
            Verdict::Ok,
            "open",
            format!("{} greets with 220", tried.server),
        );
    }
    if let Some(Tried {
        server,
        knock: Knock::Greeted(code, line),
    }) = find(&|knock| matches!(knock, Knock::Greeted(..)))
    {
        return new(
            Verdict::Warn,
            "unwelcome",
            format!("open, but {server} turns us away with {code}"),
        )
        .advise(format!(
            "It said: {line}. The port is open; the address of this machine may have a bad name, or \
             none (reverse DNS)."
        ));
    }
    if let Some(Tried {
        server,
        knock: Knock::Strange(line),
    }) = find(&|knock| matches!(knock, Knock::Strange(_)))
    {
        return new(
            Verdict::Fail,
            "intercepted",
            format!("{server} answers with something that is not SMTP"),
        )
        .advise(format!(
            "It began: {line}. Something on the way answers in place of mail servers."
        ));
    }
    if let Some(tried) = find(&|knock| *knock == Knock::Mute) {
        return new(
            Verdict::Fail,
            "mute",
            format!("{} connects and says nothing", tried.server),
        )
        .advise(
            "Something on the way takes connections and passes nothing on, or the server is \
             overloaded. Try again, or name another with --mail-host.",
        );
    }
    let knocked: Vec<&Tried> = (tried.iter())
        .filter(|tried| {
            !matches!(
                tried.knock,
                Knock::NoAddress(_) | Knock::Obstacle(Obstacle::NoRoute)
            )
        })
        .collect();
    let count = |number: usize| match number {
        1 => "1 server".to_owned(),
        number => format!("{number} servers"),
    };
    let refused = knocked.iter().find_map(|tried| match tried.knock {
        Knock::Obstacle(obstacle) => Some(obstacle),
        _ => None,
    });
    const RELAY: &str = "Ask the provider to open it, or send through a relay host ([[destination]] \
                         relay), which then does DANE in your place.";
    match (knocked.len(), refused) {
        (0, _) => {
            let (subject, reason) = match tried.first() {
                Some(Tried {
                    server,
                    knock: Knock::NoAddress(reason),
                }) => (server.as_str(), reason.as_str()),
                Some(Tried { server, .. }) => (server.as_str(), Obstacle::NoRoute.words()),
                None => ("no mail server", "none is named"),
            };
            new(
                Verdict::Unknown,
                "not-tried",
                format!("not tried: no mail server could be found ({subject})"),
            )
            .advise(format!("Because: {reason}."))
        }
        (number, Some(obstacle)) => new(
            Verdict::Fail,
            "blocked",
            format!("blocked: {} of {}", obstacle.words(), count(number)),
        )
        .advise(format!("A firewall refuses port 25 to the world. {RELAY}")),
        (number, None) => new(
            Verdict::Fail,
            "no-answer",
            format!(
                "no answer from {}, so it is probably blocked",
                count(number)
            ),
        )
        .advise(format!(
            "Home lines and cloud providers drop port 25 to the world without a word. {RELAY}"
        )),
    }
}

/// The line when there is no way to find a mail server.
pub(crate) fn without_lookups() -> Check {
    Check::new(
        Verdict::Unknown,
        Area::Mail,
        "not-tried",
        "not tried: without lookups no mail server can be found",
    )
    .advise("Name one by its address, with --mail-host, to try it all the same.")
}

/// The line when nobody is to be knocked at.
pub(crate) fn left_out() -> Check {
    Check::new(
        Verdict::Note,
        Area::Mail,
        "left-out",
        "not looked at, as you wish",
    )
}

#[cfg(test)]
mod tests;
