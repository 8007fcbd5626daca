//! Fuzz target `dns_answer`: see `checks/dns.rs`.

#![no_main]

#[path = "../checks/dns.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| checks::check_dns_answer(octets));
