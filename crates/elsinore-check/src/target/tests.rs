//! What people type, row by row.

use super::*;

#[test]
fn what_is_read() {
    for (typed, domain, unicode, remark) in [
        ("example.org", "example.org", None, None),
        ("  Example.ORG.\t", "example.org", None, None),
        ("mx-1.sub.example.org", "mx-1.sub.example.org", None, None),
        (
            "münchen.example",
            "xn--mnchen-3ya.example",
            Some("münchen.example"),
            None,
        ),
        (
            "xn--mnchen-3ya.example",
            "xn--mnchen-3ya.example",
            Some("münchen.example"),
            None,
        ),
        (
            "例え。テスト",
            "xn--r8jz45g.xn--zckzah",
            Some("例え.テスト"),
            None,
        ),
        // No valid A-label: a name all the same.
        (
            "xn--zzzzzzzz99.example",
            "xn--zzzzzzzz99.example",
            None,
            None,
        ),
        ("nl", "nl", None, Some("nl is taken as a top-level domain")),
        ("nl.", "nl", None, Some("top-level")),
        (
            "a_b.example.org",
            "a_b.example.org",
            None,
            Some("underscore"),
        ),
        (
            "anna@example.org",
            "example.org",
            None,
            Some("anna@example.org is a mailbox; checked is its domain, example.org"),
        ),
        ("\"a@b\"@example.org", "example.org", None, Some("mailbox")),
        ("@example.org", "example.org", None, Some("mailbox")),
        (
            "MailTo:anna@example.org?subject=x",
            "example.org",
            None,
            Some("mailbox"),
        ),
        (
            "an\u{1b}[31mna@example.org",
            "example.org",
            None,
            Some("an\\u{1b}[31mna@"),
        ),
    ] {
        let target = read(typed).unwrap_or_else(|error| panic!("{typed:?}: {error}"));
        assert_eq!(target.domain.as_str(), domain, "{typed:?}");
        assert_eq!(target.unicode.as_deref(), unicode, "{typed:?}");
        match (remark, &target.remark) {
            (None, None) => {}
            (Some(part), Some(said)) if said.contains(part) => {}
            (wanted, said) => panic!("{typed:?}: {said:?} instead of {wanted:?}"),
        }
    }
}

#[test]
fn what_is_refused() {
    let long_name = format!("{}example.org", "abcdefghi.".repeat(29));
    let long_label = format!("{}.example.org", "a".repeat(64));
    let huge = "x".repeat(1 << 20);
    for (typed, part) in [
        ("", "no domain given"),
        (" \t\n", "no domain given"),
        ("anna@", "no domain given"),
        (".", "the root of DNS"),
        ("192.0.2.1", "192.0.2.1 is the address of one server"),
        ("192.0.2.1.", "address of one server"),
        ("192.0.2.1:25", "address of one server"),
        ("2001:db8::1", "address of one server"),
        ("[192.0.2.1]", "[192.0.2.1] is the address of one server"),
        ("[192.0.2.1]:25", "address of one server"),
        ("[IPv6:2001:db8::1]", "address of one server"),
        ("[2001:db8::1]:25", "address of one server"),
        ("anna@[192.0.2.1]", "address of one server"),
        ("256.1.1.1", "ends in a number"),
        ("127.1", "ends in a number"),
        ("[mx.example.org]", "[mx.example.org] names one server"),
        ("[mx.example.org]:25", "without brackets"),
        (
            "https://www.example.org/contact?x=1",
            "web address, and mail goes to a domain; try example.org",
        ),
        ("http://example.org:8080", "try example.org"),
        ("https://<script>", "try example.org"),
        ("https://", "try example.org"),
        ("example.org/path", "try example.org"),
        ("example.org:25", "names a port"),
        (
            "_25._tcp.mx.example.org",
            "the name of a record, and takes no mail; type the domain, perhaps mx.example.org",
        ),
        ("_dmarc.example.org", "perhaps example.org"),
        ("_tcp", "perhaps example.org"),
        ("example..org", "empty label"),
        (".example.org", "empty label"),
        ("example.org..", "empty label"),
        ("*.example.org", "\"*\""),
        ("exa mple.org", "a space"),
        ("example.org, example.net", "\",\""),
        ("example.org # mail", "a space"),
        ("example.org(a comment)", "\"(\""),
        ("exa\\046mple.org", "which no mail domain has"),
        ("\u{1b}]0;gone\u{7}.org", "\\u{1b}]0;gone\\u{7}.org holds"),
        ("exa\u{202e}mple.org", "exa\\u{202e}mple.org holds"),
        ("exa\u{200b}mple.org", "\\u{200b}"),
        ("example.org\u{ff0f}x", "example.org"),
        ("<script>alert(1)</script>", "<script>"),
        ("Anna <anna@example.org>", "\">\""),
        (&long_name, "name longer than 255 octets"),
        (&long_label, "label longer than 63 octets"),
        (&huge, "name longer than 255 octets"),
    ] {
        let error = match read(typed) {
            Err(error) => error.to_string(),
            Ok(target) => panic!("{typed:?} was read as {target}"),
        };
        assert!(error.contains(part), "{typed:?}: {error}");
        assert!(error.chars().count() < 250, "{error}");
        assert!(
            !error
                .chars()
                .any(|one| one.is_control() || is_invisible(one)),
            "{error:?}"
        );
    }
}

#[test]
fn lists() {
    let list =
        "\u{feff}example.org # ours\n\n  # nothing here\r\nexample.net\texample.com\r\n#\n last";
    let read: Vec<&str> = entries(list).collect();
    assert_eq!(read, ["example.org", "example.net", "example.com", "last"]);
    assert_eq!(entries(" \n# none\n").count(), 0);
}
