//! The rows of the mapping: when each applies, what Postfix is told, and why. `docs/policyd.md`
//! carries this table; a test compares the two.

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Row {
    /// Every host has usable TLSA records under a secure MX.
    EveryHostDane,
    /// Some do; MTA-STS or the administrator binds the others.
    SomeDaneRestBound,
    /// Some do; the others owe nothing, or encryption alone.
    SomeDane,
    /// Nobody does, and an enforced MTA-STS policy binds the hosts.
    Sts,
    /// TLSA records under an insecure MX, and an enforced policy besides.
    InsecureMxDaneAndSts,
    /// TLSA records under an insecure MX.
    InsecureMxDane,
    /// Every host has TLSA records, none of them usable.
    Unusable,
    /// Some hosts have TLSA records, none of them usable.
    SomeUnusable,
    /// No host is protected, but of one nothing could be found out.
    NotKnown,
    /// Nothing applies.
    Nothing,
    /// Level `verify` of the administrator, where nothing else binds.
    VerifyFloor,
    /// Level `encrypt` of the administrator, where nothing else binds.
    EncryptFloor,
    /// Level `verify` or `encrypt` of the administrator, and of one host nothing could be found out.
    FloorNotKnown,
    /// The administrator's level decides alone.
    Level,
    /// The domain does not exist, takes no mail or has no address, and a stored policy binds it.
    GoneButSts,
    /// The domain does not exist, takes no mail or has no address.
    Gone,
    /// The sender's own rules say: not now.
    Deferred,
    /// The key names no destination.
    NotADestination,
}

impl Row {
    /// Every row, in the order of the document.
    pub const ALL: [Self; 18] = [
        Self::EveryHostDane,
        Self::SomeDaneRestBound,
        Self::SomeDane,
        Self::Sts,
        Self::InsecureMxDaneAndSts,
        Self::InsecureMxDane,
        Self::Unusable,
        Self::SomeUnusable,
        Self::NotKnown,
        Self::Nothing,
        Self::VerifyFloor,
        Self::EncryptFloor,
        Self::FloorNotKnown,
        Self::Level,
        Self::GoneButSts,
        Self::Gone,
        Self::Deferred,
        Self::NotADestination,
    ];

