//! Verdicts on resolvers: what a portrait means for mail, by the part the resolver plays. Pure.

use super::check::{Area, Check, Verdict, shown};
use super::kind::{Kind, Loss, Passage, Portrait};
use super::observe::Asked;
use std::net::SocketAddr;
use std::time::Duration;

/// The part a resolver plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Its AD bit is believed (`[dns] mode = "ad"`).
    Validator,
    /// Its answers are validated here (`[dns] mode = "forward"`).
    Source,
    /// Other programs of this machine ask it (resolv.conf); Elsinore resolves by itself.
    Bystander,
}

impl Role {
    const fn is_used(self) -> bool {
        matches!(self, Self::Validator | Self::Source)
    }
}

const NOT_OURS: &str = "Elsinore resolves by itself and does not use it; other mail software on \
                        this machine, such as Postfix, does.";

/// One resolver and what it showed.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) server: SocketAddr,
    pub(crate) role: Role,
    pub(crate) portrait: Portrait,
    pub(crate) asked: Asked,
}

/// The lines about all resolvers. A dead upstream is no more than a warning where another one does
/// what is needed.
pub(crate) fn judge(cases: &[Case], slow: Duration) -> Vec<Check> {
    let is_fit =
        |case: &&Case| (lines(case, slow).iter()).all(|check| check.verdict < Verdict::Unknown);
    let another = cases
        .iter()
        .any(|case| case.role.is_used() && is_fit(&case));
    let mut checks = Vec::new();
    for case in cases {
        let spared = another && case.role.is_used() && is_absent(case.portrait.kind);
        for mut check in lines(case, slow) {
            if spared && check.verdict > Verdict::Warn {
                check.verdict = Verdict::Warn;
                check.text.push_str("; another upstream is used");
            }
            checks.push(check);
        }
    }
    checks
}

/// Whether a resolver of that kind gives no answers, rather than wrong ones.
const fn is_absent(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Dead(_) | Kind::Garbled | Kind::Refusing | Kind::Failing | Kind::NoRecursion
    )
}

fn lines(case: &Case, slow: Duration) -> Vec<Check> {
    let mut checks = vec![about_kind(case)];
    let kind = case.portrait.kind;
    if !is_absent(kind) && !matches!(kind, Kind::NoEdns | Kind::TcpOnly) {
        checks.extend(about_passages(case));
        checks.extend(about_speed(case, slow));
    }
    for check in &mut checks {
        check.subject = Some(shown(case.server));
    }
    checks
}

/// Whether a resolver could be the upstream of mode `forward`.
pub(crate) fn could_be_source(case: &Case) -> bool {
    let source = Case {
        role: Role::Source,
        ..case.clone()
    };
    (lines(&source, Duration::MAX).iter()).all(|check| check.verdict < Verdict::Unknown)
        && case.portrait.signatures == Passage::Passed
}

/// The name a verdict on forgeries rests on.
fn forged(case: &Case) -> String {
    (case.asked.bogus.as_ref()).map_or_else(
        || "a forged name".to_owned(),
        |name| name.0.name.to_string(),
    )
}

fn secure(case: &Case) -> String {
    (case.asked.secure.as_ref()).map_or_else(
        || "a signed name".to_owned(),
        |name| name.0.name.to_string(),
    )
}

