//! The relay as a whole: the program, real clients, real servers, and SIGKILL.

mod client;
mod crash;
mod process;
mod world;
