//! Pages: templates filled and made into answers.
//!
//! Templates escape for HTML by their type. What is left goes through one place at the end
//! ([`legible`]): characters that reorder or hide text, and control characters, are shown as escapes,
//! whoever wrote them.

mod body;
mod rail;

use crate::checker::{Finished, Step};
use crate::log;
use crate::site::Site;
use crate::store::{Entry, ReportId};
use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use body::BodyParts;
use elsinore_check::compare::{Comparison, compare};
use elsinore_check::report::Report;
use elsinore_check::target::Target;
use elsinore_dane::time::UnixTime;
use elsinore_smtp::text::is_invisible;

pub(crate) use crate::view::span;

/// Earlier reports that a report is shown with.
const EARLIER: u32 = 10;

/// The content policy of a picture with a style of its own.
pub(crate) const PICTURE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// What stands around every page.
#[derive(Debug)]
struct Frame<'a> {
    title: String,
    style: &'a str,
    script: &'a str,
    icon: &'a str,
    json: Option<String>,
    with_field: bool,
    typed: &'a str,
}

impl<'a> Frame<'a> {
    fn new(site: &'a Site, title: String) -> Self {
        let assets = site.assets();
        Self {
            title,
            style: &assets.style,
            script: &assets.script,
            icon: &assets.icon,
            json: None,
            with_field: false,
            typed: "",
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "start.html")]
struct StartPage<'a> {
    frame: Frame<'a>,
    kept_for: String,
    recent: String,
}

/// The page with the one field, filled with `typed`.
pub(crate) fn start(site: &Site, typed: &str) -> Response {
    let typed: String = typed.chars().take(300).collect();
    let settings = site.settings();
    let mut frame = Frame::new(site, "Elsinore: who answers for your mail?".to_owned());
    frame.typed = &typed;
    page(
        StatusCode::OK,
        &StartPage {
            frame,
            kept_for: span(settings.store.age.as_secs()),
            recent: span(settings.checks.recent.as_secs()),
        },
    )
}

#[derive(Debug, Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: Frame<'a>,
    heading: &'a str,
    text: &'a str,
}

/// A page that says what is wrong and offers the field again, filled with `typed`.
pub(crate) fn problem(
    site: &Site,
    status: StatusCode,
    heading: &str,
    text: &str,
    typed: &str,
) -> Response {
    let typed: String = typed.chars().take(300).collect();
    let mut frame = Frame::new(site, format!("{heading} – Elsinore"));
    frame.typed = &typed;
    page(
        status,
        &ProblemPage {
            frame,
            heading,
            text,
        },
    )
}

#[derive(Debug, Template)]
#[template(path = "checking.html")]
struct CheckingPage<'a> {
    frame: Frame<'a>,
    domain: &'a str,
    shown: Option<&'a str>,
    remark: Option<&'a str>,
    waiting: bool,
}

/// The beginning of a page that is sent while a check runs.
pub(crate) fn opening(site: &Site, target: &Target, waiting: bool) -> String {
    let mut frame = Frame::new(site, format!("{} – Elsinore", target.domain));
    frame.with_field = true;
    frame.typed = target.domain.as_str();
    text(&CheckingPage {
        frame,
        domain: target.domain.as_str(),
        shown: target.unicode.as_deref(),
        remark: target.remark.as_deref(),
        waiting,
    })
}

#[derive(Debug, Template)]
#[template(path = "steps.html")]
struct Steps<'a> {
    steps: &'a [Step],
}

/// Lines of what was done.
pub(crate) fn steps(steps: &[Step]) -> String {
    text(&Steps { steps })
}

#[derive(Debug, Template)]
#[template(path = "ending.html")]
struct Ending<'a> {
    body: BodyParts<'a>,
}

/// The end of a page that was sent while a check ran: the report.
pub(crate) async fn ending(site: &Site, finished: &Finished) -> String {
    let report = &finished.report;
    let earlier = earlier(site, report, finished.id.as_ref()).await;
    text(&Ending {
        body: BodyParts::new(site, report, finished.id.as_ref(), &earlier),
    })
}

