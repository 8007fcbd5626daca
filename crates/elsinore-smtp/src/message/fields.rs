//! The fields that a message gets when it lacks them (RFC 5322 §3.6).

use super::{Added, Completion};
use crate::address::ReversePath;

/// One line with its CRLF.
pub(super) fn line(field: Added, completion: &Completion) -> String {
    match field {
        Added::Date => format!("Date: {}\r\n", date(completion.now)),
        Added::MessageId => {
            let token: String = completion
                .token
                .iter()
                .map(|octet| format!("{octet:02x}"))
                .collect();
            format!("Message-ID: <{token}@{}>\r\n", completion.host)
        }
        Added::From => match &completion.sender {
            ReversePath::Null => format!("From: MAILER-DAEMON@{}\r\n", completion.host),
            ReversePath::Mailbox(mailbox) => format!("From: {mailbox}\r\n"),
        },
    }
}

/// A date as header fields have it (RFC 5322 §3.3), in UTC, of seconds since 1970-01-01T00:00:00Z.
/// Moments outside the years 1970 to 9999 become the nearest inside.
#[must_use]
pub fn date(now: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let now = now.clamp(0, 253_402_300_799).unsigned_abs();
    let (days, seconds) = (now / 86_400, now % 86_400);
    let weekday = DAYS.get((days % 7) as usize).copied().unwrap_or_default();
    // Years are counted from March, so that the leap day is the last of its year; 719468 days lie
    // between 0000-03-01 and 1970-01-01.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);
    let month = MONTHS.get(month as usize).copied().unwrap_or_default();
    format!(
        "{weekday}, {day} {month} {year} {:02}:{:02}:{:02} +0000",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (now, expected) in [
            (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 +0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (1_795_326_044, "Sun, 22 Nov 2026 05:40:44 +0000"),
            (4_107_542_400, "Mon, 1 Mar 2100 00:00:00 +0000"),
            (-5, "Thu, 1 Jan 1970 00:00:00 +0000"),
            (i64::MAX, "Fri, 31 Dec 9999 23:59:59 +0000"),
        ] {
            assert_eq!(date(now), expected);
        }
    }
}
