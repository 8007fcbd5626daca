//! Whether an answer is the one that a file expects.
//!
//! Unbound's test program compares the text of whole packets. Here the header, the question, the
//! answer section and the proofs of the authority section are compared, sections as sets, and TTLs
//! where the file says so. NS records of the authority section and the additional section are not:
//! they help iteration, and a resolver need not pass them on (RFC 4035 §3.1.1 asks it of
//! authoritative servers).

use crate::scenario::{Asked, Criterion, Entry, Flags, Record};
use domain::base::iana::{OptRcode, Rtype};

/// An answer to a client.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    /// The question.
    pub(crate) question: Asked,
    /// The flags of the header.
    pub(crate) flags: Flags,
    /// The response code.
    pub(crate) rcode: OptRcode,
    /// The answer section.
    pub(crate) answer: Vec<Record>,
    /// The authority section.
    pub(crate) authority: Vec<Record>,
    /// The code of the extended error.
    pub(crate) ede: Option<u16>,
    /// What the resolver says about its judgement, for the report.
    pub(crate) reason: String,
}

/// What differs from the expectation, a line each; none when the answer matches.
pub(crate) fn differences(expected: &Entry, answered: &Answered) -> Vec<String> {
    let mut found = Vec::new();
    for criterion in &expected.criteria {
        criterion_differences(*criterion, expected, answered, &mut found);
    }
    found
}

fn criterion_differences(
    criterion: Criterion,
    expected: &Entry,
    answered: &Answered,
    found: &mut Vec<String>,
) {
    let packet = expected.first();
    let ttl = expected.asks_for(Criterion::Ttl);
    let mut check = |holds: bool, text: &dyn Fn() -> String| {
        if !holds {
            found.push(text());
        }
    };
    let asked = packet.question.first();
    match criterion {
        Criterion::All | Criterion::AllButEdns => {
            check(packet.rcode == answered.rcode, &|| {
                rcode(packet.rcode, answered.rcode)
            });
            let mut flags = packet.flags;
            if criterion == Criterion::AllButEdns {
                flags.dnssec_ok = answered.flags.dnssec_ok;
            }
            check(flags == answered.flags, &|| {
                format!("flags {}, expected {}", shown(answered.flags), shown(flags))
            });
            check(same_question(asked, answered), &|| {
                question(asked, answered)
            });
            section("answer", &packet.answer, &answered.answer, ttl, found);
            let (mine, theirs) = (proofs(&packet.authority), proofs(&answered.authority));
            section("authority", &mine, &theirs, ttl, found);
        }
        Criterion::Answer => section("answer", &packet.answer, &answered.answer, ttl, found),
        Criterion::Rcode => check(packet.rcode == answered.rcode, &|| {
            rcode(packet.rcode, answered.rcode)
        }),
        Criterion::Question => check(same_question(asked, answered), &|| {
            question(asked, answered)
        }),
        Criterion::Qname => check(
            asked.is_some_and(|asked| asked.name == answered.question.name),
            &|| question(asked, answered),
        ),
        Criterion::Qtype => check(
            asked.is_some_and(|asked| asked.rtype == answered.question.rtype),
            &|| question(asked, answered),
        ),
        Criterion::Ede(code) => check(answered.ede == Some(code), &|| match answered.ede {
            Some(other) => format!("extended error {other}, expected {code}"),
            None => format!("no extended error, expected {code}"),
        }),
        Criterion::AnyEde => check(answered.ede.is_some(), &|| {
            "no extended error, one expected".to_owned()
        }),
        Criterion::DnssecOk => check(answered.flags.dnssec_ok, &|| "no DO bit".to_owned()),
        // Answers here are no packets: the opcode is always QUERY, and any transport will do.
        Criterion::Opcode => check(packet.opcode == 0, &|| "opcode".to_owned()),
        Criterion::Ttl | Criterion::Udp | Criterion::Tcp => {}
        Criterion::Subdomain
        | Criterion::Serial(_)
        | Criterion::NoEdns
        | Criterion::EdnsOptions
        | Criterion::ClientCookie
        | Criterion::ServerCookie => {
            check(false, &|| {
                format!("MATCH {criterion:?} cannot be told of an answer")
            });
        }
    }
}

fn same_question(asked: Option<&Asked>, answered: &Answered) -> bool {
    asked.is_some_and(|asked| *asked == answered.question)
}

fn question(asked: Option<&Asked>, answered: &Answered) -> String {
    let asked = asked.map_or_else(String::new, ToString::to_string);
    format!(
        "an answer to {}, expected one to {asked}",
        answered.question
    )
}

fn rcode(expected: OptRcode, found: OptRcode) -> String {
    format!("{found}, expected {expected}")
}

fn shown(flags: Flags) -> String {
    let Flags {
        qr,
        aa,
        tc,
        rd,
        ra,
        ad,
        cd,
        dnssec_ok,
    } = flags;
    [
        (qr, "QR"),
        (aa, "AA"),
        (tc, "TC"),
        (rd, "RD"),
        (ra, "RA"),
        (ad, "AD"),
        (cd, "CD"),
        (dnssec_ok, "DO"),
    ]
    .iter()
    .filter(|(set, _)| *set)
    .map(|(_, name)| *name)
    .collect::<Vec<_>>()
    .join(" ")
}

/// The records of an authority section that prove something: all but NS records and their
/// signatures.
fn proofs(authority: &[Record]) -> Vec<Record> {
    authority
        .iter()
        .filter(|record| record.covered() != Rtype::NS)
        .cloned()
        .collect()
}

/// Compares two sections as sets (a record twice in one must be twice in the other).
fn section(
    name: &str,
    expected: &[Record],
    answered: &[Record],
    ttl: bool,
    found: &mut Vec<String>,
) {
    let mut left: Vec<&Record> = answered.iter().collect();
    for record in expected {
        let same = |other: &&Record| record.same_as(other) && (!ttl || record.ttl == other.ttl);
        match left.iter().position(same) {
            Some(at) => {
                left.swap_remove(at);
            }
            None => found.push(format!("{name} lacks {record}")),
        }
    }
    found.extend(left.iter().map(|record| format!("{name} has {record}")));
}
