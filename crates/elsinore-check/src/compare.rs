//! Two reports of one domain: what changed, and why.
//!
//! Pure and one-sided: the later report is looked at with the earlier one in hand. What could not be
//! told in one of the two is no change: a host that did not answer today has not lost its
//! certificate. Causes come before what follows from them; the change of the verdict names the
//! first change that points the same way as its cause.

mod host;
mod zone;

use crate::report::{
    Finding, Report, SCHEMA_VERSION, Sender, SenderKind, SenderOutcome, Severity, State,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What changed between two reports of one domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Version of the shape, that of the report.
    pub schema_version: u32,
    /// The domain.
    pub domain: String,
    /// When the earlier check began.
    pub earlier_at: i64,
    /// When the later one did.
    pub later_at: i64,
    /// The verdict of the earlier.
    pub earlier_state: State,
    /// The verdict of the later.
    pub later_state: State,
    /// What changed; causes first.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// What kind of thing changed.
    pub kind: ChangeKind,
    /// Which way.
    pub direction: Direction,
    /// What changed: a name, an address.
    pub subject: String,
    /// How, in one line without a full stop.
    pub text: String,
    /// What brought it about, where another change or the reports say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// What kind of thing changed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// The verdict.
    State,
    /// What a kind of sender would do.
    Sender,
    /// A zone's DNSSEC.
    Zone,
    /// The name servers of a zone.
    NameServers,
    /// The MX set.
    Mx,
    /// An alias of an MX host.
    Alias,
    /// The addresses of a host, or what is met there.
    Address,
    /// A TLSA record or base domain.
    Tlsa,
    /// A certificate or its key.
    Certificate,
    /// MTA-STS.
    Sts,
    /// TLS-RPT.
    TlsRpt,
    /// A finding came or went.
    Finding,
}

/// Which way a change points, for whoever sends mail there.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Less protected, or mail that fails.
    Worse,
    /// More protected, or mail that no longer fails.
    Better,
    /// Neither.
    Neutral,
}

/// Changes as they are found.
#[derive(Debug, Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn push(&mut self, kind: ChangeKind, direction: Direction, subject: &str, text: String) {
        self.because(kind, direction, subject, text, None);
    }

    fn because(
        &mut self,
        kind: ChangeKind,
        direction: Direction,
        subject: &str,
        text: String,
        cause: Option<String>,
    ) {
        self.0.push(Change {
            kind,
            direction,
            subject: subject.to_owned(),
            text,
            cause,
        });
    }
}

/// Compares two reports; they should be of the same domain.
#[must_use]
pub fn compare(earlier: &Report, later: &Report) -> Comparison {
    let mut changes = Changes::default();
    zone::zones(&mut changes, earlier, later);
    zone::name_servers(&mut changes, earlier, later);
    host::hosts(&mut changes, earlier, later);
    policies(&mut changes, earlier, later);
    findings(&mut changes, earlier, later);
    let mut changes = changes.0;
    let outcome = outcome(earlier, later, &changes);
    changes.splice(0..0, outcome);
    Comparison {
        schema_version: SCHEMA_VERSION,
        domain: later.domain.clone(),
        earlier_at: earlier.began_at,
        later_at: later.began_at,
        earlier_state: earlier.state,
        later_state: later.state,
        changes,
    }
}

/// The verdict and the senders, with the first change that explains them.
fn outcome(earlier: &Report, later: &Report, found: &[Change]) -> Vec<Change> {
    let mut changes = Changes::default();
    let cause = |direction: Direction| {
        found
            .iter()
            .find(|one| one.direction == direction && one.direction != Direction::Neutral)
            .map(|one| format!("{}: {}", one.subject, one.text))
    };
    if earlier.state != later.state {
        let direction = match (rank(earlier.state), rank(later.state)) {
            (Some(before), Some(now)) if now > before => Direction::Worse,
            (Some(_), Some(_)) => Direction::Better,
            // What could not be told is no verdict to be worse or better than.
            (None, _) | (_, None) => Direction::Neutral,
        };
        let text = format!("was {}, is {}", earlier.state.words(), later.state.words());
        let cause = match later.state {
            State::CouldNotTell => later.inconclusive.first().cloned(),
            _ => cause(direction).or_else(|| Some(later.sentence.clone())),
        };
        changes.because(ChangeKind::State, direction, &later.domain, text, cause);
    }
    if later.state == State::CouldNotTell || earlier.state == State::CouldNotTell {
        return changes.0;
    }
    for sender in &later.senders {
        let Some(before) = earlier.senders.iter().find(|one| one.kind == sender.kind) else {
            continue;
        };
        let (was, is) = (worth(before), worth(sender));
        if was.0 == is.0 && was.1 == is.1 {
            continue;
        }
        let direction = match is.0.cmp(&was.0) {
            std::cmp::Ordering::Less => Direction::Worse,
            std::cmp::Ordering::Greater => Direction::Better,
            std::cmp::Ordering::Equal => Direction::Neutral,
        };
        let who = match sender.kind {
            SenderKind::Dane => "a DANE sender",
            SenderKind::StsOnly => "an MTA-STS sender",
            SenderKind::Opportunistic => "an opportunistic sender",
        };
        let text = format!("was: {}; is: {}", was.1, is.1);
        changes.because(ChangeKind::Sender, direction, who, text, cause(direction));
    }
    changes.0
}

