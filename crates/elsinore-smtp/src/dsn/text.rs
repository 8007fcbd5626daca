//! The part of a notification that people read.

use super::fields::{ascii, worst};
use super::{Action, Notification, RecipientStatus, Returned, Speaker};
use crate::message::date;

/// Columns of a line.
const COLUMNS: usize = 74;

/// The explanation, in ASCII, lines ended by CRLF.
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
        recipient(&mut out, told);
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

fn recipient(out: &mut String, told: &RecipientStatus) {
    out.push_str(&format!("<{}>\r\n", ascii(&told.address)));
    let by = match (told.speaker, &told.remote) {
        (Speaker::Server, Some(remote)) => format!("The server {} said: ", ascii(remote)),
        (Speaker::Server, None) => "Its server said: ".to_owned(),
        (Speaker::Ourselves, Some(remote)) => format!("At {}: ", ascii(remote)),
        (Speaker::Ourselves, None) => String::new(),
    };
    lines(out, "    ", &format!("{by}{}", ascii(&told.words)));
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
            out.push_str(&line[..900]);
            out.push_str("\r\n");
            line.drain(..900);
        }
    }
    out.push_str(&line);
    out.push_str("\r\n");
}
