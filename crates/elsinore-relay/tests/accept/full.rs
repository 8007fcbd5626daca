//! A disk that fills up, under the store that a relay has.

use crate::house::{Client, House, settings};
use elsinore_queue::admin::Filter;
use elsinore_queue::sqlite::{SqliteSettings, SqliteStore};
use elsinore_queue::store::QueueStore as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use tokio::net::TcpStream;

/// A small file system in memory, unmounted when dropped.
struct Volume {
    mount: PathBuf,
    _folder: tempfile::TempDir,
}

impl Volume {
    /// None where nothing can be mounted, after saying so.
    fn new(mebibytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = folder.path().join("mount");
        std::fs::create_dir(&mount).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(&mount)
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self {
                mount,
                _folder: folder,
            });
        }
        assert!(
            std::env::var_os("ELSINORE_NO_SKIPS").is_none(),
            "a tmpfs is needed, and root"
        );
        eprintln!("skipped: no mounts here");
        None
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: the store may not have closed its files yet.
        let _ = Command::new("umount").arg("-l").arg(&self.mount).status();
    }
}

/// Sends a message of about `octets`; the reply that refused it or took it, and whether that was before
/// the message was sent.
async fn submit(client: &mut Client<TcpStream>, octets: usize, says: &str) -> (String, bool) {
    let reply = client
        .ask(&format!("MAIL FROM:<a@sender.example>{says}"))
        .await;
    if !reply.starts_with("250") {
        return (reply, true);
    }
    client.ask("RCPT TO:<b@a.example>").await;
    let reply = client.ask("DATA").await;
    if !reply.starts_with("354") {
        return (reply, true);
    }
    let line = [b"y".repeat(70).as_slice(), b"\r\n"].concat();
    client.write(&line.repeat(octets / 72)).await;
    (client.ask(".").await, false)
}

#[tokio::test]
async fn a_full_disk_is_said_before_data_and_costs_nothing_acknowledged() {
    let Some(volume) = Volume::new(32) else {
        return;
    };
    let folder = volume.mount.join("queue");
    let tight = SqliteSettings {
        segment_octets: 1 << 20,
        reserve_octets: 8 << 20,
        ..SqliteSettings::new(folder)
    };
    let store = Arc::new(SqliteStore::open(tight.clone()).unwrap());
    let house = House::on(Arc::clone(&store), settings()).await;
    let mut client = house.connect().await;
    client.greet().await;
    let (mut acknowledged, mut late) = (Vec::new(), 0);
    // More than there is, without saying so: the disk is full in the middle of it.
    let (reply, before) = submit(&mut client, 40 << 20, "").await;
    assert!(reply.starts_with("452 4.3.1") && !before, "{reply}");
    loop {
        let (reply, before) = submit(&mut client, 1 << 20, " SIZE=1048576").await;
        if let Some(id) = reply.strip_prefix("250 2.0.0 queued as ") {
            acknowledged.push(id.to_owned());
            assert!(acknowledged.len() < 100, "it never fills up");
            continue;
        }
        assert_eq!(reply, "452 4.3.1 no room for the message now");
        if !before {
            // It came so close to the edge that what is written beside the message did not fit.
            late += 1;
            assert!(late < 4, "never said before DATA");
            continue;
        }
        break;
    }
    assert!(!acknowledged.is_empty());
    assert!(client.ask("NOOP").await.starts_with("250"));
    // By the listing of a store that was opened anew.
    let mut house = house;
    house.stop();
    house.closed().await;
    store.close().await.unwrap();
    drop(store);
    let store = SqliteStore::open(tight).unwrap();
    let page = store.list(Filter::default(), None, 1000).await.unwrap();
    let mut kept: Vec<String> = page
        .jobs
        .iter()
        .map(|job| job.message.id.to_string())
        .collect();
    kept.sort();
    acknowledged.sort();
    assert_eq!(kept, acknowledged);
}