    /// The word in JSON, metrics and tests.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::EveryHostDane => "every-host-dane",
            Self::SomeDaneRestBound => "some-dane-rest-bound",
            Self::SomeDane => "some-dane",
            Self::Sts => "sts",
            Self::InsecureMxDaneAndSts => "insecure-mx-dane-and-sts",
            Self::InsecureMxDane => "insecure-mx-dane",
            Self::Unusable => "unusable",
            Self::SomeUnusable => "some-unusable",
            Self::NotKnown => "not-known",
            Self::Nothing => "nothing",
            Self::VerifyFloor => "verify-floor",
            Self::EncryptFloor => "encrypt-floor",
            Self::FloorNotKnown => "floor-not-known",
            Self::Level => "level",
            Self::GoneButSts => "gone-but-sts",
            Self::Gone => "gone",
            Self::Deferred => "deferred",
            Self::NotADestination => "not-a-destination",
        }
    }

    /// When the row applies.
    #[must_use]
    pub const fn when(self) -> &'static str {
        match self {
            Self::EveryHostDane => {
                "secure MX (or securely none, or `[host]`): every host that can be tried has usable TLSA records"
            }
            Self::SomeDaneRestBound => {
                "secure MX: some hosts have usable TLSA records, the others are bound by an *enforce* policy or by the administrator's level"
            }
            Self::SomeDane => {
                "secure MX: some hosts have usable TLSA records, no *enforce* policy binds the others"
            }
            Self::Sts => "no host has usable TLSA records, and an *enforce* policy binds them",
            Self::InsecureMxDaneAndSts => {
                "insecure MX: hosts with usable TLSA records, and an *enforce* policy"
            }
            Self::InsecureMxDane => {
                "insecure MX: hosts with usable TLSA records, no *enforce* policy"
            }
            Self::Unusable => {
                "every host has TLSA records, none of them usable; nothing else binds"
            }
            Self::SomeUnusable => {
                "some hosts have TLSA records, none of them usable; nothing else binds"
            }
            Self::NotKnown => {
                "no host is protected, but for one the addresses, the TLSA records or the state of the zone could not be found out"
            }
            Self::Nothing => "nothing applies, or the destination is an address",
            Self::VerifyFloor => {
                "`level = \"verify\"` as a minimum, no usable TLSA records under a secure MX and no *enforce* policy"
            }
            Self::EncryptFloor => {
                "`level = \"encrypt\"` as a minimum, and neither TLSA records under a secure MX nor an *enforce* policy binds"
            }
            Self::FloorNotKnown => "either of these two, and one host could not be judged",
            Self::Level => {
                "the administrator's level decides alone: `mode = \"exact\"` of `none`, `may`, `encrypt`, `verify`; always `dane-only`, `secure`, `fingerprint`, and `verify` with names of the administrator's"
            }
            Self::GoneButSts => {
                "our DNS says that the domain does not exist or takes no mail, Postfix' DNS has a host, and a stored *enforce* policy is in force"
            }
            Self::Gone => "our DNS says that the domain does not exist or takes no mail",
            Self::Deferred => {
                "the MX lookup failed or is bogus, no host can be tried now, or the policy lists none of them"
            }
            Self::NotADestination => "`.parent`, `unix:…`, text that is no domain name",
        }
    }

    /// What Postfix is told.
    #[must_use]
    pub const fn answer(self) -> &'static str {
        match self {
            Self::EveryHostDane | Self::SomeDaneRestBound | Self::FloorNotKnown => "`dane-only`",
            Self::SomeDane | Self::InsecureMxDane | Self::SomeUnusable | Self::NotKnown => "`dane`",
            Self::Sts | Self::InsecureMxDaneAndSts => {
                "`secure match=HOST:… servername=hostname`, with the policy attributes where asked for"
            }
            Self::Unusable | Self::EncryptFloor => "`encrypt`",
            Self::Nothing => "`may`",
            Self::VerifyFloor => "`verify match=hostname servername=hostname`",
            Self::Level => "the level, `match=` with its names or pins",
            Self::GoneButSts => "`secure match=PATTERN:… servername=hostname`",
            Self::Gone | Self::NotADestination => "NOTFOUND",
            Self::Deferred => "TEMP with the reason",
        }
    }

    /// Why.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::EveryHostDane => {
                "nothing weaker is announced by anybody; a host whose lookups fail is skipped either way"
            }
            Self::SomeDaneRestBound => {
                "one level cannot hold both; the hosts without TLSA records are left out rather than left open"
            }
            Self::SomeDane => {
                "Postfix judges each host by its own lookups: the protected ones authenticated, the others open (RFC 7672 §2.2.1)"
            }
            Self::Sts => {
                "RFC 8461 §5; the names are those of the listed MX hosts, because a pattern `*.d` would let Postfix accept any depth"
            }
            Self::InsecureMxDaneAndSts => {
                "we ask for both, Postfix can hold one; who forges an insecure MX brings TLSA records of his own, so the policy is the safer"
            }
            Self::InsecureMxDane => {
                "TLSA records bind the host though the MX cannot be believed (RFC 7672 §2.2.1)"
            }
            Self::Unusable => {
                "TLS without authentication (RFC 7672 §2.2); said outright, so that no CNAME of a parked name comes in the way"
            }
            Self::SomeUnusable => "Postfix encrypts to those hosts and leaves the others open",
            Self::NotKnown => {
                "Postfix skips that host when its own lookups fail too, and judges it when they do not; `may` would be a way to strip it"
            }
            Self::Nothing => {
                "NOTFOUND would leave Postfix' own `dane` to stumble over inconsistent domains"
            }
            Self::VerifyFloor => "the administrator's floor",
            Self::EncryptFloor => "the administrator's floor",
            Self::FloorNotKnown => {
                "`dane` is below the floor where a host has no TLSA records, the floor below what the unknown host may have announced"
            }
            Self::Level => "the administrator's word",
            Self::GoneButSts => {
                "Postfix asks only after it has found a host: views of DNS differ, and an unexpired policy binds (RFC 8461 §5)"
            }
            Self::Gone => {
                "Postfix bounces such mail by itself, before it asks; where its view differs, its own level applies"
            }
            Self::Deferred => {
                "anything else would be weaker than what could not be found out; kept for seconds"
            }
            Self::NotADestination => "the administrator's default applies",
        }
    }
}

/// The table of `docs/policyd.md`.
#[must_use]
pub fn table() -> String {
    let mut text = String::from("| row | when | Postfix is told | why |\n|---|---|---|---|\n");
    for row in Row::ALL {
        for cell in [
            &format!("`{}`", row.word()),
            row.when(),
            row.answer(),
            row.why(),
        ] {
            text.push_str("| ");
            text.push_str(cell);
            text.push(' ');
        }
        text.push_str("|\n");
    }
    text
}
