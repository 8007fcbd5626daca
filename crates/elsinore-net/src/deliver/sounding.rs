//! What one connection showed of a server, without a verdict; and what it comes to under the
//! obligation of any sender.
//!
//! A [`Sounding`] is plain data and is all that is kept of a session. An [`Assessor`] walks the same
//! way as `send` over soundings instead of connections: the same state machine, the same judge, the
//! same ladder. So a session can be judged for several senders, and again without a network.

use super::climb::{Climb, More, Then};
use super::contact::{NoConnection, client_config, demand_of};
use super::course::{Course, Turn};
use super::inconclusive::{self, Inconclusive};
use super::inquiry::Verdict;
use super::prober::PlanSighting;
use super::report::{Outcome, ReplyText, SessionFacts};
use super::{LegacyTls, Limits, SenderConfig, SessionSecurity, domain, evidence};
use crate::session::{Heard, PhaseTimes, SessionResult, walk};
use crate::tls::{Backend, Handshake, Judge, MinProtocol, SignatureOffer, TlsDemand};
use elsinore_dane::finding::Finding;
use elsinore_dane::ladder::{Conclusion, ConnectionFailure, LegacyRung, Rung, first_rung};
use elsinore_dane::name::DomainName;
use elsinore_dane::plan::HostPlan;
use elsinore_dane::rule::Rule;
use elsinore_dane::time::UnixTime;
use elsinore_dane::verify::VerifyOptions;
use elsinore_smtp::command::GreetingName;
use std::net::{IpAddr, SocketAddr};

/// One connection to one address, ended by QUIT before MAIL, as it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sounding {
    /// The rung of the ladder it was made on.
    pub rung: Rung,
    /// Which certificates were asked for.
    pub offer: SignatureOffer,
    /// The server name sent.
    pub sni: Option<DomainName>,
    /// The oldest protocol offered. Where it is not [`MinProtocol::Any`], a server was to be
    /// authenticated, and signatures that prove no key ended the handshake.
    pub min_protocol: MinProtocol,
    /// What was heard, or why there was no connection.
    pub opened: Result<Vec<Heard>, NoConnection>,
    /// How long each part took.
    pub times: PhaseTimes,
}

impl Sounding {
    /// What the handshake showed, when it was completed.
    #[must_use]
    pub fn handshake(&self) -> Option<&Handshake> {
        self.opened.as_ref().ok()?.iter().find_map(|it| match it {
            Heard::Handshake(handshake) => Some(handshake),
            Heard::Octets(_)
            | Heard::HandshakeFailed { .. }
            | Heard::KeyUnproven
            | Heard::LocalTrouble(_)
            | Heard::Lost
            | Heard::TimedOut => None,
        })
    }

    /// The library that spoke, or would have.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        backend(self.rung)
    }
}

/// The library of a rung.
pub(super) const fn backend(rung: Rung) -> Backend {
    match rung {
        Rung::Modern | Rung::Cleartext => Backend::Rustls,
        Rung::Legacy => Backend::OpenSsl,
    }
}

/// A sounding under one sender's obligation.
#[derive(Debug)]
pub struct Assessed {
    /// The session as that sender would have had it; [`PhaseTimes`] are those of the sounding.
    pub session: Result<SessionResult, NoConnection>,
    /// What the session is worth, where it met the obligation and came to the place of MAIL.
    pub security: Option<SessionSecurity>,
    /// What the ladder is told where it did not.
    pub failure: Option<ConnectionFailure>,
    /// What stands in the way, in one line, where it did not.
    pub reason: Option<String>,
    /// Why it settles nothing about the server, where it does not. What a sender does is the same.
    pub inconclusive: Option<Inconclusive>,
    /// What was noticed, as `send` reports it.
    pub findings: Vec<Finding>,
    /// What `send` says of such a session.
    pub facts: SessionFacts,
}

/// What one sender comes to at one address.
#[derive(Debug)]
pub struct Approach {
    /// The rungs it used, in order; the last of them decided. Never empty.
    pub rungs: Vec<Assessed>,
    /// Which of the soundings each rung is.
    pub soundings: Vec<usize>,
    /// How it ended.
    pub ended: Ended,
}

/// How an approach ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The server would be given the message.
    Met {
        /// What the session is worth.
        security: SessionSecurity,
    },
    /// It would not.
    Failed {
        /// What the ladder was told last.
        failure: ConnectionFailure,
        /// What stands in the way, as a reply.
        reply: ReplyText,
    },
}

/// What would become of a message, by the sessions seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreseen {
    /// What would become of it, as long as nobody objects to sender, recipient or content.
    pub outcome: Outcome,
    /// Through which server.
    pub passage: Option<Passage>,
    /// What stands in the way, where something does.
    pub reply: Option<ReplyText>,
    /// Addresses whose turn came and of which there was no approach: what follows is a guess.
    pub unseen: usize,
}

