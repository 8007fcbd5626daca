//! One connection to one address on one rung of the ladder: for a transaction, or to look.

use super::Sender;
use super::envelope::Spool;
use super::pool::{Key, Pooled};
use super::recall::Recall;
use super::sounding::backend;
use crate::session::{Driven, SessionResult, SessionSettings, drive};
use crate::tls::{MinProtocol, SignatureOffer, TlsDemand};
use elsinore_dane::ladder::Rung;
use elsinore_dane::obligation::Obligation;
use elsinore_dane::plan::{HostPlan, TlsVersion};
use elsinore_smtp::client::{
    Afterwards, ClientConfig, ClientSession, StartTls, Task, Transcripts, Turn,
};
use elsinore_smtp::command::GreetingName;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Why there was no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoConnection {
    /// Which kind; [`io::ErrorKind::TimedOut`] when the time ran out.
    pub kind: io::ErrorKind,
    /// What the system said, in one line.
    pub text: String,
    /// How long it took to find out.
    pub after: Duration,
}

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no connection: {}", self.text)
    }
}

/// What a connection is made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner<'a> {
    /// The rung of the ladder.
    pub(super) rung: Rung,
    /// Which certificates are asked for.
    pub(super) offer: SignatureOffer,
    /// The message, for a session that carries one.
    pub(super) spool: &'a Arc<dyn Spool>,
    /// When everything must be over.
    pub(super) deadline: Instant,
    /// What may end it earlier.
    pub(super) recall: &'a Recall,
}

/// What the server of `plan` must prove, with the names that go with it.
pub(super) fn demand_of(plan: &HostPlan, offer: SignatureOffer) -> TlsDemand<'_> {
    let min = match plan.min_tls {
        TlsVersion::Tls10 | TlsVersion::Tls11 | TlsVersion::Tls12 => MinProtocol::Tls12,
        TlsVersion::Tls13 => MinProtocol::Tls13,
    };
    let demand = TlsDemand::new(&plan.obligation, plan.sni.as_ref(), &plan.mx_host, min);
    TlsDemand { offer, ..demand }
}

/// Does `task` at `peer` as `plan` demands: on a connection that waits there under the same demand,
/// or on a new one. One that turns out to be gone is no failure of the server: nothing of the message
/// was sent, and a new connection tells what it says.
///
/// # Errors
/// Why there was no connection.
pub(super) async fn contact(
    sender: &Sender,
    plan: &HostPlan,
    peer: SocketAddr,
    task: Task,
    manner: Manner<'_>,
) -> Result<SessionResult, NoConnection> {
    let timeouts = &sender.config.timeouts;
    let settings = SessionSettings {
        tls: &sender.tls,
        backend: backend(manner.rung),
        demand: demand_of(plan, manner.offer),
        timeouts: &timeouts.smtp,
        deadline: manner.deadline,
        recall: manner.recall,
    };
    let pool = &sender.pool;
    let key = match &task {
        Task::Deliver(_) if pool.is_on() => Some(Key::of(peer, manner.rung, &settings.demand)),
        Task::Deliver(_) | Task::Probe => None,
    };
    if let (Some(key), Task::Deliver(transaction)) = (key, &task)
        && let Some(pooled) = pool.take(&key)
    {
        let (connection, used) = pooled.begin();
        let transaction = Arc::clone(transaction);
        let driven = connection.transact(transaction, &settings, manner.spool);
        let Driven { mut result, idle } = driven.await;
        match (result.outcome.turn, idle) {
            (Turn::Stale, idle) => {
                pool.count_stale();
                if let Some(idle) = idle {
                    pool.part(idle);
                }
            }
            (Turn::First | Turn::Later, idle) => {
                pool.count_reused();
                result.transaction = used.transaction();
                if let Some(idle) = idle {
                    pool.put(key, used.end(idle));
                }
                return Ok(result);
            }
        }
    }
    let begun = Instant::now();
    let until = (begun + timeouts.connect).min(manner.deadline);
    let connected = tokio::select! {
        biased;
        connected = timeout_at(until, sender.dialer.connect(peer)) => connected,
        () = manner.recall.called() => {
            return Err(NoConnection {
                kind: io::ErrorKind::Interrupted,
                text: "called back".to_owned(),
                after: begun.elapsed(),
            });
        }
    };
    let (kind, text) = match connected {
        Ok(Ok(stream)) => {
            let took = begun.elapsed();
            let name = sender.config.greeting_name.clone();
            let mut config = client_config(name, plan, manner.rung);
            config.recipients_per_transaction = sender.config.limits.recipients.max(1);
            if key.is_some() {
                config.afterwards = Afterwards::Stay;
            }
            if matches!(task, Task::Deliver(_)) {
                config.transcript = Transcripts::NotKept;
            }
            pool.count_opened();
            let session = ClientSession::new(config, task);
            let driven = drive(stream, session, &settings, manner.spool).await;
            let Driven { mut result, idle } = driven;
            result.times.connect = Some(took);
            result.times.total = begun.elapsed();
            match (key, idle) {
                (Some(key), Some(idle)) => pool.put(key, Pooled::new(idle, begun)),
                (None, Some(idle)) => pool.part(idle),
                (Some(_) | None, None) => {}
            }
            return Ok(result);
        }
        Ok(Err(error)) => (error.kind(), error.to_string()),
        Err(_) => (io::ErrorKind::TimedOut, "timed out".to_owned()),
    };
    Err(NoConnection {
        kind,
        text,
        after: begun.elapsed(),
    })
}

/// The dialogue as the obligation and the rung want it.
pub(super) fn client_config(name: GreetingName, plan: &HostPlan, rung: Rung) -> ClientConfig {
    let mut config = ClientConfig::new(name);
    config.starttls = match rung {
        Rung::Modern | Rung::Legacy => wanted(&plan.obligation),
        Rung::Cleartext => StartTls::Never,
    };
    config
}

/// STARTTLS as the obligation wants it.
const fn wanted(obligation: &Obligation) -> StartTls {
    match obligation {
        Obligation::Skip(_) | Obligation::Cleartext => StartTls::Never,
        Obligation::Opportunistic => StartTls::IfOffered,
        Obligation::Encrypt | Obligation::Authenticate(_) => StartTls::Required,
    }
}
