//! The schedule: what is tried when, how many at once, what is told to whom, and what a stop or a lost
//! lease does. Days pass in tokio's paused time.

mod fair;
mod fixture;
mod leases;
mod protection;
mod retry;
mod shelf;
mod sqlite;
mod stop;
