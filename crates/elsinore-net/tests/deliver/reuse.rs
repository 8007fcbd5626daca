//! Connections that carry several messages: under one and the same demand, never under another, and
//! a server that has gone in the meantime is no trouble.

use crate::fixture::{Patience, Running, Script, Tls, World, has, name};
use crate::pki;
use crate::server::rustls_config;
use elsinore_dane::rule::Rule;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_net::deliver::account::TlsEnd;
use elsinore_net::deliver::{Outcome, Reuse, SendReport, SessionSecurity, StateFolder, TlsWish};
use elsinore_net::sts::{PolicyCache, StoredPolicy};
use elsinore_net::tls::webpki::WebPkiRoots;
use std::time::Duration;

fn reusing(world: World) -> World {
    world.adjust(|config| config.reuse = Reuse::for_a_relay())
}

fn server(tls: Tls, patience: Patience) -> Option<Script> {
    Some(Script {
        tls,
        patience,
        ..Script::default()
    })
}

/// `example` with one signed host and TLSA records.
fn dane(patience: Patience) -> World {
    let world = reusing(World::new());
    let (tls, tlsa) = (world.modern(), world.good_tlsa());
    world
        .mx(&[(10, "mx.example")])
        .host("mx.example", "192.0.2.1", server(tls, patience))
        .tlsa("mx.example", vec![tlsa])
}

fn security(report: &SendReport) -> Option<SessionSecurity> {
    assert_eq!(report.overall(), Outcome::Delivered, "{report:#?}");
    report.recipients[0].session.as_ref().unwrap().security
}

fn transaction(report: &SendReport) -> u32 {
    report.recipients[0].session.as_ref().unwrap().transaction
}

