//! The book of servers, as tables and as sequences of events.

use super::standing::{FIRST_PATIENCE, LATELY};
use super::*;
use crate::resolver::wire::rtype;

const ASKED: Manner = Manner {
    transport: Transport::Udp,
    edns: Edns::Offered,
};

fn servers(list: &[&str]) -> Vec<SocketAddr> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

fn names(order: &Order) -> Vec<String> {
    let all = order.candidates.iter();
    all.map(|c| c.server.to_string()).collect()
}

const MS: Duration = Duration::from_millis(1);

/// Thirteen servers with both families on a host without IPv6: half of the first round is
/// IPv4 whatever the order, and the order within a family stays.
#[test]
fn families_take_turns() {
    let now = Instant::now();
    let list = servers(&[
        "[::1]:53",
        "[::2]:53",
        "[::3]:53",
        "1.1.1.1:53",
        "1.1.1.2:53",
    ]);
    for _ in 0..20 {
        let order = ServerBook::default().order(&list, &Name::root(), rtype::A, now);
        let firsts = order.candidates.iter().take(4);
        assert_eq!(firsts.filter(|c| c.server.is_ipv4()).count(), 2);
        assert_eq!(order.candidates.len(), 5);
    }
}

#[test]
fn the_fast_ones_share_and_the_slow_one_waits() {
    let now = Instant::now();
    let list = servers(&["1.1.1.1:53", "1.1.1.2:53", "1.1.1.3:53"]);
    let mut book = ServerBook::default();
    for (server, time) in list.iter().zip([20, 30, 200]) {
        book.answered(*server, rtype::A, Some(MS * time), ASKED, now);
    }
    let mut firsts = std::collections::BTreeSet::new();
    for _ in 0..64 {
        let order = names(&book.order(&list, &Name::root(), rtype::A, now));
        assert_eq!(order[2], "1.1.1.3:53");
        firsts.insert(order[0].clone());
    }
    assert_eq!(firsts.len(), 2);
}

/// RFC 6298 §2 with bounds of our own: mean plus four deviations, doubled by each loss.
#[test]
fn patience() {
    let now = Instant::now();
    let [server] = servers(&["1.1.1.1:53"])[..] else {
        panic!("one server");
    };
    let cases: [(&[u32], u8, u32); 6] = [
        (&[], 0, 400),
        (&[100], 0, 300),
        (&[1], 0, 150),
        (&[100; 50], 0, 150),
        (&[100], 2, 1_200),
        (&[2_000], 3, 1_600),
    ];
    for (samples, losses, expected) in cases {
        let mut book = ServerBook::default();
        for sample in samples {
            book.answered(server, rtype::A, Some(MS * *sample), ASKED, now);
        }
        for _ in 0..losses {
            let patience = book.standing(server, now).patience();
            book.late(server, rtype::A, patience, now);
        }
        let got = book.standing(server, now).patience();
        assert_eq!(got, MS * expected, "{samples:?} {losses}");
    }
}

/// Many lookups that wait for one server learn of one loss, not of many.
#[test]
fn one_loss_is_counted_once() {
    let now = Instant::now();
    let [server] = servers(&["1.1.1.1:53"])[..] else {
        panic!("one server");
    };
    let mut book = ServerBook::default();
    for _ in 0..100 {
        book.late(server, rtype::A, FIRST_PATIENCE, now);
    }
    assert_eq!(book.standing(server, now).losses, 1);
}

