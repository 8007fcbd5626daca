//! Lines on stderr, fit for the journal: one for each request, one for each problem.
//!
//! A request's line has its method, its path, the status and the milliseconds until the head of the
//! answer. It has neither the address of whoever asked nor the query, in which the domain stands:
//! who looks at whose domain is nobody's business, and a log that nobody needs is not kept.

use elsinore_smtp::text::excerpt;
use std::io::Write as _;
use std::time::Duration;

/// One request that was answered.
pub(crate) fn request(method: &str, path: &str, status: u16, elapsed: Duration) {
    line(&format!(
        "web: {} {} {status} {} ms",
        excerpt(method.as_bytes(), 20),
        excerpt(path.as_bytes(), 100),
        elapsed.as_millis()
    ));
}

/// Something the administrator should know.
pub(crate) fn problem(message: &str) {
    line(&format!("web: {}", excerpt(message.as_bytes(), 500)));
}

fn line(text: &str) {
    // stderr is the last resort: when it is gone there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "elsinore: {text}");
}
