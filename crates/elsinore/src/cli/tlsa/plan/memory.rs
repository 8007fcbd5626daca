//! What is remembered of a rollover from one run to the next, in the state folder: a file per host and
//! port, named after the trust it was learnt under.

use elsinore_check::publish::rollover::Memory;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_net::deliver::StateFolder;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

/// Octets of a file that are read; a memory has a few hundred.
const LONGEST: u64 = 256 * 1024;
/// The version of the file. Another one is forgotten.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    version: u32,
    host: String,
    port: u16,
    next: Vec<String>,
    complete_since: Option<i64>,
    saw_before: bool,
    longest_ttl: u32,
    servers: Vec<String>,
    replaced: Vec<String>,
    looked: i64,
}

/// Where one rollover is remembered.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    host: DomainName,
    port: u16,
}

impl Store {
    pub(super) fn new(state: &StateFolder, host: &DomainName, port: u16) -> Self {
        let trust = hex(&state.trust[..12]);
        Self {
            folder: state.path.join("rollover").join(trust),
            host: host.clone(),
            port,
        }
    }

    /// Host names have letters, digits, hyphens and dots only; long ones go by their digest.
    fn path(&self) -> PathBuf {
        let host = self.host.as_str();
        let name = if host.len() <= 200 {
            host.to_owned()
        } else {
            hex(&openssl::sha::sha256(host.as_bytes()))
        };
        self.folder.join(format!("{name}_{}.json", self.port))
    }

    /// What is remembered; nothing when there is no file.
    ///
    /// # Errors
    /// A file that cannot be read or is damaged; the message names it.
    pub(super) fn load(&self) -> io::Result<Option<Memory>> {
        let path = self.path();
        let named = |error: &dyn std::fmt::Display| {
            io::Error::other(format!("{}: {error}", path.display()))
        };
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(named(&error)),
        };
        let mut octets = Vec::new();
        file.take(LONGEST)
            .read_to_end(&mut octets)
            .map_err(|error| named(&error))?;
        let stored: Stored = serde_json::from_slice(&octets).map_err(|error| named(&error))?;
        let is_mine = stored.version == VERSION
            && stored.host == self.host.as_str()
            && stored.port == self.port;
        if !is_mine {
            return Err(named(&"of another host or version"));
        }
        let memory = || -> Option<Memory> {
            let digests = stored.next.iter().map(|text| digest(text));
            let replaced = stored
                .replaced
                .iter()
                .map(|text| text.parse::<TlsaRecord>().ok());
            Some(Memory {
                next: digests.collect::<Option<_>>()?,
                complete_since: stored.complete_since.map(UnixTime),
                saw_before: stored.saw_before,
                longest_ttl: stored.longest_ttl,
                servers: stored.servers.clone(),
                replaced: replaced.collect::<Option<_>>()?,
                looked: UnixTime(stored.looked),
            })
        };
        memory().map(Some).ok_or_else(|| named(&"damaged"))
    }

    /// Remembers.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn save(&self, memory: &Memory) -> io::Result<()> {
        let stored = Stored {
            version: VERSION,
            host: self.host.to_string(),
            port: self.port,
            next: memory.next.iter().map(|digest| hex(digest)).collect(),
            complete_since: memory.complete_since.map(|moment| moment.0),
            saw_before: memory.saw_before,
            longest_ttl: memory.longest_ttl,
            servers: memory.servers.clone(),
            replaced: memory.replaced.iter().map(ToString::to_string).collect(),
            looked: memory.looked.0,
        };
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&serde_json::to_vec_pretty(&stored).map_err(io::Error::other)?)?;
        file.as_file().sync_all()?;
        file.persist(self.path()).map_err(|error| error.error)?;
        Ok(())
    }
}

fn hex(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn digest(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut digest = [0; 32];
    for (octet, place) in digest.iter_mut().zip((0..64).step_by(2)) {
        *octet = u8::from_str_radix(text.get(place..place + 2)?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn remembered_and_read_again() {
        let folder = tempfile::TempDir::new().unwrap();
        let state = |trust| StateFolder {
            path: folder.path().to_path_buf(),
            trust: [trust; 32],
        };
        let host = DomainName::parse("mx.example.net").unwrap();
        let store = Store::new(&state(1), &host, 25);
        assert_eq!(store.load().unwrap(), None);
        let memory = Memory {
            next: vec![[0xab; 32], [1; 32]],
            complete_since: Some(UnixTime(1_790_000_000)),
            saw_before: true,
            longest_ttl: 3600,
            servers: vec!["ns1 [192.0.2.1]".to_owned()],
            replaced: vec![TlsaRecord::new(3, 1, 1, &[7; 32])],
            looked: UnixTime(1_790_000_001),
        };
        store.save(&memory).unwrap();
        assert_eq!(store.load().unwrap(), Some(memory.clone()));
        store.save(&memory).unwrap();
        // Another port, another trust: another rollover.
        assert_eq!(Store::new(&state(1), &host, 26).load().unwrap(), None);
        assert_eq!(Store::new(&state(2), &host, 25).load().unwrap(), None);
        for damaged in ["", "{}", "null", "\u{0}"] {
            fs::write(store.path(), damaged).unwrap();
            assert!(store.load().is_err(), "{damaged:?}");
        }
        let text = fs::read_to_string(store.path()).unwrap();
        assert_eq!(text, "\u{0}");
    }
}
