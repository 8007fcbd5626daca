//! How far one lookup goes. Every bound is against a known way of making a resolver work for
//! nothing (KeyTrap and its kin: many keys of one tag, many signatures, many NSEC3 hashes,
//! delegations that fan out); reaching one ends the lookup with a reason that names it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Bounds on the work of one lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Alias links followed.
    pub alias_links: usize,
    /// Queries sent, all servers and sub-lookups together.
    pub queries: u32,
    /// Signature verifications.
    pub signatures: u32,
    /// Signatures of one RRset that are looked at.
    pub signatures_per_rrset: usize,
    /// Keys of one tag and algorithm that are tried for a signature.
    pub keys_per_tag: usize,
    /// NSEC3 hash computations, each with its iterations.
    pub nsec3_hashes: u32,
    /// NSEC3 iterations above which a proof counts as insecure (RFC 9276 §3.2).
    pub nsec3_iterations_insecure: u16,
    /// NSEC3 iterations above which a proof is not looked at and the answer is bogus.
    pub nsec3_iterations_bogus: u16,
    /// Further servers asked for a question when replies are bogus.
    pub bogus_retries: usize,
    /// Referrals followed for one question.
    pub referrals: usize,
    /// Nested lookups of name server addresses.
    pub depth: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            alias_links: 11,
            queries: 150,
            signatures: 120,
            signatures_per_rrset: 8,
            keys_per_tag: 4,
            nsec3_hashes: 60,
            nsec3_iterations_insecure: 100,
            nsec3_iterations_bogus: 500,
            bogus_retries: 3,
            referrals: 24,
            depth: 4,
        }
    }
}

/// What is left of the [`Limits`] during one lookup.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) limits: Limits,
    queries: AtomicU32,
    signatures: AtomicU32,
    hashes: AtomicU32,
    overdrawn: AtomicBool,
    silent: Mutex<Option<IpAddr>>,
    too_deep: AtomicBool,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            queries: AtomicU32::new(limits.queries),
            signatures: AtomicU32::new(limits.signatures),
            hashes: AtomicU32::new(limits.nsec3_hashes),
            overdrawn: AtomicBool::new(false),
            silent: Mutex::new(None),
            too_deep: AtomicBool::new(false),
        }
    }

    /// Notes a server that let its time pass.
    pub(super) fn waited_for(&self, server: IpAddr) {
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }

    /// The last server that let its time pass.
    pub(super) fn silent_server(&self) -> Option<IpAddr> {
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pays for one query.
    pub(super) fn query(&self) -> Result<(), String> {
        let limit = self.limits.queries;
        self.take(&self.queries)
            .ok_or_else(|| format!("more than {limit} queries for one lookup"))
    }

    /// Pays for one signature verification.
    pub(super) fn signature(&self) -> Result<(), String> {
        let limit = self.limits.signatures;
        self.take(&self.signatures)
            .ok_or_else(|| format!("more than {limit} signature checks for one lookup"))
    }

    /// Pays for one NSEC3 hash.
    pub(super) fn hash(&self) -> Result<(), String> {
        let limit = self.limits.nsec3_hashes;
        self.take(&self.hashes)
            .ok_or_else(|| format!("more than {limit} NSEC3 hashes for one lookup"))
    }

    /// Notes that the address of a name server was not looked up, for want of depth.
    pub(super) fn nested_too_deep(&self) {
        self.too_deep.store(true, Ordering::Relaxed);
    }

    /// Whether all lookups of name server addresses went as deep as they had to.
    pub(super) fn check_depth(&self) -> Result<(), String> {
        let limit = self.limits.depth;
        if self.too_deep.load(Ordering::Relaxed) {
            Err(format!(
                "more than {limit} lookups of servers inside one another"
            ))
        } else {
            Ok(())
        }
    }

    /// Whether something was refused for want of budget. A failure after that is the fault of this
    /// lookup, and is not kept for others.
    pub(super) fn is_overdrawn(&self) -> bool {
        self.overdrawn.load(Ordering::Relaxed)
    }

    fn take(&self, counter: &AtomicU32) -> Option<()> {
        let taken = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        });
        if taken.is_err() {
            self.overdrawn.store(true, Ordering::Relaxed);
        }
        taken.ok().map(|_| ())
    }
}
