//! Which of the five states, and the sentence that says why.
//!
//! # The rule
//! The state is what a sender that honours DANE, and MTA-STS where DANE does not decide, comes to.
//!
//! * **Could not tell** when our own DNS is ill, when the check came to no end in time, or when
//!   what was not reached could turn one state into another: nothing would be delivered and some
//!   address could not be tested; or nothing was authenticated where some address that has to be
//!   could not be tested.
//! * **Mail will be refused** when that sender delivers nothing, for reasons of theirs.
//! * **Protected** when every address of every host is authenticated by DANE under secure MX
//!   records, or none (secure as well), whichever certificate is asked for. Addresses that could not be
//!   tested are left out and named, as in the counts of V. Dukhovni ("correct TLSA records at every
//!   MX host that accepts connections"): the obligation stands there too, so that nothing is
//!   delivered unauthenticated, and at least one address was authenticated. A host whose addresses
//!   are *securely* shown to be absent is left out and named likewise: nobody can deliver there.
//! * **Partly protected** when mail flows and some address is authenticated: by DANE at some of
//!   them, by DANE under insecure MX records (which an attacker can replace), by MTA-STS, or by
//!   pins, which only this sender has.
//! * **Not protected** when mail flows and nothing is authenticated. TLSA records that are all
//!   unusable belong here: they demand TLS and prove nobody, so an attacker on the way can be the
//!   server. So does a certificate that happens to be valid, because nobody is obliged to look.

use super::barrier::Barrier;
use super::standing::{AddressStanding, HostStanding, Route, Standing};
use super::text::count;
use crate::report::{AddressState, Security, State};
use elsinore_dane::obligation::SkipReason;
use elsinore_net::deliver::SessionSecurity;

/// The state, and one sentence with a full stop.
pub(super) fn state(standing: &Standing) -> (State, String) {
    let (state, mut sentence) = bare(standing);
    // Who does not honour DANE is not what the state is about, and may matter more to the reader.
    if standing.delivers
        && state != State::CouldNotTell
        && let Some(reason) = &standing.sts_only.refused
    {
        sentence += &format!("; senders that know MTA-STS alone deliver nothing: {reason}");
    }
    if standing.overridden && state != State::CouldNotTell {
        sentence += " (under overrides of this sender's administrator)";
    }
    sentence.push('.');
    (state, sentence)
}

fn bare(standing: &Standing) -> (State, String) {
    let domain = &standing.domain;
    if let Some(trouble) = &standing.our_dns {
        let text =
            format!("The check could not tell, because our own DNS does not work: {trouble}");
        return (State::CouldNotTell, text);
    }
    match &standing.route {
        Route::TimedOut => {
            let text = format!(
                "The check could not tell: the answers about {domain} did not come in time"
            );
            return (State::CouldNotTell, text);
        }
        Route::Refused {
            bounce,
            code,
            reason,
        } => {
            let text = match (bounce, (code.subject, code.detail)) {
                (true, (1, 2)) => {
                    format!("Mail to {domain} is returned at once: the domain does not exist")
                }
                (true, (1, 10)) => {
                    format!(
                        "Mail to {domain} is returned at once: its null MX record says that it takes no mail"
                    )
                }
                (true, _) => format!("Mail to {domain} is returned at once: {reason}"),
                (false, _) => format!(
                    "Mail to {domain} waits at the sender and is returned after some days: {reason}"
                ),
            };
            return (State::Refused, text);
        }
        Route::Hosts => {}
    }
    let view = View::of(standing);
    if !standing.delivers {
        return match view.untested.first() {
            Some(first) => (State::CouldNotTell, view.nothing_reached(first)),
            None => (State::Refused, view.refused()),
        };
    }
    if !view.authenticated {
        if let Some((host, address)) = view.untested.iter().find(|(host, _)| host.authenticate) {
            let text = format!(
                "The check could not tell: mail flows without authentication, and {}, which has to be \
                 authenticated, could not be tested ({})",
                place(host, address),
                why(address)
            );
            return (State::CouldNotTell, text);
        }
        return (State::NotProtected, view.not_protected());
    }
    match view.weakness() {
        None => (State::Protected, view.protected()),
        Some(weakness) => (State::PartlyProtected, weakness),
    }
}

/// One address with its host.
type At<'a> = (&'a HostStanding, &'a AddressStanding);

