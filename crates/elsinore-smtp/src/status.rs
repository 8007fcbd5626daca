//! Enhanced status codes and the classes of replies (RFC 3463, RFC 2034, RFC 5248, RFC 5321 §4.2).

use std::fmt;
use std::str::FromStr;

/// What a reply or a status code says of the future: RFC 3463 §3.1, RFC 5321 §4.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusClass {
    /// 2: done.
    Success,
    /// 4: not now; the same attempt may succeed later.
    Temporary,
    /// 5: not ever; repeating the attempt unchanged is pointless.
    Permanent,
}

impl StatusClass {
    /// The first digit: 2, 4 or 5.
    #[must_use]
    pub const fn digit(self) -> u8 {
        match self {
            Self::Success => 2,
            Self::Temporary => 4,
            Self::Permanent => 5,
        }
    }

    /// The class with that digit; 3 and others have none.
    #[must_use]
    pub const fn from_digit(digit: u8) -> Option<Self> {
        match digit {
            2 => Some(Self::Success),
            4 => Some(Self::Temporary),
            5 => Some(Self::Permanent),
            _ => None,
        }
    }
}

/// An enhanced status code, `class.subject.detail` (RFC 3463 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnhancedStatus {
    /// Success, temporary or permanent.
    pub class: StatusClass,
    /// What the status is about (1 addressing, 2 mailbox, 3 mail system, 4 network, 5 protocol,
    /// 6 content, 7 security), 0 to 999.
    pub subject: u16,
    /// The detail, 0 to 999; the IANA registry of RFC 5248 lists them.
    pub detail: u16,
}

impl EnhancedStatus {
    /// A temporary code.
    #[must_use]
    pub const fn temporary(subject: u16, detail: u16) -> Self {
        Self {
            class: StatusClass::Temporary,
            subject,
            detail,
        }
    }

    /// A permanent code.
    #[must_use]
    pub const fn permanent(subject: u16, detail: u16) -> Self {
        Self {
            class: StatusClass::Permanent,
            subject,
            detail,
        }
    }

    /// The same subject and detail with another class.
    #[must_use]
    pub const fn with_class(self, class: StatusClass) -> Self {
        Self { class, ..self }
    }

    /// The least wrong code for a reply that came without one (RFC 3463 §2: subject and detail 0
    /// are "other or undefined"; RFC 5248 §2 lists the basic codes each may stand beside).
    /// `None` for a reply code that is neither 2yz, 4yz nor 5yz.
    #[must_use]
    pub const fn default_for(reply_code: u16) -> Option<Self> {
        let Some(class) = StatusClass::from_digit((reply_code / 100) as u8) else {
            return None;
        };
        let (subject, detail) = match reply_code {
            221 | 421 => (3, 2),
            250 | 251 | 551 => (1, 0),
            450 | 550 => (2, 0),
            451 => (3, 0),
            452 | 552 => (3, 1),
            454 | 530 | 534 | 535 | 538 => (7, 0),
            500 | 502 => (5, 1),
            501 | 504 => (5, 4),
            503 => (5, 1),
            553 => (1, 3),
            521 | 554 => (3, 0),
            555 => (5, 4),
            _ => (0, 0),
        };
        Some(Self {
            class,
            subject,
            detail,
        })
    }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class.digit(), self.subject, self.detail)
    }
}

/// The text is not an enhanced status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an enhanced status code")]
pub struct NotAStatus;

impl FromStr for EnhancedStatus {
    type Err = NotAStatus;

    /// Parses `2.1.5`: class 2, 4 or 5, then two numbers of one to three digits without leading
    /// zeroes (RFC 2034 §4).
    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        let mut fields = text.split('.');
        let (Some(class), Some(subject), Some(detail), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(NotAStatus);
        };
        let number = |field: &str| -> Result<u16, NotAStatus> {
            let plain = matches!(field.len(), 1..=3)
                && field.bytes().all(|octet| octet.is_ascii_digit())
                && (field.len() == 1 || !field.starts_with('0'));
            if !plain {
                return Err(NotAStatus);
            }
            field.parse().map_err(|_| NotAStatus)
        };
        let class = match class {
            "2" => StatusClass::Success,
            "4" => StatusClass::Temporary,
            "5" => StatusClass::Permanent,
            _ => return Err(NotAStatus),
        };
        Ok(Self {
            class,
            subject: number(subject)?,
            detail: number(detail)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_and_print() {
        for text in ["2.1.5", "4.7.0", "5.7.30", "5.999.999"] {
            let status: EnhancedStatus = text.parse().unwrap();
            assert_eq!(status.to_string(), text);
        }
        for text in [
            "", "2", "2.1", "2.1.5.1", "3.1.5", "2.01.5", "2.1.1000", "2.+1.5", "2..5", "2.1.5 ",
        ] {
            assert_eq!(text.parse::<EnhancedStatus>(), Err(NotAStatus), "{text:?}");
        }
    }

    #[test]
    fn every_code_with_a_class_has_a_default() {
        for code in 0..1000 {
            let expected = StatusClass::from_digit(u8::try_from(code / 100).unwrap());
            let status = EnhancedStatus::default_for(code);
            assert_eq!(status.map(|status| status.class), expected, "{code}");
        }
        assert_eq!(
            EnhancedStatus::default_for(552).unwrap().to_string(),
            "5.3.1"
        );
    }
}
