//! Whether a destination that was authenticated still is. What was best is remembered, with when and
//! where; when it is no longer achieved that is said, once, and nothing else follows from it: whether
//! mail may go was decided before, by the rules.
//!
//! The comparison is pure; [`Memory`] keeps the records of the store at hand.

use crate::event::Event;
use elsinore_net::deliver::{
    ObligationWord, Outcome, RecipientReport, SendReport, SessionSecurity,
};
use elsinore_queue::error::StoreError;
use elsinore_queue::moment::Moment;
use elsinore_queue::record::{Change, Kind, Record};
use elsinore_queue::store::QueueStore;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// That something is still so is written this rarely.
const REWRITTEN: Duration = Duration::from_secs(86_400);
/// The same loss is not told again before.
const TOLD_AGAIN: Duration = Duration::from_secs(86_400);
/// After so long, what is achieved now is what is expected.
const ACCEPTED: Duration = Duration::from_secs(30 * 86_400);
/// Destinations kept at hand.
const KEPT: usize = 10_000;

/// What a session achieved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Achieved {
    security: SessionSecurity,
    mx_host: String,
    obligation: Option<ObligationWord>,
}

/// What is remembered of a destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    /// The word of the best security.
    security: String,
    /// The MX host it was achieved at last.
    mx_host: String,
    /// When it was achieved last, up to a day.
    at: Moment,
    /// What was achieved instead, and when that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost: Option<Lost>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lost {
    security: String,
    /// Since when.
    since: Moment,
    told: Moment,
}

/// What follows from a session.
#[derive(Debug, Default, PartialEq, Eq)]
struct Comparison {
    /// To be remembered instead.
    write: Option<Remembered>,
    /// What was achieved before, and why it is no longer, in one line.
    tell: Option<(SessionSecurity, String)>,
}

impl Achieved {
    /// What the session achieved that took the message to somebody.
    pub(super) fn by(report: &SendReport) -> Option<Self> {
        let delivered = |one: &&RecipientReport| one.outcome == Outcome::Delivered;
        let recipient = report.recipients.iter().find(delivered)?;
        let session = recipient.session.as_ref()?;
        let attempt = recipient.attempts.iter().rev().find(|attempt| {
            attempt.outcome == Outcome::Delivered && attempt.mx_host == session.mx_host
        });
        Some(Self {
            security: session.security?,
            mx_host: session.mx_host.clone(),
            obligation: attempt.map(|attempt| attempt.obligation),
        })
    }
}

/// How much a word is worth here. What the administrator pinned is no announcement of the recipient's
/// that could be lost.
const fn worth(security: SessionSecurity) -> u8 {
    match security {
        SessionSecurity::Dane => 3,
        SessionSecurity::Sts => 2,
        SessionSecurity::DaneInsecureMx => 1,
        SessionSecurity::Pinned
        | SessionSecurity::WebPki
        | SessionSecurity::Encrypted
        | SessionSecurity::Plaintext => 0,
    }
}

/// The security of this word, where it is one that can be lost.
fn announced(word: &str) -> Option<SessionSecurity> {
    [
        SessionSecurity::Dane,
        SessionSecurity::Sts,
        SessionSecurity::DaneInsecureMx,
    ]
    .into_iter()
    .find(|security| security.word() == word)
}

/// Compares what is achieved `now` with what is remembered.
fn compare(known: Option<&Remembered>, is: &Achieved, now: Moment) -> Comparison {
    let fresh = Remembered {
        security: is.security.word().to_owned(),
        mx_host: is.mx_host.clone(),
        at: now,
        lost: None,
    };
    let was = known.and_then(|known| Some((known, announced(&known.security)?)));
    let Some((known, was)) = was else {
        return Comparison {
            write: (worth(is.security) > 0).then_some(fresh),
            tell: None,
        };
    };
    if worth(is.security) >= worth(was) {
        let is_news = is.security != was || now.since(known.at) >= REWRITTEN;
        // That it was lost for a while stays in mind, or a domain with two different hosts would be
        // told of at every turn.
        let lost = known
            .lost
            .clone()
            .filter(|lost| now.since(lost.told) < TOLD_AGAIN);
        return Comparison {
            write: is_news.then_some(Remembered { lost, ..fresh }),
            tell: None,
        };
    }
    let before = known.lost.as_ref();
    let since = before.map_or(now, |lost| lost.since);
    if now.since(since) >= ACCEPTED {
        return Comparison {
            write: Some(fresh),
            tell: None,
        };
    }
    if before.is_some_and(|lost| lost.security == is.security.word()) {
        return Comparison::default();
    }
    Comparison {
        write: Some(Remembered {
            lost: Some(Lost {
                security: is.security.word().to_owned(),
                since,
                told: now,
            }),
            ..known.clone()
        }),
        tell: Some((was, why(known, was, is))),
    }
}

/// Why less is achieved, as far as it can be seen from the session.
fn why(known: &Remembered, was: SessionSecurity, is: &Achieved) -> String {
    let host = &is.mx_host;
    let moved = if *host == known.mx_host {
        String::new()
    } else {
        format!("mail goes to {host} now, no longer to {}; ", known.mx_host)
    };
    let by_dane = matches!(was, SessionSecurity::Dane | SessionSecurity::DaneInsecureMx);
    let what = match (is.obligation, is.security) {
        (_, SessionSecurity::DaneInsecureMx) if was == SessionSecurity::Dane => {
            "the MX records are no longer protected by DNSSEC".to_owned()
        }
        (Some(ObligationWord::Encrypt), _) if by_dane => {
            format!("no TLSA record of {host} is usable")
        }
        (_, SessionSecurity::Sts) => {
            format!("{host} has no secure TLSA records, MTA-STS protects it alone")
        }
        _ if by_dane => format!("{host} has no secure TLSA records"),
        _ => "no MTA-STS policy is enforced any more".to_owned(),
    };
    format!("{moved}{what}")
}

