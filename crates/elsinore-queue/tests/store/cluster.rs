//! A PostgreSQL server of the tests' own: in a temporary folder, on a unix socket, ended by its
//! process id. PostgreSQL refuses to run as root, so it runs as the package's user then.

use rustix::process::{Pid, Signal, kill_process};
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long a server may take to start, stop or recover.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether tests that lack what they need must fail.
fn no_skips() -> bool {
    std::env::var_os("ELSINORE_NO_SKIPS").is_some()
}

/// Where the server's programs are.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let found = versions.and_then(|versions| {
        versions
            .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
            .find(|bin| bin.join("postgres").exists() && bin.join("initdb").exists())
    });
    assert!(
        found.is_some() || !no_skips(),
        "PostgreSQL is missing (Debian: postgresql)"
    );
    if found.is_none() {
        eprintln!("skipped: PostgreSQL is not installed");
    }
    found
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .expect("runs");
    assert!(output.status.success(), "{program} {arguments:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A server's folder, and the server while it runs.
pub(crate) struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    root: bool,
    /// The port, if it listens on loopback and not on the unix socket alone.
    port: Option<u16>,
    running: Mutex<Option<Running>>,
}

/// A shell that starts the server, and ends it and removes its folder when its standard input is
/// closed: also when this process is killed.
struct Running {
    shell: Child,
    input: ChildStdin,
}

/// Signals to the whole group of processes, as from a terminal, do not keep it from that.
/// `$1` is the server, `$2` the folder, `$3` where it listens, `$4` the port. A line on standard input keeps the folder.
const SHELL: &str = r#"
trap : TERM INT HUP
"$1" -D "$2/db" -k "$2" -c "listen_addresses=$3" -p "$4" </dev/null >>"$2/log" 2>&1 &
server=$!
keep=
read -r keep
kill -INT "$server" 2>/dev/null
wait "$server"
[ -n "$keep" ] || rm -rf "$2"
"#;

impl Cluster {
    /// Makes a server with an empty database and starts it. Nothing when PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// The same with settings of its own.
    pub(crate) fn start_with(extra: &str) -> Option<Self> {
        let cluster = Self::make(extra)?;
        cluster.run();
        Some(cluster)
    }

    /// A server on a port of loopback that takes TLS alone there.
    pub(crate) fn start_tls(certificate: &[u8], key: &[u8]) -> Option<(Self, u16)> {
        let mut cluster =
            Self::make("ssl = on\nssl_cert_file = 'tls.crt'\nssl_key_file = 'tls.key'\n")?;
        let data = cluster.folder.join("db");
        let owner = std::fs::metadata(&data).expect("the folder");
        let access = b"local all all trust\nhostssl all all 127.0.0.1/32 trust\n";
        let files: [(&str, &[u8]); 3] = [
            ("tls.crt", certificate),
            ("tls.key", key),
            ("pg_hba.conf", access),
        ];
        for (name, text) in files {
            let path = data.join(name);
            std::fs::write(&path, text).expect("written");
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("set");
            chown(&path, Some(owner.uid()), Some(owner.gid())).expect("given away");
        }
        // The kernel chooses; nobody else is given the same port so soon.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        cluster.port = Some(port);
        cluster.run();
        Some((cluster, port))
    }

    /// Makes a server's folder.
    fn make(extra: &str) -> Option<Self> {
        let programs = programs()?;
        let root = output_of("id", &["-u"]) == "0";
        let folder = tempfile::Builder::new()
            .prefix("elsinore-pg-")
            .tempdir()
            .expect("a folder")
            .keep();
        if root {
            let number = |flag| output_of("id", &[flag, "postgres"]).parse().ok();
            chown(&folder, number("-u"), number("-g")).expect("given away");
        }
        let cluster = Self {
            programs,
            folder,
            root,
            port: None,
            running: Mutex::new(None),
        };
        let data = cluster.folder.join("db");
        let output = cluster
            .command(&cluster.programs.join("initdb"))
            .args(["--auth=trust", "--username=elsinore", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync", "--no-instructions", "-D"])
            .arg(&data)
            .output()
            .expect("initdb");
        assert!(output.status.success(), "initdb: {output:?}");
        let settings = "max_connections = 300\nshared_buffers = 64MB\nautovacuum_naptime = 5s\n\
            log_min_messages = fatal\nlog_min_error_statement = panic\n";
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.conf"))
            .expect("the settings");
        file.write_all(settings.as_bytes()).expect("written");
        file.write_all(extra.as_bytes()).expect("written");
        Some(cluster)
    }

    /// A command under the user that the server runs as.
    fn command(&self, program: &Path) -> Command {
        let mut command = if self.root {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/");
        command
    }

    /// Starts the server and waits until it answers.
    pub(crate) fn run(&self) {
        let mut shell = self
            .command(Path::new("/bin/sh"))
            .args(["-c", SHELL, "sh"])
            .arg(self.programs.join("postgres"))
            .arg(&self.folder)
            .arg(if self.port.is_some() { "127.0.0.1" } else { "" })
            .arg(self.port_number().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("a shell");
        let input = shell.stdin.take().expect("a pipe");
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Running { shell, input });
        let begun = Instant::now();
        while !self.answers() {
            assert!(
                begun.elapsed() < PATIENCE,
                "the server does not start: {}",
                std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The port, which names the unix socket too.
    fn port_number(&self) -> u16 {
        self.port.unwrap_or(5432)
    }

    fn answers(&self) -> bool {
        let status = Command::new(self.programs.join("pg_isready"))
            .args(["-q", "-h"])
            .arg(&self.folder)
            .args(["-p", &self.port_number().to_string()])
            .status();
        status.is_ok_and(|status| status.success())
    }

    /// The unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// A connection string.
    pub(crate) fn connection(&self) -> String {
        format!(
            "host={} port={} user=elsinore dbname=postgres",
            self.folder.display(),
            self.port_number()
        )
    }

    /// Kills the server and all its processes, as a power cut would, and waits until they are gone.
    pub(crate) fn kill(&self) {
        let pid_file = self.folder.join("db/postmaster.pid");
        let text = std::fs::read_to_string(&pid_file).expect("the server's process id");
        let postmaster: i32 = text
            .lines()
            .next()
            .and_then(|line| line.parse().ok())
            .expect("a process id");
        let mut all = children_of(postmaster);
        // The parent first: it would start its children anew.
        all.insert(0, postmaster);
        for pid in &all {
            if let Some(pid) = Pid::from_raw(*pid) {
                // One that is gone already is what is wanted.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut running = running.expect("it runs");
        running.input.write_all(b"keep\n").expect("told");
        drop(running.input);
        running.shell.wait().expect("ends");
        let begun = Instant::now();
        while all
            .iter()
            .any(|pid| Path::new(&format!("/proc/{pid}/cmdline")).exists() && alive(*pid))
        {
            assert!(begun.elapsed() < PATIENCE, "the server does not die");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whether a process runs, not only waits to be reaped.
fn alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
        state.is_some_and(|rest| !rest.starts_with('Z'))
    })
}

fn children_of(parent: i32) -> Vec<i32> {
    let text = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    text.unwrap_or_default()
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match running {
            Some(mut running) => {
                drop(running.input);
                let _ = running.shell.wait();
            }
            None => {
                let _ = std::fs::remove_dir_all(&self.folder);
            }
        }
    }
}

/// The server that all tests share which do not harm it. It ends with this process.
pub(crate) fn shared() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    SHARED.get_or_init(Cluster::start).as_ref()
}
