//! Questions to servers, as they stand in a bundle.

use super::BundleError;
use super::words::{CAUSES, bounded, decode, encode, micros, moment, name, of_word, to_word};
use elsinore_dane::answer::{ExtendedError, Question, RecordType};
use elsinore_net::resolver::tape::{Asked, TapeEntry, TapeFailure, TapeOutcome};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// Octets of one reply: what TCP can carry (RFC 1035 §4.2.2).
const MOST_REPLY: usize = 65_535;

/// One question and what came of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    asked: Whom,
    name: String,
    record_type: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server: Option<SocketAddr>,
    sent_at: i64,
    elapsed_us: u64,
    outcome: Outcome,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Whom {
    Zone(String),
    Resolvers(String),
    Udp(SocketAddr),
    Tcp(SocketAddr),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Outcome {
    Reply(String),
    Failed(Failure),
    Abandoned,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    cause: String,
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extended_error: Option<Extended>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extended {
    code: u16,
    text: String,
}

impl Entry {
    pub(super) fn of(entry: &TapeEntry) -> Self {
        let zone = |name: &elsinore_dane::name::DomainName| name.as_str().to_owned();
        Self {
            asked: match &entry.asked {
                Asked::Zone(name) => Whom::Zone(zone(name)),
                Asked::Resolvers(name) => Whom::Resolvers(zone(name)),
                Asked::ServerByUdp(server) => Whom::Udp(*server),
                Asked::ServerByTcp(server) => Whom::Tcp(*server),
            },
            name: entry.question.name.as_str().to_owned(),
            record_type: entry.question.record_type.code(),
            server: entry.server,
            sent_at: entry.sent.0,
            elapsed_us: micros(entry.elapsed),
            outcome: match &entry.outcome {
                TapeOutcome::Reply(wire) => Outcome::Reply(encode(wire)),
                TapeOutcome::Failed(failure) => Outcome::Failed(Failure {
                    cause: to_word(&failure.cause, CAUSES, "unreachable"),
                    reason: bounded(&failure.reason),
                    extended_error: failure.ede.as_ref().map(|ede| Extended {
                        code: ede.code,
                        text: bounded(&ede.text),
                    }),
                }),
                TapeOutcome::Abandoned => Outcome::Abandoned,
            },
        }
    }

    pub(super) fn read(self, place: &str) -> Result<TapeEntry, BundleError> {
        let question = Question::new(
            name(place, &self.name)?,
            RecordType::from_code(self.record_type),
        );
        Ok(TapeEntry {
            asked: match self.asked {
                Whom::Zone(zone) => Asked::Zone(name(place, &zone)?),
                Whom::Resolvers(zone) => Asked::Resolvers(name(place, &zone)?),
                Whom::Udp(server) => Asked::ServerByUdp(server),
                Whom::Tcp(server) => Asked::ServerByTcp(server),
            },
            question,
            server: self.server,
            sent: moment(place, self.sent_at)?,
            elapsed: Duration::from_micros(self.elapsed_us),
            outcome: match self.outcome {
                Outcome::Reply(text) => {
                    TapeOutcome::Reply(decode(place, &text, MOST_REPLY)?.into())
                }
                Outcome::Failed(failure) => TapeOutcome::Failed(TapeFailure {
                    cause: of_word(place, &failure.cause, CAUSES)?,
                    reason: bounded(&failure.reason),
                    ede: failure.extended_error.map(|extended| ExtendedError {
                        code: extended.code,
                        text: bounded(&extended.text),
                    }),
                }),
                Outcome::Abandoned => TapeOutcome::Abandoned,
            },
        })
    }
}
