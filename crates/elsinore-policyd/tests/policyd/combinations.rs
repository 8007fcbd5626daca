//! Every combination of hosts: Postfix, told what the mapping says and looking things up by itself,
//! is never weaker for any host than what the recipient announced, and is not stopped where nothing
//! could have protected anything.

use crate::house::{host_name, plan, policy, sts};
use elsinore_dane::mta_sts::StsMode;
use elsinore_policyd::mapping::{Answer, PolicyWord, Row, map};

/// What Postfix does with a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Skips,
    /// Authenticates by TLSA records.
    Dane,
    /// Wants a certificate for the host's own name.
    OwnName,
    Encrypts,
    Leaves,
}

/// Postfix at `word` with a host that in truth stands as `letter` says (`postfix.md`: level `dane`
/// judges by its own lookups, `secure` does not look TLSA records up).
fn postfix(word: &PolicyWord, letter: char, name: &str) -> Does {
    match (word, letter) {
        (PolicyWord::May | PolicyWord::None, _) => Does::Leaves,
        (PolicyWord::Encrypt, _) => Does::Encrypts,
        (PolicyWord::Dane, 'P' | 'I' | 'B') | (PolicyWord::DaneOnly, 'P') => Does::Dane,
        (PolicyWord::DaneOnly, _) | (PolicyWord::Dane, 'F') => Does::Skips,
        (PolicyWord::Dane, 'E') => Does::Encrypts,
        (PolicyWord::Dane, _) => Does::Leaves,
        (PolicyWord::Secure(names) | PolicyWord::Verify(names), _) => {
            // A host whose name is not accepted could only pass with another's certificate.
            if names.iter().any(|one| one == name) {
                Does::OwnName
            } else {
                Does::Skips
            }
        }
        (PolicyWord::Fingerprint(_), _) => Does::Skips,
    }
}

/// Whether that is at least what `letter` announces.
fn is_enough(does: Does, letter: char) -> bool {
    match letter {
        'P' => matches!(does, Does::Dane | Does::Skips),
        // Under an insecure MX the policy stands for both (row insecure-mx-dane-and-sts).
        'I' => matches!(does, Does::Dane | Does::OwnName | Does::Skips),
        'B' | 'S' => matches!(does, Does::OwnName | Does::Skips),
        'E' => does != Does::Leaves,
        'U' | 'F' => does == Does::Skips,
        _ => true,
    }
}

/// What a host may be in truth when we could not find it out: whatever its MX list allows. Where no
/// host made us ask for the policy, there may be one as well.
fn truths(letter: char, secure: bool, asked_for_sts: bool, enforced: bool) -> Vec<char> {
    match letter {
        'A' | 'R' | 'Z' => {
            let mut truths = vec!['F', if secure { 'P' } else { 'I' }];
            truths.push('E');
            truths.push(if enforced { 'S' } else { 'O' });
            if !asked_for_sts {
                truths.push('S');
            }
            truths
        }
        known => vec![known],
    }
}

#[test]
fn never_weaker_for_any_host() {
    let mut count = 0;
    for secure in [true, false] {
        for enforced in [true, false] {
            let letters: Vec<char> = match (secure, enforced) {
                (true, true) => "PSUFZARN".chars().collect(),
                (true, false) => "PEOFZARN".chars().collect(),
                (false, true) => "BSUFZARN".chars().collect(),
                (false, false) => "IEOFZARN".chars().collect(),
            };
            for combination in combinations(&letters) {
                count += 1;
                check(&combination, secure, enforced);
            }
        }
    }
    assert!(count > 1500, "{count}");
}

fn combinations(letters: &[char]) -> Vec<String> {
    let mut all: Vec<String> = vec![String::new()];
    let mut longer = all.clone();
    for _ in 0..3 {
        longer = longer
            .iter()
            .flat_map(|one| letters.iter().map(move |letter| format!("{one}{letter}")))
            .collect();
        all.extend(longer.iter().cloned());
    }
    // A plan whose hosts are all skipped is a refusal of the engine's, not a list of hosts.
    all.retain(|one| one.chars().any(|letter| "PIBSEO".contains(letter)));
    all
}

fn check(letters: &str, secure: bool, enforced: bool) {
    let asked_for_sts = letters.contains(['S', 'B', 'E', 'O', 'I', 'U']);
    let policy_known = enforced && asked_for_sts;
    let plan = plan(letters, secure, policy_known.then(|| sts(StsMode::Enforce)));
    let mapped = map(&policy(), &plan);
    let Answer::Policy { word, sts } = &mapped.answer else {
        panic!("{letters}: mail could go, and is stopped: {mapped:?}");
    };
    for (index, letter) in letters.chars().enumerate() {
        let name = host_name(index);
        for truth in truths(letter, secure, asked_for_sts, enforced) {
            let does = postfix(word, truth, &name);
            // An unlisted host has another name, which no answer holds.
            let does = if letter == 'U' {
                postfix(word, 'U', "elsewhere")
            } else {
                does
            };
            // Of a host with no policy bound to it and TLSA lookups that fail, Postfix' own fail too.
            assert!(
                is_enough(does, truth) || (truth == 'F' && !secure && enforced && letter != 'F'),
                "{letters} secure={secure} enforced={enforced}: host {index} is {truth}, {does:?} by {mapped:?}"
            );
            if sts.is_some() && letter != 'U' && "FZAR".contains(letter) {
                assert!(!secure, "{letters}: the patterns would let host {index} in");
            }
        }
    }
    // Whoever could be reached without TLSA records or a policy still can.
    let open = letters.contains('O') && !letters.contains('P');
    if open {
        assert!(
            matches!(word, PolicyWord::May | PolicyWord::Dane),
            "{letters}: {mapped:?}"
        );
    }
    if letters.chars().all(|letter| "ON".contains(letter)) {
        assert_eq!(mapped.row, Row::Nothing, "{letters}");
    }
}
