//! Every scenario of `scenarios/` ends as it says, through the sender that `elsinore send` uses.

mod round_trips;

use elsinore_lab::run;
use elsinore_lab::scenario::files;

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_ends_as_expected() {
    let scenarios = files::embedded().unwrap();
    let results = run::run(scenarios, |_| {}).await.unwrap();
    assert!(results.len() > 200, "{}", results.len());
    let mut wrong = String::new();
    for result in results.iter().filter(|result| !result.is_as_expected()) {
        wrong.push_str(&format!(
            "{}: expected {}, got {}\n    {}\n",
            result.name(),
            result.expected,
            result.got,
            result.reason
        ));
        for difference in &result.differences {
            wrong.push_str(&format!("    - {difference}\n"));
        }
    }
    let count = results.iter().filter(|one| !one.is_as_expected()).count();
    assert!(wrong.is_empty(), "{count} of {}:\n{wrong}", results.len());
}
