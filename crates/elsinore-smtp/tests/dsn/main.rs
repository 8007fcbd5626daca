//! Notifications as read by a parser that is not ours: the `email` package of Python.

#[path = "../../../elsinore-dane/tests/skipped.rs"]
mod skipped;

use elsinore_smtp::command::GreetingName;
use elsinore_smtp::dsn::{Action, Notification, Octets, RecipientStatus, Returned, Speaker};
use elsinore_smtp::status::EnhancedStatus;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Debian's own, whatever else is in the path.
const PYTHON: &str = "/usr/bin/python3";

/// Prints one line per fact of the notification on standard input.
const READER: &str = r#"
import sys, email, email.policy
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
def walk(p):
    for q in p.walk():
        if q.defects: print("defect", q.get_content_type(), [type(d).__name__ for d in q.defects])
walk(m)
print("type", m.get_content_type(), m.get_param("report-type"))
print("to", m["To"])
print("auto", m["Auto-Submitted"])
print("date", m["Date"].datetime.isoformat())
parts = list(m.iter_parts())
print("parts", ",".join(p.get_content_type() for p in parts))
print("text", len(parts[0].get_content().splitlines()) > 5)
for block in parts[1].get_payload():
    for name, value in block.items():
        print("field", name.lower(), " ".join(str(value).split()))
third = parts[2]
if third.get_content_type() == "message/rfc822":
    inner = third.get_payload(0)
    print("inner", inner["Subject"], repr(inner.get_payload()))
else:
    print("inner", repr(third.get_payload()))
"#;

fn reading(octets: &[u8]) -> Option<Vec<String>> {
    if !std::path::Path::new(PYTHON).exists() {
        skipped::skipped("notifications, read by Python", "no python3");
        return None;
    }
    let mut child = Command::new(PYTHON)
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(octets).expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("an answer");
    assert!(output.status.success(), "the parser failed");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    Some(text.lines().map(str::to_owned).collect())
}

fn told(address: &str, action: Action, status: EnhancedStatus) -> RecipientStatus {
    RecipientStatus {
        address: address.to_owned(),
        original: Some(format!("rfc822;{address}")),
        action,
        status,
        remote: Some("mx.example.net".to_owned()),
        words: format!("550 5.1.1 {} the reply goes on and on", "long ".repeat(40)),
        speaker: Speaker::Ourselves,
        given_up_after: None,
        tried: 1_795_000_100,
        findings: vec![format!(
            "mx.example.net: {}",
            "no record matched ".repeat(20)
        )],
    }
}

fn notification(returned: Returned) -> Notification {
    Notification {
        reporter: GreetingName::parse("mx.example.com").expect("a name"),
        to: "bob@example.com".to_owned(),
        queue_id: "0123456789ABCDEF".to_owned(),
        arrived: 1_795_000_000,
        now: 1_795_000_200,
        token: [7; 16],
        envelope_id: Some("QQ314159".to_owned()),
        recipients: vec![
            told(
                "anna@example.net",
                Action::Failed,
                EnhancedStatus::permanent(1, 1),
            ),
            told(
                "otto@example.net",
                Action::Delayed {
                    until: 1_795_400_000,
                },
                EnhancedStatus::temporary(4, 1),
            ),
        ],
        returned,
        octets: Octets::SevenBit,
    }
}

fn whole(notification: &Notification, original: &[u8]) -> Vec<u8> {
    let mut octets = notification.head();
    octets.extend_from_slice(original);
    octets.extend_from_slice(&notification.tail());
    octets
}

#[test]
fn every_field_is_found_by_another_parser() {
    let original = b"Subject: hello\r\nFrom: bob@example.com\r\n\r\nline\r\n--not-a-boundary\r\n";
    let Some(lines) = reading(&whole(&notification(Returned::Whole), original)) else {
        return;
    };
    for expected in [
        "type multipart/report delivery-status",
        "to bob@example.com",
        "auto auto-replied",
        "date 2026-11-18T11:10:00+00:00",
        "parts text/plain,message/delivery-status,message/rfc822",
        "text True",
        "field reporting-mta dns; mx.example.com",
        "field original-envelope-id QQ314159",
        "field original-recipient rfc822; anna@example.net",
        "field final-recipient rfc822; otto@example.net",
        "field action failed",
        "field action delayed",
        "field status 5.1.1",
        "field status 4.4.1",
        "field remote-mta dns; mx.example.net",
        "field final-log-id 0123456789ABCDEF",
        "inner hello 'line\\r\\n--not-a-boundary\\r\\n'",
    ] {
        assert!(
            lines.iter().any(|line| line == expected),
            "{expected:?} in\n{}",
            lines.join("\n")
        );
    }
    let starts = |prefix| lines.iter().filter(|line| line.starts_with(prefix)).count();
    assert_eq!(
        starts("field diagnostic-code x-elsinore; 550 5.1.1 long"),
        2
    );
    assert_eq!(starts("field will-retry-until Mon, 23 Nov 2026"), 1);
    assert_eq!(
        starts("field x-elsinore-finding mx.example.net: no record"),
        2
    );
    assert_eq!(starts("defect"), 0, "{lines:?}");
}

#[test]
fn a_header_alone_is_a_part_of_its_own() {
    let header = b"Subject: hello\r\nFrom: bob@example.com\r\n";
    let Some(lines) = reading(&whole(&notification(Returned::Header), header)) else {
        return;
    };
    assert!(
        lines.contains(&"parts text/plain,message/delivery-status,text/rfc822-headers".to_owned()),
        "{lines:?}"
    );
    assert!(
        lines.iter().all(|line| !line.starts_with("defect")),
        "{lines:?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("inner 'Subject: hello")),
        "{lines:?}"
    );
}
