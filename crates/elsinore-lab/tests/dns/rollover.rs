//! The root's keys looked at over the network, recorded, and put in force (RFC 5011).

use crate::net::{MemoryNet, summary};
use crate::world::{Bench, NOW, authority, config, net};
use elsinore_dane::time::UnixTime;
use elsinore_lab::authority::Reaction;
use elsinore_net::clock::Clock;
use elsinore_net::resolver::TrustAnchors;
use elsinore_net::resolver::rollover::{
    AnchorStore, KeyState, Origin, RefreshError, Refreshed, RootAnchors, keep_current, refresh,
};
use elsinore_net::resolver::{Mode, Resolver};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

fn store(folder: &Path) -> Arc<AnchorStore> {
    let shipped = TrustAnchors::parse(&authority().tree().trust_anchor()).expect("anchor");
    Arc::new(AnchorStore::starting_from(folder, shipped))
}

/// The first look turns the shipped DS into the key itself; the second has nothing to ask.
#[tokio::test]
async fn recorded() {
    for mode in [Mode::Recursive, Mode::Forward] {
        let folder = tempfile::tempdir().expect("folder");
        let store = store(folder.path());
        let bench = Bench::new(mode);
        let outcome = refresh(&bench.resolver, &store).await;
        assert!(
            matches!(&outcome, Ok(Refreshed::Done(changes)) if changes.is_empty()),
            "{mode:?}: {outcome:?}"
        );
        let loaded = store.load();
        assert_eq!(loaded.origin, Origin::Kept(store.path()));
        assert_eq!(loaded.anchors.checked(), Some(NOW));
        assert!(loaded.anchors.next_query() > NOW);
        let states: Vec<KeyState> = loaded
            .anchors
            .keys()
            .iter()
            .map(|key| key.state())
            .collect();
        assert_eq!(states, [KeyState::Valid]);
        let again = refresh(&bench.resolver, &store).await;
        assert!(matches!(again, Ok(Refreshed::NotDue)), "{again:?}");
        // What was learnt serves as well as what was shipped.
        bench.resolver.put_in_force(&loaded.anchors);
        let answer = bench.ask("mx.nsec.test A").await;
        assert_eq!(summary(&answer), "- data S", "{answer:?}");
    }
}

/// No answer, and an answer that another key signed: nothing is learnt, and nobody asks again at
/// once.
#[tokio::test(start_paused = true)]
async fn not_believed() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store(folder.path());
    let silent = MemoryNet::new(|_: SocketAddr, _, _| Reaction::Silence);
    let bench = Bench::with(config(Mode::Recursive, &authority()), silent);
    let outcome = refresh(&bench.resolver, &store).await;
    assert!(
        matches!(outcome, Err(RefreshError::Lookup(_))),
        "{outcome:?}"
    );
    let loaded = store.load();
    assert_eq!(loaded.anchors.attempted(), Some(NOW));
    assert_eq!(loaded.anchors.checked(), None);
    assert_eq!(loaded.anchors.next_query(), NOW.plus_seconds(3_600));

    let elsewhere = tempfile::tempdir().expect("folder");
    let other = Arc::new(AnchorStore::new(elsewhere.path()));
    let bench = Bench::with(config(Mode::Recursive, &authority()), net(&authority()));
    let outcome = refresh(&bench.resolver, &other).await;
    assert!(
        matches!(outcome, Err(RefreshError::Invalid(_))),
        "{outcome:?}"
    );
    assert_eq!(
        other.load().anchors.trust_anchors(),
        RootAnchors::new(&TrustAnchors::shipped()).trust_anchors()
    );
}

/// When every key has been revoked there is nothing left to verify with: bogus, never insecure.
#[tokio::test]
async fn no_key_left() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store(folder.path());
    let bench = Bench::new(Mode::Recursive);
    let _ = refresh(&bench.resolver, &store).await;
    let text = std::fs::read_to_string(store.path()).expect("state");
    let body = text
        .splitn(3, '\n')
        .nth(2)
        .expect("body")
        .replace("key valid", "key revoked");
    let digest: String = openssl::sha::sha256(body.as_bytes())
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    let text = format!("elsinore root anchors 1\nsha256 {digest}\n{body}");
    std::fs::write(store.path(), text).expect("state");
    let loaded = store.load();
    assert_eq!(loaded.problem, None);
    bench.resolver.put_in_force(&loaded.anchors);
    for question in ["mx.nsec.test A", "mx.plain.test A"] {
        let answer = bench.ask(question).await;
        assert_eq!(summary(&answer), "- failed B", "{answer:?}");
    }
}

/// The wall clock of a machine whose timers run on the paused clock of the runtime.
#[derive(Debug)]
struct Running(tokio::time::Instant);

impl Clock for Running {
    fn now(&self) -> UnixTime {
        let elapsed = i64::try_from(self.0.elapsed().as_secs()).expect("not that long");
        NOW.plus_seconds(elapsed)
    }
}

/// A command that runs for days looks at the keys again and again, no more often than it has to.
#[tokio::test(start_paused = true)]
async fn kept_current() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store(folder.path());
    let network = net(&authority());
    let clock = Arc::new(Running(tokio::time::Instant::now()));
    let resolver = Resolver::new(
        config(Mode::Recursive, &authority()),
        Arc::new(network.clone()),
        Arc::clone(&clock) as Arc<dyn Clock>,
    )
    .expect("config");
    let mut times = Vec::new();
    let (done, mut enough) = tokio::sync::mpsc::unbounded_channel();
    let running = keep_current(&resolver, &store, |outcome| {
        assert!(matches!(outcome, Ok(Refreshed::Done(_))), "{outcome:?}");
        times.push(clock.now());
        if times.len() == 3 {
            done.send(()).expect("the test waits");
        }
    });
    tokio::select! {
        () = running => unreachable!("it never ends by itself"),
        _ = enough.recv() => {}
    }
    let asked = network.take_log();
    let keys = asked.iter().filter(|line| line.starts_with(". DNSKEY"));
    assert_eq!(keys.count(), 3, "{asked:?}");
    for pair in times.windows(2) {
        let between = pair[1].0 - pair[0].0;
        assert!((3_600..=15 * 86_400).contains(&between), "{between} s");
    }
}
