//! The lookups of this project's resolver. Each line on stdin is one pass over the questions; each
//! line on stdout is what came of it.

use elsinore_dane::answer::{Answer, DenialKind, Last, Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::Security;
use elsinore_net::clock::SystemClock;
use elsinore_net::dialer::DirectDialer;
use elsinore_net::resolver::{
    Freshness, Resolver, ResolverConfig, RootHints, SecureResolver, TrustAnchors, raise_file_limit,
};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::error::Error;
use std::fs;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

/// A question, and what must come of it.
struct Asked {
    question: Question,
    expected: &'static str,
}

impl Asked {
    fn is_to_fail(&self) -> bool {
        self.expected == "F"
    }
}

/// What can come of a question: secure or insecure; data, no such data, no such name; failure.
const OUTCOMES: [&str; 7] = ["SD", "SN", "SX", "ID", "IN", "IX", "F"];
/// Wrong answers that are shown.
const SHOWN: usize = 5;

/// Asks in so many threads, with `in_flight` lookups under way.
pub(crate) fn run(
    folder: &Path,
    questions: &Path,
    in_flight: usize,
    cache: &str,
    threads: usize,
) -> Result<(), Box<dyn Error>> {
    raise_file_limit();
    let questions = Arc::new(read(&fs::read_to_string(questions)?)?);
    let mut config = ResolverConfig {
        hints: RootHints::parse(&fs::read_to_string(folder.join("root-hints"))?)?,
        anchors: TrustAnchors::parse(&fs::read_to_string(folder.join("trust-anchor"))?)?,
        allow_nets: vec!["198.18.0.0/15".parse()?],
        ..ResolverConfig::default()
    };
    config.cache_octets = match cache {
        // More than any world of this benchmark fills.
        "unbounded" => 2 << 30,
        megabytes => megabytes.parse::<usize>()? << 20,
    };
    let resolver = Resolver::new(config, Arc::new(DirectDialer), Arc::new(SystemClock))?;
    let resolver = Arc::new(resolver);
    let runtime = match threads {
        1 => Builder::new_current_thread().enable_all().build()?,
        _ => Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()?,
    };
    let mut stdout = std::io::stdout();
    writeln!(stdout, "ready")?;
    stdout.flush()?;
    for line in std::io::stdin().lock().lines() {
        line?;
        let next = Arc::new(AtomicUsize::new(0));
        let streams: Vec<_> = (0..threads)
            .map(|_| {
                let (resolver, questions) = (Arc::clone(&resolver), Arc::clone(&questions));
                let share = in_flight.div_ceil(threads);
                runtime.spawn(stream(resolver, questions, Arc::clone(&next), share))
            })
            .collect();
        let mut pass = Pass::default();
        for stream in streams {
            pass.add(runtime.block_on(stream)?);
        }
        writeln!(stdout, "{}", pass.line())?;
        stdout.flush()?;
    }
    Ok(())
}

fn read(text: &str) -> Result<Vec<Asked>, Box<dyn Error>> {
    let lines = text.lines().map(|line| {
        let mut fields = line.split(' ');
        let (Some(name), Some(rtype), Some(expected)) =
            (fields.next(), fields.next(), fields.next())
        else {
            return Err("not three fields".into());
        };
        let rtype = RecordType::from_code(rtype.parse()?);
        let expected = OUTCOMES.iter().find(|known| **known == expected);
        Ok(Asked {
            question: Question::new(DomainName::parse(name)?, rtype),
            expected: expected.ok_or("no such outcome")?,
        })
    });
    lines.collect()
}

/// What came of one pass.
#[derive(Default)]
struct Pass {
    tally: [u64; OUTCOMES.len()],
    wrong: u64,
    /// Of lookups that succeed.
    latencies: Vec<Duration>,
    longest_failure: Duration,
}

impl Pass {
    fn line(&mut self) -> String {
        self.latencies.sort_unstable();
        let at = |share: f64| {
            let last = self.latencies.len().saturating_sub(1);
            // A position within the list, which is far smaller than 2^52.
            let position = (last as f64 * share) as usize;
            self.latencies.get(position).map_or(0, Duration::as_micros)
        };
        let tally: Vec<String> = self.tally.iter().map(u64::to_string).collect();
        format!(
            "tally {} wrong {} p50 {} p99 {} max {} failure {}",
            tally.join(" "),
            self.wrong,
            at(0.5),
            at(0.99),
            at(1.0),
            self.longest_failure.as_micros()
        )
    }

    fn add(&mut self, other: Self) {
        for (sum, count) in self.tally.iter_mut().zip(other.tally) {
            *sum += count;
        }
        self.wrong += other.wrong;
        self.latencies.extend(other.latencies);
        self.longest_failure = self.longest_failure.max(other.longest_failure);
    }

    fn count(&mut self, asked: &Asked, answer: &Answer, taken: Duration) {
        let outcome = outcome(answer);
        let position = OUTCOMES.iter().position(|known| *known == outcome);
        self.tally[position.unwrap_or(OUTCOMES.len() - 1)] += 1;
        if outcome == "F" {
            self.longest_failure = self.longest_failure.max(taken);
        } else {
            self.latencies.push(taken);
        }
        if outcome != asked.expected {
            self.wrong += 1;
            if self.wrong <= SHOWN as u64 {
                let status = answer.overall();
                eprintln!(
                    "{}: {outcome}, not {}: {}",
                    asked.question,
                    asked.expected,
                    status.reason()
                );
            }
        }
    }
}

/// Asks what nobody has taken yet, `in_flight` lookups under way. Those that are to fail run beside
/// them: what is measured is their cost to the others, not the places they take in our own line.
async fn stream(
    resolver: Arc<Resolver>,
    questions: Arc<Vec<Asked>>,
    next: Arc<AtomicUsize>,
    in_flight: usize,
) -> Pass {
    let mut result = Pass::default();
    let mut running = FuturesUnordered::new();
    let mut places = in_flight;
    loop {
        while places > 0 {
            let Some(asked) = questions.get(next.fetch_add(1, Ordering::Relaxed)) else {
                break;
            };
            places -= usize::from(!asked.is_to_fail());
            let resolver = &resolver;
            running.push(async move {
                let start = Instant::now();
                let answer = resolver.lookup(&asked.question, Freshness::Cached).await;
                (asked, answer, start.elapsed())
            });
        }
        match running.next().await {
            Some((asked, answer, taken)) => {
                places += usize::from(!asked.is_to_fail());
                result.count(asked, &answer, taken);
            }
            None => return result,
        }
    }
}

fn outcome(answer: &Answer) -> &'static str {
    let position = match &answer.last {
        Last::Data(_) => 0,
        Last::Denied(denial) if denial.kind == DenialKind::NoData => 1,
        Last::Denied(_) => 2,
        Last::Failed(_) => return "F",
    };
    match answer.overall().security() {
        Security::Secure => OUTCOMES[position],
        Security::Insecure => OUTCOMES[position + 3],
        Security::Indeterminate | Security::Bogus => "F",
    }
}
