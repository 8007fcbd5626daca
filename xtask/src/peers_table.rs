//! What other programs see at domains of the lab, beside `elsinore check`: `docs/peers-check.md`.
//!
//! The lab runs on its own addresses in a network namespace (`lab up --real`, root and iproute2).
//! There the system's resolver is the lab's. Programs that trust the root's key from a file of the
//! system get the lab's in its place, in a mount namespace of their own. A program that cannot be
//! had says why below the table.

use crate::packages;
use crate::step::{left_out, messages, text_of};
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Debian packages of the peers.
const NEEDED: &[(&str, &str)] = &[
    ("postfix", "posttls-finger"),
    ("gnutls-bin", "danetool"),
    (
        "dns-root-data",
        "the file where danetool looks for the root's key",
    ),
    ("ldnsutils", "ldns-dane"),
    ("testssl.sh", "testssl"),
    ("openssl", "fetches chains for ldns-dane"),
    ("python3-venv", "a place for programs in Python"),
    ("iproute2", "network namespaces of lab up --real"),
];

/// Programs in Python, with the versions compared.
const PYTHON: [&str; 2] = ["checkdmarc==6.0.4", "smtp-dane-verify==0.3.2"];

/// Ends well where Python is new enough for all of them: smtp-dane-verify asks for 3.12.
const NEW_ENOUGH: &str = "import sys; sys.exit(sys.version_info < (3, 12))";

/// Scenario and domain: one for each thing that programs see differently.
const DOMAINS: [(&str, &str); 20] = [
    ("lint-no-match", "near-no-match.example"),
    ("lint-no-match", "no-match.example"),
    ("lint-addresses", "addresses-differ.example"),
    ("lint-addresses", "families-differ.example"),
    ("lint-algorithms", "one-algorithm.example"),
    ("lint-sni", "no-sni.example"),
    ("lint-starttls", "no-starttls.example"),
    ("lint-starttls", "starttls-at-one.example"),
    ("lint-ca-names", "ca-name.example"),
    ("lint-dates", "ca-expired.example"),
    ("lint-dates", "ee-expired.example"),
    ("lint-tlsa-pkix", "pkix-alone.example"),
    ("lint-tlsa-malformed", "digest-of-nothing-alone.example"),
    ("lint-ds", "ds-wrong.example"),
    ("lint-ds", "ds-missing.example"),
    ("lint-tlsa-unanswered", "unanswered.example"),
    ("lint-mx-alias", "mx-link-both.example"),
    ("lint-some-mx", "backup-broken.example"),
    ("lint-servers", "differ.example"),
    ("lint-sts", "sts-bad-host.example"),
];

/// Domains that are looked at side by side.
const SIDE_BY_SIDE: usize = 4;

/// Seconds that one program may take for one domain.
const PATIENCE: &str = "180";

/// The file where Debian's libraries look for the root's key.
const ROOT_KEY: &str = "/usr/share/dns/root.key";

/// Installs what is missing, asks everybody about every domain and writes the table.
///
/// # Errors
/// When the lab cannot be had; a program that fails is a cell of the table.
pub(crate) fn run() -> Result<()> {
    packages::install(NEEDED)?;
    let venv = python();
    let built = messages(&["build", "--workspace", "--bin", "elsinore"])?;
    let elsinore = (built.lines())
        .filter_map(|line| text_of(line, "executable"))
        .next_back()
        .context("elsinore was not built")?;
    let lab = Lab::up(Path::new(elsinore))?;
    let peers = peers(elsinore, &venv, &lab);
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(vec![String::new(); DOMAINS.len()]);
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some((_, domain)) = DOMAINS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut row = format!("| {domain} |");
                    for peer in &peers {
                        // Writing to a String cannot fail.
                        let _ = write!(row, " {} |", peer.cell(&lab, domain));
                    }
                    eprintln!("xtask: {row}");
                    let index = DOMAINS.iter().position(|(_, known)| known == domain);
                    let mut rows = rows
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    if let Some(place) = index.and_then(|index| rows.get_mut(index)) {
                        *place = row;
                    }
                }
            });
        }
    });
    let rows = rows
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let path = crate::root().join("docs/peers-check.md");
    std::fs::write(path, document(&peers, &rows)).context("docs/peers-check.md")
}

