//! What is broken in a zone after it was signed: its text is changed line by line.

use crate::plan::{Denial, Kind, Plan};
use crate::sign::{NEW_ALGORITHM, Signed};
use openssl::base64;
use std::fmt::Write as _;

/// One record of a signed zone.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    owner: String,
    ttl: String,
    rtype: String,
    rdata: Vec<String>,
}

impl Line {
    fn parse(text: &str) -> Option<Self> {
        // ldns remarks on keys and on NSEC3 records.
        let text = text.split(" ;{").next()?;
        let mut words = text.split_whitespace().map(str::to_owned);
        let owner = words
            .next()
            .filter(|owner| !owner.starts_with([';', '$']))?;
        let (ttl, _class, rtype) = (words.next()?, words.next()?, words.next()?);
        let mut rdata: Vec<String> = words.collect();
        if rtype == "NSEC" {
            rdata[0] = plainly_escaped(&rdata[0]);
        }
        Some(Self {
            owner: plainly_escaped(&owner),
            ttl,
            rtype,
            rdata,
        })
    }

    /// The type that a signature is over.
    fn covered(&self) -> Option<&str> {
        (self.rtype == "RRSIG").then(|| self.rdata[0].as_str())
    }

    fn signs(&self, rtype: &str) -> bool {
        self.covered() == Some(rtype)
    }

    fn is_denial(&self) -> bool {
        self.rtype == "NSEC" || self.rtype == "NSEC3"
    }

    fn same_signature_but_time(&self, other: &Self) -> bool {
        self.owner == other.owner
            && self.covered() == other.covered()
            && self.rdata[1] == other.rdata[1]
            && self.rdata[6] == other.rdata[6]
    }

    /// The signature with one octet changed.
    fn corrupt(&mut self) {
        let signature: String = self.rdata.drain(8..).collect();
        let mut octets = base64::decode_block(&signature).expect("base64");
        let place = octets.len() / 2;
        octets[place] ^= 1;
        self.rdata.push(base64::encode_block(&octets));
    }
}

/// A name with every unusual octet as three digits: what BIND and ldns leave as it is, or escape in
/// other ways, not every server reads.
fn plainly_escaped(name: &str) -> String {
    let mut plain = String::new();
    let mut octets = name.bytes();
    while let Some(octet) = octets.next() {
        let octet = match octet {
            b'.' => {
                plain.push('.');
                continue;
            }
            b'\\' => match octets.next().expect("something is escaped") {
                first if first.is_ascii_digit() => {
                    let mut digit = || u16::from(octets.next().expect("three digits") - b'0');
                    let value = u16::from(first - b'0') * 100 + digit() * 10 + digit();
                    u8::try_from(value).expect("an octet")
                }
                other => other,
            },
            other => other,
        };
        if octet.is_ascii_alphanumeric() || b"-_*".contains(&octet) {
            plain.push(char::from(octet));
        } else {
            let _ = write!(plain, "\\{octet:03}");
        }
    }
    plain
}

fn parse(text: &str) -> Vec<Line> {
    text.lines().filter_map(Line::parse).collect()
}

