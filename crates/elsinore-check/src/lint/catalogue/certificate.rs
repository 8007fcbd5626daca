//! Lints about certificates and chains.

use super::{Lint, Source, rfc};
use crate::report::Severity;

lints! {
    /// No record matches at an address.
    TLSA_NO_MATCH: "TLSA-NO-MATCH", "C01", FailsNow, rfc(7672, "2.2"),
        "No TLSA record matches what a server presents",
        "The records say which keys are genuine, and the server at this address presents another \
         one. To a DANE sender it looks like an attack: it goes on to other addresses and hosts, and \
         if all fail, mail waits. Usually the certificate was renewed with a new key and the record \
         was not changed.",
        "TLSA 3 1 1 8cb0fc6c..., and mx.example.org [192.0.2.25] presents key 5f2e91aa...",
        "Publish a record for the key that is presented, and keep the key at the next renewal.";

    /// Some addresses match and some do not.
    ADDRESSES_DIFFER: "ADDRESSES-DIFFER", "C03", FailsNow, rfc(7672, "2.2"),
        "The addresses of a host present different certificates, and not all match",
        "A host name with several addresses is one host to a sender, whichever address it picks. At \
         some of them the TLSA records match and at others they do not, so mail gets through at \
         times. One server behind the name was forgotten at the last renewal.",
        "mx.example.org: [192.0.2.25] matches, [2001:db8::25] does not.",
        "Install the same certificate at the addresses named, or add a record for theirs.";

    /// One of two algorithms matches.
    ALGORITHM_UNMATCHED: "ALGORITHM-UNMATCHED", "C03", FailsNow, rfc(7671, "8"),
        "The server has an RSA and an ECDSA certificate, and one of them has no record",
        "Which certificate is presented depends on what the sender offers. With one the TLSA records \
         match and with the other they do not, so some senders deliver and some cannot. Checkers \
         that connect once see only the good half.",
        "ECDSA certificate matches TLSA 3 1 1; the RSA certificate matches nothing.",
        "Add a record for the other key, or remove that certificate from the server.";

    /// Different certificates that all match.
    CERTIFICATES_VARY: "CERTIFICATES-VARY", "C03", Note, rfc(7672, "2.2"),
        "The addresses of a host present different keys, and all of them match",
        "Every key has its record, so nothing is wrong. Every one of them has to be kept in step \
         with DNS by itself.",
        "mx.example.org: key A at [192.0.2.25], key B at [192.0.2.26], records for both.",
        "Nothing.";

    /// A name that is none of the expected ones.
    CA_NAME_MISMATCH: "CA-NAME-MISMATCH", "C04", FailsNow, rfc(7672, "3.2.2"),
        "The chain matches a TLSA record with usage 2, and the certificate has the wrong name",
        "Usage 2 trusts everything the CA signs, so the certificate also has to carry one of the \
         expected names: the TLSA base domain or, with signed MX records, the recipient's domain. \
         This one carries neither.",
        "TLSA 2 1 1 matches the CA; the certificate is for www.example.org only.",
        "Get a certificate for the name of the MX host, or publish 3 1 1, which asks for no name.";

    /// A certificate in a usage 2 chain that is out of date.
    CA_CHAIN_EXPIRED: "CA-CHAIN-EXPIRED", "C05", FailsNow, rfc(7671, "5.2"),
        "The chain matches a TLSA record with usage 2, and a certificate in it is out of date",
        "With usage 2 every certificate up to the trust anchor has to be within its dates. Here one \
         has expired or is not valid yet.",
        "TLSA 2 1 1 matches the CA; the server's certificate expired yesterday.",
        "Renew the certificate that is out of date, be it a CA's in the chain; check that the mail \
         server loaded it.";

    /// An expired certificate under usage 3.
    EXPIRED_HARMLESS: "EXPIRED-HARMLESS", "C05", Note, rfc(7672, "3.1.1"),
        "An expired certificate under usage 3: DANE senders do not mind",
        "With usage 3 the record alone decides, and the dates in the certificate mean nothing. \
         Senders that know MTA-STS only, and people who look at the certificate, do mind.",
        "TLSA 3 1 1 matches, and the certificate expired in March.",
        "Nothing for DANE.";

    /// Data that matches and a chain that does not hold.
    CA_CHAIN_BROKEN: "CA-CHAIN-BROKEN", "C06", FailsNow, rfc(7672, "3.1.2"),
        "A TLSA record with usage 2 matches a certificate, and no valid path leads to it",
        "The trust anchor is among the certificates that the server sends, but the server's own \
         certificate does not follow from it: it was signed by somebody else, an intermediate is \
         missing, a signature is wrong, or a certificate may not sign others. DANE senders reject the \
         chain.",
        "TLSA 2 1 1 matches an old intermediate that is still in the chain file.",
        "Mend what the evidence names: send the right chain, in order and without leftovers, or have \
         a certificate whose own contents are refused made anew.";

    /// A certificate whose end will matter.
    CERTIFICATE_ENDS_SOON: "CERTIFICATE-ENDS-SOON", "C07", WillFail, rfc(7671, "5.2"),
        "A certificate that senders depend on expires soon",
        "Under usage 2, and for senders that honour MTA-STS, the dates of the certificate count. \
         Renewal by a program would have happened by now.",
        "TLSA 2 1 1 matches; the server's certificate expires in three days.",
        "Renew the certificate, and look why that did not happen by itself.";

    /// SHA-1 in a chain that counts.
    CHAIN_SHA1: "CHAIN-SHA1", "C10", Weak,
        Source::Practice("collisions of both digests have been made; public CAs have not used SHA-1 \
            since 2016"),
        "A certificate is signed with SHA-1 or MD5",
        "Signatures with these digests can be forged. Under usage 3 the signature does not count; \
         under usage 2 many senders reject it, this one too.",
        "Signature Algorithm: sha1WithRSAEncryption",
        "Nothing under usage 3 alone; otherwise have the certificate issued anew.";

    /// A short key.
    KEY_SHORT: "KEY-SHORT", "C10", Weak,
        Source::Practice("RSA keys below 2048 bits are refused by public CAs and by many TLS \
            libraries in their default settings"),
        "The server's key is short",
        "RSA keys below 2048 bits can be broken with effort, and many TLS libraries refuse them. A \
         DANE sender that cannot complete the handshake cannot deliver.",
        "RSA 1024",
        "Make a new key (ECDSA P-256 or RSA 2048), publish its record first, then install it.";
}
