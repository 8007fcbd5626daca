//! All of the network that a check needs, live or replayed.

mod live;

pub use live::{LiveSettings, LiveWorld};

use crate::report::{Offer, SenderKind};
use elsinore_dane::mta_sts::StsFetch;
use elsinore_dane::name::DomainName;
use elsinore_dane::plan::HostPlan;
use elsinore_dane::time::UnixTime;
use elsinore_net::deliver::Sounding;
use elsinore_net::doctor::triage::Blame;
use elsinore_net::resolver::Resolver;
use futures_util::future::BoxFuture;
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// All of the network that a check needs.
pub trait World: Debug + Send + Sync {
    /// The moment at which everything is judged.
    fn now(&self) -> UnixTime;

    /// The resolver: live, or replaying what a bundle holds, under anchors of its own.
    fn resolver(&self) -> &Arc<Resolver>;

    /// Holds the sessions that `visit` asks for at one address: one, or with [`Offer::Sender`] the
    /// rungs of the climb that the sender of the plan would make, without those that
    /// [`Visit::seen`] makes needless. Never more than one at a time per address, with a pause
    /// between them. What comes back is raw; every verdict is made from it, live or replayed.
    fn visit<'a>(&'a self, visit: &'a Visit<'a>) -> BoxFuture<'a, Vec<Sounding>>;

    /// Fetches the MTA-STS policy of a domain (RFC 8461 §3.3).
    fn fetch_policy<'a>(&'a self, domain: &'a DomainName) -> BoxFuture<'a, StsFetch>;

    /// How the sessions are held.
    fn manners(&self) -> Manners;

    /// Whose fault it is that lookups failed; asked only when some did.
    fn blame(&self) -> BoxFuture<'_, Blame> {
        Box::pin(async { Blame::Unknown })
    }
}

/// How sessions are held, for the report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manners {
    /// The pause between two sessions to one address.
    pub pause: Duration,
    /// Most sessions that were open at once to one address.
    pub most_at_once: u32,
    /// Most sessions that were open at once, to all addresses.
    pub most_open: u32,
    /// The name given in EHLO.
    pub helo: String,
}

/// What to find out at one address.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'a> {
    /// Whose plan it is.
    pub sender: SenderKind,
    /// The host, and what a session there is obliged to.
    pub plan: &'a HostPlan,
    /// One of its addresses.
    pub address: IpAddr,
    /// Which certificates to ask for, and with which name.
    pub offer: Offer,
    /// The server name for [`Offer::OtherName`].
    pub other_name: Option<&'a DomainName>,
    /// What was seen at this address before.
    pub seen: &'a [Sounding],
}
