//! Entries: what a packet must be like to match, and the packets to send back.

use super::lines::{Lines, keyword};
use super::record::{Asked, Defaults, Record, octets_of};
use super::{Fault, fault};
use domain::base::iana::OptRcode;
use std::time::Duration;

/// How a packet is compared with the first packet of an entry (`MATCH`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Criterion {
    /// The same opcode.
    Opcode,
    /// The same type is asked for.
    Qtype,
    /// The same name is asked for.
    Qname,
    /// A name at or below that of the entry is asked for.
    Subdomain,
    /// The SOA record in the authority section has this serial.
    Serial(u32),
    /// Header, question and all records.
    All,
    /// Header, question and all records, EDNS aside.
    AllButEdns,
    /// TTLs too, where records are compared.
    Ttl,
    /// The packet asks for DNSSEC records.
    DnssecOk,
    /// The packet has no OPT record.
    NoEdns,
    /// The same response code.
    Rcode,
    /// The same question section.
    Question,
    /// The same answer section.
    Answer,
    /// The same EDNS options.
    EdnsOptions,
    /// A client cookie alone (RFC 7873).
    ClientCookie,
    /// A client cookie and a server cookie (RFC 7873).
    ServerCookie,
    /// Sent over UDP.
    Udp,
    /// Sent over TCP.
    Tcp,
    /// An extended error with this code (RFC 8914).
    Ede(u16),
    /// Any extended error.
    AnyEde,
}

/// Header flags of a packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// A reply.
    pub(crate) qr: bool,
    /// Authoritative.
    pub(crate) aa: bool,
    /// Truncated.
    pub(crate) tc: bool,
    /// Recursion desired.
    pub(crate) rd: bool,
    /// Recursion available.
    pub(crate) ra: bool,
    /// Authentic data.
    pub(crate) ad: bool,
    /// Checking disabled.
    pub(crate) cd: bool,
    /// An OPT record with the DO bit.
    pub(crate) dnssec_ok: bool,
}

/// One packet as it is written down.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    /// The opcode.
    pub(crate) opcode: u8,
    /// The response code.
    pub(crate) rcode: OptRcode,
    /// The flags.
    pub(crate) flags: Flags,
    /// The question section.
    pub(crate) question: Vec<Asked>,
    /// The answer section.
    pub(crate) answer: Vec<Record>,
    /// The authority section.
    pub(crate) authority: Vec<Record>,
    /// The additional section, the OPT record aside.
    pub(crate) additional: Vec<Record>,
    /// EDNS options as raw octets (`HEX_EDNSDATA`).
    pub(crate) edns_options: Vec<u8>,
    /// The whole packet as octets, in place of all else (`HEX_ANSWER`).
    pub(crate) octets: Option<Vec<u8>>,
    /// Time that passes before the packet is sent (`packet_sleep`).
    pub(crate) pause: Duration,
}

impl Default for Packet {
    fn default() -> Self {
        Self {
            opcode: 0,
            rcode: OptRcode::NOERROR,
            flags: Flags::default(),
            question: Vec::new(),
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            edns_options: Vec::new(),
            octets: None,
            pause: Duration::ZERO,
        }
    }
}

/// What of the query goes into the reply (`ADJUST`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Adjustments {
    /// The identifier.
    pub(crate) copy_id: bool,
    /// The question section.
    pub(crate) copy_query: bool,
    /// Time that passes before the first packet (`sleep`).
    pub(crate) sleep: Duration,
}

/// A matching rule and the packets that answer what it matches.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// All of these must hold.
    pub(crate) criteria: Vec<Criterion>,
    /// What of the query goes into the reply.
    pub(crate) adjust: Adjustments,
    /// The packets, never none.
    pub(crate) packets: Vec<Packet>,
}

impl Entry {
    /// The first packet: the one that is compared.
    #[must_use]
    pub(crate) fn first(&self) -> &Packet {
        // `read` puts one in before it looks at a line.
        &self.packets[0]
    }

