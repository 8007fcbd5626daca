//! What a person typed, read as a domain that can be checked.
//!
//! A domain is what stands behind the `@` of a mail address. People type more than that: addresses
//! of people and of machines, web addresses, names of records. Each is read where there is no doubt
//! what was meant, with a remark that says so, or refused with what to type instead.

use elsinore_dane::name::{DomainName, NameError};
use elsinore_smtp::text::{excerpt, is_invisible};
use std::fmt;
use std::net::IpAddr;

/// Longest input looked at, in octets: a name of 255 octets in which each is an escape, and a
/// mailbox in front of it.
const LONGEST: usize = 2_000;

/// Characters of the input that a refusal repeats.
const SHOWN: usize = 60;

/// A domain to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The domain, A-labels.
    pub domain: DomainName,
    /// The domain in Unicode (U-labels, RFC 5890 §2.3.2.1), where that differs.
    pub unicode: Option<String>,
    /// How what was typed was taken, where that is not plain; printable, without a full stop.
    pub remark: Option<String>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unicode {
            Some(unicode) => write!(f, "{unicode} ({})", self.domain),
            None => self.domain.fmt(f),
        }
    }
}

/// Why there is nothing to check. The message is one line, says what was typed (escaped and cut)
/// and what to type instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Nothing but space.
    #[error(
        "no domain given; type what stands behind the @ of a mail address, such as example.org"
    )]
    Empty,
    /// An address of a machine, with or without brackets.
    #[error(
        "{0} is the address of one server, and DANE needs a name; type what stands behind the @ of \
         a mail address, such as example.org"
    )]
    Address(String),
    /// Any other name in brackets (RFC 5321 §2.3.5 knows none; Postfix' way to write a host).
    #[error("{0} names one server; type the domain that it takes mail for, without brackets")]
    Bracketed(String),
    /// A web address.
    #[error("{typed} is a web address, and mail goes to a domain; try {instead}")]
    Web {
        /// What was typed.
        typed: String,
        /// What may have been meant.
        instead: String,
    },
    /// A port behind the name.
    #[error(
        "{typed} names a port; all MX hosts of a domain are looked at, on port 25: try {instead}"
    )]
    Port {
        /// What was typed.
        typed: String,
        /// The name alone.
        instead: String,
    },
    /// The owner of a record, such as `_25._tcp.mx.example.org`.
    #[error(
        "{typed} is the name of a record, and takes no mail; type the domain, perhaps {instead}"
    )]
    RecordName {
        /// What was typed.
        typed: String,
        /// The name without the labels that begin with an underscore.
        instead: String,
    },
    /// The root of DNS.
    #[error("{0} is the root of DNS, which takes no mail; type a domain such as example.org")]
    Root(String),
    /// A last label of digits alone: no top-level domain is one (RFC 3696 §2).
    #[error("{0} ends in a number, as no domain does; type a domain such as example.org")]
    Numeric(String),
    /// A character that no name of a mail domain has.
    #[error(
        "{typed} holds {character}, which no mail domain has; type a domain such as example.org"
    )]
    Character {
        /// What was typed.
        typed: String,
        /// The first such character, in words or escaped.
        character: String,
    },
    /// Not a domain name.
    #[error("{typed} is no domain name: {error}; type a domain such as example.org")]
    Name {
        /// What was typed.
        typed: String,
        /// Which limit it breaks.
        error: NameError,
    },
}

/// Reads one domain.
///
/// # Errors
/// [`TargetError`] when there is no domain in it, or there is doubt which one was meant.
pub fn read(typed: &str) -> Result<Target, TargetError> {
    let typed = typed.trim();
    let shown = || excerpt(typed.as_bytes(), SHOWN);
    if typed.is_empty() {
        return Err(TargetError::Empty);
    }
    if typed.len() > LONGEST {
        let error = NameError::NameTooLong;
        return Err(TargetError::Name {
            typed: shown(),
            error,
        });
    }
    refuse_address(typed)?;
    if let Some((scheme, rest)) = typed.split_once(':')
        && scheme.eq_ignore_ascii_case("mailto")
    {
        return mailbox(rest, typed);
    }
    if let Some((_, rest)) = typed.split_once("://") {
        return Err(web(rest, typed));
    }
    if typed.contains('@') {
        return mailbox(typed, typed);
    }
    if typed.starts_with('[') {
        return Err(TargetError::Bracketed(shown()));
    }
    if typed.contains('/') {
        return Err(web(typed, typed));
    }
    if let Some((name, port)) = typed.rsplit_once(':')
        && port.bytes().all(|octet| octet.is_ascii_digit())
        && let Ok(target) = domain(name, name)
    {
        let instead = target.domain.to_string();
        return Err(TargetError::Port {
            typed: shown(),
            instead,
        });
    }
    domain(typed, typed)
}

