//! The transaction of one connection.

use super::{Climb, DomainRun, Manner, SessionResult, contact};
use crate::deliver::contact::NoConnection;
use crate::deliver::envelope::TlsWish;
use crate::tls::SignatureOffer;
use elsinore_smtp::client::{RequireTls, Task, Transaction};
use std::net::SocketAddr;
use std::sync::Arc;

impl DomainRun<'_> {
    /// One connection where the climb stands, for the recipients that have no answer.
    ///
    /// # Errors
    /// Why there was no connection.
    pub(super) async fn transact(
        &self,
        climb: &Climb<'_>,
        peer: SocketAddr,
    ) -> Result<SessionResult, NoConnection> {
        let manner = Manner {
            rung: climb.rung(),
            offer: SignatureOffer::Any,
            spool: &self.message.spool,
            deadline: self.deadline,
            recall: &self.message.recall,
        };
        let task = Task::Deliver(Arc::new(self.transaction()));
        contact(self.sender, climb.plan(), peer, task, manner).await
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
            header_utf8: self.envelope.header_utf8,
            require_tls: match self.envelope.tls {
                TlsWish::Require => RequireTls::Yes,
                TlsWish::AsAnnounced | TlsWish::NotRequired => RequireTls::No,
            },
            ret: self.envelope.ret,
            envelope_id: self.envelope.envelope_id.clone(),
        }
    }
}
