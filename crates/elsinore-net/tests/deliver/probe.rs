//! What a prober foresees is what the sender does, and it is done without a message.

use crate::fixture::{Running, Script, Tls, World, name};
use crate::pki;
use crate::server::openssl_context;
use elsinore_dane::discovery::{DaneUse, DiscoveryPolicy, LookAhead, StsUse};
use elsinore_dane::next_hop::NextHop;
use elsinore_dane::obligation::Obligation;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_net::deliver::{
    Ended, Foreseen, InconclusiveReason, Outcome, PlanSighting, SessionSecurity, Sounding,
};
use openssl::ssl::SslVersion;
use std::collections::HashMap;
use std::net::IpAddr;

async fn plans(running: &Running, dane: DaneUse) -> PlanSighting {
    let policy = DiscoveryPolicy {
        dane,
        sts: StsUse::Ignore,
        look_ahead: LookAhead::AllHosts,
        ..DiscoveryPolicy::default()
    };
    let hop = NextHop::domain(name("example"));
    running.prober.plans(hop, policy).await
}

type Seen = HashMap<IpAddr, Vec<Sounding>>;

/// Approaches every address of every host, and folds what it came to.
async fn foresee(running: &Running, plans: &PlanSighting, seen: &mut Seen) -> Foreseen {
    let now = UnixTime(pki::NOW);
    let assessor = running.prober.assessor();
    let mut ends: HashMap<(usize, IpAddr), Ended> = HashMap::new();
    for (index, plan) in plans.hosts.iter().enumerate() {
        for address in &plan.addresses {
            let soundings = seen.entry(*address).or_default();
            running.prober.approach(plan, *address, soundings).await;
            if let Some(approach) = assessor.follow(soundings, plan, *address, now) {
                ends.insert((index, *address), approach.ended);
            }
        }
    }
    assessor.foresee(plans, |host, address| ends.get(&(host, address)))
}

fn wrong() -> TlsaRecord {
    TlsaRecord::new(3, 1, 1, &[7; 32])
}

fn server(tls: Tls) -> Script {
    Script {
        tls,
        ..Script::default()
    }
}

fn greets(greeting: &'static str) -> Script {
    Script {
        greeting,
        ..Script::default()
    }
}

fn old(world: &World, version: SslVersion) -> Tls {
    let chain = [world.certificate.clone()];
    Tls::OpenSsl(openssl_context(&world.key, &chain, |context| {
        context.set_max_proto_version(Some(version)).unwrap();
        let ciphers = "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0";
        context.set_cipher_list(ciphers).unwrap();
    }))
}

type Build = fn(World) -> World;

const WORLDS: &[(&str, Build)] = &[
    ("protected", |world| {
        let (tls, record) = (world.modern(), world.good_tlsa());
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(server(tls)))
            .tlsa("mx.example", vec![record])
    }),
    ("another key", |world| {
        let tls = world.modern();
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(server(tls)))
            .tlsa("mx.example", vec![wrong()])
    }),
    ("the better host has another key", |world| {
        let (one, two, record) = (world.modern(), world.modern(), world.good_tlsa());
        world
            .mx(&[(10, "mx.example"), (20, "b.example")])
            .host("mx.example", "192.0.2.1", Some(server(one)))
            .host("b.example", "192.0.2.2", Some(server(two)))
            .tlsa("mx.example", vec![wrong()])
            .tlsa("b.example", vec![record])
    }),
    ("the worse host is weaker", |world| {
        let (one, two) = (world.modern(), world.modern());
        world
            .mx(&[(10, "mx.example"), (20, "b.example")])
            .host("mx.example", "192.0.2.1", Some(server(one)))
            .host("b.example", "192.0.2.2", Some(server(two)))
            .tlsa("mx.example", vec![wrong()])
    }),
    ("no STARTTLS under DANE", |world| {
        let record = world.good_tlsa();
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(Script::default()))
            .tlsa("mx.example", vec![record])
    }),
    ("STARTTLS refused under DANE", |world| {
        let (record, tls) = (world.good_tlsa(), Tls::Refused("454 4.7.0 not now\r\n"));
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(server(tls)))
            .tlsa("mx.example", vec![record])
    }),
    ("STARTTLS refused", |world| {
        let tls = Tls::Refused("554 5.7.0 never\r\n");
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(server(tls)))
    }),
    ("no TLS at all", |world| {
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(Script::default()))
    }),
    ("hangs up at STARTTLS", |world| {
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(server(Tls::HangsUp)))
    }),
    ("hangs up at STARTTLS under DANE", |world| {
        let record = world.good_tlsa();
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(server(Tls::HangsUp)))
            .tlsa("mx.example", vec![record])
    }),
    ("an old server", |world| {
        let tls = old(&world, SslVersion::TLS1);
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(server(tls)))
    }),
    ("an old server under DANE", |world| {
        let (tls, record) = (old(&world, SslVersion::TLS1), world.good_tlsa());
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(server(tls)))
            .tlsa("mx.example", vec![record])
    }),
    ("a server of the second rung under DANE", |world| {
        let (tls, record) = (old(&world, SslVersion::TLS1_2), world.good_tlsa());
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(server(tls)))
            .tlsa("mx.example", vec![record])
    }),
    ("no mail here", |world| {
        let script = greets("554 5.3.2 no mail here\r\n");
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(script))
    }),
    ("no mail here, under DANE", |world| {
        let script = greets("554 5.3.2 no mail here\r\n");
        let record = world.good_tlsa();
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(script))
            .tlsa("mx.example", vec![record])
    }),
    ("busy, then another", |world| {
        let tls = world.modern();
        world
            .mx(&[(10, "mx.example"), (20, "b.example")])
            .host(
                "mx.example",
                "192.0.2.1",
                Some(greets("421 4.3.2 busy\r\n")),
            )
            .host("b.example", "192.0.2.2", Some(server(tls)))
    }),
    ("nobody there", |world| {
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", None)
    }),
    ("words behind STARTTLS", |world| {
        let script = Script {
            behind_starttls: "250 injected\r\n",
            ..server(world.modern())
        };
        world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(script))
    }),
];

