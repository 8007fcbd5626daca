//! The checker that measures: `elsinore check` behind the page.
//!
//! Whatever domains strangers ask for, one mail server is not visited more often than so many times an
//! hour: thousands of names may point at one address. When an address has had its share, the check
//! goes on without it and the report says so.

use crate::budget::{Budget, Rate};
use crate::checker::{Checker, Look, Progress, Step};
use elsinore_check::judge::{JudgeOptions, judge};
use elsinore_check::measure::{self, MeasureSettings, measure};
use elsinore_check::report::{Offer, Report};
use elsinore_check::world::{Manners, Visit, World};
use elsinore_dane::mta_sts::StsFetch;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_net::deliver::Sounding;
use elsinore_net::doctor::triage::Blame;
use elsinore_net::resolver::Resolver;
use futures_util::future::BoxFuture;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Measures in a world that all checks share, so that its manners hold over all of them.
#[derive(Debug)]
pub struct LiveChecker {
    world: Arc<dyn World>,
    settings: MeasureSettings,
    program: &'static str,
    visits: Arc<Budget<IpAddr>>,
}

impl LiveChecker {
    /// `program` is named in reports; `visits_per_hour` bounds what one mail server address has to
    /// bear.
    #[must_use]
    pub fn new(
        world: Arc<dyn World>,
        settings: MeasureSettings,
        program: &'static str,
        visits_per_hour: u32,
    ) -> Self {
        Self {
            world,
            settings,
            program,
            visits: Arc::new(Budget::new(Rate {
                // All that a check or two need in one go.
                burst: visits_per_hour.clamp(1, 32),
                ..Rate::per_hour(visits_per_hour)
            })),
        }
    }
}

impl Checker for LiveChecker {
    fn check(
        &self,
        domain: DomainName,
        earlier: Option<Report>,
        progress: Progress,
    ) -> BoxFuture<'static, Result<Report, String>> {
        let frugal = Arc::new(Frugal {
            world: Arc::clone(&self.world),
            visits: Arc::clone(&self.visits),
            refused: Mutex::default(),
        });
        let (settings, program) = (self.settings.clone(), self.program);
        Box::pin(async move {
            let began = Instant::now();
            let watch = move |seen: measure::Progress| {
                if let Some((what, result, look)) = told(seen) {
                    let elapsed = began.elapsed().as_millis();
                    progress.step(Step {
                        what,
                        result,
                        look,
                        after_ms: u64::try_from(elapsed).unwrap_or(u64::MAX),
                    });
                }
            };
            let world: Arc<dyn World> = Arc::<Frugal>::clone(&frugal);
            let sighting = measure(&world, &settings, &domain, &watch).await;
            // Signatures of certificates are checked here: work for a thread of its own.
            let judged = tokio::task::spawn_blocking(move || {
                judge(
                    &sighting,
                    &JudgeOptions {
                        earlier: earlier.as_ref(),
                        ..JudgeOptions::new(program)
                    },
                )
            });
            let mut report = judged
                .await
                .map_err(|_| "What was seen could not be judged; this is our fault.".to_owned())?;
            report.measured.left_out.extend(frugal.left_out());
            Ok(report)
        })
    }
}

/// A step of a check in words; `None` for what nobody waits for.
fn told(seen: measure::Progress) -> Option<(String, String, Look)> {
    match seen {
        measure::Progress::Began { .. } => Some((
            "Looking for the mail servers".to_owned(),
            "MX records, addresses, TLSA records and policies, validated from the root".to_owned(),
            Look::Plain,
        )),
        measure::Progress::Planned { mx_host, addresses } => {
            let (result, look) = match addresses.len() {
                0 => ("nothing to contact there".to_owned(), Look::Unknown),
                _ => {
                    let addresses: Vec<String> =
                        addresses.iter().map(ToString::to_string).collect();
                    (addresses.join(", "), Look::Plain)
                }
            };
            Some((format!("Found {mx_host}"), result, look))
        }
        measure::Progress::Met {
            mx_host,
            address,
            offer,
            sessions,
        } => {
            let asked = match offer {
                Offer::Sender => "as a sender asks",
                Offer::Rsa => "RSA certificates only",
                Offer::Ecdsa => "ECDSA certificates only",
                Offer::NoName => "without a server name",
                Offer::OtherName => "with another server name",
            };
            let (result, look) = match sessions {
                0 => (format!("{asked}: left out"), Look::Unknown),
                _ => (asked.to_owned(), Look::Good),
            };
            Some((format!("Spoke with {mx_host} at {address}"), result, look))
        }
        measure::Progress::LaneDone { .. } => None,
        measure::Progress::Ended => Some((
            "Putting it together".to_owned(),
            "everything was seen".to_owned(),
            Look::Plain,
        )),
    }
}

/// The world of one check, in which addresses that had their share are not visited.
#[derive(Debug)]
struct Frugal {
    world: Arc<dyn World>,
    visits: Arc<Budget<IpAddr>>,
    refused: Mutex<BTreeSet<IpAddr>>,
}

impl Frugal {
    fn left_out(&self) -> Vec<String> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |address: &IpAddr| {
            format!("{address}: sessions, because this page has visited it often in the last hour")
        };
        refused.iter().map(line).collect()
    }
}

impl World for Frugal {
    fn now(&self) -> UnixTime {
        self.world.now()
    }

    fn resolver(&self) -> &Arc<Resolver> {
        self.world.resolver()
    }

    fn visit<'a>(&'a self, visit: &'a Visit<'a>) -> BoxFuture<'a, Vec<Sounding>> {
        let address = visit.address.to_canonical();
        if self.visits.take(&address).is_err() {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.insert(address);
            return Box::pin(async { Vec::new() });
        }
        self.world.visit(visit)
    }

    fn fetch_policy<'a>(&'a self, domain: &'a DomainName) -> BoxFuture<'a, StsFetch> {
        self.world.fetch_policy(domain)
    }

    fn manners(&self) -> Manners {
        self.world.manners()
    }

    fn blame(&self) -> BoxFuture<'_, Blame> {
        self.world.blame()
    }
}
