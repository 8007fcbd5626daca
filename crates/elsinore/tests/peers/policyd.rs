//! Postfix asks `elsinore policyd` how to secure each sending scenario of the lab, by the lines of
//! `examples/postfix-main.cf`, and must end as `elsinore send` does. Where it may not, the reason
//! stands in [`DIFFERENCES`] and in `docs/policyd.md`; a difference that is not listed fails, and so
//! does one that has gone.

use crate::daemon::terminate;
use crate::elsinore::{PROGRAM, configuration};
use crate::lab::Lab;
use crate::namespace::{inside, notice, run};
use crate::postfix::Sender;
use elsinore_lab::scenario::case::RequireTlsSpec;
use elsinore_lab::scenario::{Case, ResolverMode, Scenario, files};
use elsinore_lab::world::VALIDATING_RESOLVER;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::Duration;

/// The lines that the documentation tells people to append.
const SNIPPET: &str = include_str!("../../../../examples/postfix-main.cf");
/// Where the snippet finds authorities.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// What people are told about differences.
const DOCUMENT: &str = include_str!("../../../../docs/policyd.md");

/// Cases (`scenario` or `scenario/case`, a trailing `*` stands for the rest) that end otherwise by
/// way of Postfix 3.7, and why. Each stands in `docs/policyd.md` under its name.
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "starttls-faults/broken",
        "a broken handshake leads to the clear only in a later delivery attempt",
    ),
    (
        "dane-starttls-502/*",
        "a 5xx reply to STARTTLS bounces at once; no other host is tried",
    ),
    (
        "smtp-trouble/dropped",
        "after a dropped connection the next address is tried in the same attempt",
    ),
    (
        "smtp-trouble/endless",
        "a reply without end is read without end",
    ),
    (
        "null-mx/beside-others",
        "a null MX refuses all mail even beside other MX records",
    ),
    (
        "implicit-mx-alias/next-hop-name",
        "without MX, only the base domain is a reference identifier",
    ),
    (
        "own-host/none-left",
        "Postfix knows itself by its own settings, not by ours",
    ),
    (
        "tlsa-mixed/three-octets",
        "panics on a TLSA record of three octets (fixed in 2026)",
    ),
    ("tlsa-many", "drops the TLSA records after the hundredth"),
    (
        "sts-both/only-webpki",
        "TLSA under an insecure MX and MTA-STS: only MTA-STS is held",
    ),
];

/// Cases that end in one way or the other, and why. They stand in `docs/policyd.md` as well.
const EITHER: &[(&str, &str)] = &[(
    "families-disagree/*",
    "Postfix judges a host by the address that it happens to try first",
)];

/// Cases in which Postfix alone, at its own level `dane`, defers what can be delivered.
const ALONE_DEFERS: &str = "inconsistent-";

/// How long nothing may become of any message: longer than any step of a session may take.
const PATIENCE: Duration = Duration::from_secs(25);

/// What became of one message, as coarse as both programs can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Delivered, the server authenticated.
    Verified,
    /// Delivered, the host authenticated by TLSA records under an insecure MX.
    Trusted,
    /// Delivered by TLS, no proof asked for.
    Encrypted,
    Plaintext,
    Deferred,
    Bounced,
}

fn expected(case: &Case) -> End {
    match (
        case.expect.outcome.as_str(),
        case.expect.security.as_deref(),
    ) {
        ("bounced", _) => End::Bounced,
        ("delivered", Some("dane" | "sts" | "pinned")) => End::Verified,
        ("delivered", Some("dane-insecure-mx")) => End::Trusted,
        ("delivered", Some("plaintext")) => End::Plaintext,
        ("delivered", _) => End::Encrypted,
        _ => End::Deferred,
    }
}

