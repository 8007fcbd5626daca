//! The run: make the tree, ask both, compare.

use crate::contents::{Asked, DEAD, SERVERS, type_name};
use crate::differences::{Case, DIFFERENCES, Occurs};
use crate::oracle;
use crate::outcome::{Outcome, Verdict, of_answer};
use crate::plan::{Plan, tree};
use crate::random::Random;
use crate::servers::{Tree, serve};
use crate::{NOW, NOW_IN_WORDS};
use elsinore_dane::answer::{Question, RecordType};
use elsinore_dane::time::UnixTime;
use elsinore_lab::up::add_addresses;
use elsinore_net::clock::FixedClock;
use elsinore_net::dialer::DirectDialer;
use elsinore_net::resolver::{
    Freshness, Mode, Resolver, ResolverConfig, RootHints, SecureResolver, TrustAnchors,
};
use futures_util::stream::{self, Stream, StreamExt};
use std::collections::{BTreeMap, HashMap};
use std::env;
use std::fs;
use std::sync::Arc;
use std::time::Instant;

/// So many questions meet every known difference; a smaller sample may miss one.
const FULL: usize = 20_000;

fn setting(name: &str, default: usize) -> usize {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

pub(crate) fn all() {
    let zones = setting("ELSINORE_DIFFERENTIAL_ZONES", 130);
    let seed = setting("ELSINORE_DIFFERENTIAL_SEED", 1);
    let most = setting("ELSINORE_DIFFERENTIAL_QUESTIONS", 3_000);
    let mut random = Random::new(u64::try_from(seed).expect("a seed"));
    let addresses: Vec<_> = SERVERS
        .iter()
        .flat_map(|(four, six)| [*four, *six])
        .chain([DEAD])
        .map(|address| address.parse().expect("an address"))
        .collect();
    add_addresses(&addresses).expect("addresses on lo");
    let mut folder = tempfile::tempdir().expect("a folder");
    if env::var_os("ELSINORE_DIFFERENTIAL_KEEP").is_some() {
        folder.disable_cleanup(true);
        println!("kept: {}", folder.path().display());
    }
    let start = Instant::now();
    let plans = tree(zones, &mut random);
    let mut tree = serve(plans, &mut random, folder.path());
    println!(
        "{} zones, {} questions, signed and served after {:?}",
        tree.plans.len(),
        tree.asked.len(),
        start.elapsed()
    );
    thin(&mut tree.asked, most, &mut random);
    let _unbound = oracle::start(&tree, NOW_IN_WORDS, folder.path());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let mut theirs = runtime.block_on(ask_unbound(&tree.asked));
    tree.still_served();
    println!("Unbound has answered after {:?}", start.elapsed());
    let mut wrong = Vec::new();
    let mut used: Vec<Vec<String>> = vec![Vec::new(); DIFFERENCES.len()];
    for mode in [Mode::Recursive, Mode::Forward] {
        let ours = runtime.block_on(ask_ourselves(mode, &tree));
        println!("{mode:?}: answered after {:?}", start.elapsed());
        runtime.block_on(ask_again(&tree.asked, &ours, &mut theirs));
        compare(mode, &tree, &ours, &theirs, &mut used, &mut wrong);
    }
    tree.still_served();
    let count = wrong.len();
    for line in wrong
        .iter()
        .take(setting("ELSINORE_DIFFERENTIAL_LINES", 100))
    {
        println!("{line}");
    }
    for (difference, used) in DIFFERENCES.iter().zip(&used) {
        println!("{:6} times: {}", used.len(), difference.reason);
        if let Some(first) = used.first() {
            println!("             {first}");
        }
    }
    assert_eq!(count, 0, "unexplained differences");
    if tree.asked.len() < FULL {
        return;
    }
    for (difference, used) in DIFFERENCES.iter().zip(used) {
        assert!(
            !used.is_empty() || difference.occurs == Occurs::InSomeOrder,
            "no longer a difference: {}",
            difference.reason
        );
    }
}

/// Leaves at most `most` questions, from all over.
fn thin(asked: &mut Vec<Asked>, most: usize, random: &mut Random) {
    while asked.len() > most {
        let index = random.below(asked.len());
        asked.swap_remove(index);
    }
    asked.sort();
}

/// Whatever takes its time holds nobody else up.
async fn in_order<T>(answers: impl Stream<Item = (usize, T)>) -> Vec<T> {
    let mut answers: Vec<(usize, T)> = answers.collect().await;
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

async fn ask_unbound(asked: &[Asked]) -> Vec<Outcome> {
    let answers = stream::iter(asked.iter().enumerate())
        .map(async |(index, asked)| (index, oracle::ask(asked).await))
        .buffer_unordered(400);
    in_order(answers).await
}

/// What Unbound found out nothing about and we did, it is asked once more: under load it gives up
/// for want of time.
async fn ask_again(asked: &[Asked], ours: &[Outcome], theirs: &mut [Outcome]) {
    for (index, asked) in asked.iter().enumerate() {
        let is_known = matches!(ours[index].verdict, Verdict::Secure | Verdict::Insecure);
        if is_known && theirs[index].verdict == Verdict::Failed {
            theirs[index] = oracle::ask(asked).await;
        }
    }
}

async fn ask_ourselves(mode: Mode, tree: &Tree) -> Vec<Outcome> {
    let resolver = Arc::new(resolver(mode, tree));
    let answers = stream::iter(tree.asked.clone().into_iter().enumerate())
        .map(|(index, asked)| {
            let resolver = Arc::clone(&resolver);
            let task = tokio::spawn(async move { ask(&resolver, &asked).await });
            async move { (index, task.await.expect("a lookup does not panic")) }
        })
        .buffer_unordered(100);
    in_order(answers).await
}

async fn ask(resolver: &Resolver, asked: &Asked) -> Outcome {
    let name = asked.name.parse().expect("a name of the tree");
    let question = Question::new(name, RecordType::from_code(asked.rtype));
    of_answer(&resolver.lookup(&question, Freshness::Cached).await)
}

fn resolver(mode: Mode, tree: &Tree) -> Resolver {
    let read = |path| fs::read_to_string(path).expect("a file of the tree");
    let config = ResolverConfig {
        mode,
        hints: RootHints::parse(&read(&tree.hints)).expect("hints"),
        anchors: TrustAnchors::parse(&read(&tree.anchor)).expect("an anchor"),
        upstreams: vec![oracle::UPSTREAM],
        allow_nets: ["192.0.2.0/24", "2001:db8::/32"]
            .map(|net| net.parse().expect("a net"))
            .to_vec(),
        ..ResolverConfig::default()
    };
    let clock = Arc::new(FixedClock(UnixTime(NOW)));
    Resolver::new(config, Arc::new(DirectDialer), clock).expect("a configuration")
}

/// Finds the zones of names.
struct Zones<'a>(HashMap<String, &'a Plan>);

impl<'a> Zones<'a> {
    fn of(tree: &'a Tree) -> Self {
        Self(
            tree.plans
                .iter()
                .map(|plan| (plan.apex.to_lowercase(), plan))
                .collect(),
        )
    }

    /// Every zone at or above `name`.
    fn above(&self, name: &str) -> Vec<&'a Plan> {
        let mut found = Vec::new();
        let mut rest = name;
        loop {
            found.extend(self.0.get(rest.trim_end_matches('.')));
            match rest.split_once('.') {
                Some((_, above)) => rest = above,
                None => break,
            }
        }
        found
    }
}

