//! Policies kept on disk for their `max_age` (RFC 8461 §3.2, §5.1): one file per domain, written
//! whole or not at all, in a folder of its own per set of trust.
//!
//! Processes side by side may share a folder: a file is replaced by renaming a finished one over
//! it, and of two fetches at the same time either result is right. A damaged file counts as no
//! policy and is reported, never believed.

use crate::deliver::StateFolder;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// First line of a policy file.
const MAGIC: &str = "elsinore mta-sts policy 1";
/// Longest policy file that is read, in octets.
const LONGEST: u64 = 1 << 20;
/// Policies kept when there is no folder.
const IN_MEMORY: usize = 10_000;

/// A policy as it was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPolicy {
    /// The `id` of the TXT record under which it was fetched (RFC 8461 §3.1).
    pub id: String,
    /// When it was fetched.
    pub fetched: UnixTime,
    /// The policy, not parsed.
    pub body: Vec<u8>,
}

/// Why a stored policy could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file is not one of ours, or incomplete.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file system refused.
    #[error("{path}: {error}")]
    Io {
        /// The file or folder.
        path: String,
        /// What it said.
        error: io::Error,
    },
}

/// The policies of this machine under one set of trust. Clones share them.
#[derive(Debug, Clone)]
pub struct PolicyCache {
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Folder(PathBuf),
    Memory(Arc<Mutex<HashMap<DomainName, StoredPolicy>>>),
}

/// A name for a set of trust: policies learnt under one are not used under another. `authorities` is
/// the fingerprint of the certificate authorities added to the built-in set: a policy was learnt on
/// their word too.
#[must_use]
pub fn trust_name(trust: &[u8; 32], authorities: &[u8; 32]) -> String {
    let digest = openssl::sha::sha256(&[*trust, *authorities].concat());
    hex(&digest[..12])
}

impl PolicyCache {
    /// A cache in `state`, or in memory. `authorities` is the fingerprint of the certificate
    /// authorities added to the built-in set: a policy was learnt on their word too.
    #[must_use]
    pub fn new(state: Option<&StateFolder>, authorities: [u8; 32]) -> Self {
        let place = match state {
            None => Place::Memory(Arc::default()),
            Some(folder) => {
                let trust = trust_name(&folder.trust, &authorities);
                Place::Folder(folder.path.join("mta-sts").join(trust))
            }
        };
        Self { place }
    }

    /// The stored policy of `domain`, whatever its age.
    ///
    /// # Errors
    /// [`CacheError`] when there is a file that cannot be used; it then counts as no policy.
    pub fn load(&self, domain: &DomainName) -> Result<Option<StoredPolicy>, CacheError> {
        let folder = match &self.place {
            Place::Memory(policies) => {
                let policies = policies.lock().unwrap_or_else(PoisonError::into_inner);
                return Ok(policies.get(domain).cloned());
            }
            Place::Folder(folder) => folder,
        };
        let path = folder.join(file_name(domain));
        let shown = || path.display().to_string();
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(CacheError::Io {
                    path: shown(),
                    error,
                });
            }
        };
        let mut octets = Vec::new();
        file.take(LONGEST)
            .read_to_end(&mut octets)
            .map_err(|error| CacheError::Io {
                path: shown(),
                error,
            })?;
        decode(&octets, domain)
            .map(Some)
            .map_err(|reason| CacheError::Damaged {
                path: shown(),
                reason,
            })
    }

    /// Stores the policy of `domain`, replacing an older one.
    ///
    /// # Errors
    /// [`CacheError::Io`] when the folder cannot be written.
    pub fn store(&self, domain: &DomainName, policy: &StoredPolicy) -> Result<(), CacheError> {
        let folder = match &self.place {
            Place::Memory(policies) => {
                let mut policies = policies.lock().unwrap_or_else(PoisonError::into_inner);
                if policies.len() < IN_MEMORY || policies.contains_key(domain) {
                    policies.insert(domain.clone(), policy.clone());
                }
                return Ok(());
            }
            Place::Folder(folder) => folder,
        };
        let failed = |error| CacheError::Io {
            path: folder.display().to_string(),
            error,
        };
        fs::create_dir_all(folder).map_err(failed)?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(&encode(domain, policy)).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(folder.join(file_name(domain)))
            .map_err(|error| failed(error.error))?;
        Ok(())
    }
}

impl PolicyCache {
    pub(super) const fn is_in_memory(&self) -> bool {
        matches!(self.place, Place::Memory(_))
    }

