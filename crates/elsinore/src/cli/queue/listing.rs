//! The queue for people, in 80 columns.

use crate::output::{self, printable};
use elsinore_queue::moment::Moment;
use elsinore_queue::sqlite::{FsckReport, IndexState};
use elsinore_relay::admin::shape::{Fullness, Job};
use std::fmt::Write as _;

/// Columns of a terminal.
const COLUMNS: usize = 80;
/// Recipients that a list names; the others are counted.
const RECIPIENTS: usize = 3;

/// One job of a list: what and where to, from whom to whom, what came of it last.
pub(super) fn job(job: &Job, now: Moment) -> String {
    let mut text = format!(
        "{}  {}  {}, {}, {}\n",
        job.id,
        printable(&job.destination),
        size(job.octets),
        age(&job.arrived, now),
        state(job, now)
    );
    let named = job.recipients.iter().take(RECIPIENTS);
    let mut to: Vec<String> = named.map(|address| printable(address)).collect();
    if job.recipients.len() > RECIPIENTS {
        to.push(format!("{} more", job.recipients.len() - RECIPIENTS));
    }
    let line = format!("  from <{}> to {}", printable(&job.sender), to.join(", "));
    push_wrapped(&mut text, &line);
    if let Some(last) = &job.last {
        let host = (last.mx_host.as_ref())
            .map_or_else(String::new, |host| format!("{}: ", printable(host)));
        push_wrapped(&mut text, &format!("  {host}{}", printable(&last.reply)));
    }
    text
}

/// Everything about a job.
pub(super) fn whole(job: &Job, now: Moment) -> String {
    let mut text = format!("{} to {}\n", job.id, printable(&job.destination));
    let mut line = |key: &str, value: &str| {
        push_hanging(&mut text, &format!("  {key:<12}{value}"), 14);
    };
    line("state", &state(job, now));
    line("sender", &format!("<{}>", printable(&job.sender)));
    line("origin", &printable(&job.origin));
    line(
        "arrived",
        &format!("{} ({})", job.arrived, age(&job.arrived, now)),
    );
    line("size", &size(job.octets));
    line("due", &job.due);
    line("attempts", &job.attempts.to_string());
    if let Some(warned) = &job.warned {
        line("warned", warned);
    }
    for recipient in &job.recipients {
        line("recipient", &printable(recipient));
    }
    if let Some(last) = &job.last {
        line("last try", &last.at);
        if let Some(host) = &last.mx_host {
            line("mail server", &printable(host));
        }
        line("reply", &printable(&last.reply));
        for finding in &last.findings {
            line("finding", &printable(finding));
        }
    }
    text
}

/// A message's header; line by line made fit for a terminal.
pub(super) fn header(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let mut out = String::new();
    for line in text.lines() {
        out.push_str("  ");
        out.push_str(&printable(&line.replace('\t', " ")));
        out.push('\n');
    }
    out
}

/// How many were listed.
pub(super) fn total(count: u64, is_more: bool) -> String {
    match (count, is_more) {
        (0, _) => "nothing waits\n".to_owned(),
        (1, false) => "1 job\n".to_owned(),
        (count, false) => format!("{count} jobs\n"),
        (count, true) => format!("{count} jobs, and there are more\n"),
    }
}

/// How full the queue is.
pub(super) fn stats(stats: &Fullness, now: Moment) -> String {
    let mut text = String::new();
    for (what, value) in [
        ("messages", stats.messages.to_string()),
        ("jobs", stats.jobs.to_string()),
        ("due", stats.due.to_string()),
        ("under way", stats.leased.to_string()),
        ("held", stats.held.to_string()),
        ("content", size(stats.octets)),
    ] {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{what:<12}{value:>12}");
    }
    if let Some(oldest) = &stats.oldest {
        let _ = writeln!(text, "{:<12}{:>12}", "oldest", age(oldest, now));
    }
    if !stats.destinations.is_empty() {
        text.push_str("\n    jobs  oldest   destination\n");
    }
    for one in &stats.destinations {
        let oldest = (one.oldest.as_ref()).map_or_else(String::new, |oldest| age(oldest, now));
        let name = printable(&one.destination);
        let _ = writeln!(text, "{:>8}  {oldest:<7}  {name}", one.jobs);
    }
    text
}

