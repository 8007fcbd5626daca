//! Postfix as a receiver and as a sender: its own configuration, queue and maildirs in one folder,
//! in the foreground.

mod sender;

pub(crate) use sender::Sender;

use crate::daemon::{Daemon, Ready};
use crate::namespace::run;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;

/// One smtpd, with settings that differ from the others'.
#[derive(Debug)]
pub(crate) struct Smtpd {
    pub(crate) address: IpAddr,
    pub(crate) settings: Vec<String>,
}

/// Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Postfix {
    daemon: Daemon,
    folder: TempDir,
}

impl Postfix {
    /// Starts it. `chain` is the private key and the certificates, PEM; `mailboxes` are all the
    /// addresses that there are, each with a maildir of its own; `settings` are more lines of
    /// `main.cf`.
    pub(crate) fn start(
        services: &[Smtpd],
        chain: &str,
        mailboxes: &[&str],
        settings: &str,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path();
        // Its processes give up root before they open some files.
        fs::set_permissions(here, fs::Permissions::from_mode(0o755)).expect("our own folder");
        for name in ["conf", "queue", "data", "mail"] {
            fs::create_dir(here.join(name)).expect("a folder");
        }
        let conf = here.join("conf");
        fs::write(conf.join("chain.pem"), chain).expect("a file");
        let mut boxes = String::new();
        let mut domains: Vec<&str> = Vec::new();
        for mailbox in mailboxes {
            let _ = writeln!(boxes, "{mailbox} {mailbox}/");
            domains.extend(mailbox.split_once('@').map(|(_, domain)| domain));
        }
        fs::write(conf.join("boxes"), boxes).expect("a file");
        fs::write(conf.join("main.cf"), main_cf(here, &domains, settings)).expect("a file");
        fs::write(conf.join("master.cf"), master_cf(services)).expect("a file");
        run(
            "chown",
            &["postfix", &here.join("data").display().to_string()],
        );
        run(
            "chown",
            &["nobody", &here.join("mail").display().to_string()],
        );
        let mut command = std::process::Command::new("postfix");
        command.arg("-c").arg(&conf).arg("start-fg");
        let places: Vec<SocketAddr> = (services.iter())
            .map(|service| (service.address, 25).into())
            .collect();
        let daemon = Daemon::start("postfix", command, here, &Ready::Listening(&places));
        Self { daemon, folder }
    }

    /// Waits until the maildir of `mailbox` has `count` messages and returns them.
    pub(crate) fn messages(&mut self, mailbox: &str, count: usize) -> Vec<String> {
        let new = self.folder.path().join("mail").join(mailbox).join("new");
        let maillog = self.folder.path().join("maillog");
        self.daemon
            .wait_until(&format!("has delivered to {new:?}"), |_| {
                files(&new).len() >= count || is_panic(&maillog)
            });
        let files = files(&new);
        let texts = files.iter().map(|file| fs::read(file).expect("a message"));
        texts
            .map(|text| String::from_utf8(text).expect("what was sent is UTF-8"))
            .collect()
    }

    /// How many messages the maildir of `mailbox` has now.
    pub(crate) fn count(&self, mailbox: &str) -> usize {
        files(&self.folder.path().join("mail").join(mailbox).join("new")).len()
    }

    /// Hands `text` to its sendmail(1).
    pub(crate) fn sendmail(&self, arguments: &[&str], text: &[u8]) {
        let mut child = std::process::Command::new("sendmail")
            .arg("-C")
            .arg(self.folder.path().join("conf"))
            .args(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .expect("sendmail runs");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        stdin.write_all(text).expect("sendmail reads");
        drop(stdin);
        let status = child.wait().expect("sendmail ends");
        assert!(status.success(), "{arguments:?}: {status}");
    }

    /// Waits until a line of its log has all of `words`.
    pub(crate) fn wait_for(&mut self, words: &[&str]) {
        let maillog = self.folder.path().join("maillog");
        let is_there = |line: &str| words.iter().all(|word| line.contains(word));
        self.daemon.wait_until(&format!("logs {words:?}"), |_| {
            fs::read_to_string(&maillog).is_ok_and(|log| log.lines().any(is_there))
        });
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        let maillog = fs::read_to_string(self.folder.path().join("maillog"));
        format!("{}{}", self.daemon.log(), maillog.unwrap_or_default())
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

fn is_panic(maillog: &Path) -> bool {
    fs::read_to_string(maillog).is_ok_and(|text| text.contains("fatal:"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

fn main_cf(here: &Path, domains: &[&str], settings: &str) -> String {
    let here = here.display();
    let domains = domains.join(" ");
    let usual = format!(
        "compatibility_level = 3.6\n\
         queue_directory = {here}/queue\n\
         data_directory = {here}/data\n\
         maillog_file = {here}/maillog\n\
         maillog_file_prefixes = {here}\n\
         myhostname = mx.postfix.example\n\
         mydestination =\n\
         local_recipient_maps =\n\
         alias_maps =\n\
         mynetworks =\n\
         inet_protocols = all\n\
         disable_dns_lookups = yes\n\
         smtpd_peername_lookup = no\n\
         smtpd_relay_restrictions = reject_unauth_destination\n\
         smtpd_tls_chain_files = {here}/conf/chain.pem\n\
         smtpd_tls_security_level = may\n\
         smtpd_tls_received_header = yes\n\
         smtpd_tls_session_cache_database =\n\
         virtual_mailbox_domains = {domains}\n\
         virtual_mailbox_base = {here}/mail\n\
         virtual_mailbox_maps = texthash:{here}/conf/boxes\n\
         virtual_uid_maps = static:65534\n\
         virtual_gid_maps = static:65534\n"
    );
    let name = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let own: Vec<String> = settings.lines().map(name).collect();
    let usual = usual.lines().filter(|line| !own.contains(&name(line)));
    let lines: Vec<&str> = usual.chain(settings.lines()).collect();
    format!("{}\n", lines.join("\n"))
}

fn master_cf(services: &[Smtpd]) -> String {
    let mut text = String::new();
    for service in services {
        let place = SocketAddr::from((service.address, 25));
        let _ = writeln!(text, "{place} inet n - n - - smtpd");
        for setting in &service.settings {
            let _ = writeln!(text, "  -o {setting}");
        }
    }
    text.push_str(
        "pickup unix n - n 1 1 pickup\n\
         cleanup unix n - n - 0 cleanup\n\
         qmgr unix n - n 300 1 qmgr\n\
         tlsmgr unix - - n 1000? 1 tlsmgr\n\
         rewrite unix - - n - - trivial-rewrite\n\
         bounce unix - - n - 0 bounce\n\
         defer unix - - n - 0 bounce\n\
         trace unix - - n - 0 bounce\n\
         error unix - - n - - error\n\
         retry unix - - n - - error\n\
         smtp unix - - n - - smtp\n\
         virtual unix - n n - - virtual\n\
         anvil unix - - n - 1 anvil\n\
         postlog unix-dgram n - n - 1 postlogd\n",
    );
    text
}
