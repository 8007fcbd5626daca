//! Signatures that verified, remembered by what they are over: the same NSEC3 record of a top-level
//! zone comes with the referrals of many domains, the same SOA with every denial of a zone. Only
//! the arithmetic is saved; times, names and labels are judged anew each time.

use crate::resolver::validate::Cryptography;
use openssl::sha::Sha256;
use std::mem::size_of;
use std::sync::{Arc, Mutex, PoisonError};

/// SHA-256 of algorithm, key, signature and signed octets; zeros where none is.
type Digest = [u8; 32];
/// Digests that share a place, the one used last in front.
const WAYS: usize = 4;
/// Tables with a lock each.
const TABLES: usize = 16;

/// Digests, [`WAYS`] by [`WAYS`]. Pages of it that were never written to take no memory.
type Table = Mutex<Box<[Digest]>>;

/// A [`Cryptography`] that does not verify the same signature twice within a while.
#[derive(Debug)]
pub(in crate::resolver) struct Remembered {
    inner: Arc<dyn Cryptography>,
    tables: Box<[Table]>,
    places: usize,
}

impl Remembered {
    /// Takes at most `octets` of memory.
    pub(in crate::resolver) fn new(inner: Arc<dyn Cryptography>, octets: usize) -> Self {
        let places = octets / (TABLES * WAYS * size_of::<Digest>());
        let table = || Mutex::new(vec![[0; 32]; places * WAYS].into_boxed_slice());
        Self {
            inner,
            tables: (0..TABLES).map(|_| table()).collect(),
            places,
        }
    }

    /// Does `act` with the digests that share the place of `digest`; `None` when there is no place.
    fn at<T>(&self, digest: &Digest, act: impl FnOnce(&mut [Digest]) -> T) -> Option<T> {
        let (head, _) = digest.split_first_chunk::<8>()?;
        let number = u64::from_be_bytes(*head) as usize;
        let table = self.tables.get(number % TABLES)?;
        let place = (number / TABLES).checked_rem(self.places)? * WAYS;
        let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
        table.get_mut(place..place + WAYS).map(act)
    }

    /// Whether `digest` is there; it is in front then.
    fn recall(&self, digest: &Digest) -> bool {
        let found = self.at(digest, |ways| {
            let found = ways.iter().position(|known| known == digest)?;
            ways[..=found].rotate_right(1);
            Some(())
        });
        found.flatten().is_some()
    }

    fn remember(&self, digest: Digest) {
        self.at(&digest, |ways| {
            ways.rotate_right(1);
            ways[0] = digest;
        });
    }
}

impl Cryptography for Remembered {
    fn supports(&self, algorithm: u8) -> bool {
        self.inner.supports(algorithm)
    }

    fn verify(
        &self,
        algorithm: u8,
        public_key: &[u8],
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), String> {
        let mut sha = Sha256::new();
        sha.update(&[algorithm]);
        // Lengths in front, so that no two inputs run together.
        for part in [public_key, signature, signed] {
            sha.update(&(part.len() as u64).to_be_bytes());
            sha.update(part);
        }
        let digest = sha.finish();
        if self.recall(&digest) {
            return Ok(());
        }
        self.inner
            .verify(algorithm, public_key, signed, signature)?;
        self.remember(digest);
        Ok(())
    }

    fn digest(&self, digest_type: u8, octets: &[u8]) -> Option<Vec<u8>> {
        self.inner.digest(digest_type, octets)
    }

    fn supports_digest(&self, digest_type: u8) -> bool {
        self.inner.supports_digest(digest_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Accepts what has the letter `g` in front of the signed octets, and counts.
    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    impl Cryptography for Counting {
        fn supports(&self, _: u8) -> bool {
            true
        }

        fn verify(&self, _: u8, _: &[u8], signed: &[u8], _: &[u8]) -> Result<(), String> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let is_good = signed.starts_with(b"g");
            is_good.then_some(()).ok_or_else(|| "bad".to_owned())
        }

        fn digest(&self, _: u8, _: &[u8]) -> Option<Vec<u8>> {
            None
        }
    }

    #[test]
    fn only_the_same_once() {
        let counting = Arc::new(Counting::default());
        let remembered = Remembered::new(Arc::clone(&counting) as Arc<_>, 10_000);
        // `(algorithm, key, signed, signature)`, whether it verifies, checks made until then.
        for (algorithm, key, signed, signature, good, checks) in [
            (8, "key", "good", "sig", true, 1),
            (8, "key", "good", "sig", true, 1),
            (13, "key", "good", "sig", true, 2),
            (8, "ke", "good", "ysig", true, 3),
            (8, "key", "goods", "ig", true, 4),
            (8, "key", "bad", "sig", false, 5),
            (8, "key", "bad", "sig", false, 6),
            (8, "key", "good", "sig", true, 6),
        ] {
            let verified = remembered.verify(
                algorithm,
                key.as_bytes(),
                signed.as_bytes(),
                signature.as_bytes(),
            );
            assert_eq!(verified.is_ok(), good, "{algorithm} {key} {signed}");
            assert_eq!(counting.0.load(Ordering::Relaxed), checks);
        }
    }

    #[test]
    fn forgets_and_works_without_room() {
        for octets in [0, 1_000, 3_000, 100_000] {
            let counting = Arc::new(Counting::default());
            let remembered = Remembered::new(Arc::clone(&counting) as Arc<_>, octets);
            for number in 0..10_000_u32 {
                let signature = number.to_be_bytes();
                assert!(remembered.verify(8, b"key", b"good", &signature).is_ok());
                // One that is used all the time stays.
                assert!(remembered.verify(8, b"key", b"good", b"often").is_ok());
            }
            let checks = counting.0.load(Ordering::Relaxed);
            let expected = if octets < 2_048 { 20_000 } else { 10_001 };
            assert_eq!(checks, expected, "{octets}");
        }
    }
}
