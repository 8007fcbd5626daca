//! The page over HTTP: what is asked, what is answered, what is refused, what is kept.

#[path = "../client.rs"]
mod client;
mod hostile;
mod limits;
mod reports;
#[path = "../samples.rs"]
mod samples;
