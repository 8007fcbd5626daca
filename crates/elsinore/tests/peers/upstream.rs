//! Unbound as upstream: in the modes `forward` and `ad` every case must end as its scenario file
//! says, which is how it ends when we resolve from the root ourselves.

use crate::case::{Task, differences, is_one_run};
use crate::elsinore::{Dns, PROGRAM};
use crate::lab::Lab;
use crate::namespace::{inside, notice};
use crate::unbound;
use elsinore_lab::scenario::{Case, ResolverMode, Scenario, Trouble, files};
use elsinore_lab::world::World;
use elsinore_net::clock::{Clock, SystemClock};

/// Cases (`scenario/case`) that end otherwise behind Unbound in mode `ad`, and why.
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "dname/to-insecure",
        "asked for the CNAME that a DNAME makes, Unbound 1.17.1 takes the DNAME for a bogus DS \
         answer and says SERVFAIL: whether the alias is signed cannot be found out, and the host is \
         skipped (RFC 7672 §2.2.2). Postfix skips it too",
    ),
    (
        "mx-bogus/nta",
        "a negative trust anchor is the validator's, which in mode ad is Unbound",
    ),
];

#[test]
fn every_case_ends_the_same_behind_unbound() {
    inside(
        "upstream::every_case_ends_the_same_behind_unbound",
        &["unbound"],
        body,
    );
}

fn body() {
    let lab = Lab::up();
    let folder = tempfile::tempdir().expect("a folder");
    let _unbound = unbound::start(lab.command("unbound"), lab.folder(), folder.path());
    // A second world of the same scenarios has the same addresses, though other keys.
    let scenarios = files::embedded().expect("our own scenarios");
    let world = World::build(scenarios, SystemClock.now()).expect("our own scenarios");
    let mut tasks = Vec::new();
    for scenario in world.scenarios() {
        for case in scenario
            .cases
            .iter()
            .filter(|case| is_asked(scenario, case))
        {
            for dns in [Dns::Forward(unbound::ADDRESS), Dns::Ad(unbound::ADDRESS)] {
                tasks.push(Task {
                    scenario,
                    case,
                    dns,
                });
            }
        }
    }
    assert!(tasks.len() > 300, "{}", tasks.len());
    let found = differences(&tasks, &world, lab.folder(), &|| lab.command(PROGRAM));
    notice(&format!("{} messages sent behind Unbound", tasks.len()));
    let problems: Vec<String> = (tasks.iter().zip(found))
        .filter(|(task, found)| {
            found.is_empty() == (matches!(task.dns, Dns::Ad(_)) && is_known(&task.name()))
        })
        .map(|(task, found)| format!("{} {:?}: {found:#?}", task.name(), task.dns))
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Whether that case is known to end otherwise in mode `ad`.
pub(crate) fn is_known(name: &str) -> bool {
    DIFFERENCES.iter().any(|(known, _)| *known == name)
}

/// Whether Unbound stands for the resolver that the case is about, and one run is all of it.
fn is_asked(scenario: &Scenario, case: &Case) -> bool {
    let enforced = |mode: &ResolverMode| {
        !matches!(
            mode,
            ResolverMode::AdCareless | ResolverMode::ForwardCareless
        )
    };
    let remembers =
        (scenario.receivers.iter()).any(|receiver| receiver.trouble == Some(Trouble::Greylist));
    is_one_run(case)
        && !remembers
        // What is there for `check` is sent into in-process.
        && scenario.checks.is_empty()
        && case.modes.iter().any(enforced)
        // The keys of this process' world are others than those of the lab.
        && case.destination.iter().all(|spec| spec.pins.is_empty())
}