#[test]
fn dead_left_alone_and_tried_again() {
    let mut now = Instant::now();
    let list = servers(&["1.1.1.1:53"]);
    let mut book = ServerBook::default();
    for _ in 0..DEAD_AFTER {
        let patience = book.standing(list[0], now).patience();
        book.late(list[0], rtype::A, patience, now);
    }
    let mut waits = Vec::new();
    for _ in 0..6 {
        let order = book.order(&list, &Name::root(), rtype::A, now);
        let (_, left, _) = order.dead.unwrap();
        assert!(order.candidates.is_empty());
        waits.push(left.as_secs());
        now += left;
        let order = book.order(&list, &Name::root(), rtype::A, now);
        assert_eq!(order.candidates[0].rank, Rank::Suspect);
        book.take_suspect(list[0], rtype::A, now);
        // Nobody else is sent after it.
        assert!(
            book.order(&list, &Name::root(), rtype::A, now)
                .candidates
                .is_empty()
        );
        now += book
            .order(&list, &Name::root(), rtype::A, now)
            .dead
            .unwrap()
            .1;
        book.dead(list[0], rtype::A, now);
    }
    assert_eq!(waits, [2, 4, 8, 16, 30, 30]);
    book.answered(list[0], rtype::A, None, ASKED, now);
    let order = book.order(&list, &Name::root(), rtype::A, now);
    assert_eq!(order.candidates[0].rank, Rank::Good);
}

/// Silence about one type is that: the others are asked as before, unless a second one is
/// silent too and nothing was answered since.
#[test]
fn silent_about_one_type() {
    let mut now = Instant::now();
    let list = servers(&["1.1.1.1:53"]);
    let mut book = ServerBook::default();
    let tlsa = 52;
    book.dead(list[0], tlsa, now);
    assert!(book.is_dead(list[0], tlsa, now));
    assert!(!book.is_dead(list[0], rtype::A, now));
    book.dead(list[0], rtype::DS, now);
    assert!(book.is_dead(list[0], rtype::A, now));
    now += MS;
    book.answered(list[0], rtype::A, None, ASKED, now);
    assert!(!book.is_dead(list[0], rtype::A, now));
    // Who has answered lately is not dead, however silent about other questions.
    book.dead(list[0], tlsa, now);
    assert!(!book.is_dead(list[0], tlsa, now));
    now += LATELY;
    book.dead(list[0], tlsa, now);
    assert!(book.is_dead(list[0], tlsa, now));
}

#[test]
fn lame_for_one_zone_only() {
    let now = Instant::now();
    let list = servers(&["1.1.1.1:53", "1.1.1.2:53"]);
    let zone = Name::root().prefixed(b"lame").unwrap();
    let mut book = ServerBook::default();
    book.lame(list[0], &zone, now);
    for _ in 0..20 {
        let order = names(&book.order(&list, &zone, rtype::A, now));
        assert_eq!(order, ["1.1.1.2:53", "1.1.1.1:53"]);
    }
    let ranks = |book: &mut ServerBook, zone: &Name, now| {
        let order = book.order(&list, zone, rtype::A, now);
        order.candidates.iter().all(|c| c.rank == Rank::Good)
    };
    assert!(ranks(&mut book, &Name::root(), now));
    assert!(ranks(&mut book, &zone, now + LAME_FOR));
}

#[test]
fn a_family_without_a_route_is_asked_last() {
    let now = Instant::now();
    let list = servers(&["[::1]:53", "1.1.1.1:53"]);
    let mut book = ServerBook::default();
    let no_route = Fault::NoRoute(String::new());
    book.unreachable("[::9]:53".parse().unwrap(), &no_route, now);
    assert!(book.is_doubtful(true, now) && !book.is_doubtful(false, now));
    for _ in 0..20 {
        let order = names(&book.order(&list, &Name::root(), rtype::A, now));
        assert_eq!(order, ["1.1.1.1:53", "[::1]:53"]);
    }
    book.answered(list[0], rtype::A, None, ASKED, now);
    assert!(!book.is_doubtful(true, now));
}

#[test]
fn bounded() {
    let now = Instant::now();
    let mut book = ServerBook::default();
    let kept: SocketAddr = "1.1.1.1:53".parse().unwrap();
    book.knows_no_edns(kept, now);
    for number in 0..100_000_u32 {
        let server = SocketAddr::new(std::net::Ipv4Addr::from(number).into(), 53);
        book.answered(server, rtype::A, None, ASKED, now);
        if number % 1_000 == 0 {
            let order = book.order(&[kept], &Name::root(), rtype::A, now);
            assert_eq!(order.candidates[0].manner.edns, Edns::LeftOut);
        }
    }
    assert!(book.young.len() + book.old.len() <= 2 * MOST_SERVERS);
}
