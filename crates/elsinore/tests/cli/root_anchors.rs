//! What is kept of the root's keys (RFC 5011): used and refreshed beside the work, never in its way.

use crate::bad_configuration::ANCHOR;
use crate::command::Workplace;

/// An upstream resolver where none is: nothing leaves this machine.
const NOBODY: &str = "state_dir = \".\"\n[dns]\nmode = \"forward\"\nupstream = [\"127.0.0.1:9\"]\n";

#[test]
fn a_damaged_state_is_named_and_replaced() {
    for (arguments, mentions) in [
        (&["dns", "example.org", "MX"][..], true),
        (
            &["--trust-anchor", "anchor", "dns", "example.org", "MX"],
            false,
        ),
    ] {
        let place = Workplace::new()
            .with("elsinore.toml", NOBODY)
            .with("anchor", ANCHOR)
            .with("root-anchors", "rubbish\n");
        let run = place.run(&[&["--config", "elsinore.toml"], arguments].concat());
        assert_eq!(run.code, 75, "{run:?}");
        let text = "root-anchors is damaged";
        assert_eq!(run.stderr.contains(text), mentions, "{run:?}");
        // Nobody answered, which is recorded; the file that made no sense is kept beside.
        let state = std::fs::read_to_string(place.path().join("root-anchors")).unwrap();
        assert_eq!(
            state.starts_with("elsinore root anchors 1\n"),
            mentions,
            "{state}"
        );
        assert_eq!(place.path().join("root-anchors.damaged").exists(), mentions);
        let again = place.run(&[&["--config", "elsinore.toml"], arguments].concat());
        assert!(!again.stderr.contains(text), "{again:?}");
    }
}
