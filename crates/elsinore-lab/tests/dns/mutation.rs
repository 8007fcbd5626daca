//! The property of the fuzz target `dns_mutation`, with seeded attacks: whatever is done to the
//! replies of a lookup, bogus never becomes secure, secure never insecure.

use crate::mutated::{LOOKUPS, MODES, NOW, UPSTREAM, check_mutated_answers, pack, truth};
use crate::net::{MemoryNet, summary};
use crate::world::{Bench, authority, authority_at, config};
use elsinore_lab::authority::{Authority, ForwardMode, Forwarder, Reaction, Transport};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Queries by server and question.
type Queries = BTreeMap<(IpAddr, Vec<u8>), Vec<u8>>;

/// Attacks of one run; `ELSINORE_MUTATIONS` asks for more, `ELSINORE_MUTATION_SEED` for others.
const ATTACKS: u64 = 4_000;

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// SplitMix64: the same numbers everywhere.
fn octets_of(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut octets = Vec::new();
    while octets.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        octets.extend((mixed ^ (mixed >> 31)).to_be_bytes());
    }
    octets.truncate(length);
    octets
}

/// The recorded world says what the living one does, for every lookup.
#[test]
fn truths() {
    let words: BTreeSet<String> = (0..MODES.len())
        .flat_map(|mode| (0..LOOKUPS.len()).map(move |number| (mode, number)))
        .map(|(mode, number)| {
            let living = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime")
                .block_on(Bench::new(MODES[mode]).ask(LOOKUPS[number]));
            let recorded = truth(mode, number);
            assert_eq!(
                summary(&recorded),
                summary(&living),
                "{} {recorded:?}: write the world anew (world_written)",
                LOOKUPS[number]
            );
            summary(&recorded)
        })
        .collect();
    for expected in [
        "- data S",
        "- nodata S",
        "- nxdomain S",
        "- data I",
        "- failed B",
    ] {
        assert!(words.contains(expected), "{expected}: {words:?}");
    }
}

#[test]
fn attacked() {
    let first = setting("ELSINORE_MUTATION_SEED", 1) << 32;
    let attacks = setting("ELSINORE_MUTATIONS", ATTACKS);
    let mut effective = 0;
    for number in 0..attacks {
        let length = 2 + 5 * (1 + usize::try_from(number % 4).expect("small"));
        effective += u64::from(check_mutated_answers(&octets_of(first + number, length)));
    }
    println!("{effective} of {attacks} attacks showed");
    assert!(
        effective > attacks / 10 && effective < attacks,
        "{effective} of {attacks}: the test shows nothing"
    );
}

#[test]
fn corpus_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/dns_mutation");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let octets = std::fs::read(entry.expect("an entry").path()).expect("a file");
        check_mutated_answers(&octets);
        count += 1;
    }
    assert!(count >= 20, "{count}");
}

/// Writes the world that the fuzz target attacks, and a corpus with every act of the attacker:
/// `cargo test --test dns -- --ignored world_written`.
#[test]
#[ignore = "writes files"]
fn world_written() {
    assert_eq!(NOW, crate::world::NOW);
    let now = Arc::new(authority());
    let long_ago = Arc::new(authority_at(NOW.plus_seconds(-400 * 86_400)));
    assert_eq!(now.tree().trust_anchor(), long_ago.tree().trust_anchor());
    let asked: Arc<Mutex<Queries>> = Arc::default();
    for mode in MODES {
        for text in LOOKUPS {
            let (asked, world) = (Arc::clone(&asked), Arc::clone(&now));
            let net = MemoryNet::new(move |server: SocketAddr, _, query| {
                let key = (
                    server.ip(),
                    crate::mutated::question_octets(query).expect("a query"),
                );
                asked
                    .lock()
                    .expect("one thread")
                    .insert(key, query.to_vec());
                reaction(&world, server.ip(), query)
            });
            tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime")
                .block_on(Bench::with(config(mode, &now), net).ask(text));
        }
    }
    let mut exchanges = Vec::new();
    for ((server, question), query) in asked.lock().expect("one thread").iter() {
        let replies = [&now, &long_ago].map(|world| reaction(world, *server, query));
        if let [Reaction::Reply(reply), Reaction::Reply(older)] = replies {
            exchanges.push((*server, [question.clone(), reply, older]));
        }
    }
    let tree = now.tree();
    let octets = pack(&tree.root_hints(), &tree.trust_anchor(), &exchanges);
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    std::fs::create_dir_all(fuzz.join("worlds")).expect("a folder");
    std::fs::write(fuzz.join("worlds/signed.bin"), octets).expect("written");
    let corpus: PathBuf = fuzz.join("corpus/dns_mutation");
    std::fs::create_dir_all(&corpus).expect("a folder");
    for act in 0..20_u8 {
        let octets = [act % 2, act, act, act, act % 3, 1, 2];
        std::fs::write(corpus.join(format!("act-{act:02}")), octets).expect("written");
    }
}

/// What a server of the world answers over TCP, where nothing is cut off; an upstream that does
/// not validate among them.
fn reaction(world: &Arc<Authority>, server: IpAddr, query: &[u8]) -> Reaction {
    if format!("{server}:53") == UPSTREAM {
        let forwarder = Forwarder::new(Arc::clone(world), ForwardMode::Oblivious);
        return forwarder.respond(Transport::Tcp, query);
    }
    world.respond(server, Transport::Tcp, query)
}
