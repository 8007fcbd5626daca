//! Cases 62 to 68: reference identifiers against what the leaf carries.

use super::{inter, leaf_with, reject, root};
use crate::cases::{Case, ta};
use crate::make::{extension, name, name_as, san, san_elements, san_raw, tlv};
use elsinore_dane::verify::Rejection;

/// Case 62: one of three reference identifiers is enough.
pub(crate) fn three_names() -> Vec<Case> {
    let names = ["mx.example.org", "example.org", "alias.example.net"];
    let (inter, root) = (inter().make(), root().make());
    names
        .iter()
        .map(|carried| {
            let leaf = leaf_with(|s| s.extensions = vec![san(&[carried])]);
            let record = vec![root.record(2, 0, 1)];
            Case::new(
                format!("62-{carried}"),
                &[&leaf, &inter, &root],
                record,
                ta(2),
            )
            .names(&names)
        })
        .collect()
}

pub(super) fn cases() -> Vec<Case> {
    let (inter, root) = (inter().make(), root().make());
    let mut cases = three_names();
    let mismatch = reject(Rejection::NameMismatch);
    let mut add = |id: &str, subject: Vec<u8>, extensions: Vec<Vec<u8>>, reference, expected| {
        let leaf = leaf_with(|s| {
            s.subject = subject;
            s.extensions = extensions;
        });
        let record = vec![root.record(2, 0, 1)];
        let case = Case::new(id, &[&leaf, &inter, &root], record, expected);
        cases.push(case.names(&[reference]));
    };
    let cn = |text: &str| name(text);
    let address = tlv(0x87, &[192, 0, 2, 1]);
    let both = |text: &str| vec![san(&[text])];
    let mx = "mx.example.org";
    //= spec-test: 7672-3.2.2-1
    add("63-none", cn("server"), both("other.test"), mx, mismatch);
    add("63-no-names", cn(""), vec![], mx, mismatch);
    add("64-wildcard", cn("x"), both("*.example.org"), mx, ta(2));
    add(
        "64-two-labels",
        cn("x"),
        both("*.example.org"),
        "a.mx.example.org",
        mismatch,
    );
    add(
        "64-bare-domain",
        cn("x"),
        both("*.example.org"),
        "example.org",
        mismatch,
    );
    add(
        "64-top-level",
        cn("x"),
        both("*.test"),
        "example.test",
        mismatch,
    );
    add("64-partial", cn("x"), both("m*.example.org"), mx, mismatch);
    add("64-inner", cn("x"), both("mx.*.org"), mx, mismatch);
    add(
        "64-underscore",
        cn("x"),
        both("*.example.org"),
        "my_mx.example.org",
        ta(2),
    );
    add("64-wildcard-cn", cn("*.example.org"), vec![], mx, ta(2));
    add("65-cn", cn(mx), vec![], mx, ta(2));
    add(
        "65-cn-beside-address",
        cn(mx),
        vec![san_elements(&[&address])],
        mx,
        ta(2),
    );
    add(
        "65-cn-printable",
        name_as(0x13, mx.as_bytes()),
        vec![],
        mx,
        ta(2),
    );
    let wide: Vec<u8> = mx.bytes().flat_map(|octet| [0, octet]).collect();
    add("65-cn-bmp", name_as(0x1e, &wide), vec![], mx, ta(2));
    //= spec-test: 7672-3.2.3-1
    add(
        "66-cn-beside-dns-name",
        cn(mx),
        both("other.test"),
        mx,
        mismatch,
    );
    add(
        "67-nul",
        cn("x"),
        vec![san_raw(&[b"mx.example.org\0.evil.test"])],
        mx,
        mismatch,
    );
    add(
        "67-nul-at-end",
        cn("x"),
        vec![san_raw(&[b"mx.example.org\0"])],
        mx,
        mismatch,
    );
    add(
        "67-nul-in-cn",
        cn("mx.example.org\0.evil.test"),
        vec![],
        mx,
        mismatch,
    );
    add("68-case", cn("x"), both("MX.Example.ORG"), mx, ta(2));
    add(
        "68-case-of-reference",
        cn("x"),
        both(mx),
        "MX.EXAMPLE.org",
        ta(2),
    );
    add(
        "68-dot-of-reference",
        cn("x"),
        both(mx),
        "mx.example.org.",
        ta(2),
    );
    add(
        "68-dot-of-certificate",
        cn("x"),
        both("mx.example.org."),
        mx,
        ta(2),
    );
    add(
        "68-a-label",
        cn("x"),
        both("xn--bcher-kva.example.org"),
        "b\u{fc}cher.example.org",
        ta(2),
    );
    add(
        "68-u-label",
        cn("x"),
        vec![san_raw(&["b\u{fc}cher.example.org".as_bytes()])],
        "b\u{fc}cher.example.org",
        mismatch,
    );
    add(
        "68-garbage-san",
        cn(mx),
        vec![extension(&[0x55, 0x1d, 17], false, b"\xff\xff")],
        mx,
        reject(Rejection::Malformed { depth: 0 }),
    );
    cases
}
