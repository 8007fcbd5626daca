//! What can be typed, and what must not matter: help in 80 columns, usage errors, closed pipes.

use crate::command::Workplace;
use std::io::Read;
use std::process::Stdio;

#[test]
fn help_fits_80_columns() {
    let place = Workplace::new();
    for command in [
        &[][..],
        &["send"],
        &["check"],
        &["dns"],
        &["doctor"],
        &["tlsa"],
        &["tlsa", "verify"],
        &["explain"],
        &["lab"],
        &["lab", "list"],
        &["lab", "run"],
        &["lab", "up"],
    ] {
        for flag in ["-h", "--help"] {
            let mut arguments = command.to_vec();
            arguments.push(flag);
            let run = place.run(&arguments);
            assert_eq!(run.code, 0, "{run:?}");
            assert!(run.stderr.is_empty(), "{run:?}");
            for line in run.stdout.lines() {
                assert!(line.chars().count() <= 80, "{arguments:?}: {line:?}");
            }
        }
    }
}

#[test]
fn usage_errors() {
    let place = Workplace::new();
    for arguments in [
        &[][..],
        &["sned"],
        &["--frobnicate"],
        &["dns"],
        &["dns", "example.org"],
        &["dns", "a..b", "MX"],
        &["dns", "example.org", "NONSENSE"],
        &["send"],
        &["--format", "xml", "explain"],
        &["--config"],
        &["explain", "TLSA-USABLE", "TLSA-UNUSABLE"],
        &["doctor", "extra"],
        &["doctor", "--resolver", "nowhere"],
    ] {
        let run = place.run(arguments);
        assert_eq!(run.code, 64, "{arguments:?}: {run:?}");
        assert!(run.stdout.is_empty(), "{arguments:?}: {run:?}");
        run.assert_refused(64, "");
    }
}

#[test]
fn version() {
    let run = Workplace::new().run(&["--version"]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.starts_with("elsinore "), "{run:?}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let place = Workplace::new();
    let mut child = place
        .command(&["explain"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{stderr}");
    assert_eq!(stderr, "");
}

#[test]
fn usage_errors_name_the_fault() {
    let place = Workplace::new();
    for (arguments, part) in [
        (&["send"][..], "not provided: --from <ADDRESS>; --to"),
        (&["sned"], "'send'"),
        (&["dns", "a..b", "MX"], "empty label"),
        (&["send", "--port", "99999"], "1..=65535"),
        (&["dns", "\u{1b}[31m", "--x\r\ny"], "--x"),
    ] {
        let run = place.run(arguments);
        run.assert_refused(64, part);
        let control = run.stderr.trim_end().chars().any(char::is_control);
        assert!(!control, "{arguments:?}: {run:?}");
    }
}

#[test]
fn a_lab_needs_no_configuration() {
    let place = Workplace::new();
    let gone = ["--config", "gone/elsinore.toml"];
    place
        .run(&[&gone[..], &["explain"]].concat())
        .assert_refused(78, "ELSINORE_CONFIG");
    let run = place.run(&[&gone[..], &["lab", "list", "dane-ee"]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.starts_with("dane-ee\n"), "{run:?}");
}
