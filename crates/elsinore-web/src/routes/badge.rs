//! `/badge/DOMAIN.svg`: the last known state of a domain as a small picture, for other sites to
//! show. It is made from what is kept and never begins a check, so that no visitor of such a site
//! makes anybody's server work.

use super::{RESOURCE_POLICY, our_fault};
use crate::badge;
use crate::html::PICTURE_POLICY;
use crate::site::Site;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use elsinore_check::report::State as Verdict;
use elsinore_dane::time::UnixTime;

pub(super) async fn image(State(site): State<Site>, Path(name): Path<String>) -> Response {
    let Some(domain) = name.strip_suffix(".svg") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Ok(target) = elsinore_check::target::read(domain) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let ever = UnixTime(i64::MAX);
    let latest = match site
        .store()
        .of_domain(target.domain.as_str(), ever, 1, site.now())
        .await
    {
        Ok(entries) => entries.into_iter().next(),
        Err(error) => return our_fault(&site, &error),
    };
    let known = latest.and_then(|entry| {
        let state = Verdict::ALL
            .into_iter()
            .find(|state| state.word() == entry.state)?;
        Some((state, entry.measured_at))
    });
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::CONTENT_SECURITY_POLICY, PICTURE_POLICY),
        (RESOURCE_POLICY, "cross-origin"),
    ];
    (headers, badge::svg(known)).into_response()
}
