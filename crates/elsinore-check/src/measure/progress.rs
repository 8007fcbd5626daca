//! How far a check has come, for whoever watches it.

use crate::report::Offer;
use elsinore_dane::name::DomainName;
use std::net::IpAddr;

/// One step of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The check began.
    Began {
        /// The domain.
        domain: DomainName,
    },
    /// A host is known with its addresses; each is a lane of its own from now on.
    Planned {
        /// The host as the MX record names it.
        mx_host: String,
        /// Its addresses that will be contacted.
        addresses: Vec<IpAddr>,
    },
    /// Sessions at one address are over.
    Met {
        /// The host as the MX record names it.
        mx_host: String,
        /// The address.
        address: IpAddr,
        /// Which certificates were asked for.
        offer: Offer,
        /// How many sessions it took; none where a bound was met.
        sessions: usize,
    },
    /// Nothing is left to do at one address.
    LaneDone {
        /// The host as the MX record names it.
        mx_host: String,
        /// The address.
        address: IpAddr,
    },
    /// Everything was seen.
    Ended,
}

/// Who watches. Called in the middle of the work: it must not block.
pub type Watch = dyn Fn(Progress) + Send + Sync;
