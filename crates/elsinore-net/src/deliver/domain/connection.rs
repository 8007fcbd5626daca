//! One connection to one address on one rung of the ladder, and the transaction it is for.

use super::DomainRun;
use crate::deliver::envelope::TlsWish;
use crate::session::{SessionResult, SessionSettings, drive};
use crate::tls::{Backend, MinProtocol, TlsDemand};
use elsinore_dane::ladder::Rung;
use elsinore_dane::obligation::Obligation;
use elsinore_dane::plan::{HostPlan, TlsVersion};
use elsinore_smtp::client::{ClientConfig, ClientSession, RequireTls, StartTls, Task, Transaction};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

impl DomainRun<'_> {
    /// One connection on one rung.
    ///
    /// # Errors
    /// Why there was no connection.
    pub(super) async fn connect_and_drive(
        &self,
        plan: &HostPlan,
        peer: SocketAddr,
        rung: Rung,
    ) -> Result<SessionResult, String> {
        let timeouts = &self.sender.config.timeouts;
        let until = (Instant::now() + timeouts.connect).min(self.deadline);
        let stream = match timeout_at(until, self.sender.dialer.connect(peer)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(format!("no connection: {error}")),
            Err(_) => return Err("no connection: timed out".to_owned()),
        };
        let (backend, starttls) = match rung {
            Rung::Modern => (Backend::Rustls, wanted(&plan.obligation)),
            Rung::Legacy => (Backend::OpenSsl, wanted(&plan.obligation)),
            Rung::Cleartext => (Backend::Rustls, StartTls::Never),
        };
        let min = match plan.min_tls {
            TlsVersion::Tls10 | TlsVersion::Tls11 | TlsVersion::Tls12 => MinProtocol::Tls12,
            TlsVersion::Tls13 => MinProtocol::Tls13,
        };
        let demand = TlsDemand::new(&plan.obligation, plan.sni.as_ref(), &plan.mx_host, min);
        let mut config = ClientConfig::new(self.sender.config.greeting_name.clone());
        config.starttls = starttls;
        config.recipients_per_transaction = self.sender.config.limits.recipients.max(1);
        let session = ClientSession::new(config, Task::Deliver(self.transaction()));
        let settings = SessionSettings {
            tls: &self.sender.tls,
            backend,
            demand,
            timeouts: &timeouts.smtp,
            deadline: self.deadline,
        };
        Ok(drive(stream, session, &settings, &self.message.spool).await)
    }

    fn transaction(&self) -> Transaction {
        Transaction {
            reverse_path: self.envelope.reverse_path.clone(),
            recipients: self
                .recipients
                .iter()
                .filter(|pending| pending.answer.is_none())
                .map(|pending| pending.recipient.clone())
                .collect(),
            message: Arc::clone(&self.message.survey),
            require_tls: match self.envelope.tls {
                TlsWish::Require => RequireTls::Yes,
                TlsWish::AsAnnounced | TlsWish::NotRequired => RequireTls::No,
            },
            ret: self.envelope.ret,
            envelope_id: self.envelope.envelope_id.clone(),
        }
    }
}

/// STARTTLS as the obligation wants it.
const fn wanted(obligation: &Obligation) -> StartTls {
    match obligation {
        Obligation::Skip(_) | Obligation::Cleartext => StartTls::Never,
        Obligation::Opportunistic => StartTls::IfOffered,
        Obligation::Encrypt | Obligation::Authenticate(_) => StartTls::Required,
    }
}
