//! Fuzz target `sts_policy`: see `checks/sts.rs`.

#![no_main]

#[path = "../checks/sts.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| checks::check_sts_policy(octets));