/// Polls until the servers have seen so many QUITs.
async fn quits(running: &Running, expected: usize) {
    for _ in 0..1_000 {
        if running.seen.lock().unwrap().quits == expected {
            return;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(running.seen.lock().unwrap().quits, expected);
}

#[tokio::test(start_paused = true)]
async fn a_connection_carries_several_messages_and_ends_with_quit() {
    let running = dane(Patience::Endless).build();
    for turn in 1..=3 {
        let report = running.send(&["a@example"]).await;
        assert_eq!(security(&report), Some(SessionSecurity::Dane));
        assert_eq!(transaction(&report), turn);
        let recipient = &report.recipients[0];
        assert_eq!(recipient.attempts.len(), 1);
        let session = recipient.session.as_ref().unwrap();
        assert!(session.tls.is_some() && session.matched.is_some());
        let line = recipient.attempts[0].log_line.as_deref().unwrap();
        let word = if turn == 1 { "established" } else { "reused" };
        let start = format!("Verified TLS connection {word} to mx.example[192.0.2.1]:25: TLSv1.3");
        assert!(line.starts_with(&start), "{line}");
        // A session is counted once for the reports of RFC 8460.
        let end = &recipient.attempts[0].account.end;
        assert_eq!(*end == TlsEnd::Reused, turn > 1, "{end:?}");
    }
    assert_eq!(running.connections(), ["192.0.2.1"]);
    assert_eq!(running.dots().len(), 3);
    let counters = running.sender.connections();
    let counted = (counters.opened, counters.reused, counters.stale);
    assert_eq!((counted, counters.idle), ((1, 2, 0), 1));
    assert_eq!(running.seen.lock().unwrap().quits, 0);
    running.sender.leave_connections().await;
    assert_eq!(running.seen.lock().unwrap().quits, 1);
    assert_eq!(running.sender.connections().idle, 0);
}

#[tokio::test(start_paused = true)]
async fn without_the_setting_each_message_has_its_connection() {
    let running = dane(Patience::Endless)
        .adjust(|config| config.reuse = Reuse::never())
        .build();
    for _ in 0..2 {
        assert_eq!(transaction(&running.send(&["a@example"]).await), 1);
    }
    assert_eq!(running.connections().len(), 2);
    assert_eq!(running.sender.connections().idle, 0);
    quits(&running, 2).await;
}

/// What a domain that shares the host owes.
#[derive(Clone, Copy, Debug)]
enum Domain {
    SignedMx,
    OtherSignedMx,
    UnsignedMx,
    OtherUnsignedMx,
    Enforced,
}

impl Domain {
    fn text(self) -> &'static str {
        match self {
            Self::SignedMx => "signed.example",
            Self::OtherSignedMx => "other-signed.example",
            Self::UnsignedMx => "unsigned.example",
            Self::OtherUnsignedMx => "other-unsigned.example",
            Self::Enforced => "enforced.example",
        }
    }
}

/// Five domains on one host, which has TLSA records or not. Its certificate is valid for WebPKI.
fn neighbours(tlsa: bool, folder: &tempfile::TempDir) -> Running {
    const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx.example\r\nmax_age: 86400\r\n";
    let (ca_key, key) = (pki::p256(), pki::p256());
    let ca = pki::Wanted::ca().issue(&ca_key, None);
    let leaf = pki::Wanted::named("mx.example").issue(&key, Some((&ca, &ca_key)));
    let tls = Tls::Modern(rustls_config(&key, &[leaf.to_der().unwrap()]));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ca.to_pem().unwrap()).unwrap();
    let roots = WebPkiRoots::new(Some(file.path())).unwrap();
    let state = StateFolder {
        path: folder.path().to_owned(),
        trust: [0; 32],
    };
    let hosts = &[(10, "mx.example")];
    let mut world = reusing(World::new())
        .mx_of(Domain::SignedMx.text(), hosts)
        .mx_of(Domain::OtherSignedMx.text(), hosts)
        .unsigned_mx_of(Domain::UnsignedMx.text(), hosts)
        .unsigned_mx_of(Domain::OtherUnsignedMx.text(), hosts)
        .unsigned_mx_of(Domain::Enforced.text(), hosts)
        .sts_record_of(Domain::Enforced.text(), "1")
        .host("mx.example", "192.0.2.1", server(tls, Patience::Endless));
    if tlsa {
        let spki = key.public_key_to_der().unwrap();
        let record = TlsaRecord::new(3, 1, 1, &openssl::sha::sha256(&spki));
        world = world.tlsa("mx.example", vec![record]);
    }
    world
        .adjust(move |config| {
            config.roots = roots.clone();
            config.state = Some(state.clone());
            let cache = PolicyCache::new(Some(&state), config.roots.fingerprint());
            let policy = StoredPolicy {
                id: "1".to_owned(),
                fetched: UnixTime(pki::NOW),
                body: POLICY.as_bytes().to_vec(),
            };
            cache
                .store(&name(Domain::Enforced.text()), &policy)
                .unwrap();
        })
        .build()
}

