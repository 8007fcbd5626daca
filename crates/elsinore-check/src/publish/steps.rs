//! A rollover told as numbered steps: which are done, which is to be taken now, when the others may be.

use super::form::{Change, Target, zone_line};
use super::moment::{length, second};
use super::rollover::{Assessment, Stage, Step, TTLS, Unsafe};
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;

/// How far one step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Behind us.
    Done,
    /// To be taken now.
    Now,
    /// In its turn.
    Later,
    /// Its turn, but something speaks against it.
    Blocked,
}

impl Progress {
    /// The word for people and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Now => "now",
            Self::Later => "later",
            Self::Blocked => "blocked",
        }
    }
}

/// One step.
#[derive(Debug, Clone)]
pub struct PlannedStep {
    /// Its word: `publish`, `wait`, `deploy`, `verify`, `retire`.
    pub word: &'static str,
    /// How far it is.
    pub progress: Progress,
    /// The earliest moment at which it may be done, where that is known.
    pub not_before: Option<UnixTime>,
    /// What is to be done.
    pub text: String,
    /// Lines of a zone file it is about.
    pub lines: Vec<String>,
    /// The same as an nsupdate script.
    pub nsupdate: Option<String>,
    /// What speaks against it now.
    pub refusals: Vec<Unsafe>,
}

/// The steps of `assessment`, made at `now`. Records stand at `owner`; those added get `ttl` seconds
/// where none are published yet.
#[must_use]
pub fn steps(
    assessment: &Assessment,
    owner: &DomainName,
    ttl: u32,
    target: &Target,
    now: UnixTime,
) -> Vec<PlannedStep> {
    let ttl = assessment.ttl.unwrap_or(ttl);
    let pause = TTLS * i64::from(ttl);
    let over = assessment
        .wait_until
        .unwrap_or_else(|| now.plus_seconds(pause));
    let is = |stage: &Stage| assessment.stage == *stage;
    let against = |step| assessment.against(step).to_vec();
    let progress = |done: bool, turn: bool, step| match (done, turn) {
        (true, _) => Progress::Done,
        (false, true) if assessment.against(step).is_empty() => Progress::Now,
        (false, true) => Progress::Blocked,
        (false, false) => Progress::Later,
    };
    let is_published = !is(&Stage::Publish);
    let is_deployed = is(&Stage::Retire) || is(&Stage::Done);
    let waits = matches!(assessment.stage, Stage::Wait(_));
    let change = |add: bool| {
        let records = if add {
            &assessment.add
        } else {
            &assessment.remove
        };
        let change = Change {
            owner: owner.clone(),
            ttl,
            add: if add { records.clone() } else { Vec::new() },
            remove: if add { Vec::new() } else { records.clone() },
        };
        let lines = records.iter().map(|record| zone_line(owner, ttl, record));
        let script = (!records.is_empty()).then(|| change.nsupdate(target));
        (lines.collect::<Vec<_>>(), script)
    };
    let (add, add_script) = change(true);
    let (remove, remove_script) = change(false);
    let wait_text = match assessment.complete_since {
        Some(since) => format!(
            "every server has been seen with all records since {}; twice the TTL of {} has to pass \
             since then",
            second(since),
            length(i64::from(ttl))
        ),
        None => format!(
            "{}, twice the TTL of {}, from when this command has seen the records on every \
             authoritative server",
            length(pause),
            length(i64::from(ttl))
        ),
    };
    let mut steps = vec![
        PlannedStep {
            word: Step::Publish.word(),
            progress: progress(is_published, true, Step::Publish),
            not_before: None,
            text: "add these records, and leave those that are there".to_owned(),
            lines: add,
            nsupdate: add_script,
            refusals: against(Step::Publish),
        },
        PlannedStep {
            word: "wait",
            progress: match (is_published, waits) {
                (true, true) => Progress::Now,
                (true, false) => Progress::Done,
                (false, _) => Progress::Later,
            },
            not_before: None,
            text: wait_text,
            lines: Vec::new(),
            nsupdate: None,
            refusals: Vec::new(),
        },
        PlannedStep {
            word: Step::Deploy.word(),
            progress: progress(
                is_deployed,
                is(&Stage::Deploy) || is(&Stage::Deploying),
                Step::Deploy,
            ),
            not_before: Some(over),
            text: "give the servers the next key, at every address".to_owned(),
            lines: Vec::new(),
            nsupdate: None,
            refusals: against(Step::Deploy),
        },
        PlannedStep {
            word: Step::Verify.word(),
            progress: progress(is_deployed, is(&Stage::Deploying), Step::Verify),
            not_before: Some(over),
            text: "run this command again: it looks at every address, RSA and ECDSA apart"
                .to_owned(),
            lines: Vec::new(),
            nsupdate: None,
            refusals: against(Step::Verify),
        },
        PlannedStep {
            word: Step::Retire.word(),
            progress: progress(is(&Stage::Done), is(&Stage::Retire), Step::Retire),
            not_before: Some(over),
            text: "remove these records; from then on there is no way back to the old key"
                .to_owned(),
            lines: remove,
            nsupdate: remove_script,
            refusals: against(Step::Retire),
        },
    ];
    for step in &mut steps {
        // Nothing speaks against what is behind us.
        if step.progress == Progress::Done {
            step.refusals.clear();
        }
    }
    steps
}