/// The standing, sorted.
struct View<'a> {
    standing: &'a Standing,
    met: Vec<At<'a>>,
    in_part: Vec<At<'a>>,
    failed: Vec<At<'a>>,
    untested: Vec<At<'a>>,
    /// Whether anything is authenticated anywhere.
    authenticated: bool,
}

impl<'a> View<'a> {
    fn of(standing: &'a Standing) -> Self {
        let all = || {
            standing
                .hosts
                .iter()
                .flat_map(|host| host.addresses.iter().map(move |address| (host, address)))
        };
        let those = |state| {
            all()
                .filter(|(_, address)| address.state == state)
                .collect::<Vec<_>>()
        };
        let (met, in_part) = (those(AddressState::Met), those(AddressState::MetInPart));
        let authenticated = met
            .iter()
            .chain(&in_part)
            .any(|(_, address)| is_authenticated(address.security));
        Self {
            standing,
            met,
            in_part,
            failed: those(AddressState::Failed),
            untested: those(AddressState::Inconclusive),
            authenticated,
        }
    }

    /// The first thing that keeps a domain from being protected, worst first, as a sentence.
    fn weakness(&self) -> Option<String> {
        let domain = &self.standing.domain;
        if let Some((host, address)) = self.failed.first() {
            let more = more(self.failed.len() - 1);
            let text = format!(
                "Mail flows, but {} cannot use {}: {}{more}",
                who(barrier(host, address)),
                place(host, address),
                why(address)
            );
            return Some(text);
        }
        let skipped = self.standing.hosts.iter().find(|host| match host.skip {
            None => false,
            Some(SkipReason::NoAddress) => host.addresses_secure != Security::Secure,
            Some(_) => true,
        });
        if let Some(host) = skipped {
            return Some(format!(
                "Mail flows, but {} does not contact {}: {}",
                who(skipped_for(host)),
                host.name,
                skip(host)
            ));
        }
        let halved = (self.standing.hosts.iter())
            .find_map(|host| Some((host, host.lost_family.as_deref()?)));
        if let Some((host, reason)) = halved {
            return Some(format!(
                "Mail flows, but some addresses of {} cannot be had: {reason}",
                host.name
            ));
        }
        if let Some((host, address)) = self.in_part.first() {
            let text = format!(
                "Whether a DANE sender delivers to {} depends on the certificate it gets: {}",
                place(host, address),
                why(address)
            );
            return Some(text);
        }
        let weaker = |wanted: fn(SessionSecurity) -> bool| {
            self.met
                .iter()
                .find(|(_, address)| address.security.is_some_and(wanted))
        };
        if let Some((host, address)) = weaker(|word| !is_authenticated(Some(word))) {
            let good = self
                .met
                .iter()
                .find(|(_, address)| is_authenticated(address.security));
            let good = good.map(|(host, _)| host.name.as_str()).unwrap_or_default();
            let text = format!(
                "{good} is authenticated and {} is not, so an attacker can divert mail to the weaker host: {}",
                host.name,
                unauthenticated(host, address)
            );
            return Some(text);
        }
        let by_dane = self.met.iter().find(|(host, address)| {
            host.dane && !self.standing.mx.secure && is_authenticated(address.security)
        });
        if let Some((host, address)) = by_dane {
            let reason = self
                .standing
                .mx
                .reason
                .as_deref()
                .unwrap_or("the zone is not signed");
            let what = match self.standing.mx.implicit {
                true => "the absence of MX records",
                false => "the MX records",
            };
            let and_sts = match address.security {
                Some(SessionSecurity::Sts) => " and the MTA-STS policy",
                _ => "",
            };
            return Some(format!(
                "{} is authenticated by its TLSA records{and_sts}, but {what} of {domain} can be \
                 forged, so mail of DANE senders can be led elsewhere: {reason}",
                host.name
            ));
        }
        if let Some((host, _)) = weaker(|word| word == SessionSecurity::Sts) {
            let why = no_dane(host, self.standing);
            return Some(match self.standing.hosts.iter().any(|host| host.dane) {
                true => format!("{} is authenticated by MTA-STS alone: {why}", host.name),
                false => format!(
                    "MTA-STS protects mail to {domain} from senders that honour it, and there is \
                     no DANE: {why}"
                ),
            });
        }
        if let Some((host, _)) = weaker(|word| word == SessionSecurity::Pinned) {
            let text = format!(
                "{} is authenticated by pins of this sender's administrator, which no other sender has",
                host.name
            );
            return Some(text);
        }
        // No host may be left that DANE does not oblige to authenticate, though none was reached.
        let open = self.untested.iter().find(|(host, _)| !host.dane);
        open.map(|(host, _)| {
            format!(
                "{} is not authenticated by DANE: {}",
                host.name,
                no_dane(host, self.standing)
            )
        })
    }

