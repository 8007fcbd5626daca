//! The part of a notification that people read: in ASCII, but for addresses where the notification can
//! travel only under SMTPUTF8 anyway.

use super::fields::{ascii, worst};
use super::{Action, Notification, RecipientStatus, Returned, Speaker};
use crate::message::date;
use crate::status::EnhancedStatus;
use std::time::Duration;

/// Columns of a line.
const COLUMNS: usize = 74;

/// The explanation, lines ended by CRLF.
pub(super) fn explanation(notification: &Notification) -> String {
    let mut out = String::new();
    let host = &notification.reporter;
    paragraph(&mut out, "", &format!("This is the mail system at {host}."));
    let what = match notification.returned {
        Returned::Header => "Its header is attached.",
        Returned::Whole => "It is attached.",
    };
    let said = match worst(notification) {
        Action::Failed => format!(
            "Your message of {} could not be delivered to the recipients below, and will not be \
             tried again. {what}",
            date(notification.arrived)
        ),
        Action::Delayed { .. } => format!(
            "Your message of {} has not been delivered to the recipients below yet. You need not \
             send it again: it is kept and tried until it is delivered or the time is over. {what}",
            date(notification.arrived)
        ),
        Action::Relayed => format!(
            "Your message of {} was handed on for the recipients below. The server that has it now \
             sends no receipts, so this is the last you will hear of it unless it fails. {what}",
            date(notification.arrived)
        ),
    };
    paragraph(&mut out, "", &said);
    for told in &notification.recipients {
        recipient(&mut out, told, notification.needs_smtp_utf8());
    }
    paragraph(
        &mut out,
        "",
        &format!(
            "If you ask your postmaster about this, name the queue id {}.",
            notification.queue_id
        ),
    );
    out
}

fn recipient(out: &mut String, told: &RecipientStatus, is_utf8: bool) {
    let address = if is_utf8 {
        letters(&told.address)
    } else {
        ascii(&told.address)
    };
    out.push_str(&format!("<{address}>\r\n"));
    if let Some(after) = told.given_up_after {
        lines(
            out,
            "    ",
            &format!("It was given up after {}.", in_words(after)),
        );
    }
    let last = match told.given_up_after {
        Some(_) => " last",
        None => "",
    };
    let by = match (told.speaker, &told.remote) {
        (Speaker::Server, Some(remote)) => format!("The server {} said{last}: ", ascii(remote)),
        (Speaker::Server, None) => format!("Its server said{last}: "),
        (Speaker::Ourselves, Some(remote)) => format!("At {}: ", ascii(remote)),
        (Speaker::Ourselves, None) => String::new(),
    };
    let (status, words) = match told.speaker {
        Speaker::Server => (None, told.words.as_str()),
        // The codes are there for programs; nobody said them.
        Speaker::Ourselves => without_codes(&told.words),
    };
    lines(out, "    ", &format!("{by}{}", ascii(words)));
    // RFC 3463 §3.8: security. Whoever reads this need not know what TLSA records are.
    if status.is_some_and(|status| status.subject == 7) {
        lines(
            out,
            "    ",
            "The connection could not be secured as it must be: nothing was sent.",
        );
    }
    for finding in &told.findings {
        lines(out, "    - ", &ascii(finding));
    }
    if let Action::Delayed { until } = told.action {
        lines(
            out,
            "    ",
            &format!("It will be tried until {}.", date(until)),
        );
    }
    out.push_str("\r\n");
}

/// An address of which letters and digits of all scripts stay, and everything else that is not ASCII
/// becomes an escape.
fn letters(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    for character in address.chars() {
        match character {
            ' '..='~' => out.push(character),
            other if other.is_alphanumeric() => out.push(other),
            other => out.extend(other.escape_unicode()),
        }
    }
    out
}

/// The enhanced code behind the reply code in front of `text`, and what comes behind both.
fn without_codes(text: &str) -> (Option<EnhancedStatus>, &str) {
    let Some((code, rest)) = text.split_once(' ') else {
        return (None, text);
    };
    if code.len() != 3 || !code.bytes().all(|octet| octet.is_ascii_digit()) {
        return (None, text);
    }
    match rest
        .split_once(' ')
        .map(|(word, after)| (word.parse(), after))
    {
        Some((Ok(status), after)) => (Some(status), after),
        Some((Err(_), _)) | None => (None, rest),
    }
}

/// A time in the largest unit that says it.
fn in_words(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let (count, unit) = match minutes {
        0..120 => (minutes, "minute"),
        120..2880 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// Lines and an empty one.
fn paragraph(out: &mut String, indent: &str, text: &str) {
    lines(out, indent, text);
    out.push_str("\r\n");
}

/// `text` broken between words; the first line begins with `first`, the others with as many
/// spaces. Words that are longer than a line are broken anywhere: SMTP allows 998 octets.
fn lines(out: &mut String, first: &str, text: &str) {
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !is_empty && line.len() + 1 + word.len() > COLUMNS {
            out.push_str(&line);
            out.push_str("\r\n");
            line = " ".repeat(first.len());
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
        while line.len() > 900 {
            let cut = line.floor_char_boundary(900);
            out.extend(line.drain(..cut));
            out.push_str("\r\n");
        }
    }
    out.push_str(&line);
    out.push_str("\r\n");
}
