//! Lints about answers: of the resolver, and of each authoritative server asked by itself.

use super::{Lint, Source, rfc};
use crate::report::Severity;

lints! {
    /// The TLSA lookup fails in a signed zone.
    TLSA_UNANSWERED: "TLSA-UNANSWERED", "D01", FailsNow, rfc(7672, "2.1.2"),
        "The TLSA lookup fails, so DANE senders do not use the host",
        "The zone of the MX host is signed, and the question for its TLSA records ends in an error \
         instead of an answer. An attacker could cause the same error, so a DANE sender treats the \
         host as unreachable and mail waits. That no TLSA records are published does not help: \
         their absence has to be answered.",
        "_25._tcp.mx.example.org. TLSA: SERVFAIL from ns2.example.org: mail is deferred.",
        "Make every name server of the zone answer the question, with records or with a signed \
         denial.";

    /// The denial of the TLSA records does not validate.
    TLSA_DENIAL_BOGUS: "TLSA-DENIAL-BOGUS", "D02", FailsNow, rfc(4035, "5.4"),
        "The proof that there are no TLSA records does not validate",
        "There are no TLSA records, and a signed zone has to prove that with NSEC or NSEC3 records. \
         The proof is missing or wrong, so a DANE sender cannot tell it from an attacker who \
         removed the records, and mail waits. The usual causes are a zone changed after it was \
         signed, a name server too old for NSEC3, and a load balancer that invents answers.",
        "_25._tcp.mx.example.org. TLSA: NOERROR without an NSEC record.",
        "Sign the whole zone again and ask each name server for the name with the DO bit set.";

    /// Another lookup that delivery needs fails.
    LOOKUP_UNANSWERED: "LOOKUP-UNANSWERED", "D01", FailsNow, rfc(7672, "2.1.2"),
        "A lookup that delivery depends on fails",
        "The question for the MX records or for the addresses of an MX host ends in an error. \
         Nobody can tell a failing server from an attacker, so senders treat it neither as an \
         answer nor as an absence. Without MX records mail waits; without addresses the host is \
         passed over.",
        "example.org. MX: every server answers REFUSED.",
        "Make every name server of the zone answer the question.";

    /// A name with names below it is denied.
    NAME_ABOVE_TLSA_DENIED: "NAME-ABOVE-TLSA-DENIED", "D03", WillFail, rfc(8020, "2"),
        "The servers deny a name that has names below it",
        "The name servers say NXDOMAIN for `_tcp` below the MX host, though `_25._tcp` exists below \
         that. Resolvers that minimise query names (RFC 9156) or that believe NXDOMAIN for \
         everything below (RFC 8020) ask for `_tcp` first and never see the TLSA records, or take \
         the answer for forged. So some senders fail and others do not, which is hard to find.",
        "_tcp.mx.example.org. NXDOMAIN   and   _25._tcp.mx.example.org. TLSA 3 1 1 ...",
        "Mend or replace the name server software: an empty name with names below it has to be \
         answered NOERROR without records.";

    /// Authoritative servers give different records.
    SERVERS_DIFFER: "SERVERS-DIFFER", "D04", WillFail, rfc(1034, "4.3.5"),
        "The zone's name servers give different answers",
        "Asked directly, the authoritative servers of one zone answered the same question with \
         different records. Which answer a sender gets is a matter of luck, so mail fails now and \
         then and works when somebody looks. A change on its way to the secondaries looks the same \
         for a while; when it stays, a server is not updated any more.",
        "_25._tcp.mx.example.org. TLSA: ns1 has two records, ns2 has one.",
        "Find out why the server named is not up to date, and let it transfer the zone anew.";

    /// One authoritative server fails where others answer.
    SERVER_FAILS: "SERVER-FAILS", "D04", WillFail, rfc(7672, "2.1.2"),
        "One of the zone's name servers gives no answer where others do",
        "A name server of the zone refuses, fails or is not authoritative, and other servers of the \
         zone answer. Resolvers go on to another server, so mail flows, more slowly. When the good \
         servers are out of reach the lookup fails, and mail of DANE senders waits.",
        "ns1.example.org answers; ns2.example.org answers REFUSED.",
        "Let the server named serve the zone, or remove it from the zone and from the delegation.";

    /// A name server could not be reached from here.
    SERVER_SILENT: "SERVER-SILENT", "D04", Note, rfc(1034, "4.1"),
        "One of the zone's name servers was silent",
        "A name server of the zone did not answer this check, and others did. That may be the path \
         from here, a limit on questions, or a server that is down. Only its owner can tell.",
        "ns3.example.org at 2001:db8::53: no answer in time.",
        "Nothing, unless other places see the same.";

    /// The serial numbers of the zone differ.
    SERIALS_DIFFER: "SERIALS-DIFFER", "D04", Note, rfc(1034, "4.3.5"),
        "The zone's name servers serve different versions of the zone",
        "The serial numbers in the SOA records differ between the servers, while the records that \
         mail needs are the same. Right after a change that is normal. If it lasts, some server \
         does not receive changes any more, and the next change of TLSA records will not arrive.",
        "ns1: serial 2026112201, ns2: serial 2026110304.",
        "Nothing for an hour after a change; later, look why the transfer fails.";

    /// Parent and zone name different servers.
    DELEGATION_DIFFERS: "DELEGATION-DIFFERS", "D04", Weak, rfc(1034, "4.2.2"),
        "The parent names other name servers than the zone itself",
        "The NS records at the parent and those in the zone are not the same set. Resolvers use \
         either, so a server that only one side names is asked by some and not by others, and is \
         easily forgotten when keys or records change. The two sides are to be consistent and to \
         remain so.",
        "Parent: ns1, ns2. Zone: ns1, ns3.",
        "Bring the delegation at the registrar and the NS records of the zone into line.";

    /// A TLSA answer is large.
    TLSA_ANSWER_BIG: "TLSA-ANSWER-BIG", "D16", Weak,
        Source::Practice("1232 octets is the UDP size that name servers and resolvers agreed on at \
            DNS flag day 2020; RFC 9715 section 3 recommends no more than 1400"),
        "The TLSA answer does not fit a UDP packet that passes everywhere",
        "Answers above 1232 octets are fragmented, cut short or lost on some paths, and then have to \
         be fetched over TCP. That works where TCP works, and costs every sender another round \
         trip. Full certificates in the records and long RSA signatures are the usual causes.",
        "_25._tcp.mx.example.org. TLSA 3 0 0 ... in an answer of 2,900 octets.",
        "Publish digests (3 1 1) instead of whole certificates, and sign with ECDSA (algorithm 13).";

    /// An answer was cut and TCP does not work.
    TCP_FAILS: "TCP-FAILS", "D16", WillFail, rfc(7766, "5"),
        "A name server cuts its answer short and does not speak TCP",
        "The answer over UDP was truncated, and the same question over TCP to the same server \
         failed. From that server a resolver can never get the whole answer. As soon as it is the \
         only one in reach, the lookup fails and mail of DANE senders waits.",
        "ns1.example.org: TC bit over UDP, port 53/TCP closed.",
        "Open port 53 for TCP at the server and at every firewall before it.";

    /// The TLSA name is an alias.
    TLSA_ALIAS: "TLSA-ALIAS", "D13", Note, rfc(7671, "7"),
        "The TLSA records stand behind an alias",
        "The name `_25._tcp` of the host is a CNAME to where the records are kept. That is allowed \
         and often wise, because one record set serves many names. Every link has to be signed.",
        "_25._tcp.mx.example.org. CNAME _dane.example.org.",
        "Nothing.";

    /// A link of the TLSA alias is unsigned.
    TLSA_ALIAS_INSECURE: "TLSA-ALIAS-INSECURE", "D13", Weak, rfc(7672, "2.2.3"),
        "The TLSA name is an alias into a zone that is not signed",
        "The records at the end of the alias are not protected by DNSSEC, so senders ignore them. \
         The host looks as if it had DANE and has none.",
        "_25._tcp.mx.example.org. CNAME tlsa.unsigned.example.",
        "Sign the zone that the alias leads into, or publish the records in the signed zone.";

    /// The TLSA alias leads nowhere.
    TLSA_ALIAS_BROKEN: "TLSA-ALIAS-BROKEN", "D13", FailsNow, rfc(7672, "2.1.2"),
        "The TLSA name is an alias that cannot be followed to its end",
        "The alias runs in a circle, or its target cannot be looked up. A DANE sender treats that \
         like any failing TLSA lookup: the host is not used, and mail waits.",
        "_25._tcp.mx.example.org. CNAME a.example.   and   a.example. CNAME _25._tcp.mx.example.org.",
        "Let the alias lead to a name that exists, or replace it by the records themselves.";

    /// The absence of TLSA records is not signed.
    TLSA_DENIAL_UNSIGNED: "TLSA-DENIAL-UNSIGNED", "D07", Note, rfc(7672, "2.2"),
        "No TLSA records, and the answer that says so is not signed",
        "The host's addresses are signed and the denial of its TLSA records is not: an opt-out span \
         or an unsigned zone below lies between. That is a normal answer, not an error, and senders \
         go on without DANE.",
        "_25._tcp.mx.example.org. TLSA: no such records, in an unsigned zone below.",
        "Nothing, unless the host is to have DANE: then the zone of the name has to be signed.";
}
