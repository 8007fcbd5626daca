//! What was noticed on the way to a decision. Findings are results, not errors: malformed data
//! from outside is always one of these.

use crate::rule::Rule;

/// One observation: which rule, about what, on which evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that was applied or broken.
    pub rule: Rule,
    /// What it is about: a name, an address, a record.
    pub subject: String,
    /// The evidence in one line; text of strangers is quoted and bounded in length.
    pub evidence: String,
}

impl Finding {
    /// A finding; `subject` and `evidence` are one line each.
    pub fn new(rule: Rule, subject: impl Into<String>, evidence: impl Into<String>) -> Self {
        Self {
            rule,
            subject: subject.into(),
            evidence: evidence.into(),
        }
    }
}
