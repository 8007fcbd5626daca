//! Fuzz target `segment`: see `checks/segment.rs`.

#![no_main]

#[path = "../checks/segment.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| checks::check_segment(octets));
