//! Fuzz target `tlsrpt`: see `checks/tlsrpt.rs`.

#![no_main]

#[path = "../checks/tlsrpt.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| checks::check_tlsrpt(octets));
