//! Software that is not ours, asked the same: Postfix' posttls-finger(1) tries every domain of the
//! lab, in a network namespace with the lab's addresses, through the lab's validating resolver. Its
//! verdict at level `dane` is compared with the one our scenarios expect of `elsinore send`; where
//! it may differ, the reason stands in [`DIFFERENCES`].
//!
//! Needs root, iproute2 and Debian's postfix; prints a notice and passes when one is missing.

use elsinore_lab::scenario::case::RequireTlsSpec;
use elsinore_lab::scenario::{Case, ResolverMode, Scenario, files};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

/// Cases (`scenario` or `scenario/case`, a trailing `*` stands for the rest) on which Postfix
/// 3.7 decides otherwise, and why.
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "inconsistent-*",
        "a failing CNAME query defers the host even below an unsigned delegation",
    ),
    ("unsigned-servfail/alias", "as inconsistent-*"),
    ("unsigned-notimp/alias", "as inconsistent-*"),
    ("unsigned-refused/alias", "as inconsistent-*"),
    ("unsigned-silence/alias", "as inconsistent-*"),
    (
        "null-mx/beside-others",
        "a null MX refuses all mail even beside other MX records",
    ),
    (
        "implicit-mx-alias/next-hop-name",
        "without MX, only the base domain is a reference identifier",
    ),
    (
        "tlsa-unusable/three-octets",
        "panics on a TLSA record of three octets (fixed in 2026)",
    ),
    ("tlsa-mixed/three-octets", "as tlsa-unusable/three-octets"),
    ("tlsa-many", "drops the records after the hundredth"),
    (
        "dane-ee-full-garbage",
        "OpenSSL calls 3 0 0 data that is no certificate unusable",
    ),
    (
        "legacy-tls10/may",
        "OpenSSL's default refuses the SHA-1 signatures of TLS 1.0",
    ),
    (
        "starttls-faults/broken",
        "goes on in the clear only in a later delivery attempt",
    ),
];

/// What posttls-finger cannot be compared on: it tries one address of one host at a time, knows no
/// MTA-STS, no override, and says nothing about what comes after STARTTLS.
const BEYOND: &[(&str, &str)] = &[
    ("sts-*", "knows no MTA-STS"),
    ("smtp-*", "ends after STARTTLS"),
    (
        "dane-mismatch-next",
        "does not go to the next host after a mismatch",
    ),
    (
        "dane-starttls-502/two-hosts",
        "does not go to the next host after STARTTLS is refused",
    ),
    ("families-disagree/*", "tries one address"),
    ("ipv6-dead", "tries one address"),
];

/// A verdict, as coarse as both programs can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Verified,
    Trusted,
    Unauthenticated,
    NoTls,
    Refused,
}

fn expected(case: &Case) -> Vec<Verdict> {
    match case.expect.security.as_deref() {
        Some("dane") => vec![Verdict::Verified],
        Some("dane-insecure-mx") => vec![Verdict::Trusted],
        Some("plaintext") => vec![Verdict::NoTls],
        Some(_) => vec![Verdict::Unauthenticated],
        // Without STARTTLS it prints nothing, whatever was required.
        None if case.expect.outcome == "deferred" => vec![Verdict::Refused, Verdict::NoTls],
        None => vec![Verdict::Refused],
    }
}

fn verdict(output: &str) -> Verdict {
    let mut verdict = Verdict::NoTls;
    let mut rejected = false;
    for line in output.lines() {
        if line.contains("verification failed") {
            // Of an unauthenticated session it says only that nobody vouches for the certificate.
            rejected |= !["self-signed", "untrusted issuer", "not trusted"]
                .iter()
                .any(|harmless| line.contains(harmless));
        } else if line.contains("Verified TLS connection") {
            verdict = Verdict::Verified;
        } else if line.contains("Trusted TLS connection") {
            verdict = Verdict::Trusted;
        } else if line.contains("Untrusted TLS connection") || line.contains("Anonymous TLS") {
            verdict = if rejected {
                Verdict::Refused
            } else {
                Verdict::Unauthenticated
            };
        } else if line.contains("Failed to establish session")
            || line.contains("address lookup failed")
            || line.contains("SSL_connect error")
        {
            verdict = Verdict::Refused;
        }
    }
    verdict
}

