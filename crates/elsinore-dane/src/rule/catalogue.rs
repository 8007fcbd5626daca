use super::Citation;

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $variant:ident: $id:literal, $rfc:literal $section:literal,
        $title:literal, $explanation:literal, $example:literal;)+) => {
        /// One rule of the decision, of the session or of verification.
        ///
        /// The identifier ([`Rule::id`]) is stable: it stands in JSON, in logs and in
        /// `elsinore explain`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Rule {
            /// Every rule, in the order of the catalogue.
            #[must_use]
            pub const fn all() -> &'static [Self] {
                &[$(Self::$variant,)+]
            }

            /// The stable identifier, upper case with hyphens.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// The RFC section that decides.
            #[must_use]
            pub const fn citation(self) -> Citation {
                match self {
                    $(Self::$variant => Citation { rfc: $rfc, section: $section },)+
                }
            }

            /// The rule in one line, without a full stop.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// What the rule says and why, in two to six sentences.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation,)+ }
            }

            /// An example: records or dialogue, and what follows from them.
            #[must_use]
            pub const fn example(self) -> &'static str {
                match self { $(Self::$variant => $example,)+ }
            }
        }
    };
}

// One entry: doc comment, variant, identifier, RFC number and section, title, explanation,
// example. Groups in the order of a delivery; alphabetical within a group.
rules! {
    // --- next hop and MX ---

    /// Address literal: no DANE.
    AddressLiteral: "ADDRESS-LITERAL", 7672 "2.2",
        "DANE does not apply to an address literal",
        "A destination that is an IP address has no name under which TLSA records could stand. \
         It is reached with opportunistic TLS, or with what the administrator set for it.",
        "user@[192.0.2.1]: connect to 192.0.2.1, TLS if offered.";

    /// A null MX among other MX records.
    NullMxBesideOthers: "NULL-MX-BESIDE-OTHERS", 7505 "3",
        "A null MX stands beside other MX records and is ignored",
        "A null MX says that a domain receives no mail, so it makes sense only alone. Beside \
         others it contradicts them; the others are used, because somebody evidently wants mail.",
        "example.org. MX 0 .   and   example.org. MX 10 mx.example.org.: mx.example.org is used.";

    /// A null MX alone.
    NullMx: "NULL-MX", 7505 "3",
        "The domain publishes a null MX: it receives no mail",
        "A single MX record that names the root says that there is no mail server and never will \
         be one to wait for. The message is returned at once with 5.1.10.",
        "example.org. MX 0 .   gives   556 5.1.10 recipient address has null MX";

    /// TLSA records that decide.
    TlsaUsable: "TLSA-USABLE", 7672 "2.2",
        "Usable TLSA records: the server must be authenticated",
        "At least one record of a secure TLSA RRset can be used. TLS must be negotiated and the \
         server's certificate must match a record; otherwise the next host is tried or the message waits.",
        "_25._tcp.mx.example. TLSA 3 1 1 ab12...: the key of mx.example must have that digest.";

    /// TLSA records exist, none is usable.
    TlsaUnusable: "TLSA-UNUSABLE", 7672 "2.2",
        "TLSA records exist but none is usable: TLS is required, unauthenticated",
        "A secure TLSA RRset, even one that this client cannot use, is a promise that the server \
         speaks TLS. The session must be encrypted, but the certificate decides nothing.",
        "_25._tcp.mx.example. TLSA 1 1 1 ab12...: usage 1 does not apply to SMTP, TLS is required.";
}
