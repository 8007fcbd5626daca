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

    /// An override that has run out.
    DestinationExpired: "DESTINATION-EXPIRED", 7672 "6",
        "An override by the administrator has run out and no longer applies",
        "Local policy may be stronger or weaker than what a domain announces, and an exception \
         is best given an end. This one has passed its date, so the destination is treated as \
         if it were not there.",
        "[[destination]] domain = \"example.org\", level = \"may\", expires = a date in the past.";

    // --- the session with a host ---

    /// The session is in cleartext because nothing demanded more.
    CleartextSession: "CLEARTEXT-SESSION", 3207 "4.1",
        "The message travelled without TLS",
        "The server offers no TLS, or no handshake with it succeeded, and nothing that the \
         recipient or the administrator announced demands TLS. The message is delivered in \
         cleartext rather than not at all. An attacker on the path can cause this; publishing \
         TLSA records or an MTA-STS policy prevents it.",
        "250-mx.example without 250-STARTTLS: MAIL FROM follows in cleartext.";

    /// Nothing more was tried because a bound was reached.
    DeliveryBound: "DELIVERY-BOUND", 5321 "5.1",
        "Hosts or addresses were left untried because a bound was reached",
        "A sender must try the addresses of a destination in order but may limit how many it \
         tries in one attempt. The rest has its turn in the next attempt.",
        "30 MX records: the first 10 hosts are tried, then the message waits.";

    /// The legacy TLS back end was used.
    LegacyTls: "LEGACY-TLS", 7435 "3",
        "The server speaks only TLS of an older kind",
        "The modern TLS library found no common protocol with the server, and a second one did: \
         TLS 1.0 or 1.1, CBC cipher suites, RSA key exchange. Old encryption is better than none \
         where nothing is authenticated; an authenticated session still needs TLS 1.2 and the \
         same proof as any other.",
        "TLSv1 with cipher ECDHE-RSA-AES256-SHA, library openssl.";

    /// A converted message.
    MessageConverted: "MESSAGE-CONVERTED", 6152 "3",
        "The message was converted because the server cannot take it as it is",
        "A server without 8BITMIME takes seven-bit text only, and lines of more than 998 octets \
         are not allowed. The body was encoded anew; signatures over it (DKIM) no longer verify.",
        "250-mx.example without 250-8BITMIME: the body becomes quoted-printable.";

    /// A reply that deviates from the standard.
    OddReply: "ODD-REPLY", 5321 "4.2",
        "A reply of the server deviates from the standard",
        "The reply could still be understood. What deviates is shown as evidence; a reply that \
         cannot be understood ends the session instead.",
        "A reply line that ends in LF alone, or one of more than 512 octets.";

    /// Nobody knows whether the message was delivered.
    OutcomeUnknown: "OUTCOME-UNKNOWN", 5321 "4.5.3.2.6",
        "The answer to the end of the message never came: a duplicate is possible",
        "The whole message was sent and the connection was lost before the server said whether it \
         takes it. It may have been delivered. No other host is tried in this attempt; the message \
         waits and is sent again later, so the recipient may receive it twice.",
        "... . (end of message), then the connection closes without a reply.";

    /// A pinned certificate or key was not presented.
    PinMismatch: "PIN-MISMATCH", 3207 "4.1",
        "The server's certificate is not one the administrator pinned",
        "Neither the SHA-256 digest of the certificate nor that of its public key is among the \
         pins of this destination. The client decides after the handshake whether the server is \
         the one it wants to speak to.",
        "pins = [\"sha256:ab12...\"] and a certificate with another digest: the next host, or wait.";

    /// The server does not support REQUIRETLS.
    RequireTlsMissing: "REQUIRETLS-MISSING", 8689 "4.2.1",
        "The message requires TLS end to end and the server does not promise it",
        "A message sent under REQUIRETLS goes only to servers that are authenticated and offer \
         REQUIRETLS inside TLS. When no host of the destination does, the sender is told with \
         5.7.30, or 5.7.10 when no TLS session could be had.",
        "EHLO inside TLS without 250-REQUIRETLS: the next host, or 550 5.7.30.";

    /// The server did not answer or refused to speak.
    ServerUnavailable: "SERVER-UNAVAILABLE", 5321 "5.1",
        "The server could not be reached or did not speak to us",
        "No connection, no greeting, or a refusal before any message was named. The next address \
         and the next host are tried; when none is left, the message waits.",
        "421 mx.example too busy: the next MX host is tried.";

    /// STARTTLS is offered inside TLS.
    StarttlsInsideTls: "STARTTLS-INSIDE-TLS", 3207 "4.2",
        "The server still offers STARTTLS inside TLS",
        "Once TLS is established the extension must not be announced again. It is ignored.",
        "EHLO inside TLS answered with 250-STARTTLS.";

    /// TLS is owed and not offered.
    StarttlsMissing: "STARTTLS-MISSING", 7672 "2.2",
        "TLS is required and the server does not offer it",
        "TLSA records, an enforced MTA-STS policy or the administrator demand TLS. Its absence \
         may be an attack, so the message is not sent to this server: the next host is tried, or \
         it waits.",
        "_25._tcp.mx.example. TLSA 3 1 1 ... and EHLO without 250-STARTTLS.";

    /// STARTTLS was refused.
    StarttlsRefused: "STARTTLS-REFUSED", 3207 "4",
        "The server offers STARTTLS and then refuses it",
        "Where TLS is required this is treated like its absence, whether the refusal is temporary \
         or permanent. Otherwise the session goes on in cleartext.",
        "STARTTLS answered with 454 TLS not available.";

    /// Text behind the reply to STARTTLS.
    TextBehindStarttls: "TEXT-BEHIND-STARTTLS", 3207 "4.2",
        "Text stood behind the reply to STARTTLS and was discarded unread",
        "Everything learnt before TLS must be forgotten, and text that arrives behind the 220 was \
         sent before TLS: an attacker may have put it there to be read as if it came from inside. \
         It is discarded and reported, never interpreted.",
        "220 go ahead, and in the same packet 250-mx.example.";

    /// TLS failed in the handshake.
    TlsHandshakeFailed: "TLS-HANDSHAKE-FAILED", 3207 "4.1",
        "The TLS handshake failed",
        "The two sides found no common protocol or the connection broke. A new connection is \
         tried with the other TLS library, and in cleartext only where nothing demands TLS.",
        "A server that speaks SSL 3 only, or closes the connection after the ClientHello.";

    /// The server did not prove that it holds its key.
    TlsKeyUnproven: "TLS-KEY-UNPROVEN", 7435 "3",
        "The server did not show that it holds the key of its certificate",
        "The signature of the handshake does not verify, or no certificate was sent. Where no \
         identity is claimed nothing is lost by going on; an authenticated session ends here.",
        "A certificate of zero octets, or an anonymous cipher suite.";

    /// The certificate does not match the TLSA records.
    TlsaMismatch: "TLSA-MISMATCH", 7672 "2.2",
        "The server's certificate does not match its TLSA records",
        "At least one TLSA record is usable and none of them matches what the server presented, \
         or what the records demand of the chain does not hold. The message is not delivered to \
         this server: the next host is tried, or it waits.",
        "TLSA 3 1 1 of the old key, and the server already presents the new one.";

    /// A weaker host received the message.
    WeakerHostUsed: "WEAKER-HOST-USED", 7672 "2.2.1",
        "The message went to a host weaker than one that was tried before",
        "Hosts are tried in the order of their preference, and a host without TLSA records may \
         stand behind one that has them. The standard demands the order; that the message lost \
         protection on the way is said aloud, because an attacker can provoke it.",
        "MX 10 mx1 (TLSA, handshake fails), MX 20 mx2 (no TLSA): delivered to mx2.";

    /// WebPKI validation failed where it was demanded.
    WebPkiInvalid: "WEBPKI-INVALID", 8461 "4.2",
        "The server's certificate is not valid for its name",
        "An enforced MTA-STS policy, REQUIRETLS or the administrator demands a certificate of a \
         public authority for the MX host. The one presented has expired, names another host, or \
         leads to no trusted authority.",
        "mode: enforce and a self-signed certificate: the next host is tried, or the message waits.";

    // --- MTA-STS policies between attempts ---

    /// A stored policy could not be used.
    StsCacheDamaged: "STS-CACHE-DAMAGED", 8461 "3.2",
        "A stored MTA-STS policy is damaged and was ignored",
        "The file does not carry the digest that was written with it. It counts as no policy and \
         is replaced by the next fetch.",
        "A file that was cut short when the disk was full.";

    /// A newer policy was looked for before giving up.
    StsAskedAgain: "STS-ASKED-AGAIN", 8461 "5.1",
        "DNS was asked for a newer MTA-STS policy before the message was given up",
        "A host that fails the policy at hand may have been added by a newer one. If the record \
         carries a new id, the new policy is fetched and the hosts are tried again.",
        "A policy of last week lists mx1, the MX record names mx2, the policy of today lists mx2.";
}
