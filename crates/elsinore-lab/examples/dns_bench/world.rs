//! The world: root and two top-level domains signed (one with NSEC, one with NSEC3 and opt-out),
//! domains below both, a tenth of them signed, name servers shared by many as they are in life.
//!
//! Three authoritative servers are configured, for the root, the top-level domains and all the
//! rest: one that had everything would answer instead of referring.

use elsinore_dane::name::DomainName;
use elsinore_lab::sign::SignedTree;
use elsinore_lab::zone::{SigningPlan, ZoneSource};
use elsinore_net::clock::{Clock, SystemClock};
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The top-level domains of what is asked about.
const TOP: [&str; 2] = ["nsec", "nsec3"];
/// Operators of name servers, half of them below each top-level domain.
const OPERATORS: usize = 64;
/// Addresses of the slow servers, which answer late: lookups pile up.
const SLOW_ADDRESSES: usize = 128;
/// Domains at slow servers: as many as are to be in flight.
const SLOW_DOMAINS: usize = 20_000;
/// One domain in so many has a name server of an operator below the other top-level domain, so
/// that its referral has no address.
const GLUELESS: usize = 10;
/// One in so many is signed; of these one in so many with NSEC3, and one in so many without TLSA.
const SIGNED: usize = 10;
const SIGNED_NSEC3: usize = 4;
const SIGNED_WITHOUT_TLSA: usize = 5;

/// What is particular about a domain.
struct Domain {
    number: usize,
    top: usize,
    operator: usize,
}

impl Domain {
    fn new(number: usize) -> Self {
        let top = (number / SIGNED) % TOP.len();
        let home = if number % GLUELESS == 7 { 1 - top } else { top };
        let half = OPERATORS / TOP.len();
        Self {
            number,
            top,
            operator: home * half + (number / 3) % half,
        }
    }

    fn name(&self) -> String {
        format!("d{:06}.{}", self.number, TOP[self.top])
    }

    fn is_signed(&self) -> bool {
        self.number.is_multiple_of(SIGNED)
    }

    fn has_aaaa(&self) -> bool {
        self.number % 4 < 2
    }

    fn has_tlsa(&self) -> bool {
        self.is_signed() && (self.number / SIGNED) % SIGNED_WITHOUT_TLSA != 1
    }

    /// Whether the servers bear names of the domain itself.
    fn has_own_servers(&self) -> bool {
        self.number.is_multiple_of(3)
    }

    /// NS lines, and the glue that the parent needs, relative to the domain.
    fn servers(&self) -> (String, String) {
        let [first, second] = operator_addresses(self.operator);
        if self.has_own_servers() {
            return (
                "@ NS ns1\n@ NS ns2\n".to_owned(),
                format!("ns1 A {first}\nns2 A {second}\n"),
            );
        }
        let operator = operator_name(self.operator);
        (
            format!("@ NS ns1.{operator}.\n@ NS ns2.{operator}.\n"),
            String::new(),
        )
    }

    /// The zone, relative to its apex.
    fn text(&self) -> String {
        let (ns, glue) = self.servers();
        let mut text = format!("{SOA}{ns}{glue}@ MX 10 mx\nmx A 198.18.200.1\n");
        if self.has_aaaa() {
            text.push_str("mx AAAA 2001:2::25\n");
        }
        if self.has_tlsa() {
            let digest = "5a".repeat(32);
            let _ = writeln!(text, "_25._tcp.mx TLSA 3 1 1 {digest}");
        }
        text
    }

    /// The four questions, each with what a validator must say: secure or insecure; data, no such
    /// data, no such name.
    fn questions(&self, text: &mut String) {
        let name = self.name();
        let security = if self.is_signed() { 'S' } else { 'I' };
        let aaaa = if self.has_aaaa() { 'D' } else { 'N' };
        let tlsa = if self.has_tlsa() { 'D' } else { 'X' };
        for (owner, rtype, kind) in [
            ("", 15, 'D'),
            ("mx.", 1, 'D'),
            ("mx.", 28, aaaa),
            ("_25._tcp.mx.", 52, tlsa),
        ] {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{owner}{name} {rtype} {security}{kind}");
        }
    }
}

/// The head of every zone: directives and SOA.
const SOA: &str = "$TTL 3600\n@ SOA ns1.nsec. hostmaster.nsec. 1 7200 3600 1209600 3600\n";

