//! Which situation counts as what (RFC 8460 §4.3).

use crate::fixture::{attempt, delivery, failed, policy, skipped, with_tlsa};
use elsinore_dane::answer::RecordType;
use elsinore_dane::finding::Finding;
use elsinore_dane::mta_sts::StsFetchError;
use elsinore_dane::obligation::SkipReason;
use elsinore_dane::plan::StsStance;
use elsinore_dane::rule::Rule;
use elsinore_dane::security::Security;
use elsinore_dane::verify::Rejection;
use elsinore_net::deliver::account::{FailedLookup, StsAccount, TlsEnd};
use elsinore_net::deliver::{Attempt, SendReport};
use elsinore_net::tls::judge::Refusal;
use elsinore_net::tls::webpki::WebPkiRefusal;
use elsinore_net::tls::{HandshakeTrouble, TlsFailureCause};
use elsinore_tlsrpt::count::{Verdict, rows};
use std::sync::Arc;

/// One word per row: `type domain ok` or `type domain result,result`.
fn words(report: &SendReport) -> Vec<String> {
    let words = rows(report).into_iter().map(|row| {
        assert_eq!(row.domain, "rcpt.example");
        let verdict = match &row.verdict {
            Verdict::Success => "ok".to_owned(),
            Verdict::Failure(details) => {
                assert!(!details.is_empty(), "a failure says why");
                let results = details.iter().map(|detail| detail.result.word());
                results.collect::<Vec<_>>().join(",")
            }
        };
        format!("{} {} {verdict}", row.policy.kind, row.policy.domain)
    });
    words.collect()
}

fn refused(refusal: Refusal) -> TlsEnd {
    TlsEnd::Failed(TlsFailureCause::Refused(refusal))
}

fn dane(rejection: Rejection) -> TlsEnd {
    refused(Refusal::Dane {
        rejection,
        leaf: None,
    })
}

fn handshake() -> TlsEnd {
    TlsEnd::Failed(TlsFailureCause::Handshake {
        trouble: HandshakeTrouble::Alert,
        text: "received fatal alert: HandshakeFailure".to_owned(),
    })
}

fn sts(mut attempt: Attempt, stance: StsStance, webpki: Option<WebPkiRefusal>) -> Attempt {
    attempt.account.sts = stance;
    attempt.account.webpki = Some(webpki.map_or(Ok(()), Err));
    attempt
}

const OK: &str = "ok";
const NOTHING: &[&str] = &[];

#[test]
fn sessions_without_a_policy() {
    let cases: Vec<(&str, TlsEnd, &[&str])> = vec![
        (
            "TLS",
            TlsEnd::Established,
            &["no-policy-found rcpt.example ok"],
        ),
        (
            "no STARTTLS",
            TlsEnd::NotOffered,
            &["no-policy-found rcpt.example starttls-not-supported"],
        ),
        (
            "454 to STARTTLS",
            TlsEnd::Refused,
            &["no-policy-found rcpt.example starttls-not-supported"],
        ),
        (
            "handshake, then cleartext",
            handshake(),
            &["no-policy-found rcpt.example validation-failure"],
        ),
        (
            "lost inside",
            TlsEnd::LostInside,
            &["no-policy-found rcpt.example validation-failure"],
        ),
        ("no connection", TlsEnd::Unknown, NOTHING),
        ("level none", TlsEnd::NotWanted, NOTHING),
        ("reused", TlsEnd::Reused, NOTHING),
        (
            "our own trouble",
            TlsEnd::Failed(TlsFailureCause::Local("no randomness".to_owned())),
            NOTHING,
        ),
        (
            "level secure",
            refused(Refusal::WebPki(WebPkiRefusal::Expired)),
            &["no-policy-found rcpt.example certificate-expired"],
        ),
        (
            "a pin of ours",
            refused(Refusal::Pins(Rejection::NoPinMatches)),
            NOTHING,
        ),
    ];
    for (what, end, expected) in cases {
        let report = delivery(StsAccount::None, Vec::new(), vec![attempt(end)]);
        assert_eq!(words(&report), expected, "{what}");
    }
}

