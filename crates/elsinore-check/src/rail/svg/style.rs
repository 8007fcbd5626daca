//! Colours and type of the picture.

/// The style sheet of the picture's classes, for a page that holds it. Colours come from the page's
/// variables `--ok --warn --bad --unknown --ink --soft --paper --panel --line`, with light colours
/// where it has none. Each text colour has a contrast of 4.5 to 1 or more to its ground.
pub const STYLE: &str = "\
.rail{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;font-size:13px;\
fill:var(--ink,#1b1f24)}
.rail-paper{fill:var(--paper,#ffffff)}
.rail-lane{fill:var(--panel,#f5f6f8);stroke:none}
.rail-line{fill:none;stroke:var(--line,#8b949e);stroke-width:2}
.rail-frame{fill:var(--paper,#ffffff);stroke:var(--line,#8b949e);stroke-width:1}
.rail-record .rail-frame{stroke-width:1.5}
.rail-title{font-weight:600}
.rail-host .rail-title{font-size:14px}
.rail-note{font-family:system-ui,'DejaVu Sans',Helvetica,Arial,sans-serif;font-size:12px;\
fill:var(--soft,#57606a)}
.rail-reason{font-weight:600;fill:var(--bad,#b3261e)}
.rail-break .rail-note{fill:var(--ink,#1b1f24)}
.rail-cut{fill:none;stroke:var(--bad,#b3261e);stroke-width:3}
.rail-good .rail-shape{fill:var(--ok,#1a7f37)}
.rail-weak .rail-shape{fill:var(--warn,#8a5a00)}
.rail-bad .rail-shape{fill:var(--bad,#b3261e)}
.rail-unknown .rail-shape{fill:var(--unknown,#6f42c1)}
.rail-plain .rail-shape{stroke:var(--soft,#57606a);stroke-width:2}
.rail-node .rail-hollow{fill:var(--paper,#ffffff)}
.rail-sign{fill:none;stroke:var(--paper,#ffffff);stroke-width:2}
.rail-good .rail-word{fill:var(--ok,#1a7f37)}
.rail-weak .rail-word{fill:var(--warn,#8a5a00)}
.rail-bad .rail-word{fill:var(--bad,#b3261e)}
.rail-unknown .rail-word{fill:var(--unknown,#6f42c1)}
.rail-plain .rail-word{fill:var(--soft,#57606a)}
.rail-record.rail-good .rail-frame,.rail-certificate.rail-good .rail-frame{stroke:var(--ok,#1a7f37)}
.rail-record.rail-bad .rail-frame,.rail-certificate.rail-bad .rail-frame{stroke:var(--bad,#b3261e)}
.rail-wire path{fill:none;stroke:var(--ok,#1a7f37);stroke-width:2}
.rail-wire .rail-head{fill:var(--ok,#1a7f37);stroke:none}
.rail-wire.rail-bad path{stroke:var(--bad,#b3261e);stroke-dasharray:4 3}
.rail-wire.rail-bad .rail-head{fill:var(--bad,#b3261e)}
a.rail-node{text-decoration:none}
a.rail-node:hover .rail-title,a.rail-node:focus .rail-title{text-decoration:underline}
";

/// Light and dark of each variable.
const COLOURS: [(&str, &str, &str); 9] = [
    ("ok", "#1a7f37", "#4ac26b"),
    ("warn", "#8a5a00", "#d9a441"),
    ("bad", "#b3261e", "#ff8a80"),
    ("unknown", "#6f42c1", "#c4a5f5"),
    ("ink", "#1b1f24", "#e6e8eb"),
    ("soft", "#57606a", "#a8b0b9"),
    ("paper", "#ffffff", "#14171b"),
    ("panel", "#f5f6f8", "#1e2329"),
    ("line", "#8b949e", "#6b747e"),
];

/// The style of a file of its own. Colours are written out: not every program that shows SVG knows
/// variables.
pub(super) fn standalone() -> String {
    let with = |pick: fn(&(&str, &'static str, &'static str)) -> &'static str| {
        COLOURS.iter().fold(STYLE.to_owned(), |style, colour| {
            let (name, light, _) = colour;
            style.replace(&format!("var(--{name},{light})"), pick(colour))
        })
    };
    let (light, dark) = (with(|colour| colour.1), with(|colour| colour.2));
    format!("\n{light}@media (prefers-color-scheme:dark){{\n{dark}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_its_own_needs_no_variables() {
        let style = standalone();
        assert!(!style.contains("var("), "{style}");
        for (name, light, dark) in COLOURS {
            assert!(STYLE.contains(&format!("var(--{name},{light})")), "{name}");
            assert!(style.contains(light) && style.contains(dark), "{name}");
        }
        // It stands in XML as it is.
        assert!(!style.contains(['<', '&', '>']));
    }
}
