//! Fuzz target `chain`: see `checks/verifier.rs`.

#![no_main]

#[path = "../checks/verifier.rs"]
#[allow(dead_code, reason = "each target calls one of the checks")]
mod checks;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| checks::check_chain(octets));