/// The entries of a list: one a line, or several with space between them; `#` begins a comment.
pub fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.lines().flat_map(|line| {
        let line = line.trim_start_matches('\u{feff}');
        let entry = line.split_once('#').map_or(line, |(entry, _)| entry);
        entry.split_whitespace()
    })
}

/// Refuses IP addresses in their usual spellings: plain, in brackets, with the tag of RFC 5321
/// §4.1.3, with a port.
fn refuse_address(typed: &str) -> Result<(), TargetError> {
    let inside = typed.trim_start_matches('[').trim_end_matches('.');
    let inside = inside.split_once(']').map_or(inside, |(inside, _)| inside);
    let bare = match inside.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => inside.get(5..).unwrap_or_default(),
        _ => inside,
    };
    let is_address =
        bare.parse::<IpAddr>().is_ok() || typed.parse::<std::net::SocketAddr>().is_ok();
    match is_address {
        true => Err(TargetError::Address(excerpt(typed.as_bytes(), SHOWN))),
        false => Ok(()),
    }
}

/// What was meant by a web address: its host, without `www`.
fn web(rest: &str, typed: &str) -> TargetError {
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host);
    let instead = match domain(host, host) {
        Ok(target) => target.domain.to_string(),
        Err(_) => "example.org".to_owned(),
    };
    let typed = excerpt(typed.as_bytes(), SHOWN);
    TargetError::Web { typed, instead }
}

/// The domain of a mailbox (RFC 5321 §4.1.2: what stands behind the last `@`).
fn mailbox(address: &str, typed: &str) -> Result<Target, TargetError> {
    let behind = address.rsplit('@').next().unwrap_or_default();
    // The query of a mailto link (RFC 6068 §2).
    let behind = behind.split('?').next().unwrap_or_default();
    if behind.is_empty() {
        return Err(TargetError::Empty);
    }
    refuse_address(behind)?;
    let mut target = domain(behind, typed)?;
    target.remark = Some(format!(
        "{} is a mailbox; checked is its domain, {}",
        excerpt(typed.as_bytes(), SHOWN),
        target.domain
    ));
    Ok(target)
}

fn domain(name: &str, typed: &str) -> Result<Target, TargetError> {
    let shown = || excerpt(typed.as_bytes(), SHOWN);
    if name == "." {
        return Err(TargetError::Root(shown()));
    }
    let bad = |character: char| TargetError::Character {
        typed: shown(),
        character: described(character),
    };
    // Before IDNA, which drops some of what nobody sees.
    if let Some(character) = name.chars().find(|&one| !may_stand_in_a_name(one)) {
        return Err(bad(character));
    }
    let domain = DomainName::parse(name).map_err(|error| TargetError::Name {
        typed: shown(),
        error,
    })?;
    // IDNA maps some characters to others that no name has, a full-width slash for one.
    if let Some(character) = domain
        .as_str()
        .chars()
        .find(|&one| !may_stand_in_a_name(one))
    {
        return Err(bad(character));
    }
    if domain.is_root() {
        return Err(TargetError::Root(shown()));
    }
    let labels: Vec<&str> = domain.as_str().split('.').collect();
    if labels.first().is_some_and(|label| label.starts_with('_')) {
        let above: Vec<&str> = (labels.iter().copied())
            .skip_while(|label| label.starts_with('_'))
            .collect();
        let instead = match above.is_empty() {
            true => "example.org".to_owned(),
            false => above.join("."),
        };
        return Err(TargetError::RecordName {
            typed: shown(),
            instead,
        });
    }
    if (labels.last()).is_some_and(|label| label.bytes().all(|octet| octet.is_ascii_digit())) {
        return Err(TargetError::Numeric(shown()));
    }
    let remark = if labels.len() == 1 {
        Some(format!("{domain} is taken as a top-level domain"))
    } else if domain.as_str().contains('_') {
        Some(format!(
            "{domain} holds an underscore, which a mail domain must not (RFC 5321 §4.1.2); checked \
             all the same"
        ))
    } else {
        None
    };
    Ok(Target {
        unicode: unicode(&domain),
        domain,
        remark,
    })
}

/// ASCII letters, digits, hyphens, underscores and dots; of the rest what is left to IDNA to judge.
const fn may_stand_in_a_name(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    }
    !is_invisible(character) && !matches!(character, '\u{80}'..='\u{9f}')
}

fn described(character: char) -> String {
    match character {
        ' ' => "a space".to_owned(),
        '\t' => "a tab".to_owned(),
        other => format!("{:?}", excerpt(other.to_string().as_bytes(), 10)),
    }
}

/// The U-labels of a name, when all of it is valid IDNA and it differs.
fn unicode(domain: &DomainName) -> Option<String> {
    if !domain.as_str().contains("xn--") {
        return None;
    }
    let (text, valid) = idna::domain_to_unicode(domain.as_str());
    let harmless = !text
        .chars()
        .any(|one| one.is_control() || is_invisible(one));
    (valid.is_ok() && harmless && text != domain.as_str()).then_some(text)
}

#[cfg(test)]
mod tests;