fn listed<'a>(table: &'a [(&str, &str)], name: &str) -> Option<&'a str> {
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    };
    (table.iter())
        .find(|(pattern, _)| fits(pattern))
        .map(|(_, reason)| *reason)
}

/// The domain a case sends to, if posttls-finger can be asked about it.
fn domain(scenario: &Scenario, case: &Case) -> Option<String> {
    let plain = case.destination.is_empty()
        && case.cached_policy.is_empty()
        && case.require_tls == RequireTlsSpec::Unsaid
        && case.message.is_none()
        && case.settings.insecure_mx.is_none()
        && case.settings.legacy.is_none()
        && case.settings.nta.is_empty()
        && case.to.len() < 2
        && case.modes.contains(&ResolverMode::Recursive);
    if !plain {
        return None;
    }
    match case.to.first() {
        Some(to) => (to.split_once('@'))
            .map(|(_, domain)| domain.to_owned())
            .filter(|domain| !domain.starts_with('[')),
        None => scenario.zones.first().map(|zone| zone.name.clone()),
    }
}

/// A lab in a namespace; stopped, and the namespace removed, when dropped.
struct Lab {
    child: Child,
    namespace: String,
}

impl Lab {
    fn start() -> Option<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_elsinore"))
            .args(["lab", "up", "--real"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let output = BufReader::new(child.stdout.take()?);
        let mut namespace = None;
        for line in output.lines() {
            let line = line.ok()?;
            if let Some(rest) = line.trim().strip_prefix("ip netns exec ") {
                namespace = rest.split(' ').next().map(str::to_owned);
            }
            if line.contains("Ctrl-C") {
                break;
            }
        }
        match namespace {
            Some(namespace) => Some(Self { child, namespace }),
            None => {
                let _ = child.wait();
                None
            }
        }
    }

    fn finger(&self, domain: &str) -> std::io::Result<String> {
        let output = Command::new("ip")
            .args(["netns", "exec", &self.namespace, "posttls-finger"])
            .args(["-c", "-l", "dane", "-t", "8", "-T", "8"])
            .args(["-L", "summary", domain])
            .output()?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(text)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // SIGTERM lets it remove its namespace and folder.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.child.wait();
    }
}

#[test]
fn posttls_finger_decides_alike() {
    let there = Command::new("posttls-finger").arg("-h").output().is_ok();
    let Some(lab) = there.then(Lab::start).flatten() else {
        eprintln!("notice: skipped, needs root, iproute2 and posttls-finger (Debian: postfix)");
        return;
    };
    let scenarios = files::embedded().unwrap();
    let mut work = Vec::new();
    for scenario in &scenarios {
        for case in &scenario.cases {
            let name = if case.id.is_empty() {
                scenario.id.clone()
            } else {
                format!("{}/{}", scenario.id, case.id)
            };
            if let Some(domain) = domain(scenario, case)
                && listed(BEYOND, &name).is_none()
            {
                work.push((name, domain, expected(case)));
            }
        }
    }
    assert!(work.len() > 80, "{}", work.len());
    let queue = Mutex::new(work.iter());
    let problems = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((name, domain, expected)) = next() {
                    let output = lab.finger(domain).unwrap();
                    let got = verdict(&output);
                    let alike = expected.contains(&got);
                    let excuse = listed(DIFFERENCES, name);
                    if alike == excuse.is_some() {
                        problems.lock().unwrap().push(format!(
                            "{name} ({domain}): expected {expected:?}, got {got:?}, listed \
                             difference: {excuse:?}\n{output}"
                        ));
                    }
                }
            });
        }
    });
    drop(lab);
    let problems = problems.into_inner().unwrap();
    assert!(
        problems.is_empty(),
        "{} of {}:\n{}",
        problems.len(),
        work.len(),
        problems.join("\n")
    );
}
