//! Shared by the tests of the page: the sample reports of `elsinore-check`, and a checker that hands
//! them out instead of measuring.

use elsinore_check::report::Report;
use elsinore_dane::name::DomainName;
use elsinore_web::checker::{Checker, Look, Progress, Step};
use futures_util::future::BoxFuture;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// When every sample was measured, and what the clock of a page says in the beginning.
pub(crate) const BEGAN: i64 = 1_792_000_000;

const PROTECTED: &str = include_str!("../../elsinore-check/tests/samples/protected.json");
const BROKEN: &str = include_str!("../../elsinore-check/tests/samples/broken.json");
const NOT_PROTECTED: &str = include_str!("../../elsinore-check/tests/samples/not-protected.json");
const REFUSED: &str = include_str!("../../elsinore-check/tests/samples/refused.json");
const UNKNOWN: &str = include_str!("../../elsinore-check/tests/samples/inconclusive.json");
const HOSTILE: &str = include_str!("../../elsinore-check/tests/samples/hostile.json");

/// What a hostile domain would write wherever it may.
const ATTACK: &str =
    "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}\u{1b}[2J{{7*7}}";

/// The sample that the first label of `domain` names, as a report of that domain.
pub(crate) fn report(domain: &str) -> Report {
    sample(domain.split('.').next().unwrap_or_default(), domain)
}

/// The sample of that name as a report of `domain`.
fn sample(name: &str, domain: &str) -> Report {
    let text = match name {
        "broken" => BROKEN,
        "open" => NOT_PROTECTED,
        "refused" => REFUSED,
        "unknown" => UNKNOWN,
        "hostile" => HOSTILE,
        _ => PROTECTED,
    };
    let mut report: Report = serde_json::from_str(text).unwrap();
    report.domain = domain.to_owned();
    report.began_at = BEGAN;
    if name == "hostile" {
        attack(&mut report);
    }
    report
}

/// Puts [`ATTACK`] where the sample has tamer text: a report could come from a file of somebody else.
fn attack(report: &mut Report) {
    let attack = || ATTACK.to_owned();
    report.domain_unicode = Some(attack());
    report.sentence = attack();
    report.forecast.sentence = attack();
    report.overrides = vec![attack()];
    report.inconclusive = vec![attack()];
    for event in &mut report.forecast.events {
        event.subject = attack();
        event.effect = attack();
    }
    for finding in &mut report.findings {
        finding.evidence = attack();
        finding.title = attack();
        finding.subject = attack();
        if let Some(advice) = &mut finding.advice {
            advice.text = attack();
            advice.paste.push(attack());
        }
    }
    for lookup in &mut report.lookups {
        lookup.evidence.push(attack());
        lookup.reason = Some(attack());
        lookup.name = attack();
    }
    for host in &mut report.hosts {
        host.mx_host = attack();
        host.address_reason = Some(attack());
        for record in &mut host.tlsa {
            record.label_text = attack();
            record.text = attack();
        }
        for address in &mut host.addresses {
            address.reason = Some(attack());
            for session in &mut address.sessions {
                session.transcript.push(format!("220 {ATTACK}"));
                session.sni = Some(attack());
                session.reason = Some(attack());
            }
        }
    }
    for certificate in report.certificates.values_mut() {
        certificate.subject = attack();
        certificate.issuer = attack();
        certificate.names = vec![attack()];
    }
    for zone in &mut report.zones {
        zone.reason = Some(attack());
    }
}

/// Hands out samples. The first label of the domain says which; each check takes a permit, so that
/// a test can hold checks back.
#[derive(Debug)]
pub(crate) struct Samples {
    /// How many checks were begun.
    pub(crate) begun: AtomicUsize,
    /// How many were under way at most.
    pub(crate) most: AtomicUsize,
    under_way: AtomicUsize,
    gate: Semaphore,
    /// When the next report was measured, when not at [`BEGAN`].
    pub(crate) began_at: Mutex<i64>,
    /// Which sample is handed out, when not the one that the domain names.
    pub(crate) playing: Mutex<Option<&'static str>>,
}

impl Samples {
    /// Checks end at once.
    pub(crate) fn open() -> Self {
        Self::with(Semaphore::MAX_PERMITS)
    }

    /// Checks wait for [`Self::release`].
    pub(crate) fn held() -> Self {
        Self::with(0)
    }

    fn with(permits: usize) -> Self {
        Self {
            begun: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            gate: Semaphore::new(permits),
            began_at: Mutex::new(BEGAN),
            playing: Mutex::new(None),
        }
    }

    /// Lets so many checks end.
    pub(crate) fn release(&self, checks: usize) {
        self.gate.add_permits(checks);
    }
}

/// The checker of [`Samples`], shared with the test.
#[derive(Debug, Clone)]
pub(crate) struct Playing(pub(crate) std::sync::Arc<Samples>);

impl Checker for Playing {
    fn check(
        &self,
        domain: DomainName,
        _: Option<Report>,
        progress: Progress,
    ) -> BoxFuture<'static, Result<Report, String>> {
        let samples = std::sync::Arc::clone(&self.0);
        let domain = domain.as_str().to_owned();
        Box::pin(async move {
            samples.begun.fetch_add(1, Ordering::SeqCst);
            let now = samples.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            samples.most.fetch_max(now, Ordering::SeqCst);
            progress.step(Step {
                what: format!("MX records of {domain}"),
                result: "2 records, secure".to_owned(),
                look: Look::Good,
                after_ms: 23,
            });
            if let Ok(permit) = samples.gate.acquire().await {
                permit.forget();
            }
            samples.under_way.fetch_sub(1, Ordering::SeqCst);
            let mut report = match domain.split('.').next() {
                Some("failing") => return Err("The resolver of this machine is ill.".to_owned()),
                Some("panicking") => panic!("on purpose"),
                name => {
                    let playing = *samples.playing.lock().unwrap();
                    sample(playing.or(name).unwrap_or_default(), &domain)
                }
            };
            report.began_at = *samples.began_at.lock().unwrap();
            Ok(report)
        })
    }
}
