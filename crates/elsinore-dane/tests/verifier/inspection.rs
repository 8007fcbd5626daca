//! What is told of certificates, good and bad.

use crate::make::{Spec, name, san, san_elements, tlv, utc};
use elsinore_dane::time::UnixTime;
use elsinore_dane::verify::{Undecodable, inspect};

#[test]
fn an_ordinary_certificate() {
    let address = tlv(0x87, &[192, 0, 2, 1]);
    let six = tlv(
        0x87,
        &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    );
    let dns = tlv(0x82, b"mx.example.org");
    let made = Spec::plain("server", "leaf", "Root", "root")
        .with(|s| s.extensions = vec![san_elements(&[&dns, &address, &six])])
        .make();
    let summary = inspect(&made.der).unwrap();
    assert_eq!(summary.sha256, openssl::sha::sha256(&made.der));
    assert_eq!(summary.public_key_sha256, openssl::sha::sha256(&made.spki));
    assert_eq!(summary.subject_common_names, ["server"]);
    assert_eq!(summary.issuer_common_names, ["Root"]);
    assert_eq!(
        summary.subject_alt_names,
        ["mx.example.org", "192.0.2.1", "2001:db8::1"]
    );
    assert_eq!(summary.not_before, Some(UnixTime(1_735_689_600)));
    assert_eq!(summary.not_after, Some(UnixTime(2_051_222_400)));
    assert!(!summary.self_issued);
}

#[test]
fn hostile_certificates() {
    let many: Vec<String> = (0..250).map(|n| format!("host{n}.test")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let crowded = Spec::server(&many, "leaf", "Root", "root").make();
    let summary = inspect(&crowded.der).unwrap();
    assert_eq!(summary.subject_alt_names.len(), 100);
    assert_eq!(summary.further_names, 150);
    let odd = Spec::plain("a\u{1b}[31m\r\nb", "leaf", "Root", "root")
        .with(|s| {
            s.extensions = vec![san(&["x\0y", &"z".repeat(1_000)])];
            s.not_after = utc("never, ever!!");
        })
        .make();
    let summary = inspect(&odd.der).unwrap();
    assert_eq!(summary.subject_common_names, ["a\\u{1b}[31m\\r\\nb"]);
    assert_eq!(summary.subject_alt_names[0], "x\\u{0}y");
    assert_eq!(summary.subject_alt_names[1].len(), 255);
    assert_eq!(summary.not_after, None);
    let nameless = Spec::plain("x", "leaf", "x", "leaf").with(|s| s.subject = name(""));
    assert!(
        inspect(&nameless.make().der)
            .unwrap()
            .subject_common_names
            .is_empty()
    );
    for entry in [&b""[..], b"garbage", &crowded.der[..100]] {
        assert_eq!(inspect(entry), Err(Undecodable));
    }
}