#[tokio::test(start_paused = true)]
async fn what_is_foreseen_is_what_send_does() {
    for (title, build) in WORLDS {
        let running = build(World::new()).build();
        let foreseen = {
            let plans = plans(&running, DaneUse::Honour).await;
            foresee(&running, &plans, &mut Seen::new()).await
        };
        assert!(running.dots().is_empty(), "{title}: a probe sends nothing");
        let probed = running.connections();
        running.forget();
        let report = running.send(&["a@example"]).await;
        let sent = &report.recipients[0];
        assert_eq!(foreseen.outcome, sent.outcome, "{title}: {report:#?}");
        assert_eq!(foreseen.unseen, 0, "{title}");
        let passage = foreseen.passage.as_ref();
        let session = sent.session.as_ref();
        if sent.outcome == Outcome::Delivered {
            let session = session.unwrap();
            assert_eq!(passage.map(|it| it.security), session.security, "{title}");
            assert_eq!(passage.map(|it| it.address), Some(session.mx_address));
        }
        let reply = foreseen.reply.as_ref().map(|reply| reply.code);
        if sent.outcome != Outcome::Delivered {
            assert_eq!(
                reply,
                sent.reply.as_ref().map(|reply| reply.code),
                "{title}"
            );
        }
        // The same connections, where all were needed.
        assert!(probed.len() >= running.connections().len(), "{title}");
    }
}

/// A refused server is left politely, and one handshake is judged for every sender.
#[tokio::test(start_paused = true)]
async fn one_session_serves_every_sender() {
    let world = World::new();
    let tls = world.modern();
    let running = world
        .mx(&[(10, "mx.example")])
        .host("mx.example", "192.0.2.1", Some(server(tls)))
        .tlsa("mx.example", vec![wrong()])
        .build();
    let mut seen = Seen::new();
    let strict = plans(&running, DaneUse::Honour).await;
    let foreseen = foresee(&running, &strict, &mut seen).await;
    assert_eq!(foreseen.outcome, Outcome::Deferred);
    assert_eq!(running.seen.lock().unwrap().inside_tls, 2, "EHLO and QUIT");
    let lax = plans(&running, DaneUse::Ignore).await;
    assert_eq!(lax.hosts[0].obligation, Obligation::Opportunistic);
    let foreseen = foresee(&running, &lax, &mut seen).await;
    let passage = foreseen.passage.unwrap();
    assert_eq!(passage.security, SessionSecurity::Encrypted);
    assert_eq!(running.connections().len(), 1, "one connection for both");
    let soundings = &seen[&passage.address];
    assert_eq!(soundings[0].handshake().unwrap().chain.len(), 1);
}

