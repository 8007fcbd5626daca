//! Tests of elsinore-tlsrpt.
