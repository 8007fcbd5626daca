//! Reports by mail, read by software that is not ours: dkimpy verifies the signature, Python's
//! email parser takes the message apart.

use crate::fixture::{attempt, built, delivery, signer, with_tlsa};
use elsinore_net::deliver::account::{StsAccount, TlsEnd};
use elsinore_tlsrpt::letter::letter;
use std::io::Write;
use std::process::{Command, Stdio};

/// Debian's own: packages of Debian are for it.
const PYTHON: &str = "/usr/bin/python3";
const NOW: i64 = 1_763_884_800;

/// The message on stdin, the record of the key as argument. Prints what the parser saw as JSON.
const SCRIPT: &str = r#"
import dkim, email, email.policy, gzip, json, re, sys
message = sys.stdin.buffer.read()
record = sys.argv[1].encode()
asked = []
def dnsfunc(name, timeout=5):
    asked.append(name.decode())
    return record
good = dkim.verify(message, dnsfunc=dnsfunc, tlsrpt='strict')
parsed = email.message_from_bytes(message, policy=email.policy.SMTP)
parts = list(parsed.iter_parts())
attached = parts[1]
print(json.dumps({
    "dkim": good,
    "asked": asked,
    "defects": [repr(d) for p in [parsed] + parts for d in p.defects],
    "type": parsed.get_content_type(),
    "report-type": parsed.get_param("report-type"),
    "fields": {k: re.sub(r"\s+", " ", v) for k, v in parsed.items()},
    "parts": [p.get_content_type() for p in parts],
    "text": parts[0].get_content(),
    "filename": attached.get_filename(),
    "report": json.loads(gzip.decompress(attached.get_payload(decode=True))),
    "longest": max(len(line) for line in message.split(b"\r\n")),
    "bare": len(re.findall(rb"[^\r]\n|\r[^\n]", message)),
}))
"#;

fn python(message: &[u8], record: &str) -> Option<serde_json::Value> {
    let probe = Command::new(PYTHON)
        .args(["-c", "import dkim, nacl"])
        .output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        assert!(
            std::env::var_os("ELSINORE_NO_SKIPS").is_none(),
            "python3-dkim and python3-nacl are not installed"
        );
        eprintln!("skipped: python3-dkim and python3-nacl are not installed");
        return None;
    }
    let mut child = Command::new(PYTHON)
        .args(["-c", SCRIPT, record])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(message).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn strangers_verify_and_read_it() {
    let report = delivery(
        StsAccount::None,
        Vec::new(),
        vec![with_tlsa(attempt(TlsEnd::NotOffered), true)],
    );
    let built = built(&report);
    for kind in ["rsa", "ed25519"] {
        let signer = signer(kind);
        let record = signer.record().unwrap();
        let from_to = ("tls-reports@sender.example", "reports@rcpt.example");
        let message = letter(&built, from_to, &signer, NOW).unwrap();
        let Some(seen) = python(&message, &record) else {
            return;
        };
        assert_eq!(seen["dkim"], true, "{kind}");
        assert_eq!(seen["asked"][0], "sel._domainkey.sender.example.");
        assert_eq!(seen["defects"], serde_json::json!([]));
        assert_eq!(seen["type"], "multipart/report");
        assert_eq!(seen["report-type"], "tlsrpt");
        assert_eq!(
            seen["parts"],
            serde_json::json!(["text/plain", "application/tlsrpt+gzip"])
        );
        let fields = &seen["fields"];
        let id = &built.report.report_id;
        assert_eq!(
            fields["Subject"],
            format!("Report Domain: rcpt.example Submitter: sender.example Report-ID: <{id}>")
        );
        assert_eq!(fields["From"], "tls-reports@sender.example");
        assert_eq!(fields["To"], "reports@rcpt.example");
        assert_eq!(fields["TLS-Report-Domain"], "rcpt.example");
        assert_eq!(fields["TLS-Report-Submitter"], "sender.example");
        assert_eq!(fields["TLS-Required"], "No");
        assert_eq!(fields["Date"], "Sun, 23 Nov 2025 08:00:00 +0000");
        let signature = fields["DKIM-Signature"].as_str().unwrap();
        assert!(!signature.contains("l="), "{signature}");
        assert!(signature.contains("TLS-Report-Domain:TLS-Report-Submitter"));
        let file = seen["filename"].as_str().unwrap();
        let parts: Vec<&str> = file.split('!').collect();
        assert_eq!(
            parts[..4],
            ["sender.example", "rcpt.example", "1763769600", "1763855999"]
        );
        assert!(parts[4].ends_with(".json.gz"));
        assert!(seen["text"].as_str().unwrap().contains("rcpt.example"));
        let sent: serde_json::Value = serde_json::from_slice(&built.report.json()).unwrap();
        assert_eq!(seen["report"], sent);
        assert!(seen["longest"].as_u64().unwrap() <= 998);
        assert_eq!(seen["bare"], 0);
        // Nobody may change a word, add a field, or add to the body.
        let text = String::from_utf8(message).unwrap();
        for changed in [
            text.replace("Report-Domain: rcpt.example", "Report-Domain: rcpt.exampel"),
            text.replacen("From: ", "From: x@evil.example\r\nFrom: ", 1),
            text.replace("Sun, 23", "Mon, 24"),
            format!("{text}more\r\n"),
            text.replacen("H4s", "H5s", 1),
        ] {
            assert_ne!(changed, text);
            let Some(seen) = verdict(changed.as_bytes(), &record) else {
                return;
            };
            assert!(!seen, "{changed}");
        }
    }
}

fn verdict(message: &[u8], record: &str) -> Option<bool> {
    const VERDICT: &str = r#"
import dkim, sys
print(dkim.verify(sys.stdin.buffer.read(), dnsfunc=lambda n, timeout=5: sys.argv[1].encode(), tlsrpt='strict'))
"#;
    let mut child = Command::new(PYTHON)
        .args(["-c", VERDICT, record])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(message).ok()?;
    let output = child.wait_with_output().ok()?;
    Some(output.stdout.starts_with(b"True"))
}
