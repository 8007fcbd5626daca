//! The addresses of the page and what stands between them and the network: who may ask, what every
//! answer carries, one line in the log.

mod badge;
mod check;
mod report;
mod start;

use crate::client::{self, Client};
use crate::html;
use crate::log;
use crate::server::{AboveBounds, Peer};
use crate::settings::Settings;
use crate::site::Site;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use elsinore_net::host_field;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

/// Octets of a form: one field with a name of at most 300 characters, each of up to nine octets.
const FORM_OCTETS: usize = 4096;
/// When to come again, said to those who come above the bounds on connections.
const CROWDED: Duration = Duration::from_secs(10);

/// What may be loaded: our own files, and nothing written into the page. Nobody may frame it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Every address of the page.
pub(crate) fn router(site: Site) -> Router {
    Router::new()
        .route("/", get(start::page))
        .route("/check", get(check::get).post(check::post))
        .route("/r/{name}", get(report::page))
        .route("/d/{domain}", get(report::latest))
        .route("/badge/{name}", get(badge::image))
        .route("/static/{name}", get(start::asset))
        .route("/favicon.ico", get(start::icon))
        .route("/robots.txt", get(start::robots))
        .fallback(start::nothing_here)
        .method_not_allowed_fallback(start::no_such_method)
        .layer(DefaultBodyLimit::max(FORM_OCTETS))
        .layer(middleware::from_fn_with_state(site.clone(), around))
        .with_state(site)
}

/// What is done around every request.
async fn around(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let peer = request.extensions().get::<Peer>().map_or_else(
        || IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        |Peer(address)| *address,
    );
    let proxies = &site.settings().trusted_proxies;
    let client = client::of_request(peer, request.headers(), proxies);
    request.extensions_mut().insert(client);
    let mut response = match refusal(&site, &request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    headers
        .entry(RESOURCE_POLICY)
        .or_insert(HeaderValue::from_static("same-origin"));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    log::request(
        method.as_str(),
        &path,
        response.status().as_u16(),
        start.elapsed(),
    );
    response
}

/// The answer to a request that is not for us to answer.
fn refusal(site: &Site, request: &Request) -> Option<Response> {
    if request.extensions().get::<AboveBounds>().is_some() {
        return Some(later(
            site,
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many connections are open at the moment.",
            CROWDED,
        ));
    }
    if !is_ours(request.headers(), site.settings()) {
        return Some(html::problem(
            site,
            StatusCode::MISDIRECTED_REQUEST,
            "This page does not go by that name",
            "Its address is an IP address or localhost, unless [web] url in the configuration says \
             otherwise.",
            "",
        ));
    }
    None
}

/// Whether the name in `Host` is one of this page's. A page on loopback that answered to any name
/// could be read by every web site whose name is made to point at 127.0.0.1 (DNS rebinding).
fn is_ours(headers: &HeaderMap, settings: &Settings) -> bool {
    if settings.url.is_none() && !settings.listen.ip().is_loopback() {
        return headers.contains_key(header::HOST);
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let by_url = settings.url.as_ref().is_some_and(|url| {
        let host = hosts.next().and_then(|host| host.to_str().ok());
        hosts.next().is_none() && host.is_some_and(|host| host.eq_ignore_ascii_case(url.host()))
    });
    by_url || host_field::is_own(headers, &[])
}

/// Whether another site made the browser send this (Fetch Metadata; else RFC 6454 §7). Programs that are
/// no browsers send neither header, and nobody can make them send anything.
fn from_elsewhere(headers: &HeaderMap, settings: &Settings) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text("origin") else {
        return false;
    };
    let origin = origin.to_ascii_lowercase();
    if (settings.url.as_ref()).is_some_and(|url| url.as_str() == origin) {
        return false;
    }
    let host = text("host").unwrap_or_default().to_ascii_lowercase();
    let origin_host = origin.split_once("://").map(|(_, host)| host);
    origin_host != Some(host.as_str())
}

/// Whether the answer is wanted as JSON rather than as a page.
fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let kinds = accepted.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    let pages = ["application/json", "text/html", "application/xhtml+xml"];
    kinds
        .filter(|kind| pages.contains(kind))
        .take(1)
        .any(|first| first == "application/json")
}

