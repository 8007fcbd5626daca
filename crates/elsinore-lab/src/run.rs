//! Runs scenarios: sends each case's message with the same [`Sender`] that `elsinore send` uses,
//! into a world on loopback, and compares what came of it with what is expected.

mod judge;
pub(crate) mod setting;
mod table;

pub use table::table;

use crate::running::{Placement, Running};
use crate::scenario::{Case, ResolverMode, Scenario};
use crate::world::{World, WorldError};
use elsinore_dane::time::UnixTime;
use elsinore_net::clock::{Clock, SystemClock};
use elsinore_net::deliver::{Envelope, Message, SendReport, Sender, SenderConfig};
use elsinore_net::dialer::{Dialer, MappedDialer};
use elsinore_net::resolver::{Resolver, ResolverConfig};
use elsinore_net::tls::webpki::WebPkiRoots;
use futures_util::StreamExt;
use std::io::Write as _;
use std::sync::Arc;
use tempfile::TempDir;

/// Scenarios that are run at the same time.
pub const SIDE_BY_SIDE: usize = 8;

/// What came of one case in one resolver mode.
#[derive(Debug, Clone)]
pub struct CaseResult {
    /// The scenario's id.
    pub scenario: String,
    /// The case's id; empty when it is the only one.
    pub case: String,
    /// The resolver mode.
    pub mode: ResolverMode,
    /// Outcome and security expected, such as `delivered dane`.
    pub expected: String,
    /// Outcome and security found.
    pub got: String,
    /// Why, in one line.
    pub reason: String,
    /// Where expectation and result differ, one line each; empty when all is as expected.
    pub differences: Vec<String>,
}

impl CaseResult {
    /// Whether all is as expected.
    #[must_use]
    pub const fn is_as_expected(&self) -> bool {
        self.differences.is_empty()
    }

    /// The result as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "scenario": self.scenario,
            "case": self.case,
            "mode": self.mode.word(),
            "as_expected": self.is_as_expected(),
            "expected": self.expected,
            "got": self.got,
            "reason": self.reason,
            "differences": self.differences,
        })
    }

    /// The name in tables: scenario, case and, when it is not `recursive`, the mode.
    #[must_use]
    pub fn name(&self) -> String {
        let mut name = self.scenario.clone();
        if !self.case.is_empty() {
            name.push('/');
            name.push_str(&self.case);
        }
        if self.mode != ResolverMode::Recursive {
            name.push_str(&format!(" ({})", self.mode.word()));
        }
        name
    }
}

/// Why scenarios could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The world cannot be built.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A socket or a file cannot be had.
    #[error("lab: {0}")]
    Io(#[from] std::io::Error),
    /// The lab's own trust material is refused by the code under test.
    #[error("lab: {0}")]
    Trust(String),
}

/// Runs all cases of `scenarios`, several scenarios at a time, each scenario's cases one after
/// the other. `done` hears of each result as it comes; the results are returned in the order of
/// the files.
///
/// # Errors
/// [`RunError`]; a case that goes wrong is a result, not an error.
pub async fn run(
    scenarios: Vec<Scenario>,
    done: impl Fn(&CaseResult),
) -> Result<Vec<CaseResult>, RunError> {
    run_by(scenarios, done, directly).await
}

/// The same with another way to send a message: whatever there is between the sender's client and the
/// [`Sender`] must not change what comes of it.
///
/// # Errors
/// As [`run`].
pub async fn run_by(
    scenarios: Vec<Scenario>,
    done: impl Fn(&CaseResult),
    way: impl AsyncFn(Equipment, Letter) -> Result<SendReport, String>,
) -> Result<Vec<CaseResult>, RunError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let world = Arc::new(World::build(scenarios, clock.now())?);
    let running = Running::start(Arc::clone(&world), Placement::Loopback).await?;
    let bench = Bench::new(&running, clock)?;
    let done = &done;
    let bench = &bench;
    let way = &way;
    let mut results: Vec<(usize, Vec<CaseResult>)> = futures_util::stream::iter(world.scenarios())
        .enumerate()
        .map(|(index, scenario)| async move {
            let mut results = Vec::new();
            for case in &scenario.cases {
                for mode in &case.modes {
                    let result = bench.run_case(scenario, case, *mode, way).await;
                    done(&result);
                    results.push(result);
                }
            }
            (index, results)
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .collect()
        .await;
    results.sort_by_key(|(index, _)| *index);
    Ok(results
        .into_iter()
        .flat_map(|(_, results)| results)
        .collect())
}

/// What every case needs.
#[derive(Debug)]
pub struct Bench<'a> {
    running: &'a Running,
    dialer: Arc<MappedDialer>,
    clock: Arc<dyn Clock>,
    roots: WebPkiRoots,
}

/// What one case is sent with, in one resolver mode: for whoever looks at the same domain in
/// another way.
#[derive(Debug)]
pub struct Equipment {
    /// A resolver that knows nothing yet.
    pub resolver: Arc<Resolver>,
    /// The sender's configuration.
    pub sender: SenderConfig,
    /// Dials into the world.
    pub dialer: Arc<dyn Dialer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The state folder of the configuration.
    _state: TempDir,
}

