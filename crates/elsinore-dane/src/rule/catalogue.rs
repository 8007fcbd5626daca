//! The rules themselves, one entry each. File size: it is one table.

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

    /// The domain does not exist.
    DomainNotFound: "DOMAIN-NOT-FOUND", 5321 "5.1",
        "The domain does not exist",
        "DNS says that the name does not exist; this is an answer, not a failure, whether it is \
         signed or not. Waiting would not help, so the message is returned at once with 5.1.2.",
        "example.invalid MX: NXDOMAIN gives 550 5.1.2.";

    /// No MX records: the domain is its own host.
    ImplicitMx: "IMPLICIT-MX", 5321 "5.1",
        "The domain has no MX records and is its own mail host",
        "When DNS shows that there are no MX records, the domain's own addresses receive its \
         mail. A failed MX lookup is not such an answer and never leads here.",
        "example.org MX: no such records. example.org A 192.0.2.1: connect there.";

    /// An insecure MX RRset.
    MxInsecure: "MX-INSECURE", 7672 "2.2.1",
        "The MX records are not protected by DNSSEC",
        "Somewhere between the domain and its MX records DNS is not signed, so an attacker on the \
         path can name other hosts. TLSA records of the MX hosts still authenticate those hosts, \
         but the session is not reported as authenticated delivery to the domain. An MTA-STS \
         policy closes the gap.",
        "example.org is unsigned, its MX host mx.provider.example is signed and has TLSA records.";

    /// An MX record that holds an address.
    MxIsAddress: "MX-IS-ADDRESS", 7672 "2.2",
        "An MX record names an address instead of a host",
        "An MX record has to name a host. The address is contacted all the same, but there is no \
         name under which TLSA records could stand and no name a certificate could be checked for.",
        "example.org. MX 10 192.0.2.1.";

    /// The MX lookup failed.
    MxLookupFailed: "MX-LOOKUP-FAILED", 7672 "2.1.2",
        "The MX lookup failed: the message waits",
        "Without the MX records nobody knows which servers may receive the message. A timeout, a \
         server failure or a signature that does not verify is never taken for an absence of MX \
         records, because an attacker can cause each of them.",
        "example.org MX: SERVFAIL gives 451 4.4.3, and the message is tried again later.";

    /// The next-hop domain is an alias.
    NextHopAlias: "NEXT-HOP-ALIAS", 7672 "2.2.1",
        "The domain is an alias",
        "The MX records are those of the name the alias leads to, and they are secure only if \
         every link is. When they are, a certificate may carry either name.",
        "mail.example.org. CNAME example.com.   and   example.com. MX 10 mx.example.com.";

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

    /// Lookups fail because our own DNS is out of order.
    OurDnsFails: "OUR-DNS-FAILS", 7672 "2.1.2",
        "Our own DNS is out of order: every domain is affected",
        "A lookup failed, and lookups of names that are known to be good fail as well. The network, \
         the resolver, the clock or the trust anchors of this machine are at fault, not the \
         recipient's domain. The message waits like any other; elsinore doctor says what to mend.",
        "No root server answers; or the clock is a year behind and every signature looks invalid.";

    /// This relay is among the MX hosts.
    OwnHost: "OWN-HOST", 5321 "5.1",
        "This host is among the MX hosts: it and all worse ones are dropped",
        "A relay that finds itself in the list must not send to itself, nor to hosts that are no \
         better than itself, because they would send the message back. When no better host is \
         left, the message is returned with 5.4.6.",
        "MX 10 mx1, MX 20 this host, MX 30 mx3: only mx1 is tried.";

    /// Lookups fail because the domain's DNS is out of order.
    TheirDnsFails: "THEIR-DNS-FAILS", 7672 "2.1.2",
        "The domain's own DNS is out of order; ours works",
        "A lookup failed, and a moment later a good name of somebody else was looked up and found \
         secure. So the servers or the signatures of the recipient's domain are at fault, and only \
         its operators can mend them. The message waits until they do.",
        "example.org MX: SERVFAIL, and ietf.org A: secure.";

    /// More MX hosts than are considered.
    TooManyHosts: "TOO-MANY-HOSTS", 5321 "5.1",
        "There are more MX hosts than are considered",
        "The standard lets a client limit how many addresses it tries. The hosts of the best \
         preferences are kept, the rest is left out and said to be.",
        "A domain with 300 MX records.";

    // --- addresses ---

    /// A and AAAA lead to different TLSA base domains.
    AddressFamiliesDisagree: "ADDRESS-FAMILIES-DISAGREE", 7672 "2.2.2",
        "The A and AAAA lookups of one host contradict each other",
        "Both lookups follow the same alias and lie in the same zone, so they should agree on \
         where the alias leads and whether that is signed. They are asked once more; if they still \
         differ, the TLSA records of both ways are looked up and the stronger result binds every \
         address, so that nobody can pick the weaker way by disturbing one of the two.",
        "mx.example A: secure, no alias. mx.example AAAA: insecure. TLSA is looked up all the same.";

    /// The address lookup of a host failed.
    AddressLookupFailed: "ADDRESS-LOOKUP-FAILED", 7672 "2.1.2",
        "An address lookup of the host failed",
        "Each address family is judged by itself: when only one fails, the other is used. When no \
         address is left the host cannot be used now and the other hosts go on; when no host is \
         left, the message waits.",
        "mx1.example AAAA: SERVFAIL, mx1.example A: 192.0.2.1. IPv4 is used.";

    /// An address that is not contacted.
    AddressRefused: "ADDRESS-REFUSED", 5321 "5.1",
        "An address lies in a network that this sender does not talk to",
        "Names of strangers can lead to addresses inside the sender's own network. Private, \
         loopback and similar addresses are not contacted unless smtp.allow_nets opens them.",
        "mx.example A 127.0.0.1: not used.";

    /// An MX host that is an alias.
    MxHostAlias: "MX-HOST-ALIAS", 7672 "2.2.2",
        "The MX host is an alias",
        "MX records should not name an alias, but many do, and it is followed. Which of its names \
         can be the TLSA base domain depends on which links are secure. MTA-STS looks at the name \
         in the MX record alone.",
        "example.org. MX 10 mail.example.org.   mail.example.org. CNAME mx.provider.example.";

    /// The host has no address.
    NoAddress: "NO-ADDRESS", 5321 "5.1",
        "DNS shows that the host has no address",
        "Neither an A nor an AAAA record exists. Other hosts are tried; when this is true of every \
         host, waiting would not help and the message is returned with 5.4.4.",
        "mx.example A and AAAA: no such records.";

    /// Whether the zone of an alias is signed is unknown.
    ZoneStatusUnknown: "ZONE-STATUS-UNKNOWN", 7672 "2.1.3",
        "Whether the host's own zone is signed could not be found out",
        "The addresses came through an alias and are insecure, and what is missing is whether the \
         alias itself is protected. If it is, TLSA records may stand at the alias and must not be \
         missed, so the host is skipped until its zone shows one or the other.",
        "A resolver's answer without the AD bit, and SERVFAIL for DS of the zone.";

    // --- TLSA ---

    /// Both names of an alias are searched.
    BaseExpandedFirst: "BASE-EXPANDED-FIRST", 7672 "2.2.3",
        "TLSA records are looked up at the end of the alias chain, then at the host itself",
        "Every link and the address are secure, so both names are candidates and the fully \
         expanded one comes first. If it has records they decide, usable or not; if its lookup \
         fails the host is skipped. Names in between are never candidates.",
        "mail.example. CNAME mx.example.net.: _25._tcp.mx.example.net, then _25._tcp.mail.example.";

    /// Only the alias itself is searched.
    BaseOriginalOnly: "BASE-ORIGINAL-ONLY", 7672 "2.2.2",
        "TLSA records are looked up at the host's own name only",
        "The host is an alias in a signed zone that leads into an unsigned one. What lies there \
         cannot be believed, but the alias can, so only its own name is a candidate. A customer \
         can protect a provider's unsigned server in this way.",
        "mail.example. CNAME mx.unsigned.example.: _25._tcp.mail.example is asked.";

    /// No TLSA records.
    TlsaAbsent: "TLSA-ABSENT", 7672 "2.2",
        "There are no TLSA records at this name",
        "DNS shows, with or without a signature, that the records do not exist. This is an answer \
         and not a failure. The next candidate is tried, and when there is none, TLS is opportunistic.",
        "_25._tcp.mx.example TLSA: no such name, signed.";

    /// Insecure TLSA records.
    TlsaInsecure: "TLSA-INSECURE", 7672 "2.2",
        "The TLSA records are not protected by DNSSEC and are not used",
        "Records that nothing protects could be anybody's, so they count as absent. This happens \
         when the TLSA name is an alias into an unsigned zone, or was delegated to one.",
        "_25._tcp.mx.example. CNAME tlsa.unsigned.example.";

    /// A TLSA lookup failed.
    TlsaLookupFailed: "TLSA-LOOKUP-FAILED", 7672 "2.1.2",
        "A TLSA lookup failed: the host is skipped",
        "The host's zone is signed, so TLSA records may exist, and a failure may be an attacker's \
         way to hide them. The host counts as unreachable; the next one is tried, or the message \
         waits. Nothing is sent to this host without knowing what it published.",
        "_25._tcp.mx.example TLSA: SERVFAIL.";

    /// The TLSA name would be too long.
    TlsaNameTooLong: "TLSA-NAME-TOO-LONG", 7672 "2.2.3",
        "The host's name is too long to have TLSA records",
        "With the port and protocol labels in front the name would exceed 255 octets, which DNS \
         cannot hold. So there are no records, and there is nothing to ask.",
        "A host name of 250 octets.";

    /// TLSA is not asked in an unsigned zone.
    TlsaNotAsked: "TLSA-NOT-ASKED", 7672 "2.2.2",
        "The host's zone is not signed: there is no TLSA record to look for",
        "DNS shows that the host's own name lies in an unsigned zone. No TLSA record there could \
         be believed, so none is asked for, and servers that answer such questions with an error \
         or not at all stop no mail.",
        "mx.unsigned.example A 192.0.2.1, insecure: TLS is opportunistic.";

    /// One unusable TLSA record.
    TlsaRecordUnusable: "TLSA-RECORD-UNUSABLE", 7672 "3.1.3",
        "A TLSA record cannot be used and is ignored",
        "Usages 0 and 1 are not for SMTP, and other records have unknown numbers, a digest of the \
         wrong length or data that does not decode. Beside a usable record such a record changes \
         nothing; when all are like this, TLS is still required.",
        "_25._tcp.mx.example. TLSA 3 1 1 with a digest of 31 octets.";

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

    // --- what is combined with it ---

    /// The administrator's level added a demand.
    AdministratorLevel: "ADMINISTRATOR-LEVEL", 7672 "6",
        "The administrator set a level for this destination",
        "A sender may demand more for chosen destinations than the recipient announced. In mode \
         minimum the level is added to what was announced; in mode exact it stands alone.",
        "[[destination]] domain = \"partner.example\", level = \"dane-only\"";

    /// DANE decides, MTA-STS does not.
    DaneBeforeSts: "DANE-BEFORE-STS", 8461 "2",
        "DANE authenticates this host; the MTA-STS policy is not applied to it",
        "An MTA-STS policy must never override a DANE failure. Where TLSA records under secure MX \
         records oblige to authenticate, they prove more than the policy would, and they decide \
         alone; a host the policy forgot to list stays usable.",
        "TLSA 3 1 1 for mx.example.org, and a policy of mode enforce that lists other hosts.";

    /// TLSA under an insecure MX.
    InsecureMxHost: "INSECURE-MX-HOST", 7672 "2.2.1",
        "TLSA records are used although the MX records are insecure",
        "The MX host is authenticated, but who named it is not. The session is better than \
         opportunistic TLS and is called Trusted, never Verified. The setting insecure_mx can \
         lower this to encryption, or to nothing.",
        "example.org is unsigned, mx.provider.example has TLSA records: security dane-insecure-mx.";

    /// REQUIRETLS adds a demand.
    RequireTls: "REQUIRETLS", 8689 "4.2.1",
        "The message requires an authenticated server",
        "The sender asked for REQUIRETLS. Where DANE does not authenticate the server, a valid \
         certificate for its name is demanded, and the name itself must be vouched for by DNSSEC \
         or by MTA-STS.",
        "MAIL FROM:<a@example.org> REQUIRETLS, and a signed domain without TLSA records.";

    /// REQUIRETLS cannot be met.
    RequireTlsUnmet: "REQUIRETLS-UNMET", 8689 "4.2.1",
        "The message requires an authenticated server and nothing vouches for this one",
        "The MX records are insecure and no MTA-STS policy lists the host, or it has no name at \
         all. The host is not used. When every host is like this the message is returned with 5.7.10.",
        "MAIL FROM:<a@example.org> REQUIRETLS, and an unsigned domain without MTA-STS.";

    /// TLS-Required: No.
    TlsOptional: "TLS-OPTIONAL", 8689 "4.2.2",
        "The message may travel without TLS: DANE and MTA-STS are not applied",
        "The sender wrote TLS-Required: No, because the message matters more than its secrecy, \
         such as a report about broken TLS. TLS is used where it works. What the administrator \
         set for the destination still holds.",
        "TLS-Required: No in the header of a message to a domain with expired certificates.";

    // --- MTA-STS ---

    /// A cached policy stays in force.
    StsCached: "STS-CACHED", 8461 "5.1",
        "A cached MTA-STS policy stays in force",
        "A policy binds for max_age after it was fetched. That its record has gone or that a newer \
         one cannot be fetched does not unbind it, because an attacker can cause both.",
        "_mta-sts.example.org TXT: no such name, and a policy cached yesterday.";

    /// An enforced policy demands a certificate.
    StsEnforced: "STS-ENFORCED", 8461 "5",
        "An enforced MTA-STS policy demands a valid certificate for this host",
        "The policy lists the host. TLS must be negotiated and the certificate must lead to a \
         public authority and carry the name in the MX record. Otherwise the next host is tried, \
         or the message waits.",
        "mode: enforce, mx: mx.example.org.";

    /// The policy could not be fetched.
    StsFetchFailed: "STS-FETCH-FAILED", 8461 "3.3",
        "The MTA-STS policy could not be fetched",
        "The record announces a policy and the policy host does not deliver it: no connection, \
         an invalid certificate, a redirect, another status than 200. Without a cached policy the \
         domain counts as having none.",
        "https://mta-sts.example.org/.well-known/mta-sts.txt answers 404.";

    /// The record could not be looked up.
    StsLookupFailed: "STS-LOOKUP-FAILED", 8461 "3.1",
        "The MTA-STS record could not be looked up",
        "A failed lookup of _mta-sts leaves a cached policy in force. Without one the domain counts \
         as having no policy; MTA-STS is trust on first use, and a broken name stops no mail.",
        "_mta-sts.example.org TXT: SERVFAIL.";

    /// The host is not in the policy.
    StsMismatch: "STS-MISMATCH", 8461 "4.1",
        "The MTA-STS policy does not list this host: it is skipped",
        "The policy is enforced and none of its patterns covers the name in the MX record, so the \
         host may have been put there by an attacker. A wildcard covers exactly one label. The \
         next host is tried, or the message waits.",
        "mx: *.example.org, and the MX record names a.b.example.org.";

    /// Mode none.
    StsModeNone: "STS-MODE-NONE", 8461 "5",
        "The MTA-STS policy says that there is no policy",
        "Mode none is how a domain withdraws its policy. It replaces what was cached, and delivery \
         goes on as if nothing had been announced.",
        "mode: none, max_age: 86400.";

    /// The policy is malformed.
    StsPolicyInvalid: "STS-POLICY-INVALID", 8461 "3.2",
        "The MTA-STS policy is malformed",
        "The policy file does not follow the grammar, or a required key is missing. It counts as \
         not fetched: a cached policy stays in force, otherwise there is none.",
        "mode: enforce without any mx line.";

    /// The record is malformed or not alone.
    StsRecordInvalid: "STS-RECORD-INVALID", 8461 "3.1",
        "The MTA-STS record is malformed, or there are several",
        "Of the TXT records at _mta-sts those of other versions are discarded and exactly one \
         well-formed record must remain. Otherwise the domain announces nothing.",
        "v=STSv1; id=1 and v=STSv1; id=2 side by side.";

    /// A testing policy does not list the host.
    StsTesting: "STS-TESTING", 8461 "5",
        "The MTA-STS policy would refuse this host, but it is in testing",
        "In testing mode failures are reported and change nothing else. Were the policy enforced, \
         this host would be skipped.",
        "mode: testing, mx: mx1.example.org, and the MX record names mx2.example.org.";

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
        "A stored MTA-STS policy could not be used",
        "The file does not carry the digest that was written with it. It counts as no policy and \
         is replaced by the next fetch.",
        "A file that was cut short when the disk was full.";

    /// The stored policies cannot be read.
    StsCacheUnreadable: "STS-CACHE-UNREADABLE", 8461 "3.2",
        "The folder of stored MTA-STS policies cannot be read",
        "Whether a policy was stored for the domain is not known, so it counts as none. Where a \
         policy is in force and its fetch fails, the domain is without its protection.",
        "state_dir belongs to another user.";

    /// A policy could not be stored.
    StsCacheUnwritable: "STS-CACHE-UNWRITABLE", 8461 "3.2",
        "A fetched MTA-STS policy could not be stored",
        "It is used for this message. Another process, or this one after a restart, does not know \
         it, and a failing fetch will then leave the domain without its policy.",
        "state_dir belongs to another user, or the disk is full.";

    /// A newer policy was looked for before giving up.
    StsAskedAgain: "STS-ASKED-AGAIN", 8461 "5.1",
        "DNS was asked for a newer MTA-STS policy before the message was given up",
        "A host that fails the policy at hand may have been added by a newer one. If the record \
         carries a new id, the new policy is fetched and the hosts are tried again.",
        "A policy of last week lists mx1, the MX record names mx2, the policy of today lists mx2.";
}
