//! Plays the steps of a scenario.

use crate::clock::FileClock;
use crate::compare::{Answered, differences};
use crate::expression::Variables;
use crate::network::Network;
use crate::scenario::{Asked, Entry, Event, Flags, Record, Scenario, Step, WireName};
use crate::settings::Setup;
use domain::base::iana::{Class, OptRcode, Rtype};
use elsinore_dane::answer::RecordType;
use elsinore_dane::name::DomainName;
use elsinore_net::resolver::{
    AuthenticBit, Checking, DnssecRecords, Recursion, Resolver, ResourceRecord, Sections,
    Transcript, TranscriptQuery,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, timeout};

/// Times that everything else gets its turn before it counts as waiting.
const TURNS: usize = 2_000;

/// How long, on the paused clock, an answer or a question is waited for.
const PATIENCE: Duration = Duration::from_secs(600);

/// The time between two looks at what has come, on the paused clock.
const PAUSE: Duration = Duration::from_millis(50);

/// Questions without an answer in the script that a report names, at most.
const NAMED: usize = 6;

/// What went wrong, with what belongs to it.
#[derive(Debug)]
pub(crate) struct Mishap {
    pub(crate) summary: String,
    pub(crate) details: Vec<String>,
}

impl From<String> for Mishap {
    fn from(summary: String) -> Self {
        Self {
            summary,
            details: Vec::new(),
        }
    }
}

/// Plays all steps.
///
/// # Errors
/// The first step that goes another way than the file says.
pub(crate) async fn play(scenario: &Scenario, setup: Setup) -> Result<(), Mishap> {
    let network = Network::new(scenario, setup.reach);
    let resolver = Resolver::new(
        setup.config,
        Arc::new(network.clone()),
        Arc::new(setup.clock),
    )
    .map_err(|error| error.to_string())?;
    let mut player = Player {
        network,
        resolver: Arc::new(resolver),
        sections: setup.sections,
        began: Instant::now(),
        asked: JoinSet::new(),
        answers: Vec::new(),
        last_name: None,
        variables: Variables::default(),
    };
    let steps = &scenario.steps;
    while let Some(step) = steps.get(player.network.next()) {
        let index = player.network.next();
        player.step(step, index).await.map_err(|mishap| Mishap {
            summary: format!(
                "step {} (line {}): {}",
                step.number, step.line, mishap.summary
            ),
            details: mishap.details,
        })?;
    }
    player.settle().await;
    match player.answers.first() {
        Some(answered) => {
            Err(format!("an answer that no step checks: {}", answered.question).into())
        }
        None => Ok(()),
    }
}

struct Player {
    network: Network,
    resolver: Arc<Resolver>,
    sections: Sections,
    began: Instant,
    asked: JoinSet<Answered>,
    answers: Vec<Answered>,
    /// What a client has asked for last.
    last_name: Option<WireName>,
    variables: Variables,
}

impl Player {
    async fn step(&mut self, step: &Step, index: usize) -> Result<(), Mishap> {
        self.settle().await;
        match &step.event {
            Event::CheckOutQuery(_) => return self.await_question(index).await,
            Event::Query(entry) => self.ask(entry)?,
            Event::CheckAnswer(entry) => self.check(entry).await?,
            Event::Reply(entry) => {
                self.await_pending().await?;
                let pending = self.network.take_last(self.last_name.as_ref())?;
                self.network.move_to(index + 1);
                pending.answer(entry);
                return Ok(());
            }
            Event::Timeout | Event::Error if self.has_given_up().await => {}
            Event::Timeout => {
                self.await_pending().await?;
                self.network
                    .take_last(self.last_name.as_ref())?
                    .never_answer();
            }
            Event::Error => {
                self.await_pending().await?;
                let pending = self.network.take_last(self.last_name.as_ref())?;
                self.network.move_to(index + 1);
                pending.fail();
                return Ok(());
            }
            Event::TimePasses(seconds) => {
                let seconds = self.variables.number(seconds, self.now())?;
                let elapse = Duration::try_from_secs_f64(seconds)
                    .map_err(|error| format!("TIME_PASSES {seconds}: {error}"))?;
                tokio::time::advance(elapse).await;
            }
            Event::Assign { variable, value } => {
                let value = self.variables.expand(value, self.now())?;
                self.variables.set(variable, value);
            }
            Event::Traffic => self.collect_all().await,
            Event::Nothing => {}
            Event::Foreign(reason) => return Err((*reason).to_owned().into()),
        }
        self.network.move_to(index + 1);
        Ok(())
    }

    fn now(&self) -> f64 {
        FileClock::elapsed(self.began).as_secs_f64()
    }

    /// Lets everybody do what can be done without time passing.
    async fn settle(&mut self) {
        for _ in 0..TURNS {
            yield_now().await;
        }
        while let Some(answered) = self.asked.try_join_next() {
            // A panic of the resolver ends the scenario where its answer is missed.
            self.answers.extend(answered);
        }
    }

    async fn collect_all(&mut self) {
        let end = Instant::now() + PATIENCE;
        while let Ok(Some(answered)) = tokio::time::timeout_at(end, self.asked.join_next()).await {
            self.answers.extend(answered);
        }
    }

