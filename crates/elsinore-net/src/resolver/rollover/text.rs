//! The state file: lines of text that an operator can read, under a digest that shows damage.

use super::state::{KeyState, RootAnchors, TrackedKey};
use crate::resolver::anchors::TrustAnchors;
use elsinore_dane::time::UnixTime;
use std::fmt::Write as _;

/// First line of the file, without the version.
const MAGIC: &str = "elsinore root anchors ";
const VERSION: &str = "1";
const NOTE: &str = "# Kept by elsinore (RFC 5011). Remove the file to start from the shipped keys.";

/// Why a text is not a state to go on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Written by another version: to be left alone.
    Version,
    /// Learnt from other shipped keys: to be replaced.
    OtherStart,
    /// Incomplete or changed; the text says where.
    Damaged(String),
}

/// The file for `anchors`, learnt from the shipped anchors of fingerprint `start`.
pub(super) fn encode(anchors: &RootAnchors, start: &str) -> String {
    let mut rest = format!("{NOTE}\nstart {start}\n");
    for (word, time) in [
        ("checked", anchors.checked),
        ("attempted", anchors.attempted),
        ("next", Some(anchors.next_query)),
    ] {
        if let Some(time) = time {
            // Writing to a String cannot fail, here and below.
            let _ = writeln!(rest, "{word} {}", date(time));
        }
    }
    let _ = writeln!(rest, "retry {}", anchors.retry);
    for key in &anchors.keys {
        let _ = writeln!(
            rest,
            "key {} {} {} {}",
            key.state,
            date(key.since),
            key.hold_down,
            key.anchor
        );
        for (tag, algorithm) in &key.vouchers {
            let _ = writeln!(rest, "voucher {tag} {algorithm}");
        }
    }
    format!("{MAGIC}{VERSION}\nsha256 {}\n{rest}", digest(&rest))
}

/// Reads what [`encode`] wrote; `starts` are the fingerprints of the anchors that are or were
/// shipped.
pub(super) fn decode(text: &str, starts: &[String]) -> Result<RootAnchors, Unreadable> {
    let damaged = |text: &str| Unreadable::Damaged(text.to_owned());
    let (first, rest) = text
        .split_once('\n')
        .ok_or_else(|| damaged("it is cut off"))?;
    let version = first
        .strip_prefix(MAGIC)
        .ok_or_else(|| damaged("the first line is not that of a state file"))?;
    if version != VERSION {
        return Err(Unreadable::Version);
    }
    let (second, rest) = rest
        .split_once('\n')
        .ok_or_else(|| damaged("it is cut off"))?;
    if second.strip_prefix("sha256 ") != Some(&digest(rest)) {
        return Err(damaged("the digest does not match"));
    }
    let mut anchors = RootAnchors {
        keys: Vec::new(),
        checked: None,
        attempted: None,
        next_query: UnixTime(0),
        retry: 0,
    };
    let mut started = false;
    for (index, line) in rest.lines().enumerate() {
        let wrong = || damaged(&format!("line {} does not parse", index + 3));
        let (word, value) = line.split_once(' ').ok_or_else(wrong)?;
        match word {
            "#" => {}
            "start" if starts.iter().any(|start| start == value) => started = true,
            "start" => return Err(Unreadable::OtherStart),
            "checked" => anchors.checked = Some(time(value).ok_or_else(wrong)?),
            "attempted" => anchors.attempted = Some(time(value).ok_or_else(wrong)?),
            "next" => anchors.next_query = time(value).ok_or_else(wrong)?,
            "retry" => anchors.retry = seconds(value).ok_or_else(wrong)?,
            "key" => anchors.keys.push(key(value).ok_or_else(wrong)?),
            // Of the key above it.
            "voucher" => {
                let key = anchors.keys.last_mut().ok_or_else(wrong)?;
                key.vouchers.push(voucher(value).ok_or_else(wrong)?);
            }
            _ => return Err(wrong()),
        }
    }
    if !started || anchors.keys.is_empty() || anchors.retry == 0 {
        return Err(damaged("it is incomplete"));
    }
    Ok(anchors)
}

fn key(text: &str) -> Option<TrackedKey> {
    let mut words = text.splitn(4, ' ');
    let state = words.next()?;
    let since = time(words.next()?)?;
    let hold_down = seconds(words.next()?)?;
    let record = TrustAnchors::parse(words.next()?).ok()?;
    let [anchor] = record.root() else {
        return None;
    };
    Some(TrackedKey {
        anchor: anchor.clone(),
        state: KeyState::ALL
            .into_iter()
            .find(|known| known.word() == state)?,
        since,
        hold_down,
        vouchers: Vec::new(),
    })
}

fn voucher(text: &str) -> Option<(u16, u8)> {
    let (tag, algorithm) = text.split_once(' ')?;
    Some((tag.parse().ok()?, algorithm.parse().ok()?))
}

/// `2026-11-22T08:00:00Z`.
fn date(time: UnixTime) -> String {
    // Times beyond the year 9999 come from a clock that is wrong by more than that.
    jiff::Timestamp::from_second(time.0)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

fn time(text: &str) -> Option<UnixTime> {
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    Some(UnixTime(timestamp.as_second()))
}

fn seconds(text: &str) -> Option<i64> {
    let seconds: u32 = text.parse().ok()?;
    Some(i64::from(seconds))
}

fn digest(text: &str) -> String {
    crate::resolver::anchors::hex_text(&openssl::sha::sha256(text.as_bytes()))
}
