//! The report of `elsinore check` as a page: one field, results that arrive while they are measured,
//! and a report that stays (ADR 0015).
//!
//! ```text
//!  connection ──▶ server ──▶ routes ──▶ desk ──▶ Checker ──▶ Report ──▶ html
//!  (bounded)               (guarded)  (queue)              │        ▲
//!                                                          ▼        │
//!                                                        store ─────┘
//! ```
//!
//! Everything is made on the server, readable without a script, and shown from a
//! [`Report`](elsinore_check::report::Report) alone, so that a fresh report, a stored one and a
//! recomputed one look the same. Nothing is decided here: states, labels and sentences are the
//! report's. Measuring stands behind [`checker::Checker`].
//!
//! # Limitations
//! No TLS of its own: whoever shows the page to others puts a web server in front, as that one has the
//! certificate. One process per file of reports is meant; two do no harm but measure twice.

mod assets;
mod badge;
pub mod budget;
pub mod checker;
mod client;
mod desk;
mod html;
pub mod live;
mod log;
mod routes;
mod server;
pub mod settings;
mod site;
pub mod store;
mod view;

pub use server::serve;
pub use site::Site;
