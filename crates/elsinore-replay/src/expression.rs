//! The arithmetic of the format: `${…}` in texts is replaced by its value.

use std::collections::HashMap;

/// Expressions within expressions, at most.
const DEEPEST: usize = 16;

/// What expressions refer to.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    values: HashMap<String, String>,
}

impl Variables {
    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.values.insert(name.to_owned(), value);
    }

    /// Replaces every `${…}` of `text`. `now` is the time of the scenario in seconds.
    ///
    /// # Errors
    /// A sentence about what is not understood.
    pub(crate) fn expand(&self, text: &str, now: f64) -> Result<String, String> {
        self.expand_at(text, now, 0)
    }

    /// The number that `text` stands for: the value of what it expands to.
    ///
    /// # Errors
    /// A sentence about what is not understood.
    pub(crate) fn number(&self, text: &str, now: f64) -> Result<f64, String> {
        number(&self.expand(text, now)?)
    }

    fn expand_at(&self, text: &str, now: f64, depth: usize) -> Result<String, String> {
        if depth > DEEPEST {
            return Err("expressions within expressions, too deep".to_owned());
        }
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(begin) = rest.find("${") {
            expanded.push_str(&rest[..begin]);
            let inner = &rest[begin + 2..];
            let end = closing(inner).ok_or_else(|| format!("{text:?}: no closing brace"))?;
            let within = self.expand_at(&inner[..end], now, depth + 1)?;
            expanded.push_str(&self.value(within.trim(), now)?);
            rest = &inner[end + 1..];
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn value(&self, text: &str, now: f64) -> Result<String, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["time"] => Ok(shown(now)),
            ["ctime", rest @ ..] => {
                let seconds = self.arithmetic(&rest.join(" "))?;
                ctime(seconds).ok_or_else(|| format!("{text:?}: no such time"))
            }
            ["timeout"] => Err("${timeout}: the timers here are the resolver's own".to_owned()),
            ["range", low, value, high] => {
                let at = self.arithmetic(value)?;
                if self.arithmetic(low)? <= at && at <= self.arithmetic(high)? {
                    Ok((*value).to_owned())
                } else {
                    Err(format!("{value} is not between {low} and {high}"))
                }
            }
            _ => self.arithmetic(text).map(shown),
        }
    }

    /// Numbers and `$variables` joined by `+ - * /`, from left to right without precedence.
    fn arithmetic(&self, text: &str) -> Result<f64, String> {
        let mut total: Option<f64> = None;
        let mut operator = '+';
        let mut rest = text.trim();
        loop {
            let end = rest
                .char_indices()
                .find(|(at, c)| *at > 0 && matches!(c, '+' | '-' | '*' | '/'))
                .map_or(rest.len(), |(at, _)| at);
            let operand = self.operand(rest[..end].trim())?;
            total = Some(match (total, operator) {
                (None, _) => operand,
                (Some(total), '+') => total + operand,
                (Some(total), '-') => total - operand,
                (Some(total), '*') => total * operand,
                (Some(total), _) => total / operand,
            });
            match rest[end..].chars().next() {
                Some(next) => {
                    operator = next;
                    rest = rest[end + 1..].trim_start();
                }
                None => return Ok(total.unwrap_or(0.0)),
            }
        }
    }

    fn operand(&self, text: &str) -> Result<f64, String> {
        match text.strip_prefix('$') {
            Some(name) => {
                let value = self.values.get(name);
                number(value.ok_or_else(|| format!("no variable {name:?}"))?)
            }
            None => number(text),
        }
    }
}

/// Where the brace that was opened before `text` is closed.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

fn number(text: &str) -> Result<f64, String> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("{text:?} is no number")),
    }
}

/// A whole number without a fraction.
fn shown(value: f64) -> String {
    value.to_string()
}

/// A time as `ctime(3)` writes it, in UTC: `Sat Oct  3 12:00:00 2009`.
fn ctime(seconds: f64) -> Option<String> {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    if !(0.0..4.0e11).contains(&seconds) {
        return None;
    }
    let seconds = seconds as u64;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    Some(format!(
        "{} {} {day:2} {:02}:{:02}:{:02} {year}",
        DAYS[(days % 7) as usize],
        MONTHS[month],
        second / 3600,
        second / 60 % 60,
        second % 60,
    ))
}

/// Year, month (from 0) and day (from 1) of a number of days since 1970.
fn civil(mut days: u64) -> (u64, usize, u64) {
    let is_leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    loop {
        let length = 365 + u64::from(is_leap(year));
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    for (month, length) in lengths.into_iter().enumerate() {
        if days < length {
            return (year, month, days + 1);
        }
        days -= length;
    }
    (year, 11, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let mut variables = Variables::default();
        variables.set("a", "3600".to_owned());
        for (text, expected) in [
            ("plain", Ok("plain")),
            ("${2 + 3 * 4}", Ok("20")),
            ("${2 + ${3 * 4}}", Ok("14")),
            ("x${$a + 1}y", Ok("x3601y")),
            ("${time}", Ok("1000")),
            ("${$a - -1}", Ok("3601")),
            ("${ctime 1254571200}", Ok("Sat Oct  3 12:00:00 2009")),
            ("${ctime 1709208000}", Ok("Thu Feb 29 12:00:00 2024")),
            ("${range 1 2 3}", Ok("2")),
            ("${range 1 4 3}", Err("4 is not between 1 and 3")),
            ("${$b}", Err("no variable \"b\"")),
            ("${1", Err("\"${1\": no closing brace")),
            ("${é + 1}", Err("\"é\" is no number")),
            ("${x}", Err("\"x\" is no number")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(variables.expand(text, 1000.0), expected, "{text}");
        }
    }
}
