//! The page with the one field, the files that belong to every page, and what is said where nothing is.

use crate::html;
use crate::site::Site;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

/// What the field may be filled with.
#[derive(Debug, Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    domain: String,
}

pub(super) async fn page(State(site): State<Site>, Query(filled): Query<Filled>) -> Response {
    html::start(&site, &filled.domain)
}

pub(super) async fn asset(State(site): State<Site>, uri: Uri) -> Response {
    site.assets().file(uri.path())
}

pub(super) async fn icon(State(site): State<Site>) -> Redirect {
    Redirect::permanent(&site.assets().icon)
}

/// Checks are for people; reports are of a moment and no use in an index.
pub(super) async fn robots() -> Response {
    const RULES: &str = "User-agent: *\nDisallow: /check\nDisallow: /r/\nDisallow: /d/\n";
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], RULES).into_response()
}

pub(super) async fn nothing_here(State(site): State<Site>) -> Response {
    html::problem(
        &site,
        StatusCode::NOT_FOUND,
        "There is nothing here",
        "Perhaps the report was too old and is gone. Reports are kept for a limited time.",
        "",
    )
}

pub(super) async fn no_such_method(State(site): State<Site>) -> Response {
    html::problem(
        &site,
        StatusCode::METHOD_NOT_ALLOWED,
        "That cannot be done here",
        "Pages are read with GET; a check is asked for with GET or POST.",
        "",
    )
}
