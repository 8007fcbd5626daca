//! The `[[destination]]` entry that pins what a server presents: read here, to be compared with what
//! its administrator says on another way before it is used.

use super::form::comment;
use super::material::Material;
use super::rollover::{Dnssec, EndpointView, Presented, accepts};
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use std::fmt::Write as _;

/// One host that was looked at.
#[derive(Debug, Clone)]
pub struct PinnedHost {
    /// The host.
    pub host: DomainName,
    /// TCP port.
    pub port: u16,
    /// What it presents.
    pub endpoints: Vec<EndpointView>,
    /// Why there is no address, or not every one was looked at.
    pub problem: Option<String>,
    /// What is known of its TLSA records.
    pub dnssec: Dnssec,
    /// The records.
    pub records: Vec<TlsaRecord>,
}

/// One key with what is pinned of it.
#[derive(Debug, Clone)]
pub struct Pin {
    /// The key in a few words.
    pub key: String,
    /// SHA-256 of the key (SubjectPublicKeyInfo).
    pub key_sha256: [u8; 32],
    /// SHA-256 of the certificate it was seen in first.
    pub certificate_sha256: Option<[u8; 32]>,
    /// Where it was presented, such as `mx.example.net [192.0.2.1]`.
    pub presented_by: Vec<String>,
    /// Whether a TLSA record under DNSSEC matched it at each of those.
    pub is_authenticated: bool,
}

/// What pinning comes to.
#[derive(Debug, Clone)]
pub struct PinProposal {
    /// The recipients' domain.
    pub domain: DomainName,
    /// The hosts.
    pub hosts: Vec<PinnedHost>,
    /// Each key once, in the order seen.
    pub pins: Vec<Pin>,
    /// Addresses that could not be looked at, with the reason.
    pub unseen: Vec<String>,
    /// When it was read.
    pub read_at: UnixTime,
}

/// Collects the keys of these hosts.
#[must_use]
pub fn propose_pins(domain: DomainName, hosts: Vec<PinnedHost>, read_at: UnixTime) -> PinProposal {
    let mut pins: Vec<Pin> = Vec::new();
    let mut unseen = Vec::new();
    for host in &hosts {
        if let Some(problem) = &host.problem {
            unseen.push(format!("{}: {problem}", host.host));
        }
        for endpoint in &host.endpoints {
            let place = format!("{} [{}]", host.host, endpoint.address);
            match &endpoint.presented {
                Presented::Chain(chain) => take(&mut pins, host, place, chain, read_at),
                Presented::NoSuchKey => {}
                Presented::Nothing(reason) => unseen.push(format!("{place}: {reason}")),
            }
        }
    }
    PinProposal {
        domain,
        hosts,
        pins,
        unseen,
        read_at,
    }
}

fn take(pins: &mut Vec<Pin>, host: &PinnedHost, place: String, chain: &Material, now: UnixTime) {
    let is_authenticated =
        host.dnssec == Dnssec::Secure && accepts(&host.host, &host.records, chain.chain(), now);
    let known = pins
        .iter_mut()
        .find(|pin| pin.key_sha256 == *chain.key_digest());
    match known {
        Some(pin) => {
            pin.is_authenticated &= is_authenticated;
            pin.presented_by.push(place);
        }
        None => pins.push(Pin {
            key: chain.key().to_string(),
            key_sha256: *chain.key_digest(),
            certificate_sha256: chain.certificate_digest().copied(),
            presented_by: vec![place],
            is_authenticated,
        }),
    }
}

/// `sha256:HEX`, as `[[destination]] pins` takes it.
#[must_use]
pub fn pin_text(digest: &[u8; 32]) -> String {
    let mut text = String::from("sha256:");
    for octet in digest {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}

impl PinProposal {
    /// What is said before the entry, one paragraph each.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = vec![
            "COMPARE FIRST. This is what the servers presented just now; whoever sits on the way \
             could have presented it in their place. Ask their administrator for the digests by \
             telephone, letter or signed message, and use the entry only if they are the same."
                .to_owned(),
            "The digests are of keys: a renewed certificate with the same key still matches. With \
             a new key, mail waits until the entry is changed; ask to be told beforehand."
                .to_owned(),
        ];
        if !self.pins.is_empty() && self.pins.iter().all(|pin| pin.is_authenticated) {
            remarks.push(
                "DNSSEC and TLSA records authenticate every one of these keys. Elsinore demands \
                 that by itself; a pin adds nothing but a second thing to keep up to date."
                    .to_owned(),
            );
        } else if self.pins.iter().any(|pin| pin.is_authenticated) {
            remarks.push(
                "DNSSEC and TLSA records authenticate some of these keys and not the others: look \
                 into that before pinning them."
                    .to_owned(),
            );
        }
        for host in &self.hosts {
            if let Dnssec::Failed(reason) = &host.dnssec {
                remarks.push(format!(
                    "The TLSA records of {} could not be looked up securely: {reason}",
                    host.host
                ));
            }
        }
        if !self.unseen.is_empty() {
            remarks.push(format!(
                "Not seen, so a key may be missing: {}",
                self.unseen.join("; ")
            ));
        }
        remarks
    }

    /// The entry, with remarks as comments; comments only where there is nothing to pin.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::new();
        for remark in self.remarks() {
            // The comments of TOML begin with another character than those of zone files.
            for line in comment(&remark).lines() {
                out.push('#');
                out.push_str(line.trim_start_matches(';'));
                out.push('\n');
            }
        }
        if self.pins.is_empty() {
            return out;
        }
        let names: Vec<String> = self
            .hosts
            .iter()
            .map(|host| host.host.to_string())
            .collect();
        let day = super::moment::day(self.read_at);
        out.push_str("\n[[destination]]\n");
        out.push_str(&format!("domain = \"{}\"\n", self.domain));
        out.push_str("level = \"fingerprint\"\n");
        out.push_str("pins = [\n");
        for pin in &self.pins {
            let places = pin.presented_by.join(", ");
            let description = comment(&format!("{}, presented by {places}", pin.key));
            for line in description.lines() {
                out.push_str("  #");
                out.push_str(line.trim_start_matches(';'));
                out.push('\n');
            }
            out.push_str(&format!("  \"{}\",\n", pin_text(&pin.key_sha256)));
        }
        out.push_str("]\n");
        let names = names.join(", ");
        out.push_str(&format!(
            "reason = \"keys of {names}, read on {day}, NOT YET COMPARED\"\n"
        ));
        out
    }
}
