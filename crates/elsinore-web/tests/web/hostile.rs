//! Text of strangers: typed into the field, or published in DNS and said by servers.

use crate::client::Running;
use crate::reports::checked;
use crate::samples::Samples;
use elsinore_web::settings::Settings;

/// What must never stand in a page as it was written.
const FORBIDDEN: &[&str] = &[
    "<script>alert",
    "<img src=x",
    "\u{202e}",
    "\u{1b}",
    "onerror=alert(1)>\"",
];

#[tokio::test]
async fn records_with_markup_and_escapes() {
    let page = Running::start(Settings::default(), Samples::open()).await;
    let path = checked(&page, "hostile.example").await;
    for path in [path.clone(), format!("{path}?with={}", &path[3..])] {
        let answer = page.get(&path).await;
        for text in FORBIDDEN {
            assert!(!answer.body.contains(text), "{path} has {text:?}");
        }
    }
    let html = page.get(&path).await;
    assert!(
        html.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;")
            || html.body.contains("&#60;script&#62;alert(1)")
    );
    assert!(html.body.contains("\\u{202e}"));
    page.stop().await;
}

#[tokio::test]
async fn what_is_typed_into_the_field() {
    let page = Running::start(Settings::default(), Samples::open()).await;
    for typed in [
        "%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "%27%22%3E%3Cimg+src%3Dx+onerror%3Dalert(1)%3E%22",
        "%E2%80%AEmoc.elpmaxe",
        "%1B%5B2Jexample.org",
        "%00",
        "%FF%FE",
        "",
        "a..b",
    ] {
        for path in [
            format!("/check?domain={typed}"),
            format!("/?domain={typed}"),
            format!("/d/{typed}"),
        ] {
            let answer = page.get(&path).await;
            assert!(
                answer.status != 500 && answer.status != 0,
                "{path}: {}",
                answer.status
            );
            for text in FORBIDDEN {
                assert!(!answer.body.contains(text), "{path} has {text:?}");
            }
        }
    }
    let long = "x".repeat(300);
    let answer = page.get(&format!("/check?domain={long}")).await;
    assert_eq!(answer.status, 400);
    page.stop().await;
}
