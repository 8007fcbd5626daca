//! Iteration from the root: which zone's servers to ask next, and what their replies mean
//! (RFC 1034 §5.3.3, RFC 9156).

mod contact;
mod priming;
mod referral;

pub(super) use referral::{Delegation, ReferralProof, Source};

use super::config::Minimisation;
use super::core::{Core, Found, Reply as CoreReply, Trouble, Work};
use super::fetch::without;
use super::route::RouteKind;
use super::wire::{Name, Question, Rcode, rtype};
use elsinore_dane::answer::Oddity;
use elsinore_dane::security::Cause;
use futures_util::future::BoxFuture;
use referral::Reply;
use std::net::SocketAddr;
use std::sync::Arc;

/// Zones of fewer labels than this see only as much of the name as they need.
const MINIMISED_ABOVE: usize = 2;
/// Labels added one by one, at one zone, before the whole name is asked; where every zone sees
/// as little as possible, the ten of RFC 9156 §2.3.
const MINIMISED_STEPS: usize = 2;
const MINIMISED_STEPS_EVERYWHERE: usize = 10;
/// More than either.
const NO_MORE_STEPS: usize = usize::MAX;

impl Core {
    /// Finds the reply to `question` at the servers of the zone it belongs to.
    pub(super) fn iterate<'a>(
        &'a self,
        question: &'a Question,
        avoid: &'a [SocketAddr],
        work: &'a Work,
        depth: u8,
    ) -> BoxFuture<'a, Result<Found, Trouble>> {
        Box::pin(async move {
            let mut zone = self.closest_delegation(question);
            if zone.source == Source::Route(RouteKind::Forward) {
                let servers = without(&zone.fixed, avoid);
                return self
                    .ask_recursive(&zone.zone, &servers, question, work)
                    .await;
            }
            let mut shown = zone.zone.label_count() + 1;
            let mut steps = 0;
            let mut denied: Option<(Name, Name)> = None;
            for _ in 0..work.budget.limits.referrals {
                let asked = self.minimised(question, &zone.zone, shown, steps);
                let whole = asked == *question;
                let avoid = if whole { avoid } else { &[] };
                let outcome = self.ask_zone(&zone, &asked, avoid, work, depth).await;
                let CoreReply { message, server } = match outcome {
                    Ok(reply) => reply,
                    Err(trouble) if whole => {
                        // The servers may have moved since the delegation was learnt; that no other
                        // server is left, or none alive, says nothing of the kind.
                        if avoid.is_empty() && !trouble.is_remembered {
                            self.cache.forget::<Delegation>(&zone.zone);
                        }
                        return Err(match zone.source {
                            Source::Hints => Trouble {
                                text: format!("no root server answers ({})", trouble.text),
                                ..trouble
                            },
                            Source::Referral | Source::Route(_) => trouble,
                        });
                    }
                    Err(_) => {
                        steps = NO_MORE_STEPS;
                        continue;
                    }
                };
                let sense = referral::classify(&message, &zone.zone, &asked);
                let exists = matches!(sense, Reply::Referral(_))
                    || (whole && message.rcode == Rcode::NOERROR);
                if exists && let Some((name, zone)) = denied.take() {
                    work.note(Oddity::EmptyNonTerminalDenied {
                        name: name.to_domain(),
                        zone: zone.to_domain(),
                    });
                }
                match sense {
                    Reply::Referral(next) => {
                        if next.has_ds() {
                            // The lookup may be over; then nobody needs the keys any more.
                            let _ = work.wanted_keys.send(next.zone.clone());
                        }
                        zone = self.keep_delegation(&zone, next);
                        shown = zone.zone.label_count() + 1;
                        steps = 0;
                    }
                    _ if whole => {
                        return Ok(Found {
                            message,
                            bailiwick: zone.zone.clone(),
                            server,
                        });
                    }
                    // A broken server may deny an empty non-terminal: only the whole name counts.
                    Reply::Lame(_) => steps = NO_MORE_STEPS,
                    Reply::Answer if message.rcode != Rcode::NOERROR => {
                        if message.rcode == Rcode::NXDOMAIN && depth == 0 {
                            denied = Some((asked.name, zone.zone.clone()));
                        }
                        steps = NO_MORE_STEPS;
                    }
                    Reply::Answer => {
                        shown += 1;
                        steps += 1;
                    }
                }
            }
            let limit = work.budget.limits.referrals;
            Err(
                Trouble::new(format!("{question}: more than {limit} referrals"))
                    .because(Cause::Limit),
            )
        })
    }

    /// The deepest known delegation above the name; for DS strictly above (RFC 4035 §4.2).
    fn closest_delegation(&self, question: &Question) -> Arc<Delegation> {
        let labels = question.name.label_count();
        let deepest = if question.rtype == rtype::DS {
            labels.saturating_sub(1)
        } else {
            labels
        };
        let route = self.routes.covering(question);
        let top = route.map_or(0, |route| route.zone.label_count());
        if let Some(route) = route.filter(|r| r.source == Source::Route(RouteKind::Forward)) {
            return Arc::clone(route);
        }
        for count in (top + 1..=deepest).rev() {
            if let Some(delegation) = self.known_delegation(&question.name.suffix(count)) {
                return delegation;
            }
        }
        if let Some(route) = route {
            return Arc::clone(route);
        }
        self.known_delegation(&Name::root())
            .unwrap_or_else(|| Arc::new(self.hinted_root()))
    }

    /// The known delegation of `zone` itself.
    pub(super) fn known_delegation(&self, zone: &Name) -> Option<Arc<Delegation>> {
        let found = self.cache.find::<Delegation>(zone);
        found.map(|(delegation, _)| delegation)
    }

    /// The question as the servers of `zone` get to see it.
    fn minimised(&self, question: &Question, zone: &Name, shown: usize, steps: usize) -> Question {
        let labels = question.name.label_count();
        let most_steps = match self.config.minimisation {
            Minimisation::Off => 0,
            Minimisation::Relaxed if zone.label_count() >= MINIMISED_ABOVE => 0,
            Minimisation::Relaxed => MINIMISED_STEPS,
            Minimisation::Everywhere => MINIMISED_STEPS_EVERYWHERE,
        };
        if steps >= most_steps || shown >= labels {
            return question.clone();
        }
        Question {
            name: question.name.suffix(shown),
            rtype: rtype::A,
        }
    }
}
