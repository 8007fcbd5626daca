//! Samples and snapshots.

use elsinore_check::report::Report;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

/// Every sample report with its name, sorted by name.
pub(crate) fn samples() -> Vec<(String, Report)> {
    let mut samples = Vec::new();
    for entry in std::fs::read_dir(folder("samples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        samples.push((name, report));
    }
    samples.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(samples.len() >= 6, "where are the samples?");
    samples
}

/// Compares each text with the snapshot of its name, and knows of no other snapshots that end in
/// `suffix`.
#[track_caller]
pub(crate) fn compare(suffix: &str, texts: &[(String, String)]) {
    let folder = folder("snapshots");
    let update = std::env::var_os("ELSINORE_UPDATE_SNAPSHOTS").is_some();
    let mut wrong = Vec::new();
    let names: BTreeSet<&str> = texts.iter().map(|(name, _)| name.as_str()).collect();
    for entry in std::fs::read_dir(&folder).into_iter().flatten() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(suffix) && !names.contains(name.as_str()) {
            match update {
                true => std::fs::remove_file(folder.join(&name)).unwrap(),
                false => wrong.push(format!("{name}: nothing makes it any more")),
            }
        }
    }
    for (name, text) in texts {
        assert!(name.ends_with(suffix));
        let path = folder.join(name);
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, text).unwrap();
            continue;
        }
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        let differing = (known.lines().zip(text.lines())).find(|(one, other)| one != other);
        match differing {
            Some((one, other)) => wrong.push(format!("{name}:\n  was {one:?}\n  is  {other:?}")),
            None if known != *text => wrong.push(format!("{name}: more or fewer lines")),
            None => {}
        }
    }
    assert!(
        wrong.is_empty(),
        "ELSINORE_UPDATE_SNAPSHOTS=1 writes them anew:\n{}",
        wrong.join("\n")
    );
}
