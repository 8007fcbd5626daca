//! A small Internet with one good domain, one forged and one unsigned, on loopback, and the command
//! that looks at it.

use elsinore_dane::answer::RecordType;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_lab::authority::{Authority, Listeners, Responder};
use elsinore_lab::sign::SignedTree;
use elsinore_lab::zone::{Algorithm, Fault, SigningPlan, Target, ZoneSource};
use elsinore_net::clock::{Clock, SystemClock};
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The good domain's mail server.
pub(crate) const MX: &str = "192.0.2.25:25";

fn name(text: &str) -> DomainName {
    text.parse().expect("test name")
}

/// The zones. The root's keys are RSA, so that its DNSKEY answer is larger than 512 octets, as the
/// real one is.
fn sources() -> Vec<ZoneSource> {
    let leaf = "@ 300 IN SOA ns hostmaster 1 7200 900 1209600 300\n@ 300 IN NS ns\n\
                ns 300 IN A 192.0.2.53\n@ 300 IN A 192.0.2.80\n@ 300 IN MX 10 mx\n\
                mx 300 IN A 192.0.2.25\n_25._tcp 300 IN TLSA 3 1 1 \
                0102030405060708091011121314151617181920212223242526272829303132\n";
    let mut test = "@ 300 IN SOA ns hostmaster 1 7200 900 1209600 300\n@ 300 IN NS ns\n\
                    ns 300 IN A 192.0.2.2\n"
        .to_owned();
    for leaf in ["good", "forged", "plain"] {
        let _ = writeln!(
            test,
            "{leaf} 300 IN NS ns.{leaf}\nns.{leaf} 300 IN A 192.0.2.53"
        );
    }
    vec![
        ZoneSource::signed(
            DomainName::root(),
            ". 300 IN SOA a.root. hostmaster. 1 7200 900 1209600 300\n. 300 IN NS a.root.\n\
             a.root. 300 IN A 192.0.2.1\ntest. 300 IN NS ns.test.\nns.test. 300 IN A 192.0.2.2\n",
            SigningPlan::with_algorithm(Algorithm::RsaSha256(2048)),
        ),
        ZoneSource::signed(name("test"), test, SigningPlan::nsec3()),
        ZoneSource::signed(name("good.test"), leaf, SigningPlan::default()),
        ZoneSource::signed(name("forged.test"), leaf, SigningPlan::default())
            .with_fault(Fault::CorruptSignatures(Target::of_type(RecordType::A)))
            .with_fault(Fault::CorruptSignatures(Target::of_type(RecordType::Mx))),
        ZoneSource::unsigned(name("plain.test"), leaf),
    ]
}

/// The running world.
pub(crate) struct World {
    pub(crate) authority: Arc<Authority>,
    pub(crate) listeners: Listeners,
    folder: TempDir,
    _runtime: Runtime,
}

impl World {
    /// Signed for the present.
    pub(crate) fn now() -> Self {
        Self::signed_at(SystemClock.now())
    }

    /// Signed for another moment.
    pub(crate) fn signed_at(now: UnixTime) -> Self {
        let tree = SignedTree::build(&sources(), 7, now).expect("a sound world");
        let authority = Arc::new(Authority::new(tree));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let responder: Arc<dyn Responder> = Arc::<Authority>::clone(&authority);
        let servers: Vec<_> = authority.addresses().collect();
        let listeners = runtime
            .block_on(Listeners::on_loopback(responder, servers))
            .expect("listeners");
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: String| {
            fs::write(folder.path().join(name), text).expect("a file");
        };
        write("root-hints.txt", authority.tree().root_hints());
        write("trust-anchor.txt", authority.tree().trust_anchor());
        Self {
            authority,
            listeners,
            folder,
            _runtime: runtime,
        }
    }

    /// A folder for files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A machine in it.
    pub(crate) fn machine(&self) -> Machine<'_> {
        Machine {
            world: self,
            places: Vec::new(),
            roots: true,
            mail: None,
            dns: String::new(),
        }
    }
}

