//! What a contender uses: processor time, memory, fsyncs.

use std::error::Error;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The shim that counts fsyncs, and the file it counts in.
#[derive(Debug)]
pub(crate) struct Fsyncs {
    /// To be preloaded.
    pub(crate) library: PathBuf,
    /// Where it counts.
    pub(crate) file: PathBuf,
}

impl Fsyncs {
    /// Builds the shim with the C compiler; `None` where there is none.
    pub(crate) fn build(folder: &Path) -> Result<Option<Self>, Box<dyn Error>> {
        let source = folder.join("fsyncs.c");
        fs::write(&source, include_str!("fsyncs.c"))?;
        let library = folder.join("fsyncs.so");
        let built = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(&source)
            .arg("-ldl")
            .status();
        if !built.is_ok_and(|status| status.success()) {
            return Ok(None);
        }
        let file = folder.join("fsyncs");
        fs::write(&file, [0; 8])?;
        // Postfix' processes are users of their own.
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
        Ok(Some(Self { library, file }))
    }

    /// How many there were so far.
    pub(crate) fn read(&self) -> u64 {
        let mut octets = [0; 8];
        let read = fs::File::open(&self.file).and_then(|mut file| {
            file.seek(SeekFrom::Start(0))?;
            file.read_exact(&mut octets)
        });
        read.map_or(0, |()| u64::from_le_bytes(octets))
    }
}

/// Processor time of `root` and all processes below it, those that have ended included.
pub(crate) fn processor_time(root: u32) -> Duration {
    let mut ticks = 0;
    for pid in family(root) {
        let Some(fields) = stat(pid) else { continue };
        // utime, stime, cutime, cstime are fields 14 to 17; the command in brackets is cut off.
        let field = |number: usize| -> u64 {
            fields
                .get(number - 3)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)
        };
        ticks += field(14) + field(15) + field(16) + field(17);
    }
    // Linux reports in hundredths of a second, whatever its own clock does.
    Duration::from_millis(ticks * 10)
}

/// The proportional share of memory of `root` and all processes below it, in octets, and how many
/// they are.
pub(crate) fn memory(root: u32) -> (u64, usize) {
    let family = family(root);
    let kilobytes: u64 = family
        .iter()
        .filter_map(|pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        })
        .sum();
    (kilobytes * 1024, family.len())
}

fn family(root: u32) -> Vec<u32> {
    let mut parents: Vec<(u32, u32)> = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if let Some(parent) = stat(pid).and_then(|fields| fields.get(1)?.parse().ok()) {
            parents.push((pid, parent));
        }
    }
    let mut family = vec![root];
    let mut place = 0;
    while let Some(&one) = family.get(place) {
        let children = parents.iter().filter(|(_, parent)| *parent == one);
        family.extend(children.map(|(pid, _)| *pid));
        place += 1;
    }
    family
}

/// The fields of `/proc/PID/stat` behind the command, from the state (field 3) on.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}