#[test]
fn sessions_under_dane() {
    let at = |depth| Rejection::Expired { depth };
    for (end, usable, expected) in [
        (TlsEnd::Established, true, OK),
        (TlsEnd::Established, false, "tlsa-invalid"),
        (TlsEnd::NotOffered, true, "starttls-not-supported"),
        (
            TlsEnd::NotOffered,
            false,
            "tlsa-invalid,starttls-not-supported",
        ),
        (TlsEnd::Refused, true, "starttls-not-supported"),
        (dane(Rejection::NoMatch), true, "certificate-not-trusted"),
        (
            dane(Rejection::NoTrustedPath),
            true,
            "certificate-not-trusted",
        ),
        (
            dane(Rejection::NameMismatch),
            true,
            "certificate-host-mismatch",
        ),
        (dane(at(0)), true, "certificate-expired"),
        (
            dane(Rejection::NotYetValid { depth: 1 }),
            true,
            "certificate-expired",
        ),
        (dane(Rejection::SearchBound), true, "validation-failure"),
        (refused(Refusal::Signature), true, "validation-failure"),
        (handshake(), true, "validation-failure"),
        (handshake(), false, "tlsa-invalid,validation-failure"),
        // TLSA matched, and somebody else was not content.
        (refused(Refusal::Pins(Rejection::NoPinMatches)), true, OK),
        (
            refused(Refusal::WebPki(WebPkiRefusal::NotTrusted)),
            true,
            OK,
        ),
    ] {
        let attempts = vec![with_tlsa(attempt(end.clone()), usable)];
        let report = delivery(StsAccount::None, Vec::new(), attempts);
        let expected = format!("tlsa base.host.example {expected}");
        assert_eq!(words(&report), [expected], "{end:?} {usable}");
    }
}

#[test]
fn sessions_under_mta_sts() {
    use StsStance::{Enforced, TestingListed, TestingUnlisted};
    for (mode, stance, end, webpki, expected) in [
        ("enforce", Enforced, TlsEnd::Established, None, OK),
        ("testing", TestingListed, TlsEnd::Established, None, OK),
        (
            "enforce",
            Enforced,
            refused(Refusal::WebPki(WebPkiRefusal::Expired)),
            Some(WebPkiRefusal::Expired),
            "certificate-expired",
        ),
        (
            "enforce",
            Enforced,
            refused(Refusal::WebPki(WebPkiRefusal::HostMismatch)),
            Some(WebPkiRefusal::HostMismatch),
            "certificate-host-mismatch",
        ),
        // Testing: delivered all the same, and counted as failed.
        (
            "testing",
            TestingListed,
            TlsEnd::Established,
            Some(WebPkiRefusal::NotTrusted),
            "certificate-not-trusted",
        ),
        (
            "testing",
            TestingUnlisted,
            TlsEnd::Established,
            None,
            "validation-failure",
        ),
        (
            "testing",
            TestingUnlisted,
            TlsEnd::Established,
            Some(WebPkiRefusal::HostMismatch),
            "validation-failure,certificate-host-mismatch",
        ),
        (
            "testing",
            TestingListed,
            TlsEnd::NotOffered,
            None,
            "starttls-not-supported",
        ),
        ("enforce", Enforced, handshake(), None, "validation-failure"),
    ] {
        let attempts = vec![sts(attempt(end.clone()), stance, webpki)];
        let report = delivery(policy(mode), Vec::new(), attempts);
        let expected = format!("sts rcpt.example {expected}");
        assert_eq!(words(&report), [expected], "{stance:?} {end:?}");
    }
    // Mode none is no policy.
    let report = delivery(
        policy("none"),
        Vec::new(),
        vec![attempt(TlsEnd::Established)],
    );
    assert_eq!(words(&report), ["no-policy-found rcpt.example ok"]);
}

