//! TLS with a server that must, or need not, prove who it is.

pub mod facts;
pub mod webpki;

pub use facts::{Backend, MinProtocol, Resumption, TlsFacts, TlsVersion};
