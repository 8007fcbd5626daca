//! Lints about zones: how they are signed and delegated.

use super::{Lint, rfc};
use crate::report::Severity;

lints! {
    /// A zone does not validate.
    ZONE_BOGUS: "ZONE-BOGUS", "D08", FailsNow, rfc(4035, "5.5"),
        "The zone ought to validate and does not",
        "The parent vouches for the zone's keys, and the zone's keys or signatures do not fit. \
         Validating resolvers answer SERVFAIL for everything in it. DANE senders and many others \
         cannot deliver until it is mended.",
        "DS 12345 13 2 ... at the parent, and no such key in the zone.",
        "Sign the zone with the key that the DS record names, or replace the DS record at the \
         registrar.";

    /// The zone is signed and the parent does not say so.
    DS_MISSING: "DS-MISSING", "D08", Weak, rfc(4035, "2.4"),
        "The zone is signed, and its parent has no DS record for it",
        "The zone publishes keys, and without a DS record at the parent nobody can check them. The \
         zone counts as unsigned, and TLSA records in it count for nothing. One missing step at the \
         registrar, or one lost in a transfer, has the effect of no DNSSEC at all.",
        "example.org. DNSKEY 257 3 13 ..., and no example.org. DS in org.",
        "Give the DS record to the registrar.";

    /// A DS record that no key fits.
    DS_WITHOUT_KEY: "DS-WITHOUT-KEY", "D08", Note, rfc(6840, "5.11"),
        "A DS record names a key that the zone does not publish",
        "Another DS record fits, so the zone validates. In the middle of a key change that is how it \
         should be. Left behind, it does no harm except to confuse the next change.",
        "DS 12345 and DS 54321 at the parent; only key 54321 in the zone.",
        "Nothing during a key change; afterwards remove the old DS record at the registrar.";

    /// Only SHA-1 digests at the parent.
    DS_SHA1: "DS-SHA1", "D08", Weak, rfc(8624, "3.3"),
        "The zone is vouched for by a SHA-1 digest only",
        "Every DS record that fits uses digest type 1. SHA-1 must not be used for new delegations, \
         and validators begin to ignore it; the zone then counts as unsigned and DANE ends.",
        "example.org. DS 12345 13 1 2bb183af...",
        "Publish a DS record with digest type 2 (SHA-256) at the registrar.";

    /// A signing algorithm that is being retired.
    ALGORITHM_OLD: "ALGORITHM-OLD", "D08", Weak, rfc(8624, "3.1"),
        "The zone is signed with an algorithm that is being retired",
        "RSA with SHA-1, RSA with MD5, DSA and the old GOST algorithm must or should not be used for \
         signing any more. Validators that have dropped the algorithm take the zone for unsigned, \
         so DANE ends for their senders without any message.",
        "example.org. DNSKEY 257 3 7 ... (RSASHA1-NSEC3-SHA1)",
        "Roll over to algorithm 13 (ECDSA P-256).";

    /// A signature that is about to expire.
    SIGNATURE_ENDS_SOON: "SIGNATURE-ENDS-SOON", "D09", WillFail, rfc(4035, "5.3.1"),
        "A signature is about to expire and has not been renewed",
        "Signers renew a signature long before it ends, usually when a quarter or more of its life is \
         left. This one is closer to its end than that, which means that the signer has stopped or \
         the server is no longer updated. From the moment of expiry validating resolvers answer \
         SERVFAIL and mail of DANE senders waits.",
        "_25._tcp.mx.example.org. RRSIG TLSA ... expires in 20 hours, of a life of 14 days.",
        "Sign the zone anew, and find out why the signer did not.";

    /// A signature with an absurd life.
    SIGNATURE_LIVES_LONG: "SIGNATURE-LIVES-LONG", "D09", Weak, rfc(6781, "4.4.2"),
        "A signature is valid for more than a year",
        "As long as a signature is valid, whoever kept the old answer can play it back: TLSA records \
         of a stolen key for instance. A life of one to four weeks, renewed by a program, limits \
         that and does not need anybody to remember it.",
        "mx.example.org. RRSIG A ... 20310101000000 20260101000000 ...",
        "Let the signer sign for two to four weeks at a time.";

    /// NSEC3 with additional iterations.
    NSEC3_ITERATIONS: "NSEC3-ITERATIONS", "D10", Weak, rfc(9276, "3.1"),
        "NSEC3 with additional iterations",
        "The iterations make the zone no safer and every resolver slower; they must be 0. Resolvers \
         may treat a zone with more than they like as unsigned, or answer SERVFAIL. Then DANE ends, \
         or mail stops, for the senders behind those resolvers alone.",
        "example.org. NSEC3PARAM 1 0 10 AABBCCDD",
        "Set the iterations to 0.";

    /// NSEC3 with a salt.
    NSEC3_SALT: "NSEC3-SALT", "D10", Note, rfc(9276, "3.1"),
        "NSEC3 with a salt",
        "The salt does nothing that the name of the zone does not do already, so it is recommended \
         to leave it out. Nobody fails because of it.",
        "example.org. NSEC3PARAM 1 0 0 AABBCCDD",
        "Nothing; leave it out when the zone is next set up.";

    /// An opt-out span on the way.
    NSEC3_OPT_OUT: "NSEC3-OPT-OUT", "D11", Note, rfc(9276, "2.2"),
        "The zone uses NSEC3 with opt-out",
        "In an opt-out span unsigned delegations are not proven, which saves large registries work. \
         In a zone that holds mail hosts it has no use: denials in such a span count as unsigned.",
        "example.org. NSEC3 1 1 0 - ...",
        "Nothing for a registry; a zone of one's own is better signed without opt-out.";

    /// A long TTL of TLSA records.
    TLSA_TTL_LONG: "TLSA-TTL-LONG", "D15", Note, rfc(7671, "8.1"),
        "The TLSA records may be cached for long",
        "Before a new key goes live, its record has to be in place for twice the TTL. A wrong record \
         stays in caches as long. With an hour or less a change can be made, or mended, on the same \
         day.",
        "_25._tcp.mx.example.org. 172800 IN TLSA 3 1 1 ...",
        "Set the TTL to 3600 before the next change of keys.";

    /// The domain itself is unsigned and so are its mail hosts.
    DOMAIN_UNSIGNED: "DOMAIN-UNSIGNED", "D05", Note, rfc(7672, "2.2.1"),
        "The domain is not signed with DNSSEC",
        "Without DNSSEC anybody on the path can send mail elsewhere by forging the MX records, and \
         DANE is not possible. Delivery works as it does for most domains.",
        "example.org. MX 10 mx.example.org., unsigned.",
        "To have DANE, sign the domain and the zones of its mail hosts, then publish TLSA records.";

    /// Insecure MX records before hosts that have DANE.
    MX_UNSIGNED_BEFORE_DANE: "MX-UNSIGNED-BEFORE-DANE", "D05", Weak, rfc(7672, "2.2.1"),
        "The mail hosts have DANE, and the MX records that lead to them are not signed",
        "The hosts can be authenticated, but nobody can know that they are the right ones: whoever \
         forges the MX records names others. Senders use TLSA at the hosts all the same, without \
         being able to call it authenticated delivery to the domain. Signing the one zone completes \
         what is there.",
        "example.org (unsigned) MX 10 mx.provider.example. (signed, with TLSA records)",
        "Sign the domain's zone and give its DS record to the registrar.";

    /// The zone of a mail host is unsigned.
    HOST_UNSIGNED: "HOST-UNSIGNED", "D06", Note, rfc(7672, "2.2.2"),
        "The mail host lies in a zone that is not signed",
        "Its addresses are not protected, so TLSA records could not count and DANE senders do not \
         even ask for them. Mail is delivered with opportunistic TLS or under MTA-STS. The zone is \
         often that of a provider.",
        "example.org MX 10 mx.provider.example., provider.example unsigned.",
        "To have DANE, ask the host's operator to sign the zone, or choose hosts in a signed one.";

    /// TLSA records that nothing protects.
    TLSA_WITHOUT_DNSSEC: "TLSA-WITHOUT-DNSSEC", "D06", Weak, rfc(7672, "2.2"),
        "TLSA records are published where nothing protects them",
        "The records exist and the zone is not signed, so every sender ignores them. Somebody went \
         to the trouble of publishing them and believes to have DANE.",
        "_25._tcp.mx.example.org. TLSA 3 1 1 ... in an unsigned zone.",
        "Sign the zone and give its DS record to the registrar; the TLSA records then count at once.";
}
