//! How what a report says looks: its icon, its colour's name, moments and spans in words. Nothing is
//! decided here; each word of the report has one look.

use crate::checker::Look;
use elsinore_check::compare::Direction;
use elsinore_check::report::{
    AddressState, AnswerKind, Offer, Security, SenderKind, SenderOutcome, SessionState, Severity,
    State, TlsaLabel,
};

/// A shape of its own for everything that has a colour of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Icon {
    /// A shield with a tick.
    Protected,
    /// A shield, half of it filled.
    Partly,
    /// An empty shield.
    Open,
    /// An octagon with a cross.
    Refused,
    /// A circle with a question mark.
    Unknown,
    /// A tick in a circle.
    Good,
    /// A triangle with an exclamation mark.
    Weak,
    /// A clock.
    Later,
    /// A dot.
    Plain,
}

impl Icon {
    /// Every icon.
    pub(crate) const ALL: [Self; 9] = [
        Self::Protected,
        Self::Partly,
        Self::Open,
        Self::Refused,
        Self::Unknown,
        Self::Good,
        Self::Weak,
        Self::Later,
        Self::Plain,
    ];

    /// The name of its symbol on the page.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::Partly => "partly",
            Self::Open => "open",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Good => "good",
            Self::Weak => "weak",
            Self::Later => "later",
            Self::Plain => "plain",
        }
    }

    /// Its lines, in a square of 24 by 24.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Protected => "M12 2.5l8 3v6c0 5-3.4 8.6-8 10-4.6-1.4-8-5-8-10v-6zM8 12l3 3 5-6",
            Self::Partly => {
                "M12 2.5l8 3v6c0 5-3.4 8.6-8 10-4.6-1.4-8-5-8-10v-6zM12 2.5v19M12 7h7M12 11.5h7.5M12 16h5.5"
            }
            Self::Open => "M12 2.5l8 3v6c0 5-3.4 8.6-8 10-4.6-1.4-8-5-8-10v-6z",
            Self::Refused => {
                "M8 2.5h8l5.5 5.5v8l-5.5 5.5h-8l-5.5-5.5v-8zM8.5 8.5l7 7M15.5 8.5l-7 7"
            }
            Self::Unknown => {
                "M12 2.5a9.5 9.5 0 1 0 .01 0M9 9.5a3 3 0 1 1 4.2 2.7c-.8.4-1.2 1-1.2 1.8v.5M12 17.5v.01"
            }
            Self::Good => "M12 2.5a9.5 9.5 0 1 0 .01 0M7.5 12.3l3 3 6-6.5",
            Self::Weak => "M12 3l10 18h-20zM12 9.5v5M12 17.8v.01",
            Self::Later => "M12 2.5a9.5 9.5 0 1 0 .01 0M12 7v5l3.5 2",
            Self::Plain => "M12 8.5a3.5 3.5 0 1 0 .01 0",
        }
    }

    /// The icon of a state.
    pub(crate) const fn of_state(state: State) -> Self {
        match state {
            State::Protected => Self::Protected,
            State::PartlyProtected => Self::Partly,
            State::NotProtected => Self::Open,
            State::Refused => Self::Refused,
            State::CouldNotTell => Self::Unknown,
        }
    }

    /// The icon of a look.
    pub(crate) const fn of_look(look: &Look) -> Self {
        match look {
            Look::Good => Self::Good,
            Look::Weak => Self::Weak,
            Look::Bad => Self::Refused,
            Look::Unknown => Self::Unknown,
            Look::Plain => Self::Plain,
        }
    }
}

/// Icon, colour's name and words for one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The icon's name.
    pub(crate) icon: &'static str,
    /// The colour's name.
    pub(crate) class: &'static str,
    /// The words.
    pub(crate) words: &'static str,
}

const fn shown(look: Look, words: &'static str) -> Shown {
    Shown {
        icon: Icon::of_look(&look).name(),
        class: look.class(),
        words,
    }
}

/// The verdict.
pub(crate) const fn state(state: &State) -> Shown {
    let look = match state {
        State::Protected => Look::Good,
        State::PartlyProtected => Look::Weak,
        State::NotProtected => Look::Plain,
        State::Refused => Look::Bad,
        State::CouldNotTell => Look::Unknown,
    };
    Shown {
        icon: Icon::of_state(*state).name(),
        class: look.class(),
        words: state.words(),
    }
}

