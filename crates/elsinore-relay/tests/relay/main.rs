//! Tests of elsinore-relay.
