//! From sessions in the lab to reports at a collector and in a mailbox, through the embedded store.

use crate::fixture::{settings, signer_file};
use crate::rules;
use elsinore_dane::network::NetworkPolicy;
use elsinore_dane::time::UnixTime;
use elsinore_lab::run::Bench;
use elsinore_lab::running::{Placement, Running};
use elsinore_lab::scenario::{ResolverMode, files};
use elsinore_lab::world::World;
use elsinore_net::clock::{Clock, SystemClock};
use elsinore_net::tls::webpki::WebPkiRoots;
use elsinore_queue::job::Claim;
use elsinore_queue::moment::Moment;
use elsinore_queue::sqlite::{SqliteSettings, SqliteStore};
use elsinore_queue::store::QueueStore;
use elsinore_tlsrpt::ORIGIN;
use elsinore_tlsrpt::day::Day;
use elsinore_tlsrpt::dispatch::{End, News, Reporter, progress};
use elsinore_tlsrpt::forecast::{Forecast, forecast};
use elsinore_tlsrpt::ledger::Ledger;
use elsinore_tlsrpt::score::{Score, Scores};
use elsinore_tlsrpt::settings::TlsRptSettings;
use elsinore_tlsrpt::shown::{ShowWish, shown};
use elsinore_tlsrpt::words::own_words;
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Three domains: one wants its reports by POST and by mail, one at a collector that takes none, one
/// wants none.
const WORLD: &str = r#"
[[scenario]]
id = "wants"
title = "reports wanted in two ways"
shows = ["RFC 8460 §3"]
[[scenario.zone]]
name = "wants.example"
records = """
@             MX    10 good
@             MX    20 bad
good          A     {good}
bad           A     {bad}
_25._tcp.good TLSA  {wrong 3 1 1}
_25._tcp.bad  TLSA  {tlsa 3 1 1 bad}
_smtp._tls    CNAME _there.wants.example.
_there        TXT   "v=TLSRPTv1; rua=https://mta-sts.wants.example/tlsrpt,mailto:rpt@wants.example"
mta-sts       A     {sts}
"""
[[scenario.receiver]]
name = "good"
[[scenario.receiver]]
name = "bad"
[[scenario.policy_host]]
name = "sts"
domain = "wants.example"
policy = "version: STSv1"
[[scenario.case]]
expect = { outcome = "delivered" }

[[scenario]]
id = "broken"
title = "a collector that takes nothing"
shows = ["RFC 8460 §5.5"]
[[scenario.zone]]
name = "broken.example"
records = """
@             MX    10 mx
mx            A     {mx}
_smtp._tls    TXT   "v=TLSRPTv1; rua=https://mta-sts.broken.example/tlsrpt"
mta-sts       A     {sts}
"""
[[scenario.receiver]]
name = "mx"
[[scenario.policy_host]]
name = "sts"
domain = "broken.example"
fault = "not-found"
policy = "version: STSv1"
[[scenario.case]]
expect = { outcome = "delivered" }

[[scenario]]
id = "silent"
title = "no reports wanted"
shows = ["RFC 8460 §3"]
[[scenario.zone]]
name = "silent.example"
records = """
@             MX    10 mx
mx            A     {mx}
"""
[[scenario.receiver]]
name = "mx"
[[scenario.case]]
expect = { outcome = "delivered" }
"#;

