//! Lints about the domain as a whole: its MX records, MTA-STS, TLS-RPT.

use super::{Lint, rfc};
use crate::report::Severity;

lints! {
    /// An MX record that names an alias.
    MX_ALIAS: "MX-ALIAS", "D12", Weak, rfc(2181, "10.3"),
        "An MX record names an alias",
        "The name in an MX record must not be a CNAME. Most senders follow it all the same, and some \
         do not. With DANE it also becomes unclear which name the TLSA records belong to: senders \
         look at the end of the alias first, then at the name itself, and older ones look at one of \
         the two only.",
        "example.org. MX 10 mail.example.org.   and   mail.example.org. CNAME mx.provider.example.",
        "Name the host itself in the MX record.";

    /// TLSA at both ends of an MX alias.
    MX_ALIAS_TLSA_BOTH_ENDS: "MX-ALIAS-TLSA-BOTH-ENDS", "D12", Weak, rfc(7672, "2.2.2"),
        "TLSA records stand at both ends of an MX alias",
        "The mail host is an alias, and both its own name and the name it stands for have TLSA \
         records. Senders use those at the end of the alias, if the whole of it is signed; senders \
         that do not follow aliases for this use the others. Both sets have to match, and two sets \
         are kept up by two people or not at all.",
        "_25._tcp.mail.example.org. TLSA 3 1 1 aa...   and   _25._tcp.mx.provider.example. TLSA 3 1 1 bb...",
        "Name the host itself in the MX record, and keep the TLSA records at its name only.";

    /// An alias that runs in a circle.
    MX_ALIAS_LOOP: "MX-ALIAS-LOOP", "D12", FailsNow, rfc(1034, "3.6.2"),
        "The name of a mail host is an alias that cannot be followed to its end",
        "The alias runs in a circle or is too long, so the host has no address. Nobody can deliver \
         to it.",
        "mx.example.org. CNAME mail.example.org.   and   mail.example.org. CNAME mx.example.org.",
        "Name the host itself in the MX record.";

    /// A name that cannot be a mail host of the Internet.
    MX_NAME_UNFIT: "MX-NAME-UNFIT", "D12", Weak, rfc(5321, "5.1"),
        "An MX record names something that is no mail host",
        "The MX record holds `localhost`, a name without a dot, or an address instead of a name. \
         Senders that follow it reach nobody, or themselves. An address cannot have DANE, and the \
         standard does not allow it here.",
        "example.org. MX 10 localhost.   or   example.org. MX 10 192.0.2.1.",
        "Name a host with an address that everybody can reach; to receive no mail publish a null MX.";

    /// An address that the Internet cannot reach.
    MX_ADDRESS_UNFIT: "MX-ADDRESS-UNFIT", "D12", Weak, rfc(6890, "2.2"),
        "A mail host has an address that cannot be reached from outside",
        "The address lies in a range for loopback, private networks, documentation or the like. \
         Senders lose time on it or connect to a machine of their own network.",
        "mx.example.org. A 10.0.0.25",
        "Publish only addresses that can be reached from everywhere.";

    /// A mail host without addresses.
    MX_WITHOUT_ADDRESS: "MX-WITHOUT-ADDRESS", "D12", Weak, rfc(5321, "5.1"),
        "A mail host has no address",
        "The MX record names a host for which DNS has neither A nor AAAA records. Senders pass it \
         over; if no other host is left, mail is returned.",
        "example.org. MX 20 old.example.org., and old.example.org. does not exist.",
        "Remove the MX record, or give the host an address.";

    /// A null MX beside others.
    NULL_MX_MISUSED: "NULL-MX-MISUSED", "D14", Weak, rfc(7505, "3"),
        "A null MX stands beside other MX records",
        "A null MX says that the domain receives no mail, so it must stand alone. Beside others some \
         senders ignore it and some return the mail.",
        "example.org. MX 0 .   and   example.org. MX 10 mx.example.org.",
        "Remove the null MX, or remove the others if no mail is wanted.";

    /// No MX records at all.
    MX_IMPLIED: "MX-IMPLIED", "D14", Note, rfc(5321, "5.1"),
        "The domain has no MX record and receives mail at its own address",
        "Without MX records senders deliver to the domain's own addresses. DANE works there too, \
         with TLSA records below the domain itself. If the addresses are those of a web server that \
         takes no mail, a null MX says so at once.",
        "example.org. A 192.0.2.1, and no MX.",
        "Nothing; an MX record makes it plain.";

    /// No mail host at all.
    MAIL_HOST_MISSING: "MAIL-HOST-MISSING", "D14", FailsNow, rfc(5321, "5.1"),
        "The domain has no mail host",
        "There is no MX record, and no address at the domain's own name that senders would use \
         instead; or the domain does not exist. Every sender returns the mail at once, whether it \
         honours DANE or not.",
        "example.org. TXT only: neither MX nor A nor AAAA.",
        "Publish an MX record that names a mail host. If the domain is to receive no mail, a null \
         MX says so.";

    /// TLSA records where no sender looks.
    TLSA_WRONG_NAME: "TLSA-WRONG-NAME", "D17", Weak, rfc(7672, "2.2.3"),
        "TLSA records are published under a name where no sender looks for them",
        "Mail servers are looked up by the MX records, and TLSA records have to stand below the name \
         of the MX host, for port 25. Below the domain or for a submission port they say nothing \
         about incoming mail.",
        "_25._tcp.example.org. TLSA ..., while the MX host is mx.example.org.",
        "Publish the records below the name of the MX host, as `_25._tcp`.";

    /// DANE on some of the hosts.
    DANE_ON_SOME_MX: "DANE-ON-SOME-MX", "X01", Weak, rfc(7672, "2.2.1"),
        "Some of the mail hosts have DANE and some have not",
        "An attacker who blocks the hosts with TLSA records drives the mail to those without, and \
         there nothing is authenticated. Protection is that of the weakest host.",
        "mx1.example.org has TLSA records, mx2.example.org has none.",
        "Publish TLSA records for every MX host, or remove the MX records of the others.";

    /// A host of worse preference that would fail.
    BACKUP_MX_BROKEN: "BACKUP-MX-BROKEN", "X02", WillFail, rfc(5321, "5.1"),
        "A mail host that is only used when others fail does not work for DANE senders",
        "Mail flows through the hosts of better preference, so nobody notices. When those are down, \
         DANE senders cannot use this one, and mail waits exactly when the backup is needed.",
        "MX 10 mx1 is fine; the certificate of MX 20 mx2 matches none of its TLSA records.",
        "Mend the host as the other findings about it say, or remove its MX record.";

    /// A host that the policy does not list.
    STS_MX_UNLISTED: "STS-MX-UNLISTED", "X03", FailsNow, rfc(8461, "4.1"),
        "An MX host is not listed in the domain's MTA-STS policy",
        "The policy lists the hosts that may receive the domain's mail, and this MX host is not \
         among them. Senders that honour an enforced policy do not use the host. It is the name in \
         the MX record that counts, not an alias behind it.",
        "mx: mx1.example.org in the policy, and MX 20 mx2.example.org. in DNS.",
        "Add the host to the policy first, then change the `id` in the TXT record.";

    /// A listed host without a valid certificate.
    STS_HOST_FAILS: "STS-HOST-FAILS", "X03", FailsNow, rfc(8461, "4.2"),
        "A mail host does not meet the domain's MTA-STS policy",
        "MTA-STS demands TLS with a certificate that a public CA issued for the name in the MX \
         record. This host offers none, so senders that honour the policy do not use it. A \
         certificate that DANE accepts may still fail here.",
        "mode: enforce, and mx.example.org presents a self-signed certificate.",
        "Give the host a certificate of a public CA for its MX name, with the whole chain.";

    /// One kind of sender delivers and another does not.
    DANE_AND_STS_DISAGREE: "DANE-AND-STS-DISAGREE", "X03", FailsNow, rfc(8461, "2"),
        "DANE senders and MTA-STS senders come to different ends",
        "One of the two kinds of sender delivers and the other cannot. Whether mail arrives then \
         depends on where it comes from, which is hard to see from the receiving side.",
        "Postfix with DANE delivers; a sender that knows MTA-STS only defers.",
        "Mend what the other findings name; until then consider `mode: testing`.";

    /// No TLS-RPT record.
    TLS_RPT_MISSING: "TLS-RPT-MISSING", "X04", Weak, rfc(8460, "3"),
        "The domain asks senders to authenticate it and asks for no reports",
        "With DANE or MTA-STS senders refuse to deliver when something does not fit. A TLS-RPT record \
         asks them to tell; without it the first sign of trouble is missing mail.",
        "_smtp._tls.example.org. TXT: no such record.",
        "Publish the record with an address that somebody reads.";

    /// A TLS-RPT record that does not count.
    TLS_RPT_INVALID: "TLS-RPT-INVALID", "X04", Weak, rfc(8460, "3"),
        "The TLS-RPT record is not valid",
        "Senders ignore a record that does not begin with `v=TLSRPTv1;`, has no `rua`, or stands \
         beside another one. No reports come.",
        "_smtp._tls.example.org. TXT \"v=TLSRPTv1 rua=tls@example.org\"",
        "Publish exactly one valid record.";

    /// An MTA-STS record that does not count.
    STS_RECORD_UNFIT: "STS-RECORD-UNFIT", "X05", Weak, rfc(8461, "3.1"),
        "The MTA-STS record is not valid",
        "Exactly one TXT record that begins with `v=STSv1;` and has an `id` of letters and digits \
         must stand at `_mta-sts`. Otherwise senders act as if there were none, unless they know the \
         policy from before.",
        "_mta-sts.example.org. TXT \"v=STSv1; id=2026-11-22\"",
        "Publish exactly one valid record.";

    /// A policy that cannot be had.
    STS_POLICY_UNFIT: "STS-POLICY-UNFIT", "X05", Weak, rfc(8461, "3.3"),
        "An MTA-STS policy is announced and cannot be fetched or read",
        "The TXT record announces a policy, and https://mta-sts.<domain>/.well-known/mta-sts.txt does \
         not give a valid one. Senders that have an older copy go on with that until it expires; all \
         others go on without.",
        "GET https://mta-sts.example.org/.well-known/mta-sts.txt: certificate expired.",
        "Serve the policy as text/plain, under a certificate valid for the mta-sts host, without \
         redirects.";

    /// A policy that is soon forgotten.
    STS_MAX_AGE_SHORT: "STS-MAX-AGE-SHORT", "X05", Weak, rfc(8461, "3.2"),
        "The MTA-STS policy may be kept for a short time only",
        "Between two messages from the same sender the policy is forgotten, and the next time an \
         attacker can pretend that there is none. The standard expects weeks or more.",
        "max_age: 3600",
        "Set `max_age` to two weeks or more (1209600).";

    /// A policy in testing mode.
    STS_TESTING_ONLY: "STS-TESTING-ONLY", "X05", Note, rfc(8461, "5"),
        "The MTA-STS policy is in testing mode",
        "Senders evaluate the policy and report, and deliver all the same. That is the right way to \
         begin, and protects nothing.",
        "mode: testing",
        "Nothing while reports are being watched; `mode: enforce` when they are clean.";
}
