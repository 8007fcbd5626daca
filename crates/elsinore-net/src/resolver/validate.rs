//! DNSSEC validation, without I/O and without a clock: signatures, keys, denials
//! (RFC 4034, 4035, 5155, 6840, 9276). Every result that is not a success is a [`Fault`]: its
//! kind, and one line of text that names the record.

mod crypto;
mod denial;
mod fault;
mod keys;
mod nsec;
mod nsec3;
mod rrset;

pub use crypto::{Cryptography, OpenSsl};
pub(super) use denial::{DsProof, Proof, Proofs, negative_ttl, signers};
pub(super) use fault::Fault;
pub(super) use keys::{KeyOutcome, Policy, ZoneKeys, is_usable, key_tag};
pub(super) use nsec3::{nsec3_hash, nsec3_is_for, nsec3_owner_hash};
pub(super) use rrset::{Signed, Verified, verify};
