//! Fuzz target `smtp_framing`: see `checks/server.rs`.

#![no_main]

#[allow(dead_code, reason = "checks of two targets stand in the file")]
#[path = "../checks/server.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| checks::check_smtp_framing(octets));
