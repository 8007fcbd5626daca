//! Reports that views are tested with.

use crate::consistent::dangling;
use elsinore_check::report::{Report, State};

/// Every sample, with the state it shows. `hostile` is what a report may hold at worst: control
/// characters arrive escaped, the markup of other languages does not.
pub(crate) const SAMPLES: [(&str, State, &str); 6] = [
    (
        "protected",
        State::Protected,
        include_str!("../samples/protected.json"),
    ),
    (
        "broken",
        State::PartlyProtected,
        include_str!("../samples/broken.json"),
    ),
    (
        "not-protected",
        State::NotProtected,
        include_str!("../samples/not-protected.json"),
    ),
    (
        "refused",
        State::Refused,
        include_str!("../samples/refused.json"),
    ),
    (
        "inconclusive",
        State::CouldNotTell,
        include_str!("../samples/inconclusive.json"),
    ),
    (
        "hostile",
        State::NotProtected,
        include_str!("../samples/hostile.json"),
    ),
];

/// What is read is what was written, and nothing in it points to nothing.
#[test]
fn samples_are_reports() {
    for (name, state, text) in SAMPLES {
        let report: Report = serde_json::from_str(text).unwrap();
        assert_eq!(report.state, state, "{name}");
        assert_eq!(dangling(&report), Vec::<String>::new(), "{name}");
        let written: serde_json::Value = serde_json::to_value(&report).unwrap();
        let read: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(written, read, "{name}");
    }
}
