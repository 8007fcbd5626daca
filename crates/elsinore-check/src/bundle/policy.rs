//! Fetches of MTA-STS policies, as they stand in a bundle.

use super::BundleError;
use super::words::{bounded, decode, encode, name};
use elsinore_dane::mta_sts::{MAX_POLICY_OCTETS, StsFetch, StsFetchError};
use elsinore_dane::name::DomainName;
use serde::{Deserialize, Serialize};

/// One fetch.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fetch {
    domain: String,
    outcome: Outcome,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Outcome {
    /// The body, in base64.
    Fetched(String),
    Dns(String),
    Connect(String),
    Certificate(String),
    Tls(String),
    Status(u16),
    MediaType,
    TooLarge,
    Http(String),
    Timeout,
    Throttled,
    Disabled,
}

impl Fetch {
    pub(super) fn of(domain: &DomainName, fetch: &StsFetch) -> Self {
        use StsFetchError as Error;
        Self {
            domain: domain.as_str().to_owned(),
            outcome: match fetch {
                StsFetch::Fetched(body) => Outcome::Fetched(encode(body)),
                StsFetch::Failed(error) => match error {
                    Error::Dns(text) => Outcome::Dns(bounded(text)),
                    Error::Connect(text) => Outcome::Connect(bounded(text)),
                    Error::Certificate(text) => Outcome::Certificate(bounded(text)),
                    Error::Tls(text) => Outcome::Tls(bounded(text)),
                    Error::Status(status) => Outcome::Status(*status),
                    Error::MediaType => Outcome::MediaType,
                    Error::TooLarge => Outcome::TooLarge,
                    Error::Http(text) => Outcome::Http(bounded(text)),
                    Error::Timeout => Outcome::Timeout,
                    Error::Throttled => Outcome::Throttled,
                    Error::Disabled => Outcome::Disabled,
                },
            },
        }
    }

    pub(super) fn read(self, place: &str) -> Result<(DomainName, StsFetch), BundleError> {
        use StsFetchError as Error;
        let error = match self.outcome {
            Outcome::Fetched(text) => {
                let body = decode(place, &text, MAX_POLICY_OCTETS)?;
                return Ok((name(place, &self.domain)?, StsFetch::Fetched(body)));
            }
            Outcome::Dns(text) => Error::Dns(bounded(&text)),
            Outcome::Connect(text) => Error::Connect(bounded(&text)),
            Outcome::Certificate(text) => Error::Certificate(bounded(&text)),
            Outcome::Tls(text) => Error::Tls(bounded(&text)),
            Outcome::Status(status) => Error::Status(status),
            Outcome::MediaType => Error::MediaType,
            Outcome::TooLarge => Error::TooLarge,
            Outcome::Http(text) => Error::Http(bounded(&text)),
            Outcome::Timeout => Error::Timeout,
            Outcome::Throttled => Error::Throttled,
            Outcome::Disabled => Error::Disabled,
        };
        Ok((name(place, &self.domain)?, StsFetch::Failed(error)))
    }
}
