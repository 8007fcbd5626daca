//! The schema, and that what is written obeys it.

use crate::samples::SAMPLES;
use elsinore_check::report::{SCHEMA_VERSION, State, schema};
use serde_json::{Map, Value, json};

/// The file is what the types say; `cargo xtask docs` writes it.
#[test]
fn the_file_is_current() {
    let text = include_str!("../../../../docs/report.schema.json");
    let written: Value = serde_json::from_str(text).unwrap();
    assert_eq!(written, schema(), "run cargo xtask docs");
}

#[test]
fn samples_obey() {
    let schema = schema();
    for (name, _, text) in SAMPLES {
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            faults(&schema, &schema, &value, "$"),
            Vec::<String>::new(),
            "{name}"
        );
    }
}

/// A checker that accepts everything would be no test.
#[test]
fn what_disobeys_is_told() {
    let schema = schema();
    let sound: Value = serde_json::from_str(SAMPLES[1].2).unwrap();
    type Spoil = fn(&mut Value);
    let cases: [(Spoil, &str); 9] = [
        (
            |report| report["schema_version"] = json!(2),
            "$.schema_version: not 1",
        ),
        (
            |report| report["state"] = json!("fine"),
            "$.state: no alternative fits",
        ),
        (|report| report["hosts"] = json!({}), "$.hosts: not array"),
        (
            |report| report["elapsed_ms"] = json!(-1),
            "$.elapsed_ms: below 0",
        ),
        (
            |report| report["elapsed_ms"] = json!("1"),
            "$.elapsed_ms: not integer",
        ),
        (
            |report| report["hosts"][0]["preference"] = json!(65_536),
            "$.hosts.0.preference: above 65535",
        ),
        (
            |report| report["hosts"][0]["tlsa"][0]["label"] = json!("good"),
            "$.hosts.0.tlsa.0.label: no alternative fits",
        ),
        (
            |report| {
                report.as_object_mut().unwrap().remove("sentence");
            },
            "$: no sentence",
        ),
        (
            |report| report["certificates"]["x"] = json!(1),
            "$.certificates.x: not object",
        ),
    ];
    for (spoil, expected) in cases {
        let mut report = sound.clone();
        spoil(&mut report);
        assert!(
            faults(&schema, &schema, &report, "$")
                .iter()
                .any(|fault| fault.starts_with(expected)),
            "{expected}: {:?}",
            faults(&schema, &schema, &report, "$")
        );
    }
}

/// The words of the states stand in the schema as they are written.
#[test]
fn words() {
    let text = schema().to_string();
    for state in State::ALL {
        assert_eq!(serde_json::to_value(state).unwrap(), json!(state.word()));
        assert!(text.contains(&format!("\"{}\"", state.word())), "{state:?}");
        assert!(state.explanation().ends_with('.') && !state.words().is_empty());
    }
    assert_eq!(
        schema()["properties"]["schema_version"]["const"],
        json!(SCHEMA_VERSION)
    );
}

/// The keywords of JSON Schema that schemars writes for our types; others end the test.
const KNOWN: [&str; 22] = [
    "$defs",
    "$id",
    "$ref",
    "$schema",
    "additionalProperties",
    "anyOf",
    "const",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "oneOf",
    "prefixItems",
    "properties",
    "required",
    "title",
    "type",
];

/// What disobeys, with its place.
fn faults(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let Some(schema) = schema.as_object() else {
        return match schema {
            Value::Bool(true) => Vec::new(),
            _ => vec![format!("{at}: never fits")],
        };
    };
    for keyword in schema.keys() {
        assert!(
            KNOWN.contains(&keyword.as_str()),
            "this test does not know {keyword}"
        );
    }
    let mut found = Vec::new();
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        found.extend(faults(root, target, value, at));
    }
    if let Some(expected) = schema.get("const").filter(|expected| *expected != value) {
        found.push(format!("{at}: not {expected}"));
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        found.push(format!("{at}: not one of the words"));
    }
    found.extend(type_faults(schema, value, at));
    for keyword in ["anyOf", "oneOf"] {
        let Some(all) = schema.get(keyword).and_then(Value::as_array) else {
            continue;
        };
        let fitting = all
            .iter()
            .filter(|one| faults(root, one, value, at).is_empty())
            .count();
        if fitting == 0 {
            found.push(format!("{at}: no alternative fits"));
        } else if keyword == "oneOf" && fitting > 1 {
            found.push(format!("{at}: {fitting} alternatives fit"));
        }
    }
    match value {
        Value::Object(fields) => found.extend(object_faults(root, schema, fields, at)),
        Value::Array(items) => found.extend(array_faults(root, schema, items, at)),
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            let bound = |name| schema.get(name).and_then(Value::as_f64);
            found.extend(
                bound("minimum")
                    .filter(|least| number < *least)
                    .map(|least| format!("{at}: below {least}")),
            );
            found.extend(
                bound("maximum")
                    .filter(|most| number > *most)
                    .map(|most| format!("{at}: above {most}")),
            );
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
    found
}

fn type_faults(schema: &Map<String, Value>, value: &Value, at: &str) -> Option<String> {
    let wanted = match schema.get("type")? {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        other => panic!("{other}"),
    };
    let fits = wanted.iter().any(|wanted| match *wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    });
    // One type and null is an alternative.
    (!fits).then(|| match wanted.as_slice() {
        [one] => format!("{at}: not {one}"),
        _ => format!("{at}: no alternative fits"),
    })
}

fn object_faults(
    root: &Value,
    schema: &Map<String, Value>,
    fields: &Map<String, Value>,
    at: &str,
) -> Vec<String> {
    let mut found = Vec::new();
    let required = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    for name in required.filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            found.push(format!("{at}: no {name}"));
        }
    }
    let known = schema.get("properties").and_then(Value::as_object);
    for (name, value) in fields {
        let place = format!("{at}.{name}");
        match (
            known.and_then(|known| known.get(name)),
            schema.get("additionalProperties"),
        ) {
            (Some(schema), _) | (None, Some(schema)) => {
                found.extend(faults(root, schema, value, &place))
            }
            // Readers tolerate what they do not know; what we write has a name.
            (None, None) if known.is_some() => found.push(format!("{place}: not in the schema")),
            (None, None) => {}
        }
    }
    found
}

fn array_faults(
    root: &Value,
    schema: &Map<String, Value>,
    items: &[Value],
    at: &str,
) -> Vec<String> {
    let first = schema.get("prefixItems").and_then(Value::as_array);
    let first = first.map(Vec::as_slice).unwrap_or_default();
    let rest = schema.get("items");
    let mut found = Vec::new();
    for (index, value) in items.iter().enumerate() {
        if let Some(schema) = first.get(index).or(rest) {
            found.extend(faults(root, schema, value, &format!("{at}.{index}")));
        }
    }
    let length = |name| schema.get(name).and_then(Value::as_u64);
    let number = u64::try_from(items.len()).unwrap();
    if length("minItems").is_some_and(|least| number < least)
        || length("maxItems").is_some_and(|most| number > most)
    {
        found.push(format!("{at}: {number} items"));
    }
    found
}