/// The folder of programs of a virtual environment below `target/`, with what could be installed.
fn python() -> PathBuf {
    let venv = crate::root().join("target/peers-venv");
    let fits = |python: &PathBuf| {
        let asked = Command::new(python).args(["-c", NEW_ENOUGH]).output();
        asked.is_ok_and(|output| output.status.success())
    };
    let found = pythons().into_iter().find(fits);
    let made = Command::new(found.unwrap_or_else(|| "python3".into()))
        .args(["-m", "venv", "--clear"])
        .arg(&venv)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        left_out("programs in Python", "no virtual environment can be made");
    }
    for package in PYTHON {
        let pip = Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", package])
            .status();
        if !pip.is_ok_and(|status| status.success()) {
            left_out(package, "pip cannot install it");
        }
    }
    venv.join("bin")
}

/// Where a Python may be: the system's, then those that pyenv keeps beside it.
fn pythons() -> Vec<PathBuf> {
    let named = ["python3", "python3.14", "python3.13", "python3.12"].map(PathBuf::from);
    let root = Command::new("pyenv").arg("root").output();
    let root = root.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let versions = root.map(|root| Path::new(&root).join("versions").read_dir());
    let mut kept: Vec<PathBuf> = (versions.into_iter().flatten().flatten().flatten())
        .map(|version| version.path().join("bin/python3"))
        .collect();
    kept.sort();
    named.into_iter().chain(kept).collect()
}

/// A program and how its words are read.
struct Peer {
    name: &'static str,
    /// Package and version, or why there is none.
    version: Result<String, String>,
    /// Shell text; `$1` is the domain, `$2` the first MX host of the lab's habit, `$3` the lab.
    /// It runs in a folder of its own.
    script: String,
    /// What the output holds (all parts between `&`), and the words for it; the first that fits
    /// counts. Without any, the last line.
    words: &'static [(&'static str, &'static str)],
}

impl Peer {
    fn cell(&self, lab: &Lab, domain: &str) -> String {
        if self.version.is_err() {
            return "not run".to_owned();
        }
        // Goes with the lab: some programs leave files where they are.
        let place = lab.folder.join(format!("{}-{domain}", self.name));
        if std::fs::create_dir_all(&place).is_err() {
            return "cannot be run".to_owned();
        }
        let script = format!(
            "mount --bind \"$3/trust-anchor.txt\" {ROOT_KEY} || exit\n{}",
            self.script
        );
        let output = Command::new("ip")
            .args(["netns", "exec", &lab.namespace, "unshare", "-m"])
            .args(["timeout", PATIENCE, "sh", "-c", &script, "peer", domain])
            .arg(format!("mx.{domain}"))
            .arg(&lab.folder)
            .current_dir(place)
            .stdin(Stdio::null())
            .output();
        let Ok(output) = output else {
            return "cannot be run".to_owned();
        };
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        if output.status.code() == Some(124) {
            return "no end in three minutes".to_owned();
        }
        let fits = |pattern: &str| pattern.split('&').all(|part| said.contains(part));
        match self.words.iter().find(|(pattern, _)| fits(pattern)) {
            None => last_line(&said),
            Some((_, words)) => (*words).to_owned(),
        }
    }
}

/// The last line said, bounded, without what would break a table.
fn last_line(said: &str) -> String {
    let line = said.lines().rfind(|line| !line.trim().is_empty());
    let line = line.unwrap_or("no output").trim();
    let plain = line.chars().filter(|c| !c.is_control() && *c != '|');
    plain.take(90).collect()
}

