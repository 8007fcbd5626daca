//! From an [`Event`] to the lines of the log. Pure: no clock, no stream.
//!
//! The text form has two kinds of lines. Those about a recipient and those about TLS are Postfix' own
//! words, because people and programs search for them; all others are `what key=value …`. The JSON
//! form has the same lines as objects. Text of strangers is escaped and cut in both.

use crate::event::{Event, Severity};
use elsinore_net::deliver::{Attempt, Outcome, SendReport};
use elsinore_queue::message::MessageHead;
use elsinore_queue::moment::Moment;
use elsinore_smtp::text::excerpt;
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Longest text of a stranger in a line, in characters.
const LONGEST: usize = 600;
/// Longest address in a line, in characters.
const LONGEST_ADDRESS: usize = 320;

/// Form of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// For people who search.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// One line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How bad it is.
    pub severity: Severity,
    /// The line.
    pub text: String,
    /// Its form.
    pub form: Form,
}

impl Line {
    /// The priority of syslog (RFC 5424 §6.2.1).
    #[must_use]
    pub const fn priority(&self) -> u8 {
        match self.severity {
            Severity::Error => 3,
            Severity::Warning => 4,
            Severity::Info => 6,
        }
    }
}

/// The lines for `event`.
#[must_use]
pub fn lines(event: &Event, form: Form) -> Vec<Line> {
    match event {
        Event::Tried {
            message,
            destination,
            report,
            took,
        } => tried(message, destination, report, *took, form),
        Event::Recipient { .. } if form == Form::Text => vec![recipient(event)],
        Event::Notice {
            severity,
            part,
            text,
        } => {
            let mut fields = Fields::new(*severity, "notice");
            fields.word("part", part);
            fields.text("text", text);
            match form {
                Form::Json => vec![fields.finish(form)],
                Form::Text => vec![Line {
                    severity: *severity,
                    form,
                    text: format!("{part}: {}", excerpt(text.as_bytes(), LONGEST)),
                }],
            }
        }
        Event::Accepted { .. }
        | Event::Refused { .. }
        | Event::TurnedAway { .. }
        | Event::Recipient { .. }
        | Event::Notified { .. }
        | Event::Dropped { .. }
        | Event::ProtectionLost { .. }
        | Event::LeaseLost { .. } => vec![single(event).finish(form)],
    }
}

/// Events that are one line of fields.
fn single(event: &Event) -> Fields {
    match event {
        Event::Accepted {
            message,
            recipients,
            tls,
        } => {
            let mut fields = Fields::of(Severity::Info, "accepted", message.id);
            fields.address("from", &message.envelope.reverse_path);
            fields.text("client", &message.envelope.origin);
            fields.number("recipients", *recipients);
            fields.number("octets", message.octets);
            fields.text("tls", tls.as_deref().unwrap_or("no"));
            fields
        }
        Event::Refused { client, code, text } => {
            let mut fields = Fields::new(Severity::Info, "refused");
            fields.text("client", client);
            fields.number("code", *code);
            fields.text("reply", text);
            fields
        }
        Event::TurnedAway { client, why } => {
            let mut fields = Fields::new(Severity::Info, "turned-away");
            fields.text("client", client);
            fields.text("why", &why.to_string());
            fields
        }
        Event::Recipient {
            message,
            sender,
            recipient,
            outcome,
            security,
            relay,
            reply,
            delay,
            next,
        } => {
            let mut fields = Fields::of(Severity::Info, "recipient", *message);
            fields.address("to", recipient);
            fields.address("from", sender);
            fields.word("outcome", outcome.word());
            fields.maybe("security", security.map(|word| word.word()));
            fields.maybe("relay", relay.as_deref());
            fields.seconds("delay", *delay);
            fields.word("dsn", &enhanced(*outcome, reply.as_deref()));
            fields.maybe("next", next.map(moment).as_deref());
            fields.maybe("reply", reply.as_deref());
            fields
        }
        Event::Notified {
            about,
            notice,
            kind,
        } => {
            let mut fields = Fields::of(Severity::Info, "notified", *about);
            fields.word("kind", kind);
            fields.word("notice", &notice.to_string());
            fields
        }
        Event::Dropped { about, reason } => {
            let mut fields = Fields::of(Severity::Warning, "notice-dropped", *about);
            fields.text("reason", reason);
            fields
        }
        Event::ProtectionLost {
            destination,
            was,
            is,
            why,
        } => {
            let mut fields = Fields::new(Severity::Warning, "protection-lost");
            fields.text("destination", destination);
            fields.word("was", was.word());
            fields.word("is", is.word());
            fields.text("why", why);
            fields
        }
        Event::LeaseLost {
            message,
            destination,
        } => {
            let mut fields = Fields::of(Severity::Warning, "lease-lost", *message);
            fields.text("destination", destination);
            fields.text("meaning", "another relay may have tried this too");
            fields
        }
        // These have lines of other forms.
        Event::Tried { .. } | Event::Notice { .. } => Fields::new(Severity::Info, "event"),
    }
}