    /// Forgets the policy of `domain`.
    ///
    /// # Errors
    /// [`CacheError::Io`] when the folder cannot be written.
    pub fn remove(&self, domain: &DomainName) -> Result<(), CacheError> {
        let folder = match &self.place {
            Place::Memory(policies) => {
                let mut policies = policies.lock().unwrap_or_else(PoisonError::into_inner);
                policies.remove(domain);
                return Ok(());
            }
            Place::Folder(folder) => folder,
        };
        let path = folder.join(file_name(domain));
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(CacheError::Io {
                path: path.display().to_string(),
                error,
            }),
        }
    }

    /// Domains with a policy, in no order. What is not one of our files is passed over.
    ///
    /// # Errors
    /// [`CacheError::Io`] when the folder cannot be read.
    pub fn domains(&self) -> Result<Vec<DomainName>, CacheError> {
        let folder = match &self.place {
            Place::Memory(policies) => {
                let policies = policies.lock().unwrap_or_else(PoisonError::into_inner);
                return Ok(policies.keys().cloned().collect());
            }
            Place::Folder(folder) => folder,
        };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(CacheError::Io {
                    path: folder.display().to_string(),
                    error,
                });
            }
        };
        let names = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let name = name.to_str()?.strip_suffix(".policy")?.to_owned();
            match name.strip_prefix('%') {
                None => DomainName::parse(&name).ok(),
                Some(_) => named_inside(&folder.join(format!("{name}.policy"))),
            }
        });
        Ok(names.collect())
    }
}

/// The domain that a file names whose own name is a digest.
fn named_inside(path: &std::path::Path) -> Option<DomainName> {
    let mut octets = Vec::new();
    fs::File::open(path)
        .ok()?
        .take(LONGEST)
        .read_to_end(&mut octets)
        .ok()?;
    let mut rest = octets.as_slice();
    line(&mut rest).filter(|magic| *magic == MAGIC)?;
    field(&mut rest, "sha256 ")?;
    DomainName::parse(field(&mut rest, "domain ")?).ok()
}

/// A file name that is the domain's own where that is safe, else its digest.
fn file_name(domain: &DomainName) -> String {
    let text = domain.as_str();
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_'));
    // A leading dot would hide the file or climb; a file name may have 255 octets.
    if plain && !text.starts_with('.') && text.len() <= 240 {
        format!("{text}.policy")
    } else {
        format!("%{}.policy", hex(&openssl::sha::sha256(text.as_bytes())))
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// Header lines, a digest over all that follows it, an empty line, the policy as fetched.
fn encode(domain: &DomainName, policy: &StoredPolicy) -> Vec<u8> {
    let id: String = policy.id.chars().filter(|c| !c.is_control()).collect();
    let mut rest = format!(
        "domain {domain}\nid {id}\nfetched {}\nlength {}\n\n",
        policy.fetched.0,
        policy.body.len()
    )
    .into_bytes();
    rest.extend_from_slice(&policy.body);
    let mut octets =
        format!("{MAGIC}\nsha256 {}\n", hex(&openssl::sha::sha256(&rest))).into_bytes();
    octets.extend_from_slice(&rest);
    octets
}

fn decode(octets: &[u8], domain: &DomainName) -> Result<StoredPolicy, &'static str> {
    let mut rest = octets;
    let magic = line(&mut rest).ok_or("no first line")?;
    if magic != MAGIC {
        return Err("not a policy file of this version");
    }
    let digest = field(&mut rest, "sha256 ").ok_or("no digest")?;
    if digest != hex(&openssl::sha::sha256(rest)) {
        return Err("the digest does not match");
    }
    if field(&mut rest, "domain ").ok_or("no domain")? != domain.as_str() {
        return Err("it belongs to another domain");
    }
    let id = field(&mut rest, "id ").ok_or("no id")?.to_owned();
    let fetched = field(&mut rest, "fetched ")
        .and_then(|text| text.parse().ok())
        .ok_or("no time")?;
    let length: usize = field(&mut rest, "length ")
        .and_then(|text| text.parse().ok())
        .ok_or("no length")?;
    if line(&mut rest) != Some("") || rest.len() != length {
        return Err("wrong length");
    }
    Ok(StoredPolicy {
        id,
        fetched: UnixTime(fetched),
        body: rest.to_vec(),
    })
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let end = rest.iter().position(|octet| *octet == b'\n')?;
    let (line, behind) = rest.split_at(end);
    *rest = behind.get(1..).unwrap_or_default();
    std::str::from_utf8(line).ok()
}

fn field<'a>(rest: &mut &'a [u8], name: &str) -> Option<&'a str> {
    line(rest)?.strip_prefix(name)
}

#[cfg(test)]
mod tests;
