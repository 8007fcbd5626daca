//! `elsinore explain`: one rule, all rules, no such rule.

use crate::command::Workplace;

#[test]
fn one_rule_in_any_case() {
    let place = Workplace::new();
    for id in ["TLSA-UNUSABLE", "tlsa-unusable"] {
        let run = place.run(&["explain", id]);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stdout.starts_with("TLSA-UNUSABLE: "), "{run:?}");
        assert!(run.stdout.contains("RFC 7672 section 2.2\n"), "{run:?}");
        assert!(run.stdout.contains("\nExample:\n"), "{run:?}");
    }
    let run = place.run(&["--format", "json", "explain", "TLSA-UNUSABLE"]);
    let rule = run.json();
    assert_eq!(rule["schema_version"], 1);
    assert_eq!(rule["rule"], "TLSA-UNUSABLE");
    assert_eq!(rule["rfc"], 7672);
    assert_eq!(rule["section"], "2.2");
    for field in ["title", "explanation", "example"] {
        assert!(!rule[field].as_str().unwrap().is_empty(), "{field}");
    }
}

#[test]
fn all_rules_in_every_form() {
    let place = Workplace::new();
    let listed = place.run(&["explain"]);
    let count = listed.stdout.lines().count();
    assert!(count >= 20, "{listed:?}");
    let json = place.run(&["explain", "--format", "json"]).json();
    assert_eq!(json["rules"].as_array().unwrap().len(), count);
    let lines = place.run(&["explain", "--format", "jsonl"]).stdout;
    assert_eq!(lines.lines().count(), count);
    let document = place.run(&["explain", "--all"]).stdout;
    assert_eq!(document.matches("\n## ").count(), count);
}

#[test]
fn no_such_rule() {
    let place = Workplace::new();
    place
        .run(&["explain", "TLSA-UNUSABEL"])
        .assert_refused(64, "TLSA-UNUSABLE");
    place
        .run(&["explain", "quux-frobnication"])
        .assert_refused(64, "lists them all");
}
