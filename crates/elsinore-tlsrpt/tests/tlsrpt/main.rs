//! Tests of elsinore-tlsrpt.

mod accounting;
mod count;
mod dispatch;
mod fixture;
mod letter;
mod reading;
mod rules;
