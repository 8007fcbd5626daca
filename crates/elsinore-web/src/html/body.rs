//! The body of a report's page: the same for a report that has just come in and for one that is kept.

use super::rail::RailParts;
use crate::checker::Look;
use crate::site::Site;
use crate::store::{Entry, ReportId};
use crate::view::{self, Icon, Shown};
use askama::Template;
use elsinore_check::report::{
    Certificate, Event, KeyKind, Report, Sender, SenderOutcome, Session, State, Tlsa, ZoneServers,
};

/// Moments of the time line that are shown at once; the others are behind a line to open.
const EVENTS: usize = 8;
/// Addresses named for one wire; a hundred more say nothing new.
const PLACES: usize = 6;

/// Marks of the time line: seconds from the left end.
const TICKS: &[(i64, &str)] = &[
    (0, "now"),
    (3600, "hour"),
    (86_400, "day"),
    (7 * 86_400, "week"),
    (30 * 86_400, "month"),
    (365 * 86_400, "year"),
];

/// Space at either end of the time line.
const MARGIN: u32 = 20;

/// Said of name servers that do not agree.
const DIFFER: Shown = Shown {
    icon: Icon::Weak.name(),
    class: Look::Weak.class(),
    words: "they differ",
};

/// The body of a report's page.
#[derive(Debug, Template)]
#[template(path = "body.html")]
pub(super) struct BodyParts<'a> {
    r: &'a Report,
    link: Option<String>,
    earlier: &'a [Entry],
    rail: RailParts,
    url: Option<&'a str>,
}

/// One match of a record, for all places where it is the same.
#[derive(Debug)]
struct WireGroup {
    certificate: Option<String>,
    subject: String,
    depth: u32,
    accepted: bool,
    places: String,
}

impl<'a> BodyParts<'a> {
    pub(super) fn new(
        site: &'a Site,
        report: &'a Report,
        id: Option<&ReportId>,
        earlier: &'a [Entry],
    ) -> Self {
        Self {
            r: report,
            link: id.map(|id| format!("/r/{id}")),
            earlier,
            rail: RailParts::of(report),
            url: site.settings().url.as_ref().map(|url| url.as_str()),
        }
    }

    /// How a delivery would end. Where the whole check could not tell, nothing is held against anybody.
    fn outcome(&self, sender: &Sender) -> Shown {
        match (self.r.state, sender.outcome) {
            (State::CouldNotTell, SenderOutcome::Deferred | SenderOutcome::Bounced) => Shown {
                icon: Icon::Unknown.name(),
                class: Look::Unknown.class(),
                words: State::CouldNotTell.words(),
            },
            (_, outcome) => view::outcome(&outcome),
        }
    }

    /// The reply that a sender would log, where its sentence does not have it already.
    fn more<'s>(&self, sender: &'s Sender) -> Option<&'s str> {
        let reason = sender.reason.as_deref()?;
        (!sender.sentence.contains(reason)).then_some(reason)
    }

    fn first_events(&self) -> &'a [Event] {
        let events = &self.r.forecast.events;
        events.get(..EVENTS).unwrap_or(events)
    }

    fn later_events(&self) -> &'a [Event] {
        self.r.forecast.events.get(EVENTS..).unwrap_or_default()
    }

    /// Marks of the time line: where, and what stands below.
    fn ticks(&self) -> Vec<(u32, &'static str)> {
        let mark =
            |(seconds, words): &(i64, &'static str)| (MARGIN + view::place(seconds, &0), *words);
        TICKS.iter().map(mark).collect()
    }

    /// Where a moment stands on the time line.
    fn x(&self, event: &Event) -> u32 {
        MARGIN + view::place(&event.at, &self.r.began_at)
    }

    fn event_icon(&self, event: &Event) -> &'static str {
        let icon = match (event.breaks, event.at < self.r.began_at) {
            (true, true) => Icon::Refused,
            (true, false) => Icon::Weak,
            (false, _) => Icon::Later,
        };
        icon.name()
    }

    /// The wires of a record, those that differ only in their place joined.
    fn wires(&self, record: &Tlsa) -> Vec<WireGroup> {
        let mut groups: Vec<(WireGroup, usize)> = Vec::new();
        for wire in &record.wires {
            let certificate = wire
                .certificate
                .as_deref()
                .map(|key| self.short(key).to_owned());
            let place = format!("{} ({})", wire.address, view::offer(&wire.offer));
            let same = groups.iter_mut().find(|(group, _)| {
                group.certificate == certificate
                    && group.depth == wire.depth
                    && group.accepted == wire.accepted
            });
            match same {
                Some((group, count)) => {
                    *count += 1;
                    if *count <= PLACES {
                        group.places.push_str(", ");
                        group.places.push_str(&place);
                    }
                }
                None => groups.push((
                    WireGroup {
                        subject: (wire.certificate.as_deref())
                            .map_or_else(String::new, |key| self.subject(key)),
                        certificate,
                        depth: wire.depth,
                        accepted: wire.accepted,
                        places: place,
                    },
                    1,
                )),
            }
        }
        let joined = groups.into_iter().map(|(mut group, count)| {
            if count > PLACES {
                group
                    .places
                    .push_str(&format!(", and {} more", count - PLACES));
            }
            group
        });
        joined.collect()
    }

    /// The part of a certificate's digest that is used in addresses.
    fn short<'k>(&self, key: &'k str) -> &'k str {
        key.get(..16).unwrap_or(key)
    }

    /// What a certificate is called.
    fn subject(&self, key: &str) -> String {
        match self.r.certificates.get(key) {
            Some(certificate) if !certificate.subject.is_empty() => certificate.subject.clone(),
            Some(certificate) => self.first_name(certificate).to_owned(),
            None => self.short(key).to_owned(),
        }
    }

    fn first_name<'c>(&self, certificate: &'c Certificate) -> &'c str {
        certificate
            .names
            .first()
            .map_or("(no name)", String::as_str)
    }

    fn key_words(&self, certificate: &Certificate) -> String {
        let kind = match certificate.key {
            KeyKind::Rsa => "RSA",
            KeyKind::Ecdsa => "ECDSA",
            KeyKind::Eddsa => "EdDSA",
            KeyKind::Other => "unknown kind of key",
        };
        match certificate.key_bits {
            0 => kind.to_owned(),
            bits => format!("{kind}, {bits} bits"),
        }
    }

    /// A session that says nothing about them looks so, whatever it came to.
    fn session(&self, session: &Session) -> Shown {
        let shown = view::session(&session.state);
        match session.inconclusive {
            None => shown,
            Some(_) => Shown {
                icon: Icon::Unknown.name(),
                class: Look::Unknown.class(),
                ..shown
            },
        }
    }

    fn differ(&self, zone: &ZoneServers) -> bool {
        let mut answers = zone.servers.iter().flat_map(|server| &server.answers);
        answers.any(|answer| answer.differs.is_some())
    }

    fn state_words(&self, entry: &Entry) -> &'static str {
        let state = State::ALL
            .into_iter()
            .find(|state| state.word() == entry.state);
        state.map_or("", State::words)
    }

    fn badge_snippet(&self) -> String {
        let url = self.url.unwrap_or("https://THIS-PAGE");
        let domain = view::in_url(&self.r.domain);
        format!(
            "<a href=\"{url}/d/{domain}\"><img src=\"{url}/badge/{domain}.svg\" height=\"20\" \
             alt=\"DANE for mail: state of {domain}\"></a>"
        )
    }
}