/// One line for each address that was tried and, in text, the line of Postfix about TLS.
fn tried(
    message: &MessageHead,
    destination: &str,
    report: &SendReport,
    took: Duration,
    form: Form,
) -> Vec<Line> {
    let mut seen: Vec<*const Vec<Attempt>> = Vec::new();
    let mut lines = Vec::new();
    for recipient in &report.recipients {
        // Recipients of one destination share their attempts.
        let shared = Arc::as_ptr(&recipient.attempts);
        if seen.contains(&shared) {
            continue;
        }
        seen.push(shared);
        for attempt in recipient.attempts.iter() {
            let mut fields = attempted(message, destination, attempt);
            fields.seconds("took", took);
            if let (Some(line), Form::Text) = (&attempt.log_line, form) {
                lines.push(Line {
                    severity: Severity::Info,
                    form,
                    text: format!("{}: {}", message.id, excerpt(line.as_bytes(), LONGEST)),
                });
            }
            if form == Form::Json {
                fields.maybe("line", attempt.log_line.as_deref());
            }
            lines.push(fields.finish(form));
        }
    }
    if lines.is_empty() {
        let mut fields = Fields::of(Severity::Info, "attempt", message.id);
        fields.text("destination", destination);
        fields.word("outcome", report.overall().word());
        fields.seconds("took", took);
        lines.push(fields.finish(form));
    }
    lines
}

fn attempted(message: &MessageHead, destination: &str, attempt: &Attempt) -> Fields {
    let mut fields = Fields::of(Severity::Info, "attempt", message.id);
    fields.text("destination", destination);
    fields.text("mx", &attempt.mx_host);
    fields.maybe(
        "address",
        attempt.mx_address.map(|at| at.to_string()).as_deref(),
    );
    fields.word("obligation", attempt.obligation.word());
    fields.word("outcome", attempt.outcome.word());
    if let Some(session) = &attempt.session {
        fields.maybe("security", session.security.map(|word| word.word()));
        fields.maybe(
            "tls",
            session
                .tls
                .as_ref()
                .map(|tls| tls.version.to_string())
                .as_deref(),
        );
        if session.transaction > 1 {
            fields.number("transaction", session.transaction);
        }
        fields.maybe(
            "base",
            (session.tlsa_base_domain.as_ref())
                .map(ToString::to_string)
                .as_deref(),
        );
    }
    fields.maybe("skipped", attempt.skipped.map(|reason| reason.word()));
    fields.maybe("reason", attempt.reason.as_deref());
    let rules: Vec<String> = (attempt.findings.iter().take(10))
        .map(|finding| finding.rule.id().to_owned())
        .collect();
    fields.maybe(
        "findings",
        (!rules.is_empty()).then(|| rules.join(",")).as_deref(),
    );
    fields
}

/// The line of Postfix about a recipient, `from` and `security` added where readers of its lines skip
/// them.
fn recipient(event: &Event) -> Line {
    let Event::Recipient {
        message,
        sender,
        recipient,
        outcome,
        security,
        relay,
        reply,
        delay,
        next,
    } = event
    else {
        return single(event).finish(Form::Text);
    };
    let mut text = format!("{message}: to=<{}>", address(recipient));
    // Writing to a String does not fail.
    let _ = write!(text, ", from=<{}>", address(sender));
    let _ = write!(
        text,
        ", relay={}",
        relay.as_deref().map_or_else(
            || "none".to_owned(),
            |relay| excerpt(relay.as_bytes(), LONGEST_ADDRESS)
        )
    );
    let _ = write!(text, ", delay={}", seconds(*delay));
    if let Some(security) = security {
        let _ = write!(text, ", security={}", security.word());
    }
    if let Some(next) = next {
        let _ = write!(text, ", next={}", moment(*next));
    }
    let status = match outcome {
        Outcome::Delivered => "sent",
        Outcome::Deferred => "deferred",
        Outcome::Bounced => "bounced",
    };
    let _ = write!(
        text,
        ", dsn={}, status={status} ({})",
        enhanced(*outcome, reply.as_deref()),
        reply.as_deref().map_or_else(
            || "no reply".to_owned(),
            |reply| excerpt(reply.as_bytes(), LONGEST)
        )
    );
    Line {
        severity: Severity::Info,
        text,
        form: Form::Text,
    }
}