    fn ask(&mut self, entry: &Entry) -> Result<(), String> {
        let packet = entry.first();
        let [asked] = packet.question.as_slice() else {
            return Err("a query with another number of questions than one".to_owned());
        };
        if packet.opcode != 0 || asked.class != Class::IN {
            return Err("a query that is not of opcode QUERY and class IN".to_owned());
        }
        let query = TranscriptQuery {
            name: domain_name(&asked.name)?,
            record_type: RecordType::from_code(asked.rtype.to_int()),
            recursion: choose(packet.flags.rd, Recursion::Desired, Recursion::CacheOnly),
            checking: choose(packet.flags.cd, Checking::Disabled, Checking::Enabled),
            dnssec: choose(
                packet.flags.dnssec_ok,
                DnssecRecords::Included,
                DnssecRecords::Omitted,
            ),
            authentic: choose(packet.flags.ad, AuthenticBit::Wanted, AuthenticBit::Omitted),
            sections: self.sections,
        };
        self.last_name = Some(asked.name.clone());
        let (resolver, asked, flags) = (Arc::clone(&self.resolver), asked.clone(), packet.flags);
        self.asked.spawn(async move {
            let transcript = resolver.transcript(&query).await;
            answered(asked, flags, &transcript)
        });
        Ok(())
    }

    async fn check(&mut self, expected: &Entry) -> Result<(), Mishap> {
        if self.answers.is_empty() {
            match timeout(PATIENCE, self.asked.join_next()).await {
                Ok(Some(Ok(answered))) => self.answers.push(answered),
                Ok(Some(Err(error))) => return Err(format!("the resolver failed: {error}").into()),
                Ok(None) => return Err("nobody has asked".to_owned().into()),
                Err(_) => return Err("no answer".to_owned().into()),
            }
            self.settle().await;
        }
        let found = self
            .answers
            .iter()
            .position(|answered| differences(expected, answered).is_empty());
        if let Some(at) = found {
            self.answers.remove(at);
            return Ok(());
        }
        // None is not empty: that was seen to above.
        let Some(answered) = self.answers.first() else {
            return Err("no answer".to_owned().into());
        };
        let mut details = differences(expected, answered);
        let summary = match details.as_slice() {
            [only] => only.clone(),
            [first, rest @ ..] => format!("{first}; {} more differences", rest.len()),
            [] => String::new(),
        };
        if !answered.reason.is_empty() {
            details.push(format!("resolver: {}", answered.reason));
        }
        let unanswered = self.network.unanswered();
        for question in unanswered.iter().take(NAMED) {
            details.push(format!("not in the script: {question}"));
        }
        Err(Mishap { summary, details })
    }

    /// Waits until the question that this step is for has been put.
    async fn await_question(&mut self, index: usize) -> Result<(), Mishap> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            self.settle().await;
            if self.network.next() > index {
                return Ok(());
            }
            if self.asked.is_empty() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let details = self.network.unanswered();
        Err(Mishap {
            summary: "no such question was put".to_owned(),
            details,
        })
    }

    /// Whether the resolver has asked and will not ask again: how often it tries is its own affair,
    /// and files count on Unbound's number.
    async fn has_given_up(&mut self) -> bool {
        self.last_name.is_some() && self.await_pending().await.is_err() && self.asked.is_empty()
    }

    async fn await_pending(&mut self) -> Result<(), Mishap> {
        let end = Instant::now() + PATIENCE;
        while !self.network.has_pending() {
            if Instant::now() >= end || self.asked.is_empty() {
                return Err("no question waits for an answer".to_owned().into());
            }
            tokio::time::sleep(PAUSE).await;
            self.settle().await;
        }
        Ok(())
    }
}

fn choose<T>(condition: bool, yes: T, no: T) -> T {
    if condition { yes } else { no }
}

fn domain_name(name: &WireName) -> Result<DomainName, String> {
    if name.is_root() {
        return Ok(DomainName::root());
    }
    let labels = name.iter().filter(|label| !label.is_root());
    let labels: Vec<&[u8]> = labels.map(|label| label.as_slice()).collect();
    DomainName::from_labels(labels).map_err(|error| format!("{name}: {error}"))
}

fn answered(question: Asked, query: Flags, transcript: &Transcript) -> Answered {
    Answered {
        question,
        flags: Flags {
            qr: true,
            ra: true,
            rd: query.rd,
            cd: query.cd,
            ad: transcript.authentic,
            dnssec_ok: query.dnssec_ok,
            ..Flags::default()
        },
        rcode: OptRcode::masked_from_int(transcript.rcode),
        answer: transcript.answer.iter().map(record).collect(),
        authority: transcript.authority.iter().map(record).collect(),
        ede: transcript.ede.as_ref().map(|error| error.code),
        reason: format!(
            "{} ({}): {}",
            transcript.status.security(),
            transcript.status.cause(),
            transcript.status.reason()
        ),
    }
}

fn record(record: &ResourceRecord) -> Record {
    let owner = wire_name(&record.owner);
    Record {
        owner,
        rtype: Rtype::from_int(record.record_type.code()),
        class: Class::IN,
        ttl: record.ttl,
        rdata: record.rdata.clone(),
    }
}

fn wire_name(name: &DomainName) -> WireName {
    let mut octets = Vec::new();
    for label in name.labels() {
        // A label has 63 octets at most.
        octets.push(label.len() as u8);
        octets.extend(label);
    }
    octets.push(0);
    // A name that came from the wire goes back to it.
    WireName::from_octets(octets).unwrap_or_else(|_| WireName::root_vec())
}
