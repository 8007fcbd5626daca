//! Which job is tried when, and how many at once.
