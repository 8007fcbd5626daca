//! Fuzz target `dns_mutation`: see `checks/mutation.rs`.

#![no_main]

#[allow(dead_code, reason = "the tests write the recorded world too")]
#[path = "../checks/mutation.rs"]
mod checks;
#[path = "../checks/reply.rs"]
mod reply;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    checks::check_mutated_answers(octets);
});
