//! Fuzz target `socketmap`: see `checks/socketmap.rs`.

#![no_main]

#[path = "../checks/socketmap.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| checks::check_socketmap(octets));
