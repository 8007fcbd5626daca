//! Situation, state, sentence: one row each.
//!
//! A situation is written in segments between semicolons. The first is the way to the hosts:
//! `secure`, `insecure`, `implicit`, `implicit-insecure`, `bounce CODE REASON`, `defer CODE REASON`,
//! `timeout`. Then hosts, `NAME OBLIGATION: ADDRESS, ADDRESS`, where the obligation is `dane`,
//! `sts`, `dane+sts`, `sts-unusable` (beside TLSA records of no use), `pins`, `may`, `encrypt` (the same) or the word of a skip reason, with a trailing `!` when the
//! host's addresses are not signed, and an address is `met WORD`, `part WORD REASON`,
//! `failed REASON`, `lost REASON`. Then remarks: `ours REASON`, `overridden`, `bound` (the sender
//! gives up before it comes to what would take the mail), `sts-only refuses REASON`.

use super::standing::{AddressStanding, HostStanding, Route, Standing, StsOnly, Trust};
use super::state::state;
use crate::report::{AddressState, Security, State};
use elsinore_dane::obligation::SkipReason;
use elsinore_dane::plan::EnhancedCode;
use elsinore_net::deliver::SessionSecurity;

const SKIPS: [SkipReason; 8] = [
    SkipReason::AddressLookupFailed,
    SkipReason::NoAddress,
    SkipReason::AddressesRefused,
    SkipReason::ZoneStatusUnknown,
    SkipReason::TlsaLookupFailed,
    SkipReason::StsMismatch,
    SkipReason::DaneOnlyInsecureMx,
    SkipReason::Unverifiable,
];

const WORDS: [SessionSecurity; 7] = [
    SessionSecurity::Dane,
    SessionSecurity::DaneInsecureMx,
    SessionSecurity::Sts,
    SessionSecurity::Pinned,
    SessionSecurity::WebPki,
    SessionSecurity::Encrypted,
    SessionSecurity::Plaintext,
];

fn read(situation: &str) -> Standing {
    let mut segments = situation.split(';').map(str::trim);
    let way = segments.next().unwrap_or_default();
    let (kind, rest) = way.split_once(' ').unwrap_or((way, ""));
    let refused = |bounce| {
        let (code, reason) = rest.split_once(' ').unwrap();
        let digits: Vec<u16> = code.split('.').map(|one| one.parse().unwrap()).collect();
        let class = u8::try_from(digits[0]).unwrap();
        Route::Refused {
            bounce,
            code: EnhancedCode::new(class, digits[1], digits[2]),
            reason: reason.to_owned(),
        }
    };
    let route = match kind {
        "bounce" => refused(true),
        "defer" => refused(false),
        "timeout" => Route::TimedOut,
        "secure" | "insecure" | "implicit" | "implicit-insecure" => Route::Hosts,
        other => panic!("{other}"),
    };
    let secure = matches!(kind, "secure" | "implicit");
    let mut standing = Standing {
        domain: "example.org".to_owned(),
        our_dns: None,
        route,
        mx: Trust {
            secure,
            implicit: kind.starts_with("implicit"),
            reason: (!secure).then(|| "org shows a delegation without DS".to_owned()),
        },
        hosts: Vec::new(),
        delivers: false,
        sts_only: StsOnly {
            delivers: true,
            authenticates: false,
            refused: None,
        },
        overridden: false,
    };
    let mut bound = false;
    for segment in segments {
        if let Some(reason) = segment.strip_prefix("ours ") {
            standing.our_dns = Some(reason.to_owned());
        } else if let Some(reason) = segment.strip_prefix("sts-only refuses ") {
            standing.sts_only.refused = Some(reason.to_owned());
        } else if segment == "overridden" {
            standing.overridden = true;
        } else if segment == "bound" {
            bound = true;
        } else {
            standing.hosts.push(host(segment));
        }
    }
    let addresses = standing.hosts.iter().flat_map(|host| &host.addresses);
    let mut states = addresses.map(|address| address.state);
    standing.delivers =
        !bound && states.any(|one| matches!(one, AddressState::Met | AddressState::MetInPart));
    standing
}