/// What Postfix logged about one message.
fn end(status: &str, tls: Option<&str>, level: &str) -> End {
    match (status, tls, level) {
        ("bounced", ..) => End::Bounced,
        ("sent", None, _) => End::Plaintext,
        ("sent", Some("Verified"), _) => End::Verified,
        // Postfix 3.7 has no word of its own for it; the level that it was told does.
        ("sent", Some(_), "dane") => End::Trusted,
        ("sent", Some(_), _) => End::Encrypted,
        _ => End::Deferred,
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

/// The recipient of a case that Postfix can be given: one message, nothing that only a command line
/// or a configuration of ours can say.
fn recipient(scenario: &Scenario, case: &Case) -> Option<String> {
    let plain = case.destination.is_empty()
        && case.cached_policy.is_empty()
        && case.require_tls == RequireTlsSpec::Unsaid
        && case.message.is_none()
        && case.settings.insecure_mx.is_none()
        && case.settings.legacy.is_none()
        && case.settings.attempts.is_none()
        && case.settings.nta.is_empty()
        && case.to.len() < 2
        && case.modes.contains(&ResolverMode::Recursive);
    if !plain {
        return None;
    }
    match case.to.first() {
        Some(to) => Some(to.clone()).filter(|to| !to.contains(['[', '{']) && to.is_ascii()),
        None => scenario
            .zones
            .first()
            .map(|zone| format!("bob@{}", zone.name)),
    }
}

#[test]
fn decides_as_the_sender() {
    inside(
        "policyd::decides_as_the_sender",
        &["postfix", "postmap"],
        body,
    );
}

/// The service, until it is dropped.
struct Policyd {
    child: Child,
    place: String,
}

impl Policyd {
    fn start(lab: &Lab, folder: &std::path::Path) -> Self {
        let file = folder.join("elsinore.toml");
        let text = configuration(lab.folder(), "", "", "");
        fs::write(&file, text).expect("a configuration");
        let mut child = lab
            .command(PROGRAM)
            .arg("--config")
            .arg(&file)
            .args(["--dns-mode", "recursive", "policyd"])
            .args(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .env_remove("ELSINORE_CONFIG")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("elsinore runs");
        let mut stderr = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        let mut line = String::new();
        let place = loop {
            line.clear();
            let count = stderr.read_line(&mut line).expect("stderr is text");
            assert!(count > 0, "policyd ended");
            if let Some((_, place)) = line.trim().split_once("listening on inet:") {
                break place.to_owned();
            }
        };
        std::thread::spawn(move || {
            let mut rest = String::new();
            // Nobody reads it; the pipe must not fill.
            let _ = stderr.read_to_string(&mut rest);
        });
        Self { child, place }
    }

    /// The lines for `main.cf`, its own address and authority in place of the usual ones, and the map
    /// with policy attributes where this Postfix knows them.
    fn snippet(&self, ca: &str) -> String {
        const PLACE: &str = "inet:127.0.0.1:8672:QUERY";
        assert!(SNIPPET.contains(PLACE), "{SNIPPET}");
        let map = if knows_attributes() {
            "QUERYwithTLSRPT"
        } else {
            "QUERY"
        };
        let snippet = SNIPPET.replace(PLACE, &format!("inet:{}:{map}", self.place));
        assert!(snippet.contains(AUTHORITIES), "{snippet}");
        snippet.replace(AUTHORITIES, ca)
    }
}

/// A folder with the files of another Postfix, as `dpkg-deb -x` leaves them; CONTRIBUTING.md says how.
const TREE: &str = "ELSINORE_POSTFIX_TREE";
/// Its programs outside its own folder.
const PROGRAMS: [&str; 12] = [
    "postfix",
    "postconf",
    "postmap",
    "postdrop",
    "postqueue",
    "sendmail",
    "postlog",
    "postlock",
    "postkick",
    "postsuper",
    "postmulti",
    "postalias",
];

/// Puts another Postfix in the place of this machine's, where it is named: for this test alone, whose
/// mounts nobody else sees.
fn take_other_postfix() {
    let Some(tree) = std::env::var_os(TREE) else {
        return;
    };
    let tree = std::path::PathBuf::from(tree);
    let put = |place: &str| {
        let own = tree.join(place.trim_start_matches('/'));
        run("mount", &["--bind", &own.display().to_string(), place]);
    };
    put("/usr/lib/postfix");
    put("/etc/postfix/postfix-files");
    for program in PROGRAMS {
        put(&format!("/usr/sbin/{program}"));
    }
}

fn version() -> String {
    let said = run("postconf", &["-d", "-h", "mail_version"]);
    said.trim().to_owned()
}

/// Whether the Postfix of this machine is 3.10 or later.
fn knows_attributes() -> bool {
    let version = version();
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    (numbers.next().flatten(), numbers.next().flatten()) >= (Some(3), Some(10))
}

impl Drop for Policyd {
    fn drop(&mut self) {
        terminate(&mut self.child);
    }
}

fn body() {
    take_other_postfix();
    for (pattern, reason) in DIFFERENCES.iter().chain(EITHER) {
        let line = format!("| `{pattern}` | {reason} |");
        assert!(DOCUMENT.contains(&line), "docs/policyd.md lacks: {line}");
    }
    let lab = Lab::up();
    lab.resolve_through(VALIDATING_RESOLVER);
    let scenarios = files::embedded().expect("our own scenarios");
    let mut work: BTreeMap<String, (String, End)> = BTreeMap::new();
    for scenario in scenarios.iter().filter(|one| one.checks.is_empty()) {
        for case in &scenario.cases {
            let name = match case.id.as_str() {
                "" => scenario.id.clone(),
                id => format!("{}/{id}", scenario.id),
            };
            let either = EITHER.iter().any(|(pattern, _)| fits(pattern, &name));
            if let Some(to) = recipient(scenario, case).filter(|_| !either) {
                work.entry(to).or_insert((name, expected(case)));
            }
        }
    }
    assert!(work.len() > 100, "{}", work.len());
    let folder = tempfile::tempdir().expect("a folder");
    let policyd = Policyd::start(&lab, folder.path());
    let ca = format!("{}/ca.pem", lab.folder().display());
    let recipients: Vec<&str> = work.keys().map(String::as_str).collect();
    let with = Sender::start(&lab, "asking", &policyd.snippet(&ca));
    let ends = with.send(&recipients, PATIENCE);
    let mut problems = Vec::new();
    for (to, (name, expected)) in &work {
        let excuse = DIFFERENCES.iter().find(|(pattern, _)| fits(pattern, name));
        let (_, domain) = to.split_once('@').expect("an address");
        let got = ends.get(to).map(|sent| {
            // Only where the log has no word of its own for it.
            let level = match (*expected, sent.tls.as_deref()) {
                (End::Trusted, Some(_)) => asked(&lab, &policyd.place, domain),
                _ => String::new(),
            };
            (end(&sent.status, sent.tls.as_deref(), &level), level, sent)
        });
        let same = got.as_ref().is_some_and(|(end, ..)| end == expected);
        if same == excuse.is_some() {
            problems.push(format!(
                "{name} ({to}): expected {expected:?}, got {got:?}, listed: {excuse:?}"
            ));
        }
    }
    notice(&format!(
        "Postfix {} sent {} messages by the word of policyd",
        version(),
        work.len()
    ));
    if !problems.is_empty() {
        eprintln!("{}", with.log());
    }
    assert!(
        problems.is_empty(),
        "{} of {}:\n{}",
        problems.len(),
        work.len(),
        problems.join("\n")
    );
    drop(with);
    // The same Postfix without policyd: what the service is there for.
    let alone = Sender::start(
        &lab,
        "alone",
        "smtp_tls_security_level = dane\nsmtp_dns_support_level = dnssec\n",
    );
    let inconsistent: Vec<&str> = work
        .iter()
        .filter(|(_, (name, end))| name.starts_with(ALONE_DEFERS) && *end != End::Deferred)
        .map(|(to, _)| to.as_str())
        .collect();
    assert!(inconsistent.len() > 3, "{inconsistent:?}");
    let ends = alone.send(&inconsistent, PATIENCE);
    for to in inconsistent {
        let status = ends.get(to).map(|sent| sent.status.as_str());
        assert_eq!(status, Some("deferred"), "{to}: no help needed?");
    }
}

/// The level that policyd tells, through Postfix' own client of the protocol.
fn asked(lab: &Lab, place: &str, domain: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("main.cf"), "").expect("a file");
    let output = lab
        .command("postmap")
        .arg("-c")
        .arg(folder.path())
        .args(["-q", domain, &format!("socketmap:inet:{place}:QUERY")])
        .output()
        .expect("postmap runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}
