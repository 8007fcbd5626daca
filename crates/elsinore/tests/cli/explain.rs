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
fn one_lint() {
    let place = Workplace::new();
    let run = place.run(&["explain", "tlsa-empty-digest"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.starts_with("TLSA-EMPTY-DIGEST: "), "{run:?}");
    for part in ["\nUsually: fails now\n", "\nExample:\n", "\nWhat to do:\n"] {
        assert!(run.stdout.contains(part), "{part}: {run:?}");
    }
    let lint = place
        .run(&["--format", "json", "explain", "MX-ALIAS"])
        .json();
    assert_eq!(lint["lint"], "MX-ALIAS");
    assert_eq!(lint["severity"], "weak");
    assert_eq!(lint["rfc"], 2181);
    assert_eq!(lint["section"], "10.3");
}

#[test]
fn all_rules_and_lints_in_every_form() {
    let place = Workplace::new();
    let listed = place.run(&["explain"]);
    let count = listed.stdout.lines().count();
    assert!(count >= 20, "{listed:?}");
    let json = place.run(&["explain", "--format", "json"]).json();
    let rules = json["rules"].as_array().unwrap().len();
    let lints = json["lints"].as_array().unwrap().len();
    assert!(lints >= 60);
    assert_eq!(rules + lints, count);
    assert!(!json["left_out"].as_array().unwrap().is_empty());
    let lines = place.run(&["explain", "--format", "jsonl"]).stdout;
    assert_eq!(lines.lines().count(), count);
    let document = place.run(&["explain", "--all"]).stdout;
    assert_eq!(document.matches("\n## ").count(), rules);
    let document = place.run(&["explain", "--lints"]).stdout;
    assert_eq!(document.matches("\n## ").count(), lints);
    assert!(document.contains("\n# Left out\n"));
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
