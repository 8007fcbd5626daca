//! The `elsinore` command.
fn main() {}
