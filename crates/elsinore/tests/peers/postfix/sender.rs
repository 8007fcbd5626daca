//! Postfix that sends: messages are handed to its sendmail(1), and its log tells what became of
//! them.

use super::{is_panic, run};
use crate::daemon::{Daemon, Ready};
use crate::lab::Lab;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Runs inside a lab until it is dropped.
#[derive(Debug)]
pub(crate) struct Sender<'a> {
    _daemon: Daemon,
    lab: &'a Lab,
    folder: TempDir,
}

/// What Postfix said of one message.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// `sent`, `deferred` or `bounced`.
    pub(crate) status: String,
    /// `Verified`, `Trusted`, `Untrusted` or `Anonymous`, of the session with the last host.
    pub(crate) tls: Option<String>,
    /// The whole line.
    #[allow(dead_code, reason = "shown when a test fails")]
    pub(crate) line: String,
}

/// Between two looks at the log.
const PAUSE: Duration = Duration::from_millis(100);

const MASTER_CF: &str = "\
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
smtp unix - - n - 12 smtp
postlog unix-dgram n - n - 1 postlogd
";

impl<'a> Sender<'a> {
    /// Starts it in the lab, with `settings` at the end of its `main.cf`. It listens nowhere;
    /// `name` tells instances apart.
    pub(crate) fn start(lab: &'a Lab, name: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path();
        fs::set_permissions(here, fs::Permissions::from_mode(0o755)).expect("our own folder");
        for part in ["conf", "queue", "data"] {
            fs::create_dir(here.join(part)).expect("a folder");
        }
        let place = here.display();
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {place}/queue\n\
             data_directory = {place}/data\nmaillog_file = {place}/maillog\n\
             maillog_file_prefixes = {place}\nmyhostname = client.sender.example\n\
             multi_instance_name =\nmydestination =\nlocal_recipient_maps =\nalias_maps =\n\
             mynetworks =\ninet_protocols = all\ninet_interfaces = loopback-only\n\
             notify_classes =\nsmtp_connect_timeout = 8s\nsmtp_helo_timeout = 10s\n\
             smtp_starttls_timeout = 10s\nsmtp_mail_timeout = 10s\nsmtp_rcpt_timeout = 10s\n\
             smtp_data_init_timeout = 10s\nsmtp_data_xfer_timeout = 10s\n\
             smtp_data_done_timeout = 10s\nsmtp_quit_timeout = 5s\n\
             smtp_tls_session_cache_database =\n{settings}"
        );
        fs::write(here.join("conf/main.cf"), main).expect("a file");
        fs::write(here.join("conf/master.cf"), MASTER_CF).expect("a file");
        run("chown", &["postfix", &format!("{place}/data")]);
        let mut command = lab.command("postfix");
        command.arg("-c").arg(here.join("conf")).arg("start-fg");
        let nowhere = Ready::Listening(&[]);
        let mut daemon = Daemon::start(&format!("postfix-{name}"), command, here, &nowhere);
        let maillog = here.join("maillog");
        daemon.wait_until("has started", |_| {
            fs::read_to_string(&maillog).is_ok_and(|log| log.contains("daemon started"))
        });
        Self {
            _daemon: daemon,
            lab,
            folder,
        }
    }

    /// Hands over one message to each of `recipients` and waits until something became of all of
    /// them, or of no further one for `patience`.
    pub(crate) fn send(&self, recipients: &[&str], patience: Duration) -> BTreeMap<String, Sent> {
        for to in recipients {
            let mut child = self
                .lab
                .command("sendmail")
                .arg("-C")
                .arg(self.folder.path().join("conf"))
                .args(["-f", "", "--", to])
                .stdin(Stdio::piped())
                .spawn()
                .expect("sendmail runs");
            let mut stdin = child.stdin.take().expect("stdin is a pipe");
            let text =
                format!("From: alice@sender.example\nTo: {to}\nSubject: s\n\nWho's there?\n");
            stdin.write_all(text.as_bytes()).expect("sendmail reads");
            drop(stdin);
            assert!(child.wait().expect("sendmail ends").success(), "{to}");
        }
        let (mut progress, mut known) = (Instant::now(), 0);
        loop {
            let ends = ends(&self.log());
            if ends.len() > known {
                (progress, known) = (Instant::now(), ends.len());
            }
            let all = recipients.iter().all(|to| ends.contains_key(*to));
            if all || progress.elapsed() > patience || is_panic(&self.maillog()) {
                return ends;
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn maillog(&self) -> std::path::PathBuf {
        self.folder.path().join("maillog")
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.maillog()).unwrap_or_default()
    }
}

/// The first end of each recipient. A delivery agent tells of the TLS session with a host before it
/// tells what became of the message there.
fn ends(log: &str) -> BTreeMap<String, Sent> {
    let mut ends = BTreeMap::new();
    let mut sessions: BTreeMap<(&str, String), &str> = BTreeMap::new();
    for line in log.lines() {
        let Some((process, text)) = line.split_once("]: ") else {
            continue;
        };
        let process = process.rsplit(' ').next().unwrap_or_default();
        if let Some((word, rest)) = text.split_once(" TLS connection established to ") {
            let host = rest.split(": ").next().unwrap_or_default();
            // The two lines write the host in different case.
            sessions.insert((process, host.to_ascii_lowercase()), word);
            continue;
        }
        let Some((_, rest)) = text.split_once(": to=<") else {
            continue;
        };
        let (Some((to, rest)), Some((_, status))) =
            (rest.split_once('>'), text.split_once("status="))
        else {
            continue;
        };
        let relay = rest.split_once("relay=").map_or("", |(_, relay)| relay);
        let relay = relay.split(',').next().unwrap_or_default();
        let relay = relay.to_ascii_lowercase();
        let sent = Sent {
            status: status.split(' ').next().unwrap_or_default().to_owned(),
            tls: sessions.remove(&(process, relay)).map(str::to_owned),
            line: text.to_owned(),
        };
        ends.entry(to.to_owned()).or_insert(sent);
    }
    ends
}
