//! What a resolver is, from what it did. Pure.

use super::ask::{Obstacle, Seen};
use super::observe::{Observed, lifeless};
use std::time::Duration;

const NOERROR: u16 = 0;
const FORMERR: u16 = 1;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const NOTIMP: u16 = 4;
const REFUSED: u16 = 5;
const BADVERS: u16 = 16;

/// What a resolver makes of DNSSEC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Rejects what is signed wrongly, and says which answers are secure.
    Validating,
    /// Knows which answers are secure, and hands out what is signed wrongly all the same, without
    /// AD: indistinguishable from an answer of an unsigned zone.
    Permissive,
    /// Rejects what is signed wrongly, but never sets AD, or something on the way clears it.
    Silent,
    /// Looks at no signature.
    NotValidating,
    /// Sets AD on whatever it answers.
    Blind,
    /// Says SERVFAIL for every signed name, good ones too, and has the data all the same.
    RejectsSigned,
    /// Answers neither signed nor unsigned names.
    Failing,
    /// Refuses to serve us.
    Refusing,
    /// Is no resolver: does not recurse for us.
    NoRecursion,
    /// Answers over TCP and not over UDP, which every question tries first.
    TcpOnly,
    /// Answers no EDNS question, so it can pass no signature.
    NoEdns,
    /// Sends octets that are no DNS.
    Garbled,
    /// Shows no sign of life: nothing at all, or the network's refusal.
    Dead(Option<Obstacle>),
    /// Sets AD on a good name; of a wrongly signed one nothing was to be learnt.
    SaysSecure,
    /// Answers, and nothing more could be told.
    Unclear,
}

impl Kind {
    /// The stable word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Validating => "validating",
            Self::Permissive => "permissive",
            Self::Silent => "validating-without-ad",
            Self::NotValidating => "not-validating",
            Self::Blind => "ad-on-everything",
            Self::RejectsSigned => "rejects-everything-signed",
            Self::Failing => "failing",
            Self::Refusing => "refusing",
            Self::NoRecursion => "no-recursion",
            Self::TcpOnly => "no-udp",
            Self::NoEdns => "no-edns",
            Self::Garbled => "no-dns",
            Self::Dead(_) => "dead",
            Self::SaysSecure => "says-secure",
            Self::Unclear => "unclear",
        }
    }
}

/// Whether something passes through a resolver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Passage {
    /// It does.
    Passed,
    /// It does not: what came instead.
    Lost(Loss),
    /// Not found out.
    Unknown,
}

/// What comes instead of what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Loss {
    /// An answer without it.
    LeftOut,
    /// An error.
    Error(u16),
    /// Nothing in time.
    Silence,
    /// The network's refusal.
    Obstacle(Obstacle),
    /// Octets that are no DNS.
    Garbage,
}

impl Passage {
    /// The stable word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Passed => "yes",
            Self::Lost(_) => "no",
            Self::Unknown => "unknown",
        }
    }

    /// What came instead, if anything is known to be lost.
    pub(crate) const fn loss(self) -> Option<Loss> {
        match self {
            Self::Lost(loss) => Some(loss),
            Self::Passed | Self::Unknown => None,
        }
    }
}

/// A resolver in all the respects that matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Portrait {
    pub(crate) kind: Kind,
    /// RRSIG records, when DO asks for them.
    pub(crate) signatures: Passage,
    /// Questions of type TLSA.
    pub(crate) tlsa: Passage,
    /// Questions over TCP.
    pub(crate) tcp: Passage,
    /// Answers that do not fit a datagram: cut, and whole over TCP.
    pub(crate) large: Passage,
    /// Questions over UDP.
    pub(crate) udp: Passage,
    /// AD for a question with AD and without DO (RFC 6840 §5.7, §5.8).
    pub(crate) verdict: Passage,
    /// CD: unchecked data on request (RFC 4035 §3.2.2).
    pub(crate) unchecked: Passage,
    /// A DNSSEC extended error beside SERVFAIL (RFC 8914 §4.7 to §4.13).
    pub(crate) reasons: Passage,
    /// The fastest reply.
    pub(crate) fastest: Option<Duration>,
}