/// Verdicts in order, best first; none for what could not be told.
const fn rank(state: State) -> Option<u8> {
    match state {
        State::Protected => Some(0),
        State::PartlyProtected => Some(1),
        State::NotProtected => Some(2),
        State::Refused => Some(3),
        State::CouldNotTell => None,
    }
}

/// What a delivery is worth, more is better, and in words.
fn worth(sender: &Sender) -> (u8, String) {
    match sender.outcome {
        SenderOutcome::Bounced => (0, "mail returned".to_owned()),
        SenderOutcome::Deferred => (1, "mail deferred".to_owned()),
        SenderOutcome::Delivered => {
            let word = sender.security.as_deref().unwrap_or("delivered");
            let worth = match word {
                "plaintext" => 2,
                "encrypted" => 3,
                "webpki" => 4,
                "dane-insecure-mx" => 5,
                _ => 6,
            };
            (worth, format!("delivered ({word})"))
        }
    }
}

fn policies(changes: &mut Changes, earlier: &Report, later: &Report) {
    let domain = &later.domain;
    if let (Some(was), Some(is)) = (&earlier.sts, &later.sts) {
        let strength = |mode: Option<&str>| match mode {
            Some("enforce") => 2,
            Some("testing") => 1,
            _ => 0,
        };
        let (before, now) = (was.mode.as_deref(), is.mode.as_deref());
        if before != now {
            let direction = match strength(now).cmp(&strength(before)) {
                std::cmp::Ordering::Less => Direction::Worse,
                std::cmp::Ordering::Greater => Direction::Better,
                std::cmp::Ordering::Equal => Direction::Neutral,
            };
            let text = format!(
                "MTA-STS was {}, is {}",
                before.unwrap_or("absent"),
                now.unwrap_or("absent")
            );
            let cause = is.error.clone();
            changes.because(ChangeKind::Sts, direction, domain, text, cause);
        } else if was.mx != is.mx {
            let text = format!(
                "the MTA-STS policy named {}, names {}",
                was.mx.join(", "),
                is.mx.join(", ")
            );
            changes.push(ChangeKind::Sts, Direction::Neutral, domain, text);
        }
    }
    if let (Some(was), Some(is)) = (&earlier.tls_rpt, &later.tls_rpt) {
        let (before, now) = (was.rua.join(", "), is.rua.join(", "));
        if before != now {
            let (direction, text) = match (before.is_empty(), now.is_empty()) {
                (true, _) => (Direction::Better, format!("TLS reports now go to {now}")),
                (_, true) => (
                    Direction::Worse,
                    format!("TLS reports went to {before}, now nowhere"),
                ),
                (false, false) => (
                    Direction::Neutral,
                    format!("TLS reports went to {before}, now to {now}"),
                ),
            };
            let cause = is.error.clone();
            changes.because(ChangeKind::TlsRpt, direction, domain, text, cause);
        }
    }
}

/// Findings that came and went, by identifier and subject.
fn findings(changes: &mut Changes, earlier: &Report, later: &Report) {
    let missing = |finding: &Finding, from: &Report| {
        !(from.findings.iter()).any(|one| one.id == finding.id && one.subject == finding.subject)
    };
    let serious = |finding: &Finding| match finding.severity {
        Severity::FailsNow | Severity::WillFail | Severity::Weak => true,
        Severity::Note => false,
    };
    for finding in later.findings.iter().filter(|one| missing(one, earlier)) {
        let direction = if serious(finding) {
            Direction::Worse
        } else {
            Direction::Neutral
        };
        let text = format!(
            "new, {}: {} ({})",
            finding.severity.words(),
            finding.title,
            finding.id
        );
        let cause = Some(finding.evidence.clone());
        changes.because(
            ChangeKind::Finding,
            direction,
            &finding.subject,
            text,
            cause,
        );
    }
    // A check that could not tell finds less, and mends nothing.
    if later.state == State::CouldNotTell {
        return;
    }
    for finding in earlier.findings.iter().filter(|one| missing(one, later)) {
        let direction = if serious(finding) {
            Direction::Better
        } else {
            Direction::Neutral
        };
        let text = format!("gone: {} ({})", finding.title, finding.id);
        changes.push(ChangeKind::Finding, direction, &finding.subject, text);
    }
}
