//! The rail on the page: a picture where there is room, a nested list on a phone and on paper. Both
//! are drawn from one model, and one of them is hidden, from screen readers too.

use crate::view::Icon;
use askama::Template;
use elsinore_check::rail::{Item, Mark, Rail, SvgForm, svg};
use elsinore_check::report::Report;

/// The rail of a report.
#[derive(Debug)]
pub(super) struct RailParts {
    /// The picture, to stand in the page.
    pub(super) picture: String,
    /// The list.
    pub(super) list: String,
}

impl RailParts {
    pub(super) fn of(report: &Report) -> Self {
        let rail = Rail::of(report);
        let list = [rail.trunk(), rail.outline()]
            .iter()
            .map(|items| nested(items))
            .collect();
        Self {
            picture: svg(&rail, SvgForm::Inline),
            list,
        }
    }
}

/// The rail as a file of its own.
pub(super) fn file(report: &Report) -> String {
    svg(&Rail::of(report), SvgForm::Standalone)
}

#[derive(Debug, Template)]
#[template(path = "outline.html")]
struct Outline<'a> {
    items: &'a [Item<'a>],
}

impl Outline<'_> {
    fn icon(&self, item: &Item<'_>) -> &'static str {
        let icon = match item.node.mark {
            Mark::Plain => Icon::Plain,
            Mark::Good => Icon::Good,
            Mark::Weak => Icon::Weak,
            Mark::Unknown => Icon::Unknown,
            Mark::Bad => Icon::Refused,
        };
        icon.name()
    }

    fn children(&self, item: &Item<'_>) -> String {
        nested(&item.children)
    }
}

/// Items with all that hangs on them, as deep as the model is.
fn nested(items: &[Item<'_>]) -> String {
    if items.is_empty() {
        return String::new();
    }
    // A formatter that fails would be the only cause, and none of ours does.
    Outline { items }.render().unwrap_or_default()
}