/// Looks at everything a resolver did.
pub(crate) fn portray(seen: &Observed) -> Portrait {
    let kind = kind(seen);
    let signatures = signatures(seen);
    Portrait {
        kind,
        signatures,
        tlsa: tlsa(seen, signatures),
        tcp: passage(&seen.over_tcp, |_| true),
        udp: passage(&seen.plain, |_| true),
        large: large(seen),
        verdict: match kind {
            Kind::Validating | Kind::Permissive | Kind::SaysSecure => {
                passage(&seen.verdict, |told| told.authentic)
            }
            _ => Passage::Unknown,
        },
        unchecked: match (kind, seen.forged.rcode(), seen.forged_unchecked.rcode()) {
            (_, Some(SERVFAIL), Some(NOERROR | NXDOMAIN)) => Passage::Passed,
            (Kind::Validating | Kind::Silent, _, Some(rcode)) => Passage::Lost(Loss::Error(rcode)),
            _ => Passage::Unknown,
        },
        reasons: match (kind, seen.forged.told()) {
            (Kind::Validating | Kind::Silent, Some(told)) => match &told.ede {
                Some(ede) if matches!(ede.code, 6..=12) => Passage::Passed,
                _ => Passage::Lost(Loss::LeftOut),
            },
            _ => Passage::Unknown,
        },
        fastest: seen.all().iter().filter_map(|seen| seen.took()).min(),
    }
}

fn kind(seen: &Observed) -> Kind {
    if let Some(obstacle) = lifeless(seen) {
        return Kind::Dead(obstacle);
    }
    let rcodes: Vec<u16> = seen.all().iter().filter_map(|seen| seen.rcode()).collect();
    if rcodes.is_empty() {
        return Kind::Garbled;
    }
    if rcodes.iter().all(|rcode| *rcode == REFUSED) {
        return Kind::Refusing;
    }
    let told = |seen: &Seen| seen.told().cloned().unwrap_or_default();
    let mut recurses = seen.all().into_iter().filter_map(|seen| seen.told());
    let has_answer = |seen: &Seen| matches!(seen.rcode(), Some(NOERROR | NXDOMAIN));
    let (signed, unsigned, forged) = (&seen.signed, &seen.unsigned, &seen.forged);
    if recurses.all(|told| !told.recursion_available) && told(signed).data == 0 {
        return Kind::NoRecursion;
    }
    let lifeless = |seen: &Seen| matches!(seen, Seen::Silent | Seen::Obstacle(_));
    if lifeless(&seen.plain) && lifeless(signed) {
        return Kind::TcpOnly;
    }
    let no_edns = |seen: &Seen| matches!(seen.rcode(), Some(FORMERR | NOTIMP | BADVERS));
    if has_answer(&seen.plain) && no_edns(signed) {
        return Kind::NoEdns;
    }
    let authentic = |seen: &Seen| has_answer(seen) && told(seen).authentic;
    // What CD brings shows that a failure is the validator's and not the network's.
    let is_rejected = forged.rcode() == Some(SERVFAIL)
        && (has_answer(&seen.forged_unchecked)
            || told(forged)
                .ede
                .is_some_and(|ede| matches!(ede.code, 6..=12))
            || has_answer(signed));
    if authentic(unsigned) || authentic(forged) {
        return Kind::Blind;
    }
    if has_answer(signed) {
        return match (authentic(signed), has_answer(forged), is_rejected) {
            (true, true, _) => Kind::Permissive,
            (true, false, true) => Kind::Validating,
            (true, false, false) => Kind::SaysSecure,
            (false, true, _) => Kind::NotValidating,
            (false, false, true) => Kind::Silent,
            (false, false, false) => Kind::Unclear,
        };
    }
    if signed.rcode() == Some(SERVFAIL) {
        // Unsigned names fail with it when it cannot verify that they are unsigned.
        let unchecked_works = has_answer(&seen.forged_unchecked) || has_answer(&seen.tlsa);
        return if has_answer(unsigned) || unchecked_works {
            Kind::RejectsSigned
        } else {
            Kind::Failing
        };
    }
    Kind::Unclear
}

