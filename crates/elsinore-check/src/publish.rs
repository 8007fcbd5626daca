//! What to publish: TLSA records made from certificates and keys, the steps of a safe key rollover,
//! and the entry that pins a server.
//!
//! Pure but for [`look`], which asks and connects: octets, DNS answers and the time are arguments, text
//! and decisions are results. Every record is put to the verifier of `elsinore_dane` before it is shown, and whether a set of records covers
//! what a server presents is that verifier's word alone.
//!
//! * [`pem`], [`material`]: certificates, keys and requests, as files hold them.
//! * [`proposal`]: the recommended records, each proven, with reasons and cautions.
//! * [`form`]: those records as zone-file lines, an nsupdate script, fields for a panel.
//! * [`rollover`]: what may be done now and what not yet, from what is published and presented.
//! * [`pin`]: the `[[destination]]` entry that pins what a server presents.

pub mod form;
pub mod look;
pub mod material;
pub mod moment;
pub mod pem;
pub mod pin;
pub mod proposal;
pub mod rollover;
pub mod steps;