/// Domains with the same host, in both orders: the same obligation shares a connection, any other
/// has one of its own, and each is told its own security.
#[tokio::test(start_paused = true)]
async fn a_connection_serves_no_other_obligation() {
    use Domain::{Enforced, OtherSignedMx, OtherUnsignedMx, SignedMx, UnsignedMx};
    use SessionSecurity::{Dane, DaneInsecureMx, Sts, WebPki};
    for (tlsa, one, other, expected, connections) in [
        (true, SignedMx, UnsignedMx, [Dane, DaneInsecureMx], 2),
        // Each domain is a name for which the certificate may stand, and was not looked for.
        (true, SignedMx, OtherSignedMx, [Dane, Dane], 2),
        (
            true,
            UnsignedMx,
            OtherUnsignedMx,
            [DaneInsecureMx, DaneInsecureMx],
            1,
        ),
        (true, UnsignedMx, Enforced, [DaneInsecureMx, Sts], 2),
        (false, UnsignedMx, Enforced, [WebPki, Sts], 2),
        (false, SignedMx, Enforced, [WebPki, Sts], 2),
        (false, SignedMx, UnsignedMx, [WebPki, WebPki], 1),
    ] {
        for (first, second, expected) in [
            (one, other, expected),
            (other, one, [expected[1], expected[0]]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let running = neighbours(tlsa, &folder);
            for round in 0..2 {
                for (domain, security_expected) in [(first, expected[0]), (second, expected[1])] {
                    let report = running.send(&[&format!("a@{}", domain.text())]).await;
                    assert_eq!(security(&report), Some(security_expected), "{domain:?}");
                    assert!(round == 0 || transaction(&report) > 1);
                }
            }
            let made = running.connections();
            assert_eq!(made.len(), connections, "{first:?} {second:?}: {made:?}");
        }
    }
}

/// What TLSA says now is what counts.
#[tokio::test(start_paused = true)]
async fn a_change_of_the_records_ends_the_reuse() {
    let world = dane(Patience::Endless);
    let good = world.good_tlsa();
    let running = world.build();
    let wrong = TlsaRecord::new(3, 1, 1, &[7; 32]);
    for (records, outcome, connections, expected) in [
        (
            vec![good.clone()],
            Outcome::Delivered,
            1,
            Some(SessionSecurity::Dane),
        ),
        (
            vec![wrong.clone(), good.clone()],
            Outcome::Delivered,
            2,
            Some(SessionSecurity::Dane),
        ),
        // The order means nothing.
        (
            vec![good.clone(), wrong.clone()],
            Outcome::Delivered,
            2,
            Some(SessionSecurity::Dane),
        ),
        (vec![wrong], Outcome::Deferred, 3, None),
        (
            vec![],
            Outcome::Delivered,
            4,
            Some(SessionSecurity::Encrypted),
        ),
        // A session that owed nothing does not serve one that does.
        (
            vec![good],
            Outcome::Delivered,
            4,
            Some(SessionSecurity::Dane),
        ),
    ] {
        running.change_tlsa("mx.example", records.clone());
        let report = running.send(&["a@example"]).await;
        assert_eq!(report.overall(), outcome, "{records:?}: {report:#?}");
        assert_eq!(running.connections().len(), connections, "{records:?}");
        let session = report.recipients[0].session.as_ref();
        assert_eq!(session.and_then(|it| it.security), expected, "{records:?}");
    }
}

/// REQUIRETLS is another demand where TLSA does not authenticate, and is said in each transaction.
#[tokio::test(start_paused = true)]
async fn an_opportunistic_connection_carries_no_message_that_requires_tls() {
    let running = dane(Patience::Endless).build();
    running.change_tlsa("mx.example", vec![]);
    assert_eq!(transaction(&running.send(&["a@example"]).await), 1);
    let report = running.send_with(&["a@example"], TlsWish::Require).await;
    assert_eq!(report.overall(), Outcome::Bounced, "{report:#?}");
    assert_eq!(running.dots().len(), 1);
}

/// A server that is gone when the next message comes: a new connection in the same attempt, nothing
/// recorded as failed, nothing delivered twice.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_gone_is_no_failure() {
    for (patience, stale) in [
        (Patience::HangsUpAfter(2), 0),
        (Patience::AnswersMailAfter(2, "421 4.7.0 enough\r\n"), 2),
        (Patience::AnswersMailAfter(2, "451 4.7.0 enough\r\n"), 2),
        (Patience::AnswersMailAfter(2, "550 5.7.0 enough\r\n"), 2),
        (Patience::SilentAfter(2), 2),
        (Patience::HangsUpBehindMailAfter(2), 2),
    ] {
        let running = dane(patience).build();
        for (turn, expected) in [1, 2, 1, 2, 1].into_iter().enumerate() {
            let to = format!("r{turn}@example");
            let report = running.send(&[&to]).await;
            assert_eq!(security(&report), Some(SessionSecurity::Dane));
            assert_eq!(transaction(&report), expected, "message {turn}");
            assert_eq!(report.recipients[0].attempts.len(), 1);
            assert!(!has(&report, Rule::ServerUnavailable), "{report:#?}");
        }
        assert_eq!(running.connections().len(), 3);
        let dots: Vec<String> = (0..5).map(|turn| format!("r{turn}@example")).collect();
        assert_eq!(running.dots(), dots);
        assert_eq!(running.sender.connections().stale, stale);
    }
}

