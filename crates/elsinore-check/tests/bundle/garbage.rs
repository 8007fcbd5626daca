//! What is no bundle gets a clear refusal, whatever it is.

use crate::{property, sample};
use elsinore_check::bundle::{Bundle, MOST_OCTETS};
use proptest::prelude::*;

fn text() -> String {
    String::from_utf8(sample::bundle().write().unwrap()).unwrap()
}

fn refusal(octets: &[u8]) -> String {
    let error = Bundle::read(octets).unwrap_err().to_string();
    assert!(error.len() < 5_000, "{} octets", error.len());
    assert!(!error.chars().any(char::is_control), "{error:?}");
    error
}

#[test]
fn refused() {
    let whole = text();
    let with = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        whole.replacen(from, to, 1)
    };
    let many = "{\"asked\":{\"zone\":\"a\"},\"name\":\"a\",\"record_type\":1,\"sent_at\":1,\
                \"elapsed_us\":1,\"outcome\":\"abandoned\"},";
    for (garbage, why) in [
        (String::new(), "EOF"),
        ("\u{0}\u{1}\u{2}".to_owned(), "expected value"),
        ("null".to_owned(), "invalid type"),
        ("[]".to_owned(), "does not say \"elsinore-bundle\""),
        ("{}".to_owned(), "does not say \"elsinore-bundle\""),
        ("{\"format\":\"zip\"}".to_owned(), "does not say"),
        ("{\"format\":7}".to_owned(), "invalid type"),
        (whole[..whole.len() / 2].to_owned(), "EOF"),
        (format!("{whole}{{}}"), "trailing characters"),
        (with("\"version\": 1", "\"version\": 2"), "of version 2"),
        (with("\"version\": 1", "\"version\": -1"), "invalid value"),
        (
            with("\"version\": 1", "\"version\": 1, \"version\": 1"),
            "duplicate field",
        ),
        (with("\"program\"", "\"progam\""), "unknown field"),
        (
            with("\"sent_at\"", "\"name\": \"x\", \"sent_at\""),
            "duplicate field",
        ),
        (
            with("\"record_type\": 52", "\"record_type\": 70000"),
            "invalid value",
        ),
        (
            with("\"began_at\": 1780000000", "\"began_at\": -5"),
            "began_at: no time",
        ),
        (
            with("\"began_at\": 1780000000", "\"began_at\": \"now\""),
            "invalid type",
        ),
        (
            with("\"domain\": \"example\"", "\"domain\": \"a..b\""),
            "domain: \"a..b\" is no",
        ),
        (with("\"AAEC/w==\"", "\"AAEC/w=\""), "dns[0]: not base64"),
        (with("\"AAEC/w==\"", "\"\u{1f600}\""), "dns[0]: not base64"),
        (
            with(
                "\"reply\": \"AAEC/w==\"",
                &format!("\"reply\": \"{}\"", "AAAA".repeat(30_000)),
            ),
            "dns[0]: more than 65535",
        ),
        (
            with("\"cause\": \"server-failed\"", "\"cause\": \"secure\""),
            "dns[1]: unknown word",
        ),
        (
            with("\"rung\": \"legacy\"", "\"rung\": \"\\u001b[31m\""),
            "sessions[0]: unknown word",
        ),
        (
            with("\"refused\"", "\"heard\": [], \"refused\""),
            "either refused or heard",
        ),
        (
            with(
                "\"trouble\": \"alert\"",
                "\"trouble\": \"alert\", \"kind\": \"other\"",
            ),
            "only the trouble",
        ),
        (
            with("\"address\": \"192.0.2.25\"", "\"address\": \"mx\""),
            "invalid IP address",
        ),
        (
            with("\"status\": 404", "\"status\": 404, \"status\": 200"),
            "policies",
        ),
        ("[".repeat(100_000), "invalid type"),
        (
            format!("{{\"format\":{}", "[".repeat(100_000)),
            "invalid type",
        ),
        (
            with(
                "\"domain\": \"example\"",
                &format!("\"domain\": {}", "[".repeat(9_000)),
            ),
            "expected value",
        ),
        (
            with("\"dns\": [", &format!("\"dns\": [{}", many.repeat(20_001))),
            "dns: more than 20000",
        ),
    ] {
        let error = refusal(garbage.as_bytes());
        let head: String = garbage.chars().take(60).collect();
        // A place in an object is told by line and column.
        let why = if why == "policies" { "expected" } else { why };
        assert!(error.contains(why), "{head:?}: {error}, not {why}");
    }
    assert!(refusal(&[0xff, 0xfe, 0, 1]).contains("not a bundle"));
    let huge = vec![b' '; MOST_OCTETS + 1];
    assert!(refusal(&huge).contains("more than 64 megabytes"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Octets changed, cut and doubled anywhere.
    #[test]
    fn mutilated(places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>(), cuts in any::<bool>()) {
        let mut octets = sample::bundle().write().unwrap();
        for (place, value) in places {
            let at = place.index(octets.len());
            octets[at] = value;
        }
        if cuts {
            octets.truncate(cut.index(octets.len()));
        }
        property::check_bundle(&octets);
    }
}