/// The records of the store, at hand.
#[derive(Debug, Default)]
pub(super) struct Memory {
    known: Mutex<HashMap<String, Option<Remembered>>>,
}

impl Memory {
    /// Takes in what was achieved at `destination`; the answer is the event to tell, if there is one.
    ///
    /// # Errors
    /// What the store says; nothing was taken in then.
    pub(super) async fn take(
        &self,
        store: &Arc<dyn QueueStore>,
        destination: &str,
        is: &Achieved,
        now: Moment,
    ) -> Result<Option<Event>, StoreError> {
        let at_hand = self.at_hand(destination);
        let known = match at_hand {
            Some(known) => known,
            None => {
                let prefix = destination.to_owned();
                let found = store.records(Kind::Achieved, prefix, None, 1).await?;
                let found = found.into_iter().find(|record| record.key == destination);
                // What an older or newer version wrote otherwise is as good as nothing.
                found.and_then(|record| serde_json::from_slice(&record.value).ok())
            }
        };
        let comparison = compare(known.as_ref(), is, now);
        if let Some(write) = &comparison.write {
            let value = serde_json::to_vec(write)
                .map_err(|error| StoreError::Unavailable(error.to_string()))?;
            let record = Record {
                key: destination.to_owned(),
                value,
            };
            store
                .record(vec![Change::Put(Kind::Achieved, record)])
                .await?;
        }
        self.keep(destination, comparison.write.or(known));
        Ok(comparison.tell.map(|(was, why)| Event::ProtectionLost {
            destination: destination.to_owned(),
            was,
            is: is.security,
            why,
        }))
    }

    fn at_hand(&self, destination: &str) -> Option<Option<Remembered>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(destination).cloned()
    }

    fn keep(&self, destination: &str, remembered: Option<Remembered>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT && !known.contains_key(destination) {
            // They are in the store, and come back as they are needed.
            known.clear();
        }
        known.insert(destination.to_owned(), remembered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn achieved(security: SessionSecurity, mx_host: &str) -> Achieved {
        Achieved {
            security,
            mx_host: mx_host.to_owned(),
            obligation: None,
        }
    }

    /// Days, security, host; what is told.
    type Step = (i64, SessionSecurity, &'static str, Option<&'static str>);

    fn run(steps: &[Step]) {
        let mut known = None;
        for (day, security, host, told) in steps {
            let found = compare(
                known.as_ref(),
                &achieved(*security, host),
                Moment(day * DAY),
            );
            known = found.write.or(known);
            let tell = found.tell.map(|(_, why)| why);
            assert_eq!(tell.as_deref(), *told, "day {day} of {steps:?}");
        }
    }

    #[test]
    fn a_loss_is_told_once_and_again_when_it_changes() {
        use SessionSecurity::{Dane, DaneInsecureMx, Encrypted, Pinned, Plaintext, Sts, WebPki};
        let gone = Some("mx.example has no secure TLSA records");
        run(&[
            (0, Dane, "mx.example", None),
            (1, Encrypted, "mx.example", gone),
            (1, Encrypted, "mx.example", None),
            (5, Encrypted, "mx.example", None),
            (6, Plaintext, "mx.example", gone),
            (7, Dane, "mx.example", None),
            (9, Encrypted, "mx.example", gone),
        ]);
        let moved = Some(
            "mail goes to other.example now, no longer to mx.example; other.example has no secure \
             TLSA records",
        );
        // Two hosts in turn: not at every turn.
        run(&[
            (0, Dane, "mx.example", None),
            (1, WebPki, "other.example", moved),
            (1, Dane, "mx.example", None),
            (1, WebPki, "other.example", None),
        ]);
        run(&[
            (0, Dane, "mx.example", None),
            (
                1,
                DaneInsecureMx,
                "mx.example",
                Some("the MX records are no longer protected by DNSSEC"),
            ),
        ]);
        run(&[
            (0, Sts, "mx.example", None),
            (
                1,
                WebPki,
                "mx.example",
                Some("no MTA-STS policy is enforced any more"),
            ),
            // Long enough to be what is expected.
            (40, WebPki, "mx.example", None),
            (41, Encrypted, "mx.example", None),
        ]);
        run(&[
            (0, Pinned, "mx.example", None),
            (1, Plaintext, "mx.example", None),
            (2, DaneInsecureMx, "mx.example", None),
            (3, Sts, "mx.example", None),
            (4, Dane, "mx.example", None),
        ]);
    }

    #[test]
    fn that_all_is_well_is_written_once_a_day() {
        let dane = achieved(SessionSecurity::Dane, "mx.example");
        let mut known = None;
        let mut written = 0;
        for hour in 0..240 {
            let found = compare(known.as_ref(), &dane, Moment(hour * DAY / 24));
            written += usize::from(found.write.is_some());
            known = found.write.or(known);
        }
        assert_eq!(written, 10);
        let plain = achieved(SessionSecurity::Plaintext, "mx.example");
        assert_eq!(compare(None, &plain, Moment(0)), Comparison::default());
    }
}