    /// Whether this is one of the criteria.
    #[must_use]
    pub(crate) fn asks_for(&self, criterion: Criterion) -> bool {
        self.criteria.contains(&criterion)
    }

    /// Reads what follows `ENTRY_BEGIN`, up to and with `ENTRY_END`.
    pub(super) fn read(lines: &mut Lines<'_>, defaults: &mut Defaults) -> Result<Self, Fault> {
        let mut reader = Reader {
            entry: Self {
                criteria: Vec::new(),
                adjust: Adjustments::default(),
                packets: vec![Packet::default()],
            },
            section: Section::Question,
        };
        loop {
            let (number, text) = lines.next_required("ENTRY_END")?;
            let (word, rest) = keyword(text);
            match word {
                "ENTRY_END" => return Ok(reader.entry),
                "HEX_ANSWER_BEGIN" => {
                    let octets = hexadecimal(lines, "HEX_ANSWER_END")?;
                    reader.packet().octets = Some(octets);
                }
                "HEX_EDNSDATA_BEGIN" => {
                    let octets = hexadecimal(lines, "HEX_EDNSDATA_END")?;
                    reader.packet().edns_options = octets;
                }
                _ => reader
                    .line(word, rest, text, defaults)
                    .map_err(|problem| fault(number, problem))?,
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Section {
    Question,
    Answer,
    Authority,
    Additional,
}

struct Reader {
    entry: Entry,
    section: Section,
}

impl Reader {
    fn packet(&mut self) -> &mut Packet {
        let last = self.entry.packets.len() - 1;
        &mut self.entry.packets[last]
    }

    fn line(
        &mut self,
        word: &str,
        rest: &str,
        text: &str,
        defaults: &mut Defaults,
    ) -> Result<(), String> {
        match word {
            "MATCH" => {
                for criterion in rest.split_whitespace() {
                    self.entry.criteria.push(criterion_of(criterion)?);
                }
            }
            "REPLY" => {
                for mark in rest.split_whitespace() {
                    mark_packet(self.packet(), mark)?;
                }
            }
            "ADJUST" => {
                for adjustment in rest.split_whitespace() {
                    self.adjust(adjustment)?;
                }
            }
            "SECTION" => {
                self.section = match rest.trim() {
                    "QUESTION" => Section::Question,
                    "ANSWER" => Section::Answer,
                    "AUTHORITY" => Section::Authority,
                    "ADDITIONAL" => Section::Additional,
                    other => return Err(format!("{other:?} is no section")),
                };
            }
            "EXTRA_PACKET" => self.entry.packets.push(Packet::default()),
            "$ORIGIN" | "$TTL" => defaults.set(word, rest)?,
            _ => self.record(text, defaults)?,
        }
        Ok(())
    }

    fn record(&mut self, text: &str, defaults: &Defaults) -> Result<(), String> {
        let section = self.section;
        let packet = self.packet();
        match section {
            Section::Question => packet.question.push(Asked::parse(text, defaults)?),
            Section::Answer => packet.answer.push(Record::parse(text, defaults)?),
            Section::Authority => packet.authority.push(Record::parse(text, defaults)?),
            Section::Additional => packet.additional.push(Record::parse(text, defaults)?),
        }
        Ok(())
    }

    fn adjust(&mut self, text: &str) -> Result<(), String> {
        match text.split_once('=') {
            None if text == "copy_id" => self.entry.adjust.copy_id = true,
            None if text == "copy_query" => self.entry.adjust.copy_query = true,
            Some(("sleep", value)) => self.entry.adjust.sleep = whole_seconds(value)?,
            Some(("packet_sleep", value)) => self.packet().pause = whole_seconds(value)?,
            _ => return Err(format!("ADJUST {text} is not supported")),
        }
        Ok(())
    }
}

fn whole_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text
        .parse()
        .map_err(|_| format!("{text:?} is no number of seconds"))?;
    Ok(Duration::from_secs(seconds))
}

fn criterion_of(text: &str) -> Result<Criterion, String> {
    let unsupported = || format!("MATCH {text} is not supported");
    Ok(match text.split_once(['=', ':']) {
        Some(("serial", value)) => Criterion::Serial(value.parse().map_err(|_| unsupported())?),
        Some(("ede", "any")) => Criterion::AnyEde,
        Some(("ede", value)) => Criterion::Ede(value.parse().map_err(|_| unsupported())?),
        Some(_) => return Err(unsupported()),
        None => match text {
            "opcode" => Criterion::Opcode,
            "qtype" => Criterion::Qtype,
            "qname" => Criterion::Qname,
            "subdomain" => Criterion::Subdomain,
            "all" => Criterion::All,
            "all_noedns" => Criterion::AllButEdns,
            "ttl" => Criterion::Ttl,
            "DO" => Criterion::DnssecOk,
            "noedns" => Criterion::NoEdns,
            "rcode" => Criterion::Rcode,
            "question" => Criterion::Question,
            "answer" => Criterion::Answer,
            "ednsdata" => Criterion::EdnsOptions,
            "client_cookie" => Criterion::ClientCookie,
            "server_cookie" => Criterion::ServerCookie,
            "UDP" => Criterion::Udp,
            "TCP" => Criterion::Tcp,
            _ => return Err(unsupported()),
        },
    })
}

fn mark_packet(packet: &mut Packet, mark: &str) -> Result<(), String> {
    let flags = &mut packet.flags;
    match mark {
        "QR" => flags.qr = true,
        "AA" => flags.aa = true,
        "TC" => flags.tc = true,
        "RD" => flags.rd = true,
        "RA" => flags.ra = true,
        "AD" => flags.ad = true,
        "CD" => flags.cd = true,
        "DO" => flags.dnssec_ok = true,
        "QUERY" => packet.opcode = 0,
        "IQUERY" => packet.opcode = 1,
        "STATUS" => packet.opcode = 2,
        "NOTIFY" => packet.opcode = 4,
        "UPDATE" => packet.opcode = 5,
        "NOERROR" => packet.rcode = OptRcode::NOERROR,
        "FORMERR" => packet.rcode = OptRcode::FORMERR,
        "SERVFAIL" => packet.rcode = OptRcode::SERVFAIL,
        "NXDOMAIN" => packet.rcode = OptRcode::NXDOMAIN,
        "NOTIMPL" => packet.rcode = OptRcode::NOTIMP,
        "REFUSED" => packet.rcode = OptRcode::REFUSED,
        "YXDOMAIN" => packet.rcode = OptRcode::YXDOMAIN,
        "YXRRSET" => packet.rcode = OptRcode::YXRRSET,
        "NXRRSET" => packet.rcode = OptRcode::NXRRSET,
        "NOTAUTH" => packet.rcode = OptRcode::NOTAUTH,
        "NOTZONE" => packet.rcode = OptRcode::NOTZONE,
        "BADVERS" => packet.rcode = OptRcode::BADVERS,
        "BADCOOKIE" => packet.rcode = OptRcode::BADCOOKIE,
        _ => return Err(format!("REPLY {mark} is not supported")),
    }
    Ok(())
}

/// Hexadecimal octets over several lines up to `end`, `;` beginning a comment.
fn hexadecimal(lines: &mut Lines<'_>, end: &str) -> Result<Vec<u8>, Fault> {
    let mut digits = String::new();
    loop {
        let (number, text) = lines.next_required(end)?;
        if text.starts_with(end) {
            return octets_of(&digits)
                .ok_or_else(|| fault(number, "not a whole number of hexadecimal octets"));
        }
        let text = text.split(';').next().unwrap_or(text);
        digits.extend(text.chars().filter(|c| !c.is_whitespace()));
    }
}
