//! The settings under which a check was made, as far as they matter for its verdict.

use super::BundleError;
use super::words::bounded;
use elsinore_dane::discovery::Families;
use elsinore_net::deliver::{LegacyTls, SenderConfig};
use elsinore_net::resolver::{AlgorithmDowngrade, Mode, ResolverConfig};
use elsinore_net::tls::webpki::WebPkiRoots;
use openssl::sha::sha256;
use serde::{Deserialize, Serialize};

/// Settings that matter for a verdict. Whoever recomputes it uses his own; where they differ from
/// those of the bundle, the verdict may differ for that reason, and [`Self::differences`] says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// How DNS was asked: it decides how the recorded questions are to be read.
    pub dns: DnsMode,
    /// Which addresses could be reached: a fact about the place, which a replay takes over.
    pub families: AddressFamilies,
    /// Everything else, as `name` and `value`, sorted by name.
    pub rules: Vec<(String, String)>,
}

/// How DNS was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsMode {
    /// From the root.
    Recursive,
    /// Of upstream resolvers, validated here.
    Forward,
    /// Of upstream resolvers, on the word of their AD bit: nothing in the bundle can be checked,
    /// and a replay finds nothing secure.
    Ad,
}

/// SHA-256 over the keys of all authorities, in hexadecimal.
fn authorities(roots: &WebPkiRoots) -> String {
    let store = roots.store();
    let mut keys: Vec<&[u8]> = store
        .roots
        .iter()
        .map(|root| &root.subject_public_key_info[..])
        .collect();
    keys.sort_unstable();
    let digest = sha256(&keys.concat());
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Which addresses could be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressFamilies {
    /// IPv6 and IPv4.
    Both,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

impl AddressFamilies {
    /// In the engine's own terms.
    #[must_use]
    pub const fn families(self) -> Families {
        match self {
            Self::Both => Families::Both,
            Self::Ipv4 => Families::Ipv4,
            Self::Ipv6 => Families::Ipv6,
        }
    }
}

/// Rules of one setting.
const MOST_RULES: usize = 64;

impl Setting {
    /// The settings of a sender and its resolver.
    #[must_use]
    pub fn of(sender: &SenderConfig, resolver: &ResolverConfig) -> Self {
        let policy = &sender.policy;
        let negative: Vec<&str> = resolver
            .negative_anchors
            .iter()
            .map(|name| name.as_str())
            .collect();
        let algorithms = (0..=u8::MAX).filter(|code| resolver.cryptography.supports(*code));
        let algorithms: Vec<String> = algorithms.map(|code| code.to_string()).collect();
        let legacy = match sender.legacy {
            LegacyTls::Allowed => "allowed",
            LegacyTls::Off => "off",
        };
        let downgrade = match resolver.algorithm_downgrade {
            AlgorithmDowngrade::Accepted => "one",
            AlgorithmDowngrade::Refused => "every",
        };
        let mut rules: Vec<(String, String)> = [
            ("certificate authorities", authorities(&sender.roots)),
            ("DNSSEC algorithms", algorithms.join(" ")),
            ("DNSSEC algorithms needed", downgrade.to_owned()),
            ("insecure MX", policy.insecure_mx.word().to_owned()),
            ("legacy TLS", legacy.to_owned()),
            ("level", policy.level.word().to_owned()),
            (
                "lowest authenticated TLS",
                format!("{:?}", policy.min_authenticated),
            ),
            ("MTA-STS", format!("{:?}", policy.sts)),
            ("negative trust anchors", negative.join(" ")),
            ("overrides", sender.destinations.len().to_string()),
            ("port", policy.port.to_string()),
            ("trust anchors", resolver.anchors.fingerprint()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_lowercase()))
        .into();
        rules.sort();
        Self {
            dns: match resolver.mode {
                Mode::Recursive => DnsMode::Recursive,
                Mode::Forward => DnsMode::Forward,
                Mode::Ad => DnsMode::Ad,
            },
            families: match policy.families {
                Families::Both => AddressFamilies::Both,
                Families::Ipv4 => AddressFamilies::Ipv4,
                Families::Ipv6 => AddressFamilies::Ipv6,
            },
            rules,
        }
    }

    pub(super) fn checked(self) -> Result<Self, BundleError> {
        if self.rules.len() > MOST_RULES {
            let text = format!("more than {MOST_RULES} rules");
            return Err(BundleError::value("setting", text));
        }
        let rules = self.rules.into_iter();
        Ok(Self {
            dns: self.dns,
            families: self.families,
            rules: rules
                .map(|(name, value)| (bounded(&name), bounded(&value)))
                .collect(),
        })
    }

    /// Where the settings of `reader` differ: a line each.
    #[must_use]
    pub fn differences(&self, reader: &Self) -> Vec<String> {
        let value = |of: &Self, name: &str| {
            let found = of.rules.iter().find(|(known, _)| known == name);
            found.map_or_else(|| "unknown".to_owned(), |(_, value)| format!("{value:?}"))
        };
        let names = self.rules.iter().chain(&reader.rules);
        let mut names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
            .into_iter()
            .map(|name| (name, value(self, name), value(reader, name)))
            .filter(|(_, theirs, own)| theirs != own)
            .map(|(name, theirs, own)| {
                format!("setting {name:?}: {theirs} when it was measured, {own} here")
            })
            .collect()
    }
}