fn host(segment: &str) -> HostStanding {
    let (head, addresses) = segment.split_once(':').unwrap_or((segment, ""));
    let (name, obligation) = head.split_once(' ').unwrap();
    let unsigned = obligation.ends_with('!');
    let obligation = obligation.trim_end_matches('!');
    let skip = SKIPS.into_iter().find(|skip| skip.word() == obligation);
    assert!(
        skip.is_some()
            || [
                "dane",
                "dane+sts",
                "sts",
                "sts-unusable",
                "pins",
                "may",
                "encrypt"
            ]
            .contains(&obligation),
        "{obligation}"
    );
    HostStanding {
        name: name.to_owned(),
        skip,
        detail: (skip == Some(SkipReason::TlsaLookupFailed)).then(|| "SERVFAIL".to_owned()),
        dane: matches!(obligation, "dane" | "dane+sts"),
        sts: matches!(obligation, "sts" | "sts-unusable" | "dane+sts"),
        authenticate: matches!(
            obligation,
            "dane" | "dane+sts" | "sts" | "sts-unusable" | "pins"
        ),
        encrypt: obligation == "encrypt",
        unusable: matches!(obligation, "encrypt" | "sts-unusable"),
        addresses_secure: if unsigned {
            Security::Insecure
        } else {
            Security::Secure
        },
        addresses_reason: unsigned.then(|| "no DS".to_owned()),
        lost_family: None,
        addresses: (addresses.split(',').map(str::trim))
            .filter(|one| !one.is_empty())
            .enumerate()
            .map(|(index, one)| address(index + 1, one))
            .collect(),
    }
}

fn address(index: usize, text: &str) -> AddressStanding {
    let (kind, rest) = text.split_once(' ').unwrap();
    let (word, why) = rest.split_once(' ').unwrap_or((rest, ""));
    let (state, word, reason) = match kind {
        "met" => (AddressState::Met, Some(word), None),
        "part" => (AddressState::MetInPart, Some(word), Some(why)),
        "failed" => (AddressState::Failed, None, Some(rest)),
        "lost" => (AddressState::Inconclusive, None, Some(rest)),
        other => panic!("{other}"),
    };
    AddressStanding {
        address: format!("192.0.2.{index}"),
        state,
        reason: reason.map(ToOwned::to_owned),
        security: word.map(|word| WORDS.into_iter().find(|one| one.word() == word).unwrap()),
    }
}

use State::{CouldNotTell, NotProtected, PartlyProtected, Protected, Refused};

const ROWS: &[(&str, State, &str)] = include!("state_rows.in");

#[test]
fn situations() {
    let mut faults = Vec::new();
    for (situation, expected, sentence) in ROWS {
        let (found, said) = state(&read(situation));
        if (found, said.as_str()) != (*expected, *sentence) {
            faults.push(format!("{situation}\n  {found:?}: {said}"));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// What was not reached never makes a state look better, nor worse than what was seen.
#[test]
fn the_unreached_decide_nothing() {
    for (situation, expected, _) in ROWS {
        if situation.contains("lost") || !situation.contains("met") {
            continue;
        }
        // One more address of the first host that is contacted.
        let mut standing = read(situation);
        let Some(host) = standing
            .hosts
            .iter_mut()
            .find(|host| !host.addresses.is_empty())
        else {
            continue;
        };
        host.addresses.push(address(9, "lost connection timed out"));
        let (found, _) = state(&standing);
        let may_change = *expected == Refused
            || (*expected == NotProtected && standing.hosts.iter().any(|host| host.authenticate));
        match may_change {
            true => assert!(
                found == *expected || found == CouldNotTell,
                "{situation}: {found:?}"
            ),
            false => assert_eq!(found, *expected, "{situation}"),
        }
    }
}
