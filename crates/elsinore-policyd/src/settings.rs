//! What the service is told once.

use elsinore_dane::name::DomainName;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of the service, with defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// TCP addresses of the socketmap server.
    pub listen: Vec<SocketAddr>,
    /// Path of its unix socket.
    pub socket: Option<PathBuf>,
    /// Address of the JSON lookup, of health and of metrics.
    pub http: Option<SocketAddr>,
    /// Names that requests by HTTP may call it by, beside addresses and `localhost`.
    pub hosts: Vec<DomainName>,
    /// Bounds on connections.
    pub connections: ConnectionLimits,
    /// Bounds on what is kept.
    pub cache: CacheLimits,
    /// Bounds on the work of finding out.
    pub work: WorkLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8672))],
            socket: None,
            http: Some(SocketAddr::from(([127, 0, 0, 1], 8673))),
            hosts: Vec::new(),
            connections: ConnectionLimits::default(),
            cache: CacheLimits::default(),
            work: WorkLimits::default(),
        }
    }
}

/// Bounds on connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Open at once, socketmap and HTTP apart; above that they are closed at once.
    pub most: usize,
    /// Without a request; Postfix keeps its own open for 100 s at most.
    pub idle: Duration,
    /// For a request that has begun, and for a reply to be taken.
    pub transfer: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            most: 1000,
            idle: Duration::from_secs(300),
            transfer: Duration::from_secs(10),
        }
    }
}

/// Bounds on what is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheLimits {
    /// Octets of memory for answers.
    pub octets: usize,
    /// The file that keeps them across restarts; `None` keeps them in memory only.
    pub file: Option<PathBuf>,
    /// Everything beside DNS that an answer depends on (trust anchors, overrides, authorities),
    /// digested. Answers kept under another mark are forgotten.
    pub mark: String,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self {
            octets: 64 << 20,
            file: None,
            mark: String::new(),
        }
    }
}

/// Bounds on the work of finding out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkLimits {
    /// Destinations found out about at the same time; others wait.
    pub at_once: usize,
    /// Destinations that wait or are at work, together; above that the answer is TEMP.
    pub most: usize,
    /// Longest that a client waits; below the 100 s of Postfix (`socketmap` client), so that it
    /// hears a reason.
    pub patience: Duration,
}

impl Default for WorkLimits {
    fn default() -> Self {
        Self {
            at_once: 200,
            most: 5000,
            patience: Duration::from_secs(85),
        }
    }
}
