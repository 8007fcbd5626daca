//! Every rule that a finding can name, with its RFC and section, in words for people.

mod catalogue;

pub use catalogue::Rule;

/// Where a rule is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Citation {
    /// RFC number.
    pub rfc: u16,
    /// Section, such as `2.2.1`.
    pub section: &'static str,
}

impl std::fmt::Display for Citation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RFC {} section {}", self.rfc, self.section)
    }
}

impl Rule {
    /// The rule with that identifier, upper or lower case.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::all()
            .iter()
            .copied()
            .find(|rule| rule.id().eq_ignore_ascii_case(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_rule_is_complete_and_found_again() {
        let mut seen = HashSet::new();
        for rule in Rule::all() {
            let id = rule.id();
            assert!(seen.insert(id), "{id} twice");
            assert_eq!(Rule::from_id(&id.to_lowercase()), Some(*rule));
            assert!(
                id.bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-'),
                "{id}"
            );
            let title = rule.title();
            assert!(!title.is_empty() && !title.ends_with('.'), "{id}: {title}");
            let sentences = rule.explanation().matches(". ").count() + 1;
            assert!((2..=6).contains(&sentences), "{id}: {sentences} sentences");
            assert!(rule.explanation().ends_with('.'), "{id}");
            assert!(!rule.example().is_empty(), "{id}");
            let section = rule.citation().section;
            assert!(
                section.split('.').all(|part| !part.is_empty()) && rule.citation().rfc > 0,
                "{id}"
            );
        }
        assert_eq!(Rule::from_id("no-such-rule"), None);
    }
}
