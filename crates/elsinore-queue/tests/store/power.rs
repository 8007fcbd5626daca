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
    /// The file, where there is one.
    image: PathBuf,
    mount: PathBuf,
    /// The volume that the file is in, when it is in one of its own; unmounted after this one.
    beneath: Option<Box<Self>>,
    _folder: Option<tempfile::TempDir>,
}

impl Volume {
    /// Makes and mounts one of `mebibytes`; nothing where that is not possible, after saying so.
    pub(crate) fn new(mebibytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let (image, mount) = (folder.path().join("image"), folder.path().join("mount"));
        Self {
            image,
            mount,
            beneath: None,
            _folder: Some(folder),
        }
        .made(mebibytes, &[])
    }

    /// Makes and mounts one of `mebibytes` that has room beneath it only for what was written, as thin
    /// provisioning has it: see [`fill_beneath`](Self::fill_beneath).
    pub(crate) fn thin(mebibytes: u64) -> Option<Self> {
        let beneath = Self::in_memory(mebibytes + 8)?;
        let folder = tempfile::tempdir().expect("a folder");
        let image = beneath.path().join("image");
        // Room for its journal and tables: what fails is to be the files' octets.
        let all = vec![0; 1 << 20];
        let mut file = std::fs::File::create(&image).expect("an image");
        for _ in 0..mebibytes {
            std::io::Write::write_all(&mut file, &all).expect("written");
        }
        let volume = Self {
            image,
            mount: folder.path().to_path_buf(),
            beneath: Some(Box::new(beneath)),
            _folder: Some(folder),
        };
        volume.made(
            mebibytes,
            &[
                "-b",
                "4096",
                "-E",
                "nodiscard,lazy_itable_init=0",
                "-J",
                "size=8",
            ],
        )
    }

    fn made(self, mebibytes: u64, options: &[&str]) -> Option<Self> {
        std::fs::create_dir_all(&self.mount).expect("a folder");
        let file = std::fs::File::create(&self.image).expect("an image");
        file.set_len(mebibytes << 20).expect("its length");
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F"])
            .args(options)
            .arg(&self.image)
            .status();
        if made.is_ok_and(|status| status.success()) && self.mount() {
            return Some(self);
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
            return Some(Self {
                image: PathBuf::new(),
                mount,
                beneath: None,
                _folder: Some(folder),
            });
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
            .arg(&self.image)
            .arg(&self.mount)
            .status()
            .is_ok_and(|status| status.success())
            && (self.beneath.is_none() || self.write_page_by_page())
    }

    /// The loop driver takes a write of which only the first part was done for done: it gets pages one
    /// by one.
    fn write_page_by_page(&self) -> bool {
        let found = Command::new("findmnt")
            .args(["-n", "-o", "SOURCE"])
            .arg(&self.mount)
            .output()
            .expect("findmnt");
        let device = String::from_utf8(found.stdout).expect("a path");
        let name = Path::new(device.trim()).file_name().expect("a name");
        let most = Path::new("/sys/block")
            .join(name)
            .join("queue/max_sectors_kb");
        std::fs::write(most, "4").is_ok()
    }

    /// Mounts it with other options.
    pub(crate) fn remount(&self, options: &str) -> bool {
        Command::new("mount")
            .args(["-o", options])
            .arg(&self.mount)
            .status()
            .is_ok_and(|status| status.success())
    }

    /// From now on nothing more can be written beneath than replaces what is there, or again. What
    /// does not is taken all the same, and fails when it is synced.
    pub(crate) fn fill_beneath(&self, is_full: bool) {
        let beneath = self.beneath.as_ref().expect("a thin volume");
        let ballast = beneath.path().join("ballast");
        if !is_full {
            return std::fs::remove_file(ballast).expect("removed");
        }
        let trimmed = Command::new("fstrim").arg(&self.mount).output();
        let trimmed = trimmed.expect("fstrim");
        assert!(trimmed.status.success(), "{trimmed:?}");
        crate::full::fill(&ballast);
    }

    /// Takes it off, has it checked, and mounts it again, so that what is in the kernel's memory alone
    /// is forgotten.
    pub(crate) fn again(&self) {
        // The kernel may tell the next mount of the device's old errors, once.
        for _ in 0..10 {
            self.mount_again();
            let canary = self.mount.join("canary");
            let written = std::fs::File::create(&canary).and_then(|file| file.sync_all());
            if written.is_ok() && std::fs::remove_file(canary).is_ok() {
                return;
            }
        }
        panic!("cannot be written any more");
    }

    fn mount_again(&self) {
        assert!(self.unmount(), "still in use");
        // Which blocks are free may be among what was not written.
        let checked = Command::new("e2fsck")
            .args(["-f", "-y"])
            .arg(&self.image)
            .output()
            .expect("e2fsck");
        assert!(
            checked.status.code().is_some_and(|code| code < 4),
            "{checked:?}"
        );
        assert!(self.mount(), "mounted again");
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
        if !self.unmount() {
            // The loop device above is let go of a moment later: off as soon as that is done.
            let _off = Command::new("umount").arg("-l").arg(&self.mount).status();
        }
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