/// JSON as an answer.
fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// "Not now": a page with `Retry-After` (RFC 9110 §10.2.3).
fn later(site: &Site, status: StatusCode, why: &str, wait: Duration) -> Response {
    let seconds = wait.as_secs().max(1) + u64::from(wait.subsec_nanos() > 0);
    let text = format!("{why} Please try again in {}.", html::span(seconds));
    let mut response = html::problem(site, status, "Not now", &text, "");
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Something of ours that went wrong: the log has the reason, the page says that it is not theirs.
fn our_fault(site: &Site, what: &dyn std::fmt::Display) -> Response {
    log::problem(&what.to_string());
    html::problem(
        site,
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something is wrong with this page",
        "It says nothing about any domain. The log of this server has the reason.",
        "",
    )
}

/// The client that a request counts for.
fn client_of(request: &axum::http::Extensions) -> Client {
    request
        .get::<Client>()
        .copied()
        .unwrap_or_else(|| Client::of(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
}

/// Whether a request only asks what the answer would be.
fn is_head(method: &Method) -> bool {
    *method == Method::HEAD
}

/// An answer without content, for HEAD where making the content would cost something.
fn head_only(kind: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], Body::empty()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = fields.iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).unwrap();
            (HeaderName::from_static(name), value)
        });
        pairs.collect()
    }

    #[test]
    fn names_of_the_page() {
        let local = Settings::default();
        let named = Settings {
            url: Some("https://dane.example".parse().unwrap()),
            ..Settings::default()
        };
        let open = Settings {
            listen: "0.0.0.0:80".parse().unwrap(),
            ..Settings::default()
        };
        for (host, settings, expected) in [
            ("127.0.0.1:8025", &local, true),
            ("localhost", &local, true),
            ("LocalHost:8025", &local, true),
            ("[::1]:8025", &local, true),
            ("evil.example", &local, false),
            ("localhost.evil.example:8025", &local, false),
            ("dane.example", &named, true),
            ("evil.example", &named, false),
            ("127.0.0.1:8025", &named, true),
            ("whatever.example", &open, true),
        ] {
            let headers = headers(&[("host", host)]);
            assert_eq!(is_ours(&headers, settings), expected, "{host}");
        }
        assert!(!is_ours(&HeaderMap::new(), &local));
    }

    #[test]
    fn requests_made_by_other_sites() {
        let settings = Settings::default();
        let host = ("host", "127.0.0.1:8025");
        for (fields, expected) in [
            (vec![host], false),
            (vec![host, ("sec-fetch-site", "same-origin")], false),
            (vec![host, ("sec-fetch-site", "none")], false),
            (vec![host, ("sec-fetch-site", "cross-site")], true),
            (vec![host, ("sec-fetch-site", "same-site")], true),
            (vec![host, ("origin", "http://127.0.0.1:8025")], false),
            (vec![host, ("origin", "http://127.0.0.1:9999")], true),
            (vec![host, ("origin", "null")], true),
        ] {
            assert_eq!(
                from_elsewhere(&headers(&fields), &settings),
                expected,
                "{fields:?}"
            );
        }
    }

    #[test]
    fn negotiation() {
        for (accept, expected) in [
            ("", false),
            ("*/*", false),
            ("application/json", true),
            ("application/json, text/html;q=0.5", true),
            ("text/html,application/xhtml+xml,application/json", false),
            ("text/plain, application/json;q=0.9", true),
        ] {
            assert_eq!(
                wants_json(&headers(&[("accept", accept)])),
                expected,
                "{accept}"
            );
        }
    }
}