/// A clock that is set by hand.
#[derive(Debug)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.load(Ordering::SeqCst))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_go_where_they_are_wanted() {
    let scenarios = files::read_all([("dispatch", WORLD)]).unwrap();
    let world = Arc::new(World::build(scenarios, SystemClock.now()).unwrap());
    let running = Running::start(Arc::clone(&world), Placement::Loopback)
        .await
        .unwrap();
    let bench = Bench::new(&running, Arc::new(SystemClock)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut store = SqliteSettings::new(folder.path().join("queue"));
    store.reserve_octets = 0;
    let store: Arc<dyn QueueStore> = Arc::new(SqliteStore::open(store).unwrap());
    let score: Arc<Score> = Arc::default();
    let ledger = Ledger::new(Arc::clone(&store), true).scoring(Arc::clone(&score));
    let mut equipment = None;
    for scenario in world.scenarios() {
        for case in &scenario.cases {
            let mode = ResolverMode::Recursive;
            for _ in 0..2 {
                let report = bench.send(scenario, case, mode).await.unwrap();
                ledger.note(&report);
            }
            equipment = Some(bench.equipment(scenario, case, mode).unwrap());
        }
    }
    assert!(ledger.flush().await.unwrap().written > 0);
    assert_eq!(ledger.flush().await.unwrap().written, 0);
    let equipment = equipment.unwrap();
    let today = Day::of(SystemClock.now().0);
    let clock = Arc::new(Hand(AtomicI64::new(today.end())));
    let mut ca = tempfile::NamedTempFile::new().unwrap();
    ca.write_all(world.ca_pem().as_bytes()).unwrap();
    let (_key, dkim) = signer_file("ed25519");
    let settings = TlsRptSettings {
        dkim: Some(dkim),
        ..settings()
    };
    let reporter = |clock: &Arc<Hand>| {
        let world = elsinore_tlsrpt::dispatch::World {
            resolver: Arc::clone(&equipment.resolver) as _,
            dialer: Arc::clone(&equipment.dialer),
            clock: Arc::clone(clock) as _,
            roots: WebPkiRoots::new(Some(ca.path())).unwrap(),
            networks: NetworkPolicy::default(),
        };
        let reporter = Reporter::new(settings.clone(), Arc::clone(&store), world).unwrap();
        reporter.scoring(Arc::clone(&score))
    };
    let news: Arc<Mutex<Vec<News>>> = Arc::default();
    let noted = Arc::clone(&news);
    let tell = move |one: News| noted.lock().unwrap().push(one);
    let host = |scenario: &str| world.policy_host(scenario, "sts").unwrap();
    let (one, other) = (reporter(&clock), reporter(&clock));
    // The day is not over.
    one.round(&tell).await.unwrap();
    assert!(news.lock().unwrap().is_empty());
    assert!(host("wants").reports().is_empty());
    // What would be sent can be seen before, and is sent then.
    let all = ShowWish {
        day: today.to_string(),
        domain: None,
        after: None,
    };
    let page = shown(&*store, all).await.unwrap();
    let salt = page.salt.as_deref();
    assert!(salt.is_some());
    let mut unsigned = settings.clone();
    unsigned.dkim = None;
    let mut foreseen = BTreeMap::new();
    for counted in &page.domains {
        for (key, settings) in [("with", &settings), ("without", &unsigned)] {
            let work = forecast((today, counted), salt, settings, &*equipment.resolver);
            let one = work.await.unwrap();
            foreseen.insert((one.domain.clone(), key), one);
        }
    }
    let of = |domain: &str, key| &foreseen[&(domain.to_owned(), key)];
    let silent = of("silent.example", "with");
    assert_eq!((&silent.due, &silent.report), (&None, &None));
    assert_eq!(
        silent.nothing.as_deref(),
        Some("no record of version TLSRPTv1")
    );
    let wants = of("wants.example", "with");
    assert!(wants.destinations.len() == 2 && wants.destinations.iter().all(|to| to.not.is_none()));
    let mail = |one: &Forecast| {
        let found = (one.destinations.iter()).find(|to| to.to.starts_with("mailto:"));
        found.unwrap().not.clone()
    };
    assert_eq!(mail(wants), None);
    let unsigned = of("wants.example", "without");
    assert!(unsigned.report.is_some());
    assert!(mail(unsigned).unwrap().contains("without a DKIM key"));
    let due = (foreseen.values())
        .filter_map(|one| one.due.as_ref())
        .map(|due| due.parse::<jiff::Timestamp>().unwrap().as_second())
        .collect::<Vec<_>>();
    let (first, last) = (*due.iter().min().unwrap(), *due.iter().max().unwrap());
    assert!(first > today.end() && last <= today.end() + 4 * 3_600);
    clock.0.store(first - 1, Ordering::SeqCst);
    one.round(&tell).await.unwrap();
    assert!(news.lock().unwrap().is_empty(), "too early");
    // The hours of the first attempts are over; two relays share the work.
    clock.0.store(today.end() + 5 * 3_600, Ordering::SeqCst);
    let (first, second) = tokio::join!(one.round(&tell), other.round(&tell));
    first.unwrap();
    second.unwrap();
    let reports = host("wants").reports();
    assert_eq!(reports.len(), 1, "{:?}", news.lock().unwrap());
    assert_eq!(reports[0].media_type, "application/tlsrpt+gzip");
    let mut json = String::new();
    GzDecoder::new(reports[0].body.as_slice())
        .read_to_string(&mut json)
        .unwrap();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let promised = wants.report.as_ref().unwrap();
    assert_eq!(value["report-id"], promised.id.as_str());
    assert_eq!(reports[0].body.len(), promised.octets);
    assert_eq!(rules::faults(&value), Vec::<String>::new(), "{json}");
    let policies = value["policies"].as_array().unwrap();
    let sums: Vec<String> = policies
        .iter()
        .map(|policy| {
            format!(
                "{} {} {} {} {}",
                policy["policy"]["policy-type"].as_str().unwrap(),
                policy["policy"]["policy-domain"].as_str().unwrap(),
                policy["summary"]["total-successful-session-count"],
                policy["summary"]["total-failure-session-count"],
                policy["failure-details"][0]["result-type"],
            )
        })
        .collect();
    let mut sums = sums;
    sums.sort();
    assert_eq!(
        sums,
        [
            "tlsa bad.wants.example 2 0 null",
            "tlsa good.wants.example 0 2 \"certificate-not-trusted\"",
        ]
    );
    let failed = policies.iter().find(|p| !p["failure-details"].is_null());
    let detail = &failed.unwrap()["failure-details"][0];
    assert_eq!(detail["sending-mta-ip"], "127.0.0.1");
    assert_eq!(detail["receiving-mx-hostname"], "good.wants.example");
    // The other way: a message in the queue, signed, with the marker against loops.
    let claimed = store
        .claim(Claim {
            now: Moment(clock.now().0 * 1_000),
            lease_for: Duration::from_secs(60),
            from: vec![("wants.example".to_owned(), 10)],
        })
        .await
        .unwrap();
    assert_eq!(claimed.len(), 1);
    let head = &claimed[0].message;
    assert_eq!(head.envelope.origin, ORIGIN);
    assert_eq!(
        head.envelope.tls,
        elsinore_queue::message::TlsWish::Optional
    );
    assert_eq!(claimed[0].destination, "wants.example");
    let body = store.body(head.id).await.unwrap();
    let mut octets = Vec::new();
    body.open().unwrap().read_to_end(&mut octets).unwrap();
    let text = String::from_utf8(octets).unwrap();
    assert!(text.starts_with("DKIM-Signature: "), "{text}");
    assert!(text.contains("\r\nTLS-Report-Domain: wants.example\r\n"));
    // Who took it has it; nothing is sent a second time, by anybody, after a restart neither.
    let sent = |domain| progress(&*store, today, domain);
    let state = sent("wants.example").await.unwrap().unwrap();
    assert_eq!(state.end, Some(End::Sent));
    assert_eq!(state.accepted.len(), 2);
    let state = sent("silent.example").await.unwrap().unwrap();
    assert_eq!(state.end, Some(End::Unwanted));
    // The hosts' domains are asked too, and want none.
    let state = sent("good.wants.example").await.unwrap().unwrap();
    assert_eq!(state.end, Some(End::Unwanted));
    let state = sent("broken.example").await.unwrap().unwrap();
    assert_eq!((state.end, state.attempts), (None, 1));
    one.round(&tell).await.unwrap();
    let scores = Scores {
        successful: 6,
        failed: 2,
        lost: 0,
        sent: 2,
        postponed: 1,
        given_up: 0,
        waiting: 1,
    };
    assert_eq!(score.read(), scores);
    // The broken collector is tried again, with growing pauses, for a day.
    let posts = || {
        let requests = host("broken").requests();
        requests.iter().filter(|one| *one == "POST /tlsrpt").count()
    };
    assert_eq!(posts(), 1);
    one.round(&tell).await.unwrap();
    assert_eq!(posts(), 1, "its pause is not over");
    let begun = state.first;
    let mut pauses = Vec::new();
    let mut last = begun;
    for minutes in 1..=24 * 60 + 10 {
        let state = sent("broken.example").await.unwrap().unwrap();
        let now = begun + minutes * 60;
        clock.0.store(now, Ordering::SeqCst);
        if state.end.is_some() {
            break;
        }
        if state.next <= now {
            reporter(&clock).round(&tell).await.unwrap();
            pauses.push((now - last) / 60);
            last = now;
        }
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640]);
    let state = sent("broken.example").await.unwrap().unwrap();
    assert_eq!(state.end, Some(End::GivenUp));
    let scores = Scores {
        postponed: 8,
        given_up: 1,
        waiting: 0,
        ..scores
    };
    assert_eq!(score.read(), scores);
    assert_eq!(
        state.said,
        "https://mta-sts.broken.example/tlsrpt: HTTP status 404"
    );
    assert_eq!(host("wants").reports().len(), 1);
    let warnings = news
        .lock()
        .unwrap()
        .iter()
        .filter(|n| n.is_warning())
        .count();
    assert_eq!(warnings, 1, "{:?}", news.lock().unwrap());
    // What people see of it.
    let wish = |domain: Option<&str>| ShowWish {
        day: today.to_string(),
        domain: domain.map(str::to_owned),
        after: None,
    };
    let page = shown(&*store, wish(None)).await.unwrap();
    let names: Vec<&str> = page.domains.iter().map(|one| one.domain.as_str()).collect();
    assert_eq!(
        names,
        [
            "bad.wants.example",
            "broken.example",
            "good.wants.example",
            "silent.example",
            "wants.example"
        ]
    );
    let page = shown(&*store, wish(Some("broken.example"))).await.unwrap();
    assert_eq!(
        own_words(&page.domains[0]),
        "To broken.example: given up, tried 9 times:\n\
         https://mta-sts.broken.example/tlsrpt: HTTP status 404\n\
         broken.example, no policy: 2 sessions, all good\n"
    );
    assert!(
        shown(
            &*store,
            ShowWish {
                day: "x".to_owned(),
                ..wish(None)
            }
        )
        .await
        .is_err()
    );
    // After a week nothing is left of the day.
    clock.0.store(today.end() + 9 * 86_400, Ordering::SeqCst);
    reporter(&clock).round(&tell).await.unwrap();
    assert_eq!(sent("wants.example").await.unwrap(), None);
    let domains = elsinore_tlsrpt::tally::domains(&*store, today, None, 100);
    assert_eq!(domains.await.unwrap(), Vec::<String>::new());
    store.close().await.unwrap();
}
