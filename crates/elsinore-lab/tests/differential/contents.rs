//! What stands in each zone, and what is asked about it.

use crate::plan::{Denial, Kind, Place, Plan, Tool};
use crate::random::Random;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// IPv4 and IPv6 addresses of the servers of each tier.
pub(crate) const SERVERS: [(&str, &str); 4] = [
    ("192.0.2.1", "2001:db8::1"),
    ("192.0.2.2", "2001:db8::2"),
    ("192.0.2.3", "2001:db8::3"),
    ("192.0.2.4", "2001:db8::4"),
];
/// Where nothing listens.
pub(crate) const DEAD: &str = "192.0.2.99";

const TLSA: &str = "TLSA 3 1 1 0102030405060708091011121314151617181920212223242526272829303132";

/// A question: a name without trailing dot and the number of a type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) rtype: u16,
}

pub(crate) const TYPES: &[(&str, u16)] = &[
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("MX", 15),
    ("TXT", 16),
    ("RP", 17),
    ("AFSDB", 18),
    ("AAAA", 28),
    ("SRV", 33),
    ("NAPTR", 35),
    ("DNAME", 39),
    ("DS", 43),
    ("DNSKEY", 48),
    ("TLSA", 52),
    ("TYPE65280", 65280),
];

pub(crate) fn code(rtype: &str) -> u16 {
    TYPES
        .iter()
        .find(|(name, _)| *name == rtype)
        .map(|(_, code)| *code)
        .expect("a type of the table")
}

pub(crate) fn type_name(code: u16) -> &'static str {
    TYPES
        .iter()
        .find(|(_, number)| *number == code)
        .map(|(name, _)| *name)
        .expect("a type of the table")
}

/// The records of one zone before it is signed.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    plan: &'a Plan,
    text: String,
    /// Owners, relative to the apex, and the types they have.
    owners: Vec<(String, &'static str)>,
    /// Names worth asking for that have no records of their own.
    beside: Vec<String>,
}

impl<'a> Content<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            text: String::new(),
            owners: Vec::new(),
            beside: Vec::new(),
        }
    }

    /// Adds a record; `owner` is relative, `@` the apex.
    fn add(&mut self, owner: &str, rtype: &'static str, rdata: &str) {
        let name = self.plan.name(owner);
        let _ = writeln!(self.text, "{name} 3600 IN {rtype} {rdata}");
        self.owners.push((owner.to_owned(), rtype));
    }

    fn beside(&mut self, names: &[&str]) {
        self.beside
            .extend(names.iter().map(|name| (*name).to_owned()));
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Everything worth asking.
    pub(crate) fn questions(&self, random: &mut Random) -> BTreeSet<Asked> {
        let mut asked = BTreeSet::new();
        let mut ask = |owner: &str, rtype: u16| {
            let name = self.plan.name(owner);
            let name = match name.strip_suffix('.') {
                Some("") | None => name,
                Some(bare) => bare.to_owned(),
            };
            asked.insert(Asked { name, rtype });
        };
        let usual = ["A", "AAAA", "MX", "TLSA", "CNAME", "DS", "TXT", "NS"];
        for (owner, rtype) in &self.owners {
            ask(owner, code(rtype));
            for _ in 0..2 {
                ask(owner, code(random.pick::<&str>(&usual)));
            }
        }
        for rtype in ["SOA", "NS", "DNSKEY", "DS", "MX", "TLSA", "A"] {
            ask("@", code(rtype));
        }
        for owner in &self.beside {
            for rtype in ["A", "TLSA", "MX", "DS"] {
                if random.chance(50) {
                    ask(owner, code(rtype));
                }
            }
        }
        asked
    }
}

/// A label of any octets, escaped.
fn odd_label(random: &mut Random) -> String {
    let length = 1 + random.below(12);
    let mut label = String::new();
    for _ in 0..length {
        let _ = write!(label, "\\{:03}", random.below(256));
    }
    label
}

/// The longest name below the apex: 255 octets on the wire.
fn longest(plan: &Plan) -> String {
    // dnssec-signzone wants room for a wildcard below each name it hashes, NSD 4.6.1 ends without.
    let spared = match &plan.signing {
        Some(signing) if signing.denial == Denial::Nsec => 0,
        Some(_) if plan.served_by() != 1 => 8,
        Some(signing) if signing.tool == Tool::Bind => 2,
        _ => 0,
    };
    // One octet for each dot and for the root.
    let mut left = 253 - spared - plan.apex.len() - 1;
    let mut labels = Vec::new();
    while left > 0 {
        let length = if left > 65 { 63 } else { left.min(63) };
        labels.push("l".repeat(length));
        left -= length;
        left = left.saturating_sub(1);
    }
    labels.join(".")
}

