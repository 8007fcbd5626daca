//! `/check?domain=…`: begins a check, or joins one, or leads to a fresh report. The page is sent while
//! the check runs, line by line, and ends with the report; nothing of that needs a script.

use super::{client_of, from_elsewhere, head_only, is_head, json, later, our_fault, wants_json};
use crate::checker::{Course, End};
use crate::desk::Asked;
use crate::html;
use crate::site::Site;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, FromRequest as _, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use elsinore_check::target::Target;
use futures_util::stream;
use serde::Deserialize;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;

/// After so long without news a comment is sent, so that nobody in between takes the connection for dead.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// The one field.
#[derive(Debug, Deserialize)]
pub(super) struct Field {
    #[serde(default)]
    domain: String,
}

pub(super) async fn get(
    State(site): State<Site>,
    field: Result<Query<Field>, QueryRejection>,
    request: Request,
) -> Response {
    match field {
        Ok(Query(field)) => answer(&site, &field.domain, &request.into_parts().0).await,
        Err(_) => unreadable(&site),
    }
}

pub(super) async fn post(State(site): State<Site>, request: Request) -> Response {
    if from_elsewhere(request.headers(), site.settings()) {
        return html::problem(
            &site,
            StatusCode::FORBIDDEN,
            "That came from another site",
            "A check begins only from this page itself.",
            "",
        );
    }
    let (parts, body) = request.into_parts();
    let whole = Request::from_parts(parts.clone(), body);
    let field: Result<Form<Field>, FormRejection> = Form::from_request(whole, &site).await;
    match field {
        Ok(Form(field)) => answer(&site, &field.domain, &parts).await,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => html::problem(
            &site,
            StatusCode::PAYLOAD_TOO_LARGE,
            "That is too long",
            "A domain name has at most 253 characters.",
            "",
        ),
        Err(_) => unreadable(&site),
    }
}

fn unreadable(site: &Site) -> Response {
    html::problem(
        site,
        StatusCode::BAD_REQUEST,
        "That could not be read",
        "The request should have one field, domain.",
        "",
    )
}

async fn answer(site: &Site, typed: &str, request: &Parts) -> Response {
    let target = match elsinore_check::target::read(typed) {
        Ok(target) => target,
        Err(error) => {
            return html::problem(
                site,
                StatusCode::BAD_REQUEST,
                "That is not a domain to check",
                &format!("{error}."),
                typed,
            );
        }
    };
    // A link or a picture on another site must not make its visitors begin checks: they get the
    // field, filled, and press the button themselves.
    let unasked = from_elsewhere(&request.headers, site.settings())
        || request.headers.contains_key("sec-purpose");
    if unasked {
        return html::start(site, target.domain.as_str());
    }
    if is_head(&request.method) {
        return head_only("text/html; charset=utf-8");
    }
    let as_json = wants_json(&request.headers);
    let client = client_of(&request.extensions);
    match site.desk().ask(&target.domain, client).await {
        Err(error) => our_fault(site, &error),
        Ok(Asked::Fresh(id)) => Redirect::to(&format!("/r/{id}")).into_response(),
        Ok(Asked::TooMany(wait)) => {
            let why = "Too many checks were asked for from your address.";
            later(site, StatusCode::TOO_MANY_REQUESTS, why, wait)
        }
        Ok(Asked::Full(wait)) => {
            let why = "Too many checks are waiting for their turn.";
            later(site, StatusCode::SERVICE_UNAVAILABLE, why, wait)
        }
        Ok(Asked::Running(course)) if as_json => whole(site, course).await,
        Ok(Asked::Running(course)) => streamed(site.clone(), target, course),
    }
}

/// Waits for the end and answers with JSON.
async fn whole(site: &Site, mut course: watch::Receiver<Course>) -> Response {
    let end = match course.wait_for(|course| course.end.is_some()).await {
        Ok(course) => course.end.clone(),
        Err(_) => None,
    };
    match end {
        Some(End::Report(finished)) => {
            let mut response = json(finished.json.clone());
            let place = finished.id.as_ref().map(|id| format!("/r/{id}.json"));
            if let Some(place) = place.and_then(|place| place.parse().ok()) {
                response
                    .headers_mut()
                    .insert(header::CONTENT_LOCATION, place);
            }
            response
        }
        Some(End::Failed(sentence)) => html::problem(
            site,
            StatusCode::BAD_GATEWAY,
            "No report came of it",
            &sentence,
            "",
        ),
        None => our_fault(site, &"a check ended without a word"),
    }
}

/// How much of the page has been sent.
enum Sent {
    Nothing,
    Steps { count: usize, waiting: bool },
    Everything,
}

/// The page, sent as the check goes on.
fn streamed(site: Site, target: Target, course: watch::Receiver<Course>) -> Response {
    let start = (site, target, course, Sent::Nothing);
    let chunks = stream::unfold(start, |(site, target, mut course, sent)| async move {
        let (text, sent) = match sent {
            Sent::Everything => return None,
            Sent::Nothing => {
                let waiting = course.borrow().waiting;
                let text = html::opening(&site, &target, waiting);
                (text, Sent::Steps { count: 0, waiting })
            }
            Sent::Steps { count, waiting } => next_part(&site, &mut course, count, waiting).await,
        };
        let chunk = Ok::<_, Infallible>(Bytes::from(text));
        Some((chunk, (site, target, course, sent)))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        // Asks nginx not to wait for the end.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(chunks)).into_response()
}

/// The next part of the page: new steps, or the end.
async fn next_part(
    site: &Site,
    course: &mut watch::Receiver<Course>,
    count: usize,
    waiting: bool,
) -> (String, Sent) {
    let news = |course: &Course| {
        course.end.is_some() || course.steps.len() > count || course.waiting != waiting
    };
    let (steps, end, waiting) =
        match tokio::time::timeout(SIGN_OF_LIFE, course.wait_for(news)).await {
            Err(_) => {
                let sign = "<!-- still at it -->\n".to_owned();
                return (sign, Sent::Steps { count, waiting });
            }
            Ok(Ok(now)) => {
                let steps = now.steps.get(count..).unwrap_or_default().to_vec();
                (steps, now.end.clone(), now.waiting)
            }
            Ok(Err(_)) => {
                let end = End::Failed("The check broke off.".to_owned());
                (Vec::new(), Some(end), false)
            }
        };
    let mut text = html::steps(&steps);
    let Some(end) = end else {
        let count = count + steps.len();
        return (text, Sent::Steps { count, waiting });
    };
    text.push_str(&match end {
        End::Report(finished) => html::ending(site, &finished).await,
        End::Failed(sentence) => html::ending_without(&sentence),
    });
    (text, Sent::Everything)
}