fn about_kind(case: &Case) -> Check {
    use Role::{Bystander, Source, Validator};
    use Verdict::{Fail, Note, Ok, Unknown, Warn};
    let (role, portrait) = (case.role, &case.portrait);
    let remote = !case.server.ip().to_canonical().is_loopback();
    let new =
        |verdict, text: String| Check::new(verdict, Area::Resolver, portrait.kind.word(), text);
    let check = match portrait.kind {
        Kind::Validating if role == Bystander && remote => new(
            Note,
            format!("validates; {}; not on this machine", passes(portrait)),
        )
        .advise(
            "On the way from another machine anybody can set its AD bit, so mail software here must \
             not believe it (RFC 7672 §2.1.1). Elsinore resolves by itself and does not.",
        ),
        Kind::Validating => new(Ok, format!("validates; {}", passes(portrait))),
        Kind::SaysSecure => new(
            match role {
                Validator => Unknown,
                Source => Ok,
                Bystander => Note,
            },
            format!("sets AD for {}; whether it rejects forgeries is not known", secure(case)),
        )
        .advise(
            "No name that is known to be forged could be asked for ([doctor] bogus), so a permissive \
             resolver could not be told from a validating one.",
        ),
        Kind::Permissive => permissive(case),
        Kind::Silent => match role {
            Validator => new(Fail, "validates, but never sets AD".to_owned()).advise(
                "In mode \"ad\" nothing would ever count as signed, and DANE would never be used. \
                 Something between here and the validator clears the bit, or it is set not to give \
                 it. Use mode \"recursive\" or \"forward\".",
            ),
            Source => new(Ok, format!("validates, without AD; {}", passes(portrait))),
            Bystander => new(Warn, "validates, but never sets AD".to_owned()).advise(format!(
                "Programs that rely on it find no DANE anywhere. {NOT_OURS}"
            )),
        },
        Kind::NotValidating => match role {
            Validator => new(Fail, format!("does not validate: {} answered", forged(case))).advise(
                "In mode \"ad\" nothing would ever count as signed, and forged answers would be \
                 believed. Use mode \"recursive\" or \"forward\", or a validating resolver.",
            ),
            Source => new(
                Ok,
                format!("does not validate, which is done here; {}", passes(portrait)),
            ),
            Bystander => new(Warn, format!("does not validate: {} answered", forged(case)))
                .advise(format!(
                    "Programs that rely on it can do no DANE and believe forged answers. {NOT_OURS}"
                )),
        },
        Kind::Blind => new(
            if role == Validator { Fail } else { Warn },
            "sets AD on everything, unsigned or forged".to_owned(),
        )
        .advise(match role {
            Validator => {
                "Its AD bit means nothing: forged answers would count as signed. Use mode \
                 \"recursive\" or \"forward\"."
                    .to_owned()
            }
            Source => "Its AD bit means nothing; signatures are checked here, so mail is safe."
                .to_owned(),
            Bystander => format!("Its AD bit means nothing. {NOT_OURS}"),
        }),
        Kind::RejectsSigned => {
            let verdict = match (role, portrait.unchecked) {
                (Bystander, _) | (Source, Passage::Passed) => Warn,
                _ => Fail,
            };
            new(verdict, "rejects every signed name, good ones too".to_owned()).advise(
                "A validator does that when its clock or its trust anchor is wrong, or when it \
                 cannot get signatures itself. Look at the clock of its machine and at its log.",
            )
        }
        Kind::TcpOnly => new(
            if role == Bystander { Warn } else { Fail },
            "answers over TCP, and not over UDP".to_owned(),
        )
        .advise("Questions go over UDP first. Let UDP port 53 through, and the replies back."),
        Kind::NoEdns => new(
            if role == Bystander { Warn } else { Fail },
            "knows no EDNS: it can pass no signature".to_owned(),
        )
        .advise("It, or something in front of it, is older than DNSSEC. Replace it."),
        kind if is_absent(kind) => absent(case),
        _ => new(
            if role == Bystander { Warn } else { Unknown },
            format!("answers, but not for {}", secure(case)),
        )
        .advise("What it does with signatures could not be found out. Try again later."),
    };
    described(check, portrait)
}

/// The resolver of the Go6lab article.
fn permissive(case: &Case) -> Check {
    let (verdict, meaning) = match case.role {
        Role::Validator => (
            Verdict::Fail,
            "In mode \"ad\" whoever can forge DNS takes DANE away: mail is handed to servers that \
             nobody authenticated. Use mode \"recursive\" or \"forward\", where signatures are \
             checked here, or turn permissive mode off.",
        ),
        Role::Source => (
            Verdict::Warn,
            "In mode \"forward\" signatures are checked here, so mail is safe. Other programs on \
             this machine that ask it are not: turn permissive mode off.",
        ),
        Role::Bystander => (
            Verdict::Warn,
            "Mail software that relies on it, such as Postfix, loses DANE to whoever can forge DNS, \
             and does not notice. Elsinore resolves by itself and is safe. Turn permissive mode \
             off.",
        ),
    };
    let bogus = forged(case);
    Check::new(
        verdict,
        Area::Resolver,
        Kind::Permissive.word(),
        format!("permissive: hands out forged data ({bogus})"),
    )
    .advise(format!(
        "It validates ({} comes with AD), finds {bogus} forged, and answers it all the same, \
         without AD, as it answers for unsigned domains (Unbound: val-permissive-mode: yes). \
         {meaning}",
        secure(case)
    ))
}

fn absent(case: &Case) -> Check {
    let verdict = if case.role == Role::Bystander {
        Verdict::Warn
    } else {
        Verdict::Fail
    };
    let kind = case.portrait.kind;
    let (text, advice) = match kind {
        Kind::Dead(Some(obstacle)) => (
            format!("no answer: {}", obstacle.words()),
            "Start it, or take it out of the list.",
        ),
        Kind::Dead(None) => (
            "no answer, neither over UDP nor over TCP".to_owned(),
            "It is down, or a firewall drops questions or replies.",
        ),
        Kind::Garbled => (
            "answers, but not with DNS".to_owned(),
            "Something else listens there, or something on the way rewrites replies.",
        ),
        Kind::Refusing => (
            "refuses to answer this machine (REFUSED)".to_owned(),
            "Its access list does not have this machine, or it is no resolver.",
        ),
        Kind::NoRecursion => (
            "does not resolve: it answers for its own zones only".to_owned(),
            "It is an authoritative server. Ask a resolver instead.",
        ),
        _ => (
            "resolves nothing (SERVFAIL)".to_owned(),
            "It is up, and its own way to the world is broken. Look at its log.",
        ),
    };
    let others = match case.role {
        Role::Bystander => format!(" {NOT_OURS}"),
        Role::Validator | Role::Source => String::new(),
    };
    Check::new(verdict, Area::Resolver, kind.word(), text).advise(format!("{advice}{others}"))
}