/// A name of one octet labels.
fn deepest(apex: &str) -> String {
    let count = ((249 - apex.len()) / 2).min(90);
    vec!["d"; count].join(".")
}

/// A name in some zone of the tree, by what stands there.
fn foreign<'a>(plans: &'a [Plan], random: &mut Random) -> (&'a Plan, String) {
    let leaves = plans.iter().filter(|plan| plan.tier > 1).count();
    let first = plans.len() - leaves;
    let plan = &plans[first + random.below(leaves)];
    let label = *random.pick(&[
        "mx",
        "mx",
        "mx",
        "mx",
        "www",
        "txt",
        "nowhere",
        "x.w",
        "here.w",
        "b.ent",
        "x.nowhere",
        "@",
        "nothing.w",
        "out0",
        "chain2",
        "x.wc",
        "x.dn",
    ]);
    (plan, plan.name(label))
}

fn server_records(content: &mut Content<'_>, plan: &Plan) {
    let (four, six) = SERVERS[plan.served_by()];
    if plan.place != Place::OnlySix {
        content.add("ns", "A", four);
    }
    content.add("ns", "AAAA", six);
}

/// The name of a server of that tier, in the first zone below the top-level ones.
fn elsewhere(plans: &[Plan], tier: usize) -> String {
    let host = plans
        .iter()
        .find(|plan| plan.tier == 2)
        .expect("every tree has a domain");
    host.name(&format!("tier{tier}"))
}

/// The NS records and glue of a child, in the text of the parent and in that of the child.
fn servers_of(child: &Plan, plans: &[Plan]) -> (Vec<String>, String) {
    let ns = child.name("ns");
    let (four, six) = SERVERS[child.served_by()];
    let both = format!("{ns} 3600 IN A {four}\n{ns} 3600 IN AAAA {six}\n");
    match child.place {
        Place::Own | Place::WithParent => (vec![ns], both),
        Place::Glueless => (vec![elsewhere(plans, child.tier)], String::new()),
        Place::OnlySix => (vec![ns.clone()], format!("{ns} 3600 IN AAAA {six}\n")),
        Place::HalfDead => {
            let dead = child.name("dead");
            (
                vec![dead.clone(), ns],
                format!("{dead} 3600 IN A {DEAD}\n{both}"),
            )
        }
        Place::Dead => (vec![ns.clone()], format!("{ns} 3600 IN A {DEAD}\n")),
        Place::Lame => {
            // The server of the tier below has its own zones only.
            let (four, _) = SERVERS[(child.tier + 2) % 4];
            (vec![ns.clone()], format!("{ns} 3600 IN A {four}\n"))
        }
    }
}

/// The whole text of zone `index`.
pub(crate) fn content<'a>(index: usize, plans: &'a [Plan], random: &mut Random) -> Content<'a> {
    let plan = &plans[index];
    let mut content = Content::new(plan);
    let ns = plan.name("ns");
    let hostmaster = plan.name("HostMaster");
    content.add(
        "@",
        "SOA",
        &format!("{ns} {hostmaster} 1 7200 900 1209600 300"),
    );
    let names = if plan.place == Place::Glueless {
        vec![elsewhere(plans, plan.tier)]
    } else {
        vec![ns]
    };
    for name in names {
        content.add("@", "NS", &name);
    }
    server_records(&mut content, plan);
    if plan.tier > 1 {
        domain(&mut content, plan, plans, random);
    } else {
        content.beside(&["nowhere", "a.nowhere", "zzz", "0"]);
    }
    if index == plans.iter().position(|plan| plan.tier == 2).unwrap_or(0) {
        for (tier, (four, six)) in SERVERS.iter().enumerate().skip(1) {
            content.add(&format!("tier{tier}"), "A", four);
            content.add(&format!("tier{tier}"), "AAAA", six);
        }
    }
    for child in plans.iter().filter(|child| child.parent == Some(index)) {
        let (names, glue) = servers_of(child, plans);
        for name in names {
            let _ = writeln!(content.text, "{}. 3600 IN NS {name}", child.apex);
        }
        content.text.push_str(&glue);
    }
    content
}

