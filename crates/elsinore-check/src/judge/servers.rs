//! Name servers that answer differently: what most say, and who does not.

use super::text;
use crate::report::{ServerAnswer, ZoneServers};
use std::collections::BTreeMap;

/// What two servers can agree on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    /// Whether it is an answer without error: of equal numbers, those count more.
    failed: bool,
    result: String,
    records: Vec<String>,
}

impl Said {
    fn of(answer: &ServerAnswer) -> Self {
        let mut records = answer.records.clone();
        records.sort();
        Self {
            failed: answer.result != "NOERROR",
            result: answer.result.clone(),
            records,
        }
    }
}

/// Makes text printable and fills in [`ServerAnswer::differs`].
///
/// What most addresses say is taken for what is meant. Of equal numbers an answer without error
/// wins, then one with more records, then the one that sorts first: who is *odd* is then a
/// convention, and the text names what the other side says.
pub(super) fn servers(zones: &[ZoneServers]) -> Vec<ZoneServers> {
    let mut zones = zones.to_vec();
    for zone in &mut zones {
        let mut votes: BTreeMap<(String, String), BTreeMap<Said, usize>> = BTreeMap::new();
        let answers = zone.servers.iter().flat_map(|server| &server.answers);
        for answer in answers.filter(|answer| was_asked(answer)) {
            let question = (answer.name.clone(), answer.record_type.clone());
            *votes
                .entry(question)
                .or_default()
                .entry(Said::of(answer))
                .or_default() += 1;
        }
        let meant: BTreeMap<_, _> = votes
            .into_iter()
            .filter_map(|(question, said)| Some((question, majority(&said)?)))
            .collect();
        for server in &mut zone.servers {
            server.name = text::line(&server.name);
            for answer in &mut server.answers {
                let question = (answer.name.clone(), answer.record_type.clone());
                let most = meant.get(&question);
                answer.differs = most
                    .filter(|_| was_asked(answer))
                    .and_then(|(most, votes)| difference(&Said::of(answer), most, *votes));
                answer.name = text::line(&answer.name);
                answer.result = text::line(&answer.result);
                answer.records = (answer.records.iter().take(text::MANY))
                    .map(|one| text::record(one))
                    .collect();
            }
        }
    }
    zones
}

/// Whether the server was asked at all: `not contacted` and `not recorded` say nothing about it.
fn was_asked(answer: &ServerAnswer) -> bool {
    !answer.result.starts_with("not ")
}

fn majority(said: &BTreeMap<Said, usize>) -> Option<(Said, usize)> {
    let weight = |(said, votes): &(&Said, &usize)| (**votes, !said.failed, said.records.len());
    // The first of the best, in the order of the map.
    let mut best: Option<(&Said, &usize)> = None;
    for one in said {
        if best.is_none_or(|best| weight(&one) > weight(&best)) {
            best = Some(one);
        }
    }
    best.map(|(said, votes)| (said.clone(), *votes))
}

fn difference(said: &Said, most: &Said, votes: usize) -> Option<String> {
    if said == most {
        return None;
    }
    let others = match votes {
        1 => "another address answers".to_owned(),
        votes => format!("{votes} addresses answer"),
    };
    let text = if said.result != most.result {
        let records = match (most.failed, most.records.len()) {
            (true, _) => most.result.clone(),
            (false, 0) => "that there is none".to_owned(),
            (false, _) => "with records".to_owned(),
        };
        format!("{} where {others} {records}", said.result)
    } else {
        let lacking = most.records.iter().find(|one| !said.records.contains(one));
        let further = said.records.iter().find(|one| !most.records.contains(one));
        let short = |one: &String| elsinore_smtp::text::excerpt(one.as_bytes(), 80);
        match (lacking.map(short), further.map(short)) {
            (Some(lacking), Some(further)) => format!("has {further} where {others} {lacking}"),
            (Some(lacking), None) => format!("lacks {lacking}, which {others}"),
            (None, Some(further)) => {
                format!("has also {further}, which no other has where {others}")
            }
            (None, None) => format!("repeats records where {others} once"),
        }
    };
    Some(text::line(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::NameServer;

    fn zone(answers: &[(&str, &[&str])]) -> ZoneServers {
        let servers = answers
            .iter()
            .enumerate()
            .map(|(index, (result, records))| NameServer {
                name: format!("ns{index}.example"),
                in_delegation: true,
                in_zone: true,
                answers: vec![ServerAnswer {
                    address: format!("192.0.2.{index}"),
                    name: "example".to_owned(),
                    record_type: "TLSA".to_owned(),
                    result: (*result).to_owned(),
                    authoritative: true,
                    records: records.iter().map(|one| (*one).to_owned()).collect(),
                    octets: None,
                    tcp: None,
                    differs: None,
                    elapsed_ms: 1,
                }],
            });
        ZoneServers {
            zone: "example".to_owned(),
            servers: servers.collect(),
        }
    }

    #[test]
    fn the_odd_one_is_named() {
        type Case<'a> = (&'a [(&'a str, &'a [&'a str])], &'a [Option<&'a str>]);
        let cases: [Case<'_>; 9] = [
            (
                &[("NOERROR", &["a", "b"]), ("NOERROR", &["b", "a"])],
                &[None, None],
            ),
            (
                &[("NOERROR", &["a"]), ("NOERROR", &["a"]), ("SERVFAIL", &[])],
                &[
                    None,
                    None,
                    Some("SERVFAIL where 2 addresses answer with records"),
                ],
            ),
            // Of two, the one without error is believed, whatever their order.
            (
                &[("timeout", &[]), ("NOERROR", &["a"])],
                &[
                    Some("timeout where another address answers with records"),
                    None,
                ],
            ),
            (
                &[("NOERROR", &["a"]), ("REFUSED", &[])],
                &[
                    None,
                    Some("REFUSED where another address answers with records"),
                ],
            ),
            (
                &[("NOERROR", &["a", "b"]), ("NOERROR", &["a"])],
                &[None, Some("lacks b, which another address answers")],
            ),
            (
                &[
                    ("NOERROR", &["b"]),
                    ("NOERROR", &["a"]),
                    ("NOERROR", &["a"]),
                ],
                &[Some("has b where 2 addresses answer a"), None, None],
            ),
            (
                &[
                    ("not contacted", &[]),
                    ("not contacted", &[]),
                    ("NOERROR", &["a"]),
                ],
                &[None, None, None],
            ),
            (
                &[("NXDOMAIN", &[]), ("NXDOMAIN", &[]), ("NOERROR", &[])],
                &[
                    None,
                    None,
                    Some("NOERROR where 2 addresses answer NXDOMAIN"),
                ],
            ),
            (
                &[
                    ("NOERROR", &[]),
                    ("NOERROR", &[]),
                    ("NOERROR", &["\u{1b}[0m"]),
                ],
                &[
                    None,
                    None,
                    Some("has also \\u{1b}[0m, which no other has where 2 addresses answer"),
                ],
            ),
        ];
        for (answers, expected) in cases {
            let judged = servers(&[zone(answers)]);
            let found: Vec<_> = (judged[0].servers.iter())
                .map(|one| one.answers[0].differs.as_deref())
                .collect();
            assert_eq!(found, expected, "{answers:?}");
        }
    }
}
