//! `[policyd]` as the service uses it.

use super::file::{Count, Megabytes, Parsed, PolicydSection};
use super::relay::section::FileMode;
use super::resolved::unwrap_all;
use elsinore_policyd::settings::{CacheLimits, ConnectionLimits, Settings, WorkLimits};
use std::net::{AddrParseError, SocketAddr};
use std::path::Path;
use std::str::FromStr;

/// `[policyd]`, resolved.
#[derive(Debug, Clone)]
pub(crate) struct PolicydSettings {
    /// What the service itself wants to know.
    pub(crate) service: Settings,
    /// Permission bits of the unix socket.
    pub(crate) socket_mode: u32,
    /// Whether an address that is not loopback is meant.
    pub(crate) public: bool,
}

/// Where lookup, health and metrics are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HttpPlace(pub(crate) Option<SocketAddr>);

impl FromStr for HttpPlace {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self(None)),
            address => Ok(Self(Some(address.parse()?))),
        }
    }
}

/// Whoever can reach the socket may ask: what is told is no secret.
const SOCKET_MODE: u32 = 0o666;

/// Fills in the defaults.
pub(super) fn resolve(section: PolicydSection, folder: &Path) -> PolicydSettings {
    let usual = Settings::default();
    let many = |own: Option<Count>, default: usize| {
        own.map_or(default, |Count(count)| {
            usize::try_from(count).unwrap_or(usize::MAX)
        })
    };
    PolicydSettings {
        service: Settings {
            listen: section.listen.unwrap_or(usual.listen),
            socket: section.socket.map(|path| folder.join(path)),
            http: section
                .http
                .map_or(usual.http, |Parsed(HttpPlace(place))| place),
            hosts: unwrap_all(section.hosts),
            connections: ConnectionLimits {
                most: many(section.connections, usual.connections.most),
                ..usual.connections
            },
            cache: CacheLimits {
                octets: section
                    .cache_megabytes
                    .map_or(usual.cache.octets, Megabytes::octets),
                ..usual.cache
            },
            work: WorkLimits {
                at_once: many(section.lookups, usual.work.at_once),
                ..usual.work
            },
        },
        socket_mode: section
            .socket_mode
            .map_or(SOCKET_MODE, |Parsed(FileMode(mode))| mode),
        public: section.public.unwrap_or(false),
    }
}