fn domain(content: &mut Content<'_>, plan: &Plan, plans: &[Plan], random: &mut Random) {
    let mx = plan.name("mx");
    let upper = plan.name("MX").to_uppercase();
    content.add("@", "MX", &format!("10 {upper}"));
    content.add("@", "MX", &format!("20 {}", foreign(plans, random).1));
    content.add("@", "TXT", "\"one\" \"Two\"");
    content.add("mx", "A", "192.0.2.125");
    content.add("mx", "A", "192.0.2.126");
    content.add("mx", "AAAA", "2001:db8::25");
    content.add("_25._tcp.mx", "TLSA", &TLSA[5..]);
    content.add("txt", "TXT", "\"x\"");
    content.add("www", "CNAME", &mx);
    content.add("out0", "CNAME", &foreign(plans, random).1);
    content.add("a.b.ent", "A", "192.0.2.82");
    content.add("*.w", "A", "192.0.2.80");
    content.add("here.w", "A", "192.0.2.81");
    content.add("dn", "DNAME", &foreign(plans, random).0.name("@"));
    content.beside(&[
        "nowhere",
        "_25._tcp.nowhere",
        "x.w",
        "x.y.w",
        "x.here.w",
        "_25._tcp.x.w",
        "b.ent",
        "ent",
        "x.ent",
        "x.b.ent",
        "x.dn",
        "mx.dn",
        "_25._tcp.mx.dn",
        "x.y.dn",
        "_tcp.mx",
        "_26._tcp.mx",
        "0",
        "zzz",
        "mw",
        "w",
        "*",
        "x.txt",
        "x.www",
    ]);
    if matches!(
        plan.kind,
        Kind::BadSignature(_) | Kind::ExpiredType(_) | Kind::NoSignature(_)
    ) {
        for feature in 0..FEATURES {
            add_feature(feature, content, plan, plans, random);
        }
        return;
    }
    let mut chosen = BTreeSet::new();
    while chosen.len() < 7 {
        chosen.insert(random.below(FEATURES));
    }
    for feature in chosen {
        add_feature(feature, content, plan, plans, random);
    }
}

const FEATURES: usize = 22;

