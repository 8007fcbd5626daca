//! Resolvers as data: a line of answers each, and what it makes of the resolver.

use super::*;
use crate::resolver::probe::{Signature, Told};
use elsinore_dane::answer::ExtendedError;
use elsinore_dane::name::DomainName;

/// An answer in short: `-` not asked, `.` silence, `!` refused, `%` garbage, else the response code
/// and letters: `d` data, `a` AD, `r` RA, `s` signature, `n` denial, `t` truncated, `e` a DNSSEC
/// extended error, `L` large.
fn seen(text: &str) -> Seen {
    let told = match text {
        "-" => return Seen::NotAsked,
        "." => return Seen::Silent,
        "!" => return Seen::Obstacle(Obstacle::Refused),
        "%" => return Seen::Garbage,
        text => {
            let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
            let has = |letter| text.contains(letter);
            let signature = || Signature {
                zone: DomainName::root(),
                inception: 0,
                expiration: 1,
            };
            Told {
                rcode: digits.parse().unwrap(),
                authentic: has('a'),
                recursion_available: has('r'),
                truncated: has('t'),
                data: usize::from(has('d')),
                denials: usize::from(has('n')),
                signatures: has('s').then(signature).into_iter().collect(),
                ede: has('e').then(|| ExtendedError {
                    code: 6,
                    text: String::new(),
                }),
                octets: if has('L') { 2_000 } else { 100 },
                ..Told::default()
            }
        }
    };
    Seen::Reply(Box::new(told), Duration::from_millis(3))
}

/// Plain, signed, over TCP, verdict, unsigned, forged, forged unchecked, TLSA, cramped, whole.
fn observed(text: &str) -> Observed {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [
        plain,
        signed,
        tcp,
        verdict,
        unsigned,
        forged,
        unchecked,
        tlsa,
        cramped,
        whole,
    ] = words.as_slice()
    else {
        panic!("ten answers: {text}");
    };
    Observed {
        plain: seen(plain),
        signed: seen(signed),
        over_tcp: seen(tcp),
        verdict: seen(verdict),
        unsigned: seen(unsigned),
        forged: seen(forged),
        forged_unchecked: seen(unchecked),
        tlsa: seen(tlsa),
        cramped: seen(cramped),
        whole: seen(whole),
        clocks: Vec::new(),
        asked: crate::doctor::observe::Asked::default(),
    }
}

