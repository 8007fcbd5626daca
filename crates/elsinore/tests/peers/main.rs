//! The whole program against software that is not ours: NSD and Knot serve the scenarios' zones,
//! signed by their own tools, Unbound is asked as upstream, Postfix receives, and posttls-finger is
//! asked what it thinks of every domain. `docs/peers.md` tells what is compared.
//!
//! Each test works in a network namespace of its own, with documentation addresses and the real
//! ports 25 and 53. It needs root and what `cargo xtask test` installs, and says so when it skips.
#![allow(missing_docs, reason = "a test binary has no public items")]

mod case;
mod daemon;
mod elsinore;
mod exim;
mod finger;
mod foreign;
mod internet;
mod lab;
mod namespace;
mod policyd;
mod postfix;
mod receiving;
mod relaying;
mod unbound;
mod upstream;
