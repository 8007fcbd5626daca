//! What the operating system gives: files that may be open, and a folder that can be written.

use super::check::{Area, Check, Verdict};
use std::io;
use std::path::{Path, PathBuf};

/// Open files below which a busy sender runs out: sockets of lookups and of sessions.
const FEW: u64 = 1_024;
/// Open files for the many lookups of a survey or a busy relay, 20,000 in flight.
const MANY: u64 = 4_096;

/// The soft limit of open files that `/proc/self/limits` tells; `None` when it does not, and
/// `u64::MAX` when there is no limit.
pub(crate) fn open_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// The line about open files.
pub(crate) fn judge_files(limit: Option<u64>) -> Check {
    let new = |verdict, finding, text: String| Check::new(verdict, Area::Files, finding, text);
    const ADVICE: &str = "Each lookup and each session under way needs some. Raise it: ulimit -n, or \
                          LimitNOFILE= of the service.";
    match limit {
        None => new(
            Verdict::Note,
            "unknown",
            "the limit of open files could not be read".to_owned(),
        ),
        Some(u64::MAX) => new(Verdict::Ok, "enough", "no limit of open files".to_owned()),
        Some(limit) if limit < FEW => new(
            Verdict::Warn,
            "few",
            format!("only {limit} files may be open at a time"),
        )
        .advise(ADVICE),
        Some(limit) if limit < MANY => new(
            Verdict::Ok,
            "enough",
            format!("{limit} files may be open; {MANY} are better for many lookups"),
        ),
        Some(limit) => new(
            Verdict::Ok,
            "enough",
            format!("{limit} files may be open at a time"),
        ),
    }
}

/// Whether what is learnt can be kept.
#[derive(Debug)]
pub(crate) enum StateFolder {
    /// None is configured, and the environment names none.
    None,
    /// It can be written.
    Writable(PathBuf),
    /// It does not exist yet, and can be made.
    CanBeMade(PathBuf),
    /// It cannot.
    Refused(PathBuf, io::Error),
}

/// Tries to write a file, which is removed at once, into the folder or into the nearest one above
/// it that exists.
pub(crate) fn try_state(folder: Option<&Path>) -> StateFolder {
    let Some(folder) = folder else {
        return StateFolder::None;
    };
    let shown = folder.to_path_buf();
    for place in folder.ancestors() {
        let place = if place.as_os_str().is_empty() {
            Path::new(".")
        } else {
            place
        };
        match std::fs::metadata(place) {
            Ok(_) => {
                return match tempfile::tempfile_in(place) {
                    Ok(_) if place == folder => StateFolder::Writable(shown),
                    Ok(_) => StateFolder::CanBeMade(shown),
                    Err(error) => StateFolder::Refused(shown, error),
                };
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return StateFolder::Refused(shown, error),
        }
    }
    StateFolder::Refused(shown, io::ErrorKind::NotFound.into())
}

/// The line about the state folder.
pub(crate) fn judge_state(state: &StateFolder) -> Check {
    let new = |verdict, finding, text: String| Check::new(verdict, Area::State, finding, text);
    match state {
        StateFolder::Writable(path) => new(
            Verdict::Ok,
            "writable",
            format!("{} can be written", path.display()),
        ),
        StateFolder::CanBeMade(path) => new(
            Verdict::Ok,
            "can-be-made",
            format!("{} can be made", path.display()),
        ),
        StateFolder::None => new(
            Verdict::Warn,
            "none",
            "no folder for learnt state".to_owned(),
        )
        .advise(
            "MTA-STS policies and new keys of the root are forgotten when a command ends. Set \
             state_dir.",
        ),
        StateFolder::Refused(path, error) => new(
            Verdict::Warn,
            "not-writable",
            format!("{} cannot be written: {error}", path.display()),
        )
        .advise(
            "MTA-STS policies and new keys of the root are forgotten when a command ends, so a \
             policy protects less than it could. Give the folder to the user who runs Elsinore, or \
             set state_dir.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        let text = |value: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units\n\
                 Max processes             100                  100                  processes\n\
                 Max open files            {value}                 1048576              files\n"
            )
        };
        for (text, expected, verdict) in [
            (text("1024"), Some(1_024), Verdict::Ok),
            (text("256"), Some(256), Verdict::Warn),
            (text("65536"), Some(65_536), Verdict::Ok),
            (text("unlimited"), Some(u64::MAX), Verdict::Ok),
            (text("many"), None, Verdict::Note),
            (String::new(), None, Verdict::Note),
        ] {
            let limit = open_files(&text);
            assert_eq!(limit, expected, "{text}");
            assert_eq!(judge_files(limit).verdict, verdict, "{text}");
        }
    }

    #[test]
    fn folders() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let path = |name: &str| Some(folder.path().join(name));
        for (path, finding) in [
            (None, "none"),
            (Some(folder.path().to_path_buf()), "writable"),
            (path("new/deep"), "can-be-made"),
            (path("file"), "not-writable"),
            (path("file/below"), "not-writable"),
            (Some(PathBuf::from("/proc/none")), "not-writable"),
        ] {
            let check = judge_state(&try_state(path.as_deref()));
            assert_eq!(check.finding, finding, "{path:?}: {check:?}");
        }
        // Nothing is left behind, nothing was made.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
