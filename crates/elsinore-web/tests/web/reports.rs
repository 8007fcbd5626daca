//! Checks, reports and everything made of them.

use crate::client::Running;
use crate::samples::{BEGAN, Samples};
use elsinore_check::report::Report;
use elsinore_web::settings::{Settings, StoreLimits};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Checks a domain and gives the path of its report.
pub(crate) async fn checked(page: &Running, domain: &str) -> String {
    let answer = page.get(&format!("/check?domain={domain}")).await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    let (_, rest) = answer
        .body
        .split_once("data-address=\"")
        .expect(&answer.body);
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_check_is_streamed_and_ends_with_the_report() {
    let page = Running::start(Settings::default(), Samples::open()).await;
    let answer = page.get("/check?domain=Example.ORG").await;
    assert_eq!(answer.field("content-type"), "text/html; charset=utf-8");
    let order = [
        "Checking <strong>example.org</strong>",
        "MX records of example.org",
        "<article class=\"report\" id=\"report\"",
        "<span>protected</span>",
        "</html>",
    ];
    let places: Vec<usize> = order
        .iter()
        .map(|text| {
            answer
                .body
                .find(text)
                .unwrap_or_else(|| panic!("{text}: {}", answer.body))
        })
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    page.stop().await;
}

#[tokio::test]
async fn lines_arrive_before_the_end() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let page = Running::start(Settings::default(), Samples::held()).await;
    let mut stream = tokio::net::TcpStream::connect(page.at).await.unwrap();
    let request = format!(
        "GET /check?domain=example.org HTTP/1.1\r\nHost: {}\r\n\r\n",
        page.at
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    // The check cannot end before it is released, and its first line has to arrive before.
    while !String::from_utf8_lossy(&seen).contains("2 records, secure") {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0);
        seen.extend_from_slice(&buffer[..count]);
    }
    assert!(!String::from_utf8_lossy(&seen).contains("id=\"report\""));
    page.samples.release(1);
    while !String::from_utf8_lossy(&seen).contains("</html>") {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0);
        seen.extend_from_slice(&buffer[..count]);
    }
    page.stop().await;
}

