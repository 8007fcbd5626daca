//! posttls-finger(1), the probe that comes with Postfix, tries every domain of the lab at level
//! `dane`, once through the lab's own validating resolver, which remembers nothing, and once through
//! Unbound, which does. Its verdict is compared with the one our scenarios expect of
//! `elsinore send`; where it may differ, the reason stands in [`DIFFERENCES`].

use crate::lab::Lab;
use crate::namespace::{inside, notice};
use crate::unbound;
use elsinore_lab::scenario::case::RequireTlsSpec;
use elsinore_lab::scenario::{Case, ResolverMode, Scenario, files};
use elsinore_lab::world::VALIDATING_RESOLVER;
use std::sync::Mutex;

/// Domains that are asked about at the same time.
const SIDE_BY_SIDE: usize = 4;

/// Behind which resolver a difference shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    Any,
    LabResolver,
    Unbound,
}

/// Cases (`scenario` or `scenario/case`, a trailing `*` stands for the rest) on which Postfix
/// 3.7 decides otherwise, and why.
const DIFFERENCES: &[(&str, Behind, &str)] = &[
    (
        "inconsistent-*",
        Behind::LabResolver,
        "a failing CNAME query defers the host even below an unsigned delegation (Unbound answers it \
         from what it remembers of the address query)",
    ),
    (
        "unsigned-servfail/alias",
        Behind::LabResolver,
        "as inconsistent-*",
    ),
    (
        "unsigned-notimp/alias",
        Behind::LabResolver,
        "as inconsistent-*",
    ),
    (
        "unsigned-refused/alias",
        Behind::LabResolver,
        "as inconsistent-*",
    ),
    (
        "unsigned-silence/alias",
        Behind::LabResolver,
        "as inconsistent-*",
    ),
    (
        "dname/to-insecure",
        Behind::Unbound,
        "Unbound 1.17.1 refuses to answer for a CNAME made from a DNAME; see upstream.rs",
    ),
    (
        "null-mx/beside-others",
        Behind::Any,
        "a null MX refuses all mail even beside other MX records",
    ),
    (
        "implicit-mx-alias/next-hop-name",
        Behind::Any,
        "without MX, only the base domain is a reference identifier",
    ),
    (
        "tlsa-unusable/three-octets",
        Behind::Any,
        "panics on a TLSA record of three octets (fixed in 2026)",
    ),
    (
        "tlsa-mixed/three-octets",
        Behind::Any,
        "as tlsa-unusable/three-octets",
    ),
    (
        "tlsa-many",
        Behind::Any,
        "drops the records after the hundredth",
    ),
    (
        "dane-ee-full-garbage",
        Behind::Any,
        "OpenSSL calls 3 0 0 data that is no certificate unusable",
    ),
    (
        "legacy-tls10/may",
        Behind::Any,
        "OpenSSL's default refuses the SHA-1 signatures of TLS 1.0",
    ),
    (
        "starttls-faults/broken",
        Behind::Any,
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
    /// No TLS, and nothing had asked for it.
    Cleartext,
    /// No TLS although TLSA records were found: no mail would be sent.
    Withheld,
    Refused,
}

fn expected(case: &Case) -> Vec<Verdict> {
    match case.expect.security.as_deref() {
        Some("dane") => vec![Verdict::Verified],
        Some("dane-insecure-mx") => vec![Verdict::Trusted],
        Some("plaintext") => vec![Verdict::Cleartext],
        Some(_) => vec![Verdict::Unauthenticated],
        None if case.expect.outcome == "deferred" => vec![Verdict::Refused, Verdict::Withheld],
        None => vec![Verdict::Refused],
    }
}

fn verdict(output: &str) -> Verdict {
    let mut verdict = if output.contains("TLSA") {
        Verdict::Withheld
    } else {
        Verdict::Cleartext
    };
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

/// Whether a pattern of the tables means that case.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
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
        && case.settings.own_names.is_empty()
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

#[test]
fn decides_alike() {
    inside(
        "finger::decides_alike",
        &["posttls-finger", "unbound"],
        body,
    );
}

fn body() {
    let lab = Lab::up();
    let scenarios = files::embedded().expect("our own scenarios");
    let mut work = Vec::new();
    // What is there for `check` has a table of its own (`cargo xtask peers-table`).
    for scenario in scenarios.iter().filter(|one| one.checks.is_empty()) {
        for case in &scenario.cases {
            let name = if case.id.is_empty() {
                scenario.id.clone()
            } else {
                format!("{}/{}", scenario.id, case.id)
            };
            if let Some(domain) = domain(scenario, case)
                && !BEYOND.iter().any(|(pattern, _)| fits(pattern, &name))
            {
                work.push((name, domain, expected(case)));
            }
        }
    }
    assert!(work.len() > 80, "{}", work.len());
    lab.resolve_through(VALIDATING_RESOLVER);
    let mut problems = ask_all(&lab, &work, Behind::LabResolver);
    let folder = tempfile::tempdir().expect("a folder");
    let _unbound = unbound::start(lab.command("unbound"), lab.folder(), folder.path());
    lab.resolve_through(unbound::ADDRESS);
    problems.extend(ask_all(&lab, &work, Behind::Unbound));
    notice(&format!(
        "posttls-finger asked about {} domains behind two resolvers",
        work.len()
    ));
    assert!(
        problems.is_empty(),
        "{} of {}:\n{}",
        problems.len(),
        2 * work.len(),
        problems.join("\n")
    );
}

/// Asks about every case and returns what differs without being listed, or is listed without
/// differing.
fn ask_all(lab: &Lab, work: &[(String, String, Vec<Verdict>)], behind: Behind) -> Vec<String> {
    let queue = Mutex::new(work.iter());
    let problems = Mutex::new(Vec::new());
    let next = || queue.lock().expect("no thread fails with the lock").next();
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some((name, domain, expected)) = next() {
                    let output = ask(lab, domain);
                    let got = verdict(&output);
                    let excuse = DIFFERENCES
                        .iter()
                        .find(|(pattern, resolver, _)| {
                            (*resolver == Behind::Any || *resolver == behind) && fits(pattern, name)
                        })
                        .map(|(_, _, reason)| reason);
                    if expected.contains(&got) == excuse.is_some() {
                        let mut problems = problems.lock().expect("no thread fails with the lock");
                        problems.push(format!(
                            "{name} ({domain}) behind {behind:?}: expected {expected:?}, got \
                             {got:?}, listed difference: {excuse:?}\n{output}"
                        ));
                    }
                }
            });
        }
    });
    problems
        .into_inner()
        .expect("no thread fails with the lock")
}

fn ask(lab: &Lab, domain: &str) -> String {
    let output = lab
        .command("posttls-finger")
        .args(["-c", "-l", "dane", "-t", "8", "-T", "8"])
        .args(["-L", "summary,dane,certmatch", domain])
        .output()
        .expect("posttls-finger runs");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}
