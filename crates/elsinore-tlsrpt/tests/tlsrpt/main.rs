//! Tests of elsinore-tlsrpt.

mod count;
mod fixture;
mod letter;
