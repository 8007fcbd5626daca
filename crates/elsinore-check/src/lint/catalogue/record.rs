//! Lints about the contents of TLSA records.

use super::{Lint, Source, rfc};
use crate::report::Severity;

lints! {
    /// Usage 0 or 1.
    TLSA_PKIX_USAGE: "TLSA-PKIX-USAGE", "T01", Weak, rfc(7672, "3.1.3"),
        "A TLSA record has a certificate usage that is not for SMTP",
        "Usages 0 and 1 (PKIX-TA, PKIX-EE) need a list of public CAs that senders and receivers agree \
         on, which mail does not have. Senders take such a record as unusable. Beside usable records \
         it does nothing.",
        "_25._tcp.mx.example.org. TLSA 1 1 1 ...",
        "Publish usage 3 with selector 1 and matching type 1 instead.";

    /// No record can be used.
    TLSA_NONE_USABLE: "TLSA-NONE-USABLE", "T01", Weak, rfc(7672, "2.2"),
        "None of the TLSA records can be used",
        "Records are published, so senders insist on TLS; none can be used, so they cannot \
         authenticate the server. The host is worse off than it looks: any certificate of any \
         attacker will do.",
        "Only TLSA 1 1 1 ... at _25._tcp.mx.example.org.",
        "Publish a 3 1 1 record of the server's key.";

    /// A digest of the wrong length.
    TLSA_DIGEST_LENGTH: "TLSA-DIGEST-LENGTH", "T02", Weak, rfc(7671, "9"),
        "The digest in a TLSA record has the wrong length",
        "SHA-256 gives 32 octets (64 hexadecimal digits), SHA-512 gives 64 octets. A record of \
         another length was cut or mistyped. Senders ignore it.",
        "TLSA 3 1 1 8cb0fc6c527506a053f4f14c8464bebb",
        "Publish the whole digest.";

    /// Unknown or missing fields.
    TLSA_MALFORMED: "TLSA-MALFORMED", "T02", Weak, rfc(6698, "2.1"),
        "A TLSA record is malformed",
        "The usage, selector or matching type is one that no standard defines, the data is missing, \
         or it is not what the fields say. Senders ignore the record.",
        "TLSA 3 2 1 ...",
        "Publish 3 1 1 with the SHA-256 digest of the server's public key.";

    /// The digest of nothing.
    TLSA_EMPTY_DIGEST: "TLSA-EMPTY-DIGEST", "T03", FailsNow,
        Source::Practice("the digest of no octets matches no certificate; seen in the field when a \
            script could not read a key and hashed its empty output"),
        "A TLSA record is the digest of nothing",
        "The data is the SHA-256 or SHA-512 digest of zero octets. A script computed it from the \
         empty output of a command that failed, for instance because the key was of a kind it did \
         not know. The record matches no certificate and never will.",
        "TLSA 3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "Compute the digest again and check that the command had something to read.";

    /// A placeholder.
    TLSA_PLACEHOLDER: "TLSA-PLACEHOLDER", "T03", FailsNow,
        Source::Practice("a digest that repeats one octet or counts upwards cannot come from a \
            certificate in practice"),
        "A TLSA record holds a placeholder",
        "The data is all zeros, one octet repeated, or a counting pattern: it was never replaced by a \
         real digest. The record matches no certificate.",
        "TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000000",
        "Replace it by the digest of the server's key, or remove it.";

    /// Several records for one and the same key.
    TLSA_SAME_KEY_TWICE: "TLSA-SAME-KEY-TWICE", "T04", Note,
        Source::Practice("RFC 7671 section 8 asks of each combination of fields that it match; more \
            combinations are more to keep up"),
        "Several TLSA records say the same thing about one key",
        "The records differ in selector or matching type and all stand for the same certificate or \
         key. They all have to be changed together, and none of them prepares a change of keys.",
        "TLSA 3 1 1 ... and TLSA 3 1 2 ... of the same key",
        "Nothing; a single 3 1 1 record for the key says it all.";

    /// A record that differs from another in a few digits.
    TLSA_NEAR_COPY: "TLSA-NEAR-COPY", "T04", Weak,
        Source::Practice("two digests that share nearly all digits are one digest and a slip; by \
            chance they differ nearly everywhere"),
        "A TLSA record differs from another one in a few digits only",
        "Two digests of different keys have nothing in common. One of these two was copied from the \
         other, with a slip or to have a second record for show. It matches nothing, and it is no \
         preparation for a change of keys.",
        "TLSA 3 1 1 8cb0fc6c... and TLSA 3 1 1 8cb0fc6d...",
        "Remove the copy that matches nothing.";

    /// A certificate digest under an issuer that renews often.
    TLSA_CERTIFICATE_RENEWED: "TLSA-CERTIFICATE-RENEWED", "T05", WillFail, rfc(7671, "5.1"),
        "A TLSA record names a certificate that is replaced every few weeks",
        "Selector 0 covers the whole certificate, which changes at every renewal, even if the key \
         stays. The issuer is one whose certificates are renewed by a program after weeks. Unless \
         the same program changes the record two TTLs ahead, mail fails after the next renewal.",
        "TLSA 3 0 1 ... with a certificate by Let's Encrypt",
        "Publish 3 1 1 and keep the key at renewal.";

    /// A CA certificate of which there are several.
    TLSA_CA_CERTIFICATE: "TLSA-CA-CERTIFICATE", "T06", WillFail, rfc(7671, "5.2.1"),
        "A TLSA record names one of several certificates of a CA",
        "The CA's key is certified more than once (self-signed and cross-signed), and selector 0 \
         fits only one of these certificates. When the CA or the server's software changes to \
         another one, the record no longer matches although the key is the same.",
        "TLSA 2 0 1 of one of the certificates of an intermediate that has two",
        "Use selector 1 (2 1 1), which covers the key in all of them; 3 1 1 of the server's own key \
         depends on no CA.";

    /// Whole certificates or keys in DNS.
    TLSA_WHOLE_DATA: "TLSA-WHOLE-DATA", "T07", Weak, rfc(7671, "10.1.2"),
        "A TLSA record carries a whole certificate or key",
        "Matching type 0 puts everything into DNS, which makes answers large and gains nothing for a \
         server's own key. Only a trust anchor that the server does not send needs it.",
        "TLSA 3 0 0 3082...",
        "Publish the SHA-256 digest (matching type 1).";

    /// SHA-512 alone.
    TLSA_SHA512: "TLSA-SHA512", "T07", Note, rfc(6698, "6"),
        "A TLSA record uses SHA-512 and none beside it uses SHA-256",
        "Every client has to know SHA-256; SHA-512 is recommended only. Clients that do not know it \
         find no usable record. Nearly all do.",
        "Only TLSA 3 1 2 ...",
        "Nothing; SHA-256 would be understood by everybody.";

    /// One usable record.
    TLSA_SINGLE: "TLSA-SINGLE", "T08", Note, rfc(7671, "8.1"),
        "One usable TLSA record is published",
        "That is complete as long as the key stays. Before the key changes, the record of the next \
         key has to be published beside it for twice the TTL.",
        "Only TLSA 3 1 1 ... of the key in use",
        "Nothing now; `elsinore tlsa plan` gives the steps when the key is to change.";

    /// Two records, of an RSA and an ECDSA key that are both in use.
    TLSA_TWO_ALGORITHMS: "TLSA-TWO-ALGORITHMS", "T09", Note, rfc(7671, "8.1"),
        "Two TLSA records stand for an RSA and an ECDSA key that are both in use",
        "The server has two certificates and picks one by what the sender can do; both need a \
         record, and both have one. It looks like a change of keys in progress and is none: neither \
         record is for a key to come.",
        "TLSA 3 1 1 of the RSA key and TLSA 3 1 1 of the ECDSA key",
        "Nothing; before either key changes a third record is needed.";

    /// A record that matches nothing while others match.
    TLSA_UNMATCHED: "TLSA-UNMATCHED", "T10", Note, rfc(7671, "8.1"),
        "A TLSA record matches nothing that any server of the host presents",
        "Other records match, so mail flows. This one is for a key to come, or was left behind after \
         a change. From outside the two look the same until it has been seen to match.",
        "TLSA 3 1 1 of a key that nobody presents, beside one that matches",
        "Nothing if it is the next key; remove it if it is an old one.";

    /// A combination of fields of which no record matches.
    TLSA_COMBINATION_UNMATCHED: "TLSA-COMBINATION-UNMATCHED", "T10", Weak, rfc(7671, "8"),
        "No record of one usage, selector and matching type matches",
        "Senders need not know every combination of the three fields, so each one that is published \
         has to contain a record that matches what the server presents now. One kind of record in \
         this set matches and another does not.",
        "TLSA 3 1 1 matches; the only TLSA 2 1 1 does not.",
        "Remove the records of the combination that does not match, or add one that does.";

    /// The key of a CA that has retired it.
    TLSA_CA_RETIRED: "TLSA-CA-RETIRED", "T11", WillFail,
        Source::Practice("the CA says which of its keys still issue; see the table of known CAs for \
            the source of each row"),
        "A TLSA record names a CA key that is no longer used",
        "The public CA does not issue with that key any more. If it still matches, it will stop to at \
         the next renewal; if not, it is a leftover that protects nothing.",
        "TLSA 2 1 1 of Let's Encrypt R3, retired in 2024",
        "Remove the record; publish 3 1 1 of the server's own key, which depends on no CA.";

    /// Siblings of a batch of CA keys are missing.
    TLSA_CA_SIBLINGS: "TLSA-CA-SIBLINGS", "T11", WillFail,
        Source::Practice("the CA picks one key of the current batch at each renewal, without notice"),
        "A TLSA record names one of several keys a CA may use, and not the others",
        "The CA issues from a batch of intermediates and picks one at each renewal. Unless all of \
         the batch are published, mail fails after a renewal by a sibling.",
        "TLSA 2 1 1 of Let's Encrypt E7 only, while E8 may sign the next certificate",
        "Publish 3 1 1 of the server's own key instead; or a record for every key of the batch, and \
         watch the CA's announcements.";

    /// A trust anchor that is not sent.
    TLSA_CA_NOT_SENT: "TLSA-CA-NOT-SENT", "T12", FailsNow, rfc(7671, "5.2.2"),
        "A TLSA record names a CA certificate that the server does not send",
        "With usage 2 the sender has nothing but the chain that the server presents. Web servers \
         leave out the root; a mail server whose record names the root, or an intermediate, has to \
         send it. Otherwise the record cannot match.",
        "TLSA 2 1 1 of a root, and a chain of server certificate and intermediate only",
        "Add the certificate to the chain file of the server, or publish 3 1 1 of its own key.";

    /// One key everywhere.
    TLSA_SAME_KEY_EVERYWHERE: "TLSA-SAME-KEY-EVERYWHERE", "T13", Note,
        Source::Practice("common advice to operators; no standard asks for it"),
        "All mail hosts present the same key",
        "That is simple to keep up. A slip in changing the one key hits all hosts at once, and a \
         theft at one is a theft at all.",
        "mx1 and mx2 present the same key.",
        "Nothing.";
}
