//! Reports of other people: read back, in plain words, and what is wrong with them.

use crate::fixture::{attempt, built, delivery, signer, with_tlsa};
use elsinore_net::deliver::account::{StsAccount, TlsEnd};
use elsinore_tlsrpt::letter::letter;
use elsinore_tlsrpt::read::{ReadError, read};
use elsinore_tlsrpt::terms::{PolicyType, ResultType};
use elsinore_tlsrpt::words::words;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::io::Write as _;

/// Of the shape of RFC 8460 Appendix B, its habits included: `mx-host` is a string there.
const LIKE_APPENDIX_B: &str = r#"{
  "organization-name": "Company-X",
  "date-range": {
    "start-datetime": "2016-04-01T00:00:00Z",
    "end-datetime": "2016-04-01T23:59:59Z"
  },
  "contact-info": "sts-reporting@company-x.example",
  "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
  "policies": [{
    "policy": {
      "policy-type": "sts",
      "policy-string": ["version: STSv1", "mode: testing",
        "mx: *.mail.company-y.example", "max_age: 86400"],
      "policy-domain": "company-y.example",
      "mx-host": "*.mail.company-y.example"
    },
    "summary": {
      "total-successful-session-count": 5326,
      "total-failure-session-count": 303
    },
    "failure-details": [{
      "result-type": "certificate-expired",
      "sending-mta-ip": "2001:db8:abcd:0012::1",
      "receiving-mx-hostname": "mx1.mail.company-y.example",
      "failed-session-count": 100
    }, {
      "result-type": "starttls-not-supported",
      "sending-mta-ip": "2001:db8:abcd:0013::1",
      "receiving-mx-hostname": "mx2.mail.company-y.example",
      "receiving-ip": "203.0.113.56",
      "failed-session-count": 200,
      "additional-information": "https://reports.company-x.example/report_info?id=5065427c-23d3#StarttlsNotSupported"
    }, {
      "result-type": "validation-failure",
      "sending-mta-ip": "198.51.100.62",
      "receiving-ip": "203.0.113.58",
      "receiving-mx-hostname": "mx-backup.mail.company-y.example",
      "failed-session-count": 3,
      "failure-reason-code": "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"
    }]
  }]
}"#;

const IN_WORDS: &str = "\
Report from Company-X <sts-reporting@company-x.example>
Covers      2016-04-01, the whole day (UTC)
Id          5065427c-23d3-47ca-b6e0-946ea0e8c4be

company-y.example, MTA-STS: 5629 sessions, 303 of them failed
  | version: STSv1
  | mode: testing
  | mx: *.mail.company-y.example
  | max_age: 86400
       100  the certificate has expired or is not valid yet
            (certificate-expired)
            at mx1.mail.company-y.example, from 2001:db8:abcd:0012::1
       200  the server did not offer STARTTLS, or refused it
            (starttls-not-supported)
            at mx2.mail.company-y.example [203.0.113.56], from
            2001:db8:abcd:0013::1
            https://reports.company-x.example/report_info?id=5065427c-23d3#Start
            tlsNotSupported
         3  TLS failed for another reason (validation-failure)
            at mx-backup.mail.company-y.example [203.0.113.58], from
            198.51.100.62
            X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED

Not as RFC 8460 section 4.4 wants it:
  /policies/0/policy/mx-host: a string where an array must be
";

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn the_example_of_the_standard() {
    let reports = read(LIKE_APPENDIX_B.as_bytes()).unwrap();
    assert_eq!(words(&reports[0]), IN_WORDS);
    let policy = &reports[0].policies[0];
    assert_eq!(policy.kind, Some(PolicyType::Sts));
    assert_eq!(
        policy.details[2].result,
        Some(ResultType::ValidationFailure)
    );
    let compressed = gzip(LIKE_APPENDIX_B.as_bytes());
    assert_eq!(read(&compressed).unwrap(), reports);
    let marked = format!("\u{feff}\r\n{LIKE_APPENDIX_B}");
    assert_eq!(read(marked.as_bytes()).unwrap(), reports);
}

#[test]
fn our_own_come_back_whole() {
    let attempts = vec![
        with_tlsa(attempt(TlsEnd::NotOffered), true),
        attempt(TlsEnd::Established),
    ];
    let built = built(&delivery(StsAccount::None, Vec::new(), attempts));
    let json = read(&built.report.json()).unwrap();
    assert_eq!(json[0].faults, []);
    assert_eq!(json[0].id.as_deref(), Some(built.report.report_id.as_str()));
    assert_eq!(json[0].policies.len(), 2);
    let from_to = ("a@sender.example", "b@rcpt.example");
    let message = letter(&built, from_to, &signer("ed25519"), 0).unwrap();
    assert_eq!(read(&message).unwrap(), json);
    assert_eq!(read(&built.compressed).unwrap(), json);
}

