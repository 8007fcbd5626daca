//! TLSA records as they are pasted: zone-file lines, an nsupdate script, fields for a web panel.
//!
//! Every form but the fields takes comments behind `;`, so explanations can be pasted along. Text from
//! files and servers goes into comments only, its control characters escaped, one line each.

use super::proposal::{Entry, Proposal};
use elsinore_dane::name::DomainName;
use elsinore_dane::tlsa::{TlsaRecord, Usage};
use std::fmt::Write as _;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines of a zone file (RFC 1035 §5.1).
    Zone,
    /// The same for software that does not know the type (RFC 3597 §5).
    Generic,
    /// A script for `nsupdate` of BIND or `knsupdate` of Knot (RFC 2136).
    Nsupdate,
    /// One field a line.
    Plain,
}

/// Where an nsupdate script goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The server, as nsupdate takes it; it asks the SOA record when absent.
    pub server: Option<String>,
    /// The zone; nsupdate finds it when absent.
    pub zone: Option<DomainName>,
}

/// Columns of a comment.
const COLUMNS: usize = 78;

/// `text` as comment lines.
#[must_use]
pub fn comment(text: &str) -> String {
    let mut out = String::new();
    let mut line = String::from(";");
    for word in one_line(text).split(' ').filter(|word| !word.is_empty()) {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            out.push_str(&line);
            out.push('\n');
            line = String::from(";  ");
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
    out
}

/// Control characters made visible: none may end a comment.
fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        // U+2028 and U+2029 are line ends to some editors.
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// One record as a line of a zone file, its owner absolute, so that no `$ORIGIN` changes it.
#[must_use]
pub fn zone_line(owner: &DomainName, ttl: u32, record: &TlsaRecord) -> String {
    format!("{owner}. {ttl} IN TLSA {record}")
}

/// The same in the form of RFC 3597 §5.
#[must_use]
pub fn generic_line(owner: &DomainName, ttl: u32, record: &TlsaRecord) -> String {
    let mut line = format!("{owner}. {ttl} IN TYPE52 \\# {} ", record.rdata().len());
    for octet in record.rdata() {
        // Writing to a String cannot fail.
        let _ = write!(line, "{octet:02x}");
    }
    line
}

/// A change to a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Owner of the records.
    pub owner: DomainName,
    /// TTL of those added, in seconds.
    pub ttl: u32,
    /// Records added.
    pub add: Vec<TlsaRecord>,
    /// Records removed, each by its whole content: never all at that name.
    pub remove: Vec<TlsaRecord>,
}

impl Change {
    /// The nsupdate script: one message, so one change, additions first.
    #[must_use]
    pub fn nsupdate(&self, target: &Target) -> String {
        let mut out = String::new();
        if let Some(server) = &target.server {
            out.push_str(&format!("server {server}\n"));
        }
        if let Some(zone) = &target.zone {
            out.push_str(&format!("zone {zone}.\n"));
        }
        for record in &self.add {
            let (owner, ttl) = (&self.owner, self.ttl);
            out.push_str(&format!("update add {owner}. {ttl} IN TLSA {record}\n"));
        }
        for record in &self.remove {
            out.push_str(&format!("update delete {}. TLSA {record}\n", self.owner));
        }
        out.push_str("send\n");
        out
    }
}

impl Proposal {
    /// The records with what is to be said about them.
    #[must_use]
    pub fn render(&self, form: Form, target: &Target) -> String {
        match form {
            Form::Zone => self.lines(zone_line),
            Form::Generic => self.lines(generic_line),
            Form::Nsupdate => {
                let change = Change {
                    owner: self.owner.clone(),
                    ttl: self.wish.ttl,
                    add: self
                        .entries
                        .iter()
                        .map(|entry| entry.record.clone())
                        .collect(),
                    remove: Vec::new(),
                };
                let mut out = self.preface();
                out.push_str(&comment(
                    "Adds only: records that are published already stay. Send it with nsupdate -k \
                     KEYFILE; knsupdate takes the same.",
                ));
                for entry in &self.entries {
                    out.push_str(&comment(&describe(entry)));
                }
                out.push_str(&change.nsupdate(target));
                out
            }
            Form::Plain => self.plain(),
        }
    }

    fn lines(&self, line: fn(&DomainName, u32, &TlsaRecord) -> String) -> String {
        let mut out = self.preface();
        for entry in &self.entries {
            out.push_str(&comment(&describe(entry)));
            out.push_str(&line(&self.owner, self.wish.ttl, &entry.record));
            out.push('\n');
        }
        out
    }

    /// Reasons and cautions as comments.
    fn preface(&self) -> String {
        let (host, port) = (&self.wish.host, self.wish.port);
        let mut out = comment(&format!("TLSA records for {host}, port {port}"));
        for reason in self.reasons() {
            out.push_str(&comment(reason));
        }
        for caution in &self.cautions {
            out.push_str(&comment(&format!("Caution: {caution}.")));
        }
        out.push_str(";\n");
        out
    }

    fn plain(&self) -> String {
        let mut out = String::new();
        for (count, entry) in self.entries.iter().enumerate() {
            if count > 0 {
                out.push('\n');
            }
            let record = &entry.record;
            let parameters = [record.usage(), record.selector(), record.matching_type()];
            let [usage, selector, matching] =
                parameters.map(|number| number.unwrap_or_default().to_string());
            let mut digest = String::new();
            for octet in record.association() {
                let _ = write!(digest, "{octet:02x}");
            }
            for (field, value) in [
                ("For", one_line(&describe(entry))),
                ("Name", self.owner.to_string()),
                ("Type", "TLSA".to_owned()),
                ("TTL", self.wish.ttl.to_string()),
                ("Usage", usage),
                ("Selector", selector),
                ("Matching type", matching),
                ("Data", digest),
            ] {
                out.push_str(&format!("{field:<14} {value}\n"));
            }
        }
        out
    }
}

/// What a record stands for, in one line.
fn describe(entry: &Entry) -> String {
    let role = match (entry.role.word(), entry.proof.usage()) {
        (word, Usage::DaneEe) => format!("{word} key"),
        (word, Usage::DaneTa) => format!("{word} authority"),
    };
    format!(
        "{role}: {}, from {}",
        entry.subject,
        entry.origins.join(", ")
    )
}