/// The server that a message would be given to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Index of the host in the plan.
    pub host: usize,
    /// The address.
    pub address: IpAddr,
    /// What the session is worth.
    pub security: SessionSecurity,
}

/// Judges soundings as a sender would. It connects to nobody.
#[derive(Debug, Clone)]
pub struct Assessor {
    judge: Judge,
    greeting_name: GreetingName,
    legacy: LegacyRung,
    limits: Limits,
}

impl Assessor {
    /// An assessor with the trust, the bounds and the back ends of that sender.
    #[must_use]
    pub fn new(config: &SenderConfig) -> Self {
        Self {
            judge: Judge::new(config.roots.clone(), VerifyOptions::smtp()),
            greeting_name: config.greeting_name.clone(),
            legacy: legacy_rung(config.legacy),
            limits: config.limits,
        }
    }

    /// The judge of certificates.
    #[must_use]
    pub const fn judge(&self) -> &Judge {
        &self.judge
    }

    pub(super) const fn legacy(&self) -> LegacyRung {
        self.legacy
    }

    /// `sounding` under the obligation of `plan`, at `now`. `None` where a sender with that
    /// obligation would have had to make another connection: it offers more, or would have gone on
    /// where this session ended.
    #[must_use]
    pub fn assess(
        &self,
        sounding: &Sounding,
        plan: &HostPlan,
        address: IpAddr,
        now: UnixTime,
    ) -> Option<Assessed> {
        let peer = SocketAddr::new(address, plan.port);
        let heard = match &sounding.opened {
            Ok(heard) => heard,
            Err(trouble) => return Some(not_connected(plan, peer, trouble)),
        };
        let demand = TlsDemand {
            sni: sounding.sni.as_ref(),
            ..demand_of(plan, sounding.offer)
        };
        if !is_same_handshake(sounding, &demand) {
            return None;
        }
        let config = client_config(self.greeting_name.clone(), plan, sounding.rung);
        let whom = (&self.judge, &demand);
        let mut session = walk(heard, sounding.backend(), config, whom, now)?;
        session.times = sounding.times;
        Some(assessed(plan, peer, session))
    }

    /// What the sender of `plan` comes to at `address`, where the soundings seen suffice to say.
    #[must_use]
    pub fn follow(
        &self,
        soundings: &[Sounding],
        plan: &HostPlan,
        address: IpAddr,
        now: UnixTime,
    ) -> Option<Approach> {
        let mut climb = Climb::new(plan, first_rung(&plan.obligation)?);
        let mut rungs = Vec::new();
        let mut used = Vec::new();
        loop {
            let (index, assessed) = self.find(soundings, &climb, address, now)?;
            used.push(index);
            let end = next(&mut climb, &assessed, self.legacy);
            rungs.push(assessed);
            if let Some(ended) = end {
                return Some(Approach {
                    rungs,
                    soundings: used,
                    ended,
                });
            }
        }
    }

    /// Of the soundings seen, the one that serves where the climb stands.
    pub(super) fn find(
        &self,
        soundings: &[Sounding],
        climb: &Climb<'_>,
        address: IpAddr,
        now: UnixTime,
    ) -> Option<(usize, Assessed)> {
        let fits = |sounding: &Sounding| {
            sounding.rung == climb.rung()
                && sounding.offer == SignatureOffer::Any
                && sounding.sni == climb.plan().sni
        };
        let mut fitting = (soundings.iter().enumerate()).filter(|(_, it)| fits(it));
        fitting.find_map(|(index, sounding)| {
            let assessed = self.assess(sounding, climb.plan(), address, now)?;
            Some((index, assessed))
        })
    }

    /// What a sender with these plans would do: its hosts and addresses in their order, within its
    /// bounds, each address as `approach` says it ended.
    pub fn foresee<'a>(
        &self,
        plans: &PlanSighting,
        mut approach: impl FnMut(usize, IpAddr) -> Option<&'a Ended>,
    ) -> Foreseen {
        let mut course = Course::new(self.limits);
        let mut last = None;
        let mut unseen = 0;
        for (index, plan) in plans.hosts.iter().enumerate() {
            match course.host(plan) {
                Turn::Contact => {}
                Turn::Skip(_) => continue,
                Turn::Bound => break,
            }
            for address in &plan.addresses {
                if !course.address() {
                    break;
                }
                match approach(index, *address) {
                    None => {
                        unseen += 1;
                        course.failed(plan, ConnectionFailure::NotConnected);
                    }
                    Some(Ended::Met { security }) => {
                        return Foreseen {
                            outcome: Outcome::Delivered,
                            passage: Some(Passage {
                                host: index,
                                address: *address,
                                security: *security,
                            }),
                            reply: None,
                            unseen,
                        };
                    }
                    Some(Ended::Failed { failure, reply }) => {
                        course.failed(plan, *failure);
                        last = Some(reply.clone());
                    }
                }
            }
        }
        let (outcome, reply) = match plans.refusal(course.contacted().0) {
            Some(refused) => refused,
            None => {
                let outcome = match (course.conclusion(), &last) {
                    (Conclusion::Bounce, Some(_)) => Outcome::Bounced,
                    (Conclusion::Bounce, None) | (Conclusion::Defer, _) => Outcome::Deferred,
                };
                (outcome, last.unwrap_or_else(domain::nobody_contacted))
            }
        };
        Foreseen {
            outcome,
            passage: None,
            reply: Some(reply),
            unseen,
        }
    }
}

