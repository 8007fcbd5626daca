//! The files that the page consists of beside its HTML: style sheet, script, icon. They are part of
//! the program, and their names carry a digest of their content, so that browsers keep them for good.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use elsinore_check::rail;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

const STYLE: &str = include_str!("../assets/page.css");
const PRINT: &str = include_str!("../assets/print.css");
const SCRIPT: &str = include_str!("../assets/page.js");
const ICON: &str = include_str!("../assets/icon.svg");

/// Paths of the files, with their digests.
#[derive(Debug)]
pub(crate) struct Assets {
    /// Of the style sheet.
    pub(crate) style: String,
    /// Of the script.
    pub(crate) script: String,
    /// Of the icon.
    pub(crate) icon: String,
    /// The style sheet: ours and that of the rail.
    style_text: String,
}

impl Assets {
    pub(crate) fn new() -> Self {
        let style_text = [STYLE, rail::STYLE, PRINT].join("\n");
        Self {
            style: format!("/static/{}.css", digest(&style_text)),
            script: format!("/static/{}.js", digest(SCRIPT)),
            icon: format!("/static/{}.svg", digest(ICON)),
            style_text,
        }
    }

    /// The file at `path`.
    pub(crate) fn file(&self, path: &str) -> Response {
        let (kind, text) = if path == self.style {
            ("text/css; charset=utf-8", self.style_text.as_str())
        } else if path == self.script {
            ("text/javascript; charset=utf-8", SCRIPT)
        } else if path == self.icon {
            ("image/svg+xml", ICON)
        } else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let headers: [(HeaderName, &str); 2] = [
            (CONTENT_TYPE, kind),
            (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        ];
        (headers, text.to_owned()).into_response()
    }
}

/// Enough to tell one version of a file from the next; nobody gains by a collision.
fn digest(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
