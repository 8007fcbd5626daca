//! The catalogue of lints: what can be wrong with a domain and be seen from outside.

pub mod catalogue;

pub use catalogue::{LEFT_OUT, LeftOut, Lint, Source};