/// What a check of the store found and mended.
pub(super) fn fsck(report: &FsckReport) -> String {
    let index = match &report.index {
        IndexState::Intact => "intact".to_owned(),
        IndexState::Damaged(why) => format!("damaged: {}", printable(why)),
        IndexState::Missing => "missing".to_owned(),
    };
    let mut text = format!("index       {index}\n");
    // Writing to a String does not fail.
    let _ = writeln!(
        text,
        "segments    {} with {} records",
        report.segments, report.records
    );
    let _ = writeln!(
        text,
        "messages    {}, of which {} are whole",
        report.messages, report.whole
    );
    for id in &report.lost {
        let _ = writeln!(text, "  {id}: its octets are damaged or gone");
    }
    for stretch in &report.damaged {
        let _ = writeln!(
            text,
            "  segment {}: no record in {} octets from {} on",
            stretch.segment, stretch.octets, stretch.start
        );
    }
    match &report.mended {
        None if report.is_clean() => text.push_str("nothing to mend\n"),
        None => text.push_str("to mend it: elsinore queue fsck --rebuild\n"),
        Some(mended) => {
            if mended.rebuilt {
                let _ = writeln!(
                    text,
                    "made the index anew: {} messages taken in; {} messages may be sent twice;\n\
                     attempts, holds and warnings since they arrived are lost",
                    mended.messages, mended.maybe_twice
                );
            }
            let _ = writeln!(
                text,
                "{} jobs held for their message is damaged, {} stretches put into quarantine",
                mended.held, mended.set_aside
            );
        }
    }
    text
}

/// What a job waits for.
fn state(job: &Job, now: Moment) -> String {
    let tries = match job.attempts {
        0 => String::new(),
        1 => " after 1 try".to_owned(),
        count => format!(" after {count} tries"),
    };
    match (job.leased, &job.held) {
        // Held while it was being tried: no second try.
        (true, Some(why)) => return format!("under way{tries}, then held: {}", printable(why)),
        (true, None) => return format!("under way{tries}"),
        (false, Some(why)) => return format!("held{tries}: {}", printable(why)),
        (false, None) => {}
    }
    match seconds(&job.due).map(|due| due - now.seconds()) {
        Some(left) if left > 0 => format!("next in {}{tries}", span(left)),
        Some(_) | None => format!("due now{tries}"),
    }
}

fn seconds(written: &str) -> Option<i64> {
    let moment: jiff::Timestamp = written.parse().ok()?;
    Some(moment.as_second())
}

/// How old something is, in one unit.
fn age(written: &str, now: Moment) -> String {
    seconds(written).map_or_else(String::new, |then| span(now.seconds() - then))
}

/// A span of time in one unit.
fn span(seconds: i64) -> String {
    match seconds {
        ..0 => "0 s".to_owned(),
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A size in one unit, as people say it.
fn size(octets: u64) -> String {
    match octets {
        0..10_240 => format!("{octets} B"),
        10_240..10_485_760 => format!("{} KiB", octets >> 10),
        10_485_760..10_737_418_240 => format!("{} MiB", octets >> 20),
        _ => format!("{} GiB", octets >> 30),
    }
}

fn push_wrapped(text: &mut String, line: &str) {
    push_hanging(text, line, 4);
}

/// One line, broken to fit a terminal if stdout is one.
fn push_hanging(text: &mut String, line: &str, hanging: usize) {
    let width = output::width().map(|width| width.min(COLUMNS));
    text.push_str(&output::hanging(line, width, hanging));
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes_have_one_unit() {
        for (seconds, text) in [
            (-5, "0 s"),
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(span(seconds), text);
        }
        for (octets, text) in [
            (0, "0 B"),
            (10_239, "10239 B"),
            (10_240, "10 KiB"),
            (10_485_760, "10 MiB"),
            (10_737_418_240, "10 GiB"),
        ] {
            assert_eq!(size(octets), text);
        }
    }
}