#[derive(Debug, Template)]
#[template(path = "ending_without.html")]
struct EndingWithout<'a> {
    text: &'a str,
}

/// The end of such a page when no report came of it.
pub(crate) fn ending_without(sentence: &str) -> String {
    text(&EndingWithout { text: sentence })
}

#[derive(Debug, Template)]
#[template(path = "report.html")]
struct ReportPage<'a> {
    frame: Frame<'a>,
    body: BodyParts<'a>,
}

/// A report that is kept, as a page.
pub(crate) async fn report(site: &Site, entry: &Entry, report: &Report) -> Response {
    let earlier = earlier(site, report, Some(&entry.id)).await;
    let title = format!("{}: {} – Elsinore", report.domain, report.state.words());
    let mut frame = Frame::new(site, title);
    frame.with_field = true;
    frame.json = Some(format!("/r/{}.json", entry.id));
    page(
        StatusCode::OK,
        &ReportPage {
            frame,
            body: BodyParts::new(site, report, Some(&entry.id), &earlier),
        },
    )
}

/// Earlier reports of the same domain. When they cannot be read the report is shown without.
async fn earlier(site: &Site, report: &Report, id: Option<&ReportId>) -> Vec<Entry> {
    let before = UnixTime(report.began_at);
    let found = site
        .store()
        .of_domain(&report.domain, before, EARLIER, site.now());
    match found.await {
        Ok(mut entries) => {
            entries.retain(|entry| Some(&entry.id) != id);
            entries
        }
        Err(error) => {
            log::problem(&format!("earlier reports: {error}"));
            Vec::new()
        }
    }
}

/// The rail of a report as a picture of its own. Its style stands in it, so its policy allows that and
/// nothing else.
pub(crate) fn picture(report: &Report) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CONTENT_SECURITY_POLICY, PICTURE_POLICY),
    ];
    (headers, legible(rail::file(report))).into_response()
}

#[derive(Debug, Template)]
#[template(path = "comparison.html")]
struct ComparisonPage<'a> {
    frame: Frame<'a>,
    c: &'a Comparison,
    earlier: &'a ReportId,
    later: &'a ReportId,
}

/// Two reports of a domain beside each other: what changed and why. Of two in the wrong order the
/// one that was measured first is the earlier.
pub(crate) fn comparison(
    site: &Site,
    one: (&Entry, &Report),
    other: (&Entry, &Report),
) -> Response {
    let (earlier, later) = match one.1.began_at <= other.1.began_at {
        true => (one, other),
        false => (other, one),
    };
    if earlier.1.domain != later.1.domain {
        return problem(
            site,
            StatusCode::BAD_REQUEST,
            "Those are reports of two domains",
            "Only reports of the same domain can be compared.",
            &later.1.domain,
        );
    }
    let compared = compare(earlier.1, later.1);
    let mut frame = Frame::new(
        site,
        format!("What changed at {} – Elsinore", later.1.domain),
    );
    frame.with_field = true;
    page(
        StatusCode::OK,
        &ComparisonPage {
            frame,
            c: &compared,
            earlier: &earlier.0.id,
            later: &later.0.id,
        },
    )
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (status, kind, text(template)).into_response()
}

fn text(template: &impl Template) -> String {
    match template.render() {
        Ok(text) => legible(text),
        Err(error) => {
            // Only a formatter that fails can cause this, and none of ours does.
            log::problem(&format!("a page could not be made: {error}"));
            String::new()
        }
    }
}

/// Control characters, and characters that reorder or hide what stands around them, as escapes.
fn legible(text: String) -> String {
    let hides = |character: char| {
        (character.is_control() && !matches!(character, '\n' | '\t')) || is_invisible(character)
    };
    if !text.contains(hides) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 64);
    for character in text.chars() {
        match hides(character) {
            true => out.extend(character.escape_unicode()),
            false => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hides() {
        for (input, expected) in [
            ("plain ü\n\t", "plain ü\n\t"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{feff}\r\0", "\\u{feff}\\u{d}\\u{0}"),
        ] {
            assert_eq!(legible(input.to_owned()), expected);
        }
    }
}