#[test]
fn policies_that_cannot_be_had() {
    let body: Arc<[u8]> = Arc::from(&b"version: STSv1\nmode: enforced\n"[..]);
    let not_fetched = StsAccount::NotFetched;
    for (account, expected) in [
        (
            not_fetched(StsFetchError::Status(404)),
            "sts-policy-fetch-error",
        ),
        (
            not_fetched(StsFetchError::Timeout),
            "sts-policy-fetch-error",
        ),
        (
            not_fetched(StsFetchError::Throttled),
            "sts-policy-fetch-error",
        ),
        (
            not_fetched(StsFetchError::Certificate("expired".to_owned())),
            "sts-webpki-invalid",
        ),
        (
            StsAccount::Invalid {
                body,
                why: "line 2".to_owned(),
            },
            "sts-policy-invalid",
        ),
        (
            StsAccount::RecordInvalid("there is no id".to_owned()),
            "sts-policy-invalid",
        ),
    ] {
        let report = delivery(
            account.clone(),
            Vec::new(),
            vec![attempt(TlsEnd::Established)],
        );
        let expected = format!("sts rcpt.example {expected}");
        assert_eq!(
            words(&report),
            std::slice::from_ref(&expected),
            "{account:?}"
        );
        // A session can fail for several reasons at once (RFC 8460 §4).
        let report = delivery(
            account.clone(),
            Vec::new(),
            vec![attempt(TlsEnd::NotOffered)],
        );
        let both = format!("{expected},starttls-not-supported");
        assert_eq!(words(&report), [both], "{account:?}");
        // Under DANE nobody needs the policy.
        let attempts = vec![with_tlsa(attempt(TlsEnd::Established), true)];
        let report = delivery(account, Vec::new(), attempts);
        assert_eq!(words(&report), ["tlsa base.host.example ok"]);
    }
}

#[test]
fn dane_and_mta_sts_get_one_result_each() {
    for (end, webpki, tlsa, sts_result) in [
        (TlsEnd::Established, None, OK, OK),
        (
            dane(Rejection::NoMatch),
            None,
            "certificate-not-trusted",
            OK,
        ),
        (
            refused(Refusal::WebPki(WebPkiRefusal::HostMismatch)),
            Some(WebPkiRefusal::HostMismatch),
            OK,
            "certificate-host-mismatch",
        ),
        (
            TlsEnd::NotOffered,
            None,
            "starttls-not-supported",
            "starttls-not-supported",
        ),
    ] {
        let attempts = vec![sts(
            with_tlsa(attempt(end.clone()), true),
            StsStance::Enforced,
            webpki,
        )];
        let report = delivery(policy("enforce"), Vec::new(), attempts);
        let expected = [
            format!("tlsa base.host.example {tlsa}"),
            format!("sts rcpt.example {sts_result}"),
        ];
        assert_eq!(words(&report), expected, "{end:?}");
    }
}

