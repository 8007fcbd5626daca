//! The fuzz targets of `fuzz/`, run for a while with cargo-fuzz. Their corpora are replayed by
//! plain `cargo test` too, so a fault found once stays found.
//!
//! The smoke run is cheap on purpose. It has no sanitiser: the code under it has no `unsafe`, the C
//! libraries below it are not instrumented either way, and what it looks for are panics, failed
//! assertions and endless loops. It is built with little optimisation, and with the OpenSSL that
//! the tests have built already. A long search is better made with cargo-fuzz itself.

use crate::step::{cargo, command, exists, messages, step, text_of};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// The release that is installed where there is none.
const CARGO_FUZZ: &str = "0.13.2";
/// What a target may take of the memory, in MB.
const MEMORY: &str = "1024";
/// What one input may take, in seconds.
const LONGEST: &str = "10";

/// Runs each target for `seconds`, from the committed corpus.
///
/// # Errors
/// When cargo-fuzz cannot be installed, a target cannot be built, or finds a fault.
pub(crate) fn smoke(seconds: u32) -> Result<()> {
    if !exists("cargo-fuzz", "--version") {
        step("install cargo-fuzz", || {
            cargo(&["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ])
        })?;
    }
    let openssl = openssl()?;
    step("build the fuzz targets", || {
        command(&mut cargo_fuzz("build", openssl.as_ref()))
    })?;
    for path in crate::files("fuzz/fuzz_targets", &[".rs"])? {
        let Some(target) = path.file_stem().and_then(|stem| stem.to_str()) else {
            bail!("{}: not a target name", path.display());
        };
        step(&format!("fuzz {target}"), || {
            run(target, seconds, openssl.as_ref())
        })?;
    }
    Ok(())
}

/// Finds go to a folder of the build, so that a smoke run leaves the committed corpus as it is.
fn run(target: &str, seconds: u32, openssl: Option<&PathBuf>) -> Result<()> {
    let corpus = crate::root().join("fuzz/corpus").join(target);
    if std::fs::read_dir(&corpus)
        .with_context(|| format!("{target} has no corpus"))?
        .next()
        .is_none()
    {
        bail!("the corpus of {target} is empty");
    }
    let finds = crate::root().join("fuzz/target/finds").join(target);
    std::fs::create_dir_all(&finds)?;
    let mut fuzz = cargo_fuzz("run", openssl);
    fuzz.arg(target).arg(finds).arg(corpus).arg("--").args([
        format!("-max_total_time={seconds}"),
        format!("-rss_limit_mb={MEMORY}"),
        format!("-timeout={LONGEST}"),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
    ]);
    command(&mut fuzz)
}

fn cargo_fuzz(task: &str, openssl: Option<&PathBuf>) -> Command {
    let mut fuzz = Command::new(env!("CARGO"));
    fuzz.args(["fuzz", task, "--sanitizer", "none"])
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        // Only the sanitisers need unstable compiler flags, but cargo-fuzz may ask for others.
        .env("RUSTC_BOOTSTRAP", "1");
    if let Some(folder) = openssl {
        fuzz.env("OPENSSL_NO_VENDOR", "1")
            .env("OPENSSL_STATIC", "1")
            .env("OPENSSL_DIR", folder);
    }
    fuzz
}

/// Where the build of the workspace has put its OpenSSL; `None` when it uses another one.
fn openssl() -> Result<Option<PathBuf>> {
    let built = messages(&["build", "--workspace"])?;
    Ok(built
        .lines()
        .filter(|line| line.contains("openssl-sys"))
        .filter_map(|line| text_of(line, "out_dir"))
        .map(|folder| PathBuf::from(folder).join("openssl-build/install"))
        .find(|folder| folder.join("lib/libssl.a").is_file()))
}