fn operator_name(operator: usize) -> String {
    let top = TOP[operator / (OPERATORS / TOP.len())];
    format!("operator{operator:02}.{top}")
}

fn operator_addresses(operator: usize) -> [String; 2] {
    [1, 2].map(|third| format!("198.18.{third}.{}", operator + 1))
}

/// Writes zone files, server configurations, questions, root hints and trust anchor to `folder`.
pub(crate) fn write(folder: &Path, count: usize) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let domains: Vec<Domain> = (0..count).map(Domain::new).collect();
    let mut questions = String::new();
    domains
        .iter()
        .for_each(|domain| domain.questions(&mut questions));
    // Of the dead server's domains only one thing is asked; a twentieth of all questions.
    let dead = count / 5;
    let mut with_dead = String::new();
    for (number, line) in questions.lines().enumerate() {
        let _ = writeln!(with_dead, "{line}");
        if number % 20 == 0 {
            let _ = writeln!(with_dead, "x{:06}.nsec 15 F", number / 20);
        }
    }
    let mut slow = String::new();
    for number in 0..SLOW_DOMAINS {
        let _ = writeln!(slow, "s{number:06}.slow 15 ID");
    }
    fs::write(folder.join("questions"), questions)?;
    fs::write(folder.join("questions-dead"), with_dead)?;
    fs::write(folder.join("questions-slow"), slow)?;

    let tree = sign(&domains, dead)?;
    fs::write(folder.join("trust-anchor"), tree.trust_anchor())?;
    fs::write(folder.join("root-hints"), tree.root_hints())?;
    write_servers(folder, &domains, &tree)
}

fn sign(domains: &[Domain], dead: usize) -> Result<SignedTree, Box<dyn Error>> {
    let mut root = format!("{SOA}@ NS ns.root.\nns.root. A 198.18.0.1\n");
    for (number, top) in TOP.iter().chain(&["slow"]).enumerate() {
        let _ = writeln!(
            root,
            "{top}. NS ns.{top}.\nns.{top}. A 198.18.0.{}",
            number + 2
        );
    }
    let mut tops: Vec<String> = (0..TOP.len())
        .map(|number| {
            let address = format!("198.18.0.{}", number + 2);
            format!("{SOA}@ NS ns\nns A {address}\n")
        })
        .collect();
    for operator in 0..OPERATORS {
        let top = &mut tops[operator / (OPERATORS / TOP.len())];
        let label = format!("operator{operator:02}");
        let [first, second] = operator_addresses(operator);
        let _ = writeln!(top, "{label} NS ns1.{label}\n{label} NS ns2.{label}");
        let _ = writeln!(top, "ns1.{label} A {first}\nns2.{label} A {second}");
    }
    for number in 0..dead {
        let _ = writeln!(tops[0], "x{number:06} NS ns.dead");
    }
    tops[0].push_str("ns.dead A 198.18.4.1\n");
    let mut sources = Vec::new();
    for domain in domains {
        let label = format!("d{:06}", domain.number);
        let (ns, glue) = domain.servers();
        let delegation = ns
            .replace("@ NS ns1\n", &format!("{label} NS ns1.{label}\n"))
            .replace("@ NS ns2\n", &format!("{label} NS ns2.{label}\n"))
            .replace('@', &label);
        tops[domain.top].push_str(&delegation);
        for line in glue.lines() {
            tops[domain.top].push_str(&line.replacen(" A ", &format!(".{label} A "), 1));
            tops[domain.top].push('\n');
        }
        if domain.is_signed() {
            let plan = if (domain.number / SIGNED).is_multiple_of(SIGNED_NSEC3) {
                SigningPlan::nsec3()
            } else {
                SigningPlan::default()
            };
            let apex = DomainName::parse(&domain.name())?;
            sources.push(ZoneSource::signed(apex, domain.text(), plan));
        }
    }
    let plans = [SigningPlan::default(), SigningPlan::opt_out()];
    for ((name, text), plan) in TOP.iter().zip(tops).zip(plans) {
        sources.push(ZoneSource::signed(DomainName::parse(name)?, text, plan));
    }
    let plan = SigningPlan::default();
    sources.push(ZoneSource::signed(DomainName::root(), root, plan));
    Ok(SignedTree::build(&sources, 1, SystemClock.now())?)
}

/// One configuration of NSD.
struct Server {
    text: String,
}

