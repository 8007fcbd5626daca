//! The way to the root name servers, each address family by itself.

use super::ask::{Asker, Obstacle, Seen};
use super::check::{Area, Check, Verdict};
use crate::resolver::Mode;
use crate::resolver::probe::Manner;
use elsinore_dane::answer::{Question, RecordType};
use elsinore_dane::name::DomainName;
use futures_util::future::{join, join_all};
use std::net::{IpAddr, SocketAddr};

/// Servers of one family that are asked.
const ASKED: usize = 4;

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    const fn word(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    fn has(self, address: IpAddr) -> bool {
        match self {
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// What the servers of one family did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sounding {
    pub(crate) family: Family,
    /// Per server the answers over UDP and over TCP.
    pub(crate) servers: Vec<(Seen, Seen)>,
}

/// Asks some root servers of each family for the root's keys, over both transports.
pub(crate) async fn sound(asker: &Asker, servers: &[IpAddr]) -> [Sounding; 2] {
    let question = Question::new(DomainName::root(), RecordType::Dnskey);
    let one = async |family: Family| {
        let asked = (servers.iter())
            .filter(|address| family.has(**address))
            .take(ASKED)
            .map(|address| {
                let server = SocketAddr::new(*address, 53);
                join(
                    asker.udp(server, &question, Manner::Iterative),
                    asker.tcp(server, &question, Manner::Iterative),
                )
            });
        Sounding {
            family,
            servers: join_all(asked).await,
        }
    };
    let (v4, v6) = join(one(Family::V4), one(Family::V6)).await;
    [v4, v6]
}

/// How far one family leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    /// UDP and TCP.
    Open,
    /// One of the two only.
    NoTcp,
    NoUdp,
    /// This machine has no such network.
    NoRoute,
    /// Something answers that is no root server.
    Intercepted,
    /// Nothing comes back.
    Closed(Option<Obstacle>),
    /// No root server has such an address.
    NoServers,
}

impl Way {
    const fn leads(self) -> bool {
        matches!(self, Self::Open | Self::NoTcp | Self::NoUdp)
    }
}

fn way(sounding: &Sounding) -> Way {
    let (udp, tcp): (Vec<&Seen>, Vec<&Seen>) =
        sounding.servers.iter().map(|(udp, tcp)| (udp, tcp)).unzip();
    if udp.is_empty() {
        return Way::NoServers;
    }
    // A root server answers for the root with authority, and offers no recursion.
    let genuine = |seen: &&&Seen| {
        seen.told()
            .is_some_and(|told| told.authoritative && !told.recursion_available)
    };
    let strange = |seen: &&&Seen| seen.told().is_some() && !genuine(seen);
    let any = |of: &[&Seen], what: &dyn Fn(&&&Seen) -> bool| of.iter().any(|seen| what(&seen));
    match (any(&udp, &genuine), any(&tcp, &genuine)) {
        (true, true) => Way::Open,
        (true, false) => Way::NoTcp,
        (false, true) => Way::NoUdp,
        (false, false) if any(&udp, &strange) || any(&tcp, &strange) => Way::Intercepted,
        (false, false) => {
            let obstacle = |seen: &&Seen| match seen {
                Seen::Obstacle(obstacle) => Some(*obstacle),
                _ => None,
            };
            let said: Vec<Obstacle> = udp.iter().chain(&tcp).filter_map(obstacle).collect();
            let all = said.len() == udp.len() + tcp.len();
            if all && said.iter().all(|one| *one == Obstacle::NoRoute) {
                Way::NoRoute
            } else {
                Way::Closed(said.into_iter().find(|one| *one != Obstacle::NoRoute))
            }
        }
    }
}

/// One line per family. `bypass` is an upstream resolver that could be used instead of recursion.
pub(crate) fn judge(soundings: &[Sounding; 2], mode: Mode, bypass: Option<&str>) -> Vec<Check> {
    let ways = [way(&soundings[0]), way(&soundings[1])];
    let mut checks = Vec::new();
    for (index, sounding) in soundings.iter().enumerate() {
        let (own, other) = (ways[index], ways[1 - index]);
        if own == Way::NoServers && other != Way::NoServers {
            continue;
        }
        checks.push(line(sounding, own, other, mode, bypass));
    }
    checks
}

fn line(sounding: &Sounding, own: Way, other: Way, mode: Mode, bypass: Option<&str>) -> Check {
    let family = sounding.family;
    // Where the other family leads, trouble of this one costs time and no more.
    let spared = |verdict| {
        if other == Way::Open {
            Verdict::Warn
        } else {
            verdict
        }
    };
    let (verdict, finding, text, advice) = match own {
        Way::Open => {
            let servers = sounding.servers.len();
            let answered = (sounding.servers.iter())
                .filter(|(udp, tcp)| udp.told().is_some() && tcp.told().is_some())
                .count();
            (
                Verdict::Ok,
                "reachable",
                format!("UDP and TCP answered by {answered} of {servers} servers asked"),
                None,
            )
        }
        Way::NoTcp => (
            spared(Verdict::Fail),
            "no-tcp",
            "answers over UDP, none over TCP".to_owned(),
            Some("Answers too large for a datagram are lost. Let TCP port 53 out."),
        ),
        Way::NoUdp => (
            spared(Verdict::Fail),
            "no-udp",
            "answers over TCP, none over UDP".to_owned(),
            Some("Let UDP port 53 out, and the replies in."),
        ),
        Way::NoRoute => (
            if other.leads() {
                Verdict::Note
            } else {
                Verdict::Fail
            },
            "no-route",
            format!("no route: this machine has no {}", family.word()),
            None,
        ),
        Way::Intercepted => (
            Verdict::Fail,
            "intercepted",
            "something on the way answers in place of the root servers".to_owned(),
            Some(
                "A firewall or the provider sends DNS to a resolver of its own. Recursion gives \
                 wrong results behind it. Have port 53 opened",
            ),
        ),
        Way::Closed(obstacle) => (
            spared(Verdict::Fail),
            "unreachable",
            match obstacle {
                Some(obstacle) => format!("no root server answers: {}", obstacle.words()),
                None => "no root server answers, neither over UDP nor over TCP".to_owned(),
            },
            Some(if other == Way::Open {
                "Lookups lose time on it. Repair the route, or take it away."
            } else {
                "The network is down, or a firewall lets no DNS out. Open port 53, UDP and TCP"
            }),
        ),
        Way::NoServers => (
            Verdict::Fail,
            "no-hints",
            "the hints name no root server".to_owned(),
            None,
        ),
    };
    let mut check = Check::new(verdict, Area::Root, finding, text).about(family.word());
    if let Some(advice) = advice {
        let open = !advice.ends_with('.');
        check = check.advise(match (open, bypass) {
            (false, _) => advice.to_owned(),
            (true, None) => format!("{advice}, or use [dns] mode = \"forward\"."),
            (true, Some(upstream)) => format!(
                "{advice}, or use [dns] mode = \"forward\" with upstream = [\"{upstream}\"], which \
                 passes all that is needed."
            ),
        });
    }
    if mode != Mode::Recursive && check.verdict > Verdict::Note {
        check.verdict = Verdict::Note;
        check.text.push_str(" (not needed in this mode)");
        check.advice = None;
    }
    check
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::probe::Told;
    use std::time::Duration;

    /// `a` authoritative, `r` a resolver's, `.` silence, `!` forbidden, `0` no route.
    fn seen(letter: char) -> Seen {
        let told = |authoritative| Told {
            authoritative,
            recursion_available: !authoritative,
            ..Told::default()
        };
        match letter {
            'a' => Seen::Reply(Box::new(told(true)), Duration::ZERO),
            'r' => Seen::Reply(Box::new(told(false)), Duration::ZERO),
            '!' => Seen::Obstacle(Obstacle::Forbidden),
            '0' => Seen::Obstacle(Obstacle::NoRoute),
            _ => Seen::Silent,
        }
    }

    fn sounding(family: Family, text: &str) -> Sounding {
        let letters: Vec<char> = text.chars().filter(|letter| *letter != ' ').collect();
        Sounding {
            family,
            servers: (letters.chunks(2))
                .map(|pair| (seen(pair[0]), seen(pair[1])))
                .collect(),
        }
    }

    #[test]
    fn families() {
        use Verdict::{Fail, Note, Ok, Warn};
        for (v4, v6, expected) in [
            ("aa aa", "aa aa", &[Ok, Ok][..]),
            ("aa ..", "aa", &[Ok, Ok]),
            // No IPv6 is no fault.
            ("aa aa", "00 00", &[Ok, Note]),
            ("00", "aa", &[Note, Ok]),
            // IPv6 that leads nowhere costs time.
            ("aa", ".. ..", &[Ok, Warn]),
            ("aa", "!! ..", &[Ok, Warn]),
            ("a.", "00", &[Fail, Note]),
            ("a.", "aa", &[Warn, Ok]),
            (".a", "00", &[Fail, Note]),
            ("..", "00", &[Fail, Fail]),
            ("..", "..", &[Fail, Fail]),
            ("!!", "!!", &[Fail, Fail]),
            ("rr rr", "aa", &[Fail, Ok]),
            ("ra", "00", &[Fail, Note]),
            // Hints of one family only.
            ("aa", "", &[Ok]),
            ("", "", &[Fail, Fail]),
        ] {
            let soundings = [sounding(Family::V4, v4), sounding(Family::V6, v6)];
            let verdicts = |mode| -> Vec<Verdict> {
                (judge(&soundings, mode, None).iter())
                    .map(|check| check.verdict)
                    .collect()
            };
            assert_eq!(verdicts(Mode::Recursive), expected, "{v4:?} {v6:?}");
            for mode in [Mode::Forward, Mode::Ad] {
                let worst = verdicts(mode).into_iter().max();
                assert!(worst <= Some(Note), "{v4:?} {v6:?}");
            }
        }
    }

    #[test]
    fn the_way_around_is_named() {
        let soundings = [sounding(Family::V4, ".."), sounding(Family::V6, "00")];
        let checks = judge(&soundings, Mode::Recursive, Some("192.0.2.53:53"));
        let advice = checks[0].advice.clone().unwrap();
        assert!(
            advice.contains("upstream = [\"192.0.2.53:53\"]"),
            "{advice}"
        );
    }
}
