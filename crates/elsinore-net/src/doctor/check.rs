//! What an examination says: one check a line, and what all of them amount to.

use std::net::SocketAddr;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Worth knowing, no fault: something that is absent and not needed, or was left out.
    Note,
    /// A fault that does not keep this machine from doing DANE as it is configured.
    Warn,
    /// Could not be found out, though the answer matters.
    Unknown,
    /// A fault that does.
    Fail,
}

impl Verdict {
    /// The word of JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        }
    }
}

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Area {
    /// Our own resolver, in the configured mode.
    Lookups,
    /// The way to the root name servers.
    Root,
    /// A resolver of /etc/resolv.conf or of the configuration.
    Resolver,
    /// The clock.
    Clock,
    /// The trust anchors.
    Anchors,
    /// Port 25 to the world.
    Mail,
    /// Limits of the process.
    Files,
    /// The folder for learnt state.
    State,
}

impl Area {
    /// The word of JSON and of the lines for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lookups => "lookups",
            Self::Root => "root",
            Self::Resolver => "resolver",
            Self::Clock => "clock",
            Self::Anchors => "anchors",
            Self::Mail => "port 25",
            Self::Files => "files",
            Self::State => "state",
        }
    }
}

/// One line of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// How it came out.
    pub verdict: Verdict,
    /// What it is about.
    pub area: Area,
    /// The thing itself where there are several: an address, a family.
    pub subject: Option<String>,
    /// A stable word for what was found, such as `permissive`; the text may be reworded, this is
    /// not.
    pub finding: &'static str,
    /// What was found, one line without a full stop.
    pub text: String,
    /// What it means and what to do, in whole sentences, where there is something to do.
    pub advice: Option<String>,
    /// Single observations by stable name, for programs.
    pub details: Vec<(&'static str, String)>,
}

impl Check {
    /// A check without subject, advice and details.
    pub(super) fn new(
        verdict: Verdict,
        area: Area,
        finding: &'static str,
        text: impl Into<String>,
    ) -> Self {
        Self {
            verdict,
            area,
            subject: None,
            finding,
            text: text.into(),
            advice: None,
            details: Vec::new(),
        }
    }

    pub(super) fn about(self, subject: impl Into<String>) -> Self {
        Self {
            subject: Some(subject.into()),
            ..self
        }
    }

    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        Self {
            advice: Some(advice.into()),
            ..self
        }
    }

    pub(super) fn detail(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }
}

/// Whether this machine can do DANE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fitness {
    /// It can.
    Yes,
    /// It can; something should be looked at.
    WithWarnings,
    /// It cannot, as it is configured.
    No,
    /// Nothing was found that forbids it, but something that matters could not be found out.
    Unknown,
}

impl Fitness {
    /// The word of JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::WithWarnings => "warnings",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// The result: every check, in the order in which they should be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The checks.
    pub checks: Vec<Check>,
}

impl Examination {
    /// What the checks amount to: the worst decides.
    #[must_use]
    pub fn fitness(&self) -> Fitness {
        match self.checks.iter().map(|check| check.verdict).max() {
            Some(Verdict::Fail) => Fitness::No,
            Some(Verdict::Unknown) | None => Fitness::Unknown,
            Some(Verdict::Warn) => Fitness::WithWarnings,
            Some(Verdict::Note | Verdict::Ok) => Fitness::Yes,
        }
    }
}

/// An address as people write it: without the port when it is the usual one.
pub(super) fn shown(address: SocketAddr) -> String {
    if address.port() == 53 {
        match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
            _ => address.ip().to_string(),
        }
    } else {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides() {
        use Verdict::{Fail, Note, Ok, Unknown, Warn};
        for (verdicts, expected) in [
            (&[][..], Fitness::Unknown),
            (&[Ok], Fitness::Yes),
            (&[Ok, Note], Fitness::Yes),
            (&[Warn, Ok], Fitness::WithWarnings),
            (&[Warn, Unknown, Ok], Fitness::Unknown),
            (&[Ok, Fail, Unknown, Warn], Fitness::No),
        ] {
            let checks = (verdicts.iter())
                .map(|verdict| Check::new(*verdict, Area::Clock, "x", "x"))
                .collect();
            assert_eq!(Examination { checks }.fitness(), expected, "{verdicts:?}");
        }
    }

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("192.0.2.1:53", "192.0.2.1"),
            ("192.0.2.1:5300", "192.0.2.1:5300"),
            ("[2001:db8::1]:53", "2001:db8::1"),
            ("[2001:db8::1]:54", "[2001:db8::1]:54"),
            ("[fe80::1%3]:53", "fe80::1%3"),
        ] {
            assert_eq!(shown(text.parse().unwrap()), expected);
        }
    }
}
