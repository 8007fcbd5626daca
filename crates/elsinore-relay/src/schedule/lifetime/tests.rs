//! Lifetimes, attempt by attempt.

use super::*;
use crate::schedule::settings::RetrySettings;
use elsinore_queue::id::{JobId, MessageId};
use elsinore_queue::job::{LastAttempt, Lease, Standing};
use elsinore_queue::message::{Envelope, MessageHead, TlsWish};
use std::sync::Arc;

/// A thousand weeks or so after 1970.
const ARRIVED: Moment = Moment(1_000_000_000_000);

fn at(hours: f64) -> Moment {
    if hours < 0.0 {
        let before = Duration::from_secs_f64(-hours * 3600.0).as_millis();
        return Moment(ARRIVED.0 - i64::try_from(before).expect("small"));
    }
    ARRIVED.plus(Duration::from_secs_f64(hours * 3600.0))
}

fn job(standing: Standing) -> Leased {
    Leased {
        lease: Lease {
            job: JobId(1),
            epoch: 1,
        },
        message: Arc::new(MessageHead {
            id: MessageId::draw(ARRIVED),
            arrived: ARRIVED,
            envelope: Envelope {
                reverse_path: String::new(),
                ret: None,
                envelope_id: None,
                tls: TlsWish::Unspecified,
                smtp_utf8: false,
                origin: "192.0.2.1".to_owned(),
            },
            octets: 1,
        }),
        destination: "example.org".to_owned(),
        recipients: Vec::new(),
        standing,
    }
}

/// One attempt: when it ended by the wall clock, by how many hours that was set forward since the one
/// before, and whether the destination was tried or our own trouble was in the way.
#[derive(Debug, Clone, Copy)]
enum Try {
    Theirs(f64),
    Stepped(f64, f64),
    Ours(f64),
}

/// Goes through the attempts; the answer is the number of the one after which the job was given up.
fn given_up(settings: &ScheduleSettings, tries: &[Try]) -> Option<usize> {
    let mut job = job(Standing::default());
    for (number, one) in tries.iter().enumerate() {
        let (hours, stepped, looked) = match one {
            Try::Theirs(hours) => (*hours, 0.0, true),
            Try::Stepped(hours, by) => (*hours, *by, true),
            Try::Ours(hours) => (*hours, 0.0, false),
        };
        let age = Age {
            settings,
            job: &job,
            now: at(hours),
            stepped: Duration::from_secs_f64(stepped * 3600.0),
        };
        let judged = age.judge(looked);
        if judged.is_over {
            return Some(number + 1);
        }
        job.standing = Standing {
            attempts: job.standing.attempts + u32::from(looked),
            last: Some(LastAttempt {
                at: at(hours),
                mx_host: None,
                reply: String::new(),
                findings: Vec::new(),
            }),
            warned: None,
            lived: judged.lived,
        };
    }
    None
}

