//! What must hold of reports about TLS and of the records that ask for them, whatever they say.

use elsinore_tlsrpt::policy::select;
use elsinore_tlsrpt::read::read;
use elsinore_tlsrpt::words::words;

/// Any input of `tlsrpt read` and any TXT records: bounded output that moves no cursor.
pub(crate) fn check_tlsrpt(octets: &[u8]) {
    for report in read(octets).unwrap_or_default() {
        let text = words(&report);
        let is_plain = |c: char| c == '\n' || !c.is_control();
        assert!(text.chars().all(is_plain), "{text:?}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }
    if let Ok(policy) = select(octets.split(|octet| *octet == 0)) {
        assert!(policy.destinations.len() <= 4);
        for destination in &policy.destinations {
            // What is sent to is written as it would be read.
            let record = format!("v=TLSRPTv1;rua={destination}");
            let again = select([record.as_bytes()]);
            assert!(
                again.is_ok_and(|again| again.destinations == [destination.clone()])
                    || record.contains(['!', '%', ',', ';', '"', '`', '^', '{', '|', '}', '?'])
            );
        }
    }
}
