//! The rail as SVG.

use crate::snapshot::{compare, samples};
use elsinore_check::rail::{Rail, STYLE, SvgForm, svg};

#[test]
fn snapshots() {
    let mut pictures = Vec::new();
    for (name, report) in samples() {
        let rail = Rail::of(&report);
        pictures.push((format!("{name}.svg"), svg(&rail, SvgForm::Standalone)));
    }
    compare(".svg", &pictures);
}

/// What a page with a strict policy holds has no style of its own and runs nothing.
#[test]
fn inline_pictures_need_no_exceptions() {
    for (name, report) in samples() {
        let picture = svg(&Rail::of(&report), SvgForm::Inline);
        for tag in tags(&picture) {
            let bare = tag.trim_start_matches('/');
            let element = bare.split([' ', '\n']).next().unwrap();
            assert!(
                [
                    "svg", "title", "desc", "rect", "path", "circle", "text", "g", "a"
                ]
                .contains(&element.trim_end_matches('/')),
                "{name}: <{tag}>"
            );
            for attribute in attributes(tag) {
                assert!(
                    attribute != "style" && !attribute.starts_with("on"),
                    "{name}: <{tag}>"
                );
            }
        }
        assert!(picture.contains("href=\"#"), "{name}");
        let alone = svg(&Rail::of(&report), SvgForm::Standalone);
        assert!(
            alone.contains("<style>") && !alone.contains("href"),
            "{name}"
        );
    }
}

/// Each class has its rules, and each opened element is closed: a program that reads XML strictly
/// shows the picture.
#[test]
fn pictures_are_well_formed() {
    for (name, report) in samples() {
        for form in [SvgForm::Inline, SvgForm::Standalone] {
            let picture = svg(&Rail::of(&report), form);
            let mut open: Vec<&str> = Vec::new();
            for tag in tags(&picture) {
                if let Some(closed) = tag.strip_prefix('/') {
                    assert_eq!(open.pop(), Some(closed), "{name}");
                } else if !tag.ends_with('/') {
                    open.push(tag.split([' ', '\n']).next().unwrap());
                }
            }
            assert!(open.is_empty(), "{name}: {open:?}");
            assert!(
                !picture.chars().any(|one| one.is_control() && one != '\n'),
                "{name}"
            );
            assert!(
                !picture.contains("<script") && !picture.contains("<img"),
                "{name}"
            );
        }
    }
    for class in ["good", "weak", "bad", "unknown", "plain"] {
        assert!(
            STYLE.contains(&format!(".rail-{class} .rail-shape")),
            "{class}"
        );
    }
}

/// The tags of a document, without brackets. Text and attributes must not hold a bare bracket.
fn tags(document: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = document;
    while let Some((text, behind)) = rest.split_once('<') {
        assert!(!text.contains('>'), "{text:?}");
        let (tag, after) = behind.split_once('>').unwrap();
        assert!(!tag.contains('<'), "{tag:?}");
        tags.push(tag);
        rest = after;
    }
    tags
}

fn attributes(tag: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = tag;
    while let Some((front, behind)) = rest.split_once("=\"") {
        names.push(front.rsplit([' ', '\n']).next().unwrap());
        rest = behind.split_once('"').unwrap().1;
    }
    names
}
