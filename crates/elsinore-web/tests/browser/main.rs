//! The page in real Chromium, driven by `run.mjs`: a protected, a broken and an inconclusive domain,
//! with JavaScript off, on a phone, in the dark, on paper, with the keyboard, under axe's rules of
//! accessibility. Screenshots are kept below `target/screenshots`, to be looked at.
//!
//! Needs Debian's `chromium` and `nodejs`, and the npm packages of `package-lock.json`, which
//! `cargo xtask browser` installs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed assumption is a failed test"
)]

#[path = "../client.rs"]
#[allow(dead_code, reason = "the tests over HTTP need more of it")]
mod client;
#[path = "../samples.rs"]
#[allow(dead_code, reason = "the tests over HTTP need more of it")]
mod samples;
#[path = "../../../elsinore-dane/tests/skipped.rs"]
mod skipped;

use client::Running;
use elsinore_web::settings::{CheckLimits, Settings};
use samples::Samples;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// Debian's name for it.
const CHROMIUM: &str = "/usr/bin/chromium";

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_in_chromium() {
    let modules = target().join("browser");
    let missing = [
        (
            modules.join("node_modules/puppeteer-core"),
            "run cargo xtask browser",
        ),
        (PathBuf::from(CHROMIUM), "Debian package chromium"),
    ]
    .into_iter()
    .find(|(path, _)| !path.exists());
    if let Some((path, what)) = missing {
        skipped::skipped(
            "the page in Chromium",
            &format!("no {}: {what}", path.display()),
        );
        return;
    }
    let screenshots = target().join("screenshots");
    std::fs::create_dir_all(&screenshots).unwrap();
    let run = || async {
        let settings = Settings {
            checks: CheckLimits {
                per_client_hour: 10_000,
                ..CheckLimits::default()
            },
            ..Settings::default()
        };
        // A page of its own: one that knows reports already shows them instead of checking.
        let page = Running::start(settings, Samples::open()).await;
        let mut node = Command::new("node");
        node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/run.mjs"))
            .arg(format!("http://{}", page.at))
            .arg(&modules)
            .arg(&screenshots)
            .arg(CHROMIUM)
            .kill_on_drop(true);
        let status = node.status().await.expect("node (Debian package nodejs)");
        page.stop().await;
        status
    };
    let mut status = run().await;
    // Chromium has been seen to hang with a page that was right; one more chance, no more.
    if status.code() == Some(75) {
        status = run().await;
    }
    assert!(status.success(), "run.mjs: {status}");
}