/// How bad a finding is.
pub(crate) const fn severity(severity: &Severity) -> Shown {
    let (icon, look) = match severity {
        Severity::FailsNow => (Icon::Refused, Look::Bad),
        Severity::WillFail => (Icon::Later, Look::Weak),
        Severity::Weak => (Icon::Weak, Look::Weak),
        Severity::Note => (Icon::Plain, Look::Plain),
    };
    Shown {
        icon: icon.name(),
        class: look.class(),
        words: severity.words(),
    }
}

/// Security in the sense of DNSSEC.
pub(crate) const fn security(security: &Security) -> Shown {
    match security {
        Security::Secure => shown(Look::Good, "secure"),
        Security::Insecure => shown(Look::Plain, "insecure"),
        Security::Indeterminate => shown(Look::Unknown, "could not be found out"),
        Security::Bogus => shown(Look::Bad, "bogus"),
    }
}

/// What a sender comes to at an address.
pub(crate) const fn address(state: &AddressState) -> Shown {
    match state {
        AddressState::Met => shown(Look::Good, "as it must be"),
        AddressState::MetInPart => shown(Look::Weak, "with one certificate only"),
        AddressState::Failed => shown(Look::Bad, "fails"),
        AddressState::Inconclusive => shown(Look::Unknown, "could not tell"),
        AddressState::NotTried => shown(Look::Plain, "not contacted"),
    }
}

/// How far a session came.
pub(crate) const fn session(state: &SessionState) -> Shown {
    match state {
        SessionState::NoConnection => shown(Look::Unknown, "no connection"),
        SessionState::NoGreeting => shown(Look::Unknown, "no useful greeting"),
        SessionState::NoTls => shown(Look::Bad, "no TLS offered"),
        SessionState::HandshakeFailed => shown(Look::Bad, "TLS handshake failed"),
        SessionState::NoSuchCertificate => shown(Look::Plain, "no certificate of that kind"),
        SessionState::Refused => shown(Look::Bad, "not the server it must be"),
        SessionState::Met => shown(Look::Good, "TLS, as it must be"),
        SessionState::Cleartext => shown(Look::Weak, "no TLS"),
    }
}

/// What was asked for in a session.
pub(crate) const fn offer(offer: &Offer) -> &'static str {
    match offer {
        Offer::Sender => "as a sender asks",
        Offer::Rsa => "RSA only",
        Offer::Ecdsa => "ECDSA only",
        Offer::NoName => "without a server name",
        Offer::OtherName => "with another server name",
    }
}

/// What a TLSA record is.
pub(crate) const fn label(label: &TlsaLabel) -> Shown {
    match label {
        TlsaLabel::Current => shown(Look::Good, "current"),
        TlsaLabel::Next => shown(Look::Plain, "next"),
        TlsaLabel::Stale => shown(Look::Weak, "stale"),
        TlsaLabel::RetiredCa => shown(Look::Weak, "retired public CA"),
        TlsaLabel::Unmatched => shown(Look::Bad, "matches nothing"),
        TlsaLabel::Unusable => shown(Look::Weak, "unusable"),
        TlsaLabel::Unknown => shown(Look::Unknown, "nothing to compare with"),
    }
}

/// Which way a change points.
pub(crate) const fn direction(direction: &Direction) -> Shown {
    match direction {
        Direction::Worse => shown(Look::Bad, "worse"),
        Direction::Better => shown(Look::Good, "better"),
        Direction::Neutral => shown(Look::Plain, "different"),
    }
}

/// How a delivery would end.
pub(crate) const fn outcome(outcome: &SenderOutcome) -> Shown {
    let (icon, look, words) = match outcome {
        SenderOutcome::Delivered => (Icon::Good, Look::Good, "would deliver"),
        SenderOutcome::Deferred => (Icon::Later, Look::Bad, "would wait, and try again"),
        SenderOutcome::Bounced => (Icon::Refused, Look::Bad, "would return the message"),
    };
    Shown {
        icon: icon.name(),
        class: look.class(),
        words,
    }
}

/// Which sender.
pub(crate) const fn sender(kind: &SenderKind) -> &'static str {
    match kind {
        SenderKind::Dane => "A sender that honours DANE",
        SenderKind::StsOnly => "A sender that honours MTA-STS only",
        SenderKind::Opportunistic => "A sender that checks nothing",
    }
}

/// What a session is worth, in words: the words of `send` explained.
pub(crate) fn worth(security: &str) -> &str {
    match security {
        "dane" => "authenticated by DANE",
        "dane-insecure-mx" => "authenticated by DANE; the MX record is not protected",
        "sts" => "authenticated as MTA-STS demands",
        "pinned" => "authenticated by a pinned key",
        "webpki" => "encrypted; the certificate happens to be valid",
        "encrypted" => "encrypted, to whoever answers",
        "plaintext" => "in the clear",
        other => other,
    }
}

