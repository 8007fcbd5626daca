//! What the administrator may set of the page: where it listens, what it is called from outside,
//! and how much it does for whom.

use elsinore_dane::network::Network;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

/// Everything that can be set, with defaults for a page on loopback.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address and port to listen on; port 0 lets the kernel choose.
    pub listen: SocketAddr,
    /// What the page is called from outside, when a name leads to it.
    pub url: Option<PublicUrl>,
    /// Whose `X-Forwarded-For` is believed; nobody's when empty.
    pub trusted_proxies: Vec<Network>,
    /// Bounds on connections.
    pub connections: ConnectionLimits,
    /// Bounds on checks.
    pub checks: CheckLimits,
    /// Bounds on what is kept.
    pub store: StoreLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8025)),
            url: None,
            trusted_proxies: Vec::new(),
            connections: ConnectionLimits::default(),
            checks: CheckLimits::default(),
            store: StoreLimits::default(),
        }
    }
}

/// Bounds on connections. Whoever comes above one of them is told so and sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections served at a time.
    pub total: usize,
    /// Of which so many from one client; trusted proxies are exempt.
    pub per_client: usize,
    /// How long a client may take to send the head of a request, and how long a connection may
    /// stay open without one.
    pub head: Duration,
    /// How long one response may take, a check that is watched included.
    pub response: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            // Each costs some 30 KB; well above what a page for people needs.
            total: 1024,
            // Browsers open six; a whole office behind one address is served too.
            per_client: 64,
            head: Duration::from_secs(15),
            response: Duration::from_secs(300),
        }
    }
}

/// Bounds on checks: each one knocks at servers of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckLimits {
    /// Checks that are measured at a time.
    pub at_once: usize,
    /// Checks that may wait for their turn; above that the answer is 503.
    pub waiting: usize,
    /// Checks one client may begin in an hour, a tenth of them (at least 5) in one go.
    pub per_client_hour: u32,
    /// A report younger than this is shown instead of measuring again.
    pub recent: Duration,
    /// How long one check may take, from its turn on.
    pub deadline: Duration,
}

impl Default for CheckLimits {
    fn default() -> Self {
        Self {
            at_once: 8,
            waiting: 64,
            per_client_hour: 120,
            recent: Duration::from_secs(300),
            deadline: Duration::from_secs(240),
        }
    }
}

/// Bounds on the reports that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// How many; the oldest go first.
    pub reports: u32,
    /// How old one may become.
    pub age: Duration,
    /// Octets of all together.
    pub octets: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            reports: 20_000,
            age: Duration::from_secs(90 * 86_400),
            octets: 1 << 30,
        }
    }
}

/// The address of the page as others know it: scheme, host, and port where it is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    host: String,
}

impl PublicUrl {
    /// Without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host, and port where it is not the usual one: what browsers send as `Host`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "not of the form https://HOST or http://HOST:PORT, without a path";
        let text = text.strip_suffix('/').unwrap_or(text);
        let host = (text.strip_prefix("https://"))
            .or_else(|| text.strip_prefix("http://"))
            .ok_or(FORM)?;
        let legal = |octet: u8| octet.is_ascii_alphanumeric() || b"-._:[]".contains(&octet);
        if host.is_empty() || host.len() > 260 || !host.bytes().all(legal) {
            return Err(FORM);
        }
        Ok(Self {
            text: text.to_ascii_lowercase(),
            host: host.to_ascii_lowercase(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_from_outside() {
        for (text, expected) in [
            ("https://dane.example", Some("dane.example")),
            ("https://Dane.example/", Some("dane.example")),
            ("http://[2001:db8::1]:8025", Some("[2001:db8::1]:8025")),
            ("dane.example", None),
            ("https://", None),
            ("https://dane.example/check", None),
            ("https://user@dane.example", None),
            ("ftp://dane.example", None),
        ] {
            let parsed = text.parse::<PublicUrl>().ok();
            assert_eq!(parsed.as_ref().map(PublicUrl::host), expected, "{text}");
        }
    }
}