#[allow(
    clippy::too_many_lines,
    reason = "a list of small things that zones have"
)]
fn add_feature(
    feature: usize,
    content: &mut Content<'_>,
    plan: &Plan,
    plans: &[Plan],
    random: &mut Random,
) {
    let mx = plan.name("mx");
    match feature {
        0 => {
            content.add("_25._tcp.ta", "CNAME", &plan.name("_dane"));
            content.add("_dane", "TLSA", &TLSA[5..]);
        }
        1 => {
            for number in 1..4 {
                let target = foreign(plans, random).1;
                content.add(&format!("out{number}"), "CNAME", &target);
            }
        }
        2 => {
            content.add("gone", "CNAME", &plan.name("nowhere"));
            content.add("empty", "CNAME", &plan.name("txt"));
            content.add("toent", "CNAME", &plan.name("b.ent"));
        }
        3 => {
            let last = 2 + random.below(12);
            content.add("chain0", "A", "192.0.2.83");
            for link in 1..=last {
                let target = plan.name(&format!("chain{}", link - 1));
                content.add(&format!("chain{link}"), "CNAME", &target);
            }
        }
        4 => {
            content.add("loop", "CNAME", &plan.name("loop"));
            content.add("loop1", "CNAME", &plan.name("loop2"));
            content.add("loop2", "CNAME", &plan.name("loop1"));
        }
        5 => {
            content.add("_25._tcp.*.wt", "TLSA", &TLSA[5..]);
            content.add("*._tcp.wmx", "TLSA", &TLSA[5..]);
            content.add("*.wt2", "TLSA", &TLSA[5..]);
            content.beside(&[
                "_25._tcp.wmx",
                "_25._tcp.x.wt",
                "x.wt",
                "_25._tcp.x.wt2",
                "x._tcp.wmx",
            ]);
        }
        6 => {
            content.add("*.wc", "CNAME", &mx);
            content.add("*.wo", "CNAME", &foreign(plans, random).1);
            content.add("*.wn", "CNAME", &plan.name("nowhere"));
            content.add("*.we", "CNAME", &plan.name("txt"));
            content.beside(&["x.wc", "x.y.wc", "x.wo", "x.wn", "x.we", "_25._tcp.x.wc"]);
        }
        7 => {
            content.add("dnout", "DNAME", &foreign(plans, random).0.name("w"));
            content.add("dnhere", "DNAME", &plan.name("w"));
            content.add("dngone", "DNAME", &plan.name("nowhere"));
            content.add("dnloop", "DNAME", &plan.name("x.dnloop"));
            content.beside(&["x.dnout", "here.dnout", "x.dnhere", "x.dngone", "x.dnloop"]);
        }
        8 => {
            for _ in 0..3 {
                let label = odd_label(random);
                content.add(&label, "A", "192.0.2.84");
                content.beside(&[
                    &format!("{label}.{}", odd_label(random)),
                    &odd_label(random),
                ]);
            }
            content.add("a\\.b", "A", "192.0.2.85");
            content.add("sp\\032ace", "MX", &format!("5 {mx}"));
            content.beside(&["a.b", "A\\.B", "sp\\032ace"]);
        }
        9 => {
            let name = longest(plan);
            content.add(&name, "A", "192.0.2.86");
            content.beside(&[&name.replacen('l', "k", 1), &name.replacen('l', "m", 1)]);
        }
        10 => {
            let name = deepest(&plan.apex);
            content.add(&name, "TXT", "\"deep\"");
            content.beside(&["d", "d.d.d.d.d", "e.d.d.d.d"]);
        }
        11 => {
            for number in 0..60 {
                content.add("big", "TLSA", &format!("3 1 1 {number:064x}"));
            }
        }
        12 => {
            let target = plan.name("Target").to_uppercase();
            content.add("_smtp._tcp", "SRV", &format!("1 2 25 {target}"));
            content.add("ptr", "PTR", &target);
            content.add("afs", "AFSDB", &format!("1 {target}"));
            content.add("rp", "RP", &format!("{target} {target}"));
            content.add(
                "naptr",
                "NAPTR",
                &format!("1 2 \"S\" \"SIP\" \"\" {target}"),
            );
            content.add("strange", "TYPE65280", "\\# 4 01020304");
        }
        13 => {
            content.add("UPPER", "A", "192.0.2.87");
            content.add("Mixed.Case", "MX", &format!("10 {}", mx.to_uppercase()));
            content.beside(&["uPPer", "mixed.case", "case"]);
        }
        14 => {
            // Only where nothing else is at the apex' wildcard.
            content.add("*", "A", "192.0.2.88");
            content.add("*", "MX", &format!("10 {mx}"));
        }
        15 => {
            content.add("*.*.ww", "A", "192.0.2.89");
            content.add("x.*.wx", "A", "192.0.2.89");
            content.beside(&["a.b.ww", "a.ww", "*.ww", "a.wx", "x.a.wx"]);
        }
        // Everybody waits for these.
        16 | 17 if !random.chance(10) => {}
        16 => {
            content.add("dead1", "NS", &plan.name("ns.dead1"));
            let _ = writeln!(content.text, "{} 3600 IN A {DEAD}", plan.name("ns.dead1"));
        }
        17 => {
            let (address, _) = SERVERS[0];
            content.add("lame1", "NS", &plan.name("ns.lame1"));
            let _ = writeln!(
                content.text,
                "{} 3600 IN A {address}",
                plan.name("ns.lame1")
            );
        }
        18 => {
            let text = "x".repeat(250);
            for number in 0..9 {
                content.add("bigtext", "TXT", &format!("\"{number}{text}\""));
            }
        }
        19 => {
            // A chain that leaves and comes back, and one through a wildcard.
            let (other, _) = foreign(plans, random);
            content.add("via", "CNAME", &other.name("x.w"));
            content.add("viawild", "CNAME", &plan.name("x.w"));
            content.add("viaalias", "CNAME", &plan.name("www"));
            content.add("viadn", "CNAME", &plan.name("mx.dn"));
            content.add("viaout", "CNAME", &plan.name("out0"));
        }
        20 => {
            let short = random.below(50);
            for number in 0..10 {
                content.add(&format!("h{}", short + number), "A", "192.0.2.90");
            }
            content.beside(&["h0", "h99", "h", "h00"]);
        }
        21 => {
            content.add("x.sub.dnx", "A", "192.0.2.91");
            content.add("_dmarc", "TXT", "\"v=DMARC1\"");
            content.add("_mta-sts", "TXT", "\"v=STSv1; id=1;\"");
            content.add("mta-sts", "CNAME", &foreign(plans, random).1);
        }
        _ => unreachable!("FEATURES counts them"),
    }
}