impl Server {
    fn new(name: &str, addresses: &[String]) -> Self {
        let mut text = String::from("server:\n");
        for address in addresses {
            let _ = writeln!(text, "  ip-address: {address}");
        }
        // Relative to the folder that NSD is started in.
        let _ = write!(
            text,
            "  username: \"\"\n  chroot: \"\"\n  zonesdir: \".\"\n  database: \"\"\n  \
             pidfile: \"/run/{name}.pid\"\n  xfrdfile: \"/run/{name}.xfrd\"\n  \
             zonelistfile: \"/run/{name}.list\"\n  xfrdir: \"/run\"\n  server-count: 1\n  \
             minimal-responses: yes\n  rrl-ratelimit: 0\n  tcp-count: 1000\n  \
             receive-buffer-size: 16777216\n\
             remote-control:\n  control-enable: no\n"
        );
        Self { text }
    }

    fn zone(&mut self, name: &str, file: &str) {
        let _ = write!(
            self.text,
            "zone:\n  name: \"{name}\"\n  zonefile: \"{file}\"\n"
        );
    }
}

fn write_servers(
    folder: &Path,
    domains: &[Domain],
    tree: &SignedTree,
) -> Result<(), Box<dyn Error>> {
    let signed = |name: &str, file: &str| -> Result<(), Box<dyn Error>> {
        let apex = DomainName::parse(name)?;
        let zone = tree.zone(&apex, 0).ok_or("a zone is missing")?;
        fs::create_dir_all(folder.join(file).parent().unwrap_or(folder))?;
        Ok(fs::write(folder.join(file), zone.to_text())?)
    };
    let mut root = Server::new("root", &["198.18.0.1".to_owned()]);
    signed(".", "zone-root")?;
    root.zone(".", "zone-root");

    let addresses: Vec<String> = (2..5).map(|last| format!("198.18.0.{last}")).collect();
    let mut top = Server::new("top", &addresses);
    for name in TOP {
        signed(name, &format!("zone-{name}"))?;
        top.zone(name, &format!("zone-{name}"));
    }
    let mut slow = format!("{SOA}@ NS ns\nns A 198.18.0.4\n");
    for number in 0..SLOW_ADDRESSES {
        let _ = writeln!(slow, "ns{number} A 198.18.5.{}", number + 1);
    }
    for number in 0..SLOW_DOMAINS {
        let _ = writeln!(slow, "s{number:06} NS ns{}", number % SLOW_ADDRESSES);
    }
    fs::write(folder.join("zone-slow"), slow)?;
    top.zone("slow", "zone-slow");

    let mut addresses: Vec<String> = (0..OPERATORS).flat_map(operator_addresses).collect();
    // Where the slow servers take their answers from.
    addresses.push("198.18.3.1".to_owned());
    let mut rest = Server::new("rest", &addresses);
    for operator in 0..OPERATORS {
        let [first, second] = operator_addresses(operator);
        let text = format!("{SOA}@ NS ns1\n@ NS ns2\nns1 A {first}\nns2 A {second}\n");
        fs::write(folder.join(format!("zone-operator{operator:02}")), text)?;
        rest.zone(
            &operator_name(operator),
            &format!("zone-operator{operator:02}"),
        );
    }
    for domain in domains {
        // Unsigned zones that differ in nothing but their name share a file.
        let file = if domain.is_signed() {
            let file = format!("signed/{}", domain.name());
            signed(&domain.name(), &file)?;
            file
        } else {
            let own = if domain.has_own_servers() {
                "own"
            } else {
                "shared"
            };
            let aaaa = if domain.has_aaaa() { "6" } else { "4" };
            let file = format!("zone-{own}-{aaaa}-{:02}", domain.operator);
            if !folder.join(&file).exists() {
                fs::write(folder.join(&file), domain.text())?;
            }
            file
        };
        rest.zone(&domain.name(), &file);
    }
    let text = format!("{SOA}@ NS ns0.slow.\n@ MX 10 mx\nmx A 198.18.200.1\n");
    fs::write(folder.join("zone-slow-domain"), text)?;
    for number in 0..SLOW_DOMAINS {
        rest.zone(&format!("s{number:06}.slow"), "zone-slow-domain");
    }
    for (name, server) in [("root", root), ("top", top), ("rest", rest)] {
        fs::write(folder.join(format!("nsd-{name}.conf")), server.text)?;
    }
    Ok(())
}
