//! Who may ask, how often, how much at once, and what every answer carries.

use crate::client::Running;
use crate::samples::Samples;
use elsinore_web::settings::{CheckLimits, ConnectionLimits, Settings};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn with_checks(checks: CheckLimits) -> Settings {
    Settings {
        checks,
        ..Settings::default()
    }
}

#[tokio::test]
async fn every_answer_is_guarded() {
    let page = Running::start(Settings::default(), Samples::open()).await;
    let start = page.get("/").await;
    let style = start
        .body
        .split("href=\"")
        .find(|rest| rest.starts_with("/static/"))
        .unwrap();
    let style = style.split('"').next().unwrap().to_owned();
    for path in [
        "/",
        "/check?domain=example.org",
        "/check",
        "/nowhere",
        "/r/0123456789abcdef",
        "/robots.txt",
        style.as_str(),
    ] {
        let answer = page.get(path).await;
        let policy = answer.field("content-security-policy");
        assert!(
            policy.contains("default-src 'none'"),
            "{path}: {}",
            answer.head
        );
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(answer.field("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.field("referrer-policy"), "same-origin", "{path}");
        assert_eq!(answer.field("set-cookie"), "", "{path}");
        assert_ne!(answer.field("cache-control"), "", "{path}");
        // Nothing that the policy forbids is on the page; the name of SVG's namespace loads nothing.
        let body = answer.body.replace("http://www.w3.org/2000/svg", "");
        for forbidden in [
            "<style",
            " style=",
            "onclick",
            "onerror=\"",
            "javascript:",
            "http://",
            "<script>",
        ] {
            assert!(
                !body.contains(forbidden) || path == style,
                "{path}: {forbidden}"
            );
        }
    }
    page.stop().await;
}

#[tokio::test]
async fn methods_and_forms() {
    let page = Running::start(Settings::default(), Samples::open()).await;
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let own = format!("http://{}", page.at);
    for (method, path, fields, body, expected) in [
        ("HEAD", "/", vec![], "", 200),
        ("HEAD", "/check?domain=head.example", vec![], "", 200),
        ("PUT", "/", vec![], "", 405),
        ("DELETE", "/r/0123456789abcdef", vec![], "", 405),
        ("POST", "/", vec![], "", 405),
        ("POST", "/check", vec![form], "domain=posted.example", 200),
        (
            "POST",
            "/check",
            vec![form, ("Origin", own.as_str())],
            "domain=own.example",
            200,
        ),
        (
            "POST",
            "/check",
            vec![form, ("Origin", "https://evil.example")],
            "domain=x.example",
            403,
        ),
        (
            "POST",
            "/check",
            vec![form, ("Sec-Fetch-Site", "cross-site")],
            "domain=x.example",
            403,
        ),
        (
            "POST",
            "/check",
            vec![("Content-Type", "text/plain")],
            "domain=x.example",
            400,
        ),
        ("GET", "/", vec![("Host", "evil.example")], "", 421),
        ("GET", "/r/..%2f..%2fetc%2fpasswd", vec![], "", 404),
        ("GET", "/r/0123456789abcdef.exe", vec![], "", 404),
    ] {
        let answer = page.send(method, path, &fields, body).await;
        assert_eq!(
            answer.status, expected,
            "{method} {path} {fields:?}: {}",
            answer.body
        );
    }
    let long = format!("domain={}", "x".repeat(10_000));
    let answer = page.send("POST", "/check", &[form], &long).await;
    assert_eq!(answer.status, 413);
    assert_eq!(
        page.samples.begun.load(Ordering::SeqCst),
        2,
        "posted.example and own.example"
    );
    page.stop().await;
}

#[tokio::test]
async fn other_sites_cannot_begin_checks() {
    let page = Running::start(Settings::default(), Samples::open()).await;
    for field in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Purpose", "prefetch"),
    ] {
        let answer = page
            .send("GET", "/check?domain=example.org", &[field], "")
            .await;
        assert_eq!(answer.status, 200);
        assert!(
            answer.body.contains("value=\"example.org\""),
            "{}",
            answer.body
        );
    }
    assert_eq!(page.samples.begun.load(Ordering::SeqCst), 0);
    page.stop().await;
}

#[tokio::test]
async fn one_check_for_all_who_ask_for_the_same_domain() {
    let page = Running::start(Settings::default(), Samples::held()).await;
    let asking: Vec<_> = (0..20)
        .map(|_| page.get("/check?domain=example.org"))
        .collect();
    let release = async {
        while page.samples.begun.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        page.samples.release(100);
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(asking), release);
    for answer in answers {
        assert!(matches!(answer.status, 200 | 303), "{}", answer.head);
    }
    assert_eq!(page.samples.begun.load(Ordering::SeqCst), 1);
    page.stop().await;
}

#[tokio::test]
async fn one_client_gets_its_share() {
    let limits = CheckLimits {
        per_client_hour: 3,
        ..CheckLimits::default()
    };
    let page = Running::start(with_checks(limits), Samples::open()).await;
    for count in 0..3 {
        let answer = page.get(&format!("/check?domain=d{count}.example")).await;
        assert_eq!(answer.status, 200);
    }
    let answer = page.get("/check?domain=d3.example").await;
    assert_eq!(answer.status, 429);
    let wait: u64 = answer.field("retry-after").parse().unwrap();
    assert!((1..=1200).contains(&wait), "{wait}");
    // Looking costs nothing.
    assert_eq!(page.get("/check?domain=d0.example").await.status, 303);
    page.stop().await;
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_told_apart() {
    let settings = Settings {
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        checks: CheckLimits {
            per_client_hour: 1,
            ..CheckLimits::default()
        },
        ..Settings::default()
    };
    let page = Running::start(settings, Samples::open()).await;
    for (from, domain, expected) in [
        ("192.0.2.1", "a.example", 200),
        ("192.0.2.1", "b.example", 429),
        ("192.0.2.2", "c.example", 200),
        // What the client itself wrote stands further left and does not count.
        ("198.51.100.9, 192.0.2.2", "d.example", 429),
    ] {
        let field = [("X-Forwarded-For", from)];
        let answer = page
            .send("GET", &format!("/check?domain={domain}"), &field, "")
            .await;
        assert_eq!(answer.status, expected, "{from}");
    }
    page.stop().await;
}

#[tokio::test]
async fn a_thousand_at_once_are_all_answered() {
    let settings = Settings {
        connections: ConnectionLimits {
            total: 2000,
            per_client: 2000,
            ..ConnectionLimits::default()
        },
        checks: CheckLimits {
            at_once: 4,
            waiting: 16,
            per_client_hour: 100_000,
            ..CheckLimits::default()
        },
        ..Settings::default()
    };
    let page = Running::start(settings, Samples::held()).await;
    let asking = (0..1000).map(|count| async move { count });
    let paths: Vec<String> = futures_util::future::join_all(asking)
        .await
        .into_iter()
        .map(|count| format!("/check?domain=d{count}.example"))
        .collect();
    let asking = futures_util::future::join_all(paths.iter().map(|path| page.get(path)));
    let release = async {
        // Nobody is answered with a report before all places are taken.
        while page.samples.begun.load(Ordering::SeqCst) < 4 {
            tokio::task::yield_now().await;
        }
        page.samples.release(1000);
    };
    let (answers, ()) = tokio::join!(asking, release);
    let with = |status| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    assert_eq!(with(200) + with(503), 1000, "{} {}", with(200), with(503));
    assert!(with(200) >= 20, "{}", with(200));
    for answer in answers.iter().filter(|answer| answer.status == 503) {
        assert_ne!(answer.field("retry-after"), "");
    }
    assert!(page.samples.most.load(Ordering::SeqCst) <= 4);
    assert_eq!(page.get("/").await.status, 200);
    page.stop().await;
}

#[tokio::test]
async fn too_many_connections_are_told_so() {
    let settings = Settings {
        connections: ConnectionLimits {
            total: 100,
            per_client: 2,
            ..ConnectionLimits::default()
        },
        ..Settings::default()
    };
    let page = Running::start(settings, Samples::open()).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(page.at).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", page.at);
        stream.write_all(request.as_bytes()).await.unwrap();
        // Its answer shows that it has its seat.
        let mut octets = [0; 12];
        stream.read_exact(&mut octets).await.unwrap();
        assert_eq!(&octets, b"HTTP/1.1 200");
        held.push(stream);
    }
    let answer = page.get("/").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.field("retry-after"), "10");
    drop(held);
    page.stop().await;
}

#[tokio::test]
async fn slow_requests_and_large_heads_are_cut_off() {
    let settings = Settings {
        connections: ConnectionLimits {
            head: Duration::from_millis(100),
            ..ConnectionLimits::default()
        },
        ..Settings::default()
    };
    let page = Running::start(settings, Samples::open()).await;
    // Half a request, and then nothing: the other end closes.
    let answer = page.raw("GET / HTTP/1.1\r\nHost: localhost\r\n").await;
    assert!(matches!(answer.status, 0 | 408), "{}", answer.head);
    let large = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    assert!(matches!(page.raw(&large).await.status, 0 | 400 | 431));
    let many = "X: y\r\n".repeat(1000);
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    assert!(matches!(page.raw(&many).await.status, 0 | 400 | 431));
    assert_eq!(page.get("/").await.status, 200);
    page.stop().await;
}
