//! Reports about TLS (RFC 8460): counted, built, signed, sent, read.

pub mod settings;
