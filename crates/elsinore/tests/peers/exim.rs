//! Exim as a receiver and as a client of the relay: what comes from the network is delivered into
//! maildirs, what is handed in locally, its own notifications too, goes to the relay.
//!
//! Its package conflicts with Postfix', so `cargo xtask test` unpacks it below `target/tools`. It
//! runs as the user that it was built for, who exists in the mount namespace of the test alone.

use crate::daemon::{Daemon, Ready};
use crate::namespace::run;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The program.
pub(crate) const EXIM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../target/tools/exim/usr/sbin/exim4"
);

/// The user that Debian's Exim was built for, and a number that no other package has.
const USER: &str = "Debian-exim";
const NUMBER: u32 = 64_871;

/// Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Exim {
    daemon: Daemon,
    folder: TempDir,
}

/// The mailboxes of an instance, and where it sends everything else.
#[derive(Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: IpAddr,
    pub(crate) key: &'a str,
    pub(crate) chain: &'a str,
    pub(crate) mailboxes: &'a [&'a str],
    pub(crate) relay: SocketAddr,
}

impl Exim {
    /// Starts it on port 25 of its address.
    pub(crate) fn start(setup: &Setup<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path();
        fs::set_permissions(here, fs::Permissions::from_mode(0o755)).expect("our own folder");
        users(here);
        for name in ["conf", "spool", "log", "mail"] {
            fs::create_dir(here.join(name)).expect("a folder");
        }
        let mut boxes = String::new();
        for mailbox in setup.mailboxes {
            let _ = writeln!(boxes, "{mailbox}: {}/mail/{mailbox}", here.display());
        }
        for (name, text) in [
            ("boxes", boxes.as_str()),
            ("key.pem", setup.key),
            ("chain.pem", setup.chain),
            ("exim.conf", &configuration(here, setup)),
        ] {
            fs::write(here.join("conf").join(name), text).expect("a file");
        }
        let path = here.display().to_string();
        for name in ["conf/key.pem", "spool", "log", "mail"] {
            let owner = format!("{USER}:{USER}");
            run("chown", &[&owner, &format!("{path}/{name}")]);
        }
        let mut command = Command::new(EXIM);
        command.arg("-C").arg(here.join("conf/exim.conf"));
        command.arg("-bdf");
        let place = [SocketAddr::from((setup.address, 25))];
        let daemon = Daemon::start("exim", command, here, &Ready::Listening(&place));
        Self { daemon, folder }
    }

    /// Hands `text` in, as a local program does.
    pub(crate) fn submit(&self, from: &str, to: &str, text: &str) {
        let mut child = Command::new(EXIM)
            .arg("-C")
            .arg(self.folder.path().join("conf/exim.conf"))
            .args(["-i", "-f", from, "--", to])
            .stdin(Stdio::piped())
            .spawn()
            .expect("exim runs");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        stdin.write_all(text.as_bytes()).expect("exim reads");
        drop(stdin);
        assert!(child.wait().expect("exim ends").success(), "{to}");
    }

    /// Waits until the maildir of `mailbox` has `count` messages and returns them.
    pub(crate) fn messages(&mut self, mailbox: &str, count: usize) -> Vec<String> {
        let new = self.folder.path().join("mail").join(mailbox).join("new");
        let files = || -> Vec<_> {
            let entries = fs::read_dir(&new).into_iter().flatten();
            entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect()
        };
        self.daemon
            .wait_until(&format!("has delivered to {new:?}"), |_| {
                files().len() >= count
            });
        let texts = files()
            .into_iter()
            .map(|file| fs::read(file).expect("a message"));
        texts
            .map(|text| String::from_utf8(text).expect("what was sent is UTF-8"))
            .collect()
    }

    /// Whether anything was ever delivered to `mailbox`.
    pub(crate) fn has_any(&self, mailbox: &str) -> bool {
        self.folder.path().join("mail").join(mailbox).exists()
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        let mut log = self.daemon.log();
        for name in ["mainlog", "paniclog", "rejectlog"] {
            let text = fs::read_to_string(self.folder.path().join("log").join(name));
            log.push_str(&text.unwrap_or_default());
        }
        log
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// Makes its user known inside this mount namespace.
fn users(here: &Path) {
    for (file, line) in [
        (
            "/etc/passwd",
            format!("{USER}:x:{NUMBER}:{NUMBER}::/:/bin/false\n"),
        ),
        ("/etc/group", format!("{USER}:x:{NUMBER}:\n")),
    ] {
        let text = fs::read_to_string(file).expect("a list of users");
        let text: String = (text.lines())
            .filter(|line| !line.starts_with(&format!("{USER}:")))
            .map(|line| format!("{line}\n"))
            .collect();
        let copy = here.join(file.trim_start_matches('/').replace('/', "-"));
        fs::write(&copy, text + &line).expect("a file");
        run("mount", &["--bind", &copy.display().to_string(), file]);
    }
}

fn configuration(here: &Path, setup: &Setup<'_>) -> String {
    let here = here.display();
    let Setup { name, address, .. } = setup;
    let (host, port) = (setup.relay.ip(), setup.relay.port());
    format!(
        "primary_hostname = {name}\n\
         exim_path = {EXIM}\n\
         spool_directory = {here}/spool\n\
         log_file_path = {here}/log/%slog\n\
         pid_file_path = {here}/spool/exim.pid\n\
         local_interfaces = {address}\n\
         daemon_smtp_ports = 25\n\
         deliver_drop_privilege = true\n\
         host_lookup =\n\
         rfc1413_hosts =\n\
         keep_environment =\n\
         tls_advertise_hosts = *\n\
         tls_certificate = {here}/conf/chain.pem\n\
         tls_privatekey = {here}/conf/key.pem\n\
         dsn_advertise_hosts = *\n\
         smtputf8_advertise_hosts = *\n\
         acl_smtp_rcpt = recipient\n\
         acl_smtp_data = accept\n\
         log_selector = +tls_cipher\n\
         begin acl\n\
         recipient:\n\
         \x20 accept condition = ${{lookup{{$local_part@$domain}}lsearch{{{here}/conf/boxes}}{{yes}}{{no}}}}\n\
         \x20 deny message = no such mailbox\n\
         begin routers\n\
         from_the_network:\n\
         \x20 driver = accept\n\
         \x20 condition = ${{if def:sender_host_address}}\n\
         \x20 transport = maildir\n\
         by_the_relay:\n\
         \x20 driver = manualroute\n\
         \x20 route_list = * {host}\n\
         \x20 self = send\n\
         \x20 transport = relay\n\
         begin transports\n\
         maildir:\n\
         \x20 driver = appendfile\n\
         \x20 maildir_format\n\
         \x20 directory = ${{lookup{{$local_part@$domain}}lsearch{{{here}/conf/boxes}}}}\n\
         \x20 create_directory\n\
         \x20 return_path_add\n\
         \x20 envelope_to_add\n\
         \x20 delivery_date_add\n\
         \x20 user = {USER}\n\
         relay:\n\
         \x20 driver = smtp\n\
         \x20 port = {port}\n\
         \x20 allow_localhost\n\
         begin retry\n\
         * * F,1h,1m\n"
    )
}
