//! `elsinore-replay [--verbose] PATH…`: replays scenario files, or all of a folder.

use anyhow::{Context, Result, bail};
use elsinore_replay::{Verdict, replay};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
elsinore-replay [--verbose] PATH…

Replays Unbound's scenario files (.rpl) through the resolver. PATH is a file or a folder.
One line a file, then `N passed, N failed, N skipped`; --verbose adds every difference.
Exit status: 0 when none failed, 1 otherwise.";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .iter()
        .any(|word| word == "--help" || word == "-h")
    {
        print(USAGE)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (flags, paths): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|word| word.starts_with('-'));
    let verbose = match flags.as_slice() {
        [] => false,
        [flag] if *flag == "--verbose" || *flag == "-v" => true,
        _ => bail!("{USAGE}"),
    };
    if paths.is_empty() {
        bail!("{USAGE}");
    }
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for path in paths {
        for file in files(Path::new(path))? {
            let text = std::fs::read(&file).with_context(|| format!("{}", file.display()))?;
            let outcome = replay(&String::from_utf8_lossy(&text));
            match outcome.verdict {
                Verdict::Passed => passed += 1,
                Verdict::Failed(_) => failed += 1,
                Verdict::Skipped(_) => skipped += 1,
            }
            print(&format!("{}: {}", file.display(), outcome.verdict))?;
            if verbose {
                for line in outcome.details {
                    print(&format!("    {line}"))?;
                }
            }
        }
    }
    print(&format!(
        "{passed} passed, {failed} failed, {skipped} skipped"
    ))?;
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Writes one line to stdout. Who closes the pipe has seen enough: the exit status still tells of
/// all files.
fn print(line: &str) -> Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("stdout"),
    }
}

/// The file itself, or the `.rpl` files of a folder in order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).with_context(|| format!("{}", path.display()))? {
        let file = entry?.path();
        if file.extension().is_some_and(|ending| ending == "rpl") {
            files.push(file);
        }
    }
    if files.is_empty() {
        bail!("{}: no .rpl file", path.display());
    }
    files.sort();
    Ok(files)
}