/// The text as it is served.
pub(crate) fn served(plan: &Plan, denial: &Denial, signed: &Signed) -> String {
    let mut lines = parse(&signed.text);
    let other_time = signed.other_time.as_deref().map(parse).unwrap_or_default();
    match plan.kind {
        Kind::BadSignature(rtype) => {
            for line in lines.iter_mut().filter(|line| line.signs(rtype)) {
                line.corrupt();
            }
        }
        Kind::NoSignature(rtype) => lines.retain(|line| !line.signs(rtype)),
        Kind::NoSignatures => lines.retain(|line| line.rtype != "RRSIG"),
        Kind::Expired | Kind::Future => lines = other_time,
        Kind::ExpiredType(rtype) => {
            for line in lines.iter_mut().filter(|line| line.signs(rtype)) {
                let old = other_time
                    .iter()
                    .find(|old| old.same_signature_but_time(line))
                    .expect("the zone was signed twice");
                *line = old.clone();
            }
        }
        Kind::Stripped => {
            lines.retain(|line| !line.is_denial() && !line.signs("NSEC") && !line.signs("NSEC3"));
        }
        Kind::Holes => {
            let doomed: Vec<String> = lines
                .iter()
                .filter(|line| line.is_denial() && !is_apex(plan, denial, &line.owner))
                .map(|line| line.owner.clone())
                .step_by(3)
                .collect();
            lines.retain(|line| {
                let denies = line.is_denial() || line.signs("NSEC") || line.signs("NSEC3");
                !(denies && doomed.contains(&line.owner))
            });
        }
        Kind::Bitmaps => {
            for line in lines.iter_mut().filter(|line| line.is_denial()) {
                line.rdata
                    .retain(|word| !["A", "MX", "TLSA", "CNAME"].contains(&word.as_str()));
            }
        }
        Kind::WrongKeys => {
            let key = base64::encode_block(&signed.stranger.public);
            for line in lines.iter_mut().filter(|line| line.rtype == "DNSKEY") {
                line.rdata.truncate(3);
                line.rdata.push(key.clone());
            }
            lines.dedup();
        }
        Kind::NoKeys => lines.retain(|line| line.rtype != "DNSKEY" && !line.signs("DNSKEY")),
        Kind::HalfSigned => {
            let first = signed.secure_entry[0].algorithm.to_string();
            lines.retain(|line| {
                line.covered().is_none() || line.signs("DNSKEY") || line.rdata[1] != first
            });
        }
        Kind::NewAlgorithm => {
            for line in &mut lines {
                match line.rtype.as_str() {
                    "RRSIG" => line.rdata[1] = NEW_ALGORITHM.to_string(),
                    "DNSKEY" => line.rdata[2] = NEW_ALGORITHM.to_string(),
                    _ => {}
                }
            }
        }
        Kind::Replaced => {
            for line in lines.iter_mut().filter(|line| line.rtype == "A") {
                if line.owner == plan.name("mx") {
                    line.rdata = vec!["192.0.2.66".to_owned()];
                }
            }
            lines.dedup();
        }
        Kind::Added => lines.push(Line {
            owner: plan.name("mx"),
            ttl: "3600".to_owned(),
            rtype: "A".to_owned(),
            rdata: vec!["192.0.2.66".to_owned()],
        }),
        Kind::Removed => {
            let gone = lines
                .iter()
                .position(|line| line.rtype == "A" && line.owner == plan.name("mx"));
            if let Some(gone) = gone {
                lines.remove(gone);
            }
        }
        Kind::RaisedTtl => set_ttl(&mut lines, "86400"),
        Kind::LoweredTtl => set_ttl(&mut lines, "60"),
        Kind::UselessSignatures(count) => {
            let good: Vec<Line> = lines
                .iter()
                .filter(|line| line.covered().is_some_and(|covered| covered != "DNSKEY"))
                .cloned()
                .collect();
            for line in good {
                for number in 0..count {
                    let mut useless = line.clone();
                    useless.corrupt();
                    // Different from each other, or the server takes them for one.
                    useless.rdata[5] = format!("202605010000{number:02}");
                    lines.push(useless);
                }
            }
        }
        Kind::ForeignSigner => {
            let parent = plan.apex.split_once('.').map_or(".", |(_, parent)| parent);
            for line in lines.iter_mut().filter(|line| line.signs("A")) {
                line.rdata[7] = format!("{}.", parent.trim_end_matches('.'));
            }
        }
        Kind::Labels => {
            for line in lines.iter_mut().filter(|line| line.signs("A")) {
                let labels: u8 = line.rdata[2].parse().expect("a count");
                line.rdata[2] = (labels + 1).to_string();
            }
        }
        _ => {}
    }
    written(&lines)
}

/// The text of an unsigned zone as it is served.
pub(crate) fn unsigned(text: &str) -> String {
    written(&parse(text))
}

fn written(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let Line {
            owner, ttl, rtype, ..
        } = line;
        let _ = writeln!(text, "{owner} {ttl} IN {rtype} {}", line.rdata.join(" "));
    }
    text
}

fn set_ttl(lines: &mut [Line], ttl: &str) {
    for line in lines.iter_mut().filter(|line| line.rtype != "SOA") {
        ttl.clone_into(&mut line.ttl);
    }
}

/// Whether this is the denial record of the apex itself: without it NSD serves no NSEC3 at all.
fn is_apex(plan: &Plan, denial: &Denial, owner: &str) -> bool {
    match denial {
        Denial::Nsec => owner == plan.name("@"),
        Denial::Nsec3 { .. } => false,
    }
}