    fn protected(&self) -> String {
        let mut hosts: Vec<&str> = self
            .met
            .iter()
            .map(|(host, _)| host.name.as_str())
            .collect();
        hosts.dedup();
        let addresses = self.met.len();
        let all = if self.untested.is_empty() { "all " } else { "" };
        let mut text = match (hosts.as_slice(), addresses) {
            ([host], 1) if self.untested.is_empty() => {
                format!("A DANE sender authenticates {host} at its one address")
            }
            ([host], 1) => format!("A DANE sender authenticates {host} at one address"),
            ([host], several) => {
                format!("A DANE sender authenticates {host} at {all}{several} addresses")
            }
            (several, addresses) => format!(
                "A DANE sender authenticates {all}{} MX hosts at {all}{addresses} addresses",
                several.len()
            ),
        };
        if let Some((host, address)) = self.untested.first() {
            text += &match self.untested.len() {
                1 => format!(
                    "; {} could not be tested: {}",
                    place(host, address),
                    why(address)
                ),
                several => format!(
                    "; {several} addresses could not be tested, {} among them: {}",
                    place(host, address),
                    why(address)
                ),
            };
        }
        if let Some(host) = self
            .standing
            .hosts
            .iter()
            .find(|host| host.skip == Some(SkipReason::NoAddress))
        {
            text += &format!("; {} has no address", host.name);
        }
        text
    }

    fn not_protected(&self) -> String {
        let domain = &self.standing.domain;
        if let Some((host, address)) = self.failed.first() {
            return format!(
                "Mail flows unauthenticated, because {} cannot use {} and goes on to a weaker host: {}",
                who(barrier(host, address)),
                place(host, address),
                why(address)
            );
        }
        if let Some(host) = self.standing.hosts.iter().find(|host| {
            host.skip
                .is_some_and(|reason| reason != SkipReason::NoAddress)
        }) {
            return format!(
                "Mail flows unauthenticated, because {} does not contact {} and goes on to a weaker host: {}",
                who(skipped_for(host)),
                host.name,
                skip(host)
            );
        }
        let clear = self
            .met
            .iter()
            .find(|(_, one)| one.security == Some(SessionSecurity::Plaintext));
        match clear.or_else(|| self.met.first()) {
            Some((host, _)) if clear.is_some() => format!(
                "Mail to {domain} travels in clear text, because {} offers no usable TLS, and nothing demands it: {}",
                host.name,
                no_dane(host, self.standing)
            ),
            Some((host, _)) if host.encrypt && host.unusable => format!(
                "Mail to {domain} is always encrypted and nothing authenticates the server: none of the TLSA records of {} can be used",
                host.name
            ),
            Some((host, _)) => format!(
                "Nothing authenticates the servers of {domain}: {}",
                no_dane(host, self.standing)
            ),
            None => format!("Nothing authenticates the servers of {domain}"),
        }
    }

    fn refused(&self) -> String {
        let domain = &self.standing.domain;
        if let Some((host, address)) = self.failed.first() {
            let more = more(self.failed.len() - 1);
            return format!(
                "{} can deliver nothing to {domain}: it cannot use {}: {}{more}",
                self.nobody(),
                place(host, address),
                why(address)
            );
        }
        // A host that only waits for a lookup decides before one that has no address at all: it is
        // why mail waits.
        let skipped = |wanted: fn(SkipReason) -> bool| {
            let mut hosts = self.standing.hosts.iter();
            hosts.find(|host| host.skip.is_some_and(wanted))
        };
        let waiting = skipped(|reason| reason != SkipReason::NoAddress);
        match waiting.or_else(|| skipped(|_| true)) {
            Some(host) => {
                let all_without = self
                    .standing
                    .hosts
                    .iter()
                    .all(|host| host.skip == Some(SkipReason::NoAddress));
                let what = match all_without {
                    true => format!("Mail to {domain} is returned at once"),
                    false => format!("{} can deliver nothing to {domain}", self.nobody()),
                };
                format!("{what}: {}: {}", host.name, skip(host))
            }
            None => {
                format!("A DANE sender can deliver nothing to {domain}: there is no host to try")
            }
        }
    }

