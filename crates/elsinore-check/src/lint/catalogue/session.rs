//! Lints about the SMTP session and TLS.

use super::{Lint, rfc};
use crate::report::Severity;

lints! {
    /// TLSA and no STARTTLS.
    TLSA_WITHOUT_STARTTLS: "TLSA-WITHOUT-STARTTLS", "C02", FailsNow, rfc(7672, "2.2"),
        "TLSA records are published, and the server does not offer STARTTLS",
        "The records promise TLS. A server that does not offer it, or refuses it, looks like an \
         attacker who took the offer away, so DANE senders do not deliver there. A firewall that \
         inspects SMTP, or a limit for unknown clients, is a usual cause.",
        "EHLO reply without STARTTLS; or STARTTLS: 454 4.7.0 TLS not available.",
        "Turn on STARTTLS at this address for every client, or remove the TLSA records.";

    /// The handshake fails.
    TLS_FAILS: "TLS-FAILS", "C02", FailsNow, rfc(7672, "2.2"),
        "STARTTLS is offered, and the TLS handshake fails",
        "TLSA records promise TLS, and no handshake with this server came to an end, with either of \
         two TLS libraries. DANE senders do not deliver there.",
        "STARTTLS: 220; then: alert handshake_failure.",
        "Look into the server's log for the reason; a missing key file or only outdated protocols \
         are usual.";

    /// Another certificate with another name in SNI.
    SNI_DEPENDENT: "SNI-DEPENDENT", "C09", Weak, rfc(7672, "8.1"),
        "The certificate depends on the server name that the client sends",
        "With the TLSA base domain as server name the right certificate comes; without it, or with \
         another expected name, one that matches no record. DANE senders send the base domain, so \
         they are served. Older ones, and test tools, send none and see a mismatch.",
        "SNI mx.example.org: matches. No SNI: another certificate.",
        "Make the certificate that matches the default one of the server, or publish its record too.";

    /// Only old protocols.
    TLS_OLD: "TLS-OLD", "C10", Weak, rfc(8996, "5"),
        "The server speaks no TLS newer than 1.1",
        "TLS 1.0 and 1.1 must not be used any more. DANE senders insist on TLS 1.2 for an \
         authenticated session, so where TLSA records stand mail fails; others deliver with what \
         there is.",
        "TLSv1 with ECDHE-RSA-AES256-SHA",
        "Update the TLS library of the server or turn on TLS 1.2 and 1.3.";

    /// Cleartext behind the 220 of STARTTLS.
    TEXT_BEFORE_TLS: "TEXT-BEFORE-TLS", "C11", Weak, rfc(3207, "4.2"),
        "The server sent text in cleartext behind its reply to STARTTLS",
        "What arrives between the reply to STARTTLS and the handshake is protected by nothing, and a \
         client that takes it for part of the protected session can be deceived. Senders have to \
         discard it. Either the server is faulty or somebody on the path inserts text.",
        "220 Ready to start TLS, followed by 250 in the same packet.",
        "Update the mail server, and look at what stands between it and the Internet.";
}
