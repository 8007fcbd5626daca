//! One attempt at one report: where it is wanted, what it says, and its way there.

use super::Reporter;
use crate::ORIGIN;
use crate::build::{Built, build};
use crate::day::Day;
use crate::dkim::Signer;
use crate::letter::letter;
use crate::policy::{Collector, Destination, PolicyError, ReportPolicy, select};
use crate::tally::load;
use elsinore_dane::answer::{Last, Question, RecordData, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::Security;
use elsinore_net::https::{HttpsRequest, Wants};
use elsinore_net::resolver::{Freshness, SecureResolver};
use elsinore_queue::content::Content;
use elsinore_queue::error::StoreError;
use elsinore_queue::id::MessageId;
use elsinore_queue::message::{Envelope, NewJob, NewMessage, Recipient, TlsWish};
use elsinore_queue::moment::Moment;
use elsinore_smtp::address::{MailDomain, Mailbox};

/// What an attempt came to.
pub(super) enum Tried {
    /// There is nothing to send, or nowhere to send it.
    Unwanted(String),
    /// Where it is wanted could not be found out.
    Unknown(String),
    /// It was offered to everybody who did not have it.
    Went {
        /// The destinations that took it.
        accepted: Vec<String>,
        /// Why another did not, when one did not.
        refused: Option<String>,
    },
}

/// Where a domain wants its reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// There.
    Yes(ReportPolicy),
    /// Nowhere, and why.
    No(PolicyError),
    /// It could not be found out.
    Unknown(String),
}

/// Asks where `domain` wants its reports (RFC 8460 §3).
pub async fn wanted(resolver: &dyn SecureResolver, domain: &str) -> Wanted {
    let name = DomainName::parse(domain).and_then(|name| name.prefixed("_smtp._tls"));
    let Ok(name) = name else {
        return Wanted::No(PolicyError::Absent);
    };
    let question = Question::new(name, RecordType::Txt);
    let answer = resolver.lookup(&question, Freshness::Cached).await;
    let overall = answer.overall();
    if matches!(
        overall.security(),
        Security::Bogus | Security::Indeterminate
    ) {
        return Wanted::Unknown(format!("{question}: {}", overall.reason()));
    }
    match &answer.last {
        Last::Failed(failure) => Wanted::Unknown(failure.status.reason().to_owned()),
        Last::Denied(_) => Wanted::No(PolicyError::Absent),
        Last::Data(set) => {
            let texts = set.records.iter().filter_map(|record| match record {
                RecordData::Txt(text) => Some(text.as_slice()),
                RecordData::A(_)
                | RecordData::Aaaa(_)
                | RecordData::Mx { .. }
                | RecordData::Tlsa(_)
                | RecordData::Name(_)
                | RecordData::Other(_) => None,
            });
            match select(texts) {
                Ok(policy) => Wanted::Yes(policy),
                Err(why) => Wanted::No(why),
            }
        }
    }
}

/// Whether a report can go there: by mail only when it is signed (RFC 8460 §3).
#[must_use]
pub const fn can_go(to: &Destination, is_signed: bool) -> bool {
    match to {
        Destination::Mail(_) => is_signed,
        Destination::Https(_) => true,
    }
}

impl Reporter {
    pub(super) async fn attempt(
        &self,
        day: Day,
        domain: &str,
        salt: &str,
        have_it: &[String],
        now: i64,
    ) -> Result<Tried, StoreError> {
        let failed = |why: String| Tried::Went {
            accepted: Vec::new(),
            refused: Some(why),
        };
        let policy = match wanted(&*self.resolver, domain).await {
            Wanted::Yes(policy) => policy,
            Wanted::No(why) => return Ok(Tried::Unwanted(why.to_string())),
            Wanted::Unknown(why) => return Ok(Tried::Unknown(why)),
        };
        let is_signed = self.signer.is_some();
        let destinations = policy.destinations.iter();
        let destinations: Vec<&Destination> =
            destinations.filter(|to| can_go(to, is_signed)).collect();
        if destinations.is_empty() {
            let why = "reports are wanted by mail, and without a DKIM key none are sent";
            return Ok(Tried::Unwanted(why.to_owned()));
        }
        let counts = load(&*self.store, day, domain).await?;
        let submitter = self.submitter.clone();
        let built = match build((day, domain), counts, &self.settings, submitter, salt) {
            Ok(Some(built)) => built,
            Ok(None) => return Ok(Tried::Unwanted("nothing was counted".to_owned())),
            Err(error) => return Ok(failed(error.to_string())),
        };
        let mut accepted = Vec::new();
        let mut refused = None;
        for to in destinations {
            let name = to.to_string();
            if have_it.contains(&name) {
                continue;
            }
            let sent = match (to, &self.signer) {
                (Destination::Https(collector), _) => self.post(&built, collector).await,
                (Destination::Mail(address), Some(signer)) => {
                    self.mail(&built, address, signer, now).await
                }
                (Destination::Mail(_), None) => continue,
            };
            match sent {
                Ok(()) => accepted.push(name),
                Err(why) => refused = Some(format!("{name}: {why}")),
            }
        }
        Ok(Tried::Went { accepted, refused })
    }

    /// RFC 8460 §5.4. Whatever is not a 2xx is a failure; redirects are not followed.
    async fn post(&self, built: &Built, collector: &Collector) -> Result<(), String> {
        let request = HttpsRequest {
            host: &collector.host,
            port: collector.port,
            path: &collector.path,
            content: Some(("application/tlsrpt+gzip", built.compressed.clone().into())),
            wants: Wants::StatusAlone,
        };
        match self.https.exchange(&request).await {
            Ok(reply) if (200..300).contains(&reply.status) => Ok(()),
            Ok(reply) => Err(format!("HTTP status {}", reply.status)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Queues the report as a message. From there on the queue's own patience applies.
    async fn mail(
        &self,
        built: &Built,
        address: &str,
        signer: &Signer,
        now: i64,
    ) -> Result<(), String> {
        let mailbox = Mailbox::parse(address).map_err(|error| error.to_string())?;
        let MailDomain::Name(destination) = mailbox.domain() else {
            return Err("not an address of a domain".to_owned());
        };
        let from = self.settings.sender();
        let octets =
            letter(built, (from, address), signer, now).map_err(|error| error.to_string())?;
        let arrived = Moment(now.saturating_mul(1_000));
        let message = NewMessage {
            id: MessageId::draw(arrived),
            arrived,
            envelope: Envelope {
                reverse_path: from.to_owned(),
                ret: None,
                envelope_id: None,
                // RFC 8460 §3: delivered despite failures of TLS.
                tls: TlsWish::Optional,
                smtp_utf8: false,
                origin: ORIGIN.to_owned(),
            },
            jobs: vec![NewJob {
                destination: destination.to_ascii_lowercase(),
                recipients: vec![Recipient {
                    address: address.to_owned(),
                    // Reports are not worth a report about them.
                    notify: Some("NEVER".to_owned()),
                    original: None,
                }],
                due: arrived,
                held: None,
            }],
            content: Content::Memory(octets),
        };
        self.store
            .enqueue(message)
            .await
            .map_err(|error| error.to_string())
    }
}