/// What passes, in a few words.
fn passes(portrait: &Portrait) -> String {
    let mut what = Vec::new();
    for (passage, word) in [
        (portrait.signatures, "RRSIG"),
        (portrait.tlsa, "TLSA"),
        (portrait.tcp, "TCP"),
    ] {
        if passage == Passage::Passed {
            what.push(word);
        }
    }
    let mut text = match what.as_slice() {
        [] => "passes nothing of DNSSEC".to_owned(),
        what => format!("passes {}", what.join(", ")),
    };
    if portrait.reasons == Passage::Passed {
        text.push_str("; gives EDE");
    }
    text
}

fn described(check: Check, portrait: &Portrait) -> Check {
    let mut check = check
        .detail("rrsig", portrait.signatures.word())
        .detail("tlsa", portrait.tlsa.word())
        .detail("udp", portrait.udp.word())
        .detail("tcp", portrait.tcp.word())
        .detail("large_answers", portrait.large.word())
        .detail("ad_without_do", portrait.verdict.word())
        .detail("cd", portrait.unchecked.word())
        .detail("ede", portrait.reasons.word());
    if let Some(fastest) = portrait.fastest {
        check = check.detail("milliseconds", fastest.as_millis().to_string());
    }
    check
}

/// What a resolver loses.
fn about_passages(case: &Case) -> Vec<Check> {
    let (role, portrait) = (case.role, &case.portrait);
    let lost = if role.is_used() {
        Verdict::Fail
    } else {
        Verdict::Warn
    };
    let mut checks = Vec::new();
    let mut add = |verdict, finding, text: String, advice: &str| {
        checks.push(Check::new(verdict, Area::Resolver, finding, text).advise(advice));
    };
    if let Some(loss) = portrait.signatures.loss() {
        let verdict = match role {
            Role::Source => Verdict::Fail,
            Role::Validator | Role::Bystander => Verdict::Warn,
        };
        add(
            verdict,
            "strips-signatures",
            format!("strips signatures: RRSIG {}", came(loss)),
            "Nobody behind it can validate. A home router or a middlebox in front of a resolver does \
             this; ask the resolver itself, or use mode \"recursive\".",
        );
    }
    if let Some(loss) = portrait.tlsa.loss() {
        add(
            lost,
            "loses-tlsa",
            format!("loses questions of type TLSA: {}", came(loss)),
            "Every signed MX host would be skipped and its mail deferred, since a failed TLSA lookup \
             is never taken for an absence (RFC 7672 §2.1.2). Use mode \"recursive\", or another \
             resolver.",
        );
    }
    if let Some(loss) = portrait.tcp.loss().or(portrait.large.loss()) {
        add(
            lost,
            "no-tcp",
            format!("no answers over TCP: {}", came(loss)),
            "Answers too large for a datagram (many TLSA records, keys) cannot be had. Let TCP port \
             53 through and switch it on (Unbound: do-tcp: yes).",
        );
    }
    if let (Role::Source, Some(_)) = (role, portrait.unchecked.loss()) {
        add(
            Verdict::Warn,
            "ignores-cd",
            "ignores CD: what it rejects cannot be looked at".to_owned(),
            "A domain whose signatures are wrong and a domain that is down then look alike. Mail \
             waits in both cases.",
        );
    }
    if let (Role::Validator, Some(_)) = (role, portrait.reasons.loss()) {
        add(
            Verdict::Note,
            "no-reasons",
            "gives no reasons with SERVFAIL (EDE, RFC 8914)".to_owned(),
            "Wrong signatures and servers that are down then look alike in the results. Unbound gives \
             reasons with ede: yes.",
        );
    }
    checks
}

fn about_speed(case: &Case, slow: Duration) -> Option<Check> {
    let fastest = case.portrait.fastest.filter(|fastest| *fastest >= slow)?;
    let check = Check::new(
        Verdict::Warn,
        Area::Resolver,
        "slow",
        format!("slow: its fastest answer took {}", span(fastest)),
    );
    Some(check.advise(
        "A lookup of a new domain takes many such answers, and may run out of time. Look at its load \
         and at the network between.",
    ))
}

/// A duration as people say it.
fn span(time: Duration) -> String {
    if time.as_millis() < 1_000 {
        format!("{} ms", time.as_millis())
    } else {
        format!("{}.{} s", time.as_secs(), time.subsec_millis() / 100)
    }
}

/// What came instead.
fn came(loss: Loss) -> String {
    match loss {
        Loss::LeftOut => "left out of the answer".to_owned(),
        Loss::Error(rcode) => format!("{} instead", rcode_word(rcode)),
        Loss::Silence => "no answer in time".to_owned(),
        Loss::Obstacle(obstacle) => obstacle.words().to_owned(),
        Loss::Garbage => "something malformed".to_owned(),
    }
}

/// A response code by name.
pub(crate) fn rcode_word(rcode: u16) -> String {
    match rcode {
        0 => "NOERROR".to_owned(),
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        16 => "BADVERS".to_owned(),
        other => format!("code {other}"),
    }
}

#[cfg(test)]
mod tests;
