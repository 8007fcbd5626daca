//! Tests of elsinore-queue.
