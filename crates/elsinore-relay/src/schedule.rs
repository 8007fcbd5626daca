//! Which job is tried when, and how many at once.
//!
//! One task (`Schedule`) claims jobs on lease, gives each its turn, hears what became of it and has
//! that written. Everything it decides is decided by parts that do no I/O:
//!
//! - [`window`]: how many jobs one destination is given at the same time; [`pace`]: how many in a
//!   minute; `destinations`: whose turn it is.
//! - [`backoff`]: when a job is tried again; `lifetime`: whether its time is over; `verdict`: who is done,
//!   who waits, who is told.
//! - `surveys`: what is known of a message under way, for all its jobs.
//! - `achieved`: whether a destination that was authenticated still is; `step`: whether the wall clock
//!   was set.
//!
//! # Bounds
//! At most [`ScheduleSettings::leased`] jobs are held in memory, of one destination about twice as many
//! as may be worked on at the same time. A destination with very many jobs therefore never fills the
//! memory, and never takes more sessions than its limit; the others have their turn round robin.
//!
//! # Destinations that take nothing
//! After some jobs in a row that found no host, the destination is left alone for a while, longer and
//! longer; then one job finds out for all. Jobs that become due meanwhile are put off without being
//! tried: senders are warned and messages expire as if they had been.
//!
//! # Leases
//! A lease is renewed three times in its time. A job whose lease may have run out is not begun; if it
//! is lost while the job is worked on, nothing is written, and the store would refuse it anyway.

mod achieved;
pub mod backoff;
mod destinations;
mod lifetime;
pub mod pace;
mod run;
mod settings;
mod settle;
mod step;
mod surveys;
mod verdict;
pub mod window;
mod work;

pub use run::{Order, Schedule, ScheduleParts};
pub use settings::{DestinationLimits, PauseSettings, RetrySettings, ScheduleSettings};
pub use work::Courier;
