//! Files of `--save` and `--offline`.

use super::list::Wanted;
use crate::exit::Refusal;
use crate::output::printable;
use anyhow::{Context, Result};
use elsinore_check::bundle::{Bundle, MOST_OCTETS};
use elsinore_check::target::{self, Target};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Reads a bundle.
///
/// # Errors
/// A file that cannot be read, or is no bundle.
pub(super) fn read(path: &Path) -> Result<Bundle> {
    let shown = printable(&path.display().to_string());
    let mut octets = Vec::new();
    let file = File::open(path).with_context(|| format!("check: cannot read {shown}"))?;
    file.take(MOST_OCTETS as u64 + 1)
        .read_to_end(&mut octets)
        .with_context(|| format!("check: cannot read {shown}"))?;
    Bundle::read(&octets)
        .map_err(|error| Refusal::usage(printable(&format!("check: --offline {shown}: {error}"))))
}

/// The domain of a bundle, which is also the only one that may be named beside it.
///
/// # Errors
/// Another domain.
pub(super) fn wanted(bundle: &Bundle, operands: &[String]) -> Result<Wanted> {
    for operand in operands {
        let target = target::read(operand)
            .map_err(|error| Refusal::usage(printable(&format!("check: {error}"))))?;
        if target.domain != bundle.domain {
            return Err(Refusal::usage(format!(
                "check: the bundle is about {}, not about {}",
                bundle.domain, target.domain
            )));
        }
    }
    Ok(Wanted {
        targets: vec![Target {
            domain: bundle.domain.clone(),
            unicode: None,
            remark: None,
        }],
        refused: Vec::new(),
    })
}

/// Writes a bundle: the whole file, or none of it.
///
/// # Errors
/// A folder or file that cannot be written.
pub(super) fn write(path: &Path, octets: &[u8]) -> Result<()> {
    let shown = || {
        format!(
            "check: cannot write {}",
            printable(&path.display().to_string())
        )
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(shown)?;
    file.write_all(octets).with_context(shown)?;
    file.as_file().sync_all().with_context(shown)?;
    file.persist(path)
        .map_err(|error| error.error)
        .with_context(shown)?;
    Ok(())
}
