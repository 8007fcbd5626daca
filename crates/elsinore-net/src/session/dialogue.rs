//! What was heard in a session that carries no mail: enough to walk through the session again, under
//! another obligation or at another time, without the server.
//!
//! The client's side is not kept: it is the state machine's, which says the same again.

use super::{PhaseTimes, SessionResult, TlsRecord};
use crate::tls::judge::Refusal;
use crate::tls::{
    Backend, Handshake, HandshakeTrouble, Judge, TlsDemand, TlsFailure, TlsFailureCause,
};
use elsinore_dane::time::UnixTime;
use elsinore_smtp::client::{Action, ClientConfig, ClientSession, Task};

/// Octets kept of one dialogue: more than a server that says what belongs there ever says.
const OCTETS: usize = 128 * 1024;

/// One thing that happened, in the order of happening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The server said this.
    Octets(Vec<u8>),
    /// The handshake was completed.
    Handshake(Handshake),
    /// The handshake failed.
    HandshakeFailed {
        /// Which kind of trouble.
        trouble: HandshakeTrouble,
        /// What the library said.
        text: String,
    },
    /// The handshake was not signed with the key of the certificate, and broken off for that.
    KeyUnproven,
    /// This program could not begin a handshake.
    LocalTrouble(String),
    /// The connection ended.
    Lost,
    /// The server did not answer in time.
    TimedOut,
}

/// What was heard so far. A session that carries mail keeps nothing.
#[derive(Debug)]
pub(super) struct Ear {
    listens: bool,
    heard: Vec<Heard>,
    octets: usize,
}

impl Ear {
    pub(super) const fn of(is_probe: bool) -> Self {
        Self {
            listens: is_probe,
            heard: Vec::new(),
            octets: 0,
        }
    }

    pub(super) fn octets(&mut self, octets: &[u8]) {
        // What is beyond the bound is missing when the dialogue is walked through again, which
        // then ends as if the connection had been lost there.
        let room = OCTETS.saturating_sub(self.octets).min(octets.len());
        self.octets += room;
        if room > 0 {
            self.event(Heard::Octets(octets[..room].to_vec()));
        }
    }

    pub(super) fn event(&mut self, event: Heard) {
        if self.listens {
            self.heard.push(event);
        }
    }

    /// A handshake that failed, or whose server was refused.
    pub(super) fn failure(&mut self, failure: &TlsFailure) {
        self.event(match (&failure.established, &failure.cause) {
            (Some(handshake), _) => Heard::Handshake((**handshake).clone()),
            (None, TlsFailureCause::Handshake { trouble, text }) => Heard::HandshakeFailed {
                trouble: *trouble,
                text: text.clone(),
            },
            (None, TlsFailureCause::Local(text)) => Heard::LocalTrouble(text.clone()),
            (None, TlsFailureCause::TooOld(_)) => Heard::LocalTrouble(failure.to_string()),
            // The one refusal that the back end makes itself, in the middle of the handshake.
            (None, TlsFailureCause::Refused(_)) => Heard::KeyUnproven,
        });
    }

    pub(super) fn into_heard(self) -> Vec<Heard> {
        self.heard
    }
}

/// Walks through a recorded dialogue again as a session of `config` that carries no mail, and has
/// the server judged under `demand` at `now`. `None` where this session would have said or done
/// something to which the record holds no answer.
pub(crate) fn walk(
    heard: &[Heard],
    backend: Backend,
    config: ClientConfig,
    (judge, demand): (&Judge, &TlsDemand<'_>),
    now: UnixTime,
) -> Option<SessionResult> {
    let mut session = ClientSession::new(config, Task::Probe);
    let mut heard = heard.iter();
    let mut tls = None;
    let mut tls_failure = None;
    loop {
        match session.next() {
            Action::Send { .. } => {}
            Action::Receive { .. } => match heard.next()? {
                Heard::Octets(octets) => session.received(octets),
                Heard::Lost => session.connection_lost(),
                Heard::TimedOut => session.timed_out(),
                Heard::Handshake(_)
                | Heard::HandshakeFailed { .. }
                | Heard::KeyUnproven
                | Heard::LocalTrouble(_) => return None,
            },
            Action::StartTls => {
                let cause = match heard.next()? {
                    Heard::Handshake(handshake) => {
                        match judge.verdict(handshake, demand, now) {
                            Ok(proofs) => {
                                tls = Some(TlsRecord {
                                    handshake: handshake.clone(),
                                    proofs,
                                });
                            }
                            Err(cause) => {
                                let failure = TlsFailure {
                                    backend,
                                    cause,
                                    established: Some(Box::new(handshake.clone())),
                                };
                                session.remark(&super::not_accepted(&failure));
                                tls_failure = Some(failure);
                            }
                        }
                        session.tls_established();
                        continue;
                    }
                    Heard::HandshakeFailed { trouble, text } => TlsFailureCause::Handshake {
                        trouble: *trouble,
                        text: text.clone(),
                    },
                    Heard::KeyUnproven => TlsFailureCause::Refused(Refusal::Signature),
                    Heard::LocalTrouble(text) => TlsFailureCause::Local(text.clone()),
                    Heard::Octets(_) | Heard::Lost | Heard::TimedOut => return None,
                };
                let failure = TlsFailure {
                    backend,
                    cause,
                    established: None,
                };
                session.tls_failed(&failure.to_string());
                tls_failure = Some(failure);
            }
            // A session that carries no mail never waits for more of it.
            Action::PullMessage { .. } | Action::Idle => return None,
            Action::Close => {
                return Some(SessionResult {
                    outcome: session.into_outcome(),
                    tls,
                    tls_failure,
                    times: PhaseTimes::default(),
                    transaction: 1,
                    heard: Vec::new(),
                });
            }
        }
    }
}
