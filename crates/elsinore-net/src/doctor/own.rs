//! Our own resolver, in the configured mode, on names of which it is known what they are.

use super::check::{Area, Check, Verdict};
use super::names::{MOST, ProbeName, ProbeNames};
use crate::resolver::{Freshness, Mode, SecureResolver};
use elsinore_dane::answer::{Answer, Last};
use elsinore_dane::security::Security;
use futures_util::future::{join, join_all};

/// What our resolver said of each name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnAnswers {
    pub(crate) secure: Vec<(ProbeName, Found)>,
    pub(crate) bogus: Vec<(ProbeName, Found)>,
    pub(crate) insecure: Vec<(ProbeName, Found)>,
}

/// One answer, as far as it is judged here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) security: Security,
    /// Why, one line.
    pub(crate) reason: String,
    /// Whether it is data or a shown absence.
    pub(crate) is_answer: bool,
}

impl From<&Answer> for Found {
    fn from(answer: &Answer) -> Self {
        let status = answer.overall();
        Self {
            security: status.security(),
            reason: status.reason().to_owned(),
            is_answer: !matches!(answer.last, Last::Failed(_)),
        }
    }
}

/// Looks every name up, all at once.
pub(crate) async fn ask(resolver: &dyn SecureResolver, names: &ProbeNames) -> OwnAnswers {
    let each = async |names: &[ProbeName]| {
        let asked = names.iter().take(MOST).map(|name| async move {
            let answer = resolver.lookup(&name.0, Freshness::Fresh).await;
            (name.clone(), Found::from(&answer))
        });
        join_all(asked).await
    };
    let (secure, (bogus, insecure)) = join(
        each(&names.secure),
        join(each(&names.bogus), each(&names.insecure)),
    )
    .await;
    OwnAnswers {
        secure,
        bogus,
        insecure,
    }
}

impl OwnAnswers {
    /// Whether at least one good name was found good: only then are other findings believed.
    pub(crate) fn validates(&self) -> bool {
        self.secure
            .iter()
            .any(|(_, found)| is(found, Security::Secure))
    }

    /// The names that are what they are said to be, by our own validator's word. Where it cannot
    /// tell, all are believed; mode `ad` has no word of its own.
    pub(crate) fn sound(&self, names: &ProbeNames, mode: Mode) -> ProbeNames {
        if mode == Mode::Ad || !self.validates() {
            return names.clone();
        }
        let keep =
            |names: &[ProbeName], asked: &[(ProbeName, Found)], good: &dyn Fn(&Found) -> bool| {
                (names.iter())
                    .filter(|name| {
                        let found = asked.iter().find(|(other, _)| other == *name);
                        found.is_none_or(|(_, found)| good(found))
                    })
                    .cloned()
                    .collect()
            };
        ProbeNames {
            secure: keep(&names.secure, &self.secure, &|found| {
                is(found, Security::Secure)
            }),
            bogus: keep(&names.bogus, &self.bogus, &|found| !found.is_answer),
            insecure: keep(&names.insecure, &self.insecure, &|found| {
                is(found, Security::Insecure)
            }),
        }
    }
}

fn is(found: &Found, security: Security) -> bool {
    found.is_answer && found.security == security
}

/// The line about lookups. `clock_is_wrong` is known from elsewhere: then the failures here are
/// not the domains'.
pub(crate) fn judge(answers: &OwnAnswers, mode: Mode, clock_is_wrong: bool) -> Check {
    let word = mode_word(mode);
    let new = |verdict, finding, text: String| {
        Check::new(verdict, Area::Lookups, finding, text).detail("mode", word)
    };
    let first = |asked: &[(ProbeName, Found)], good: &dyn Fn(&Found) -> bool| {
        (asked.iter())
            .find(|(_, found)| good(found))
            .map(|(name, found)| (name.0.name.to_string(), found.reason.clone()))
    };
    let secure = first(&answers.secure, &|found| is(found, Security::Secure));
    let Some((secure, _)) = secure else {
        return failing(answers, mode, clock_is_wrong, &new);
    };
    // An answer to a name that must not have one.
    let swallowed = first(&answers.bogus, &|found| is(found, Security::Insecure));
    let rejected = first(&answers.bogus, &|found| !found.is_answer);
    let unsigned = first(&answers.insecure, &|found| is(found, Security::Insecure));
    match (rejected, swallowed) {
        (None, Some((bogus, _))) => new(
            Verdict::Fail,
            "believes-forgeries",
            format!("{word}: {bogus} is forged, and believed as unsigned"),
        )
        .advise(
            "The resolver whose AD bit is believed hands out forged data. Use mode \"recursive\" or \
             \"forward\", where signatures are checked here.",
        ),
        (None, None) => new(
            Verdict::Unknown,
            "no-bogus-name",
            format!("{word}: {secure} secure; no name is known to be forged"),
        )
        .advise(
            "Without one it cannot be shown that forgeries are rejected. Name one with [doctor] \
             bogus, or --bogus.",
        ),
        (Some((bogus, reason)), _) => {
            let unsigned = match unsigned {
                Some((name, _)) => format!(", {name} unsigned"),
                None => String::new(),
            };
            new(
                Verdict::Ok,
                "validating",
                format!("{word}: {secure} secure, {bogus} rejected{unsigned}"),
            )
            .detail("bogus_reason", reason)
        }
    }
}

const fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Recursive => "recursive",
        Mode::Forward => "forward",
        Mode::Ad => "ad",
    }
}

fn failing(
    answers: &OwnAnswers,
    mode: Mode,
    clock_is_wrong: bool,
    new: &dyn Fn(Verdict, &'static str, String) -> Check,
) -> Check {
    let Some((name, found)) = answers.secure.first() else {
        return new(
            Verdict::Unknown,
            "no-secure-name",
            "no name is known to be signed".to_owned(),
        )
        .advise("Name one with [doctor] secure, or --secure.");
    };
    let (name, word) = (&name.0.name, mode_word(mode));
    if clock_is_wrong {
        return new(
            Verdict::Fail,
            "clock",
            format!("{word}: nothing validates, because our clock is wrong"),
        )
        .detail("reason", found.reason.as_str())
        .advise("The domains are not to blame. Set the clock first, then look again.");
    }
    match (found.is_answer, found.security) {
        (true, Security::Insecure) => new(
            Verdict::Fail,
            "signed-looks-unsigned",
            format!("{word}: {name} is signed and looks unsigned"),
        )
        .detail("reason", found.reason.as_str())
        .advise(match mode {
            Mode::Ad => {
                "The resolver sets no AD, so DANE is never used. Use mode \"recursive\" or \
                 \"forward\", or a validating resolver."
                    .to_owned()
            }
            Mode::Recursive | Mode::Forward => {
                format!("Because: {}.", found.reason)
            }
        }),
        (_, Security::Bogus) => new(
            Verdict::Fail,
            "all-bogus",
            format!("{word}: {name} is rejected, and so are all others"),
        )
        .detail("reason", found.reason.as_str())
        .advise(format!(
            "Because: {}. When good names are rejected too, the trust anchor, the clock or \
             whoever is in between is wrong, not the domains.",
            found.reason
        )),
        _ => new(
            Verdict::Fail,
            "no-answers",
            format!("{word}: no name can be looked up"),
        )
        .detail("reason", found.reason.as_str())
        .advise(format!("Because: {}.", found.reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `s` secure, `i` insecure, `b` bogus, `x` not found out.
    fn found(letters: &str) -> Vec<(ProbeName, Found)> {
        (letters.chars().enumerate())
            .map(|(index, letter)| {
                let security = match letter {
                    's' => Security::Secure,
                    'i' => Security::Insecure,
                    'b' => Security::Bogus,
                    _ => Security::Indeterminate,
                };
                let found = Found {
                    security,
                    reason: "a reason".to_owned(),
                    is_answer: matches!(letter, 's' | 'i'),
                };
                (format!("{letter}{index}.example").parse().unwrap(), found)
            })
            .collect()
    }

    fn names(asked: &[(ProbeName, Found)]) -> Vec<ProbeName> {
        asked.iter().map(|(name, _)| name.clone()).collect()
    }

    #[test]
    fn lines() {
        use Verdict::{Fail, Ok, Unknown};
        for (secure, bogus, insecure, clock_is_wrong, verdict, finding) in [
            ("s", "b", "i", false, Ok, "validating"),
            ("xs", "ib", "si", false, Ok, "validating"),
            ("s", "x", "", false, Ok, "validating"),
            ("s", "i", "i", false, Fail, "believes-forgeries"),
            ("s", "s", "i", false, Unknown, "no-bogus-name"),
            ("s", "", "i", false, Unknown, "no-bogus-name"),
            ("", "b", "i", false, Unknown, "no-secure-name"),
            ("i", "i", "i", false, Fail, "signed-looks-unsigned"),
            ("b", "b", "b", false, Fail, "all-bogus"),
            ("b", "b", "b", true, Fail, "clock"),
            ("x", "x", "x", false, Fail, "no-answers"),
        ] {
            let answers = OwnAnswers {
                secure: found(secure),
                bogus: found(bogus),
                insecure: found(insecure),
            };
            for mode in [Mode::Recursive, Mode::Forward, Mode::Ad] {
                let check = judge(&answers, mode, clock_is_wrong);
                let seen = (check.verdict, check.finding);
                assert_eq!(seen, (verdict, finding), "{secure} {bogus} {insecure}");
            }
        }
    }

    #[test]
    fn names_that_are_not_what_they_are_said_to_be() {
        let answers = OwnAnswers {
            secure: found("si"),
            bogus: found("bs"),
            insecure: found("is"),
        };
        let all = ProbeNames {
            secure: names(&answers.secure),
            bogus: names(&answers.bogus),
            insecure: names(&answers.insecure),
        };
        let sound = answers.sound(&all, Mode::Recursive);
        assert_eq!(sound.secure, all.secure[..1]);
        assert_eq!(sound.bogus, all.bogus[..1]);
        assert_eq!(sound.insecure, all.insecure[..1]);
        assert_eq!(answers.sound(&all, Mode::Ad), all);
        let lost = OwnAnswers {
            secure: found("b"),
            ..answers
        };
        assert_eq!(lost.sound(&all, Mode::Forward), all);
    }
}
