//! What it costs to verify a chain by a DANE-EE record, here and in OpenSSL, in one run.
//!
//! ```text
//! cargo run --release -p elsinore-dane --example verify_bench
//! ```
//!
//! A chain of three certificates (P-256) and the record `3 1 1` of its leaf, beside two records
//! that do not match. Both sides begin with the octets of the certificate message and end with
//! the verdict. Ours is one call of `verify_dane`, which parses, computes the digest and compares,
//! each time anew. OpenSSL is measured twice:
//!
//! * *whole*: `d2i_X509` for each certificate, `SSL_dane_enable`, `SSL_dane_tlsa_add` for each
//!   record, and `X509_verify_cert` on a store context that has the connection's DANE state, which
//!   is what a handshake does. Making the connection itself is not counted.
//! * *verify only*: certificates parsed and records added beforehand and used again each time, so
//!   that OpenSSL may use what it has cached in them; only `X509_verify_cert` and its store
//!   context are counted. No connection of the real world is that lucky.
//!
//! Times are CPU time of this thread as the kernel accounts it (`/proc/self/schedstat`). The
//! rounds alternate; the medians are printed.
#![allow(
    clippy::unwrap_used,
    reason = "a measuring program stops at the first surprise"
)]

#[path = "../tests/verifier/make.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod make;
#[path = "../tests/verifier/oracle.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod oracle;

use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::DaneRequirement;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_dane::verify::{DaneVerdict, VerifyOptions, verify_dane};
use make::{NOW, Spec};
use oracle::{Answer, Settings};
use std::hint::black_box;

const ROUNDS: usize = 25;
/// Repetitions of what takes a microsecond or so: the kernel's account moves in steps of some
/// milliseconds, so a round must last far longer.
const MANY: usize = 50_000;
/// Repetitions with a connection each.
const FEW: usize = 2_000;

fn main() {
    let leaf = Spec::server(&["mx.example.org"], "leaf", "Inter", "inter").make();
    let inter = Spec::authority("Inter", "inter", "Root", "root").make();
    let root = Spec::authority("Root", "root", "Root", "root").make();
    let chain = [&leaf.der, &inter.der, &root.der];
    let records = vec![
        TlsaRecord::new(3, 1, 1, &[0x5a; 32]),
        TlsaRecord::new(3, 0, 1, &[0xa5; 32]),
        leaf.record(3, 1, 1),
    ];
    let names = vec![DomainName::parse("mx.example.org").unwrap()];
    let requirement = DaneRequirement {
        base_domain: names[0].clone(),
        records: records.clone(),
        reference_identifiers: names.clone(),
        mx_secure: true,
    };
    let settings = Settings {
        records: &records,
        names: &names,
        ee_name_checks: false,
        security_level: 1,
        depth: 10,
        now: NOW,
    };
    let options = VerifyOptions::smtp();
    let ours = || {
        for _ in 0..MANY {
            let verdict = verify_dane(black_box(&chain), &requirement, UnixTime(NOW), &options);
            assert!(matches!(verdict, DaneVerdict::Authenticated(_)));
        }
    };
    let right = Answer::Match { usage: 3, depth: 0 };
    let context = oracle::context();
    let (prepared, _) = oracle::connection(&context, &settings);
    let (parsed_leaf, parsed_chain) = oracle::parse(&chain).unwrap();
    let verify_only = || {
        for _ in 0..MANY {
            let answer = oracle::verify(black_box(&prepared), &parsed_leaf, &parsed_chain);
            assert_eq!(answer, right);
        }
    };
    let (mut own, mut lucky, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        own.push(cpu_time(MANY, ours));
        lucky.push(cpu_time(MANY, verify_only));
        let connections: Vec<_> = (0..FEW)
            .map(|_| {
                let mut ssl = openssl::ssl::Ssl::new(&context).unwrap();
                ssl.set_connect_state();
                ssl
            })
            .collect();
        whole.push(cpu_time(FEW, || {
            for ssl in &connections {
                assert_eq!(oracle::configure(ssl, &settings), records.len());
                let (leaf, stack) = oracle::parse(black_box(&chain)).unwrap();
                assert_eq!(oracle::verify(ssl, &leaf, &stack), right);
            }
        }));
    }
    let (own, lucky, whole) = (median(own), median(lucky), median(whole));
    println!("DANE-EE 3 1 1, chain of 3, 3 records; CPU time per verification, median of {ROUNDS}");
    println!("  elsinore             {own:8.2} µs");
    println!(
        "  OpenSSL, verify only {lucky:8.2} µs   elsinore / OpenSSL = {:.3}",
        own / lucky
    );
    println!(
        "  OpenSSL, whole       {whole:8.2} µs   elsinore / OpenSSL = {:.3}",
        own / whole
    );
}

/// Microseconds of CPU time for one repetition.
fn cpu_time(repetitions: usize, work: impl FnOnce()) -> f64 {
    let before = accounted();
    work();
    (accounted() - before) as f64 / 1_000.0 / repetitions as f64
}

/// Nanoseconds that this thread has run.
fn accounted() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