#[tokio::test]
async fn one_report_in_three_forms() {
    let page = Running::start(Settings::default(), Samples::open()).await;
    let path = checked(&page, "example.org").await;
    let html = page.get(&path).await;
    assert_eq!(
        (html.status, html.field("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert!(
        html.body.contains("2026-10-14"),
        "the time of the measurement"
    );
    assert_eq!(html.field("vary"), "Accept");
    let twin = page.get(&format!("{path}.json")).await;
    let accept = [("Accept", "application/json")];
    let negotiated = page.send("GET", &path, &accept, "").await;
    assert_eq!(twin.field("content-type"), "application/json");
    assert_eq!(twin.body, negotiated.body);
    let report: Report = serde_json::from_str(&twin.body).unwrap();
    assert_eq!(report, crate::samples::report("example.org"));
    // The streamed report and the kept one are the same document.
    let streamed = page.get("/check?domain=other.example").await;
    let kept = page.get("/d/other.example").await;
    assert_eq!(kept.status, 303);
    let kept = page.get(kept.field("location")).await;
    let article = |text: &str| {
        let start = text.find("<article class=\"report\"").unwrap();
        let end = text.rfind("</article>").unwrap();
        text[start..end].to_owned()
    };
    assert_eq!(article(&streamed.body), article(&kept.body));
    page.stop().await;
}

#[tokio::test]
async fn a_fresh_report_is_shown_instead_of_measuring_again() {
    let page = Running::start(Settings::default(), Samples::open()).await;
    let path = checked(&page, "example.org").await;
    let again = page.get("/check?domain=example.org").await;
    assert_eq!(
        (again.status, again.field("location")),
        (303, path.as_str())
    );
    assert_eq!(page.samples.begun.load(Ordering::SeqCst), 1);
    page.later(301);
    *page.samples.began_at.lock().unwrap() = BEGAN + 301;
    let later = checked(&page, "example.org").await;
    assert_ne!(path, later);
    assert_eq!(page.samples.begun.load(Ordering::SeqCst), 2);
    let html = page.get(&later).await;
    assert!(
        html.body.contains(&format!("{later}?with={}", &path[3..])),
        "the earlier report"
    );
    page.stop().await;
}

#[tokio::test]
async fn reports_outlive_the_process_and_not_their_age() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("reports.sqlite");
    let settings = Settings {
        store: StoreLimits {
            age: Duration::from_secs(1000),
            ..StoreLimits::default()
        },
        ..Settings::default()
    };
    let page = Running::on_file(settings.clone(), Samples::open(), &file).await;
    let path = checked(&page, "example.org").await;
    page.stop().await;
    let page = Running::on_file(settings, Samples::open(), &file).await;
    assert_eq!(page.get(&path).await.status, 200);
    page.later(1000);
    assert_eq!(page.get(&path).await.status, 200);
    page.later(1);
    assert_eq!(page.get(&path).await.status, 404);
    assert_eq!(page.get("/d/example.org").await.status, 404);
    page.stop().await;
}

#[tokio::test]
async fn a_badge_shows_what_is_known_and_begins_nothing() {
    let page = Running::start(Settings::default(), Samples::open()).await;
    let before = page.get("/badge/refused.example.svg").await;
    assert_eq!(before.field("content-type"), "image/svg+xml");
    assert_eq!(before.field("cross-origin-resource-policy"), "cross-origin");
    assert!(before.body.contains("not checked"));
    assert_eq!(page.samples.begun.load(Ordering::SeqCst), 0);
    checked(&page, "refused.example").await;
    let after = page.get("/badge/refused.example.svg").await;
    assert!(
        after.body.contains("mail will be refused"),
        "{}",
        after.body
    );
    for path in ["/badge/broken.example", "/badge/a%20b.svg", "/badge/.svg"] {
        let answer = page.get(path).await;
        assert!(matches!(answer.status, 200 | 404), "{path}");
        assert!(!answer.body.contains("protected"), "{path}");
    }
    page.stop().await;
}

#[tokio::test]
async fn a_check_without_a_report_says_why() {
    let page = Running::start(Settings::default(), Samples::open()).await;
    for (domain, expected) in [
        ("failing.example", "The resolver of this machine is ill."),
        ("panicking.example", "The check broke off."),
    ] {
        let answer = page.get(&format!("/check?domain={domain}")).await;
        assert!(answer.body.contains(expected), "{}", answer.body);
        assert!(answer.body.ends_with("</html>"), "{}", answer.body);
        let accept = [("Accept", "application/json")];
        let answer = page
            .send("GET", &format!("/check?domain={domain}"), &accept, "")
            .await;
        assert_eq!(answer.status, 502);
    }
    page.stop().await;
}

#[tokio::test]
async fn json_instead_of_a_stream() {
    let page = Running::start(Settings::default(), Samples::open()).await;
    let accept = [("Accept", "application/json")];
    let answer = page
        .send("GET", "/check?domain=example.org", &accept, "")
        .await;
    let report: Report = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(report.domain, "example.org");
    assert_eq!(
        page.get(answer.field("content-location")).await.body,
        answer.body
    );
    page.stop().await;
}

#[tokio::test]
async fn two_reports_beside_each_other() {
    let page = Running::start(Settings::default(), Samples::open()).await;
    let first = checked(&page, "changing.example").await;
    page.later(400);
    *page.samples.began_at.lock().unwrap() = BEGAN + 400;
    *page.samples.playing.lock().unwrap() = Some("refused");
    let second = checked(&page, "changing.example").await;
    for (path, with) in [(&second, &first), (&first, &second)] {
        let answer = page.get(&format!("{path}?with={}", &with[3..])).await;
        assert_eq!(answer.status, 200);
        assert!(
            answer.body.contains("The verdict was: protected."),
            "{}",
            answer.body
        );
        assert!(
            answer
                .body
                .contains("was protected, is mail will be refused")
        );
        assert!(answer.body.contains("worse</span>"));
    }
    let other = checked(&page, "other.example").await;
    let answer = page.get(&format!("{first}?with={}", &other[3..])).await;
    assert_eq!(answer.status, 400);
    let answer = page.get(&format!("{first}?with=0123456789abcdef")).await;
    assert_eq!(answer.status, 404);
    page.stop().await;
}
