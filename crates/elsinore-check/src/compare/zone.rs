//! Zones and name servers.

use super::{ChangeKind, Changes, Direction};
use crate::report::{Report, Security, Zone, ZoneServers};
use std::collections::BTreeSet;

/// DNSSEC of every zone that both reports have.
pub(super) fn zones(changes: &mut Changes, earlier: &Report, later: &Report) {
    // What a parent loses, its children lose with it: said once.
    let mut said = false;
    for zone in &later.zones {
        let Some(before) = earlier.zones.iter().find(|one| one.apex == zone.apex) else {
            continue;
        };
        if zone.security != before.security {
            if said && zone.security != Security::Bogus {
                continue;
            }
            said |= security(changes, before, zone);
        } else if zone.security == Security::Secure {
            keys(changes, before, zone);
        }
    }
}

/// Whether a change was pushed.
fn security(changes: &mut Changes, before: &Zone, zone: &Zone) -> bool {
    let apex = &zone.apex;
    let (direction, text) = match (before.security, zone.security) {
        // Nobody could tell once: no change of theirs.
        (Security::Indeterminate, _) | (_, Security::Indeterminate) => return false,
        (Security::Secure, Security::Insecure) => {
            let lost = !before.delegation.is_empty() && zone.delegation.is_empty();
            let text = match lost {
                true => format!(
                    "the DS record at the parent is lost: {apex} is no longer signed for anybody"
                ),
                false => format!("{apex} was secure, is insecure"),
            };
            (Direction::Worse, text)
        }
        (Security::Secure | Security::Insecure, Security::Bogus) => (
            Direction::Worse,
            format!("{apex} is bogus: nobody who validates reaches it"),
        ),
        (Security::Bogus, Security::Secure) => (
            Direction::Better,
            format!("{apex} was bogus, is secure again"),
        ),
        (Security::Bogus, Security::Insecure) => {
            (Direction::Better, format!("{apex} was bogus, is insecure"))
        }
        (Security::Insecure, Security::Secure) => (
            Direction::Better,
            format!("{apex} is now signed, with a DS record at the parent"),
        ),
        (Security::Secure, Security::Secure)
        | (Security::Insecure, Security::Insecure)
        | (Security::Bogus, Security::Bogus) => return false,
    };
    changes.because(ChangeKind::Zone, direction, apex, text, zone.reason.clone());
    true
}

fn keys(changes: &mut Changes, before: &Zone, zone: &Zone) {
    let set = |zone: &Zone| -> BTreeSet<(u16, u8, Option<u8>)> {
        (zone.delegation.iter())
            .map(|one| (one.tag, one.algorithm, one.digest_type))
            .collect()
    };
    let (was, is) = (set(before), set(zone));
    if was != is {
        let tags = |set: &BTreeSet<(u16, u8, Option<u8>)>| {
            let tags: Vec<String> = set.iter().map(|(tag, ..)| tag.to_string()).collect();
            tags.join(", ")
        };
        let what = if zone.apex == "." {
            "anchors were"
        } else {
            "DS records were"
        };
        let text = format!("the {what} {}, are {}", tags(&was), tags(&is));
        changes.push(ChangeKind::Zone, Direction::Neutral, &zone.apex, text);
    }
}

/// Name servers that came and went.
pub(super) fn name_servers(changes: &mut Changes, earlier: &Report, later: &Report) {
    let names = |zone: &ZoneServers| -> BTreeSet<String> {
        zone.servers.iter().map(|one| one.name.clone()).collect()
    };
    for zone in &later.servers {
        let Some(before) = earlier.servers.iter().find(|one| one.zone == zone.zone) else {
            continue;
        };
        let (was, is) = (names(before), names(zone));
        for (word, names) in [
            ("added", is.difference(&was)),
            ("gone", was.difference(&is)),
        ] {
            let names: Vec<&str> = names.map(String::as_str).collect();
            if !names.is_empty() {
                let text = format!("name servers {word}: {}", names.join(", "));
                changes.push(
                    ChangeKind::NameServers,
                    Direction::Neutral,
                    &zone.zone,
                    text,
                );
            }
        }
    }
}
