//! The decision engine, from outside: a decision table, the two invariants, and engines broken
//! on purpose.

mod drive;
mod scenarios;
