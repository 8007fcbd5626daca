//! `elsinore tlsrpt`: reports of other people, from files and from standard input.

use crate::command::Workplace;

const REPORT: &str = r#"{"organization-name":"Sender \u001b[31m","date-range":{"start-datetime":
"2025-11-22T00:00:00Z","end-datetime":"2025-11-22T23:59:59Z"},"contact-info":"a@sender.example",
"report-id":"1","policies":[{"policy":{"policy-type":"tlsa","policy-string":["3 1 1 AA"],
"policy-domain":"mx.example.org"},"summary":{"total-successful-session-count":7,
"total-failure-session-count":0}}]}"#;

#[test]
fn reads_files_and_standard_input() {
    let expected = "\
Report from Sender [31m <a@sender.example>
Covers      2025-11-22, the whole day (UTC)
Id          1

mx.example.org, DANE: 7 sessions, all good
  | 3 1 1 AA
";
    let message = format!(
        "Content-Type: multipart/report; boundary=x\n\n--x\n\nwords\n--x\n\
         Content-Type: application/tlsrpt+json\n\n{REPORT}\n--x--\n"
    );
    let place = Workplace::new()
        .with("report.json", REPORT)
        .with("mail", message);
    let run = place.run(&["tlsrpt", "read", "report.json"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, expected),
        "{}",
        run.stderr
    );
    let run = place.run(&["tlsrpt", "read", "--format", "jsonl", "mail"]);
    let line: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(line["schema_version"], 1);
    assert_eq!(line["file"], "mail");
    assert_eq!(line["policies"][0]["type"], "tlsa");
    assert_eq!(line["policies"][0]["successes"], 7);
    // Standard input is empty here.
    assert_eq!(place.run(&["tlsrpt", "read"]).code, 65);
}

#[test]
fn what_is_no_report_does_not_hide_the_others() {
    let place = Workplace::new().with("good", REPORT).with("bad", "hello");
    for (bad, code) in [("bad", 65), ("none", 74)] {
        let run = place.run(&["tlsrpt", "read", bad, "good"]);
        assert_eq!(run.code, code);
        assert!(
            run.stdout.starts_with("Report from Sender"),
            "{}",
            run.stdout
        );
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
}