fn compare(
    mode: Mode,
    tree: &Tree,
    ours: &[Outcome],
    theirs: &[Outcome],
    used: &mut [Vec<String>],
    wrong: &mut Vec<String>,
) {
    let zones = Zones::of(tree);
    let mut words: BTreeMap<_, usize> = BTreeMap::new();
    for ((asked, ours), theirs) in tree.asked.iter().zip(ours).zip(theirs) {
        *words
            .entry((theirs.verdict, theirs.kind, ours.verdict, ours.kind))
            .or_default() += 1;
        if ours.agrees(theirs) {
            continue;
        }
        let mut names = vec![asked.name.to_lowercase()];
        for outcome in [ours, theirs] {
            names.extend(outcome.chain.iter().map(|(_, target)| target.clone()));
        }
        let case = Case {
            asked,
            ours,
            theirs,
            zones: names.iter().flat_map(|name| zones.above(name)).collect(),
        };
        let text = format!(
            "{mode:?} {} {}\n    ours   {}\n    theirs {}",
            asked.name,
            type_name(asked.rtype),
            ours.line(),
            theirs.line()
        );
        let known = DIFFERENCES.iter().position(|difference| {
            difference.ours.contains(&ours.verdict)
                && difference.theirs.contains(&theirs.verdict)
                && (difference.applies)(&case)
        });
        match known {
            Some(index) => used[index].push(text),
            None => wrong.push(text),
        }
    }
    println!("{mode:?}: (Unbound, ours): {words:#?}");
}
