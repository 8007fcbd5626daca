//! Whether a query of the resolver is the one that an entry is for.

use crate::scenario::{Asked, Criterion, Entry, Flags};
use crate::wire::Seen;

/// How a query travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// The EDNS option that carries cookies (RFC 7873 §4).
const COOKIE: u16 = 10;

/// Whether every criterion of `entry` holds for `query`.
pub(crate) fn matches(entry: &Entry, query: &Seen, transport: Transport) -> bool {
    entry
        .criteria
        .iter()
        .all(|criterion| holds(*criterion, entry, query, transport))
}

fn holds(criterion: Criterion, entry: &Entry, query: &Seen, transport: Transport) -> bool {
    let packet = entry.first();
    let (mine, theirs) = (packet.question.first(), query.question.first());
    match criterion {
        Criterion::Opcode => packet.opcode == query.opcode,
        Criterion::Rcode => packet.rcode == query.rcode,
        Criterion::Qtype => mine.map(|m| m.rtype) == theirs.map(|t| t.rtype),
        Criterion::Qname => both(mine, theirs, |m, t| m.name == t.name),
        Criterion::Subdomain => both(mine, theirs, |m, t| t.name.ends_with(&m.name)),
        Criterion::Question => packet.question == query.question,
        Criterion::DnssecOk => query.flags.dnssec_ok,
        Criterion::NoEdns => !query.has_edns,
        Criterion::EdnsOptions => packet.edns_options == query.edns_options,
        Criterion::ClientCookie => option(query, COOKIE).is_some_and(|value| value.len() == 8),
        Criterion::ServerCookie => option(query, COOKIE).is_some_and(|value| value.len() == 24),
        Criterion::Udp => transport == Transport::Udp,
        Criterion::Tcp => transport == Transport::Tcp,
        Criterion::All => whole(entry, query) && packet.flags.dnssec_ok == query.flags.dnssec_ok,
        Criterion::AllButEdns => whole(entry, query),
        // A query of this resolver has no records and no extended error.
        Criterion::Answer => packet.answer.is_empty(),
        Criterion::Ttl => true,
        Criterion::Serial(_) | Criterion::Ede(_) | Criterion::AnyEde => false,
    }
}

fn both(
    mine: Option<&Asked>,
    theirs: Option<&Asked>,
    compare: impl Fn(&Asked, &Asked) -> bool,
) -> bool {
    mine.zip(theirs)
        .is_some_and(|(mine, theirs)| compare(mine, theirs))
}

fn whole(entry: &Entry, query: &Seen) -> bool {
    let packet = entry.first();
    let plain = |flags: Flags| Flags {
        dnssec_ok: false,
        ..flags
    };
    packet.opcode == query.opcode
        && packet.rcode == query.rcode
        && plain(packet.flags) == plain(query.flags)
        && packet.question == query.question
        && packet.answer.is_empty()
        && packet.authority.is_empty()
        && packet.additional.is_empty()
}

/// The value of an EDNS option of the query.
fn option(query: &Seen, wanted: u16) -> Option<&[u8]> {
    let mut rest = query.edns_options.as_slice();
    while let [c1, c2, l1, l2, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*l1, *l2]));
        let value = tail.get(..length)?;
        if u16::from_be_bytes([*c1, *c2]) == wanted {
            return Some(value);
        }
        rest = &tail[length..];
    }
    None
}