fn peers(elsinore: &str, venv: &Path, lab: &Lab) -> Vec<Peer> {
    let version = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok();
        let said = output.map(|output| [output.stdout, output.stderr].concat());
        let said = said.unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let line = said
            .lines()
            .find(|line| line.contains(|c: char| c.is_ascii_digit()));
        line.unwrap_or_default().trim().to_owned()
    };
    let debian = |package: &str| {
        let shown = version("dpkg-query", &["-W", "-f", "${Version}\n", package]);
        match shown.starts_with(|c: char| c.is_ascii_digit()) {
            true => Ok(format!("{package} {shown}")),
            false => Err(format!("{package} (no such package installed)")),
        }
    };
    let python = version(&venv.join("python").to_string_lossy(), &["--version"]);
    let pip = |package: &str| {
        let shown = version(&venv.join("pip").to_string_lossy(), &["show", package]);
        match shown.strip_prefix("Version: ") {
            Some(number) => Ok(format!("{package} {number}")),
            None => Err(format!("{package} (pip cannot install it with {python})")),
        }
    };
    let venv = venv.display();
    let config = lab.folder.join("elsinore.toml");
    let config = config.display();
    vec![
        Peer {
            name: "elsinore check",
            version: Ok(version(elsinore, &["--version"])),
            script: format!(
                "{elsinore} --config {config} check --format json $1 | sed -n \
                 's/^  \"state\": \"\\(.*\\)\",$/\\1/p; s/^      \"id\": \"\\(.*\\)\",$/\\1/p' | \
                 grep -v TLS-RPT-MISSING | paste -sd' '"
            ),
            words: &[],
        },
        Peer {
            name: "posttls-finger",
            version: debian("postfix"),
            script: "posttls-finger -c -l dane -t 10 $1".to_owned(),
            words: &[
                ("Verified TLS connection", "verified"),
                ("no matching DANE TLSA", "no record matches"),
                ("num=62:hostname mismatch", "name does not match"),
                ("certificate has expired", "certificate expired"),
                (
                    "unsupported TLSA&Untrusted",
                    "usage unsupported; TLS without DANE",
                ),
                ("Untrusted TLS connection", "TLS without DANE"),
                ("TLSA lookup error", "TLSA lookup fails"),
                ("address lookup failed", "MX lookup fails"),
            ],
        },
        Peer {
            name: "danetool",
            version: debian("gnutls-bin"),
            script: "danetool --check $2 --port 25 --starttls-proto smtp --local-dns".to_owned(),
            words: &[
                ("Certificate matches", "certificate matches"),
                ("certificate differs", "certificate differs"),
                ("CA constrains were violated", "CA constraints violated"),
                ("No DNSSEC signature", "TLSA not signed"),
                ("No DANE data", "no TLSA found"),
                ("error receiving", "no TLS session"),
                ("Cannot resolve", "name does not resolve"),
            ],
        },
        Peer {
            name: "ldns-dane",
            version: debian("ldnsutils"),
            script: "openssl s_client -starttls smtp -connect $2:25 -servername $2 -showcerts \
                     </dev/null 2>/dev/null >chain.pem; \
                     ldns-dane -k \"$3/trust-anchor.txt\" -c chain.pem verify $2 25"
                .to_owned(),
            words: &[
                ("dane-validated successfully", "validated"),
                ("resource records were bogus", "TLSA bogus"),
                ("found, but were insecure", "TLSA insecure"),
                ("no matching DANE TLSA", "no record matches"),
                ("hostname mismatch", "name does not match"),
                ("certificate has expired", "certificate expired"),
                (
                    "self-signed certificate",
                    "usage 1: self-signed certificate",
                ),
                ("error loading certificate", "no chain to load"),
            ],
        },
        Peer {
            name: "testssl.sh",
            version: debian("testssl.sh"),
            script: "testssl -t smtp --quiet --color 0 --warnings off --ip one -p $2:25".to_owned(),
            words: &[
                ("TLS 1.3&offered", "TLS offered"),
                ("doesn't seem", "no STARTTLS"),
                ("couldn't identify supplied", "name does not resolve"),
            ],
        },
        Peer {
            name: "checkdmarc",
            version: pip("checkdmarc"),
            script: format!(
                "export SSL_CERT_FILE=\"$3/ca.pem\" REQUESTS_CA_BUNDLE=\"$3/ca.pem\"\n\
                 {venv}/checkdmarc --check-mx-tls -t 5 $1"
            ),
            words: &[
                ("rejected the zone as bogus", "zone bogus"),
                ("publishes no DS record", "DS missing"),
                ("STARTTLS is not supported", "DNSSEC, TLSA; no STARTTLS"),
                (
                    "\"tlsa\": [&CERTIFICATE_VERIFY",
                    "DNSSEC, TLSA; no CA's certificate",
                ),
                (
                    "\"dnssec\": true&CERTIFICATE_VERIFY",
                    "DNSSEC; no CA's certificate",
                ),
            ],
        },
        Peer {
            name: "smtp-dane-verify",
            version: pip("smtp-dane-verify"),
            script: format!("{venv}/danesmtp -f json -d $1"),
            words: &[
                (
                    "hosts_dane_verified\":true,\"dnssec_valid\":true",
                    "verified",
                ),
                ("hosts_dane_verified\":true", "verified; DNSSEC not valid"),
                ("host_dane_verified\":true", "one host verified, one not"),
                ("No suitable TLSA", "no suitable record"),
                ("no matching DANE TLSA", "no record matches"),
                ("hostname mismatch", "name does not match"),
                ("certificate has expired", "certificate expired"),
                ("Didn't find STARTTLS", "no STARTTLS"),
                ("IN TLSA&SERVFAIL", "TLSA lookup fails"),
                ("IN MX&SERVFAIL", "MX lookup fails"),
            ],
        },
    ]
}