fn signatures(seen: &Observed) -> Passage {
    // With CD a validator that rejects the name still shows whether it passes signatures.
    let replies = [
        &seen.signed,
        &seen.over_tcp,
        &seen.forged_unchecked,
        &seen.tlsa,
    ];
    let passed = |seen: &&&Seen| seen.told().is_some_and(|told| !told.signatures.is_empty());
    if replies.iter().any(|reply| passed(&reply)) {
        return Passage::Passed;
    }
    match &seen.signed {
        Seen::Reply(told, _) if matches!(told.rcode, NOERROR | NXDOMAIN) => {
            Passage::Lost(Loss::LeftOut)
        }
        Seen::Reply(told, _) if matches!(told.rcode, FORMERR | NOTIMP | BADVERS) => {
            Passage::Lost(Loss::Error(told.rcode))
        }
        _ => Passage::Unknown,
    }
}

/// TLSA records, or a denial with its proof: where signatures pass, an answer without either was
/// made by somebody who does not know the type.
fn tlsa(seen: &Observed, signatures: Passage) -> Passage {
    let reached = matches!(seen.plain.rcode(), Some(NOERROR | NXDOMAIN));
    if !reached && seen.signed.rcode() != Some(NOERROR) {
        return Passage::Unknown;
    }
    match &seen.tlsa {
        Seen::Reply(told, _) => match told.rcode {
            NOERROR | NXDOMAIN if told.data > 0 || told.denials > 0 => Passage::Passed,
            NOERROR | NXDOMAIN if signatures == Passage::Passed => Passage::Lost(Loss::LeftOut),
            // Without signatures a denial looks the same whoever made it.
            NOERROR | NXDOMAIN => Passage::Unknown,
            rcode => Passage::Lost(Loss::Error(rcode)),
        },
        Seen::Silent => Passage::Lost(Loss::Silence),
        Seen::Garbage => Passage::Lost(Loss::Garbage),
        Seen::Obstacle(obstacle) => Passage::Lost(Loss::Obstacle(*obstacle)),
        Seen::NotAsked => Passage::Unknown,
    }
}

/// A large answer was cut and came whole over TCP. One that is small after all shows nothing.
fn large(seen: &Observed) -> Passage {
    const DATAGRAM: usize = 512;
    let whole = passage(&seen.whole, |told| {
        !told.truncated && matches!(told.rcode, NOERROR)
    });
    match (&seen.cramped, whole) {
        (Seen::Reply(told, _), Passage::Passed) if told.truncated => Passage::Passed,
        (Seen::Reply(told, _), Passage::Lost(loss)) if told.truncated => Passage::Lost(loss),
        (_, Passage::Passed) if seen.whole.told().is_some_and(|told| told.octets > DATAGRAM) => {
            Passage::Passed
        }
        (_, Passage::Lost(Loss::Error(_)) | Passage::Passed | Passage::Unknown) => Passage::Unknown,
        (_, lost @ Passage::Lost(_)) => lost,
    }
}

fn passage(seen: &Seen, good: impl Fn(&crate::resolver::probe::Told) -> bool) -> Passage {
    match seen {
        Seen::Reply(told, _) if good(told) => Passage::Passed,
        Seen::Reply(told, _) if matches!(told.rcode, NOERROR | NXDOMAIN) => {
            Passage::Lost(Loss::LeftOut)
        }
        Seen::Reply(told, _) => Passage::Lost(Loss::Error(told.rcode)),
        Seen::Silent => Passage::Lost(Loss::Silence),
        Seen::Garbage => Passage::Lost(Loss::Garbage),
        Seen::Obstacle(obstacle) => Passage::Lost(Loss::Obstacle(*obstacle)),
        Seen::NotAsked => Passage::Unknown,
    }
}

#[cfg(test)]
mod tests;