/// What a case sends.
#[derive(Debug)]
pub struct Letter {
    /// The envelope.
    pub envelope: Envelope,
    /// The message.
    pub message: Message,
    /// How often it is sent; the last attempt is judged.
    pub attempts: u8,
}

impl<'a> Bench<'a> {
    /// For cases of the scenarios that run there.
    ///
    /// # Errors
    /// [`RunError`] when the lab's CA cannot be used.
    pub fn new(running: &'a Running, clock: Arc<dyn Clock>) -> Result<Self, RunError> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(running.world().ca_pem().as_bytes())?;
        let roots = WebPkiRoots::new(Some(file.path()))
            .map_err(|error| RunError::Trust(error.to_string()))?;
        Ok(Self {
            running,
            dialer: Arc::new(running.map().clone()),
            clock,
            roots,
        })
    }

    /// The lab.
    #[must_use]
    pub const fn running(&self) -> &'a Running {
        self.running
    }

    fn now(&self) -> UnixTime {
        self.clock.now()
    }

    async fn run_case(
        &self,
        scenario: &Scenario,
        case: &Case,
        mode: ResolverMode,
        way: &impl AsyncFn(Equipment, Letter) -> Result<SendReport, String>,
    ) -> CaseResult {
        let mut result = CaseResult {
            scenario: scenario.id.clone(),
            case: case.id.clone(),
            mode,
            expected: judge::expected_words(case),
            got: String::new(),
            reason: String::new(),
            differences: Vec::new(),
        };
        for (_, placed) in self.running.world().receivers_of(&scenario.id) {
            placed.host.mailbox().clear();
        }
        let asked_before = self.running.queries().len();
        match self.send_by(scenario, case, mode, way).await {
            Ok(report) => {
                let queries = self.running.queries().since(asked_before);
                judge::judge(
                    self.running.world(),
                    scenario,
                    case,
                    &report,
                    &queries,
                    &mut result,
                );
            }
            Err(reason) => {
                "not sent".clone_into(&mut result.got);
                result.reason.clone_from(&reason);
                result.differences.push(reason);
            }
        }
        result
    }

    /// What a case is sent with.
    ///
    /// # Errors
    /// One line when the case cannot be made into a configuration.
    pub fn equipment(
        &self,
        scenario: &Scenario,
        case: &Case,
        mode: ResolverMode,
    ) -> Result<Equipment, String> {
        let world = self.running.world();
        let state = tempfile::tempdir().map_err(|error| error.to_string())?;
        let dialer: Arc<dyn Dialer> = Arc::clone(&self.dialer) as Arc<dyn Dialer>;
        let resolver = Resolver::new(
            self.resolver_config(case, mode)?,
            Arc::clone(&dialer),
            Arc::clone(&self.clock),
        )
        .map_err(|error| error.to_string())?;
        let sender = setting::sender(world, scenario, case, &self.roots, state.path())?;
        setting::store_policies(&sender, case, self.now())?;
        Ok(Equipment {
            resolver: Arc::new(resolver),
            sender,
            dialer,
            clock: Arc::clone(&self.clock),
            _state: state,
        })
    }

    /// How the resolver of a case works.
    ///
    /// # Errors
    /// One line when the case's settings cannot be used.
    pub fn resolver_config(
        &self,
        case: &Case,
        mode: ResolverMode,
    ) -> Result<ResolverConfig, String> {
        setting::resolver(self.running.world(), case, mode)
    }

    /// Sends a case's message.
    ///
    /// # Errors
    /// One line when the case cannot be made into a message.
    pub async fn send(
        &self,
        scenario: &Scenario,
        case: &Case,
        mode: ResolverMode,
    ) -> Result<SendReport, String> {
        self.send_by(scenario, case, mode, &directly).await
    }

    async fn send_by(
        &self,
        scenario: &Scenario,
        case: &Case,
        mode: ResolverMode,
        way: &impl AsyncFn(Equipment, Letter) -> Result<SendReport, String>,
    ) -> Result<SendReport, String> {
        let equipment = self.equipment(scenario, case, mode)?;
        let (envelope, message) =
            setting::letter(self.running.world(), scenario, case, self.now())?;
        let letter = Letter {
            envelope,
            message,
            attempts: case.settings.attempts.unwrap_or(1),
        };
        way(equipment, letter).await
    }
}

/// With a sender of its own, as `elsinore send` does.
async fn directly(equipment: Equipment, letter: Letter) -> Result<SendReport, String> {
    let sender = Sender::new(
        equipment.sender,
        equipment.resolver,
        equipment.dialer,
        equipment.clock,
    );
    let mut report = sender.send(&letter.envelope, &letter.message).await;
    for _ in 1..letter.attempts {
        report = sender.send(&letter.envelope, &letter.message).await;
    }
    Ok(report)
}