/// What has to be known to read the table.
const PREFACE: &str = "# `elsinore check` beside its peers

Written by `cargo xtask peers-table`: the same domains of the lab, on real addresses in a network
namespace, seen by each program. The lab's validating resolver is the system's there. What each
domain has is told by `elsinore lab list` and `scenarios/`. Cells are short words for what a
program said; none is a judgement of ours.

The programs were made for different ends:

* `elsinore check` names its state and its lints, without TLS-RPT-MISSING, which holds for nearly
  all of these domains. It looks at every address of every host.
* `posttls-finger` looks as Postfix would at level `dane`: one session, with one address, picked by
  chance: where addresses differ, its word does from run to run. \"No output\" is all it says where it
  met no STARTTLS.
* `danetool` is given `mx.` and the domain, the lab's resolver (`--local-dns`) and root key. It
  compares one address with the records of any protocol, so usage 1 counts and names do not.
* `ldns-dane` knows no STARTTLS: it gets `mx.` and the domain, the lab's root key, and the chain
  that `openssl s_client` fetched from one address. It compares names under usage 3 too, which SMTP
  leaves out (RFC 7672 §3.1.1); hosts of the lab often share a certificate that names another.
* testssl.sh is about TLS; DANE is not among its tests.
* `checkdmarc` reads DNSSEC and lists TLSA records; it does not compare them. Its test of STARTTLS
  wants a certificate of a CA. It is given the lab's, and these hosts have others.
* `smtp-dane-verify` looks at all hosts, at one address each, with `openssl s_client`.

";

fn document(peers: &[Peer], rows: &[String]) -> String {
    let mut text = PREFACE.to_owned();
    let names: Vec<&str> = peers.iter().map(|peer| peer.name).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "| domain | {} |", names.join(" | "));
    let _ = writeln!(text, "|---{}|", "|---".repeat(names.len()));
    for row in rows {
        let _ = writeln!(text, "{row}");
    }
    text.push_str("\nVersions: ");
    let versions: Vec<String> = (peers.iter())
        .map(|peer| match &peer.version {
            Ok(version) => version.clone(),
            Err(reason) => format!("not run: {reason}"),
        })
        .collect();
    let _ = writeln!(text, "{}.", versions.join(", "));
    text
}

/// A lab that is up in a network namespace; it ends when this is dropped.
struct Lab {
    child: Child,
    namespace: String,
    folder: PathBuf,
}

impl Lab {
    fn up(elsinore: &Path) -> Result<Self> {
        let mut ids: Vec<&str> = DOMAINS.iter().map(|(scenario, _)| *scenario).collect();
        ids.dedup();
        let mut child = Command::new(elsinore)
            .args(["lab", "up", "--real"])
            .args(&ids)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut folder = None;
        let mut namespace = None;
        let said = child.stdout.take().context("no output")?;
        for line in BufReader::new(said).lines() {
            let line = line?;
            if let Some((_, path)) = line.split_once("ELSINORE_CONFIG=") {
                folder = Path::new(path).parent().map(Path::to_path_buf);
            }
            let mut words = line.split_whitespace();
            if words.by_ref().take(3).eq(["ip", "netns", "exec"]) {
                namespace = words.next().map(str::to_owned);
            }
            if line.contains("Ctrl-C") {
                break;
            }
        }
        match (folder, namespace) {
            (Some(folder), Some(namespace)) => Ok(Self {
                child,
                namespace,
                folder,
            }),
            _ => bail!("the lab did not come up: root and iproute2 are needed"),
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // SIGTERM lets it remove its namespace and folder.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}
