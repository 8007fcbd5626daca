//! What an administrator may say about reports.

use elsinore_dane::name::DomainName;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of reports about TLS (`[relay.tlsrpt]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsRptSettings {
    /// Whether attempts are counted and reports are sent. Off until the administrator says who
    /// answers for them.
    pub enabled: bool,
    /// `organization-name` (RFC 8460 §4.4).
    pub organisation: String,
    /// `contact-info`: an address whose domain is the submitter (RFC 8460 §5.3).
    pub contact: String,
    /// The From field and reverse path of reports by mail; `contact` when there is none.
    pub from: Option<String>,
    /// How reports by mail are signed. Without it only HTTPS is used (RFC 8460 §3).
    pub dkim: Option<DkimSettings>,
    /// Hours after midnight UTC over which reports are spread; at least 1, at most 20.
    pub hours: u32,
    /// Whether the domain of an MX host is told of its TLSA records too, beside the recipients'
    /// domain (RFC 8460 §1.1, "Policy Domain").
    pub host_reports: bool,
    /// The longest report that is sent, in octets before compression.
    pub max_octets: usize,
    /// How long one request to a collector may take.
    pub timeout: Duration,
}

/// The key that signs reports (RFC 6376).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimSettings {
    /// `d=`: the domain that signs.
    pub domain: DomainName,
    /// `s=`: the selector.
    pub selector: String,
    /// The private key in PEM: RSA of 1024 bits or more, or Ed25519 (RFC 8463).
    pub key_file: PathBuf,
}

impl Default for TlsRptSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            organisation: String::new(),
            contact: String::new(),
            from: None,
            dkim: None,
            hours: 4,
            host_reports: true,
            // Receivers are known to refuse more than ten megabytes (RFC 8460 §5.2).
            max_octets: 8 * 1024 * 1024,
            timeout: Duration::from_secs(60),
        }
    }
}

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No organisation.
    #[error("organisation: reports must say who sends them")]
    NoOrganisation,
    /// Not an address.
    #[error("{key}: {value:?} is not an address")]
    NotAnAddress {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
    },
    /// An address literal, or another domain than the signature's.
    #[error("{0}")]
    Domain(String),
    /// Out of bounds.
    #[error("hours: {0} is not 1 to 20")]
    Hours(u32),
}

impl TlsRptSettings {
    /// Checks what can be checked without reading a file. Settings that are not enabled are good
    /// whatever they say.
    ///
    /// # Errors
    /// [`SettingsError`] names the key.
    pub fn check(&self) -> Result<(), SettingsError> {
        if !self.enabled {
            return Ok(());
        }
        if self.organisation.trim().is_empty() {
            return Err(SettingsError::NoOrganisation);
        }
        if !(1..=20).contains(&self.hours) {
            return Err(SettingsError::Hours(self.hours));
        }
        let contact = domain_of("contact", &self.contact)?;
        let from = match &self.from {
            Some(from) => domain_of("from", from)?,
            None => contact,
        };
        if let Some(dkim) = &self.dkim
            && !from.is_at_or_below(&dkim.domain)
        {
            // RFC 8460 §3: signed by the reporting domain.
            let text = format!("from: {from} is not signed for by a key of {}", dkim.domain);
            return Err(SettingsError::Domain(text));
        }
        Ok(())
    }

    /// The domain of `contact`: the submitter (RFC 8460 §5.3).
    ///
    /// # Errors
    /// [`SettingsError`] when it is no address of a domain.
    pub fn submitter(&self) -> Result<DomainName, SettingsError> {
        domain_of("contact", &self.contact)
    }

    /// The From field and reverse path.
    #[must_use]
    pub fn sender(&self) -> &str {
        self.from.as_deref().unwrap_or(&self.contact)
    }
}

fn domain_of(key: &'static str, address: &str) -> Result<DomainName, SettingsError> {
    let error = || SettingsError::NotAnAddress {
        key,
        value: address.to_owned(),
    };
    let (local, domain) = address.rsplit_once('@').ok_or_else(error)?;
    let is_plain =
        |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&octet);
    if local.is_empty() || local.len() > 64 || !local.bytes().all(is_plain) {
        return Err(error());
    }
    let is_host = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.');
    if !domain.bytes().all(is_host) {
        return Err(error());
    }
    DomainName::parse(domain).map_err(|_| error())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> TlsRptSettings {
        TlsRptSettings {
            enabled: true,
            organisation: "Example".to_owned(),
            contact: "tls@example.org".to_owned(),
            ..TlsRptSettings::default()
        }
    }

    #[test]
    fn what_is_refused() {
        assert_eq!(TlsRptSettings::default().check(), Ok(()));
        assert_eq!(good().check(), Ok(()));
        let key = |domain| {
            Some(DkimSettings {
                domain: DomainName::parse(domain).unwrap(),
                selector: "s".to_owned(),
                key_file: PathBuf::new(),
            })
        };
        let mut signed = good();
        signed.dkim = key("example.org");
        assert_eq!(signed.check(), Ok(()));
        signed.dkim = key("example.com");
        let bad = [
            TlsRptSettings {
                organisation: " ".to_owned(),
                ..good()
            },
            TlsRptSettings { hours: 0, ..good() },
            TlsRptSettings {
                hours: 21,
                ..good()
            },
            TlsRptSettings {
                contact: "tls".to_owned(),
                ..good()
            },
            TlsRptSettings {
                contact: "t ls@example.org".to_owned(),
                ..good()
            },
            TlsRptSettings {
                contact: "tls@[192.0.2.1]".to_owned(),
                ..good()
            },
            TlsRptSettings {
                from: Some("x\r\n@example.org".to_owned()),
                ..good()
            },
            signed,
        ];
        for settings in bad {
            assert!(settings.check().is_err(), "{settings:?}");
        }
    }
}