#[test]
fn hosts_left_out_and_lookups_that_failed() {
    use Security::{Bogus, Indeterminate};
    let tlsa = |security| failed("_25._tcp.base.host.example", RecordType::Tlsa, security);
    let found = || {
        vec![Finding::new(
            Rule::TlsaLookupFailed,
            "base.host.example",
            "signature expired",
        )]
    };
    let address = |record_type, security| failed("mx.host.example", record_type, security);
    let cases: Vec<(SkipReason, Vec<FailedLookup>, &[&str])> = vec![
        (
            SkipReason::TlsaLookupFailed,
            vec![tlsa(Bogus)],
            &["tlsa base.host.example dnssec-invalid"],
        ),
        (
            SkipReason::TlsaLookupFailed,
            vec![tlsa(Indeterminate)],
            &["tlsa base.host.example validation-failure"],
        ),
        (
            SkipReason::AddressLookupFailed,
            vec![
                address(RecordType::Aaaa, Indeterminate),
                address(RecordType::A, Bogus),
            ],
            &["no-policy-found rcpt.example dnssec-invalid"],
        ),
        (
            SkipReason::AddressLookupFailed,
            vec![
                failed("other.example", RecordType::A, Bogus),
                address(RecordType::A, Indeterminate),
            ],
            &["no-policy-found rcpt.example validation-failure"],
        ),
        (
            SkipReason::DaneOnlyInsecureMx,
            Vec::new(),
            &["tlsa mx.host.example dane-required"],
        ),
        (
            SkipReason::DaneOnlyNoUsableTlsa,
            Vec::new(),
            &["tlsa mx.host.example dane-required"],
        ),
        (SkipReason::Loop, Vec::new(), NOTHING),
        (SkipReason::NoAddress, Vec::new(), NOTHING),
        (SkipReason::AddressesRefused, Vec::new(), NOTHING),
        (SkipReason::Unverifiable, Vec::new(), NOTHING),
        (SkipReason::RequireTlsUnmet, Vec::new(), NOTHING),
    ];
    for (reason, lookups, expected) in cases {
        let report = delivery(StsAccount::None, lookups, vec![skipped(reason, found())]);
        assert_eq!(words(&report), expected, "{reason:?}");
    }
    let report = delivery(
        policy("enforce"),
        Vec::new(),
        vec![skipped(SkipReason::StsMismatch, Vec::new())],
    );
    assert_eq!(words(&report), ["sts rcpt.example validation-failure"]);
    // The MX records themselves.
    for (security, result) in [
        (Bogus, "dnssec-invalid"),
        (Indeterminate, "validation-failure"),
    ] {
        let lookups = vec![failed("rcpt.example", RecordType::Mx, security)];
        let report = delivery(StsAccount::None, lookups, Vec::new());
        assert_eq!(
            words(&report),
            [format!("no-policy-found rcpt.example {result}")]
        );
    }
    // No recipients' domain, no one to tell.
    let mut report = delivery(
        StsAccount::None,
        Vec::new(),
        vec![attempt(TlsEnd::Established)],
    );
    for recipient in &mut report.recipients {
        recipient.account = Arc::default();
    }
    assert_eq!(words(&report), NOTHING);
}

#[test]
fn every_attempt_counts_and_every_particular_is_told() {
    let attempts = vec![
        with_tlsa(attempt(dane(Rejection::NoMatch)), true),
        attempt(TlsEnd::Established),
    ];
    let report = delivery(StsAccount::None, Vec::new(), attempts);
    let rows = rows(&report);
    let [first, second] = rows.as_slice() else {
        panic!("{rows:?}");
    };
    assert_eq!(second.verdict, Verdict::Success);
    // The records in one order, whatever order they came in.
    let expected = [
        format!("2 1 1 {}", "aa".repeat(32)),
        format!("3 1 1 {}", "bb".repeat(32)),
    ];
    assert_eq!(first.policy.strings, expected);
    let Verdict::Failure(details) = &first.verdict else {
        panic!("{first:?}");
    };
    let detail = &details[0];
    assert_eq!(detail.sending_ip, Some("198.51.100.1".parse().unwrap()));
    assert_eq!(detail.receiving_ip, Some("192.0.2.25".parse().unwrap()));
    assert_eq!(detail.mx_host.as_deref(), Some("mx.host.example"));
    assert_eq!(detail.helo.as_deref(), Some("helo.host.example"));
    assert_eq!(
        detail.reason.as_deref(),
        Some("no TLSA record matches the server certificate")
    );
    // An MTA-STS policy is told line by line (RFC 8460 §4.5).
    let attempts = vec![sts(
        attempt(TlsEnd::Established),
        StsStance::TestingListed,
        None,
    )];
    let report = delivery(policy("testing"), Vec::new(), attempts);
    let row = &elsinore_tlsrpt::count::rows(&report)[0];
    assert_eq!(
        row.policy.strings,
        [
            "version: STSv1",
            "mode: testing",
            "mx: *.host.example",
            "max_age: 86400"
        ]
    );
    assert_eq!(row.policy.mx_hosts, ["*.host.example"]);
    // One that is no policy, as it is (ibid., "including any errors").
    let account = StsAccount::Invalid {
        body: Arc::from(&b"version: STSv1\r\nmode: \x07enforced\r\n\r\n"[..]),
        why: "line 2".to_owned(),
    };
    let report = delivery(account, Vec::new(), vec![attempt(TlsEnd::Established)]);
    let row = &elsinore_tlsrpt::count::rows(&report)[0];
    assert_eq!(row.policy.strings, ["version: STSv1", "mode:  enforced"]);
}