#[test]
fn what_is_no_report() {
    let bomb = gzip(&vec![b' '; 20 << 20]);
    let deep = format!("{{\"policies\":{}", "[".repeat(100_000));
    let mut damaged = gzip(LIKE_APPENDIX_B.as_bytes());
    damaged.truncate(100);
    for (input, expected) in [
        (&b""[..], "it is empty"),
        (b" \r\n", "it is empty"),
        (b"hello", "it is neither"),
        (b"{", "it is not JSON"),
        (b"{}", "it is JSON, but"),
        (b"[]", "it is JSON, but"),
        (b"{\"policy\":[]}", "it is JSON, but"),
        (deep.as_bytes(), "it is not JSON"),
        (&bomb, "it is too long"),
        (&damaged, "its compression is damaged"),
        (&vec![b'{'; 33 << 20], "it is too long"),
        (b"Subject: x\r\n\r\n{\"policies\":[]}", "it is neither"),
    ] {
        let error: ReadError = read(input).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn foreign_habits_are_faults_beside_what_could_be_read() {
    let good: serde_json::Value = serde_json::from_str(LIKE_APPENDIX_B).unwrap();
    for (pointer, value, at) in [
        ("/organization-name", json!(null), "/organization-name"),
        ("/contact-info", json!(["x"]), "/contact-info"),
        ("/date-range", json!("today"), "/date-range"),
        (
            "/date-range/start-datetime",
            json!("2016-04-01"),
            "/date-range/start-datetime",
        ),
        (
            "/date-range/end-datetime",
            json!("2016-03-01T00:00:00Z"),
            "/date-range",
        ),
        ("/policies", json!("none"), "/policies"),
        ("/policies/0", json!(7), "/policies/0"),
        ("/policies/0/policy", json!([]), "/policies/0/policy"),
        (
            "/policies/0/policy/policy-type",
            json!("dane"),
            "/policies/0/policy/policy-type",
        ),
        (
            "/policies/0/policy/policy-domain",
            json!(null),
            "/policies/0/policy/policy-domain",
        ),
        (
            "/policies/0/policy/policy-string",
            json!([1]),
            "/policies/0/policy/policy-string",
        ),
        ("/policies/0/summary", json!(null), "/policies/0/summary"),
        (
            "/policies/0/summary/total-failure-session-count",
            json!("303"),
            "/policies/0/summary/total-failure-session-count",
        ),
        (
            "/policies/0/summary/total-failure-session-count",
            json!(-1),
            "/policies/0/summary/total-failure-session-count",
        ),
        (
            "/policies/0/failure-details",
            json!("x"),
            "/policies/0/failure-details",
        ),
        (
            "/policies/0/failure-details/1",
            json!([]),
            "/policies/0/failure-details/1",
        ),
        (
            "/policies/0/failure-details/0/result-type",
            json!("certificate-odd"),
            "/policies/0/failure-details/0/result-type",
        ),
        (
            "/policies/0/failure-details/0/sending-mta-ip",
            json!("localhost"),
            "/policies/0/failure-details/0/sending-mta-ip",
        ),
        (
            "/policies/0/failure-details/0/failed-session-count",
            json!(1.5),
            "/policies/0/failure-details/0/failed-session-count",
        ),
    ] {
        let mut odd = good.clone();
        *odd.pointer_mut(pointer).unwrap() = value.clone();
        let reports = read(odd.to_string().as_bytes()).unwrap();
        let faults = &reports[0].faults;
        assert!(
            faults.iter().any(|fault| fault.at == at),
            "{pointer} {value}: {faults:?}"
        );
        let text = words(&reports[0]);
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }
    // What is unknown is ignored.
    let mut more = good.clone();
    more["x"] = json!({"y": [1, 2]});
    assert_eq!(
        read(more.to_string().as_bytes()),
        read(good.to_string().as_bytes())
    );
    // Nothing of a stranger's moves a cursor.
    let mut hostile = good;
    hostile["organization-name"] = json!("a\u{1b}[31mb\u{202e}c\nReport from nobody");
    hostile["policies"][0]["policy"]["policy-domain"] = json!("x".repeat(5_000));
    let text = words(&read(hostile.to_string().as_bytes()).unwrap()[0]);
    assert!(
        text.starts_with("Report from a [31mb c Report from nobody <"),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}
