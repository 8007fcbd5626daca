//! Every rule that a finding can name, with its RFC and section.

/// Where a rule is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Citation {
    /// RFC number.
    pub rfc: u16,
    /// Section, such as `2.2.1`.
    pub section: &'static str,
}

/// One rule of the decision, of the session or of verification.
///
/// The identifier (`Rule::id`) is stable: it stands in JSON, in logs and in `elsinore explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// The TLSA RRset holds usable records: the session must be authenticated by DANE.
    TlsaUsable,
    /// TLSA records exist, none is usable: TLS is required, unauthenticated.
    TlsaUnusable,
}

impl Rule {
    /// The stable identifier, upper case with hyphens.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::TlsaUsable => "TLSA-USABLE",
            Self::TlsaUnusable => "TLSA-UNUSABLE",
        }
    }

    /// The RFC section that decides.
    #[must_use]
    pub const fn citation(self) -> Citation {
        match self {
            Self::TlsaUsable | Self::TlsaUnusable => Citation {
                rfc: 7672,
                section: "2.2",
            },
        }
    }
}
