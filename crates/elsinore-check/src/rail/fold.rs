//! Lanes that look the same are drawn once; the odd one is left standing.

use super::{Base, Branch, Lane, Node};

/// Puts each lane that looks like an earlier one among its twins.
pub(super) fn folded(lanes: Vec<Lane>) -> Vec<Lane> {
    let mut kept: Vec<(Vec<String>, Lane)> = Vec::new();
    for lane in lanes {
        let look = look(&lane);
        match kept.iter_mut().find(|(known, _)| *known == look) {
            Some((_, first)) => first.twins.push(lane.host),
            None => kept.push((look, lane)),
        }
    }
    kept.into_iter().map(|(_, lane)| lane).collect()
}

/// What a lane looks like when names, addresses and digests are taken away.
fn look(lane: &Lane) -> Vec<String> {
    let mut look = Vec::new();
    let mut see = |node: &Node| {
        let trouble = node
            .trouble
            .as_ref()
            .map(|trouble| plain_words(&trouble.reason));
        look.push(format!(
            "{:?} {:?} {} {:?} {}",
            node.kind,
            node.mark,
            node.word,
            trouble,
            node.notes.len()
        ));
    };
    see(&lane.host);
    lane.zones.iter().for_each(&mut see);
    lane.aliases.iter().for_each(&mut see);
    for Base { node, chips } in &lane.bases {
        see(node);
        for chip in chips {
            see(&chip.node);
        }
    }
    for Branch { node, sessions } in &lane.branches {
        see(node);
        for session in sessions {
            see(&session.node);
            for card in &session.certificates {
                see(&card.node);
            }
        }
    }
    look
}

/// A reason without the words that hold more than letters: names, addresses, numbers and digests
/// differ from host to host.
fn plain_words(reason: &str) -> Vec<&str> {
    let plain = |word: &&str| word.chars().all(|one| one.is_alphabetic() || one == ',');
    reason.split(' ').filter(plain).collect()
}
