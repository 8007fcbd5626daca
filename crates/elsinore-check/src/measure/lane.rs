//! One address of one host: which sessions are held there, one after the other.

use super::progress::{Progress, Watch};
use crate::report::{Offer, SenderKind};
use crate::world::{Visit, World};
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::Obligation;
use elsinore_dane::plan::HostPlan;
use elsinore_dane::time::UnixTime;
use elsinore_net::deliver::{Assessor, Sounding};
use elsinore_net::tls::{LeafKey, SignatureOffer};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One session and what it was held for.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) offer: Offer,
    /// Whose plan it was held under.
    pub(super) sender: SenderKind,
    pub(super) sounding: Sounding,
}

/// How many sessions were held at each address, and how many may be.
#[derive(Debug)]
pub(super) struct Budget {
    most_at_one: usize,
    most_in_all: usize,
    spent: Mutex<Spent>,
}

/// Sessions held, and one for each visit under way, so that the lanes of many hosts at one address
/// do not all find room there at once.
#[derive(Debug, Default)]
struct Spent {
    at: HashMap<IpAddr, usize>,
    in_all: usize,
}

impl Budget {
    pub(super) fn new(most_at_one: usize, most_in_all: usize) -> Self {
        Self {
            most_at_one: most_at_one.max(1),
            most_in_all: most_in_all.max(1),
            spent: Mutex::default(),
        }
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes room for one session, where there is some.
    fn reserve(&self, address: IpAddr) -> bool {
        let mut spent = self.spent();
        let in_all = spent.in_all;
        let here = spent.at.entry(address).or_default();
        let has_room = *here < self.most_at_one && in_all < self.most_in_all;
        if has_room {
            *here += 1;
            spent.in_all += 1;
        }
        has_room
    }

    /// Counts what a visit came to for which room was taken.
    fn settle(&self, address: IpAddr, sessions: usize) {
        let mut spent = self.spent();
        let here = spent.at.entry(address).or_default();
        *here = (*here + sessions).saturating_sub(1);
        spent.in_all = (spent.in_all + sessions).saturating_sub(1);
    }

    /// Every session held.
    pub(super) fn total(&self) -> usize {
        self.spent().in_all
    }
}

/// One address of one host.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) mx_host: String,
    pub(super) preference: Option<u16>,
    pub(super) address: IpAddr,
    pub(super) held: Vec<Held>,
    /// What was left out because enough sessions were held.
    pub(super) left_out: usize,
}

/// What all lanes share.
pub(super) struct Ground<'a> {
    pub(super) world: &'a dyn World,
    pub(super) assessor: &'a Assessor,
    pub(super) budget: &'a Budget,
    pub(super) began: UnixTime,
    pub(super) watch: &'a Watch,
}

impl Lane {
    pub(super) fn new(plan: &HostPlan, address: IpAddr) -> Self {
        Self {
            mx_host: plan.mx_host.clone(),
            preference: plan.preference,
            address,
            held: Vec::new(),
            left_out: 0,
        }
    }

    /// The soundings so far that a sender could have made, in the order of making: a look under
    /// another server name is what a sender does that sends that name.
    pub(super) fn of_senders(&self) -> Vec<Sounding> {
        let all = self.held.iter().map(|held| &held.sounding);
        all.filter(|sounding| sounding.offer == SignatureOffer::Any)
            .cloned()
            .collect()
    }

    /// Holds what the sender of `plan` needs beyond what was seen.
    pub(super) async fn approach(
        &mut self,
        ground: &Ground<'_>,
        sender: SenderKind,
        plan: &HostPlan,
    ) {
        let seen = self.of_senders();
        let assessor = ground.assessor;
        if assessor
            .follow(&seen, plan, self.address, ground.began)
            .is_none()
        {
            self.visit(ground, sender, plan, (Offer::Sender, None), &seen)
                .await;
        }
    }

    /// Looks at what else the server has to show: the certificate of the other algorithm, those
    /// behind other names, the one without a name.
    pub(super) async fn look_around(
        &mut self,
        ground: &Ground<'_>,
        plan: &HostPlan,
        names: &[DomainName],
    ) {
        let seen = self.of_senders();
        let Some(handshake) = seen.iter().rev().find_map(Sounding::handshake) else {
            return;
        };
        let sender = SenderKind::Dane;
        let other = match handshake.leaf_key() {
            LeafKey::Rsa => Some(Offer::Ecdsa),
            LeafKey::Curve => Some(Offer::Rsa),
            LeafKey::Other => None,
        };
        if let Some(offer) = other {
            self.visit(ground, sender, plan, (offer, None), &seen).await;
        }
        let owes_proof = match &plan.obligation {
            Obligation::Authenticate(_) => true,
            Obligation::Skip(_)
            | Obligation::Cleartext
            | Obligation::Opportunistic
            | Obligation::Encrypt => false,
        };
        if owes_proof && plan.sni.is_some() {
            let offer = (Offer::NoName, None);
            self.visit(ground, sender, plan, offer, &seen).await;
        }
        for name in names {
            let offer = (Offer::OtherName, Some(name));
            self.visit(ground, sender, plan, offer, &seen).await;
        }
    }

    async fn visit(
        &mut self,
        ground: &Ground<'_>,
        sender: SenderKind,
        plan: &HostPlan,
        (offer, other_name): (Offer, Option<&DomainName>),
        seen: &[Sounding],
    ) {
        if !ground.budget.reserve(self.address) {
            self.left_out += 1;
            return;
        }
        let visit = Visit {
            sender,
            plan,
            address: self.address,
            offer,
            other_name,
            seen,
        };
        let soundings = ground.world.visit(&visit).await;
        ground.budget.settle(self.address, soundings.len());
        (ground.watch)(Progress::Met {
            mx_host: self.mx_host.clone(),
            address: self.address,
            offer,
            sessions: soundings.len(),
        });
        let held = soundings.into_iter().map(|sounding| Held {
            offer,
            sender,
            sounding,
        });
        self.held.extend(held);
    }
}

/// Plans of the senders that know no DANE, when both are made.
pub(super) type Others = Arc<[(SenderKind, Vec<HostPlan>)]>;
