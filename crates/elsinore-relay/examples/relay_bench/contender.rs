//! The relays that are compared: this project's and a private Postfix, each in a folder of its own
//! on the same file system.

use crate::meter::Fsyncs;
use crate::world::World;
use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a contender may take to listen, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This project's.
    Elsinore,
    /// Postfix, a handshake for each message, as it comes.
    Postfix,
    /// Postfix with `smtp_tls_connection_reuse`.
    PostfixReuse,
}

impl Kind {
    /// Its name in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Elsinore => "elsinore",
            Self::Postfix => "postfix",
            Self::PostfixReuse => "postfix, reuse",
        }
    }
}

/// A relay that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Contender {
    child: Child,
    folder: PathBuf,
    kind: Kind,
    /// Where it listens.
    pub(crate) place: SocketAddr,
}

impl Contender {
    /// Starts it in `folder` with `tls` or without.
    pub(crate) fn start(
        kind: Kind,
        tls: bool,
        world: &World,
        folder: &Path,
        program: &Path,
        fsyncs: Option<&Fsyncs>,
    ) -> Result<Self, Box<dyn Error>> {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let place = free_place()?;
        let mut command = match kind {
            Kind::Elsinore => elsinore(world, folder, program, place)?,
            Kind::Postfix => postfix(world, folder, place, tls, false)?,
            Kind::PostfixReuse => postfix(world, folder, place, tls, true)?,
        };
        if let Some(fsyncs) = fsyncs {
            command.env("LD_PRELOAD", &fsyncs.library);
            command.env("ELSINORE_FSYNC_COUNT", &fsyncs.file);
        }
        let log = fs::File::create(folder.join("stderr"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let mut contender = Self {
            child,
            folder: folder.to_path_buf(),
            kind,
            place,
        };
        let begun = Instant::now();
        while TcpStream::connect(place).is_err() {
            if begun.elapsed() > PATIENCE || contender.child.try_wait()?.is_some() {
                let log = fs::read_to_string(folder.join("stderr")).unwrap_or_default();
                let maillog = fs::read_to_string(folder.join("maillog")).unwrap_or_default();
                return Err(format!("{} does not listen: {log}{maillog}", kind.name()).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(contender)
    }

    /// Its process; for Postfix the one that starts all others.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether nothing is left in its queue.
    pub(crate) fn is_drained(&self) -> bool {
        match self.kind {
            // The sink has everything; the rest is bookkeeping.
            Kind::Elsinore => true,
            Kind::Postfix | Kind::PostfixReuse => ["incoming", "active", "deferred"]
                .iter()
                .all(|queue| is_empty(&self.folder.join("queue").join(queue))),
        }
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        // The wait has a bound.
        let _ = match self.kind {
            Kind::Elsinore => Command::new("kill")
                .args(["-TERM", &self.child.id().to_string()])
                .status(),
            // What was started is a script; its own way ends all processes.
            Kind::Postfix | Kind::PostfixReuse => Command::new("postfix")
                .arg("-c")
                .arg(self.folder.join("conf"))
                .arg("stop")
                .stderr(Stdio::null())
                .status(),
        };
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_empty(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return true;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_file() || !is_empty(&path) {
            return false;
        }
    }
    true
}

fn free_place() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn elsinore(
    world: &World,
    folder: &Path,
    program: &Path,
    place: SocketAddr,
) -> Result<Command, Box<dyn Error>> {
    let mut text = fs::read_to_string(&world.configuration)?;
    let state = folder.join("state");
    text = text.replace("state_dir = \"state\"", &format!("state_dir = {state:?}"));
    text.push_str(&format!(
        "\n[relay]\nlisten = [\"{place}\"]\nname = \"relay.bench.example\"\n"
    ));
    // Beside the lab's own files, which it names by relative paths.
    let configuration = world.folder().join("relay.toml");
    fs::write(&configuration, text)?;
    let mut command = Command::new(program);
    command.arg("--config").arg(configuration).arg("relay");
    Ok(command)
}

fn postfix(
    world: &World,
    folder: &Path,
    place: SocketAddr,
    tls: bool,
    reuse: bool,
) -> Result<Command, Box<dyn Error>> {
    for name in ["conf", "queue", "data"] {
        fs::create_dir(folder.join(name))?;
    }
    let here = folder.display();
    let sink = world.sinks[usize::from(!tls)];
    let level = if tls { "encrypt" } else { "none" };
    let reuse = if reuse { "yes" } else { "no" };
    fs::write(
        folder.join("conf/main.cf"),
        format!(
            "compatibility_level = 3.6\nqueue_directory = {here}/queue\n\
             data_directory = {here}/data\nmaillog_file = {here}/maillog\n\
             maillog_file_prefixes = {here}\nmyhostname = relay.bench.example\n\
             mydestination =\nlocal_recipient_maps =\nalias_maps =\nmynetworks = 127.0.0.0/8\n\
             inet_protocols = ipv4\ndisable_dns_lookups = yes\nsmtpd_peername_lookup = no\n\
             relayhost = [{}]:{}\nsmtp_tls_security_level = {level}\n\
             smtp_tls_connection_reuse = {reuse}\nsmtp_tls_loglevel = 1\n\
             import_environment = MAIL_CONFIG MAIL_LOGTAG TZ LD_PRELOAD ELSINORE_FSYNC_COUNT\n\
             export_environment = TZ LD_PRELOAD ELSINORE_FSYNC_COUNT\n",
            sink.ip(),
            sink.port()
        ),
    )?;
    fs::write(folder.join("conf/master.cf"), master_cf(place))?;
    let owned = Command::new("chown")
        .arg("postfix")
        .arg(folder.join("data"))
        .status()?;
    if !owned.success() {
        return Err("Postfix needs its user, and root to start".into());
    }
    let mut command = Command::new("postfix");
    command.arg("-c").arg(folder.join("conf")).arg("start-fg");
    Ok(command)
}

fn master_cf(place: SocketAddr) -> String {
    format!(
        "{place} inet n - n - - smtpd\n\
         cleanup unix n - n - 0 cleanup\n\
         qmgr unix n - n 300 1 qmgr\n\
         tlsmgr unix - - n 1000? 1 tlsmgr\n\
         tlsproxy unix - - n - 0 tlsproxy\n\
         rewrite unix - - n - - trivial-rewrite\n\
         bounce unix - - n - 0 bounce\n\
         defer unix - - n - 0 bounce\n\
         trace unix - - n - 0 bounce\n\
         flush unix n - n 1000? 0 flush\n\
         proxymap unix - - n - - proxymap\n\
         smtp unix - - n - - smtp\n\
         error unix - - n - - error\n\
         retry unix - - n - - error\n\
         anvil unix - - n - 1 anvil\n\
         scache unix - - n - 1 scache\n\
         postlog unix-dgram n - n - 1 postlogd\n"
    )
}
