//! What one resolver does with a set of questions that tell resolvers apart.

use super::ask::{Asker, Obstacle, Seen};
use super::names::{MOST, ProbeName, ProbeNames};
use crate::resolver::probe::Manner;
use elsinore_dane::answer::{Question, RecordType};
use elsinore_dane::name::DomainName;
use futures_util::future::{join, join_all};
use std::net::SocketAddr;

/// The answers of one resolver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observed {
    /// A good name, without EDNS.
    pub(crate) plain: Seen,
    /// A good name, with signatures.
    pub(crate) signed: Seen,
    /// The same over TCP.
    pub(crate) over_tcp: Seen,
    /// A good name, asking for the verdict without the signatures.
    pub(crate) verdict: Seen,
    /// An unsigned name.
    pub(crate) unsigned: Seen,
    /// A name whose signatures are wrong.
    pub(crate) forged: Seen,
    /// The same, unchecked.
    pub(crate) forged_unchecked: Seen,
    /// TLSA records below a good name, or their denial.
    pub(crate) tlsa: Seen,
    /// A large answer where there is room for 512 octets.
    pub(crate) cramped: Seen,
    /// The same over TCP.
    pub(crate) whole: Seen,
    /// Every signature seen that could be a measure of the time: of good names and of the root.
    pub(crate) clocks: Vec<crate::resolver::probe::Signature>,
    /// Whether each kind of name was there to be asked for.
    pub(crate) asked: Asked,
}

/// The names that were used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The good name.
    pub(crate) secure: Option<ProbeName>,
    /// The unsigned name.
    pub(crate) insecure: Option<ProbeName>,
    /// The wrongly signed name.
    pub(crate) bogus: Option<ProbeName>,
}

impl Observed {
    fn nothing() -> Self {
        Self {
            plain: Seen::NotAsked,
            signed: Seen::NotAsked,
            over_tcp: Seen::NotAsked,
            verdict: Seen::NotAsked,
            unsigned: Seen::NotAsked,
            forged: Seen::NotAsked,
            forged_unchecked: Seen::NotAsked,
            tlsa: Seen::NotAsked,
            cramped: Seen::NotAsked,
            whole: Seen::NotAsked,
            clocks: Vec::new(),
            asked: Asked::default(),
        }
    }

    /// Every answer.
    pub(crate) fn all(&self) -> [&Seen; 10] {
        [
            &self.plain,
            &self.signed,
            &self.over_tcp,
            &self.verdict,
            &self.unsigned,
            &self.forged,
            &self.forged_unchecked,
            &self.tlsa,
            &self.cramped,
            &self.whole,
        ]
    }
}

/// The root's keys: the one large answer that every resolver can get.
fn large() -> Question {
    Question::new(DomainName::root(), RecordType::Dnskey)
}

/// Where TLSA records of a mail host at `name` would stand. Records or a signed denial: both show
/// that the type passes.
fn tlsa_below(name: &DomainName) -> Option<Question> {
    let owner = name.prefixed("_25._tcp").ok()?;
    Some(Question::new(owner, RecordType::Tlsa))
}