/// A sounding is judged again without a network, at any time.
#[tokio::test(start_paused = true)]
async fn a_sounding_is_judged_again_later() {
    let world = World::new();
    let (ca_key, key) = (pki::p256(), pki::p256());
    let ca = pki::Wanted::ca().issue(&ca_key, None);
    let leaf = pki::Wanted::default().issue(&key, Some((&ca, &ca_key)));
    let chain = [leaf.to_der().unwrap(), ca.to_der().unwrap()];
    let config = crate::server::rustls_config(&key, &chain);
    let record = TlsaRecord::new(2, 0, 1, &openssl::sha::sha256(&chain[1]));
    let running = world
        .mx(&[(10, "mx.example")])
        .host("mx.example", "192.0.2.1", Some(server(Tls::Modern(config))))
        .tlsa("mx.example", vec![record])
        .build();
    let mut seen = Seen::new();
    let plans = plans(&running, DaneUse::Honour).await;
    foresee(&running, &plans, &mut seen).await;
    let (plan, address) = (&plans.hosts[0], plans.hosts[0].addresses[0]);
    let assessor = running.prober.assessor();
    for (later, security) in [
        (0, Some(SessionSecurity::Dane)),
        (86_399, Some(SessionSecurity::Dane)),
        (86_401, None),
    ] {
        let now = UnixTime(pki::NOW + later);
        let assessed = assessor.assess(&seen[&address][0], plan, address, now);
        let assessed = assessed.unwrap();
        assert_eq!(assessed.security, security, "{later} {:?}", assessed.reason);
        assert_eq!(assessed.reason.is_none(), security.is_some());
    }
    assert_eq!(running.connections().len(), 1);
}

/// Where there is no connection, and where the trouble begins with TLS.
#[tokio::test(start_paused = true)]
async fn what_settles_nothing_without_words() {
    let hangs_up = Some(server(Tls::HangsUp));
    for (title, script, expected) in [
        ("nobody", None, Some(InconclusiveReason::ConnectionRefused)),
        ("no TLS", Some(Script::default()), None),
        // The server speaks, and breaks off what it offered: that is its own doing.
        ("hangs up", hangs_up, None),
    ] {
        let running = World::new()
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", script)
            .build();
        let plans = plans(&running, DaneUse::Honour).await;
        let mut seen = Seen::new();
        foresee(&running, &plans, &mut seen).await;
        let (plan, address) = (&plans.hosts[0], plans.hosts[0].addresses[0]);
        let now = UnixTime(pki::NOW);
        let assessor = running.prober.assessor();
        let assessed = assessor.assess(&seen[&address][0], plan, address, now);
        let found = assessed.unwrap().inconclusive.map(|it| it.reason);
        assert_eq!(found, expected, "{title}");
    }
}

/// Sessions that settle nothing: what the sender does is unchanged, what may be said is not.
#[tokio::test(start_paused = true)]
async fn what_settles_nothing() {
    for (greeting, expected) in [
        ("220 mx.example ESMTP\r\n", None),
        (
            "421 4.3.2 busy\r\n",
            Some(InconclusiveReason::ServiceClosing),
        ),
        (
            "450 4.7.1 greylisted, try again\r\n",
            Some(InconclusiveReason::Greylisted),
        ),
        (
            "451 4.3.0 try again later\r\n",
            Some(InconclusiveReason::TemporaryRefusal),
        ),
        (
            "554 5.7.1 service unavailable\r\n",
            Some(InconclusiveReason::Blocked),
        ),
        (
            "554 mx.example your host is on a blacklist\r\n",
            Some(InconclusiveReason::Blocked),
        ),
        (
            "550 Client host [192.0.2.9] blocked using zen.spamhaus.org\r\n",
            Some(InconclusiveReason::Blocked),
        ),
        ("554 No SMTP service here\r\n", None),
        ("554 marbles.example: unlisted numbers only\r\n", None),
        ("521 mx.example does not accept mail\r\n", None),
        ("", Some(InconclusiveReason::TimedOut)),
    ] {
        let running = World::new()
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(greets(greeting)))
            .build();
        let plans = plans(&running, DaneUse::Honour).await;
        let mut seen = Seen::new();
        foresee(&running, &plans, &mut seen).await;
        let (plan, address) = (&plans.hosts[0], plans.hosts[0].addresses[0]);
        let assessor = running.prober.assessor();
        let now = UnixTime(pki::NOW);
        let assessed = assessor.assess(&seen[&address][0], plan, address, now);
        let found = assessed.unwrap().inconclusive.map(|it| it.reason);
        assert_eq!(found, expected, "{greeting:?}");
    }
}
