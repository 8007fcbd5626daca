//! Fuzz target `message`: see `checks/smtp.rs`.

#![no_main]

#[path = "../checks/smtp.rs"]
#[allow(dead_code, reason = "each target calls one of the checks")]
mod checks;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| checks::check_message(octets));