/// What follows an assessed session; the end of the approach, if it is one.
pub(super) fn next(
    climb: &mut Climb<'_>,
    assessed: &Assessed,
    legacy: LegacyRung,
) -> Option<Ended> {
    let session = match &assessed.session {
        Ok(session) => session,
        Err(trouble) => {
            return Some(Ended::Failed {
                failure: ConnectionFailure::NotConnected,
                reply: domain::ours(450, "4.4.1", &trouble.to_string()),
            });
        }
    };
    match climb.after(session, legacy, More::Allowed) {
        Then::Again | Then::AgainFromTheTop => None,
        Then::Answered => Some(Ended::Met {
            security: evidence::worth(&climb.plan().obligation, session.tls.as_ref()).security,
        }),
        Then::GivenUp(failure) => Some(Ended::Failed {
            failure,
            reply: evidence::refusal_text(session),
        }),
    }
}

/// Whether a sender with this demand would have made the very handshake that was made: it offers
/// the same, or less and the handshake was completed all the same.
fn is_same_handshake(sounding: &Sounding, demand: &TlsDemand<'_>) -> bool {
    sounding.min_protocol == demand.min_protocol
        || (demand.min_protocol == MinProtocol::Any && !broke_off(sounding))
}

/// Whether it came to a handshake that was not completed.
fn broke_off(sounding: &Sounding) -> bool {
    sounding.opened.as_ref().is_ok_and(|heard| {
        heard.iter().any(|it| match it {
            Heard::HandshakeFailed { .. } | Heard::KeyUnproven | Heard::LocalTrouble(_) => true,
            Heard::Octets(_) | Heard::Handshake(_) | Heard::Lost | Heard::TimedOut => false,
        })
    })
}

fn not_connected(plan: &HostPlan, peer: SocketAddr, trouble: &NoConnection) -> Assessed {
    let subject = format!("{}[{}]:{}", plan.mx_host, peer.ip(), plan.port);
    let text = trouble.to_string();
    Assessed {
        security: None,
        failure: Some(ConnectionFailure::NotConnected),
        reason: Some(text.clone()),
        inconclusive: Some(inconclusive::of_no_connection(trouble)),
        findings: vec![Finding::new(Rule::ServerUnavailable, subject, text)],
        facts: evidence::facts(plan, peer.ip(), None),
        session: Err(trouble.clone()),
    }
}

/// What a session comes to under `plan`.
pub(super) fn assessed(plan: &HostPlan, peer: SocketAddr, session: SessionResult) -> Assessed {
    let facts = evidence::facts(plan, peer.ip(), Some(&session));
    let failure = evidence::connection_failure(&session);
    Assessed {
        security: facts.security,
        failure,
        reason: failure.is_some().then(|| evidence::reason(&session)),
        inconclusive: inconclusive::of_session(&session),
        findings: evidence::findings(plan, peer, &session),
        facts,
        session: Ok(session),
    }
}

/// Whether the second rung is there.
pub(super) const fn legacy_rung(legacy: LegacyTls) -> LegacyRung {
    match legacy {
        LegacyTls::Allowed if cfg!(feature = "legacy-tls") => LegacyRung::Available,
        LegacyTls::Allowed | LegacyTls::Off => LegacyRung::Absent,
    }
}

impl PlanSighting {
    /// The refusal of the domain as a whole, where it stands although `contacted` hosts were tried.
    fn refusal(&self, contacted: usize) -> Option<(Outcome, ReplyText)> {
        use super::prober::RouteSighting;
        match &self.route {
            RouteSighting::Hosts => None,
            RouteSighting::Bounce(refusal) if contacted == 0 || !self.complete => {
                Some(domain::ended_words(Verdict::Bounce, refusal))
            }
            RouteSighting::Defer(refusal) if contacted == 0 || !self.complete => {
                Some(domain::ended_words(Verdict::Defer, refusal))
            }
            RouteSighting::Bounce(_) | RouteSighting::Defer(_) => None,
            RouteSighting::TimedOut => Some((Outcome::Deferred, domain::too_slow())),
        }
    }
}
