//! Fuzz target `bundle`: see `checks/bundle.rs`.

#![no_main]

#[path = "../checks/bundle.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| checks::check_bundle(octets));