#[test]
fn mail_is_given_up_at_the_end_of_its_lifetime_and_never_out_of_the_blue() {
    use Try::{Ours, Stepped, Theirs};
    let years = 24.0 * 365.0 * 10.0;
    let table: &[(&str, &[Try], Option<usize>)] = &[
        (
            "tried all the time: at the end of the fifth day",
            &[
                Theirs(0.0),
                Theirs(1.0),
                Theirs(5.0),
                Theirs(60.0),
                Theirs(116.0),
                Theirs(119.9),
                Theirs(120.0),
            ],
            Some(7),
        ),
        (
            "a step of years after one attempt takes nothing away",
            &[
                Theirs(0.0),
                Stepped(years, years),
                Theirs(years + 60.0),
                Theirs(years + 116.0),
                Theirs(years + 119.0),
                Theirs(years + 121.0),
            ],
            Some(6),
        ),
        (
            "nor a step before the first attempt",
            &[
                Stepped(years, years),
                Theirs(years + 60.0),
                Theirs(years + 116.0),
                Theirs(years + 121.0),
            ],
            Some(4),
        ),
        (
            "nor one that is taken back later: the lifetime counts from then",
            &[
                Theirs(0.0),
                Stepped(years, years),
                Theirs(5.0),
                Theirs(60.0),
                Theirs(121.0),
                Theirs(124.9),
                Theirs(125.1),
            ],
            Some(7),
        ),
        (
            "a step nobody saw, after one attempt: tried for some hours more",
            &[
                Theirs(0.0),
                Theirs(years),
                Theirs(years + 0.17),
                Theirs(years + 0.5),
                Theirs(years + 1.2),
                Theirs(years + 2.6),
                Theirs(years + 5.4),
                Theirs(years + 9.4),
            ],
            Some(8),
        ),
        (
            "the relay was off for six days, before the first attempt",
            &[
                Theirs(144.0),
                Theirs(144.09),
                Theirs(144.26),
                Theirs(144.61),
                Theirs(145.31),
                Theirs(146.71),
                Theirs(149.51),
                Theirs(153.51),
            ],
            Some(8),
        ),
        (
            "the relay was off for six days, after many attempts",
            &[
                Theirs(0.0),
                Theirs(1.0),
                Theirs(2.0),
                Theirs(4.0),
                Theirs(8.0),
                Theirs(12.0),
                Theirs(16.0),
                Theirs(160.0),
                Theirs(164.0),
                Theirs(168.0),
            ],
            Some(10),
        ),
        (
            "a second gap in the time of grace counts like a pause",
            &[
                Theirs(0.0),
                Theirs(160.0),
                Theirs(999.0),
                Theirs(2000.0),
                Theirs(2000.2),
            ],
            None,
        ),
        (
            "off for three days only: the lifetime ends when it ends",
            &[
                Theirs(0.0),
                Theirs(1.0),
                Theirs(80.0),
                Theirs(112.0),
                Theirs(116.0),
                Theirs(120.0),
            ],
            Some(6),
        ),
        (
            "our own trouble until after the end: tried when we work again",
            &[
                Theirs(0.0),
                Theirs(0.1),
                Theirs(0.3),
                Ours(60.0),
                Ours(119.0),
                Ours(121.0),
                Theirs(122.0),
                Theirs(123.2),
                Theirs(124.4),
                Theirs(126.0),
                Theirs(129.0),
            ],
            Some(11),
        ),
        (
            "our own trouble for a moment at the end: the next attempt is the last",
            &[
                Theirs(0.0),
                Theirs(1.0),
                Theirs(116.0),
                Theirs(119.5),
                Ours(120.0),
                Theirs(120.1),
            ],
            Some(6),
        ),
        (
            "arrived in the future, by a wrong clock: counted from the first attempt by a right one",
            &[
                Theirs(-years),
                Theirs(-years + 60.0),
                Theirs(-years + 116.0),
                Theirs(-years + 119.9),
                Theirs(-years + 120.0),
            ],
            Some(5),
        ),
    ];
    for (name, tries, wanted) in table {
        assert_eq!(
            given_up(&ScheduleSettings::default(), tries),
            *wanted,
            "{name}"
        );
    }
}

#[test]
fn nothing_stays_for_ever_even_if_all_trouble_is_ours() {
    let tries: Vec<Try> = (0..2000)
        .map(|number| Try::Ours(f64::from(number)))
        .collect();
    let given_up = given_up(&ScheduleSettings::default(), &tries);
    assert_eq!(given_up, Some(241), "after twice the lifetime");
}

#[test]
fn a_short_lifetime_asks_for_no_more_attempts_than_it_has() {
    for (first, lifetime, attempts) in [
        (300, 0, 1),
        (300, 1, 2),
        (300, 300, 2),
        (300, 360, 2),
        (300, 900, 3),
        (300, 432_000, 3),
        (1, 2, 3),
    ] {
        let retry = RetrySettings {
            first: Duration::from_secs(first),
            lifetime: Duration::from_secs(lifetime),
            ..RetrySettings::default()
        };
        let settings = ScheduleSettings {
            retry,
            ..ScheduleSettings::default()
        };
        let job = job(Standing::default());
        let age = Age {
            settings: &settings,
            job: &job,
            now: ARRIVED,
            stepped: Duration::ZERO,
        };
        assert_eq!(age.enough(), attempts, "{first} s, {lifetime} s");
    }
}
