//! DNS messages as this resolver sees them: parsed once, bounded, names decompressed, RDATA in
//! canonical form (RFC 1035 §4, RFC 4034 §6.2, RFC 6891).

mod message;
mod name;
pub(super) mod presentation;
mod rdata;
mod reader;

pub(super) use message::{Message, Query, QueryBits, Question, Rcode, Record};
pub(super) use name::Name;
pub(super) use rdata::{Ds, Nsec, Nsec3, Rrsig, record_data};

/// IANA type codes that the resolver itself looks at.
pub(super) mod rtype {
    pub(in crate::resolver) const A: u16 = 1;
    pub(in crate::resolver) const NS: u16 = 2;
    pub(in crate::resolver) const CNAME: u16 = 5;
    pub(in crate::resolver) const SOA: u16 = 6;
    pub(in crate::resolver) const AAAA: u16 = 28;
    pub(in crate::resolver) const DNAME: u16 = 39;
    pub(in crate::resolver) const OPT: u16 = 41;
    pub(in crate::resolver) const DS: u16 = 43;
    pub(in crate::resolver) const RRSIG: u16 = 46;
    pub(in crate::resolver) const NSEC: u16 = 47;
    pub(in crate::resolver) const DNSKEY: u16 = 48;
    pub(in crate::resolver) const NSEC3: u16 = 50;
    pub(in crate::resolver) const ANY: u16 = 255;
}