/// On a new connection the server's word stands, whatever it is.
#[tokio::test(start_paused = true)]
async fn a_refused_mail_is_asked_once_more_and_then_believed() {
    for (reply, outcome) in [
        ("550 5.7.1 never\r\n", Outcome::Bounced),
        ("451 4.7.1 later\r\n", Outcome::Deferred),
    ] {
        let running = dane(Patience::AnswersMailAfter(0, reply)).build();
        let report = running.send(&["a@example"]).await;
        assert_eq!(report.overall(), outcome);
        // The connection is in order; the next message is refused on it, and then on a new one.
        let report = running.send(&["a@example"]).await;
        assert_eq!(report.overall(), outcome);
        assert_eq!(running.connections().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_dot_on_a_used_connection_is_in_doubt() {
    let running = dane(Patience::SilentAtDotAfter(1)).build();
    running.send(&["a@example"]).await;
    let report = running.send(&["b@example"]).await;
    assert_eq!(report.overall(), Outcome::Deferred);
    assert!(has(&report, Rule::OutcomeUnknown), "{report:#?}");
    assert_eq!(transaction(&report), 2);
    assert_eq!(running.connections().len(), 1);
    assert_eq!(running.dots(), ["a@example", "b@example"]);
    assert_eq!(running.sender.connections().idle, 0);
}

/// How long, how old, how often.
#[tokio::test(start_paused = true)]
async fn reuse_is_bounded() {
    let settings = Reuse {
        idle_for: Duration::from_secs(4),
        age: Duration::from_secs(10),
        transactions: 3,
        ..Reuse::for_a_relay()
    };
    let running = dane(Patience::Endless)
        .adjust(move |config| config.reuse = settings)
        .build();
    for (pause, expected) in [
        // Three messages, then a new connection.
        (0, 1),
        (0, 2),
        (0, 3),
        (0, 1),
        (3, 2),
        // It waited too long.
        (5, 1),
        (3, 2),
        // Behind its tenth second it begins no message.
        (3, 3),
        (0, 1),
        (3, 2),
        (3, 3),
    ] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        assert_eq!(transaction(&running.send(&["a@example"]).await), expected);
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(running.sender.connections().idle, 0);
    quits(&running, running.connections().len()).await;
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_begins_no_message() {
    let settings = Reuse {
        age: Duration::from_secs(10),
        ..Reuse::for_a_relay()
    };
    let running = dane(Patience::Endless)
        .adjust(move |config| config.reuse = settings)
        .build();
    for expected in [1, 2, 3, 4, 1, 2] {
        assert_eq!(transaction(&running.send(&["a@example"]).await), expected);
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}

/// What the certificate proved by its date is proven until then; DANE-EE and pins know no date.
#[tokio::test(start_paused = true)]
async fn an_expired_certificate_ends_the_reuse_where_dates_count() {
    let folder = tempfile::tempdir().unwrap();
    for (tlsa, domain, transactions) in
        [(true, Domain::SignedMx, 2), (false, Domain::UnsignedMx, 1)]
    {
        let running = neighbours(tlsa, &folder);
        let to = format!("a@{}", domain.text());
        running.send(&[&to]).await;
        running.pass(90_000);
        assert_eq!(transaction(&running.send(&[&to]).await), transactions);
    }
}

/// Many messages at once have a connection each, of which as many are kept as may wait.
#[tokio::test(start_paused = true)]
async fn idle_connections_are_bounded_in_number() {
    for (idle_per_server, idle_in_all) in [(2, 200), (20, 2)] {
        let settings = Reuse {
            idle_per_server,
            idle_in_all,
            ..Reuse::for_a_relay()
        };
        let running = dane(Patience::Endless)
            .adjust(move |config| config.reuse = settings)
            .build();
        let sends = (0..5).map(|_| running.send(&["a@example"]));
        for report in futures_util::future::join_all(sends).await {
            assert_eq!(security(&report), Some(SessionSecurity::Dane));
        }
        assert_eq!(running.connections().len(), 5);
        assert_eq!(running.sender.connections().idle, 2);
        quits(&running, 3).await;
    }
}
