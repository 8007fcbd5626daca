//! Tests of elsinore-policyd.
