//! Where resolution starts: the names and addresses of the root servers.

use super::zone_text;
use elsinore_dane::name::DomainName;
use std::net::IpAddr;

/// The root servers to start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootHints {
    addresses: Vec<IpAddr>,
}

/// Why a text is not usable as root hints.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HintsError {
    /// Not zone-file text.
    #[error("root hints: {0}")]
    Text(String),
    /// No NS record of the root whose server has an address.
    #[error("root hints: no name server of the root with an address")]
    Empty,
}

impl RootHints {
    /// The hints that come with the program (the thirteen root servers).
    #[must_use]
    pub fn shipped() -> Self {
        // The text is part of the program and a test parses it; an empty list would only mean
        // that nothing can be resolved.
        Self::parse(include_str!("root.hints")).unwrap_or(Self {
            addresses: Vec::new(),
        })
    }

    /// No root server: only for a resolver whose routes cover the root.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            addresses: Vec::new(),
        }
    }

    /// Reads zone-file text: NS records of the root, A and AAAA records of the servers they name;
    /// TTL and class may be left out.
    ///
    /// # Errors
    /// [`HintsError`] when the text does not parse or names no server.
    pub fn parse(text: &str) -> Result<Self, HintsError> {
        let records = zone_text::parse(text).map_err(HintsError::Text)?;
        let mut servers = Vec::new();
        let mut addresses: Vec<(DomainName, IpAddr)> = Vec::new();
        for record in &records {
            let fault = || HintsError::Text(format!("line {}: malformed record", record.line));
            let [word] = record.words.as_slice() else {
                return Err(fault());
            };
            match record.rtype.as_str() {
                "NS" if record.owner.is_root() => {
                    servers.push(DomainName::parse(word).map_err(|_| fault())?);
                }
                "NS" => {
                    return Err(HintsError::Text(format!(
                        "line {}: NS of {}, not of the root",
                        record.line, record.owner
                    )));
                }
                "A" => {
                    let address: std::net::Ipv4Addr = word.parse().map_err(|_| fault())?;
                    addresses.push((record.owner.clone(), address.into()));
                }
                "AAAA" => {
                    let address: std::net::Ipv6Addr = word.parse().map_err(|_| fault())?;
                    addresses.push((record.owner.clone(), address.into()));
                }
                _ => return Err(fault()),
            }
        }
        let addresses: Vec<IpAddr> = addresses
            .into_iter()
            .filter(|(owner, _)| servers.contains(owner))
            .map(|(_, address)| address)
            .collect();
        if addresses.is_empty() {
            return Err(HintsError::Empty);
        }
        Ok(Self { addresses })
    }

    /// The addresses, in the order of the text.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_hints_parse() {
        assert_eq!(RootHints::shipped().addresses().len(), 26);
    }

    #[test]
    fn refused() {
        for (text, part) in [
            ("", "no name server"),
            (". NS a.example.", "no name server"),
            (
                "example. NS a.example.\na.example. A 192.0.2.1",
                "not of the root",
            ),
            (". NS a.example.\na.example. A 192.0.2", "line 2"),
            ("<html>", "line 1"),
        ] {
            let error = RootHints::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
