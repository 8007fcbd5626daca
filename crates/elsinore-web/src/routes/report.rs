//! `/r/ID`: a report that is kept, as a page, as JSON (by `Accept` or with `.json`), or its rail as a
//! picture (`.svg`); `/d/DOMAIN`: the latest report of a domain.

use super::{json, our_fault, start, wants_json};
use crate::html;
use crate::site::Site;
use crate::store::{Kept, ReportId};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use elsinore_check::report::Report;
use elsinore_dane::time::UnixTime;
use serde::Deserialize;

/// Reports do not change; what the page makes of them may, with the next version of the program.
const KEEP_FOR: HeaderValue = HeaderValue::from_static("private, max-age=60");

/// What a report may be compared with.
#[derive(Debug, Deserialize)]
pub(super) struct Compared {
    with: Option<String>,
}

pub(super) async fn page(
    State(site): State<Site>,
    Path(name): Path<String>,
    Query(compared): Query<Compared>,
    headers: HeaderMap,
) -> Response {
    let (id, form) = match name.split_once('.') {
        None if wants_json(&headers) => (name.as_str(), Form::Json),
        None => (name.as_str(), Form::Page),
        Some((id, "json")) => (id, Form::Json),
        Some((id, "svg")) => (id, Form::Picture),
        Some(_) => return start::nothing_here(State(site)).await,
    };
    let kept = match found(&site, id).await {
        Ok(kept) => kept,
        Err(response) => return response,
    };
    let mut response = match form {
        Form::Json => json(kept.json),
        Form::Page | Form::Picture => {
            let report = match read(&kept) {
                Ok(report) => report,
                Err(fault) => return our_fault(&site, &fault),
            };
            match (form, compared.with) {
                (Form::Picture, _) => html::picture(&report),
                (_, None) => html::report(&site, &kept.entry, &report).await,
                (_, Some(with)) => {
                    let earlier = match found(&site, &with).await {
                        Ok(earlier) => earlier,
                        Err(response) => return response,
                    };
                    match read(&earlier) {
                        Ok(earlier_report) => html::comparison(
                            &site,
                            (&earlier.entry, &earlier_report),
                            (&kept.entry, &report),
                        ),
                        Err(fault) => our_fault(&site, &fault),
                    }
                }
            }
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, KEEP_FOR);
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

/// The forms of a report.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Page,
    Json,
    Picture,
}

async fn found(site: &Site, id: &str) -> Result<Kept, Response> {
    let Ok(id) = id.parse::<ReportId>() else {
        return Err(start::nothing_here(State(site.clone())).await);
    };
    match site.store().by_id(&id, site.now()).await {
        Ok(Some(kept)) => Ok(kept),
        Ok(None) => Err(start::nothing_here(State(site.clone())).await),
        Err(error) => Err(our_fault(site, &error)),
    }
}

fn read(kept: &Kept) -> Result<Report, String> {
    serde_json::from_str(&kept.json)
        .map_err(|error| format!("report {} cannot be read: {error}", kept.entry.id))
}

pub(super) async fn latest(State(site): State<Site>, Path(domain): Path<String>) -> Response {
    let target = match elsinore_check::target::read(&domain) {
        Ok(target) => target,
        Err(error) => {
            let (heading, text) = ("That is not a domain", format!("{error}."));
            return html::problem(&site, StatusCode::BAD_REQUEST, heading, &text, &domain);
        }
    };
    let ever = UnixTime(i64::MAX);
    match site
        .store()
        .of_domain(target.domain.as_str(), ever, 1, site.now())
        .await
    {
        Err(error) => our_fault(&site, &error),
        Ok(entries) => match entries.first() {
            Some(entry) => Redirect::to(&format!("/r/{}", entry.id)).into_response(),
            None => html::problem(
                &site,
                StatusCode::NOT_FOUND,
                "There is no report of that domain",
                "Nobody has checked it lately. You can, here.",
                target.domain.as_str(),
            ),
        },
    }
}
