//! The authoritative side of the lab: tables of answers, and the same answers compared with
//! software that is not ours (NSD, Unbound, ldns), where that is installed.
#![allow(missing_docs, reason = "a test binary has no public items")]

mod certificates;
mod ldns;
mod misbehaviour;
mod nsd;
mod peer;
mod resolver;
mod tables;
mod tree;
mod unbound;
mod wire;
