//! Fuzz target `smtp_session`: see `checks/session.rs`.

#![no_main]

#[path = "../checks/session.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| checks::check_smtp_session(octets));