/// Asks `server` everything, each question at most twice and all that do not wait for each other
/// at once. A server that shows no sign of life is left alone after the first three.
pub(crate) async fn observe(asker: &Asker, server: SocketAddr, names: &ProbeNames) -> Observed {
    let mut seen = Observed::nothing();
    let root = Question::new(DomainName::root(), RecordType::Soa);
    let first = names
        .secure
        .first()
        .map_or(&root, |ProbeName(question)| question);
    // What a server that knows no EDNS answers tells it from a dead one.
    let (udp, tcp) = join(
        asker.udp(server, first, Manner::Plain),
        asker.tcp(server, first, Manner::Signed),
    )
    .await;
    (seen.plain, seen.over_tcp) = (udp, tcp);
    let lives = |seen: &Seen| !matches!(seen, Seen::Silent | Seen::Obstacle(_) | Seen::NotAsked);
    if !lives(&seen.plain) && !lives(&seen.over_tcp) {
        return seen;
    }
    let (secure, (insecure, bogus)) = join(
        each(asker, server, &names.secure),
        join(
            each(asker, server, &names.insecure),
            each(asker, server, &names.bogus),
        ),
    )
    .await;
    for (_, reply) in &secure {
        seen.clocks.extend(
            reply
                .told()
                .into_iter()
                .flat_map(|told| told.signatures.clone()),
        );
    }
    // Of several names of a kind the one is taken that speaks best for the resolver: trouble of
    // somebody else's zone is not its fault.
    let authentic = |seen: &Seen| seen.told().is_some_and(|told| told.authentic);
    let answered = |seen: &Seen| matches!(seen.rcode(), Some(0 | 3));
    let (asked, signed) = pick(secure, &[&authentic, &answered]);
    (seen.asked.secure, seen.signed) = (asked, signed);
    let honest = |seen: &Seen| answered(seen) && !authentic(seen);
    let (asked, unsigned) = pick(insecure, &[&honest, &answered]);
    (seen.asked.insecure, seen.unsigned) = (asked, unsigned);
    let rejected = |seen: &Seen| seen.rcode() == Some(2);
    let (asked, forged) = pick(bogus, &[&rejected, &answered]);
    (seen.asked.bogus, seen.forged) = (asked, forged);

    let secure = seen.asked.secure.clone();
    let secure = secure
        .as_ref()
        .map_or(&root, |ProbeName(question)| question);
    let large = large();
    let tlsa = tlsa_below(&secure.name);
    let bogus = seen.asked.bogus.clone();
    let ((verdict, forged), (tlsa, (cramped, whole))) = join(
        join(asker.udp(server, secure, Manner::Verdict), async {
            match &bogus {
                Some(ProbeName(question)) => asker.udp(server, question, Manner::Unchecked).await,
                None => Seen::NotAsked,
            }
        }),
        join(
            async {
                match &tlsa {
                    Some(question) => asker.udp(server, question, Manner::Unchecked).await,
                    None => Seen::NotAsked,
                }
            },
            join(
                asker.udp(server, &large, Manner::Cramped),
                asker.tcp(server, &large, Manner::Unchecked),
            ),
        ),
    )
    .await;
    seen.verdict = verdict;
    seen.forged_unchecked = forged;
    seen.tlsa = tlsa;
    seen.cramped = cramped;
    seen.whole = whole;
    // A TLSA record set under the cache's eyes may be too large for a datagram; that is not the
    // type's fault.
    if seen.tlsa.told().is_some_and(|told| told.truncated)
        && let Some(question) = tlsa_below(&secure.name)
    {
        let whole = asker.tcp(server, &question, Manner::Unchecked).await;
        if whole.told().is_some() {
            seen.tlsa = whole;
        }
    }
    for reply in [&seen.tlsa, &seen.whole] {
        let signatures = reply
            .told()
            .into_iter()
            .flat_map(|told| told.signatures.clone());
        seen.clocks.extend(signatures);
    }
    seen
}

/// Asks for each of the first names, with signatures; over TCP what did not fit.
async fn each(asker: &Asker, server: SocketAddr, names: &[ProbeName]) -> Vec<(ProbeName, Seen)> {
    let asked = names.iter().take(MOST).map(|name| async move {
        let seen = asker.udp(server, &name.0, Manner::Signed).await;
        if !seen.told().is_some_and(|told| told.truncated) {
            return (name.clone(), seen);
        }
        let whole = asker.tcp(server, &name.0, Manner::Signed).await;
        match whole {
            Seen::Reply(..) => (name.clone(), whole),
            _ => (name.clone(), seen),
        }
    });
    join_all(asked).await
}

/// The first that has the first quality, else the second, …, else the first.
fn pick(
    mut seen: Vec<(ProbeName, Seen)>,
    qualities: &[&dyn Fn(&Seen) -> bool],
) -> (Option<ProbeName>, Seen) {
    if seen.is_empty() {
        return (None, Seen::NotAsked);
    }
    let best = qualities
        .iter()
        .find_map(|quality| seen.iter().position(|(_, seen)| quality(seen)))
        .unwrap_or(0);
    let (name, reply) = seen.swap_remove(best);
    (Some(name), reply)
}

/// How a server without any sign of life shows none.
pub(crate) const fn lifeless(seen: &Observed) -> Option<Option<Obstacle>> {
    match (&seen.plain, &seen.over_tcp) {
        (Seen::Obstacle(obstacle), Seen::Silent | Seen::Obstacle(_)) => Some(Some(*obstacle)),
        (Seen::Silent, Seen::Obstacle(obstacle)) => Some(Some(*obstacle)),
        (Seen::Silent, Seen::Silent) => Some(None),
        _ => None,
    }
}
