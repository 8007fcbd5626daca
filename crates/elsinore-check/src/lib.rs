//! What every sender sees at a domain, and why.
//!
//! ```text
//!  World ──measure──▶ Sighting ──judge──▶ Report ──▶ terminal, SVG, page, JSON, comparison
//!  (live, or replayed from a bundle)      (+ lints, + the time line)
//! ```
//!
//! [`world::World`] is all of the network that a check needs: a resolver and something that opens
//! sessions, live or replayed. `measure` asks and connects, and decides nothing: the questions are
//! those of the sender's own engine, the sessions those of the sender's own climb. `judge` is pure:
//! a [`sighting::Sighting`] goes in, a [`report::Report`] comes out. Every view reads the report
//! alone, so that a stored report, a recomputed one and a fresh one look the same.
//!
//! Nothing here decides a second time what a sender does: obligations come from
//! `elsinore_dane::discovery`, verdicts about certificates from `elsinore_dane::verify`, what
//! follows a failure from `elsinore_dane::ladder`.

pub mod bundle;
pub mod compare;
pub mod forecast;
pub mod judge;
pub mod lint;
pub mod measure;
pub mod publish;
pub mod rail;
pub mod report;
pub mod sighting;
pub mod target;
pub mod terminal;
pub mod world;
