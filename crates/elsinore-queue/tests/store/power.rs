//! The power fails: a file system of its own on a loop device is shut down under load, so that whatever
//! was not synced is gone, and mounted again.
//!
//! `EXT4_IOC_SHUTDOWN` without flushing its journal; asked by perl, which Debian always has, because the call
//! has no safe name in Rust. What the child said before that moment counts.

use crate::crash::rounds;
use crate::load::{Load, Promises};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in a file.
pub(crate) struct Volume {
    folder: tempfile::TempDir,
    mount: PathBuf,
}

impl Volume {
    /// Makes and mounts one of `mebibytes`; nothing where that is not possible, after saying so.
    pub(crate) fn new(mebibytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let image = folder.path().join("image");
        let mount = folder.path().join("mount");
        std::fs::create_dir(&mount).expect("a folder");
        let file = std::fs::File::create(&image).expect("an image");
        file.set_len(mebibytes << 20).expect("its length");
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F"])
            .arg(&image)
            .status();
        let volume = Self { folder, mount };
        if made.is_ok_and(|status| status.success()) && volume.mount() {
            return Some(volume);
        }
        assert!(
            std::env::var_os("ELSINORE_NO_SKIPS").is_none(),
            "a loop device and mkfs.ext4 are needed, and root"
        );
        eprintln!("skipped: no loop mounts here");
        None
    }

    /// Mounts one in memory; nothing where that is not possible, after saying so.
    pub(crate) fn in_memory(mebibytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mount = folder.path().join("mount");
        std::fs::create_dir(&mount).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(&mount)
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self { folder, mount });
        }
        assert!(
            std::env::var_os("ELSINORE_NO_SKIPS").is_none(),
            "a tmpfs is needed, and root"
        );
        eprintln!("skipped: no mounts here");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        &self.mount
    }

    fn mount(&self) -> bool {
        Command::new("mount")
            .args(["-o", "loop,noatime"])
            .arg(self.folder.path().join("image"))
            .arg(&self.mount)
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Mounts it with other options.
    pub(crate) fn remount(&self, options: &str) -> bool {
        Command::new("mount")
            .args(["-o", options])
            .arg(&self.mount)
            .status()
            .is_ok_and(|status| status.success())
    }

    fn unmount(&self) -> bool {
        Command::new("umount")
            .arg(&self.mount)
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Nothing is written any more.
    fn cut(&self) {
        const SHUTDOWN: &str = "open(F, '<', $ARGV[0]) or die; my $how = pack('L', 2); \
                                ioctl(F, 0x8004587D, $how) or die $!;";
        let status = Command::new("perl")
            .args(["-e", SHUTDOWN])
            .arg(&self.mount)
            .status()
            .expect("perl");
        assert!(status.success());
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        self.unmount();
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_fails() {
    let Some(volume) = Volume::new(1024) else {
        return;
    };
    let folder = volume.path().join("queue");
    let mut before = BTreeSet::new();
    for round in 0..rounds(8) {
        let mut load = Load::start(&folder);
        load.listen(rand::random_range(50..600));
        // That the cut is one: this was never synced.
        let canary = volume.path().join(format!("canary-{round}"));
        std::fs::write(&canary, b"sings").expect("written");
        load.hear();
        volume.cut();
        let lines = load.kill(false);
        assert!(volume.unmount() && volume.mount(), "mounted again");
        let sings = std::fs::read(&canary).unwrap_or_default();
        assert_ne!(sings, b"sings", "the power did not fail");
        before = Promises::read(&before, &lines).hold(&folder, false);
    }
}