/// The enhanced status of a reply (RFC 3463), or what its outcome comes to without one.
fn enhanced(outcome: Outcome, reply: Option<&str>) -> String {
    let own = reply.and_then(|reply| {
        let word = reply.split(' ').nth(1)?;
        let parts: Vec<&str> = word.split('.').collect();
        let digits = |part: &&str| {
            (1..=3).contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_digit())
        };
        (parts.len() == 3 && parts.iter().all(digits)).then(|| word.to_owned())
    });
    own.unwrap_or_else(|| {
        match outcome {
            Outcome::Delivered => "2.0.0",
            Outcome::Deferred => "4.0.0",
            Outcome::Bounced => "5.0.0",
        }
        .to_owned()
    })
}

/// An address between angle brackets: what would end it, or the line, is escaped.
fn address(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in excerpt(text.as_bytes(), LONGEST_ADDRESS).chars() {
        match character {
            '<' => out.push_str("\\u{3c}"),
            '>' => out.push_str("\\u{3e}"),
            other => out.push(other),
        }
    }
    out
}

fn seconds(span: Duration) -> String {
    format!("{:.2}", span.as_secs_f64())
}

/// A moment as RFC 3339 in UTC, to the second.
#[must_use]
pub fn moment(moment: Moment) -> String {
    jiff::Timestamp::from_second(moment.seconds())
        .map_or_else(|_| moment.0.to_string(), |time| time.to_string())
}

/// A line as it is made: a word for what happened, then keys and values.
struct Fields {
    severity: Severity,
    event: &'static str,
    fields: Vec<(&'static str, Value)>,
}

impl Fields {
    const fn new(severity: Severity, event: &'static str) -> Self {
        Self {
            severity,
            event,
            fields: Vec::new(),
        }
    }

    fn of(severity: Severity, event: &'static str, id: elsinore_queue::id::MessageId) -> Self {
        let mut fields = Self::new(severity, event);
        fields.word("id", &id.to_string());
        fields
    }

    /// A word of our own.
    fn word(&mut self, key: &'static str, word: &str) {
        self.fields.push((key, Value::String(word.to_owned())));
    }

    /// Text of a stranger.
    fn text(&mut self, key: &'static str, text: &str) {
        self.fields
            .push((key, Value::String(excerpt(text.as_bytes(), LONGEST))));
    }

    fn address(&mut self, key: &'static str, text: &str) {
        self.fields
            .push((key, Value::String(format!("<{}>", address(text)))));
    }

    fn maybe(&mut self, key: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    fn number(&mut self, key: &'static str, number: impl TryInto<u64>) {
        let number = number.try_into().unwrap_or(u64::MAX);
        self.fields.push((key, Value::from(number)));
    }

    fn seconds(&mut self, key: &'static str, span: Duration) {
        let hundredths = (span.as_secs_f64() * 100.0).round() / 100.0;
        self.fields.push((key, Value::from(hundredths)));
    }

    fn finish(self, form: Form) -> Line {
        let text = match form {
            Form::Json => {
                let mut object = Map::new();
                object.insert("event".to_owned(), Value::from(self.event));
                object.insert("severity".to_owned(), Value::from(word(self.severity)));
                for (key, value) in self.fields {
                    object.insert(key.to_owned(), value);
                }
                Value::Object(object).to_string()
            }
            Form::Text => {
                let mut text = String::new();
                let mut fields = self.fields.into_iter().peekable();
                // As Postfix: first of all the message that it is about.
                if let Some((_, Value::String(id))) = fields.next_if(|(key, _)| *key == "id") {
                    text.push_str(&id);
                    text.push_str(": ");
                }
                text.push_str(self.event);
                for (key, value) in fields {
                    // Writing to a String does not fail.
                    let _ = match value {
                        Value::String(value) => write!(text, " {key}={}", quoted(&value)),
                        other => write!(text, " {key}={other}"),
                    };
                }
                text
            }
        };
        Line {
            severity: self.severity,
            text,
            form,
        }
    }
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// A value behind `key=`: in quotation marks when it would not be one word.
fn quoted(value: &str) -> String {
    let plain = |octet: u8| !matches!(octet, b' ' | b'"' | b'=' | b'\\');
    if !value.is_empty() && value.bytes().all(plain) {
        return value.to_owned();
    }
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
    out
}