#[test]
fn portraits() {
    use Passage::{Passed, Unknown};
    let lost = Passage::Lost;
    let out = lost(Loss::LeftOut);
    for (text, kind, [signatures, tlsa, tcp, large, verdict, unchecked, reasons]) in [
        (
            "0rda 0rdas 0rdas 0rda 0rd 2re 0rds 0rds 0rt 0rdsL",
            Kind::Validating,
            [Passed; 7],
        ),
        // An old one: no extended errors, AD with DO alone, CD ignored.
        (
            "0rd 0rdas 0rdas 0rd 0rd 2r 2r 0rns 0rt 0rdsL",
            Kind::Validating,
            [
                Passed,
                Passed,
                Passed,
                Passed,
                out,
                lost(Loss::Error(2)),
                out,
            ],
        ),
        // Unbound with val-permissive-mode.
        (
            "0rda 0rdas 0rdas 0rda 0rd 0rds 0rds 0rds 0rt 0rdsL",
            Kind::Permissive,
            [Passed, Passed, Passed, Passed, Passed, Unknown, Unknown],
        ),
        (
            "0rd 0rds 0rds 0rd 0rd 0rds 0rds 0rds 0rt 0rdsL",
            Kind::NotValidating,
            [Passed, Passed, Passed, Passed, Unknown, Unknown, Unknown],
        ),
        // Signatures stripped on the way from a resolver that does not validate.
        (
            "0rd 0rd 0rd 0rd 0rd 0rd 0rd 0r 0rd 0rd",
            Kind::NotValidating,
            [out, Unknown, Passed, Unknown, Unknown, Unknown, Unknown],
        ),
        // AD cleared on the way.
        (
            "0rd 0rds 0rds 0rd 0rd 2re 0rds 0rds 0rt 0rdsL",
            Kind::Silent,
            [Passed, Passed, Passed, Passed, Unknown, Passed, Passed],
        ),
        (
            "0rda 0rdas 0rdas 0rda 0rda 2re 0rdsa 0rds 0rt 0rdsL",
            Kind::Blind,
            [Passed, Passed, Passed, Passed, Unknown, Passed, Unknown],
        ),
        (
            "0rda 0rdas 0rdas 0rda 0rda 0rda 0rdsa 0rds 0rt 0rdsL",
            Kind::Blind,
            [Passed, Passed, Passed, Passed, Unknown, Unknown, Unknown],
        ),
        // A validator whose clock is wrong.
        (
            "2r 2re 2re 2r 0rd 2re 0rds 0rds 0rt 0rdsL",
            Kind::RejectsSigned,
            [Passed, Unknown, Passed, Passed, Unknown, Passed, Unknown],
        ),
        (
            "2r 2r 2r 2r 2r 2r 2r 2r 2r 2r",
            Kind::Failing,
            [Unknown, Unknown, Passed, Unknown, Unknown, Unknown, Unknown],
        ),
        (
            "5r 5r 5r 5r 5r 5r 5r 5r 5r 5r",
            Kind::Refusing,
            [Unknown, Unknown, Passed, Unknown, Unknown, Unknown, Unknown],
        ),
        // The same where not even the absence of signatures can be verified.
        (
            "2r 2re 2re 2r 2re 2re 0rds 0rds 0rt 0rdsL",
            Kind::RejectsSigned,
            [Passed, Unknown, Passed, Passed, Unknown, Passed, Unknown],
        ),
        // UDP is dropped.
        (
            ". . 0rdas . . . . . . 0rdsL",
            Kind::TcpOnly,
            [Passed, Unknown, Passed, Passed, Unknown, Unknown, Unknown],
        ),
        // An authoritative server that gives referrals.
        (
            "0 0 0 0 0 0 0 0 0 0d",
            Kind::NoRecursion,
            [out, Unknown, Passed, Unknown, Unknown, Unknown, Unknown],
        ),
        // One that knows no EDNS.
        (
            "0rd 1 1 0rd 1 1 1 1 1 1",
            Kind::NoEdns,
            [
                lost(Loss::Error(1)),
                lost(Loss::Error(1)),
                Passed,
                Unknown,
                Unknown,
                Unknown,
                Unknown,
            ],
        ),
        (
            ". - . - - - - - - -",
            Kind::Dead(None),
            [
                Unknown,
                Unknown,
                lost(Loss::Silence),
                Unknown,
                Unknown,
                Unknown,
                Unknown,
            ],
        ),
        (
            "! - ! - - - - - - -",
            Kind::Dead(Some(Obstacle::Refused)),
            [
                Unknown,
                Unknown,
                lost(Loss::Obstacle(Obstacle::Refused)),
                Unknown,
                Unknown,
                Unknown,
                Unknown,
            ],
        ),
        (
            "% % % % % % % % % %",
            Kind::Garbled,
            [
                Unknown,
                Unknown,
                lost(Loss::Garbage),
                lost(Loss::Garbage),
                Unknown,
                Unknown,
                Unknown,
            ],
        ),
        // TLSA answered with NOTIMP, swallowed, dropped.
        (
            "0rda 0rdas 0rdas 0rda 0rd 2re 0rds 4r 0rt 0rdsL",
            Kind::Validating,
            [
                Passed,
                lost(Loss::Error(4)),
                Passed,
                Passed,
                Passed,
                Passed,
                Passed,
            ],
        ),
        (
            "0rda 0rdas 0rdas 0rda 0rd 2re 0rds 0r 0rt 0rdsL",
            Kind::Validating,
            [Passed, out, Passed, Passed, Passed, Passed, Passed],
        ),
        (
            "0rda 0rdas 0rdas 0rda 0rd 2re 0rds . 0rt 0rdsL",
            Kind::Validating,
            [
                Passed,
                lost(Loss::Silence),
                Passed,
                Passed,
                Passed,
                Passed,
                Passed,
            ],
        ),
        // No TCP.
        (
            "0rda 0rdas ! 0rda 0rd 2re 0rds 0rds 0rt !",
            Kind::Validating,
            [
                Passed,
                Passed,
                lost(Loss::Obstacle(Obstacle::Refused)),
                lost(Loss::Obstacle(Obstacle::Refused)),
                Passed,
                Passed,
                Passed,
            ],
        ),
        // No bogus name to ask for.
        (
            "0rda 0rdas 0rdas 0rda 0rd - - 0rds 0rt 0rdsL",
            Kind::SaysSecure,
            [Passed, Passed, Passed, Passed, Passed, Unknown, Unknown],
        ),
    ] {
        let portrait = portray(&observed(text));
        assert_eq!(portrait.kind, kind, "{text}");
        assert_eq!(portrait.signatures, signatures, "signatures: {text}");
        assert_eq!(portrait.tlsa, tlsa, "TLSA: {text}");
        assert_eq!(portrait.tcp, tcp, "TCP: {text}");
        assert_eq!(portrait.large, large, "large: {text}");
        assert_eq!(portrait.verdict, verdict, "verdict: {text}");
        assert_eq!(portrait.unchecked, unchecked, "CD: {text}");
        assert_eq!(portrait.reasons, reasons, "EDE: {text}");
    }
}
