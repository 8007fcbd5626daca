//! What happens, step by step.

use super::lines::Lines;
use super::record::Defaults;
use super::{Entry, Fault, fault, keyword, parse_address};
use std::net::IpAddr;

/// What happens in a step.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Nothing.
    Nothing,
    /// A client asks.
    Query(Entry),
    /// An answer to a client is compared.
    CheckAnswer(Entry),
    /// A question of the resolver is compared, and answered where the entry copies its identifier.
    CheckOutQuery(Entry),
    /// The last question of the resolver is answered.
    Reply(Entry),
    /// The last question of the resolver is never answered.
    Timeout,
    /// The last question of the resolver ends in an error of the network.
    Error,
    /// The time moves on by a number of seconds, an expression.
    TimePasses(String),
    /// What is under way is waited for.
    Traffic,
    /// A variable is set to the value of an expression.
    Assign {
        /// The variable.
        variable: String,
        /// The expression.
        value: String,
    },
    /// Something that only the server it was written for can do.
    Foreign(&'static str),
}

/// One step.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The line it stands on, from 1.
    pub(crate) line: usize,
    /// Its number; ranges are named by it.
    pub(crate) number: u32,
    /// The client that asks, or the server that is asked.
    pub(crate) address: Option<IpAddr>,
    /// What happens.
    pub(crate) event: Event,
}

/// Reads what follows `STEP`.
pub(super) fn read(
    lines: &mut Lines<'_>,
    rest: &str,
    defaults: &mut Defaults,
) -> Result<Step, Fault> {
    let line = lines.number();
    let (number, rest) = keyword(rest);
    let number = number
        .parse()
        .map_err(|_| fault(line, format!("{number:?} is no step number")))?;
    let (kind, rest) = keyword(rest);
    let (mut rest, mut address) = (rest, None);
    if let Some(text) = rest.strip_prefix("ADDRESS") {
        let (text, after) = keyword(text.trim());
        address = Some(parse_address(text, line)?);
        rest = after;
    }
    let event = match kind {
        "NOTHING" => Event::Nothing,
        "QUERY" => Event::Query(entry(lines, defaults)?),
        "CHECK_ANSWER" => Event::CheckAnswer(entry(lines, defaults)?),
        "CHECK_OUT_QUERY" => Event::CheckOutQuery(entry(lines, defaults)?),
        "REPLY" => Event::Reply(entry(lines, defaults)?),
        "TIMEOUT" => Event::Timeout,
        "ERROR" => Event::Error,
        "TIME_PASSES" => Event::TimePasses(elapse(rest, line)?),
        "TRAFFIC" => Event::Traffic,
        "ASSIGN" => assign(rest, line)?,
        "CHECK_AUTOTRUST" => {
            content(lines)?;
            Event::Foreign("CHECK_AUTOTRUST compares a file that Unbound writes")
        }
        "CHECK_TEMPFILE" => {
            content(lines)?;
            Event::Foreign("CHECK_TEMPFILE compares a file that Unbound writes")
        }
        "INFRA_RTT" => Event::Foreign("INFRA_RTT sets a round-trip time in Unbound's own cache"),
        "FLUSH_MESSAGE" => Event::Foreign("FLUSH_MESSAGE acts on Unbound's own message cache"),
        "EXPIRE_MESSAGE" => Event::Foreign("EXPIRE_MESSAGE acts on Unbound's own message cache"),
        other => return Err(fault(line, format!("step {other:?} is not supported"))),
    };
    Ok(Step {
        line,
        number,
        address,
        event,
    })
}

fn entry(lines: &mut Lines<'_>, defaults: &mut Defaults) -> Result<Entry, Fault> {
    let (number, text) = lines.next_required("ENTRY_BEGIN")?;
    if keyword(text).0 != "ENTRY_BEGIN" {
        return Err(fault(number, "ENTRY_BEGIN expected"));
    }
    Entry::read(lines, defaults)
}

fn elapse(rest: &str, line: usize) -> Result<String, Fault> {
    match rest.split_once(char::is_whitespace) {
        Some(("ELAPSE" | "EVAL", value)) => Ok(value.trim().to_owned()),
        _ => Err(fault(line, "TIME_PASSES wants ELAPSE or EVAL")),
    }
}

fn assign(rest: &str, line: usize) -> Result<Event, Fault> {
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    let (variable, value) = rest.split_at(end);
    if variable.is_empty() {
        return Err(fault(line, "ASSIGN wants a variable"));
    }
    let value = value.trim_start();
    let value = value.strip_prefix('=').unwrap_or(value);
    Ok(Event::Assign {
        variable: variable.to_owned(),
        value: value.trim().to_owned(),
    })
}

/// Passes by the contents of a file.
fn content(lines: &mut Lines<'_>) -> Result<(), Fault> {
    let (number, text) = lines.next_required("FILE_BEGIN")?;
    if keyword(text).0 != "FILE_BEGIN" {
        return Err(fault(number, "FILE_BEGIN expected"));
    }
    lines.block("FILE_END").map(|_| ())
}