    /// Who can deliver nothing: a sender that honours what stands in the way.
    fn nobody(&self) -> &'static str {
        let failed = (self.failed.iter()).map(|(host, address)| barrier(host, address));
        let skipped = (self.standing.hosts.iter())
            .filter(|host| host.skip.is_some())
            .map(skipped_for);
        match failed.chain(skipped).fold(Barrier::Neither, Barrier::and) {
            Barrier::Sts => "A sender that honours MTA-STS",
            Barrier::Both => "A sender that honours DANE and MTA-STS",
            Barrier::Dane | Barrier::Neither => "A DANE sender",
        }
    }

    fn nothing_reached(&self, (host, address): &At<'_>) -> String {
        let domain = &self.standing.domain;
        match self.failed.first() {
            Some((bad, one)) => format!(
                "The check could not tell: {} cannot use {} ({}), and {} could not be tested: {}",
                who(barrier(bad, one)),
                place(bad, one),
                why(one),
                place(host, address),
                why(address)
            ),
            None => format!(
                "The check could not tell: no server of {domain} could be tested from here; {}: {}",
                place(host, address),
                why(address)
            ),
        }
    }
}

/// Whether an obligation that authenticates was met.
const fn is_authenticated(security: Option<SessionSecurity>) -> bool {
    match security {
        Some(
            SessionSecurity::Dane
            | SessionSecurity::DaneInsecureMx
            | SessionSecurity::Sts
            | SessionSecurity::Pinned,
        ) => true,
        Some(SessionSecurity::WebPki | SessionSecurity::Encrypted | SessionSecurity::Plaintext)
        | None => false,
    }
}

/// `mx.example[192.0.2.1]`.
fn place(host: &HostStanding, address: &AddressStanding) -> String {
    format!("{}[{}]", host.name, address.address)
}

/// What stands in the way at an address.
fn barrier(host: &HostStanding, address: &AddressStanding) -> Barrier {
    Barrier::of_failure(host.dane, host.sts, address.reason.as_deref())
}

/// What a host is skipped for.
fn skipped_for(host: &HostStanding) -> Barrier {
    host.skip.map_or(Barrier::Neither, Barrier::of_skip)
}

/// The sender that is held up. Where both demand it, one that honours DANE alone is held up too.
const fn who(barrier: Barrier) -> &'static str {
    match barrier {
        Barrier::Sts => "a sender that honours MTA-STS",
        Barrier::Dane | Barrier::Both | Barrier::Neither => "a DANE sender",
    }
}

/// The reason without the word that says where it comes from: `TLSA: no TLSA record matches`.
fn why(address: &AddressStanding) -> &str {
    let reason = address.reason.as_deref().unwrap_or("no reason is known");
    reason.strip_prefix("TLSA: ").unwrap_or(reason)
}

/// `, and 2 more addresses`; nothing where there are none.
fn more(number: usize) -> String {
    match number {
        0 => String::new(),
        number => format!(", and {}", count(number, "more address", "more addresses")),
    }
}

fn skip(host: &HostStanding) -> String {
    let reason = host
        .skip
        .map_or("it was not contacted", SkipReason::sentence);
    match &host.detail {
        Some(detail) => format!("{reason} ({detail})"),
        None => reason.to_owned(),
    }
}

/// Why nothing authenticates a host.
fn unauthenticated(host: &HostStanding, address: &AddressStanding) -> String {
    match address.security {
        Some(SessionSecurity::Plaintext) => {
            "it offers no usable TLS and nothing demands it".to_owned()
        }
        _ if host.unusable => "none of its TLSA records can be used".to_owned(),
        _ => host_without_dane(host),
    }
}

fn host_without_dane(host: &HostStanding) -> String {
    match (&host.addresses_secure, &host.addresses_reason) {
        (Security::Secure, _) => format!("{} has no TLSA records", host.name),
        (_, Some(reason)) => format!("the addresses of {} are not signed ({reason})", host.name),
        (_, None) => format!("the addresses of {} are not signed", host.name),
    }
}

/// Why there is no DANE.
fn no_dane(host: &HostStanding, standing: &Standing) -> String {
    if host.unusable {
        return format!("none of the TLSA records of {} can be used", host.name);
    }
    if standing.mx.secure || host.addresses_secure == Security::Secure {
        return host_without_dane(host);
    }
    match &standing.mx.reason {
        Some(reason) => format!(
            "neither the MX records nor the addresses of {} are signed ({reason})",
            host.name
        ),
        None => host_without_dane(host),
    }
}
