//! `[web]` as the page uses it.

use super::file::{Count, Seconds, WebSection};
use super::resolved::{unwrap_all, unwrap_one};
use elsinore_web::settings::{CheckLimits, ConnectionLimits, Settings, StoreLimits};
use std::time::Duration;

/// `[web]`, resolved.
#[derive(Debug, Clone)]
pub(crate) struct WebSettings {
    /// What the page itself wants to know.
    pub(crate) page: Settings,
    /// Whether an address that is not loopback is meant.
    pub(crate) public: bool,
    /// Visits to one mail server address in an hour, over all checks.
    pub(crate) visits_per_address_hour: u32,
}

/// One address is visited by a check some six times: every kind of certificate, with and without a
/// server name. This is room for twenty checks an hour of domains that share it.
const VISITS: u32 = 120;

/// Fills in the defaults.
pub(super) fn resolve(section: WebSection) -> WebSettings {
    let Settings {
        listen,
        connections,
        checks,
        store,
        ..
    } = Settings::default();
    let many = |own: Option<Count>, default: usize| {
        own.map_or(default, |Count(count)| {
            usize::try_from(count).unwrap_or(usize::MAX)
        })
    };
    let count = |own: Option<Count>, default: u32| own.map_or(default, |Count(count)| count);
    let span = |own: Option<Seconds>, default| own.map_or(default, Seconds::duration);
    WebSettings {
        page: Settings {
            listen: section.listen.unwrap_or(listen),
            url: unwrap_one(section.url),
            trusted_proxies: unwrap_all(section.trusted_proxies),
            connections: ConnectionLimits {
                total: many(section.connections, connections.total),
                per_client: many(section.connections_per_client, connections.per_client),
                ..connections
            },
            checks: CheckLimits {
                at_once: many(section.checks_at_once, checks.at_once),
                waiting: many(section.checks_waiting, checks.waiting),
                per_client_hour: count(section.checks_per_client_hour, checks.per_client_hour),
                recent: span(section.recent, checks.recent),
                deadline: span(section.check_timeout, checks.deadline),
            },
            store: StoreLimits {
                reports: count(section.reports, store.reports),
                age: section.report_days.map_or(store.age, |Count(days)| {
                    Duration::from_secs(u64::from(days) * 86_400)
                }),
                octets: section.report_megabytes.map_or(store.octets, |size| {
                    u64::try_from(size.octets()).unwrap_or(u64::MAX)
                }),
            },
        },
        public: section.public.unwrap_or(false),
        visits_per_address_hour: count(section.visits_per_address_hour, VISITS),
    }
}
