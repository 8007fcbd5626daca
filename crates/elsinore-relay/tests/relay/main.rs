//! Tests of elsinore-relay.

mod schedule;
