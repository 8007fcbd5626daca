//! What comes after a connection that failed: another back end, a new connection in cleartext
//! where the obligation allows it, the next address, or nothing. The ladder may lower the
//! protocol, never the authentication (RFC 7672 §2.2, RFC 3207 §4.1).

use crate::obligation::{Obligation, SkipReason};
use crate::plan::EnhancedCode;

/// One way to use one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rung {
    /// STARTTLS through rustls: TLS 1.2 and 1.3.
    Modern,
    /// STARTTLS through OpenSSL: what rustls cannot speak.
    Legacy,
    /// No STARTTLS.
    Cleartext,
}

impl Rung {
    /// The word used in logs and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Modern => "modern",
            Self::Legacy => "legacy",
            Self::Cleartext => "cleartext",
        }
    }
}

/// Whether the OpenSSL rung is there (feature `legacy-tls`, setting `tls.legacy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LegacyRung {
    /// It may be used.
    Available,
    /// It is not compiled in, or switched off.
    Absent,
}

/// How a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionFailure {
    /// No TCP connection: refused, unreachable or timed out.
    NotConnected,
    /// The connection was lost, or a reply did not come in time, before TLS.
    LostBeforeTls,
    /// A reply that is no SMTP, before TLS.
    NotSmtp,
    /// The server does not speak to us: the greeting or the reply to EHLO and HELO.
    Refused(ReplyClass),
    /// The reply to EHLO offers no STARTTLS.
    StarttlsNotOffered,
    /// STARTTLS was refused.
    StarttlsRefused(ReplyClass),
    /// The TLS handshake failed, not by our verdict on the certificate.
    HandshakeFailed(HandshakeProgress),
    /// The certificate does not meet the obligation.
    VerificationRejected,
    /// The connection was lost after TLS was up and before the message was accepted.
    LostInsideTls,
    /// REQUIRETLS, and the server does not offer it inside TLS (RFC 8689 §4.2.1).
    RequireTlsNotOffered,
    /// The server speaks to us inside the session but refuses the transaction.
    Transaction(ReplyClass),
}

/// How far a handshake came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandshakeProgress {
    /// No ServerHello yet: an alert, a close, silence, or something that is not TLS.
    BeforeServerHello,
    /// After the ServerHello: the server picked parameters, then it went wrong.
    AfterServerHello,
}

/// Whether a refusal is for now or for good (RFC 5321 §4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplyClass {
    /// 4yz.
    Transient,
    /// 5yz.
    Permanent,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NextStep {
    /// Go on without TLS on the connection at hand.
    StayInCleartext,
    /// Close, and open a new connection to the same address on this rung.
    Reconnect(Rung),
    /// Close, and try the next address of this host, then the next host.
    NextAddress,
    /// Keep the server's verdict for the recipients; no other host is asked.
    Conclude(Conclusion),
}

/// A verdict on recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Conclusion {
    /// Try again later.
    Defer,
    /// Give up.
    Bounce,
}

/// The first rung for an obligation; `None` when the host is not contacted.
#[must_use]
pub const fn first_rung(obligation: &Obligation) -> Option<Rung> {
    match obligation {
        //= spec: 7672-2.1.2-5
        Obligation::Skip(_) => None,
        Obligation::Cleartext => Some(Rung::Cleartext),
        Obligation::Opportunistic | Obligation::Encrypt | Obligation::Authenticate(_) => {
            Some(Rung::Modern)
        }
    }
}

/// What follows a failure on `rung` under `obligation`.
///
/// Of one address each rung is used at most once, in the order of [`Rung`]: the sequence ends.
/// Cleartext follows only where the obligation is [`Obligation::Opportunistic`].
#[must_use]
pub const fn next_step(
    obligation: &Obligation,
    rung: Rung,
    failure: ConnectionFailure,
    legacy: LegacyRung,
) -> NextStep {
    //= spec: 7672-2.2-4
    let may_be_clear = matches!(obligation, Obligation::Opportunistic);
    match failure {
        ConnectionFailure::NotConnected
        | ConnectionFailure::LostBeforeTls
        | ConnectionFailure::NotSmtp
        | ConnectionFailure::Refused(_)
        | ConnectionFailure::RequireTlsNotOffered => NextStep::NextAddress,
        //= spec: 7672-2.2-2
        //= spec: 7672-2.2-4
        //= spec: 7672-3.2-2
        ConnectionFailure::StarttlsNotOffered | ConnectionFailure::StarttlsRefused(_) => {
            if may_be_clear {
                NextStep::StayInCleartext
            } else {
                NextStep::NextAddress
            }
        }
        ConnectionFailure::HandshakeFailed(_) => match (rung, legacy) {
            (Rung::Modern, LegacyRung::Available) => NextStep::Reconnect(Rung::Legacy),
            (Rung::Modern, LegacyRung::Absent) | (Rung::Legacy, _) if may_be_clear => {
                NextStep::Reconnect(Rung::Cleartext)
            }
            (Rung::Modern | Rung::Legacy | Rung::Cleartext, _) => NextStep::NextAddress,
        },
        // TLS is up and lost: RFC 7672 §2.2 allows cleartext even then.
        ConnectionFailure::LostInsideTls => match rung {
            Rung::Modern | Rung::Legacy if may_be_clear => NextStep::Reconnect(Rung::Cleartext),
            Rung::Modern | Rung::Legacy | Rung::Cleartext => NextStep::NextAddress,
        },
        // Another back end would see the same certificate.
        //= spec: 7672-2.2-2
        //= spec: 7672-3.2-2
        ConnectionFailure::VerificationRejected => NextStep::NextAddress,
        ConnectionFailure::Transaction(ReplyClass::Transient) => {
            NextStep::Conclude(Conclusion::Defer)
        }
        ConnectionFailure::Transaction(ReplyClass::Permanent) => {
            NextStep::Conclude(Conclusion::Bounce)
        }
    }
}

