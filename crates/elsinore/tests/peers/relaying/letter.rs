//! Messages, and whether they came through unchanged.

use std::fmt::Write as _;

/// The fields that systems on the way may put before a message.
const TRACE: [&str; 7] = [
    "Return-Path:",
    "Return-path:",
    "X-Original-To:",
    "Delivered-To:",
    "Envelope-to:",
    "Delivery-date:",
    "Received:",
];

/// A message with what tends to be damaged on the way: dots, UTF-8, spaces at the end of lines,
/// empty lines, lines of the greatest length.
pub(super) fn letter(from: &str, to: &str, subject: &str) -> String {
    let mut body = ".\n..\n.dot\n\nGrüße aus Helsingør. \n \nFrom here on\n".to_owned();
    for number in 0..300 {
        let _ = writeln!(body, "{number:05} {}", "x".repeat(number % 120));
    }
    body.push_str(&"y".repeat(998));
    body.push_str("\n\n\n");
    format!("{}{body}", header(from, to, subject))
}

/// A message of at least so many octets.
pub(super) fn large(from: &str, to: &str, subject: &str, octets: usize) -> String {
    let mut text = header(from, to, subject);
    let mut number = 0;
    while text.len() < octets {
        let _ = writeln!(text, ".{number:08} {}", "Who's there? ".repeat(5));
        number += 1;
    }
    text
}

fn header(from: &str, to: &str, subject: &str) -> String {
    format!(
        "From: <{from}>\nTo: <{to}>\nSubject: {subject}\n\
         Date: Sun, 04 Jan 2026 12:00:00 +0000\nMessage-ID: <{subject}@home.example>\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: 8bit\n\n"
    )
}

/// The trace fields before `original` in `stored`; panics where anything else was changed.
pub(super) fn trace<'a>(stored: &'a str, original: &str) -> &'a str {
    let Some(before) = stored.strip_suffix(original) else {
        let (mut ours, mut theirs) = (original.lines().rev(), stored.lines().rev());
        let number = (&mut ours).zip(&mut theirs).take_while(|(a, b)| a == b);
        panic!(
            "{} octets became {}, the last {} lines are the same:\n{}",
            original.len(),
            stored.len(),
            number.count(),
            stored.chars().take(1000).collect::<String>()
        );
    };
    for line in before.lines() {
        let is_trace = TRACE.iter().any(|name| line.starts_with(name));
        assert!(is_trace || line.starts_with([' ', '\t']), "added: {line}");
    }
    before
}
