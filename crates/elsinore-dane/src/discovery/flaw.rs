//! Engines broken on purpose, one rule each. The property tests must catch every one of them;
//! without the feature `flaws` none of this is compiled into anything.

/// One rule, broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    not(feature = "flaws"),
    allow(unreachable_pub, reason = "public with the feature only")
)]
pub enum Flaw {
    /// A failed MX lookup counts as "no MX records".
    MxFailureIsAbsence,
    /// The security of alias links before the MX RRset is not looked at.
    MxAliasesUnchecked,
    /// Hosts found through an insecure MX RRset are reported like others.
    InsecureMxIsVerified,
    /// Under an insecure MX the next-hop domain is a reference identifier.
    NextHopNameUnderInsecureMx,
    /// A failed TLSA lookup counts as "no TLSA records".
    TlsaFailureIsAbsence,
    /// An insecure TLSA RRset is used.
    InsecureTlsaUsed,
    /// The security of alias links before the TLSA RRset is not looked at.
    TlsaAliasesUnchecked,
    /// An unusable RRset counts as "no TLSA records".
    UnusableIsAbsent,
    /// After a failed lookup at the expanded name the original is tried.
    ExpandedFailureTriesOriginal,
    /// Only the expanded name is a candidate.
    ExpandedOnly,
    /// Only the original name is a candidate.
    OriginalOnly,
    /// An alias with a secure first link and an insecure end has no candidate.
    FirstLinkIgnored,
    /// An alias into signed zones counts as secure whatever its first link.
    LastLinkDecides,
    /// TLSA is asked in unsigned zones, too.
    TlsaAskedInUnsignedZones,
    /// A first link whose zone status is unknown counts as insecure.
    UnknownZoneIsUnsigned,
    /// A failed lookup of one address family fails the host.
    FamiliesShareTheirFate,
    /// Where A and AAAA disagree, A decides.
    FirstFamilyDecides,
    /// A failed lookup of both address families counts as "no address".
    AddressFailureIsAbsence,
    /// A failed `_mta-sts` lookup defers.
    StsFailureDefers,
    /// A cached policy is forgotten when its record cannot be found.
    StsCacheForgotten,
    /// An enforced MTA-STS policy replaces the TLSA records under an insecure MX.
    StsReplacesDane,
    /// A host outside an enforced policy is used opportunistically.
    StsMismatchIgnored,
}

#[cfg(feature = "flaws")]
impl Flaw {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::MxFailureIsAbsence,
        Self::MxAliasesUnchecked,
        Self::InsecureMxIsVerified,
        Self::NextHopNameUnderInsecureMx,
        Self::TlsaFailureIsAbsence,
        Self::InsecureTlsaUsed,
        Self::TlsaAliasesUnchecked,
        Self::UnusableIsAbsent,
        Self::ExpandedFailureTriesOriginal,
        Self::ExpandedOnly,
        Self::OriginalOnly,
        Self::FirstLinkIgnored,
        Self::LastLinkDecides,
        Self::TlsaAskedInUnsignedZones,
        Self::UnknownZoneIsUnsigned,
        Self::FamiliesShareTheirFate,
        Self::FirstFamilyDecides,
        Self::AddressFailureIsAbsence,
        Self::StsFailureDefers,
        Self::StsCacheForgotten,
        Self::StsReplacesDane,
        Self::StsMismatchIgnored,
    ];
}

/// Which rule, if any, is broken. Without the feature `flaws` it has no size and no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flaws {
    #[cfg(feature = "flaws")]
    planted: Option<Flaw>,
}

impl Flaws {
    #[cfg(feature = "flaws")]
    pub(crate) const fn planted(flaw: Flaw) -> Self {
        Self {
            planted: Some(flaw),
        }
    }

    #[cfg(feature = "flaws")]
    pub(crate) fn has(self, flaw: Flaw) -> bool {
        self.planted == Some(flaw)
    }

    #[cfg(not(feature = "flaws"))]
    #[inline]
    #[allow(
        clippy::unused_self,
        reason = "the same call with and without the feature"
    )]
    pub(crate) const fn has(self, _flaw: Flaw) -> bool {
        false
    }
}
