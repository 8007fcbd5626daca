//! Under what TLS sessions may be resumed: a session proved something about a host under one
//! obligation, and nothing under any other.

use crate::tls::{MinProtocol, TlsDemand};
use elsinore_dane::obligation::{NamePattern, Obligation, WebPkiReason};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Everything that a proof depends on, hashed: host, obligation with the whole TLSA RRset, MX
/// security and reference identifiers, WebPKI names, pins, SNI, minimum protocol,
/// and which certificates were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey([u8; 32]);

impl SessionKey {
    pub(crate) fn of(demand: &TlsDemand<'_>) -> Self {
        let mut field = Fields(openssl::sha::Sha256::new());
        field.put(demand.mx_host.as_bytes());
        field.put(demand.sni.map_or("", |name| name.as_str()).as_bytes());
        field.put(&[match demand.min_protocol {
            MinProtocol::Any => 0,
            MinProtocol::Tls12 => 2,
            MinProtocol::Tls13 => 3,
        }]);
        field.put(demand.offer.word().as_bytes());
        match demand.obligation {
            Obligation::Skip(_) | Obligation::Cleartext => field.put(b"none"),
            Obligation::Opportunistic => field.put(b"may"),
            Obligation::Encrypt => field.put(b"encrypt"),
            Obligation::Authenticate(requirements) => {
                field.put(b"authenticate");
                if let Some(dane) = &requirements.dane {
                    field.put(b"dane");
                    field.put(dane.base_domain.as_str().as_bytes());
                    field.put(&[u8::from(dane.mx_secure)]);
                    // The order of records in an RRset means nothing.
                    let mut records: Vec<&[u8]> =
                        dane.records.iter().map(|record| record.rdata()).collect();
                    records.sort_unstable();
                    field.count(records.len());
                    records.iter().for_each(|rdata| field.put(rdata));
                    field.count(dane.reference_identifiers.len());
                    for name in &dane.reference_identifiers {
                        field.put(name.as_str().as_bytes());
                    }
                }
                if let Some(webpki) = &requirements.webpki {
                    field.put(match webpki.because {
                        WebPkiReason::Sts => b"webpki-sts".as_slice(),
                        WebPkiReason::Administrator => b"webpki-administrator",
                        WebPkiReason::RequireTls => b"webpki-requiretls",
                    });
                    field.count(webpki.names.len());
                    for name in &webpki.names {
                        match name {
                            NamePattern::Exact(name) => field.put(name.as_str().as_bytes()),
                            NamePattern::Below(name) => {
                                field.put(format!(".{name}").as_bytes());
                            }
                        }
                    }
                }
                if let Some(pins) = &requirements.pins {
                    field.put(b"pins");
                    field.count(pins.sha256.len());
                    pins.sha256.iter().for_each(|digest| field.put(digest));
                }
            }
        }
        Self(field.0.finish())
    }
}

/// Length-prefixed fields, so that no two demands share an encoding.
struct Fields(openssl::sha::Sha256);

impl Fields {
    fn put(&mut self, octets: &[u8]) {
        self.0.update(&octets.len().to_be_bytes());
        self.0.update(octets);
    }

    fn count(&mut self, count: usize) {
        self.0.update(&count.to_be_bytes());
    }
}

/// How many obligations are remembered.
const CAPACITY: usize = 256;

/// Values by key; the least recently used goes first.
#[derive(Debug)]
pub(crate) struct SessionKeys<T> {
    entries: Mutex<Entries<T>>,
}

#[derive(Debug)]
struct Entries<T> {
    by_key: HashMap<SessionKey, (u64, T)>,
    tick: u64,
}

impl<T: Clone> SessionKeys<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Mutex::new(Entries {
                by_key: HashMap::new(),
                tick: 0,
            }),
        }
    }

    pub(crate) fn forget(&self, key: &SessionKey) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.by_key.remove(key);
    }

    pub(crate) fn find_or_make<E>(
        &self,
        key: &SessionKey,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        // A poisoned map is still a map: every entry was whole before the lock was taken.
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.tick += 1;
        let tick = entries.tick;
        if let Some((used, value)) = entries.by_key.get_mut(key) {
            *used = tick;
            return Ok(value.clone());
        }
        let value = make()?;
        if entries.by_key.len() >= CAPACITY {
            let oldest = entries
                .by_key
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                entries.by_key.remove(&oldest);
            }
        }
        entries.by_key.insert(*key, (tick, value.clone()));
        Ok(value)
    }
}
