//! One round: every domain once, printed in the order named while others are still measured.

use super::Shape;
use super::bundle;
use super::list::Wanted;
use super::monitor;
use super::progress::{Bar, Counts};
use super::screen::Screen;
use crate::checker::{Checker, recomputed};
use crate::config::{DnsMode, Settings};
use crate::exit::Refusal;
use crate::output;
use anyhow::{Context, Result};
use elsinore_check::bundle::Bundle;
use elsinore_check::compare::{Comparison, compare};
use elsinore_check::rail::{Rail, SvgForm, svg};
use elsinore_check::report::{Report, State};
use elsinore_check::terminal;
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Domains measured at once, at most; sessions have a bound of their own.
const AT_ONCE: usize = 64;

/// What a round is told.
#[derive(Debug)]
pub(super) struct Round<'a> {
    /// The domains.
    pub(super) wanted: &'a Wanted,
    /// What is printed of each.
    pub(super) shape: Shape,
    /// Where it is printed.
    pub(super) screen: Screen,
    /// Earlier results by domain.
    pub(super) earlier: BTreeMap<String, Report>,
    /// What of it is printed.
    pub(super) telling: Telling,
    /// Whether the report is printed beside them.
    pub(super) full: bool,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// Results.
    Results,
    /// What changed since an earlier result, or that nothing did.
    Changes,
    /// The first result of each domain, then changes, and nothing where there are none.
    News,
}

/// How a round ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    /// The worst state met: what is known to be less than protected goes before what could not be
    /// told.
    pub(super) worst: Option<State>,
    /// The exit code for a monitor.
    pub(super) monitor: u8,
}

