//! OpenSSL's own DANE suite, read from the folder `openssl-danetest` below the one that the
//! environment variable names. The files are not part of this project.

use crate::skipped::skipped;
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::DaneRequirement;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_dane::verify::{DaneVerdict, EeNameChecks, Rejection, VerifyOptions, verify_dane};
use openssl::x509::X509;
use std::path::PathBuf;

const VARIABLE: &str = "ELSINORE_TESTDATA";

/// One block of the file.
#[derive(Debug)]
struct Block {
    records: Vec<TlsaRecord>,
    chain: Vec<Vec<u8>>,
    name_checks: bool,
    /// An `X509_V_` number.
    result: i64,
    depth: i64,
}

fn parse(text: &str) -> Vec<Block> {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut blocks = Vec::new();
    while let Some(header) = lines.next() {
        let numbers: Vec<i64> = header
            .split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect();
        let [
            record_count,
            certificate_count,
            no_name_checks,
            result,
            depth,
        ] = numbers[..]
        else {
            panic!("not a block header: {header}");
        };
        let records = (0..record_count)
            .map(|_| lines.next().unwrap().parse().unwrap())
            .collect();
        let chain = (0..certificate_count)
            .map(|_| {
                let mut pem = String::new();
                for line in lines
                    .by_ref()
                    .skip_while(|line| !line.contains("-----BEGIN"))
                {
                    pem.push_str(line);
                    pem.push('\n');
                    if line.contains("-----END") {
                        break;
                    }
                }
                // "TRUSTED CERTIFICATE" carries attributes of OpenSSL behind the certificate.
                X509::from_pem(pem.as_bytes()).unwrap().to_der().unwrap()
            })
            .collect();
        blocks.push(Block {
            records,
            chain,
            name_checks: no_name_checks == 0,
            result,
            depth,
        });
    }
    blocks
}

/// Replays a file; returns how many blocks were decided and how many had no usable record.
fn replay(file: &str, base_domain: &str) -> Option<(usize, usize)> {
    let Some(folder) = std::env::var_os(VARIABLE) else {
        let what = format!("{file} of OpenSSL's suite");
        skipped(&what, &format!("{VARIABLE} is not set"));
        return None;
    };
    let path = PathBuf::from(folder).join("openssl-danetest").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let base_domain = DomainName::parse(base_domain).unwrap();
    let (mut decided, mut unusable) = (0, 0);
    for (index, block) in parse(&text).into_iter().enumerate() {
        let number = index + 1;
        let pkix_only = block
            .records
            .iter()
            .all(|record| matches!(record.usage(), Some(0 | 1)));
        let requirement = DaneRequirement {
            base_domain: base_domain.clone(),
            reference_identifiers: vec![base_domain.clone()],
            records: block.records,
            mx_secure: true,
        };
        let mut options = VerifyOptions::smtp();
        if block.name_checks {
            options.ee_name_checks = EeNameChecks::Check;
        }
        // 2026-09-21; the suite depends on no date before 2116.
        let now = UnixTime(1_790_000_000);
        let verdict = verify_dane(&block.chain, &requirement, now, &options);
        if pkix_only {
            assert_eq!(verdict, DaneVerdict::NoUsable, "{file} block {number}");
            unusable += 1;
            continue;
        }
        decided += 1;
        let (result, depth) = match &verdict {
            DaneVerdict::Authenticated(found) => (0, i64::try_from(found.depth()).unwrap()),
            DaneVerdict::Rejected(Rejection::NameMismatch) => (62, -1),
            DaneVerdict::Rejected(_) => (65, -1),
            DaneVerdict::NoUsable => panic!("{file} block {number}: no usable record"),
        };
        let expected_depth = if block.result == 0 { block.depth } else { -1 };
        assert_eq!(
            (result, depth),
            (block.result, expected_depth),
            "{file} block {number}: {verdict:?}"
        );
    }
    Some((decided, unusable))
}

#[test]
fn danetest() {
    if let Some(counts) = replay("danetest.in", "example.com") {
        assert_eq!(counts, (34, 20));
    }
}

#[test]
fn dane_cross() {
    if let Some(counts) = replay("dane-cross.in", "server.example") {
        assert_eq!(counts, (1, 0));
    }
}
