//! Project automation. `cargo xtask test` installs what the tests need and runs every check;
//! the other tasks are its parts, and what is too slow for it.

mod bench;
mod browser;
mod deb;
mod differential;
mod docs;
mod fuzz;
mod packages;
mod peers_table;
mod replay;
mod spec;
mod step;
mod test;
mod tidy;

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

const USAGE: &str = "\
cargo xtask TASK

  test               install missing Debian packages, then run every check (CI runs this)
  tidy               house rules that no compiler checks
  spec [--list]      RFC 7672 requirements against code and tests
  docs [--check]     write the generated documents (or fail when they differ)
  deb [--test]       the Debian package, by cargo-deb; --test tries one of the debug build
  bench              the benchmarks, with results as a table
  bench dns [--domains N] [--in-flight N] [--rounds N] [--only PART]
                     the resolver beside unbound and libunbound (root, Debian packages)
  bench web          CPU of a page view of a stored report
  bench policyd [--seconds N] [--profile NAME]
                     cached answers per second and core, beside a peer
  bench check [--domains N] [--sessions N] [--profile NAME]
                     round trips of a cold check; 1,000 domains in one command
  bench relay [--messages N] [--folder F] [--only NAME] [--sizes N,N] [--connections N,N]
                     smtp-source, the relay or a private Postfix, a sink (root, Debian packages)
  replay-rpl PATH…   Unbound's scenario files (.rpl; a file or a folder) through our resolver;
                     --verbose before the paths shows every difference
  differential [ZONES [QUESTIONS]]
                     a generated tree (2000 zones, 40000 questions) to Unbound and to us
  browser            install what drives Chromium in the tests of the page (npm)
  peers-table        docs/peers-check.md: the lab's domains seen by other programs (root)
  fuzz-smoke [SECS]  each fuzz target for SECS seconds (30), with cargo-fuzz";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["test"] => test::run(),
        ["tidy"] => tidy::run(),
        ["spec"] => spec::run(spec::Output::Faults),
        ["spec", "--list"] => spec::run(spec::Output::Everything),
        ["docs"] => docs::run(docs::Purpose::Write),
        ["docs", "--check"] => docs::run(docs::Purpose::Check),
        ["deb"] => deb::build(deb::Build::Release).map(|_| ()),
        ["deb", "--test"] => deb::test(),
        ["bench"] => bench::run(),
        ["bench", "dns", arguments @ ..] => bench::dns(arguments),
        ["bench", "web"] => bench::web(),
        ["bench", "policyd", arguments @ ..] => bench::policyd(arguments),
        ["bench", "check", arguments @ ..] => bench::check(arguments),
        ["bench", "relay", arguments @ ..] => bench::relay(arguments),
        ["replay-rpl", paths @ ..] if !paths.is_empty() => replay::run(paths),
        ["differential", sizes @ ..] => differential::run(sizes),
        ["browser"] => browser::install(),
        ["peers-table"] => peers_table::run(),
        ["fuzz-smoke"] => fuzz::smoke(30),
        ["fuzz-smoke", seconds] => fuzz::smoke(seconds.parse()?),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("no such task\n\n{USAGE}"),
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    // The manifest folder of this crate is one below the root.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
        .to_path_buf()
}

/// All files below `folder` (relative to the root) whose name ends with one of `endings`, sorted;
/// hidden folders and build output are left out.
fn files(folder: &str, endings: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    open.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// `path` as seen from the root.
fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}