/// What a command on a machine can reach, and how it is configured.
#[derive(Clone)]
pub(crate) struct Machine<'a> {
    world: &'a World,
    places: Vec<SocketAddr>,
    roots: bool,
    mail: Option<SocketAddr>,
    dns: String,
}

impl Machine<'_> {
    /// A resolver on loopback can be reached.
    pub(crate) fn reaching(mut self, place: SocketAddr) -> Self {
        self.places.push(place);
        self
    }

    /// No name server can be reached.
    pub(crate) fn without_roots(mut self) -> Self {
        self.roots = false;
        self
    }

    /// The good domain's mail server is here.
    pub(crate) fn with_mail(mut self, place: SocketAddr) -> Self {
        self.mail = Some(place);
        self
    }

    /// Further lines of `[dns]`.
    pub(crate) fn dns(mut self, lines: &str) -> Self {
        self.dns.push_str(lines);
        self
    }

    /// Runs `elsinore ARGUMENTS` with the machine's configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let folder = tempfile::tempdir().expect("a folder");
        let mut map = String::new();
        for (server, place) in self.world.listeners.places() {
            if self.roots {
                let _ = writeln!(map, "udp {server}:53 {place}\ntcp {server}:53 {place}");
            }
        }
        for place in &self.places {
            let _ = writeln!(map, "udp {place} {place}\ntcp {place} {place}");
        }
        if let Some(place) = self.mail {
            let _ = writeln!(map, "tcp {MX} {place}");
        }
        fs::write(folder.path().join("map"), map).expect("a map");
        let here = self.world.folder().display();
        let mut text = format!(
            "state_dir = \"state\"\n[dns]\nroot_hints = \"{here}/root-hints.txt\"\n\
             allow_nets = [\"192.0.2.0/24\"]\ntimeout = 4\n{}",
            self.dns
        );
        if !self.dns.contains("trust_anchor") {
            let _ = writeln!(text, "trust_anchor = \"{here}/trust-anchor.txt\"");
        }
        let mail = if self.mail.is_some() {
            "\"@good.test\""
        } else {
            ""
        };
        let _ = write!(
            text,
            "[smtp]\nallow_nets = [\"192.0.2.0/24\"]\nhelo = \"client.test\"\n\
             [doctor]\nsecure = [\"good.test\"]\nbogus = [\"forged.test\"]\n\
             insecure = [\"plain.test\"]\ntimeout = 3\nresolv_conf = \"none\"\nmail = [{mail}]\n\
             [lab]\nmap = \"map\"\n"
        );
        let file = folder.path().join("elsinore.toml");
        fs::write(&file, text).expect("a configuration");
        Command::new(env!("CARGO_BIN_EXE_elsinore"))
            .arg("--config")
            .arg(&file)
            .args(arguments)
            .env_remove("ELSINORE_CONFIG")
            .stdin(Stdio::null())
            .output()
            .expect("elsinore runs")
    }

    /// Runs `elsinore doctor` and reads what it says.
    pub(crate) fn doctor(&self, arguments: &[&str]) -> Said {
        let output = self.run(&[&["--format", "json", "doctor"], arguments].concat());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let object: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {stderr}{output:?}"));
        assert_eq!(object["schema_version"], 1);
        Said {
            code: output.status.code().expect("an exit code"),
            object,
        }
    }
}

/// What the doctor said.
#[derive(Debug)]
pub(crate) struct Said {
    /// The exit code.
    pub(crate) code: i32,
    /// The JSON.
    pub(crate) object: serde_json::Value,
}

impl Said {
    /// `verdict finding` of each check of `area`.
    pub(crate) fn of(&self, area: &str) -> Vec<String> {
        let checks = self.object["checks"].as_array().expect("a list").iter();
        checks
            .filter(|check| check["area"] == area)
            .map(|check| {
                let word = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
                format!("{} {}", word("verdict"), word("finding"))
            })
            .collect()
    }

    /// Everything that was said about it, as one text.
    pub(crate) fn text_of(&self, area: &str) -> String {
        let checks = self.object["checks"].as_array().expect("a list").iter();
        checks
            .filter(|check| check["area"] == area)
            .map(ToString::to_string)
            .collect()
    }
}