/// The code with which a message under REQUIRETLS is returned when no host is left (RFC 8689
/// §4.2.1): 5.7.30 where a server lacks REQUIRETLS, else 5.7.10. `None` where the trouble with
/// some host says nothing about TLS: that host is tried again later.
#[must_use]
pub fn require_tls_unmet<'a>(
    failures: impl IntoIterator<Item = (&'a Obligation, ConnectionFailure)>,
) -> Option<EnhancedCode> {
    let mut code = None;
    for (obligation, failure) in failures {
        let lacks_require_tls = match failure {
            ConnectionFailure::RequireTlsNotOffered => true,
            ConnectionFailure::StarttlsNotOffered
            | ConnectionFailure::StarttlsRefused(_)
            | ConnectionFailure::HandshakeFailed(_)
            | ConnectionFailure::VerificationRejected => false,
            _ if obligation == &Obligation::Skip(SkipReason::RequireTlsUnmet) => false,
            _ => return None,
        };
        if lacks_require_tls || code.is_none() {
            code = Some(EnhancedCode::new(
                5,
                7,
                if lacks_require_tls { 30 } else { 10 },
            ));
        }
    }
    code
}

/// The verdict when every address of every host has failed, from the last failure of each.
///
/// Bounced only when each host answered "never" to a session that owed no security: where TLS
/// was owed, a 5yz before TLS may be an attacker's, and a bounce would do his work.
#[must_use]
pub fn exhausted<'a>(
    failures: impl IntoIterator<Item = (&'a Obligation, ConnectionFailure)>,
) -> Conclusion {
    let mut any = false;
    for (obligation, failure) in failures {
        any = true;
        let is_final = matches!(failure, ConnectionFailure::Refused(ReplyClass::Permanent));
        if !is_final || obligation.requires_tls() || matches!(obligation, Obligation::Skip(_)) {
            return Conclusion::Defer;
        }
    }
    if any {
        Conclusion::Bounce
    } else {
        Conclusion::Defer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::obligation::Requirements;

    const FAILURES: [ConnectionFailure; 15] = [
        ConnectionFailure::NotConnected,
        ConnectionFailure::LostBeforeTls,
        ConnectionFailure::NotSmtp,
        ConnectionFailure::Refused(ReplyClass::Transient),
        ConnectionFailure::Refused(ReplyClass::Permanent),
        ConnectionFailure::StarttlsNotOffered,
        ConnectionFailure::StarttlsRefused(ReplyClass::Transient),
        ConnectionFailure::StarttlsRefused(ReplyClass::Permanent),
        ConnectionFailure::HandshakeFailed(HandshakeProgress::BeforeServerHello),
        ConnectionFailure::HandshakeFailed(HandshakeProgress::AfterServerHello),
        ConnectionFailure::VerificationRejected,
        ConnectionFailure::LostInsideTls,
        ConnectionFailure::RequireTlsNotOffered,
        ConnectionFailure::Transaction(ReplyClass::Transient),
        ConnectionFailure::Transaction(ReplyClass::Permanent),
    ];

    fn obligations() -> [Obligation; 5] {
        [
            Obligation::Skip(SkipReason::TlsaLookupFailed),
            Obligation::Cleartext,
            Obligation::Opportunistic,
            Obligation::Encrypt,
            Obligation::Authenticate(Requirements::default()),
        ]
    }

    /// Every sequence of failures ends after at most three connections to one address, and
    /// never reaches cleartext where TLS is owed.
    #[test]
    fn the_ladder_is_finite_and_never_lowers_the_obligation() {
        let mut sequences = 0;
        for obligation in &obligations() {
            for legacy in [LegacyRung::Available, LegacyRung::Absent] {
                let Some(first) = first_rung(obligation) else {
                    continue;
                };
                let mut open = vec![(first, 1)];
                while let Some((rung, depth)) = open.pop() {
                    assert!(depth <= 3);
                    for failure in FAILURES {
                        sequences += 1;
                        match next_step(obligation, rung, failure, legacy) {
                            NextStep::StayInCleartext => {
                                assert_eq!(obligation, &Obligation::Opportunistic);
                            }
                            NextStep::Reconnect(next) => {
                                let clear = next == Rung::Cleartext;
                                assert!(!clear || obligation == &Obligation::Opportunistic);
                                assert_ne!(next, rung);
                                open.push((next, depth + 1));
                            }
                            NextStep::NextAddress | NextStep::Conclude(_) => {}
                        }
                    }
                }
            }
        }
        assert!(sequences > 100, "{sequences}");
    }

    //= spec-test: 7672-2.2-2
    //= spec-test: 7672-2.2-4
    //= spec-test: 7672-3.2-2
    #[test]
    //= spec-test: 7672-2.2-2
    //= spec-test: 7672-2.2-4
    //= spec-test: 7672-3.2-2
    fn steps() {
        use ConnectionFailure::{HandshakeFailed, StarttlsRefused, VerificationRejected};
        use HandshakeProgress::{AfterServerHello, BeforeServerHello};
        let [_, _, opportunistic, encrypt, authenticate] = &obligations();
        let old = LegacyRung::Available;
        let none = LegacyRung::Absent;
        let refused = StarttlsRefused(ReplyClass::Permanent);
        let before = HandshakeFailed(BeforeServerHello);
        let after = HandshakeFailed(AfterServerHello);
        for (obligation, rung, failure, legacy, expected) in [
            (
                opportunistic,
                Rung::Modern,
                before,
                old,
                NextStep::Reconnect(Rung::Legacy),
            ),
            (
                opportunistic,
                Rung::Modern,
                before,
                none,
                NextStep::Reconnect(Rung::Cleartext),
            ),
            (
                opportunistic,
                Rung::Legacy,
                after,
                old,
                NextStep::Reconnect(Rung::Cleartext),
            ),
            (
                opportunistic,
                Rung::Modern,
                refused,
                old,
                NextStep::StayInCleartext,
            ),
            (encrypt, Rung::Modern, refused, old, NextStep::NextAddress),
            (
                encrypt,
                Rung::Modern,
                after,
                old,
                NextStep::Reconnect(Rung::Legacy),
            ),
            (encrypt, Rung::Modern, after, none, NextStep::NextAddress),
            (
                authenticate,
                Rung::Legacy,
                after,
                old,
                NextStep::NextAddress,
            ),
            (
                authenticate,
                Rung::Modern,
                VerificationRejected,
                old,
                NextStep::NextAddress,
            ),
        ] {
            assert_eq!(
                next_step(obligation, rung, failure, legacy),
                expected,
                "{} {rung:?} {failure:?} {legacy:?}",
                obligation.word()
            );
        }
    }

    #[test]
    fn when_requiretls_is_given_up() {
        use ConnectionFailure::{
            HandshakeFailed, NotConnected, RequireTlsNotOffered, StarttlsNotOffered,
            VerificationRejected,
        };
        let [skip, _, _, _, owed] = &obligations();
        let unmet = &Obligation::Skip(SkipReason::RequireTlsUnmet);
        let handshake = HandshakeFailed(HandshakeProgress::AfterServerHello);
        let busy = ConnectionFailure::Refused(ReplyClass::Transient);
        let encryption_needed = Some(EnhancedCode::new(5, 7, 10));
        let support_required = Some(EnhancedCode::new(5, 7, 30));
        for (failures, expected) in [
            (vec![], None),
            (vec![(owed, NotConnected)], None),
            (vec![(owed, busy)], None),
            (vec![(skip, NotConnected)], None),
            (vec![(unmet, NotConnected)], encryption_needed),
            (
                vec![(owed, handshake), (owed, VerificationRejected)],
                encryption_needed,
            ),
            (vec![(owed, RequireTlsNotOffered)], support_required),
            (
                vec![(unmet, NotConnected), (owed, RequireTlsNotOffered)],
                support_required,
            ),
            (
                vec![(owed, RequireTlsNotOffered), (owed, StarttlsNotOffered)],
                support_required,
            ),
            // One host may still do: nothing is given up.
            (
                vec![(owed, RequireTlsNotOffered), (owed, NotConnected)],
                None,
            ),
            (
                vec![(skip, NotConnected), (owed, RequireTlsNotOffered)],
                None,
            ),
        ] {
            assert_eq!(
                require_tls_unmet(failures.clone()),
                expected,
                "{failures:?}"
            );
        }
    }

    #[test]
    fn a_required_session_never_ends_in_a_bounce_by_exhaustion() {
        let never = ConnectionFailure::Refused(ReplyClass::Permanent);
        let [skip, clear, opportunistic, encrypt, authenticate] = &obligations();
        assert_eq!(exhausted([(opportunistic, never)]), Conclusion::Bounce);
        assert_eq!(
            exhausted([(clear, never), (opportunistic, never)]),
            Conclusion::Bounce
        );
        for owed in [skip, encrypt, authenticate] {
            assert_eq!(
                exhausted([(opportunistic, never), (owed, never)]),
                Conclusion::Defer
            );
        }
        for failure in FAILURES.into_iter().filter(|f| *f != never) {
            assert_eq!(exhausted([(opportunistic, failure)]), Conclusion::Defer);
        }
        assert_eq!(exhausted([]), Conclusion::Defer);
    }
}
