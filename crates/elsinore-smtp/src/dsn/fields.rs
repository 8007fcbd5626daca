//! The parts of a notification that machines read (RFC 3462, RFC 3464 §2).

use super::{Action, Notification, Octets, RecipientStatus, Returned, Speaker};
use crate::message::date;

/// Longest text of a Diagnostic-Code field, in octets; replies are bounded, but longer.
const DIAGNOSTIC: usize = 900;

/// The header of the notification, without the empty line.
pub(super) fn header(notification: &Notification, boundary: &str) -> String {
    let host = &notification.reporter;
    let subject = match worst(notification) {
        Action::Failed => "Undelivered mail: returned to sender",
        Action::Delayed { .. } => "Delayed mail: still trying to deliver",
        Action::Relayed => "Mail handed on to a server that sends no receipts",
    };
    format!(
        "From: Mail Delivery System <MAILER-DAEMON@{host}>\r\n\
         To: {to}\r\n\
         Subject: {subject}\r\n\
         Date: {date}\r\n\
         Message-ID: <{token}@{host}>\r\n\
         Auto-Submitted: auto-replied\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n \
         boundary=\"{boundary}\"\r\n{encoding}",
        to = notification.to,
        date = date(notification.now),
        token = notification.hex_token(),
        encoding = match notification.octets {
            Octets::SevenBit if !notification.needs_smtp_utf8() => "",
            Octets::SevenBit | Octets::EightBit | Octets::Utf8Header => {
                "Content-Transfer-Encoding: 8bit\r\n"
            }
        },
    )
}

/// The action that the subject speaks of.
pub(super) fn worst(notification: &Notification) -> Action {
    let rank = |action: &Action| match action {
        Action::Failed => 0,
        Action::Delayed { .. } => 1,
        Action::Relayed => 2,
    };
    let actions = notification.recipients.iter().map(|told| told.action);
    actions.min_by_key(rank).unwrap_or(Action::Failed)
}

/// The message/delivery-status part (RFC 3464 §2.1).
pub(super) fn delivery_status(notification: &Notification) -> String {
    let name = notification.reporter.to_string();
    let mut out = String::new();
    // An address literal is no domain name (RFC 3461 §6.3 (b)).
    let name_type = if name.starts_with('[') {
        "x-local-hostname"
    } else {
        "dns"
    };
    field(&mut out, "Reporting-MTA", &format!("{name_type}; {name}"));
    if let Some(id) = &notification.envelope_id {
        field(&mut out, "Original-Envelope-Id", &ascii(&decoded(id)));
    }
    field(&mut out, "Arrival-Date", &date(notification.arrived));
    for told in &notification.recipients {
        out.push_str("\r\n");
        recipient(&mut out, told, notification);
    }
    out
}

fn recipient(out: &mut String, told: &RecipientStatus, notification: &Notification) {
    if let Some(original) = &told.original
        && let Some((kind, address)) = original.split_once(';')
    {
        let address = ascii(&decoded(address));
        field(out, "Original-Recipient", &format!("{kind}; {address}"));
    }
    field(out, "Final-Recipient", &final_recipient(&told.address));
    field(out, "Action", told.action.word());
    field(out, "Status", &told.status.to_string());
    if let Some(remote) = &told.remote {
        let kind = if remote.starts_with('[') || remote.parse::<std::net::IpAddr>().is_ok() {
            "x-address"
        } else {
            "dns"
        };
        field(out, "Remote-MTA", &format!("{kind}; {}", ascii(remote)));
    }
    let kind = match told.speaker {
        Speaker::Server => "smtp",
        Speaker::Ourselves => "x-elsinore",
    };
    let mut words = ascii(&told.words);
    words.truncate(DIAGNOSTIC);
    field(out, "Diagnostic-Code", &format!("{kind}; {words}"));
    field(out, "Last-Attempt-Date", &date(told.tried));
    field(out, "Final-Log-ID", &notification.queue_id);
    if let Action::Delayed { until } = told.action {
        field(out, "Will-Retry-Until", &date(until));
    }
    for finding in &told.findings {
        let mut words = ascii(finding);
        words.truncate(DIAGNOSTIC);
        field(out, "X-Elsinore-Finding", &words);
    }
}

/// The address with its type; one that is not ASCII in the seven-bit form of RFC 6533 §3.
fn final_recipient(address: &str) -> String {
    if address.is_ascii() {
        return format!("rfc822; {}", ascii(address));
    }
    let mut text = String::new();
    for character in address.chars() {
        match character {
            '!'..='~' if !matches!(character, '\\' | '+' | '=') => text.push(character),
            _ => text.push_str(&format!("\\x{{{:X}}}", u32::from(character))),
        }
    }
    format!("utf-8; {text}")
}

/// The header of the third part, without the empty line.
pub(super) fn returned_part(notification: &Notification) -> String {
    let kind = match (notification.returned, notification.octets) {
        (Returned::Header, Octets::SevenBit | Octets::EightBit) => "text/rfc822-headers",
        (Returned::Header, Octets::Utf8Header) => "message/global-headers",
        (Returned::Whole, Octets::SevenBit | Octets::EightBit) => "message/rfc822",
        (Returned::Whole, Octets::Utf8Header) => "message/global",
    };
    let what = match notification.returned {
        Returned::Header => "Header of the message",
        Returned::Whole => "Message",
    };
    let encoding = match notification.octets {
        Octets::SevenBit => "",
        Octets::EightBit | Octets::Utf8Header => "Content-Transfer-Encoding: 8bit\r\n",
    };
    format!("Content-Type: {kind}\r\nContent-Description: {what}\r\n{encoding}")
}

/// One field, folded before spaces so that no line is longer than 78 octets where that is possible
/// (RFC 5322 §2.1.1); a word that is longer stays whole.
fn field(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push(':');
    let mut length = name.len() + 1;
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        if length + 1 + word.len() > 78 && length > name.len() + 1 {
            out.push_str("\r\n");
            length = 0;
        }
        out.push(' ');
        out.push_str(word);
        length += 1 + word.len();
    }
    out.push_str("\r\n");
}

/// A stranger's text as ASCII in one line: what is not printable ASCII becomes an escape, but for the
/// sign that we cut texts with.
pub(super) fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' '..='~' => out.push(character),
            '\u{2026}' => out.push_str("..."),
            _ => out.extend(character.escape_unicode()),
        }
    }
    out
}

/// The text behind xtext (RFC 3461 §4); what is no xtext stays as it is.
fn decoded(xtext: &str) -> String {
    let mut octets = Vec::with_capacity(xtext.len());
    let mut rest = xtext.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        let pair = after
            .get(..2)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.map(|pair| u8::from_str_radix(pair, 16)) {
            Some(Ok(value)) if octet == b'+' => {
                octets.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => octets.push(octet),
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}