/// The name of a zone.
pub(crate) fn zone(apex: &str) -> &str {
    match apex {
        "." => "the root",
        other => other,
    }
}

/// What kind of answer.
pub(crate) const fn answer(kind: &AnswerKind) -> &'static str {
    match kind {
        AnswerKind::Data => "records",
        AnswerKind::NoData => "no such record",
        AnswerKind::NxDomain => "no such name",
        AnswerKind::Failed => "no answer",
    }
}

/// A moment, as in `2026-11-22 12:05:07 UTC`.
pub(crate) fn moment(at: &i64) -> String {
    formatted(*at, "%Y-%m-%d %H:%M:%S UTC")
}

/// The day of a moment, in UTC.
pub(crate) fn day(at: &i64) -> String {
    formatted(*at, "%Y-%m-%d")
}

/// A moment as RFC 3339 has it, for programs.
pub(crate) fn rfc3339(at: &i64) -> String {
    formatted(*at, "%Y-%m-%dT%H:%M:%SZ")
}

fn formatted(at: i64, form: &str) -> String {
    match jiff::Timestamp::from_second(at) {
        Ok(at) => at.strftime(form).to_string(),
        // Years beyond 9999, which certificates can have.
        Err(_) => "beyond the year 9999".to_owned(),
    }
}

/// How far `at` is from `now`, in words: `in 12 days`, `3 hours ago`.
pub(crate) fn distance(at: &i64, now: &i64) -> String {
    let seconds = at.abs_diff(*now);
    let words = span(seconds);
    match at >= now {
        true => format!("in {words}"),
        false => format!("{words} ago"),
    }
}

/// A time in its largest fitting unit, of which at least two are there, as in `90 minutes`.
pub(crate) fn span(seconds: u64) -> String {
    for (unit, word) in [
        (86_400 * 365, "years"),
        (86_400, "days"),
        (3600, "hours"),
        (60, "minutes"),
    ] {
        if seconds >= 2 * unit {
            return format!("{} {word}", seconds / unit);
        }
    }
    match seconds {
        1 => "1 second".to_owned(),
        _ => format!("{seconds} seconds"),
    }
}

/// Milliseconds for people.
pub(crate) fn milliseconds(elapsed: &u64) -> String {
    match elapsed {
        0..=9_999 => format!("{elapsed} ms"),
        _ => format!("{} s", elapsed / 1000),
    }
}

/// Text as part of an address (RFC 3986 §2.1).
pub(crate) fn in_url(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(octet));
            }
            _ => out.push_str(&format!("%{octet:02X}")),
        }
    }
    out
}

/// The place of a moment on a time line that begins `now`: 0 to 1000, hours at the left and years at
/// the right.
pub(crate) fn place(at: &i64, now: &i64) -> u32 {
    const HOUR: f64 = 3600.0;
    /// Two years, in hours.
    const END: f64 = 2.0 * 365.0 * 24.0;
    let hours = (at.saturating_sub(*now).max(0) as f64) / HOUR;
    let share = (1.0 + hours).ln() / (1.0 + END).ln();
    (share.clamp(0.0, 1.0) * 1000.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_spans() {
        assert_eq!(moment(&0), "1970-01-01 00:00:00 UTC");
        assert_eq!(rfc3339(&1), "1970-01-01T00:00:01Z");
        assert_eq!(day(&i64::MAX), "beyond the year 9999");
        for (at, now, expected) in [
            (10, 9, "in 1 second"),
            (100, 0, "in 100 seconds"),
            (0, 7200, "2 hours ago"),
            (0, 86_400, "24 hours ago"),
            (i64::MAX, i64::MIN, "in 584942417355 years"),
        ] {
            assert_eq!(distance(&at, &now), expected);
        }
    }

    #[test]
    fn names_in_addresses() {
        for (text, expected) in [
            ("mail-1.example_x.org", "mail-1.example_x.org"),
            ("a\\032b/../?#\"'<", "a%5C032b%2F..%2F%3F%23%22%27%3C"),
        ] {
            assert_eq!(in_url(text), expected);
        }
    }

    #[test]
    fn places_on_the_time_line() {
        assert_eq!(place(&0, &10), 0);
        assert_eq!(place(&i64::MAX, &0), 1000);
        let places: Vec<u32> = [3600, 86_400, 604_800, 2_592_000, 31_536_000]
            .map(|at| place(&at, &0))
            .to_vec();
        assert!(
            places.is_sorted() && places[0] > 50 && places[4] < 1000,
            "{places:?}"
        );
    }
}