impl Round<'_> {
    /// Checks every domain once.
    ///
    /// # Errors
    /// When the result cannot be printed.
    pub(super) async fn once(&mut self, checker: &Arc<Checker>) -> Result<Ended> {
        let counts = Counts::new(self.wanted.targets.len());
        let bar = Bar::draw(&counts);
        let earlier = Arc::new(std::mem::take(&mut self.earlier));
        let checks = self.wanted.targets.iter().map(|target| {
            let domain = target.domain.clone();
            let (checker, counts) = (Arc::clone(checker), Arc::clone(&counts));
            let earlier = Arc::clone(&earlier);
            async move {
                let task = tokio::spawn(async move {
                    let watch = move |progress| counts.see(progress);
                    let before = earlier.get(domain.as_str());
                    checker.check(&domain, before, &watch).await
                });
                task.await.context("a check came to no end")
            }
        });
        let mut checks = futures_util::stream::iter(checks).buffered(AT_ONCE);
        let mut worst = None;
        let mut kept = Vec::new();
        let mut latest = BTreeMap::new();
        while let Some(report) = checks.next().await {
            let report = report?;
            worst = worse(worst, report.state);
            bar.step_aside();
            self.print(&report, earlier.get(&report.domain))?;
            match self.shape {
                Shape::Monitor(_) => kept.push(report),
                // Only a watch looks at it again.
                Shape::Report | Shape::Brief | Shape::Json(_) | Shape::Picture
                    if self.telling == Telling::News =>
                {
                    latest.insert(report.domain.clone(), report);
                }
                Shape::Report | Shape::Brief | Shape::Json(_) | Shape::Picture => {}
            }
        }
        drop(bar);
        let mut level = monitor::Level::Unknown;
        if let Shape::Monitor(thresholds) = self.shape {
            let (line, found) = monitor::line(&kept, thresholds);
            level = found;
            output::print(&line)?;
        }
        self.earlier = latest;
        Ok(Ended {
            worst,
            monitor: level.code(),
        })
    }

    /// Checks the one domain and writes all that was seen to a file.
    ///
    /// # Errors
    /// Several domains, a configuration error, or a file that cannot be written.
    pub(super) async fn saving(&mut self, settings: &Settings, path: &Path) -> Result<Ended> {
        let [target] = self.wanted.targets.as_slice() else {
            return Err(Refusal::usage("check: --save keeps one domain"));
        };
        if settings.dns.mode == DnsMode::Ad {
            output::diagnose(
                "check: with [dns] mode \"ad\" the bundle proves nothing: it holds no signatures",
            );
        }
        let (checker, record) = Checker::recording(settings)?;
        let counts = Counts::new(1);
        let bar = Bar::draw(&counts);
        let earlier = self.earlier.get(target.domain.as_str());
        let watch = {
            let counts = Arc::clone(&counts);
            move |progress| counts.see(progress)
        };
        let report = checker.check(&target.domain, earlier, &watch).await;
        drop(bar);
        bundle::write(path, &record.bundle(&target.domain, &report)?)?;
        self.print(&report, earlier)?;
        Ok(Ended {
            worst: Some(report.state),
            monitor: monitor::Level::Unknown.code(),
        })
    }

    /// Recomputes the verdict of a bundle.
    ///
    /// # Errors
    /// A configuration error, or when the result cannot be printed.
    pub(super) async fn offline(&mut self, settings: &Settings, bundle: &Bundle) -> Result<Ended> {
        let report = recomputed(settings, bundle).await?;
        if let Some(claim) = bundle
            .claimed
            .as_ref()
            .filter(|one| one.state != report.state)
        {
            output::diagnose(&output::printable(&format!(
                "check: the bundle says {}: {}; recomputed: {}",
                claim.state.words(),
                claim.sentence,
                report.state.words()
            )));
        }
        self.print(&report, self.earlier.get(&report.domain))?;
        Ok(Ended {
            worst: Some(report.state),
            monitor: monitor::Level::Unknown.code(),
        })
    }

    fn print(&self, report: &Report, earlier: Option<&Report>) -> Result<()> {
        match (self.telling, earlier) {
            (Telling::Results, _) | (Telling::News, None) => self.print_report(report),
            (Telling::Changes, None) => self.print_unknown(report),
            (Telling::Changes | Telling::News, Some(earlier)) => {
                let comparison = compare(earlier, report);
                if self.telling == Telling::News && comparison.changes.is_empty() {
                    return Ok(());
                }
                self.print_changes(&comparison, report)
            }
        }
    }

    /// One result, whole.
    fn print_report(&self, report: &Report) -> Result<()> {
        match self.shape {
            Shape::Report => {
                let mut text = terminal::text(report, self.screen.style);
                if self.wanted.targets.len() > 1 {
                    text.push_str("\n\n");
                }
                output::print(&text)?;
            }
            Shape::Brief => output::print(&terminal::brief(report, self.screen.style))?,
            Shape::Json(layout) => output::print_json(report, layout)?,
            Shape::Picture => output::print(&svg(&Rail::of(report), SvgForm::Standalone))?,
            // One line for all, at the end.
            Shape::Monitor(_) => {}
        }
        Ok(())
    }

    fn print_changes(&self, comparison: &Comparison, report: &Report) -> Result<()> {
        match self.shape {
            Shape::Json(layout) => output::print_json(comparison, layout)?,
            Shape::Report | Shape::Brief | Shape::Picture | Shape::Monitor(_) => {
                output::print(&terminal::changes(comparison, self.screen.style))?;
                if self.full && self.telling == Telling::Changes {
                    output::print("\n")?;
                    self.print_report(report)?;
                }
            }
        }
        Ok(())
    }

    /// A domain that the earlier results do not know.
    fn print_unknown(&self, report: &Report) -> Result<()> {
        const WHY: &str = "no earlier result to compare with";
        match self.shape {
            Shape::Json(_) => output::diagnose(&format!("{}: {WHY}", report.domain)),
            Shape::Report | Shape::Brief | Shape::Picture | Shape::Monitor(_) => {
                let brief = terminal::brief(report, self.screen.style);
                output::print(&format!("{brief}  {WHY}\n"))?;
            }
        }
        Ok(())
    }
}

/// The worse of two states; what could not be told counts as better than what is known to be bad.
fn worse(one: Option<State>, other: State) -> Option<State> {
    const fn rank(state: State) -> u8 {
        match state {
            State::Protected => 0,
            State::CouldNotTell => 1,
            State::PartlyProtected => 2,
            State::NotProtected => 3,
            State::Refused => 4,
        }
    }
    match one {
        Some(one) if rank(one) >= rank(other) => Some(one),
        Some(_) | None => Some(other),
    }
}
